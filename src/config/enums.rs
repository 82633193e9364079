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

    /// Where a consumer begins without a usable committed offset.
    #[non_exhaustive]
    AutoOffsetReset {
        /// At the oldest record.
        Earliest: "earliest",
        /// Behind the newest record.
        Latest: "latest",
        /// Nowhere: `poll()` returns an error.
        None: "none",
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
    }

    /// What is done with a host name that has several addresses.
    #[non_exhaustive]
    DnsLookup {
        /// The addresses are tried one after the other.
        UseAllDnsIps: "use_all_dns_ips" | "default",
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

    /// How the partitions of a group are shared out (classic group protocol).
    #[non_exhaustive]
    Assignor {
        /// Each topic by itself, in contiguous ranges.
        Range: "range" | "org.apache.kafka.clients.consumer.RangeAssignor",
        /// All partitions of all topics in turn.
        RoundRobin: "roundrobin" | "org.apache.kafka.clients.consumer.RoundRobinAssignor",
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
