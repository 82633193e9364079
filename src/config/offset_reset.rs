//! Where a consumer begins: the option `auto.offset.reset`, and ISO 8601 durations, which one of its values has.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::value::OptionValue;
use crate::{Error, ErrorKind};

/// Where a consumer begins without a usable committed offset.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AutoOffsetReset {
    /// At the oldest record.
    Earliest,
    /// Behind the newest record.
    Latest,
    /// Nowhere: `poll()` returns an error.
    None,
    /// At the first record that is not older than this, or behind the newest one when all are older (KIP-1106). In
    /// strings `by_duration:` and an ISO 8601 duration, such as `by_duration:PT1H`.
    ByDuration(Duration),
}

const BY_DURATION: &str = "by_duration:";

impl OptionValue for AutoOffsetReset {
    fn parse(text: &str) -> Result<Self, String> {
        let word = text.to_ascii_lowercase().replace('-', "_");
        match word.as_str() {
            "earliest" => return Ok(Self::Earliest),
            "latest" => return Ok(Self::Latest),
            "none" => return Ok(Self::None),
            _ => {}
        }
        match text.get(..BY_DURATION.len()) {
            Some(start) if start.eq_ignore_ascii_case(BY_DURATION) => {
                let duration = text.get(BY_DURATION.len()..).and_then(parse_duration);
                duration.map(Self::ByDuration).ok_or_else(|| {
                    "has no ISO 8601 duration behind by_duration:, such as PT1H or P2DT3H".into()
                })
            }
            _ => Err("is not one of earliest, latest, none, by_duration:…".to_owned()),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for AutoOffsetReset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Earliest => f.write_str("earliest"),
            Self::Latest => f.write_str("latest"),
            Self::None => f.write_str("none"),
            Self::ByDuration(duration) => {
                let (seconds, millis) = (duration.as_secs(), duration.subsec_millis());
                write!(f, "{BY_DURATION}PT{seconds}")?;
                if millis > 0 {
                    write!(f, ".{millis:03}")?;
                }
                f.write_str("S")
            }
        }
    }
}

impl FromStr for AutoOffsetReset {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        <Self as OptionValue>::parse(text)
            .map_err(|fault| Error::new(ErrorKind::Configuration, format!("\"{text}\" {fault}")))
    }
}

/// A duration in the form `PnDTnHnMn.nS`, of which every part may be missing, but not all.
fn parse_duration(text: &str) -> Option<Duration> {
    let upper = text.to_ascii_uppercase();
    let rest = upper.strip_prefix('P')?;
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let mut total = Duration::ZERO;
    let days = match date {
        "" => 0,
        date => date.strip_suffix('D').and_then(whole)?,
    };
    total = total.checked_add(Duration::from_secs(days.checked_mul(86_400)?))?;
    let mut left = time;
    for (unit, seconds) in [('H', 3600), ('M', 60)] {
        if let Some((count, behind)) = left.split_once(unit) {
            total = total.checked_add(Duration::from_secs(whole(count)?.checked_mul(seconds)?))?;
            left = behind;
        }
    }
    if !left.is_empty() {
        let (seconds, fraction) = match left.strip_suffix('S')?.split_once('.') {
            Some((seconds, fraction)) => (seconds, fraction),
            None => (left.strip_suffix('S')?, "0"),
        };
        let nanos = format!("{fraction:0<9}");
        total = total.checked_add(Duration::from_secs(whole(seconds)?))?;
        total = total.checked_add(Duration::from_nanos(whole(nanos.get(..9)?)?))?;
        whole(fraction)?;
    }
    Some(total)
}

/// Digits alone: neither a sign nor blanks.
fn whole(digits: &str) -> Option<u64> {
    let fine = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    fine.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_durations_are_read() {
        let table = [
            ("earliest", AutoOffsetReset::Earliest),
            ("LATEST", AutoOffsetReset::Latest),
            ("none", AutoOffsetReset::None),
            ("by_duration:PT1H", AutoOffsetReset::ByDuration(Duration::from_secs(3600))),
            ("by_duration:P2DT3H4M5.5S", AutoOffsetReset::ByDuration(Duration::from_millis(183_845_500))),
            ("By_Duration:p1d", AutoOffsetReset::ByDuration(Duration::from_secs(86_400))),
            ("by_duration:PT0S", AutoOffsetReset::ByDuration(Duration::ZERO)),
            ("by_duration:PT90M", AutoOffsetReset::ByDuration(Duration::from_secs(5400))),
        ];
        for (text, expected) in table {
            let parsed: AutoOffsetReset = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(parsed, expected, "{text}");
            assert_eq!(parsed.to_string().parse::<AutoOffsetReset>().expect("shown"), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "newest",
            "by_duration",
            "by_duration:",
            "by_duration:1h",
            "by_duration:P",
            "by_duration:PT",
            "by_duration:P1DT",
            "by_duration:PT1",
            "by_duration:PT-1H",
            "by_duration:-PT1H",
            "by_duration:PT1M1H",
            "by_duration:PT1.S",
            "by_duration:PT.5S",
            "by_duration:P1H",
            "by_duration:PT1D",
            "by_duration:P99999999999999999999D",
            "by_duration:P999999999999999999D",
        ] {
            let error = text.parse::<AutoOffsetReset>().expect_err(text);
            assert_eq!(error.kind(), ErrorKind::Configuration, "{text}");
        }
    }
}
