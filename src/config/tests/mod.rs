//! Tests of the options: defaults, bounds, types, clashes, names, and the builders' side of the tables.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "the tables make a public method for every option, used here or not"
)]

mod clashes;
mod options;
mod security;
mod strings;

use super::tables::*;
use super::*;
use crate::{ErrorKind, Result};

#[derive(Default)]
struct ProducerBuilder {
    config: ProducerConfig,
    faults: Faults,
}

impl ProducerBuilder {
    common_options!(builder_methods!(CommonConfig));
    producer_options!(builder_methods!(ProducerConfig));
    string_methods!();

    fn build(self) -> Result<ProducerConfig> {
        self.config.finish(self.faults)
    }
}

#[derive(Default)]
struct ConsumerBuilder {
    config: ConsumerConfig,
    faults: Faults,
}

impl ConsumerBuilder {
    common_options!(builder_methods!(CommonConfig));
    consumer_options!(builder_methods!(ConsumerConfig));
    string_methods!();

    fn build(self) -> Result<ConsumerConfig> {
        self.config.finish(self.faults)
    }
}

#[derive(Default)]
struct AdminBuilder {
    config: AdminConfig,
    faults: Faults,
}

impl AdminBuilder {
    common_options!(builder_methods!(CommonConfig));
    admin_options!(builder_methods!(AdminConfig));
    string_methods!();

    fn build(self) -> Result<AdminConfig> {
        self.config.finish(self.faults)
    }
}

fn producer() -> ProducerBuilder {
    ProducerBuilder::default()
}

fn consumer() -> ConsumerBuilder {
    ConsumerBuilder::default()
}

/// The text of the one error of a `build()` that has to fail.
fn refusal<T>(result: Result<T>) -> String {
    match result {
        Ok(_) => panic!("the configuration was taken"),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Configuration);
            error.to_string()
        }
    }
}

fn set(client: Client, key: &str, value: &str) -> Result<()> {
    match client {
        Client::Producer => ProducerConfig::default().set(key, value),
        Client::Consumer => ConsumerConfig::default().set(key, value),
        Client::Admin => AdminConfig::default().set(key, value),
    }
}

fn set_and_check(client: Client, key: &str, value: &str) -> Result<Vec<String>> {
    let mut faults = Faults::new();
    match client {
        Client::Producer => {
            let mut config = ProducerConfig::default();
            config.set(key, value)?;
            config.check(&mut faults);
        }
        Client::Consumer => {
            let mut config = ConsumerConfig::default();
            config.set(key, value)?;
            config.check(&mut faults);
        }
        Client::Admin => {
            let mut config = AdminConfig::default();
            config.set(key, value)?;
            config.check(&mut faults);
        }
    }
    Ok(faults.iter().map(str::to_owned).collect())
}
