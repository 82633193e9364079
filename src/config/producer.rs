//! The producer's options.

use super::rows::*;
use super::value::{MAX_MS, show_ms};
use super::{Client, CommonConfig, Faults};

/// The options that only the producer has.
macro_rules! producer_options {
    ($callback:ident!($($args:tt)*)) => {
        $callback! {
            [$($args)*]

            /// Who must have a batch before it counts as written. Idempotence needs `All`. Defaults to `All`.
            acks: Acks = Acks::All, "acks", "acks";

            /// Whether brokers drop the doubles that retries make, and keep the order of a partition's batches.
            /// It needs `acks` = `All`, `retries` above 0 and at most 5 requests in flight: with one of these
            /// set otherwise, idempotence left at its default goes off with a warning, and idempotence asked for is
            /// an error. Defaults to `true`.
            enable_idempotence: bool = true, "enable.idempotence", "enable_idempotence";

            /// The time from the moment when `send()` put a record into a new batch to the outcome: waiting in the
            /// batch, retries and the answer. What `send()` itself waits for, metadata and memory, comes before, bounded
            /// by `max_block`. At least `linger` plus `request_timeout`. Defaults to 2 minutes.
            delivery_timeout: Duration = Duration::from_secs(120),
                "delivery.timeout.ms", "delivery_timeout_ms", 1 => MAX_MS;

            /// How often a failed batch is sent again; `delivery_timeout` is the better bound.
            /// Defaults to 2147483647.
            retries: u32 = i32::MAX as u32, "retries", "retries", 0 => i32::MAX as i64;

            /// How long a batch that is not full waits for more records. kafka-python's value: Kafka's own producer
            /// waits 5 ms since 4.0. Defaults to 0 ms.
            linger: Duration = Duration::ZERO, "linger.ms", "linger_ms", 0 => MAX_MS;

            /// The size in bytes at which a partition's batch is full. A record larger than this has a batch for
            /// itself. Defaults to 16384.
            batch_size: usize = 16_384, "batch.size", "batch_size", 0 => i32::MAX as i64;

            /// The memory in bytes for records that are not acknowledged yet: their batches, what is kept with each, and
            /// the callbacks of their handles. When it is used up, `send()` waits, for `max_block` at most. Kafka's own:
            /// kafka-python has none. Defaults to 33554432 (32 MiB).
            buffer_memory: usize = 33_554_432, "buffer.memory", "buffer_memory", 1 => i64::MAX;

            /// How long `send()` and `partitions_for()` may block, for metadata and for memory, and each call that is
            /// about transactions. Defaults to 60 s.
            max_block: Duration = Duration::from_secs(60), "max.block.ms", "max_block_ms", 0 => MAX_MS;

            /// Makes the producer transactional, under a name that outlives the process: a producer with the same name
            /// that begins later fences this one, and ends what it left open (KIP-98). Turns idempotence on. Defaults to
            /// none.
            transactional_id: Option<String> = None, "transactional.id", "transactional_id";

            /// After how long the coordinator aborts a transaction that was not ended, and fences its producer. Brokers
            /// have a limit (`transaction.max.timeout.ms`, 15 minutes by default). Defaults to 60 s.
            transaction_timeout: Duration = Duration::from_secs(60),
                "transaction.timeout.ms", "transaction_timeout_ms", 1 => i32::MAX as i64;

            /// The largest record, and the largest produce request, in bytes before compression. Brokers have a
            /// limit of their own. Defaults to 1048576 (1 MiB).
            max_request_size: usize = 1_048_576, "max.request.size", "max_request_size", 1 => i32::MAX as i64;

            /// The codec of batches. Larger batches compress better: see `linger` and `batch_size`. Defaults to
            /// `None`.
            compression_type: CompressionType = CompressionType::None, "compression.type", "compression_type";

            /// How hard gzip tries: 1 is fast, 9 is small, -1 is the codec's own choice (KIP-390).
            /// Defaults to -1.
            compression_gzip_level: i32 = -1, "compression.gzip.level", "compression_gzip_level", -1 => 9;

            /// How hard lz4 tries, 1 to 17 (KIP-390). Taken for the sake of shared configurations: the encoder
            /// that kavka uses has one speed, and says so in the log when this is set. Defaults to 9.
            compression_lz4_level: i32 = 9, "compression.lz4.level", "compression_lz4_level", 1 => 17;

            /// How hard zstd tries: up to 22, negative ones are faster (KIP-390). Defaults to 3.
            compression_zstd_level: i32 = 3, "compression.zstd.level", "compression_zstd_level", -131_072 => 22;

            /// Whether asking for a topic that does not exist may create it, if the brokers are set up so. Kafka's
            /// own producer always asks so. Defaults to `true`.
            allow_auto_create_topics: bool = true, "allow.auto.create.topics", "allow_auto_create_topics";

            /// How the partitions of records are chosen that were given none, by the name of a
            /// [partitioner](crate::producer::partitioner): Kafka's, or librdkafka's. For one of the program's own
            /// use the builder's method `partitioner`. Defaults to `Default`.
            partitioner_class: PartitionerClass = PartitionerClass::Default, "partitioner.class", "partitioner";

            /// Whether keyless records prefer partitions with shorter queues, so that a slow broker gets fewer
            /// (KIP-794). Defaults to `true`.
            partitioner_adaptive_partitioning_enable: bool = true,
                "partitioner.adaptive.partitioning.enable", "partitioner_adaptive_partitioning_enable";

            /// Keyless records pass over the partitions of a broker that has taken nothing for this long while there
            /// was something to send (KIP-794); 0 passes over none. Adaptive partitioning must be on.
            /// Defaults to 0 ms.
            partitioner_availability_timeout: Duration = Duration::ZERO,
                "partitioner.availability.timeout.ms", "partitioner_availability_timeout_ms", 0 => MAX_MS;

            /// Whether the default partitioner treats all records as keyless ones. Defaults to `false`.
            partitioner_ignore_keys: bool = false, "partitioner.ignore.keys", "partitioner_ignore_keys";
        }
    };
}
pub(crate) use producer_options;

producer_options!(emit_struct!(
    /// The options of a producer.
    ProducerConfig,
    /// The options that all clients have.
    common: CommonConfig
));
client_config!(ProducerConfig, Client::Producer);

impl ProducerConfig {
    /// Reports values out of their bounds, and options that contradict each other.
    pub fn check(&self, faults: &mut Faults) {
        self.common.check(faults);
        self.check_bounds(faults);
        if self.delivery_timeout < self.linger.saturating_add(self.common.request_timeout) {
            faults.push(format!(
                "delivery.timeout.ms ({}) must be at least linger.ms ({}) + request.timeout.ms ({})",
                show_ms(self.delivery_timeout),
                show_ms(self.linger),
                show_ms(self.common.request_timeout)
            ));
        }
        if self.compression_gzip_level == 0 {
            faults.push("compression.gzip.level (0) must be 1 to 9, or -1");
        }
        if self.transactional_id.is_some() {
            if !self.enable_idempotence {
                faults.push("transactional.id needs idempotence, but enable.idempotence is false");
            }
            for clash in self.idempotence_clashes() {
                faults.push(format!("transactional.id needs {clash}"));
            }
        } else if self.enable_idempotence && self.is_explicit("enable_idempotence") {
            for clash in self.idempotence_clashes() {
                faults.push(format!("enable.idempotence (true) needs {clash}"));
            }
        }
        if self.transactional_id.as_deref() == Some("") {
            faults.push("transactional.id must not be empty");
        }
        if !self.compression_type.is_built_in() {
            faults.push(format!(
                "compression.type ({0}): this build lacks the codec; build kavka with the feature `{0}`",
                self.compression_type
            ));
        }
    }

    fn settle(&mut self) {
        self.common.settle(Client::Producer);
        if self.enable_idempotence {
            let clashes = self.idempotence_clashes();
            if !clashes.is_empty() {
                log::warn!(
                    "{}: idempotence is off, it would need {}",
                    self.common.client_id,
                    clashes.join(" and ")
                );
                self.enable_idempotence = false;
            }
        }
        if self.is_explicit("compression_lz4_level") {
            log::warn!(
                "{}: compression.lz4.level ({}) has no effect, the lz4 encoder has one speed",
                self.common.client_id,
                self.compression_lz4_level
            );
        }
    }

    /// What would have to change for idempotence to be possible.
    fn idempotence_clashes(&self) -> Vec<String> {
        let mut clashes = Vec::new();
        if self.acks != Acks::All {
            clashes.push(format!("acks = all, but acks is {}", self.acks));
        }
        if self.retries == 0 {
            clashes.push("retries above 0, but retries is 0".to_owned());
        }
        let in_flight = self.common.max_in_flight_requests_per_connection;
        if in_flight > MAX_IDEMPOTENT_IN_FLIGHT {
            clashes.push(format!(
                "max.in.flight.requests.per.connection of at most {MAX_IDEMPOTENT_IN_FLIGHT}, but it is {in_flight}"
            ));
        }
        clashes
    }
}

/// A broker remembers the sequence numbers of this many batches of a producer and partition.
const MAX_IDEMPOTENT_IN_FLIGHT: usize = 5;
