//! `kavka perf`, done by librdkafka through the rdkafka crate: the same command line, the same line of JSON.

use std::error::Error;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use kavka_peers::{Mode, Options, Report, Stopwatch, values};
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::{Offset, TopicPartitionList};

type Outcome<T> = Result<T, Box<dyn Error>>;

// What gave librdkafka its best figures against one broker on the same two cores, 100-byte values unless said.
// Producer: linger.ms 20 came before 5 and 50 (875, 700, 787 k/s in one round; 784, 533, 570 in another), batches
// of 1 MB before 500 and 200 kB, and more than 64 MiB of queue changed nothing but the memory used.
const LINGER_MS: u64 = 20;
const BATCH_BYTES: usize = 1_000_000;
const QUEUE_MESSAGES: &str = "500000";
const QUEUE_KBYTES: &str = "65536";
// Consumer: fetch.queue.backoff.ms decides; with its default of one second a full queue costs five sixths of the
// rate (280 k/s against 1,500 to 1,900). Larger fetches and longer queues are slower: they leave the CPU's caches.
const FETCH_BACKOFF_MS: &str = "2";
const FETCH_BYTES: &str = "1048576";
const QUEUED_MESSAGES: &str = "50000";
const QUEUED_KBYTES: &str = "65536";

const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Outcome<()> {
    let options = Options::parse();
    let report = match options.mode {
        Mode::Produce => produce(&options),
        Mode::Consume | Mode::ConsumeGroup => consume(&options),
        Mode::Latency => latency(&options),
        Mode::Transactions => transactions(&options),
    }?;
    Ok(report.print()?)
}

/// Counts what was acknowledged.
#[derive(Default)]
struct Deliveries {
    acknowledged: AtomicU64,
    failed: AtomicU64,
    /// Woken at each report.
    waiter: OnceLock<thread::Thread>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let counter = if result.is_ok() { &self.acknowledged } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
        if let Some(waiter) = self.waiter.get() {
            waiter.unpark();
        }
    }
}

impl Deliveries {
    fn all(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed) + self.failed.load(Ordering::Relaxed)
    }
}

fn producer(options: &Options, linger_ms: u64) -> Outcome<BaseProducer<Deliveries>> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &options.bootstrap)
        .set("enable.idempotence", if options.acks == "all" { "true" } else { "false" })
        .set("acks", &options.acks)
        .set("compression.type", &options.compression)
        .set("linger.ms", options.linger_ms.unwrap_or(linger_ms).to_string())
        .set("batch.size", options.batch_bytes.unwrap_or(BATCH_BYTES).to_string())
        .set("batch.num.messages", "1000000")
        .set("queue.buffering.max.messages", QUEUE_MESSAGES)
        .set("queue.buffering.max.kbytes", QUEUE_KBYTES)
        .set("socket.nagle.disable", "true");
    if options.mode == Mode::Transactions {
        config.set("transactional.id", format!("rdkafka-perf-{}", std::process::id()));
    }
    for (key, value) in &options.properties {
        config.set(key, value);
    }
    Ok(config.create_with_context(Deliveries::default())?)
}

fn produce(options: &Options) -> Outcome<Report> {
    let values = values(options.size);
    let producer = producer(options, LINGER_MS)?;
    producer.client().fetch_metadata(Some(&options.topic), PATIENCE)?;
    let over = AtomicBool::new(false);
    polled(&producer, &over, || {
        send(&producer, options, &values, options.warmup(), |_| ())?;
        let before = producer.context().failed.load(Ordering::Relaxed);
        let stopwatch = Stopwatch::start(options.records);
        send(&producer, options, &values, options.records, |done| stopwatch.progress(done))?;
        let errors = producer.context().failed.load(Ordering::Relaxed) - before;
        let sent = options.records - errors;
        Ok(stopwatch.stop(sent, sent * options.size as u64, errors))
    })
}

/// Sends `count` records and waits until each is acknowledged or given up.
fn send(
    producer: &BaseProducer<Deliveries>,
    options: &Options,
    values: &[Vec<u8>],
    count: u64,
    progress: impl Fn(u64),
) -> Outcome<()> {
    let already = producer.context().all();
    for (number, value) in (0..count).zip(values.iter().cycle()) {
        let mut record = BaseRecord::<(), [u8]>::to(&options.topic).payload(value);
        if let Some(partitions) = options.partitions {
            record = record.partition(i32::try_from(number % u64::from(partitions.unsigned_abs()))?);
        }
        queue(producer, record)?;
        if number % 4096 == 0 {
            progress(producer.context().all() - already);
        }
    }
    // Tells librdkafka not to wait for linger.ms any more.
    producer.flush(PATIENCE)?;
    while producer.context().all() - already < count {
        thread::sleep(Duration::from_micros(100));
    }
    Ok(())
}

/// Hands a record over, when there is room for it.
fn queue(producer: &BaseProducer<Deliveries>, mut record: BaseRecord<'_, (), [u8]>) -> Outcome<()> {
    while let Err((error, back)) = producer.send(record) {
        if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
            return Err(error.into());
        }
        record = back;
        thread::sleep(Duration::from_micros(500));
    }
    Ok(())
}

fn transactions(options: &Options) -> Outcome<Report> {
    let values = values(options.size);
    let producer = producer(options, LINGER_MS)?;
    producer.client().fetch_metadata(Some(&options.topic), PATIENCE)?;
    producer.init_transactions(PATIENCE)?;
    let over = AtomicBool::new(false);
    polled(&producer, &over, || {
        let run = |count: u64, progress: &dyn Fn(u64)| -> Outcome<()> {
            let mut done = 0;
            while done < count {
                let of_this = options.per_transaction.min(count - done);
                producer.begin_transaction()?;
                for value in values.iter().cycle().take(usize::try_from(of_this)?) {
                    queue(&producer, BaseRecord::to(&options.topic).payload(value))?;
                }
                // It flushes first.
                producer.commit_transaction(PATIENCE)?;
                done += of_this;
                progress(done);
            }
            Ok(())
        };
        run(options.warmup(), &|_| ())?;
        let before = producer.context().failed.load(Ordering::Relaxed);
        let stopwatch = Stopwatch::start(options.records);
        run(options.records, &|done| stopwatch.progress(done))?;
        let errors = producer.context().failed.load(Ordering::Relaxed) - before;
        let sent = options.records - errors;
        Ok(stopwatch.stop(sent, sent * options.size as u64, errors))
    })
}

fn latency(options: &Options) -> Outcome<Report> {
    let values = values(options.size);
    let producer = producer(options, 0)?;
    let _ = producer.context().waiter.set(thread::current());
    let over = AtomicBool::new(false);
    let one = |number: u64, value: &[u8]| -> Outcome<Duration> {
        let mut record = BaseRecord::<(), [u8]>::to(&options.topic).payload(value);
        if let Some(partitions) = options.partitions {
            record = record.partition(i32::try_from(number % u64::from(partitions.unsigned_abs()))?);
        }
        let before = producer.context().all();
        let began = Instant::now();
        producer.send(record).map_err(|(error, _)| error)?;
        while producer.context().all() == before {
            thread::park();
        }
        Ok(began.elapsed())
    };
    polled(&producer, &over, || {
        for (number, value) in (0..options.warmup()).zip(values.iter().cycle()) {
            one(number, value)?;
        }
        let before = producer.context().failed.load(Ordering::Relaxed);
        let mut latencies = Vec::with_capacity(usize::try_from(options.records)?);
        let stopwatch = Stopwatch::start(options.records);
        for (number, value) in (0..options.records).zip(values.iter().cycle()) {
            latencies.push(one(number, value)?);
            stopwatch.progress(number);
        }
        let errors = producer.context().failed.load(Ordering::Relaxed) - before;
        let sent = options.records - errors;
        Ok(stopwatch.stop(sent, sent * options.size as u64, errors).with_latencies(latencies))
    })
}

/// Runs `work` while another thread serves the delivery reports: `poll` returns only when its time is over,
/// so it cannot be what waits for one report.
fn polled<T>(
    producer: &BaseProducer<Deliveries>,
    over: &AtomicBool,
    work: impl FnOnce() -> Outcome<T>,
) -> Outcome<T> {
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                producer.poll(Duration::from_millis(100));
            }
        });
        let result = work();
        over.store(true, Ordering::Relaxed);
        result
    })
}

fn consume(options: &Options) -> Outcome<Report> {
    let stopwatch = Stopwatch::start(options.records);
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &options.bootstrap)
        .set("group.id", format!("rdkafka-perf-{}", std::process::id()))
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "false")
        .set("enable.auto.commit", if options.mode == Mode::ConsumeGroup { "true" } else { "false" })
        .set("fetch.min.bytes", "1")
        .set("fetch.message.max.bytes", FETCH_BYTES)
        .set("queued.min.messages", QUEUED_MESSAGES)
        .set("fetch.queue.backoff.ms", FETCH_BACKOFF_MS)
        .set("queued.max.messages.kbytes", QUEUED_KBYTES)
        .set("socket.nagle.disable", "true");
    for (key, value) in &options.properties {
        config.set(key, value);
    }
    let consumer: BaseConsumer = config.create()?;
    if options.mode == Mode::ConsumeGroup {
        consumer.subscribe(&[&options.topic])?;
    } else {
        let metadata = consumer.fetch_metadata(Some(&options.topic), PATIENCE)?;
        let topic = metadata.topics().first().ok_or("no such topic")?;
        let mut assignment = TopicPartitionList::new();
        for partition in topic.partitions() {
            if options.partitions.is_none_or(|partitions| partition.id() < partitions) {
                assignment.add_partition_offset(&options.topic, partition.id(), Offset::Beginning)?;
            }
        }
        consumer.assign(&assignment)?;
    }
    let (mut records, mut bytes, mut errors) = (0, 0, 0);
    let mut idle_since = None;
    while records < options.records {
        match consumer.poll(PATIENCE) {
            Some(Ok(message)) => {
                idle_since = None;
                records += 1;
                bytes += message.payload().map_or(0, <[u8]>::len) as u64;
                if records % 4096 == 0 {
                    stopwatch.progress(records);
                }
            }
            Some(Err(error)) => {
                eprintln!("{error}");
                errors += 1;
            }
            // Also after a rebalance, long before the time is over.
            None if idle_since.get_or_insert_with(Instant::now).elapsed() < PATIENCE => (),
            None => return Err(format!("no record for {PATIENCE:?} after {records} of them").into()),
        }
    }
    Ok(stopwatch.stop(records, bytes, errors))
}
