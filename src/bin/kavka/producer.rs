//! `kavka producer`: one record a line of stdin.

use std::collections::VecDeque;
use std::io::{BufRead, stdin};
use std::process::ExitCode;
use std::str::FromStr;

use clap::Args;
use kavka::types::Headers;
use kavka::{Error, ErrorKind, FutureRecordMetadata, KafkaProducer, ProducerRecord};

use crate::common::{Common, Outcome, patience};

/// Sends one record for each line of stdin.
///
/// A line that fails is named on stderr, the others are sent all the same; then the exit code is 1.
#[derive(Args)]
pub(crate) struct Producer {
    #[command(flatten)]
    common: Common,

    /// The topic.
    #[arg(short, long)]
    topic: String,

    /// What stands between key and value in a line. Without it, records have no key.
    #[arg(long, value_name = "SEPARATOR", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    key_separator: Option<String>,

    /// Headers of every record.
    #[arg(long, value_name = "NAME=VALUE,…", value_delimiter = ',')]
    headers: Vec<HeaderArg>,

    /// The partition of every record, past the partitioner.
    #[arg(short, long, value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
}

#[derive(Clone)]
struct HeaderArg {
    name: String,
    value: String,
}

impl FromStr for HeaderArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                Ok(Self { name: name.to_owned(), value: value.to_owned() })
            }
            _ => Err("it has to be NAME=VALUE, several with commas".to_owned()),
        }
    }
}

impl Producer {
    pub(crate) fn run(self) -> Outcome {
        self.common.logging.start();
        let mut builder = KafkaProducer::builder().bootstrap_servers(self.common.bootstrap.clone());
        for property in &self.common.properties {
            builder = builder.set(&property.key, &property.value);
        }
        let producer = builder.build()?;
        let mut lines = Lines { producer: &producer, open: VecDeque::new(), failed: 0 };
        let mut input = stdin().lock();
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            if input.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            let text = line.strip_suffix(b"\n").unwrap_or(&line);
            let sent = self.send(&producer, text.strip_suffix(b"\r").unwrap_or(text));
            lines.track(number, sent);
        }
        lines.finish();
        let failed = lines.failed;
        producer.close(patience(&producer))?;
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn send(&self, producer: &KafkaProducer, line: &[u8]) -> kavka::Result<FutureRecordMetadata> {
        let (key, value) = match &self.key_separator {
            None => (None, line),
            Some(separator) => split_at(line, separator.as_bytes())
                .map(|(key, value)| (Some(key), value))
                .ok_or_else(|| {
                    let text = format!(
                        "the key separator {separator:?} is not in it: add it, or leave --key-separator out"
                    );
                    Error::new(ErrorKind::InvalidArgument, text)
                })?,
        };
        let headers: Headers = self.headers.iter().map(|header| (&header.name, &header.value)).collect();
        let mut record = ProducerRecord::new(&self.topic).key(&key).value(value).headers(headers);
        if let Some(partition) = self.partition {
            record = record.partition(partition);
        }
        producer.send(record)
    }
}

/// The lines that were sent and have no outcome yet.
struct Lines<'a> {
    producer: &'a KafkaProducer,
    open: VecDeque<(u64, FutureRecordMetadata)>,
    failed: u64,
}

impl Lines<'_> {
    fn track(&mut self, number: u64, sent: kavka::Result<FutureRecordMetadata>) {
        match sent {
            Ok(ack) => self.open.push_back((number, ack)),
            Err(error) => self.fail(number, &error),
        }
        while self.open.front().is_some_and(|(_, oldest)| oldest.is_done()) || self.open.len() > MAX_OPEN {
            self.settle_oldest();
        }
    }

    fn finish(&mut self) {
        if let Err(error) = self.producer.flush(patience(self.producer)) {
            log::warn!("{error}");
        }
        while !self.open.is_empty() {
            self.settle_oldest();
        }
    }

    fn settle_oldest(&mut self) {
        let Some((number, oldest)) = self.open.pop_front() else { return };
        if let Err(error) = oldest.get(patience(self.producer)) {
            self.fail(number, &error);
        }
    }

    fn fail(&mut self, number: u64, error: &Error) {
        self.failed += 1;
        eprintln!("kavka: line {number}: {error}");
    }
}

fn split_at<'a>(line: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = line.windows(separator.len()).position(|window| window == separator)?;
    Some((line.get(..at)?, line.get(at + separator.len()..)?))
}

/// How many lines may be on their way; a file of any size is read in little memory.
const MAX_OPEN: usize = 10_000;
