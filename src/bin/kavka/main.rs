//! The command line: one file a subcommand.
#![forbid(unsafe_code)]

mod admin;
mod api;
mod common;
mod completions;
mod consumer;
mod interrupt;
mod mock;
mod perf;
mod producer;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use common::Failure;

/// Sends and reads records of Apache Kafka, measures how fast, and manages clusters.
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
    Admin(Box<admin::Admin>),
    Api(api::Api),
    Perf(perf::Perf),
    Mock(mock::Mock),
    Completions(completions::Completions),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Producer(producer) => producer.run(),
        Command::Mock(mock) => mock.run(),
        Command::Consumer(consumer) => consumer.run(),
        Command::Admin(admin) => admin.run(),
        Command::Api(api) => api.run(),
        Command::Perf(perf) => perf.run(),
        Command::Completions(completions) => completions.run::<Cli>(),
    };
    match outcome {
        Ok(code) => code,
        // Whoever read the output has seen enough, as `head` does.
        Err(Failure::PipeClosed) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("kavka: {failure}");
            match failure {
                Failure::Usage(_) => ExitCode::from(USAGE),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// What clap ends with, too.
const USAGE: u8 = 2;
