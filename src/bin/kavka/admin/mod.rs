//! `kavka admin`: a file a noun. A command turns what the library answers into a [`report::Report`], which is printed as
//! tables or as JSON.

mod acls;
mod arguments;
mod client_metrics;
mod cluster;
mod configs;
mod features;
mod groups;
mod log_dirs;
mod partitions;
mod quorum;
mod quotas;
mod report;
mod session;
mod tokens;
mod topics;
mod transactions;
mod users;

use clap::{Args, Subcommand};

use crate::common::{Logging, Outcome};
use session::{Connection, Session, Style};

/// Manages a cluster: topics, groups, access, and what else there is.
///
/// The exit code is 0 when everything was done, 1 when the cluster could not be asked or one of the things failed
/// (the others are done all the same), 2 for a command line that cannot be used.
#[derive(Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Admin {
    #[command(flatten)]
    connection: Connection,

    #[command(flatten)]
    style: Style,

    #[command(flatten)]
    logging: Logging,

    #[command(subcommand)]
    noun: Noun,
}

#[derive(Subcommand)]
enum Noun {
    #[command(subcommand)]
    Topics(topics::Topics),
    #[command(subcommand)]
    Partitions(partitions::Partitions),
    #[command(subcommand)]
    Configs(configs::Configs),
    #[command(subcommand)]
    Cluster(cluster::Cluster),
    #[command(subcommand)]
    Groups(groups::Groups),
    #[command(subcommand)]
    Acls(acls::Acls),
    #[command(subcommand)]
    Quotas(quotas::Quotas),
    #[command(subcommand)]
    Transactions(transactions::Transactions),
    #[command(subcommand)]
    Users(users::Users),
    #[command(subcommand)]
    Tokens(tokens::Tokens),
    #[command(subcommand)]
    Features(features::Features),
    #[command(subcommand)]
    LogDirs(log_dirs::LogDirs),
    #[command(subcommand)]
    Quorum(quorum::Quorum),
    #[command(subcommand)]
    ClientMetrics(client_metrics::ClientMetrics),
}

impl Admin {
    pub(crate) fn run(self) -> Outcome {
        self.logging.start();
        let session = Session::open(&self.connection, &self.style)?;
        let report = match self.noun {
            Noun::Topics(command) => command.run(&session),
            Noun::Partitions(command) => command.run(&session),
            Noun::Configs(command) => command.run(&session),
            Noun::Cluster(command) => command.run(&session),
            Noun::Groups(command) => command.run(&session),
            Noun::Acls(command) => command.run(&session),
            Noun::Quotas(command) => command.run(&session),
            Noun::Transactions(command) => command.run(&session),
            Noun::Users(command) => command.run(&session),
            Noun::Tokens(command) => command.run(&session),
            Noun::Features(command) => command.run(&session),
            Noun::LogDirs(command) => command.run(&session),
            Noun::Quorum(command) => command.run(&session),
            Noun::ClientMetrics(command) => command.run(&session),
        }?;
        report.print(self.style.format)
    }
}
