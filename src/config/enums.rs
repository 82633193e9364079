//! Options that are one of a few words.

use std::fmt;
use std::str::FromStr;

use super::value::OptionValue;
use crate::{Error, ErrorKind};

/// An enum with a text for each value: the first one is printed, all are read, in any case and with `-` for `_`.
macro_rules! words {
    ($(
        $(#[$meta:meta])*
        $name:ident { $( $(#[$variant_meta:meta])* $variant:ident $(= $number:literal)?: $first:literal $(| $other:literal)*, )+ }
    )+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $( $(#[$variant_meta])* $variant $(= $number)?, )+
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The text of the value in strings and properties files.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $first,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl OptionValue for $name {
            fn parse(text: &str) -> Result<Self, String> {
                let word = text.to_ascii_lowercase().replace('-', "_");
                $(
                    if [$first, $($other),*].iter().any(|known| known.to_ascii_lowercase().replace('-', "_") == word) {
                        return Ok(Self::$variant);
                    }
                )+
                Err(format!("is not one of {}", [$($first),+].join(", ")))
            }

            fn show(&self) -> String {
                self.as_str().to_owned()
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                <Self as OptionValue>::parse(text)
                    .map_err(|fault| Error::new(ErrorKind::Configuration, format!("\"{text}\" {fault}")))
            }
        }
    )+};
}

words! {
    /// Who must have a batch before it counts as written.
    Acks {
        /// Nobody: the broker does not even answer, and the offsets stay unknown.
        None = 0: "0" | "none",
        /// The partition's leader.
        Leader = 1: "1" | "leader",
        /// The leader and all replicas in sync with it.
        All = -1: "all" | "-1",
    }

    /// Which records of transactions a consumer sees.
    #[derive(Default)]
    IsolationLevel {
        /// All, also those of open and of aborted transactions.
        #[default]
        ReadUncommitted = 0: "read_uncommitted",
        /// Those of committed transactions, and those without a transaction; nothing behind an open transaction.
        ReadCommitted = 1: "read_committed",
    }

    /// How brokers are talked to.
    #[non_exhaustive]
    SecurityProtocol {
        /// Without encryption and without a login.
        Plaintext: "PLAINTEXT",
        /// Over TLS; a client certificate is the login, if the brokers ask for one.
        Ssl: "SSL",
        /// With a login and without encryption.
        SaslPlaintext: "SASL_PLAINTEXT",
        /// With a login, over TLS.
        SaslSsl: "SASL_SSL",
    }

    /// Which TLS library is used.
    #[non_exhaustive]
    SslBackend {
        /// rustls, with the cryptography of ring (feature `rustls`).
        Rustls: "rustls",
        /// What the system offers: OpenSSL on Linux (feature `native-tls`).
        NativeTls: "native-tls",
    }

    /// The format of a file with certificates or keys.
    #[non_exhaustive]
    StoreType {
        /// Text with `-----BEGIN` lines.
        Pem: "PEM",
        /// One encrypted file for keys and certificates.
        Pkcs12: "PKCS12" | "P12" | "PFX",
        /// Java's own format. kavka names it to say how it is converted, and does not read it.
        Jks: "JKS",
    }

    /// A version of TLS.
    #[non_exhaustive]
    TlsVersion {
        /// TLS 1.2 (RFC 5246), the oldest that is offered.
        Tls12: "TLSv1.2",
        /// TLS 1.3 (RFC 8446).
        Tls13: "TLSv1.3" | "TLS",
    }

    /// Whether a broker's certificate must be for the name that it is reached by.
    HostnameCheck {
        /// It must (RFC 9525).
        Https: "https" | "true",
        /// A trusted CA is enough.
        None: "none" | "false" | "",
    }

    /// What is done when no known broker can be reached any more (KIP-899).
    RecoveryStrategy {
        /// The bootstrap list is used again.
        Rebootstrap: "rebootstrap",
        /// The brokers that were known last are tried for ever.
        None: "none",
    }

    /// How a client logs in.
    #[non_exhaustive]
    SaslMechanism {
        /// User and password, as they are (KIP-43): only over TLS.
        Plain: "PLAIN",
        /// User and password, which do not leave the client (KIP-84).
        ScramSha256: "SCRAM-SHA-256",
        /// The same with SHA-512.
        ScramSha512: "SCRAM-SHA-512",
        /// A bearer token (KIP-255).
        OAuthBearer: "OAUTHBEARER",
        /// Kerberos (KIP-12).
        Gssapi: "GSSAPI",
        /// An AWS access key, for Amazon's MSK.
        AwsMskIam: "AWS_MSK_IAM",
    }

    /// What is done with a host name that has several addresses.
    #[non_exhaustive]
    DnsLookup {
        /// The addresses are tried one after the other.
        UseAllDnsIps: "use_all_dns_ips" | "default",
        /// Each address of a bootstrap name is replaced by the name that a reverse look-up gives for it, which is
        /// what Kerberos and certificates of brokers behind one alias need.
        ResolveCanonicalBootstrapServersOnly: "resolve_canonical_bootstrap_servers_only",
    }

    /// The codec that a producer's batches are compressed with.
    CompressionType {
        /// No compression.
        None: "none" | "",
        /// Small and slow; every client reads it.
        Gzip: "gzip",
        /// Fast.
        Snappy: "snappy",
        /// Faster.
        Lz4: "lz4",
        /// Small and fast; brokers know it since 2.1.
        Zstd: "zstd",
    }

    /// How the partitions of records are chosen: see [`partitioner`](crate::producer::partitioner).
    #[non_exhaustive]
    PartitionerClass {
        /// By key as Kafka's own producer, without a key by load.
        Default: "default" | "" | "org.apache.kafka.clients.producer.internals.DefaultPartitioner",
        /// By load, whatever the key.
        UniformSticky: "uniform_sticky" | "org.apache.kafka.clients.producer.UniformStickyPartitioner",
        /// All partitions in turn.
        RoundRobin: "round_robin" | "roundrobin" | "org.apache.kafka.clients.producer.RoundRobinPartitioner",
        /// By load, whatever the key; librdkafka's name for it.
        Random: "random",
        /// By the CRC-32 of the key.
        Consistent: "consistent",
        /// By the CRC-32 of the key; by load without one. librdkafka's default.
        ConsistentRandom: "consistent_random",
        /// By key as Kafka's own producer; all records without one in one partition.
        Murmur2: "murmur2",
        /// As the default, in librdkafka's words.
        Murmur2Random: "murmur2_random",
        /// By the FNV-1a hash of the key, as Sarama does.
        Fnv1a: "fnv1a",
        /// By the FNV-1a hash of the key; by load without one.
        Fnv1aRandom: "fnv1a_random",
    }

    /// How the members of a group come to agree.
    GroupProtocol {
        /// The members share out the partitions among themselves, one of them leading.
        Classic: "classic",
        /// The coordinator shares them out, and members change over one by one (KIP-848). Needs Kafka 4.0.
        Consumer: "consumer",
    }
}

impl SecurityProtocol {
    /// Whether connections are encrypted.
    pub const fn uses_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    /// Whether there is a login by SASL.
    pub const fn uses_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

impl Acks {
    /// The number on the wire.
    pub const fn code(self) -> i16 {
        self as i16
    }
}

impl IsolationLevel {
    /// The number on the wire.
    pub const fn code(self) -> i8 {
        self as i8
    }
}

impl CompressionType {
    /// Whether this build of kavka has the codec.
    pub const fn is_built_in(self) -> bool {
        match self {
            Self::None => true,
            Self::Gzip => cfg!(feature = "gzip"),
            Self::Snappy => cfg!(feature = "snappy"),
            Self::Lz4 => cfg!(feature = "lz4"),
            Self::Zstd => cfg!(feature = "zstd"),
        }
    }
}
