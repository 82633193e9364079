//! Moving a group to another place.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use jiff::tz::TimeZone;
use jiff::{SpanRelativeTo, Timestamp, civil};
use kavka::admin::OffsetReset;
use kavka::{OffsetSpec, TopicPartition};

use super::offsets::{ends, key};
use crate::admin::arguments::{PartitionRange, Resolved, Spec, resolve};
use crate::admin::report::{Item, Report};
use crate::admin::session::Session;
use crate::common::{Failure, Outcome};

#[derive(Args)]
pub(crate) struct Reset {
    /// The group.
    #[arg(short, long = "group-id", visible_alias = "group", value_name = "GROUP")]
    group: String,

    /// Partitions: 3, 0-3, 2- or *; can be repeated. All that the group has offsets for, if it is left out.
    #[arg(short, long = "partition", value_name = "TOPIC:PARTITIONS")]
    partitions: Vec<PartitionRange>,

    #[command(flatten)]
    place: Place,

    /// Only say where the group would go.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Place {
    /// earliest, latest, max-timestamp, earliest-local, latest-tiered, earliest-pending-upload, or a time in
    /// milliseconds since 1970.
    #[arg(short, long, value_name = "SPEC")]
    spec: Option<Spec>,

    /// This offset.
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(0..))]
    to_offset: Option<i64>,

    /// So many records forward, or (negative) back.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    shift_by: Option<i64>,

    /// To this long ago, in ISO 8601: P7D, PT1H30M.
    #[arg(long, value_name = "DURATION")]
    by_duration: Option<AgeArg>,

    /// To this time, in ISO 8601: 2026-01-31T12:00:00+01:00; without a zone it is UTC.
    #[arg(long, value_name = "TIME")]
    to_datetime: Option<TimeArg>,

    /// To where it is, or to the end where it has no offset.
    #[arg(long)]
    to_current: bool,

    /// To the first record; as --spec earliest.
    #[arg(long)]
    to_earliest: bool,

    /// To the end; as --spec latest.
    #[arg(long)]
    to_latest: bool,
}

#[derive(Clone, Copy)]
pub(super) struct AgeArg(Duration);

#[derive(Clone, Copy)]
pub(super) struct TimeArg(i64);

impl FromStr for AgeArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let span: jiff::Span = text.parse().map_err(|error| format!("{error}"))?;
        let duration =
            span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|error| format!("{error}"))?;
        Duration::try_from(duration).map(Self).map_err(|_| "it has to reach back, not ahead".to_owned())
    }
}

impl FromStr for TimeArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = text.parse::<Timestamp>().or_else(|_| {
            let civil: civil::DateTime = text.parse()?;
            civil.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp())
        });
        match time.map(|time| time.as_millisecond()) {
            Ok(millis) if millis >= 0 => Ok(Self(millis)),
            Ok(_) => Err("it is before 1970".to_owned()),
            Err(error) => Err(format!("it has to be like 2026-01-31T12:00:00Z: {error}")),
        }
    }
}

impl Place {
    fn reset(&self) -> OffsetReset {
        match self {
            Self { spec: Some(Spec(spec)), .. } => OffsetReset::Spec(*spec),
            Self { to_offset: Some(offset), .. } => OffsetReset::Offset(*offset),
            Self { shift_by: Some(by), .. } => OffsetReset::ShiftBy(*by),
            Self { by_duration: Some(AgeArg(age)), .. } => OffsetReset::ByDuration(*age),
            Self { to_datetime: Some(TimeArg(time)), .. } => OffsetReset::Spec(OffsetSpec::Timestamp(*time)),
            Self { to_earliest: true, .. } => OffsetReset::Spec(OffsetSpec::Earliest),
            Self { to_latest: true, .. } => OffsetReset::Spec(OffsetSpec::Latest),
            _ => OffsetReset::Current,
        }
    }
}

impl Reset {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        let place = self.place.reset();
        let Resolved { partitions: wanted, failures } = match self.partitions.is_empty() {
            true => {
                let all = self.committed(session)?.into_iter().map(|partition| (partition, place));
                Resolved { partitions: all.collect(), failures: Vec::new() }
            }
            false => {
                let ranges: Vec<_> = self.partitions.iter().map(|range| (range.clone(), place)).collect();
                resolve(session, &ranges)?
            }
        };
        if wanted.is_empty() && failures.is_empty() {
            let text = format!("the group {} has no offsets: name partitions with --partition", self.group);
            return Err(Failure::because(text));
        }
        if !self.dry_run && !wanted.is_empty() {
            session.confirm(&format!("move the group {} in {} partitions", self.group, wanted.len()))?;
        }
        let moved = session.wait("moving the group", |admin| match self.dry_run {
            true => admin.plan_group_offsets(&self.group, wanted),
            false => admin.reset_group_offsets(&self.group, wanted),
        })?;
        let status = if self.dry_run { "planned" } else { "set" };
        let ends =
            ends(session, moved.iter().filter(|(_, result)| result.is_ok()).map(|(one, _)| one.clone()))?;
        let mut report = Report::results(moved.into_iter().map(|(partition, result)| {
            let end = ends.get(&partition).copied();
            let item = result.map(|offset| {
                Item::new().with("offset", offset).with("end_offset", end).with("status", status)
            });
            (key(&self.group, &partition), item)
        }));
        report.extend(failures);
        Ok(report)
    }

    /// All partitions that the group has offsets for.
    fn committed(&self, session: &Session) -> Outcome<Vec<TopicPartition>> {
        let listed = session.wait("listing offsets", |admin| admin.list_group_offsets([&self.group]))?;
        let mut partitions = Vec::new();
        for (_, offsets) in listed {
            partitions.extend(offsets?.into_iter().map(|(partition, _)| partition));
        }
        Ok(partitions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        assert_eq!("P7D".parse::<AgeArg>().map(|age| age.0), Ok(Duration::from_secs(7 * 86_400)));
        assert_eq!("PT1H30M".parse::<AgeArg>().map(|age| age.0), Ok(Duration::from_secs(5_400)));
        assert!("-P7D".parse::<AgeArg>().is_err() && "7 apples".parse::<AgeArg>().is_err());
        for (text, millis) in [
            ("1970-01-01T01:00:00+01:00", 0),
            ("1970-01-01T00:00:01.500", 1_500),
            ("2026-01-31T12:00:00Z", 1_769_860_800_000),
        ] {
            assert_eq!(text.parse::<TimeArg>().map(|time| time.0), Ok(millis), "{text}");
        }
        assert!("1969-12-31T00:00:00Z".parse::<TimeArg>().is_err() && "soon".parse::<TimeArg>().is_err());
    }
}
