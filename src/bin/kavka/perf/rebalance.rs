//! `kavka perf rebalance`: how long a new member waits for its first record, and how long the partitions of a
//! member that was killed stand still.

use std::collections::BTreeSet;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{env, thread};

use clap::Args;
use kavka::{KafkaConsumer, KafkaProducer, ProducerRecord, TopicPartition};

use super::is_common;
use super::measure::Stopwatch;
use crate::common::{Common, Failure, Outcome};

/// Measures rebalances of a group of two: this process, and one that it starts and kills.
///
/// Prints one JSON line on stdout: the time from joining to the first record, and from the other member's death to
/// a new record of each of its partitions. Options are the consumers'; those that all clients have, such as for the
/// login, are the producer's, too. Most of the latter is the session timeout, which brokers keep: set
/// session.timeout.ms, or with group.protocol=consumer the broker's group.consumer.session.timeout.ms.
#[derive(Args)]
pub(super) struct Rebalance {
    #[command(flatten)]
    common: Common,

    /// The topic, which has to exist, with two partitions at least.
    #[arg(short, long)]
    topic: String,
}

/// Kills the other member, whatever ends this one.
struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        // Dead already, most likely.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Rebalance {
    pub(super) fn run(&self) -> Outcome {
        self.common.logging.start();
        let group = format!("kavka-perf-{}", std::process::id());
        let mut builder =
            KafkaProducer::builder().bootstrap_servers(self.common.bootstrap.clone()).linger(Duration::ZERO);
        for property in self.common.properties.iter().filter(|property| is_common(&property.key)) {
            builder = builder.set(&property.key, &property.value);
        }
        let producer = builder.build()?;
        let partitions = i32::try_from(producer.partitions_for(&self.topic)?.len()).unwrap_or(i32::MAX);
        if partitions < 2 {
            return Err(Failure::because(format!("the topic {} needs two partitions at least", self.topic)));
        }
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| keep_sending(&producer, &self.topic, partitions, &over));
            let outcome = self.measure(&group, partitions);
            over.store(true, Ordering::Relaxed);
            outcome
        })
    }

    fn measure(&self, group: &str, partitions: i32) -> Outcome {
        let watch = Stopwatch::start();
        let mut builder = KafkaConsumer::builder()
            .bootstrap_servers(self.common.bootstrap.clone())
            .group_id(group)
            .set("auto.offset.reset", "earliest");
        for property in &self.common.properties {
            builder = builder.set(&property.key, &property.value);
        }
        let mut consumer = builder.build()?;
        consumer.subscribe([&self.topic])?;
        wait("the first record", &watch, || Ok(!consumer.poll(TICK)?.is_empty()))?;
        let join = watch.elapsed();

        let mut victim = self.victim(group)?;
        let half = usize::try_from(partitions / 2 + partitions % 2).unwrap_or_default();
        wait("a second member", &watch, || {
            consumer.poll(TICK)?;
            Ok((1..=half).contains(&consumer.assignment().len()))
        })?;
        // It is in the group; its first records show that it reads.
        let settled = watch.elapsed();
        wait("a moment of peace", &watch, || {
            consumer.poll(TICK)?;
            Ok(watch.elapsed() > settled + Duration::from_secs(2))
        })?;
        let mine: BTreeSet<TopicPartition> = consumer.assignment().into_iter().collect();
        let mut open: BTreeSet<i32> = (0..partitions)
            .filter(|number| !mine.contains(&TopicPartition::new(self.topic.as_str(), *number)))
            .collect();
        victim.0.kill().map_err(|error| Failure::because(format!("the second member: {error}")))?;
        let death = watch.elapsed();
        wait("the partitions of the second member", &watch, || {
            for record in &consumer.poll(TICK)? {
                open.remove(&record.partition());
            }
            Ok(open.is_empty())
        })?;
        let takeover = watch.elapsed() - death;
        consumer.close(Duration::from_secs(10))?;
        println!(
            "{{\"join_ms\":{:.1},\"takeover_ms\":{:.1}}}",
            join.as_secs_f64() * 1e3,
            takeover.as_secs_f64() * 1e3
        );
        Ok(ExitCode::SUCCESS)
    }

    /// `kavka consumer`, in a process of its own.
    fn victim(&self, group: &str) -> Outcome<Victim> {
        let program = env::current_exe().map_err(|error| Failure::because(error.to_string()))?;
        let mut command = Command::new(program);
        command.args(["consumer", "-b", &self.common.bootstrap.join(","), "-t", &self.topic, "-g", group]);
        for property in &self.common.properties {
            command.args(["-C", &format!("{}={}", property.key, property.value)]);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        child.map(Victim).map_err(|error| Failure::because(format!("the second member: {error}")))
    }
}

/// A record to each partition every few milliseconds, so that a partition that is read has something.
fn keep_sending(producer: &KafkaProducer, topic: &str, partitions: i32, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        for partition in 0..partitions {
            if let Err(error) = producer.send(ProducerRecord::new(topic).partition(partition).value("x")) {
                eprintln!("kavka: {error}");
            }
        }
        thread::park_timeout(TICK);
    }
}

fn wait(what: &str, watch: &Stopwatch, mut done: impl FnMut() -> kavka::Result<bool>) -> Outcome<()> {
    let begin = watch.elapsed();
    while !done()? {
        if watch.elapsed() - begin > PATIENCE {
            return Err(Failure::because(format!("waited {PATIENCE:?} in vain for {what}")));
        }
    }
    Ok(())
}

const TICK: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(120);
