//! The consumer's options.

use super::rows::*;
use super::value::{MAX_MS, show_ms};
use super::{Client, CommonConfig, Faults};

/// The options that only the consumer has.
macro_rules! consumer_options {
    ($callback:ident!($($args:tt)*)) => {
        $callback! {
            [$($args)*]

            /// The consumer group. Without one there is no `subscribe()` with shared partitions and no commit.
            /// Defaults to none.
            group_id: Option<String> = None, "group.id", "group_id";

            /// The name of a static member (KIP-345): a restart within the session timeout moves no partitions.
            /// Needs `group_id`, and has to be another one in each member. With `group_protocol` `consumer` a member
            /// waits for the one before it to be gone, and says so after `default_api_timeout`. Defaults to none.
            group_instance_id: Option<String> = None, "group.instance.id", "group_instance_id";

            /// Which group protocol is spoken: `classic`, or `consumer` for that of KIP-848, where the coordinator
            /// shares out the partitions and sets the times. Needs Kafka 4.0. Defaults to `classic`.
            group_protocol: GroupProtocol = GroupProtocol::Classic, "group.protocol", "group_protocol";

            /// The coordinator's assignor, with `group_protocol=consumer`: Kafka has `uniform` and `range`. None
            /// leaves the choice to the coordinator. Defaults to none.
            group_remote_assignor: Option<String> = None, "group.remote.assignor", "group_remote_assignor";

            /// The rack (or zone) that the program runs in, so that records can come from the nearest replica
            /// (KIP-392). Empty when unknown. Defaults to empty.
            client_rack: String = String::new(), "client.rack", "client_rack";

            /// Where to begin when the group has no offset, or one that is not in the log any more: `earliest`,
            /// `latest`, or `by_duration:PT1H` for records of the last hour (KIP-1106). Kafka's `none` makes that an
            /// error of `poll()`. Defaults to `latest`.
            auto_offset_reset: AutoOffsetReset = AutoOffsetReset::Latest, "auto.offset.reset", "auto_offset_reset";

            /// Whether `auto_offset_reset=latest` begins at the oldest record of a partition that was added, or
            /// whose topic was created, after this consumer has subscribed: what was written to it before the
            /// consumer noticed it would be skipped otherwise. kavka's own. Defaults to `false`, as in Kafka.
            read_new_partitions_from_beginning: bool = false,
                "read.new.partitions.from.beginning", "read_new_partitions_from_beginning";

            /// Whether to go on by `auto_offset_reset` in a topic that was deleted and created anew, rather than to
            /// return an error and to wait for a seek. kavka's own. Defaults to `false`.
            reset_on_topic_recreated: bool = false, "reset.on.topic.recreated", "reset_on_topic_recreated";

            /// Whether a position that `auto_offset_reset` has given is committed at once, so that a member that
            /// takes the partition over before the first records begins at the same one. kavka's own. Defaults to
            /// `false`: such a position is committed with the records behind it.
            commit_starting_position: bool = false, "commit.starting.position", "commit_starting_position";

            /// Whether the positions are committed by `poll()`, every `auto_commit_interval`. Without `group_id`
            /// it is off. Defaults to `true`.
            enable_auto_commit: bool = true, "enable.auto.commit", "enable_auto_commit";

            /// The time between two automatic commits. Defaults to 5 s.
            auto_commit_interval: Duration = Duration::from_secs(5),
                "auto.commit.interval.ms", "auto_commit_interval_ms", 0 => MAX_MS;

            /// Whether records of transactions that are open or were aborted are seen. Defaults to `read_uncommitted`.
            isolation_level: IsolationLevel = IsolationLevel::ReadUncommitted, "isolation.level", "isolation_level";

            /// Whether the checksums of batches are verified. Defaults to `true`.
            check_crcs: bool = true, "check.crcs", "check_crcs";

            /// Whether brokers are asked only for what changed since the last fetch (KIP-227). kafka-python's;
            /// Kafka's own consumer always does so. Defaults to `true`.
            enable_incremental_fetch_sessions: bool = true,
                "enable.incremental.fetch.sessions", "enable_incremental_fetch_sessions";

            /// How long a broker waits until `fetch_min_bytes` are there. Below `request_timeout`.
            /// Defaults to 500 ms.
            fetch_max_wait: Duration = Duration::from_millis(500),
                "fetch.max.wait.ms", "fetch_max_wait_ms", 0 => MAX_MS;

            /// The bytes that a broker waits for before it answers a fetch. Defaults to 1.
            fetch_min_bytes: i32 = 1, "fetch.min.bytes", "fetch_min_bytes", 0 => i32::MAX as i64;

            /// The most bytes of one answer to a fetch; a first batch that is larger comes all the same.
            /// Defaults to 52428800 (50 MiB).
            fetch_max_bytes: i32 = 52_428_800, "fetch.max.bytes", "fetch_max_bytes", 0 => i32::MAX as i64;

            /// The bytes of all partitions together that are fetched and not read yet, those under way included
            /// (KIP-81). A batch that is larger still comes, alone. What is decompressed is not counted: that is one
            /// batch at a time, when it is read. Kafka's own consumer has no such bound. Defaults to 52428800
            /// (50 MiB).
            buffer_memory: usize = 52_428_800, "buffer.memory", "buffer_memory", 1 => i64::MAX;

            /// The most bytes for one partition in an answer to a fetch; a first batch that is larger comes all the
            /// same. Defaults to 1048576 (1 MiB).
            max_partition_fetch_bytes: i32 = 1_048_576,
                "max.partition.fetch.bytes", "max_partition_fetch_bytes", 0 => i32::MAX as i64;

            /// The most bytes that one batch may have once it is decompressed, so that a small one that unpacks to
            /// gigabytes is an error of `poll()`, which names the way past it, and takes no memory. kavka's own; Kafka's
            /// own consumer has no such bound. Defaults to 134217728 (128 MiB).
            max_decompressed_batch_bytes: usize = 134_217_728,
                "max.decompressed.batch.bytes", "max_decompressed_batch_bytes", 1 => i32::MAX as i64;

            /// The most records that one `poll()` returns. Defaults to 500.
            max_poll_records: usize = 500, "max.poll.records", "max_poll_records", 1 => i32::MAX as i64;

            /// The longest time between two `poll()` calls; after it the member leaves its group, so that others
            /// get its partitions (KIP-62). Defaults to 5 minutes.
            max_poll_interval: Duration = Duration::from_secs(300),
                "max.poll.interval.ms", "max_poll_interval_ms", 1 => MAX_MS;

            /// Without a heartbeat for this long, a member is dropped from its group. Brokers have bounds of their
            /// own for it. Defaults to 45 s.
            session_timeout: Duration = Duration::from_secs(45),
                "session.timeout.ms", "session_timeout_ms", 1 => MAX_MS;

            /// The time between two heartbeats; at most a third of `session_timeout`. Defaults to 3 s.
            heartbeat_interval: Duration = Duration::from_secs(3),
                "heartbeat.interval.ms", "heartbeat_interval_ms", 1 => MAX_MS;

            /// How a group's partitions are shared out, in order of preference; the members take the first one
            /// that all of them have: `range`, `roundrobin`, `sticky`, `cooperative-sticky`, or one of the program's
            /// own. In strings the names, or Kafka's class names. kafka-python's value: Kafka's own consumer names the
            /// cooperative-sticky assignor second. Defaults to `range,roundrobin`.
            partition_assignment_strategy: Vec<Assignor> = vec![Assignor::Range, Assignor::RoundRobin],
                "partition.assignment.strategy", "partition_assignment_strategy";

            /// For how long a topic that was there may be unknown to the brokers before `poll()` returns that as an
            /// error, which then comes back, at most once a second, until the topic does. Brokers forget topics for a
            /// moment when they restart. kavka's own; Kafka's own consumer waits for ever. Defaults to 30 s.
            unknown_topic_grace: Duration = Duration::from_secs(30),
                "unknown.topic.grace.ms", "unknown_topic_grace_ms", 0 => MAX_MS;

            /// Iteration ends when no record came for this long; `None` (`-1` or `inf` in strings) never ends.
            /// kafka-python's; Kafka's own consumer has none. Defaults to none.
            consumer_timeout: Option<Duration> = None, "consumer.timeout.ms", "consumer_timeout_ms", 0 => MAX_MS;

            /// Whether a pattern subscription leaves out Kafka's own topics, such as `__consumer_offsets`.
            /// Defaults to `true`.
            exclude_internal_topics: bool = true, "exclude.internal.topics", "exclude_internal_topics";

            /// Whether subscribing to a topic that does not exist may create it, if the brokers are set up so. As
            /// in Kafka and kafka-python. Defaults to `true`.
            allow_auto_create_topics: bool = true, "allow.auto.create.topics", "allow_auto_create_topics";
        }
    };
}
pub(crate) use consumer_options;

consumer_options!(emit_struct!(
    /// The options of a consumer.
    ConsumerConfig,
    /// The options that all clients have.
    common: CommonConfig
));
client_config!(ConsumerConfig, Client::Consumer);

impl ConsumerConfig {
    /// Reports values out of their bounds, and options that contradict each other.
    pub fn check(&self, faults: &mut Faults) {
        self.common.check(faults);
        self.check_bounds(faults);
        let classic = self.group_protocol == GroupProtocol::Classic;
        if classic && self.heartbeat_interval > self.session_timeout / 3 {
            faults.push(format!(
                "heartbeat.interval.ms ({}) must be at most a third of session.timeout.ms ({})",
                show_ms(self.heartbeat_interval),
                show_ms(self.session_timeout)
            ));
        }
        below(
            faults,
            ("fetch.max.wait.ms", self.fetch_max_wait),
            ("request.timeout.ms", self.common.request_timeout),
        );
        below(
            faults,
            ("request.timeout.ms", self.common.request_timeout),
            ("connections.max.idle.ms", self.common.connections_max_idle),
        );
        if self.group_id.as_deref() == Some("") {
            faults.push("group.id is empty; leave it out to consume without a group".to_owned());
        }
        self.check_static_member(faults);
        self.check_assignors(faults);
        self.check_protocol(faults);
    }

    /// Each protocol has options that mean nothing in the other one.
    fn check_protocol(&self, faults: &mut Faults) {
        match self.group_protocol {
            GroupProtocol::Classic => {
                if let Some(assignor) = &self.group_remote_assignor {
                    faults.push(format!("group.remote.assignor ({assignor}) needs group.protocol=consumer"));
                }
            }
            GroupProtocol::Consumer => {
                for (field, property) in [
                    ("session_timeout", "session.timeout.ms"),
                    ("heartbeat_interval", "heartbeat.interval.ms"),
                    ("partition_assignment_strategy", "partition.assignment.strategy"),
                ] {
                    if self.is_explicit(field) {
                        faults.push(format!(
                            "{property} cannot be set with group.protocol=consumer, where the coordinator decides on it"
                        ));
                    }
                }
                if self.group_remote_assignor.as_deref() == Some("") {
                    faults.push(
                        "group.remote.assignor is empty; leave it out for the coordinator's choice"
                            .to_owned(),
                    );
                }
            }
        }
    }

    fn check_static_member(&self, faults: &mut Faults) {
        let Some(instance) = &self.group_instance_id else { return };
        if self.group_id.is_none() {
            faults.push(format!(
                "group.instance.id ({instance}) needs group.id, which is not set: a static member belongs to a group"
            ));
        }
        // Brokers hold it to the rules of topic names, and answer a bad one with a bare InvalidRequest.
        if let Some(fault) = crate::types::fault_of_name(instance) {
            faults.push(format!("group.instance.id ({instance}) {fault}"));
        }
    }

    fn check_assignors(&self, faults: &mut Faults) {
        let assignors = &self.partition_assignment_strategy;
        if assignors.is_empty() {
            faults
                .push("partition.assignment.strategy is empty; name at least one, such as range".to_owned());
        }
        for (index, assignor) in assignors.iter().enumerate() {
            if assignors.iter().take(index).any(|earlier| earlier == assignor) {
                faults.push(format!("partition.assignment.strategy names {assignor} twice"));
            }
        }
    }

    fn settle(&mut self) {
        self.common.settle(Client::Consumer);
        if self.group_id.is_none() {
            self.enable_auto_commit = false;
        }
    }
}

/// Reports a time that is not shorter than another one that has to cover it.
fn below(faults: &mut Faults, shorter: (&str, Duration), longer: (&str, Duration)) {
    if shorter.1 >= longer.1 {
        faults.push(format!(
            "{} ({}) must be below {} ({})",
            shorter.0,
            show_ms(shorter.1),
            longer.0,
            show_ms(longer.1)
        ));
    }
}
