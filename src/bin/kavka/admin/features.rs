//! `kavka admin features`, and what kafka-python has under `cluster`.

use std::str::FromStr;

use clap::{Args, Subcommand};
use kavka::admin::FeatureUpdate;

use super::arguments::{Pair, enumerate};
use super::report::{Item, Report};
use super::session::Session;
use crate::common::Outcome;

/// The features that all nodes have agreed on.
#[derive(Subcommand)]
pub(crate) enum Features {
    /// The levels in force, and those that the node supports.
    Describe(Describe),
    /// Change levels.
    Update(Update),
}

#[derive(Args)]
pub(crate) struct Describe {
    /// Only this feature; can be repeated.
    #[arg(short, long = "feature", value_name = "NAME")]
    features: Vec<String>,

    /// As this node knows them; any node, if it is left out.
    #[arg(long, value_name = "ID")]
    node: Option<i32>,
}

#[derive(Args)]
pub(crate) struct Update {
    /// A feature and its new level, 0 to switch it off; can be repeated.
    #[arg(short, long = "feature", value_name = "NAME=LEVEL", required = true)]
    features: Vec<Level>,

    /// Down instead of up, where nothing is lost by it.
    #[arg(long)]
    downgrade: bool,

    /// Down even if metadata are lost by it.
    #[arg(long = "unsafe", requires = "downgrade")]
    lossy: bool,

    /// Only check whether it could be done.
    #[arg(long)]
    validate_only: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Level {
    feature: String,
    level: i16,
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Pair { key, value } = text.parse()?;
        match value.parse() {
            Ok(level) if level >= 0 => Ok(Self { feature: key, level }),
            _ => Err("it has to be NAME=LEVEL, such as group.version=1".to_owned()),
        }
    }
}

impl Features {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        match self {
            Self::Describe(describe) => describe.run(session),
            Self::Update(update) => update.run(session),
        }
    }
}

impl Describe {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        let known = session.wait("describing features", |admin| match self.node {
            Some(node) => admin.describe_features_of(node),
            None => admin.describe_features(),
        })?;
        let names: std::collections::BTreeSet<&String> =
            known.supported.keys().chain(known.finalized.keys()).collect();
        let wanted =
            names.into_iter().filter(|name| self.features.is_empty() || self.features.contains(name));
        Ok(Report::list(wanted.map(|name| {
            Item::new()
                .with("feature", name.clone())
                .with("level", known.finalized.get(name).map(|range| range.max))
                .with("supported_min", known.supported.get(name).map(|range| range.min))
                .with("supported_max", known.supported.get(name).map(|range| range.max))
                .with("epoch", known.finalized_epoch)
        })))
    }
}

impl Update {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        let update = |level: i16| match (self.downgrade, self.lossy) {
            (false, _) => FeatureUpdate::upgrade(level),
            (true, false) => FeatureUpdate::downgrade(level),
            (true, true) => FeatureUpdate::unsafe_downgrade(level),
        };
        if self.lossy && !self.validate_only {
            let names = self.features.iter().map(|one| &one.feature);
            session.confirm(&format!("lose metadata by the downgrade of {}", enumerate(names)))?;
        }
        let wanted = self.features.iter().map(|one| (one.feature.clone(), update(one.level)));
        let results = session.wait("changing features", |admin| match self.validate_only {
            true => admin.validate_features(wanted),
            false => admin.update_features(wanted),
        })?;
        let status = if self.validate_only { "valid" } else { "updated" };
        Ok(Report::results(results.into_iter().map(|(feature, result)| {
            (Item::new().with("feature", feature), result.map(|()| Item::new().with("status", status)))
        })))
    }
}
