//! What every admin command needs: a client, the user's consent, and something to look at while waiting.

use std::io::{BufRead, IsTerminal, Write, stderr, stdin};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use kavka::KafkaAdminClient;
use kavka::config::{Client, Properties};

use super::arguments::Pause;
use crate::common::{Failure, Outcome, Property};

/// Where the cluster is, and how it is talked to.
#[derive(Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct Connection {
    /// Brokers to begin with, as HOST:PORT; several with commas, or by repeating the option.
    #[arg(
        short = 'b',
        long = "bootstrap-servers",
        visible_alias = "bootstrap-server",
        alias = "bootstrap",
        value_name = "HOST:PORT",
        value_delimiter = ',',
        global = true
    )]
    servers: Vec<String>,

    /// Controllers to begin with, in the place of brokers (KIP-919): for what has to work while no broker does.
    #[arg(
        long = "bootstrap-controllers",
        visible_alias = "bootstrap-controller",
        value_name = "HOST:PORT",
        value_delimiter = ',',
        conflicts_with = "servers",
        global = true
    )]
    controllers: Vec<String>,

    /// A file with options of the client by Kafka's property names, such as security.protocol=SASL_SSL.
    #[arg(long, value_name = "FILE", global = true)]
    command_config: Option<PathBuf>,

    /// Any option of the client, by Kafka's name or by kafka-python's, such as client.id=me; can be repeated, and
    /// counts more than the file.
    #[arg(
        short = 'C',
        long = "property",
        visible_alias = "extra-config",
        value_name = "KEY=VALUE",
        global = true
    )]
    properties: Vec<Property>,

    /// How long a command may take: 30s, 500ms, 2m; a number alone counts seconds. A request may take half of it, and
    /// 30s at most, unless request.timeout.ms is set.
    #[arg(long, value_name = "TIME", global = true)]
    timeout: Option<Pause>,
}

/// How answers look, and whether questions are asked.
#[derive(Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Style {
    /// How the answer is printed.
    #[arg(long, value_enum, default_value_t = Format::Table, global = true)]
    pub(super) format: Format,

    /// Do not ask before something is deleted or ended.
    #[arg(short = 'y', long, global = true)]
    yes: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people. kafka-python's "raw" is taken, too.
    #[value(alias = "raw")]
    Table,
    /// One JSON document, for programs.
    Json,
}

/// A command's surroundings.
pub(super) struct Session {
    pub(super) admin: KafkaAdminClient,
    yes: bool,
    format: Format,
}

impl Session {
    pub(super) fn open(connection: &Connection, style: &Style) -> Outcome<Self> {
        Ok(Self { admin: connection.client()?, yes: style.yes, format: style.format })
    }

    /// Whether the answer goes to a program.
    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Asks before something is done that cannot be undone; `what` is a question without its mark, such as
    /// "delete the topics a, b".
    pub(super) fn confirm(&self, what: &str) -> Outcome<()> {
        if self.yes {
            return Ok(());
        }
        if !stdin().is_terminal() {
            let text =
                format!("not going to {what}: there is no terminal to ask on; add --yes to have it done");
            return Err(Failure::Usage(text));
        }
        let mut err = stderr().lock();
        write!(err, "Really {what}? [y/N] ")?;
        err.flush()?;
        let mut answer = String::new();
        stdin().lock().read_line(&mut answer)?;
        if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
            return Ok(());
        }
        Err(Failure::because("nothing was done"))
    }

    /// Reads a line of stdin, after a question if somebody is there to be asked.
    pub(super) fn ask_line(&self, question: &str) -> Outcome<String> {
        if stdin().is_terminal() {
            let mut err = stderr().lock();
            write!(err, "{question}: ")?;
            err.flush()?;
        }
        let mut line = String::new();
        if stdin().lock().read_line(&mut line)? == 0 {
            return Err(Failure::because(format!("{question}: stdin has no line for it")));
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// Shows on a terminal that something is going on while `work` lasts.
    pub(super) fn wait<T>(&self, what: &str, work: impl FnOnce(&KafkaAdminClient) -> T) -> T {
        let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
        let bar = ProgressBar::new_spinner().with_message(what.to_owned());
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        let result = work(&self.admin);
        bar.finish_and_clear();
        result
    }
}

impl Connection {
    fn client(&self) -> Outcome<KafkaAdminClient> {
        let mut file = match &self.command_config {
            Some(path) => Properties::load(path)?,
            None => Properties::default(),
        };
        // The file may be shared with producers and consumers, as with Kafka's own tools.
        let elsewhere: Vec<String> =
            file.iter().map(|(key, _)| key.to_owned()).filter(|key| is_of_others(key)).collect();
        for key in elsewhere {
            log::info!("{key} of the file is not an option of the admin client, and left aside");
            file.remove(&key);
        }
        let named =
            |key: &str| file.get(key).is_some() || self.properties.iter().any(|property| property.key == key);
        let names =
            ["bootstrap.servers", "bootstrap_servers", "bootstrap.controllers", "bootstrap_controllers"];
        if self.servers.is_empty() && self.controllers.is_empty() && !names.into_iter().any(named) {
            let text = "no brokers to begin with: name one with -b HOST:PORT, or with bootstrap.servers in \
                        --command-config FILE";
            return Err(Failure::Usage(text.to_owned()));
        }
        let mut builder = KafkaAdminClient::builder().properties(&file);
        for property in &self.properties {
            builder = builder.set(&property.key, &property.value);
        }
        if !self.servers.is_empty() {
            builder = builder.bootstrap_servers(self.servers.clone());
        }
        if !self.controllers.is_empty() {
            builder = builder.set("bootstrap.controllers", &self.controllers.join(","));
        }
        if let Some(Pause(timeout)) = self.timeout {
            builder = builder.default_api_timeout(timeout);
            if !["request.timeout.ms", "request_timeout_ms"].into_iter().any(named) {
                // A request that is not answered leaves time for a second try.
                let half = (timeout / 2).max(Duration::from_millis(1));
                builder = builder.request_timeout(half.min(REQUEST_TIMEOUT));
            }
        }
        Ok(builder.build()?)
    }
}

/// Whether a property belongs to other clients alone.
fn is_of_others(key: &str) -> bool {
    let has = |client: Client| client.options().any(|option| option.property == key);
    !has(Client::Admin) && Client::ALL.into_iter().any(has)
}

/// The default of `request.timeout.ms`.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
