//! The options that all clients have.

use super::rows::*;
use super::server::{Address, check_servers};
use super::value::{MAX_MS, show_ms};
use super::{Client, Faults};

/// The options that all clients have.
macro_rules! common_options {
    ($callback:ident!($($args:tt)*)) => {
        $callback! {
            [$($args)*]

            /// Where the cluster is found first: `host:port` each, or `host` for port 9092, or `[ipv6]:port`; as a
            /// list or as one string with commas. Two or three are enough: the others are learned from the
            /// cluster. Defaults to `localhost:9092`.
            bootstrap_servers: Vec<String> = vec!["localhost:9092".to_owned()],
                "bootstrap.servers", "bootstrap_servers";

            /// The name that brokers see in every request: in their logs, quotas and metrics. Defaults to
            /// `kavka-producer-N`, `kavka-consumer-N` or `kavka-admin-N`, where N counts the clients of the process.
            client_id: String = String::new(), "client.id", "client_id";

            /// How long the answer to one request may take; after that the connection is closed and the request
            /// fails or is sent again. Defaults to 30 s.
            request_timeout: Duration = Duration::from_secs(30), "request.timeout.ms", "request_timeout_ms",
                1 => MAX_MS;

            /// The bound on blocking calls that are given none, over all retries. At least `request_timeout`.
            /// Defaults to 60 s.
            default_api_timeout: Duration = Duration::from_secs(60),
                "default.api.timeout.ms", "default_api_timeout_ms", 1 => MAX_MS;

            /// How long dropping a client that was not closed may block. kavka's own. Defaults to 1 s.
            drop_timeout: Duration = Duration::from_secs(1), "drop.timeout.ms", "drop_timeout_ms", 0 => MAX_MS;

            /// A connection unused for this long is closed. Keep it below the brokers' own limit (10 minutes, if
            /// nobody changed it), or requests meet connections that are about to go. kafka-python's value for all
            /// clients: Kafka's own admin client takes 5 minutes. Defaults to 9 minutes.
            connections_max_idle: Duration = Duration::from_secs(540),
                "connections.max.idle.ms", "connections_max_idle_ms", 1 => MAX_MS;

            /// The pause before a broker is connected to again after a first failure; it doubles with each one that
            /// follows. Defaults to 50 ms.
            reconnect_backoff: Duration = Duration::from_millis(50),
                "reconnect.backoff.ms", "reconnect_backoff_ms", 0 => MAX_MS;

            /// The most that `reconnect_backoff` grows to. kafka-python's value: Kafka's own clients stop at 1 s.
            /// Defaults to 30 s.
            reconnect_backoff_max: Duration = Duration::from_secs(30),
                "reconnect.backoff.max.ms", "reconnect_backoff_max_ms", 0 => MAX_MS;

            /// The pause before a failed request is made again; it doubles with each failure that follows
            /// (KIP-580). Defaults to 100 ms.
            retry_backoff: Duration = Duration::from_millis(100),
                "retry.backoff.ms", "retry_backoff_ms", 0 => MAX_MS;

            /// The most that `retry_backoff` grows to (KIP-580). Kafka's own: kafka-python does not let it grow.
            /// Defaults to 1 s.
            retry_backoff_max: Duration = Duration::from_secs(1),
                "retry.backoff.max.ms", "retry_backoff_max_ms", 0 => MAX_MS;

            /// How long making a connection may take, the first time; it doubles with each failure that follows
            /// (KIP-601). Defaults to 10 s.
            socket_connection_setup_timeout: Duration = Duration::from_secs(10),
                "socket.connection.setup.timeout.ms", "socket_connection_setup_timeout_ms", 1 => MAX_MS;

            /// The most that `socket_connection_setup_timeout` grows to (KIP-601). Defaults to 30 s.
            socket_connection_setup_timeout_max: Duration = Duration::from_secs(30),
                "socket.connection.setup.timeout.max.ms", "socket_connection_setup_timeout_max_ms", 1 => MAX_MS;

            /// What is known of the cluster is fetched anew after this long, even if nothing seems to have
            /// changed. Defaults to 5 minutes.
            metadata_max_age: Duration = Duration::from_secs(300),
                "metadata.max.age.ms", "metadata_max_age_ms", 0 => MAX_MS;

            /// What is done with a host name that has several addresses (KIP-302). This version of kavka offers
            /// `use_all_dns_ips` alone. Defaults to `use_all_dns_ips`.
            client_dns_lookup: DnsLookup = DnsLookup::UseAllDnsIps, "client.dns.lookup", "client_dns_lookup";

            /// How brokers are talked to. This version of kavka offers `PLAINTEXT` alone. Defaults to `PLAINTEXT`.
            security_protocol: SecurityProtocol = SecurityProtocol::Plaintext,
                "security.protocol", "security_protocol";

            /// The requests that may wait for an answer on one connection. Idempotence allows 5 at most. Kafka has
            /// this option for the producer alone; here, as in kafka-python, all clients do. Defaults to 5.
            max_in_flight_requests_per_connection: usize = 5,
                "max.in.flight.requests.per.connection", "max_in_flight_requests_per_connection",
                1 => i32::MAX as i64;

            /// The largest answer that is accepted, in bytes; a longer one closes the connection.
            /// Defaults to 100,000,000.
            receive_message_max_bytes: usize = 100_000_000,
                "receive.message.max.bytes", "receive_message_max_bytes", 1_000 => i32::MAX as i64;

            /// The size of the sockets' receive buffer in bytes; `None` (`-1` in strings) leaves it to the
            /// system. kafka-python's choice: Kafka's own clients ask for 64 KiB (the producer: 32 KiB), which
            /// switches off the system's tuning. Defaults to none.
            receive_buffer_bytes: Option<usize> = None,
                "receive.buffer.bytes", "receive_buffer_bytes", 1 => i32::MAX as i64;

            /// The size of the sockets' send buffer in bytes; `None` (`-1` in strings) leaves it to the system.
            /// kafka-python's choice: Kafka's own clients ask for 128 KiB. Defaults to none.
            send_buffer_bytes: Option<usize> = None,
                "send.buffer.bytes", "send_buffer_bytes", 1 => i32::MAX as i64;

            /// The release to assume of brokers that cannot say what they support (0.9 and older). Everybody else
            /// is asked, and this is ignored. Defaults to none.
            api_version: Option<BrokerVersion> = None, "api.version", "api_version";

            /// Whether the client measures anything: see [`metrics`](crate::metrics). kafka-python's own.
            /// Defaults to `true`.
            metrics_enabled: bool = true, "metrics.enabled", "metrics_enabled";

            /// How long a sample of the metrics lasts. Rates, averages and maxima reach back
            /// `metrics_num_samples` of them. Defaults to 30 s.
            metrics_sample_window: Duration = Duration::from_secs(30),
                "metrics.sample.window.ms", "metrics_sample_window_ms", 1 => MAX_MS;

            /// How many samples rates, averages and maxima are taken over. Defaults to 2.
            metrics_num_samples: usize = 2, "metrics.num.samples", "metrics_num_samples", 1 => 1_000;
        }
    };
}
pub(crate) use common_options;

common_options!(emit_struct!(
    /// The options that all clients have.
    CommonConfig
));

impl CommonConfig {
    /// The bootstrap servers, parsed, each once.
    pub fn servers(&self) -> Vec<Address> {
        let mut servers = Vec::new();
        for server in self.bootstrap_servers.iter().filter_map(|text| text.parse().ok()) {
            if !servers.contains(&server) {
                servers.push(server);
            }
        }
        servers
    }

    /// Reports values out of their bounds, and options that contradict each other.
    pub fn check(&self, faults: &mut Faults) {
        self.check_bounds(faults);
        check_servers(&self.bootstrap_servers, faults);
        // A default gives way to an option that was set, see `settle`; two options that were set must agree.
        if self.is_explicit("default_api_timeout") && self.default_api_timeout < self.request_timeout {
            faults.push(format!(
                "default.api.timeout.ms ({}) must be at least request.timeout.ms ({})",
                show_ms(self.default_api_timeout),
                show_ms(self.request_timeout)
            ));
        }
        self.check_growth(
            faults,
            ("reconnect_backoff_max", self.reconnect_backoff_max),
            ("reconnect_backoff", self.reconnect_backoff),
        );
        self.check_growth(
            faults,
            ("retry_backoff_max", self.retry_backoff_max),
            ("retry_backoff", self.retry_backoff),
        );
        self.check_growth(
            faults,
            ("socket_connection_setup_timeout_max", self.socket_connection_setup_timeout_max),
            ("socket_connection_setup_timeout", self.socket_connection_setup_timeout),
        );
    }

    /// Reports a limit below the time that has to grow to it, if the program set both.
    fn check_growth(&self, faults: &mut Faults, limit: (&str, Duration), first: (&str, Duration)) {
        if limit.1 < first.1 && self.is_explicit(limit.0) && self.is_explicit(first.0) {
            let property = |name: &str| format!("{}.ms", name.replace('_', "."));
            faults.push(format!(
                "{} ({}) must be at least {} ({})",
                property(limit.0),
                show_ms(limit.1),
                property(first.0),
                show_ms(first.1)
            ));
        }
    }

    /// Lets defaults give way to options that were set, gives the client its name, and tells of servers that are
    /// named twice.
    pub(super) fn settle(&mut self, client: Client) {
        self.default_api_timeout = self.default_api_timeout.max(self.request_timeout);
        let limits_set = [
            self.is_explicit("reconnect_backoff_max"),
            self.is_explicit("retry_backoff_max"),
            self.is_explicit("socket_connection_setup_timeout_max"),
        ];
        let pairs = [
            (&mut self.reconnect_backoff_max, &mut self.reconnect_backoff),
            (&mut self.retry_backoff_max, &mut self.retry_backoff),
            (&mut self.socket_connection_setup_timeout_max, &mut self.socket_connection_setup_timeout),
        ];
        for ((limit, first), limit_set) in pairs.into_iter().zip(limits_set) {
            if limit_set {
                *first = (*first).min(*limit);
            } else {
                *limit = (*limit).max(*first);
            }
        }
        if self.client_id.is_empty() {
            self.client_id = client.next_id();
        }
        if self.servers().len() < self.bootstrap_servers.len() {
            log::warn!(
                "{}: bootstrap.servers ({}) names a server twice; each is used once",
                self.client_id,
                self.bootstrap_servers.join(",")
            );
        }
    }
}
