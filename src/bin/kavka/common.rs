//! What the subcommands share: the options of a connection, logging, failures.

use std::str::FromStr;
use std::time::Duration;
use std::{fmt, io};

use clap::{Args, ValueEnum};
use kavka::KafkaProducer;

/// The options that every subcommand with a client has.
#[derive(Args)]
pub(crate) struct Common {
    /// Brokers to begin with, as HOST:PORT; several with commas, or by repeating the option.
    #[arg(
        short = 'b',
        long = "bootstrap-servers",
        visible_alias = "bootstrap",
        value_name = "HOST:PORT",
        value_delimiter = ',',
        required = true
    )]
    pub(crate) bootstrap: Vec<String>,

    /// Any option of the client, by Kafka's name or by kafka-python's, such as linger.ms=5; can be repeated.
    #[arg(short = 'C', long = "property", visible_alias = "extra-config", value_name = "KEY=VALUE")]
    pub(crate) properties: Vec<Property>,

    #[command(flatten)]
    pub(crate) logging: Logging,
}

/// How much is logged.
#[derive(Args)]
pub(crate) struct Logging {
    /// What goes to the log on stderr. The variable RUST_LOG says it in more detail.
    #[arg(short = 'l', long, value_name = "LEVEL", ignore_case = true, global = true)]
    log_level: Option<Level>,
}

/// kafka-python's names are taken, too.
#[derive(Clone, Copy, ValueEnum)]
enum Level {
    Off,
    #[value(alias = "critical")]
    Error,
    #[value(alias = "warning")]
    Warn,
    Info,
    Debug,
    Trace,
}

/// One `key=value` of the command line.
#[derive(Clone)]
pub(crate) struct Property {
    pub(crate) key: String,
    pub(crate) value: String,
}

/// Why a subcommand ended early.
pub(crate) enum Failure {
    /// The reader of stdout is gone.
    PipeClosed,
    Kafka(kavka::Error),
    Because(String),
    /// The command line cannot be used as it is.
    Usage(String),
}

pub(crate) type Outcome<T = std::process::ExitCode> = Result<T, Failure>;

impl Logging {
    /// Starts the log: warnings, unless something else is asked for.
    pub(crate) fn start(&self) {
        let mut builder = env_logger::Builder::from_env(env_logger::Env::new().default_filter_or("warn"));
        if let Some(level) = self.log_level {
            builder.filter_level(level.into());
        }
        builder.init();
    }
}

/// How long to wait for a record's outcome: past the delivery's own time-out, whose error says more.
pub(crate) fn patience(producer: &KafkaProducer) -> Duration {
    producer.config().delivery_timeout.saturating_add(Duration::from_secs(10))
}

impl From<Level> for log::LevelFilter {
    fn from(level: Level) -> Self {
        match level {
            Level::Off => Self::Off,
            Level::Error => Self::Error,
            Level::Warn => Self::Warn,
            Level::Info => Self::Info,
            Level::Debug => Self::Debug,
            Level::Trace => Self::Trace,
        }
    }
}

impl FromStr for Property {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Only the first sign separates: a value may have more of them.
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                Ok(Self { key: key.trim().to_owned(), value: value.trim().to_owned() })
            }
            _ => Err("it has to be KEY=VALUE, such as linger.ms=5".to_owned()),
        }
    }
}

impl Failure {
    pub(crate) fn because(text: impl Into<String>) -> Self {
        Self::Because(text.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PipeClosed => f.write_str("the reader of the output is gone"),
            Self::Kafka(error) => error.fmt(f),
            Self::Because(text) | Self::Usage(text) => f.write_str(text),
        }
    }
}

impl From<kavka::Error> for Failure {
    fn from(error: kavka::Error) -> Self {
        Self::Kafka(error)
    }
}

impl From<kavka::producer::CloseError> for Failure {
    fn from(error: kavka::producer::CloseError) -> Self {
        kavka::Error::from(error).into()
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::PipeClosed,
            _ => Self::Because(error.to_string()),
        }
    }
}
