//! The command line: one file a subcommand.
#![forbid(unsafe_code)]

mod common;
mod consumer;
mod interrupt;
mod mock;
mod perf;
mod producer;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use common::Failure;

/// Sends, reads and measures records of Apache Kafka.
#[derive(Parser)]
#[command(name = "kavka", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Producer(producer::Producer),
    Consumer(consumer::Consumer),
    Perf(perf::Perf),
    Mock(mock::Mock),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Producer(producer) => producer.run(),
        Command::Mock(mock) => mock.run(),
        Command::Consumer(consumer) => consumer.run(),
        Command::Perf(perf) => perf.run(),
    };
    match outcome {
        Ok(code) => code,
        // Whoever read the output has seen enough, as `head` does.
        Err(Failure::PipeClosed) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("kavka: {failure}");
            ExitCode::FAILURE
        }
    }
}
