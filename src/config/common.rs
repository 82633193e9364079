//! The options that all clients have.

use super::rows::*;
use super::server::{Address, check_servers};
use super::value::{MAX_MS, show_ms};
use super::{Client, Faults, Hooks};

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

            /// What is done when no known broker can be reached any more, or a broker asks for it (KIP-899,
            /// KIP-1102). Defaults to `rebootstrap`.
            metadata_recovery_strategy: RecoveryStrategy = RecoveryStrategy::Rebootstrap,
                "metadata.recovery.strategy", "metadata_recovery_strategy";

            /// The bootstrap list is used again when metadata could not be refreshed for this long, though some
            /// known broker may still take connections (KIP-1102). Defaults to 5 minutes.
            metadata_recovery_rebootstrap_trigger: Duration = Duration::from_secs(300),
                "metadata.recovery.rebootstrap.trigger.ms", "metadata_recovery_rebootstrap_trigger_ms",
                0 => MAX_MS;

            /// What is done with a host name that has several addresses (KIP-235, KIP-302). All of them are tried
            /// either way, a new one every 250 ms. Defaults to `use_all_dns_ips`.
            client_dns_lookup: DnsLookup = DnsLookup::UseAllDnsIps, "client.dns.lookup", "client_dns_lookup";

            /// The proxy that every connection goes through: `socks5://`, `socks5h://` (which leaves it to the
            /// proxy to look names up) or `http://`, then `user:password@` if it wants that, then `host:port`; or
            /// a scheme of the program's own. kafka-python's. Defaults to none.
            proxy_url: Option<Secret> = None, "proxy.url", "proxy_url";

            /// How brokers are talked to: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`. `SSL` and `SASL_SSL`
            /// need the feature `rustls` or `native-tls`. Defaults to `PLAINTEXT`.
            security_protocol: SecurityProtocol = SecurityProtocol::Plaintext,
                "security.protocol", "security_protocol";

            /// The TLS library, where kavka was built with more than one: `rustls` or `native-tls`. kavka's own.
            /// Without it rustls is used where it is built in. Defaults to none.
            ssl_backend: Option<SslBackend> = None, "ssl.backend", "ssl_backend";

            /// A file with the CA certificates that brokers' certificates may be signed by: PEM, DER or PKCS#12.
            /// Read again for each connection, so that a new file counts at once. Without it, and without
            /// `ssl_truststore_certificates`, the system's CAs are trusted. Defaults to none.
            ssl_cafile: Option<PathBuf> = None, "ssl.truststore.location", "ssl_cafile";

            /// The CA certificates themselves, instead of a file: PEM, or DER or PKCS#12 as bytes. Defaults to
            /// none.
            ssl_truststore_certificates: Option<SecretBytes> = None,
                "ssl.truststore.certificates", "ssl_truststore_certificates";

            /// The format of the CA certificates: `PEM` or `PKCS12`; without it what they look like counts. `JKS`
            /// is refused, with the command that converts it. Defaults to none.
            ssl_truststore_type: Option<StoreType> = None, "ssl.truststore.type", "ssl_truststore_type";

            /// The password of a PKCS#12 file with CA certificates. Defaults to none.
            ssl_truststore_password: Option<Secret> = None,
                "ssl.truststore.password", "ssl_truststore_password";

            /// A file with the client's certificate, and the rest of its chain behind it: PEM or PKCS#12. Its
            /// private key is in the same file or in `ssl_keyfile`. Read again for each connection. Defaults to
            /// none.
            ssl_certfile: Option<PathBuf> = None, "ssl.keystore.location", "ssl_certfile";

            /// The client's certificate and the rest of its chain, instead of a file: PEM, or PKCS#12 as bytes.
            /// Defaults to none.
            ssl_keystore_certificate_chain: Option<SecretBytes> = None,
                "ssl.keystore.certificate.chain", "ssl_keystore_certificate_chain";

            /// A file with the client's private key in PEM: PKCS#8, encrypted PKCS#8, PKCS#1 or SEC1. Read again
            /// for each connection. Defaults to none.
            ssl_keyfile: Option<PathBuf> = None, "ssl.key.location", "ssl_keyfile";

            /// The client's private key itself, instead of a file. Defaults to none.
            ssl_keystore_key: Option<SecretBytes> = None, "ssl.keystore.key", "ssl_keystore_key";

            /// The format of the client's certificate: `PEM` or `PKCS12`; without it what it looks like counts.
            /// `JKS` is refused, with the command that converts it. Defaults to none.
            ssl_keystore_type: Option<StoreType> = None, "ssl.keystore.type", "ssl_keystore_type";

            /// The password of a PKCS#12 file with the client's certificate. Defaults to none.
            ssl_keystore_password: Option<Secret> = None, "ssl.keystore.password", "ssl_keystore_password";

            /// The password of the private key. Defaults to none.
            ssl_password: Option<Secret> = None, "ssl.key.password", "ssl_password";

            /// Whether a broker's certificate must be for the name that the broker is reached by: `https` or
            /// `true`, or `none`, `false` or nothing. The CA is checked either way. Defaults to `https`.
            ssl_check_hostname: HostnameCheck = HostnameCheck::Https,
                "ssl.endpoint.identification.algorithm", "ssl_check_hostname";

            /// Whether brokers' certificates are checked at all. Without the check anybody on the way can read and
            /// change everything; a warning in the log says so. kavka's own. Defaults to `true`.
            ssl_verify: bool = true, "ssl.verify", "ssl_verify";

            /// The name that is asked for in the handshake (SNI) and that brokers' certificates must be for,
            /// instead of the name that each broker is reached by. kavka's own. Defaults to none.
            ssl_server_name: Option<String> = None, "ssl.server.name", "ssl_server_name";

            /// A file with lists of revoked certificates, in PEM or DER; the broker's own certificate is looked up
            /// there, as in kafka-python. rustls alone can do it. Read again for each connection. Defaults to
            /// none.
            ssl_crlfile: Option<PathBuf> = None, "ssl.crl.location", "ssl_crlfile";

            /// The cipher suites to offer, by the names of the standard (`TLS_AES_256_GCM_SHA384`) or OpenSSL's,
            /// with commas or colons between them. rustls alone can do it. Without it the library's choice.
            /// Defaults to empty.
            ssl_ciphers: Vec<String> = Vec::new(), "ssl.cipher.suites", "ssl_ciphers";

            /// The newest version of TLS to speak: `TLSv1.3` (or `TLS`) or `TLSv1.2`. Defaults to `TLSv1.3`.
            ssl_protocol: TlsVersion = TlsVersion::Tls13, "ssl.protocol", "ssl_protocol";

            /// The versions of TLS to speak, at most up to `ssl_protocol`. Defaults to `TLSv1.2,TLSv1.3`.
            ssl_enabled_protocols: Vec<TlsVersion> = vec![TlsVersion::Tls12, TlsVersion::Tls13],
                "ssl.enabled.protocols", "ssl_enabled_protocols";

            /// How the client logs in, with `security_protocol` `SASL_PLAINTEXT` or `SASL_SSL`: `PLAIN`,
            /// `SCRAM-SHA-256`, `SCRAM-SHA-512`, `OAUTHBEARER`, `GSSAPI` (feature `gssapi`) or `AWS_MSK_IAM`.
            /// kafka-python's choice: Kafka's own clients take `GSSAPI` when nothing is said. Defaults to none.
            sasl_mechanism: Option<SaslMechanism> = None, "sasl.mechanism", "sasl_mechanism";

            /// The user of `PLAIN` and `SCRAM`; the id of a delegation token. Defaults to none.
            sasl_plain_username: Option<String> = None, "sasl.plain.username", "sasl_plain_username";

            /// The password of `PLAIN` and `SCRAM`; the HMAC of a delegation token. Defaults to none.
            sasl_plain_password: Option<Secret> = None, "sasl.plain.password", "sasl_plain_password";

            /// Asked for user and password at each login, on a helper thread, so that rotated ones are taken up
            /// (see [`CredentialsProvider`](crate::config::CredentialsProvider)). kavka's own.
            /// Defaults to none.
            sasl_credentials_provider: Option<Provider<dyn CredentialsProvider>> = None,
                "sasl.credentials.provider", "sasl_credentials_provider";

            /// Whether user and password of `SCRAM` are a delegation token (KIP-48); `tokenauth` in
            /// `sasl.jaas.config`. kavka's own. Defaults to `false`.
            sasl_scram_token_auth: bool = false, "sasl.scram.token.auth", "sasl_scram_token_auth";

            /// Java's login module with its options, as Kafka's own clients take it: `PlainLoginModule`,
            /// `ScramLoginModule`, `OAuthBearerLoginModule`, `Krb5LoginModule` or `IAMLoginModule`. Options of
            /// kavka that say the same come first. Defaults to none.
            sasl_jaas_config: Option<Secret> = None, "sasl.jaas.config", "sasl_jaas_config";

            /// The service in the brokers' Kerberos principals. kafka-python's default: Kafka's own clients have
            /// none. Defaults to `kafka`.
            sasl_kerberos_service_name: String = "kafka".to_owned(),
                "sasl.kerberos.service.name", "sasl_kerberos_service_name";

            /// The host in the brokers' Kerberos principals, instead of the one that is connected to.
            /// Defaults to none.
            sasl_kerberos_domain_name: Option<String> = None,
                "sasl.kerberos.domain.name", "sasl_kerberos_domain_name";

            /// The whole Kerberos principal of the brokers, instead of service and host. Defaults to none.
            sasl_kerberos_name: Option<String> = None, "sasl.kerberos.name", "sasl_kerberos_name";

            /// The client's Kerberos principal. Without one it is that of the ticket cache. librdkafka's name.
            /// Defaults to none.
            sasl_kerberos_principal: Option<String> = None,
                "sasl.kerberos.principal", "sasl_kerberos_principal";

            /// The file with the principal's key: `sasl.kerberos.kinit.cmd` is run with it when there is no
            /// ticket, or little is left of it. librdkafka's name. Defaults to none.
            sasl_kerberos_keytab: Option<String> = None, "sasl.kerberos.keytab", "sasl_kerberos_keytab";

            /// The program that gets a ticket with a keytab. Defaults to `kinit`.
            sasl_kerberos_kinit_cmd: String = "kinit".to_owned(),
                "sasl.kerberos.kinit.cmd", "sasl_kerberos_kinit_cmd";

            /// Asked for the tokens of `OAUTHBEARER`, on a helper thread (see
            /// [`OAuthTokenProvider`](crate::config::OAuthTokenProvider)). Defaults to none.
            sasl_oauth_token_provider: Option<Provider<dyn OAuthTokenProvider>> = None,
                "sasl.oauth.token.provider", "sasl_oauth_token_provider";

            /// Where tokens come from: the token endpoint of an OpenID provider (KIP-768, feature `oidc`), or
            /// `file:///path` for a file with a token. Defaults to none.
            sasl_oauthbearer_token_endpoint_url: Option<String> = None,
                "sasl.oauthbearer.token.endpoint.url", "sasl_oauthbearer_token_endpoint_url";

            /// The client's id for the token endpoint. Defaults to none.
            sasl_oauthbearer_client_credentials_client_id: Option<String> = None,
                "sasl.oauthbearer.client.credentials.client.id",
                "sasl_oauthbearer_client_credentials_client_id";

            /// The client's secret for the token endpoint. Defaults to none.
            sasl_oauthbearer_client_credentials_client_secret: Option<Secret> = None,
                "sasl.oauthbearer.client.credentials.client.secret",
                "sasl_oauthbearer_client_credentials_client_secret";

            /// What access the token endpoint is asked for. Defaults to none.
            sasl_oauthbearer_scope: Option<String> = None, "sasl.oauthbearer.scope", "sasl_oauthbearer_scope";

            /// Whether the client's id and secret are URL-encoded for the token endpoint, as RFC 6749 has it and
            /// few providers want it. Defaults to `false`.
            sasl_oauthbearer_header_urlencode: bool = false,
                "sasl.oauthbearer.header.urlencode", "sasl_oauthbearer_header_urlencode";

            /// A file with a signed JWT that is exchanged for a token (KIP-1139, RFC 7523), read each time.
            /// Defaults to none.
            sasl_oauthbearer_assertion_file: Option<String> = None,
                "sasl.oauthbearer.assertion.file", "sasl_oauthbearer_assertion_file";

            /// The private key, in PEM, that signs the JWT which is exchanged for a token (KIP-1139), read each
            /// time. Defaults to none.
            sasl_oauthbearer_assertion_private_key_file: Option<String> = None,
                "sasl.oauthbearer.assertion.private.key.file", "sasl_oauthbearer_assertion_private_key_file";

            /// What the private key is encrypted with. Defaults to none.
            sasl_oauthbearer_assertion_private_key_passphrase: Option<Secret> = None,
                "sasl.oauthbearer.assertion.private.key.passphrase",
                "sasl_oauthbearer_assertion_private_key_passphrase";

            /// How the JWT is signed: `RS256` or `ES256`. Defaults to `RS256`.
            sasl_oauthbearer_assertion_algorithm: String = "RS256".to_owned(),
                "sasl.oauthbearer.assertion.algorithm", "sasl_oauthbearer_assertion_algorithm";

            /// A JSON file with `header` and `payload`, objects that the JWT begins with. Defaults to none.
            sasl_oauthbearer_assertion_template_file: Option<String> = None,
                "sasl.oauthbearer.assertion.template.file", "sasl_oauthbearer_assertion_template_file";

            /// The JWT's claim `aud`. Defaults to none.
            sasl_oauthbearer_assertion_claim_aud: Option<String> = None,
                "sasl.oauthbearer.assertion.claim.aud", "sasl_oauthbearer_assertion_claim_aud";

            /// The JWT's claim `iss`. Defaults to none.
            sasl_oauthbearer_assertion_claim_iss: Option<String> = None,
                "sasl.oauthbearer.assertion.claim.iss", "sasl_oauthbearer_assertion_claim_iss";

            /// The JWT's claim `sub`. Defaults to none.
            sasl_oauthbearer_assertion_claim_sub: Option<String> = None,
                "sasl.oauthbearer.assertion.claim.sub", "sasl_oauthbearer_assertion_claim_sub";

            /// How many seconds the JWT is valid. Defaults to 300.
            sasl_oauthbearer_assertion_claim_exp_seconds: u32 = 300,
                "sasl.oauthbearer.assertion.claim.exp.seconds", "sasl_oauthbearer_assertion_claim_exp_seconds",
                0 => 86_400;

            /// How many seconds before now the JWT is valid already. Defaults to 60.
            sasl_oauthbearer_assertion_claim_nbf_seconds: u32 = 60,
                "sasl.oauthbearer.assertion.claim.nbf.seconds", "sasl_oauthbearer_assertion_claim_nbf_seconds",
                0 => 3_600;

            /// Whether the JWT has an id of its own, the claim `jti`. Defaults to `false`.
            sasl_oauthbearer_assertion_claim_jti_include: bool = false,
                "sasl.oauthbearer.assertion.claim.jti.include", "sasl_oauthbearer_assertion_claim_jti_include";

            /// How long connecting to the token endpoint may take; bounded by the time that a connection to a
            /// broker may take anyway. Defaults to none.
            sasl_login_connect_timeout: Option<Duration> = None,
                "sasl.login.connect.timeout.ms", "sasl_login_connect_timeout_ms", 1 => MAX_MS;

            /// How long the token endpoint's answer may take, likewise. Defaults to none.
            sasl_login_read_timeout: Option<Duration> = None,
                "sasl.login.read.timeout.ms", "sasl_login_read_timeout_ms", 1 => MAX_MS;

            /// The part of a token's life after which the next login asks for another one, 0.5 to 1.0.
            /// Defaults to 0.8.
            sasl_login_refresh_window_factor: f64 = 0.8,
                "sasl.login.refresh.window.factor", "sasl_login_refresh_window_factor";

            /// Asked for the access key of `AWS_MSK_IAM`, on a helper thread (see
            /// [`AwsCredentialsProvider`](crate::config::AwsCredentialsProvider)). Without one the variables
            /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN` are looked at, then the
            /// profile in the file `~/.aws/credentials`. kavka's own. Defaults to none.
            sasl_aws_credentials_provider: Option<Provider<dyn AwsCredentialsProvider>> = None,
                "sasl.aws.credentials.provider", "sasl_aws_credentials_provider";

            /// The profile in AWS's credentials file; the variable `AWS_PROFILE` names another default. kavka's
            /// own. Without one it is `default`. Defaults to none.
            sasl_aws_profile: Option<String> = None, "sasl.aws.profile", "sasl_aws_profile";

            /// AWS's region; without one it follows from the broker's name, or is that of the variable
            /// `AWS_REGION`. kavka's own. Defaults to none.
            sasl_aws_region: Option<String> = None, "sasl.aws.region", "sasl_aws_region";

            /// Taken for the sake of shared configurations, when it names a class whose work kavka does itself.
            /// Defaults to none.
            sasl_login_callback_handler_class: Option<String> = None,
                "sasl.login.callback.handler.class", "sasl_login_callback_handler_class";

            /// Taken for the sake of shared configurations, when it names a class whose work kavka does itself.
            /// Defaults to none.
            sasl_client_callback_handler_class: Option<String> = None,
                "sasl.client.callback.handler.class", "sasl_client_callback_handler_class";

            /// Taken for the sake of shared configurations, when it names a class whose work kavka does itself.
            /// Defaults to none.
            sasl_oauthbearer_jwt_retriever_class: Option<String> = None,
                "sasl.oauthbearer.jwt.retriever.class", "sasl_oauthbearer_jwt_retriever_class";

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
    CommonConfig,
    /// What the program supplies that is no value.
    hooks: Hooks
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
        if let Err(found) = self.login() {
            found.iter().for_each(|fault| faults.push(fault));
        }
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
        if self.sasl_mechanism.is_some() && !self.security_protocol.uses_sasl() {
            log::warn!(
                "{}: sasl.mechanism is set, but security.protocol={} has no login",
                self.client_id,
                self.security_protocol
            );
        }
        if !self.security_protocol.uses_tls() {
            if let Some(option) = self.explicit.iter().find(|name| name.starts_with("ssl_")) {
                log::warn!(
                    "{}: {option} is set and has no effect: security.protocol={} does not use TLS",
                    self.client_id,
                    self.security_protocol
                );
            }
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
