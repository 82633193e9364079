//! `kavka perf rebalance`, done by librdkafka through the rdkafka crate: the same line of JSON.
//!
//! `rdkafka-rebalance -b HOST:PORT -t TOPIC [-C KEY=VALUE]…`; the topic has to exist, with two partitions at least.

use std::collections::BTreeSet;
use std::error::Error;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, thread};

use clap::Parser;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

type Outcome<T> = Result<T, Box<dyn Error>>;

#[derive(Parser)]
struct Options {
    #[arg(short = 'b', long)]
    bootstrap: String,
    #[arg(short, long)]
    topic: String,
    #[arg(short = 'C', long = "property", value_name = "KEY=VALUE")]
    properties: Vec<String>,
    /// Be the member that is killed, of this group.
    #[arg(long, hide = true)]
    victim_of: Option<String>,
}

struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn consumer(options: &Options, group: &str) -> Outcome<BaseConsumer> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &options.bootstrap)
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("fetch.queue.backoff.ms", "2")
        .set("socket.nagle.disable", "true");
    for property in &options.properties {
        let (key, value) = property.split_once('=').ok_or("a property reads key=value")?;
        config.set(key, value);
    }
    let consumer: BaseConsumer = config.create()?;
    consumer.subscribe(&[&options.topic])?;
    Ok(consumer)
}

fn main() -> Outcome<()> {
    let options = Options::parse();
    if let Some(group) = &options.victim_of {
        let consumer = consumer(&options, group)?;
        loop {
            drop(consumer.poll(TICK));
        }
    }
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", &options.bootstrap)
        .set("linger.ms", "0")
        .create()?;
    let metadata = producer.client().fetch_metadata(Some(&options.topic), PATIENCE)?;
    let partitions = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
    let partitions = i32::try_from(partitions)?;
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for partition in 0..partitions {
                    let record = BaseRecord::<(), str>::to(&options.topic).partition(partition).payload("x");
                    let _ = producer.send(record);
                }
                producer.poll(TICK);
            }
        });
        let outcome = measure(&options, partitions);
        over.store(true, Ordering::Relaxed);
        outcome
    })
}

fn measure(options: &Options, partitions: i32) -> Outcome<()> {
    let group = format!("rdkafka-rebalance-{}", std::process::id());
    let began = Instant::now();
    let consumer = consumer(options, &group)?;
    until("the first record", || Ok(consumer.poll(TICK).transpose()?.is_some()))?;
    let join = began.elapsed();

    let mut command = Command::new(env::current_exe()?);
    command.args(["-b", &options.bootstrap, "-t", &options.topic, "--victim-of", &group]);
    for property in &options.properties {
        command.args(["-C", property]);
    }
    let mut victim = Victim(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?);
    let half = usize::try_from(partitions / 2 + partitions % 2)?;
    until("a second member", || {
        consumer.poll(TICK).transpose()?;
        Ok((1..=half).contains(&consumer.assignment()?.count()))
    })?;
    let settled = Instant::now();
    until("a moment of peace", || {
        consumer.poll(TICK).transpose()?;
        Ok(settled.elapsed() > Duration::from_secs(2))
    })?;
    let mine: BTreeSet<i32> = consumer.assignment()?.elements().iter().map(|one| one.partition()).collect();
    let mut open: BTreeSet<i32> = (0..partitions).filter(|partition| !mine.contains(partition)).collect();
    victim.0.kill()?;
    let death = Instant::now();
    until("the partitions of the second member", || {
        if let Some(message) = consumer.poll(TICK).transpose()? {
            open.remove(&message.partition());
        }
        Ok(open.is_empty())
    })?;
    let takeover = death.elapsed();
    println!(
        "{{\"join_ms\":{:.1},\"takeover_ms\":{:.1}}}",
        join.as_secs_f64() * 1e3,
        takeover.as_secs_f64() * 1e3
    );
    Ok(())
}

fn until(what: &str, mut done: impl FnMut() -> Outcome<bool>) -> Outcome<()> {
    let began = Instant::now();
    while !done()? {
        if began.elapsed() > PATIENCE {
            return Err(format!("waited {PATIENCE:?} in vain for {what}").into());
        }
    }
    Ok(())
}

const TICK: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(120);
