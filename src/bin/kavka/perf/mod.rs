//! `kavka perf`: throughput and latency, as one JSON line.

mod consume;
mod latency;
mod measure;
mod produce;
mod rebalance;
mod transactions;

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use kavka::admin::NewTopic;
use kavka::config::{Acks, CommonConfig, CompressionType};
use kavka::producer::ProducerBuilder;
use kavka::{ErrorCode, KafkaAdminClient, KafkaProducer};

use crate::common::{Common, Failure, Outcome};

/// Measures throughput and latency against a cluster.
#[derive(Args)]
pub(crate) struct Perf {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Sends records without keys: from the first send to the last acknowledgement.
    Produce(Load),
    /// Reads all partitions, assigned by hand: from connecting until the last record was read.
    Consume(Load),
    /// As consume, as the only member of a new group.
    ConsumeGroup(Load),
    /// Sends one record at a time and waits for it: no linger, acks=all, after untimed ones (--warmup, or 200).
    Latency(Load),
    /// Sends records in transactions, each of --per-transaction of them: from the first begin to the last commit.
    Transactions(Load),
    /// Measures how long a new member waits for records, and how long a dead member's partitions stand still.
    Rebalance(rebalance::Rebalance),
}

/// What is sent or read, and how.
///
/// Prints one JSON line on stdout. The exit code is 0 only when everything was acknowledged or read.
#[derive(Args)]
struct Load {
    #[command(flatten)]
    common: Common,

    /// The topic.
    #[arg(short, long)]
    topic: String,

    /// How many records are timed.
    #[arg(short = 'n', long, value_parser = clap::value_parser!(u64).range(1..))]
    records: u64,

    /// The size of a value. Up to 1,000 different values of random letters and digits are made before the clock
    /// starts, and sent in turn.
    #[arg(short, long, value_name = "BYTES", default_value_t = 100)]
    size: usize,

    /// The partitions that the topic has to have; it is created with them if it does not exist.
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(i32).range(1..))]
    partitions: Option<i32>,

    /// Who must have a batch before it counts as written.
    #[arg(long, value_enum, default_value_t = AcksArg::All)]
    acks: AcksArg,

    /// The codec of the batches.
    #[arg(long, value_enum, default_value_t = CompressionArg::None)]
    compression: CompressionArg,

    /// How long a batch waits for more records, in ms. Defaults to what is best for throughput.
    #[arg(long, value_name = "MS")]
    linger_ms: Option<u64>,

    /// The size of a full batch. Defaults to what is best for throughput.
    #[arg(long, value_name = "BYTES")]
    batch_bytes: Option<usize>,

    /// How many records a transaction has.
    #[arg(long, value_name = "RECORDS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    per_transaction: u64,

    /// Records that are sent or read before the clock starts. Defaults to 0, for latency to 200.
    #[arg(long, value_name = "RECORDS")]
    warmup: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum AcksArg {
    /// The leader and all replicas in sync with it.
    All,
    /// The leader.
    #[value(name = "1")]
    Leader,
}

#[derive(Clone, Copy, ValueEnum)]
enum CompressionArg {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Perf {
    pub(crate) fn run(self) -> Outcome {
        match self.what {
            What::Produce(load) => load.start()?.and(produce::run),
            What::Consume(load) => load.start()?.and(consume::run),
            What::ConsumeGroup(load) => load.start()?.and(consume::run_group),
            What::Latency(load) => load.start()?.and(latency::run),
            What::Transactions(load) => load.start()?.and(transactions::run),
            What::Rebalance(rebalance) => rebalance.run(),
        }
    }
}

impl Load {
    fn start(self) -> Outcome<Self> {
        self.common.logging.start();
        Ok(self)
    }

    fn and(self, run: impl FnOnce(&Self) -> Outcome) -> Outcome {
        run(&self)
    }

    /// A producer with our best settings for throughput where nothing else is said.
    fn producer(&self, defaults: impl FnOnce(ProducerBuilder) -> ProducerBuilder) -> Outcome<KafkaProducer> {
        let mut builder = defaults(KafkaProducer::builder())
            .bootstrap_servers(self.common.bootstrap.clone())
            .acks(self.acks.value())
            .compression_type(self.compression.value());
        if matches!(self.acks, AcksArg::Leader) {
            // Said outright, it goes off without a warning.
            builder = builder.enable_idempotence(false);
        }
        if let Some(linger) = self.linger_ms {
            builder = builder.set("linger.ms", &linger.to_string());
        }
        if let Some(batch) = self.batch_bytes {
            builder = builder.batch_size(batch);
        }
        for property in &self.common.properties {
            builder = builder.set(&property.key, &property.value);
        }
        Ok(builder.build()?)
    }

    fn admin(&self) -> Outcome<KafkaAdminClient> {
        let mut builder = KafkaAdminClient::builder().bootstrap_servers(self.common.bootstrap.clone());
        for property in self.common.properties.iter().filter(|property| is_common(&property.key)) {
            builder = builder.set(&property.key, &property.value);
        }
        Ok(builder.build()?)
    }

    /// Creates the topic if its partitions are given and it does not exist yet, and checks their number.
    fn prepare_topic(&self) -> Outcome<()> {
        let Some(wanted) = self.partitions else { return Ok(()) };
        let admin = self.admin()?;
        for (_, result) in admin.create_topics([NewTopic::new(&self.topic).partitions(wanted)])? {
            match result {
                Err(error) if error.code() == Some(ErrorCode::TOPIC_ALREADY_EXISTS) => {}
                other => drop(other?),
            }
        }
        admin.wait_for_topics([&self.topic], TOPIC_TIMEOUT)?;
        for (_, result) in admin.describe_topics([&self.topic])? {
            let found = result?.partitions.len();
            if usize::try_from(wanted) != Ok(found) {
                return Err(Failure::because(format!(
                    "the topic {} has {found} partitions, not {wanted}: name another topic, or leave \
                     --partitions out",
                    self.topic
                )));
            }
        }
        Ok(())
    }

    /// The values that are sent in turn: text that compresses about as well as log lines do, and the same in
    /// every run and for every client that `peers/run` compares.
    fn values(&self) -> Vec<Vec<u8>> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) % below
        };
        let letter = |at: u64| LETTERS.get(at as usize).copied().unwrap_or(b'x');
        let words: Vec<Vec<u8>> =
            (0..512).map(|_| (0..3 + next(8)).map(|_| letter(next(16))).collect()).collect();
        let count = (MAX_VALUE_BYTES / self.size.max(1)).clamp(1, MAX_VALUES);
        let value = |_| {
            let mut value = Vec::with_capacity(self.size + 16);
            while value.len() < self.size {
                value.extend(words.get(next(512) as usize).into_iter().flatten().chain(b" "));
            }
            value.truncate(self.size);
            value
        };
        (0..count).map(value).collect()
    }
}

/// What the words of the values are made of.
const LETTERS: &[u8; 16] = b"etaoinshrdlucmfw";

/// Whether it is an option of all clients.
fn is_common(key: &str) -> bool {
    CommonConfig::OPTIONS.iter().any(|option| [option.property, option.python_name].contains(&key))
}

impl AcksArg {
    fn value(self) -> Acks {
        match self {
            Self::All => Acks::All,
            Self::Leader => Acks::Leader,
        }
    }
}

impl CompressionArg {
    fn value(self) -> CompressionType {
        match self {
            Self::None => CompressionType::None,
            Self::Gzip => CompressionType::Gzip,
            Self::Snappy => CompressionType::Snappy,
            Self::Lz4 => CompressionType::Lz4,
            Self::Zstd => CompressionType::Zstd,
        }
    }
}

const TOPIC_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_VALUES: usize = 1024;
const MAX_VALUE_BYTES: usize = 4 << 20;
