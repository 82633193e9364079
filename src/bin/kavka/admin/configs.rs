//! `kavka admin configs`.

use std::collections::BTreeMap;
use std::str::FromStr;

use clap::{Args, Subcommand};
use kavka::admin::{
    AlterConfigOp, ConfigChanges, ConfigEntry, ConfigKeys, ConfigResource, ConfigResourceType, ConfigSource,
    DescribeConfigsOptions, ResourceConfigs,
};

use super::arguments::{Pair, enumerate};
use super::report::{Item, Report};
use super::session::Session;
use crate::common::{Failure, Outcome};

/// Options of topics, brokers, loggers, groups and client metrics.
#[derive(Subcommand)]
pub(crate) enum Configs {
    /// The options of resources, and where their values come from.
    Describe(Describe),
    /// Change options.
    Alter(Alter),
    /// Take back what was set.
    Reset(Reset),
    /// The resources that have options.
    List(List),
}

/// Which resources.
#[derive(Args)]
pub(crate) struct Chosen {
    /// What they are: topic, broker, broker-logger, group or client-metrics.
    #[arg(short = 'r', long = "resource-type", value_name = "TYPE")]
    kind: ConfigResourceType,

    /// Their names: of topics or groups, or the ids of brokers, with an empty one for all brokers; several with
    /// commas, or by repeating the option.
    #[arg(short = 'n', long = "resource-name", value_name = "NAME", required = true)]
    names: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Describe {
    #[command(flatten)]
    chosen: Chosen,

    /// Only this option; can be repeated.
    #[arg(short, long = "config", value_name = "KEY")]
    configs: Vec<String>,

    /// Only what was set while the brokers run.
    #[arg(long)]
    dynamic: bool,

    /// Only what was set for the very resource.
    #[arg(long)]
    modified: bool,

    /// Only what stands in the brokers' properties files.
    #[arg(long = "static")]
    fixed: bool,

    /// Only what nobody has set.
    #[arg(long)]
    default: bool,

    /// Also what is set at other levels, and what each option does; in JSON.
    #[arg(long)]
    details: bool,
}

#[derive(Args)]
pub(crate) struct Alter {
    #[command(flatten)]
    chosen: Chosen,

    /// A change, KEY=VALUE; or KEY=add(WORDS) and KEY=sub(WORDS) for lists, KEY=del() to take a value back, and
    /// KEY=set(VALUE) for values that look like one of these; can be repeated.
    #[arg(short, long = "config", value_name = "KEY=VALUE", required = true)]
    configs: Vec<Change>,

    /// Only check whether it could be done.
    #[arg(short, long)]
    validate_only: bool,

    /// Replace everything that is set by these options, the way of brokers before Kafka 2.3.
    #[arg(long, conflicts_with = "validate_only")]
    force_alter: bool,
}

#[derive(Args)]
pub(crate) struct Reset {
    #[command(flatten)]
    chosen: Chosen,

    /// An option to reset; can be repeated. All that were set, if it is left out.
    #[arg(short, long = "config", value_name = "KEY")]
    configs: Vec<String>,
}

#[derive(Args)]
pub(crate) struct List {
    /// Only these: topic, broker, broker-logger, group or client-metrics; can be repeated.
    #[arg(short = 'r', long = "resource-type", value_name = "TYPE")]
    kinds: Vec<ConfigResourceType>,
}

/// One option and what is done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    key: String,
    op: AlterConfigOp,
    value: Option<String>,
}

impl FromStr for Change {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Pair { key, value } = text.parse()?;
        let inner =
            |word: &str| Some(value.strip_prefix(word)?.strip_prefix('(')?.strip_suffix(')')?.to_owned());
        let (op, value) = if let Some(value) = inner("set") {
            (AlterConfigOp::Set, Some(value))
        } else if let Some(words) = inner("add") {
            (AlterConfigOp::Append, Some(words))
        } else if let Some(words) = inner("sub") {
            (AlterConfigOp::Subtract, Some(words))
        } else if inner("del").is_some() {
            (AlterConfigOp::Delete, None)
        } else {
            (AlterConfigOp::Set, Some(value))
        };
        Ok(Self { key, op, value })
    }
}

impl Configs {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        match self {
            Self::Describe(describe) => describe.run(session),
            Self::Alter(alter) => alter.run(session),
            Self::Reset(reset) => reset.run(session),
            Self::List(list) => list.run(session),
        }
    }
}

impl Chosen {
    fn resources(&self) -> Vec<ConfigResource> {
        let names = self.names.iter().flat_map(|names| names.split(','));
        names.map(|name| ConfigResource::new(self.kind, name.trim())).collect()
    }
}

impl Describe {
    fn run(self, session: &Session) -> Outcome<Report> {
        let wanted: Vec<ConfigKeys> = self
            .chosen
            .resources()
            .into_iter()
            .map(|resource| match self.configs.as_slice() {
                [] => resource.into(),
                keys => resource.keys(keys),
            })
            .collect();
        let options = match self.details {
            true => DescribeConfigsOptions::new().synonyms().documentation(),
            false => DescribeConfigsOptions::new(),
        };
        let described =
            session.wait("describing options", |admin| admin.describe_configs_with(wanted, options))?;
        let several = described.len() > 1;
        let mut report = Report::list([]);
        for (resource, result) in described {
            match result {
                Ok(configs) => self.add(&mut report, &resource, configs, several),
                Err(error) => report.add(key_of(&resource), Err(error)),
            }
        }
        Ok(report)
    }

    /// A row an option; with the resource in front where there are several.
    fn add(&self, report: &mut Report, resource: &ConfigResource, configs: ResourceConfigs, several: bool) {
        for (key, entry) in configs.into_iter().filter(|(_, entry)| self.wants(entry.source)) {
            let front = if several { key_of(resource) } else { Item::new() };
            report.add(front, Ok(self.row(key, entry)));
        }
    }

    fn row(&self, key: String, entry: ConfigEntry) -> Item {
        let item = Item::new()
            .with("config", key)
            .with("value", if entry.is_sensitive { Some("[hidden]".to_owned()) } else { entry.value })
            .with("source", entry.source.to_string())
            .with("read_only", entry.is_read_only)
            .with("type", entry.config_type.to_string());
        if !self.details {
            return item;
        }
        let synonyms = entry.synonyms.into_iter().map(|synonym| {
            Item::new()
                .with("config", synonym.name)
                .with("value", synonym.value)
                .with("source", synonym.source.to_string())
        });
        item.with("documentation", entry.documentation).list("synonyms", synonyms)
    }

    fn wants(&self, source: ConfigSource) -> bool {
        let any = !(self.dynamic || self.modified || self.fixed || self.default);
        any || (self.dynamic && source.is_dynamic())
            || (self.modified && source.is_modified())
            || (self.fixed && source == ConfigSource::StaticBrokerConfig)
            || (self.default && source == ConfigSource::DefaultConfig)
    }
}

impl Alter {
    fn run(self, session: &Session) -> Outcome<Report> {
        let resources = self.chosen.resources();
        if self.force_alter {
            return self.replace(session, resources);
        }
        let changes = resources.into_iter().map(|resource| {
            let all = self.configs.iter();
            all.fold(ConfigChanges::new(resource), |changes, one| {
                changes.with(one.op, &one.key, one.value.clone())
            })
        });
        let results = session.wait("changing options", |admin| match self.validate_only {
            true => admin.validate_configs(changes),
            false => admin.alter_configs(changes),
        })?;
        Ok(done(results, if self.validate_only { "valid" } else { "altered" }))
    }

    fn replace(&self, session: &Session, resources: Vec<ConfigResource>) -> Outcome<Report> {
        let mut whole = BTreeMap::new();
        for Change { key, op, value } in &self.configs {
            let (AlterConfigOp::Set, Some(value)) = (op, value) else {
                let text = format!("--force-alter sets options and nothing else: {key} cannot be {op}");
                return Err(Failure::Usage(text));
            };
            whole.insert(key.clone(), value.clone());
        }
        session.confirm(&format!("take back everything else that is set for {}", enumerate(&resources)))?;
        let wanted = resources.into_iter().map(|resource| (resource, whole.clone()));
        let results = session.wait("replacing options", |admin| admin.replace_configs(wanted))?;
        Ok(done(results, "altered"))
    }
}

impl Reset {
    fn run(self, session: &Session) -> Outcome<Report> {
        let resources = self.chosen.resources();
        if self.configs.is_empty() {
            session.confirm(&format!("take back everything that is set for {}", enumerate(&resources)))?;
        }
        let wanted = resources.into_iter().map(|resource| match self.configs.as_slice() {
            [] => ConfigKeys::from(resource),
            keys => resource.keys(keys),
        });
        let results = session.wait("resetting options", |admin| admin.reset_configs(wanted))?;
        Ok(done(results, "reset"))
    }
}

impl List {
    fn run(self, session: &Session) -> Outcome<Report> {
        let listed = session.wait("listing resources", |admin| admin.list_config_resources(self.kinds))?;
        Ok(Report::list(listed.iter().map(key_of)))
    }
}

fn key_of(resource: &ConfigResource) -> Item {
    Item::new()
        .with("resource_type", resource.resource_type.to_string())
        .with("resource_name", resource.name.clone())
}

fn done(results: kavka::admin::Results<ConfigResource, ()>, status: &'static str) -> Report {
    Report::results(
        results.into_iter().map(|(resource, result)| {
            (key_of(&resource), result.map(|()| Item::new().with("status", status)))
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_have_four_forms_and_a_plain_one() {
        let table = [
            ("a=1", AlterConfigOp::Set, Some("1")),
            ("a=", AlterConfigOp::Set, Some("")),
            ("a=set(del())", AlterConfigOp::Set, Some("del()")),
            ("a=add(x,y)", AlterConfigOp::Append, Some("x,y")),
            ("a=sub(x)", AlterConfigOp::Subtract, Some("x")),
            ("a=del()", AlterConfigOp::Delete, None),
            ("a=delete", AlterConfigOp::Set, Some("delete")),
        ];
        for (text, op, value) in table {
            let expected = Change { key: "a".to_owned(), op, value: value.map(str::to_owned) };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        assert!("a".parse::<Change>().is_err() && "=1".parse::<Change>().is_err());
    }
}
