//! A group in which only the partitions that move stop: cooperative rebalances, in either group protocol, and a
//! listener that is told of the difference.
//!
//! `cargo run --example cooperative_group --features mock [-- --bootstrap HOST:PORT]`

mod support;

use std::time::Duration;

use kavka::config::{Assignor, AutoOffsetReset, GroupProtocol};
use kavka::consumer::{ConsumerBuilder, ConsumerRebalanceListener, RebalanceContext, Subscription};
use kavka::{KafkaConsumer, TopicPartition};

const TOPIC: &str = "kavka-cooperative";

/// Prints what it is told.
struct Told(&'static str);

impl ConsumerRebalanceListener for Told {
    fn on_partitions_revoked(
        &mut self,
        consumer: &mut RebalanceContext<'_>,
        gone: &[TopicPartition],
    ) -> kavka::Result<()> {
        println!("  {} gives up {gone:?}", self.0);
        // They are still its own while this runs: the moment to commit what was worked on.
        consumer.commit()
    }

    fn on_partitions_assigned(
        &mut self,
        _: &mut RebalanceContext<'_>,
        new: &[TopicPartition],
    ) -> kavka::Result<()> {
        if !new.is_empty() {
            println!("  {} gets {new:?}", self.0);
        }
        Ok(())
    }
}

fn main() -> kavka::Result<()> {
    let brokers = support::brokers()?;
    brokers.create_topic(TOPIC, 6)?;
    let common = |group: &str| {
        KafkaConsumer::builder()
            .bootstrap_servers(&brokers.servers)
            .group_id(group)
            .auto_offset_reset(AutoOffsetReset::Earliest)
    };

    println!("the classic protocol, with a cooperative assignor:");
    let classic = || {
        common("kavka-classic")
            .partition_assignment_strategy([Assignor::CooperativeSticky])
            .heartbeat_interval(Duration::from_millis(500))
    };
    share(classic)?;

    println!("the protocol of KIP-848, where the coordinator shares out the partitions:");
    share(|| common("kavka-modern").group_protocol(GroupProtocol::Consumer))
}

/// One member has everything; a second one comes and gets its part; it goes, and its part goes back.
fn share(builder: impl Fn() -> ConsumerBuilder) -> kavka::Result<()> {
    let member = |name| -> kavka::Result<KafkaConsumer> {
        let mut consumer = builder().build()?;
        consumer.subscribe_to(Subscription::topics([TOPIC]).listener(Told(name)))?;
        Ok(consumer)
    };
    let mut first = member("the first")?;
    poll_until(&mut [&mut first], &[6])?;
    let mut second = member("the second")?;
    poll_until(&mut [&mut first, &mut second], &[3, 3])?;
    second.close(Duration::from_secs(10))?;
    poll_until(&mut [&mut first], &[6])?;
    first.close(Duration::from_secs(10))
}

/// Each poll takes part in the group's rebalances.
fn poll_until(members: &mut [&mut KafkaConsumer], counts: &[usize]) -> kavka::Result<()> {
    for _ in 0..1000 {
        if members.iter().zip(counts).all(|(member, count)| member.assignment().len() == *count) {
            return Ok(());
        }
        for member in members.iter_mut() {
            member.poll(Duration::from_millis(50))?;
        }
    }
    panic!("the group does not come to rest")
}
