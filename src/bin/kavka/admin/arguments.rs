//! Arguments that several nouns have in common.

use std::str::FromStr;
use std::time::Duration;

/// A length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pause(pub(super) Duration);

impl FromStr for Pause {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let factor: u64 = match unit {
            "ms" => 1,
            "" | "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => 0,
        };
        number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(factor))
            .filter(|&millis| millis > 0)
            .map(|millis| Self(Duration::from_millis(millis)))
            .ok_or_else(|| "it has to be a time such as 30s, 500ms, 2m or 1h".to_owned())
    }
}

/// `TOPIC:NUMBER`, with all digits behind the last colon: a partition, or how many there are to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TopicNumber {
    pub(super) topic: String,
    pub(super) number: i32,
}

impl FromStr for TopicNumber {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.rsplit_once(':').filter(|(topic, _)| !topic.is_empty());
        let parsed = parts.and_then(|(topic, number)| Some((topic, number.parse().ok()?)));
        match parsed {
            Some((topic, number)) if number >= 0 => Ok(Self { topic: topic.to_owned(), number }),
            _ => Err("it has to be TOPIC:NUMBER, such as orders:3".to_owned()),
        }
    }
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) key: String,
    pub(super) value: String,
}

impl FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                Ok(Self { key: key.trim().to_owned(), value: value.to_owned() })
            }
            _ => Err("it has to be KEY=VALUE".to_owned()),
        }
    }
}

/// Names for a sentence: the first few, and how many more there are.
pub(super) fn enumerate<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    match names.get(..SHOWN) {
        Some(first) if names.len() > SHOWN => {
            format!("{} and {} more", first.join(", "), names.len() - SHOWN)
        }
        _ => names.join(", "),
    }
}

const SHOWN: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let table = [("30", 30_000), ("30s", 30_000), ("500ms", 500), ("2m", 120_000), ("1h", 3_600_000)];
        for (text, millis) in table {
            assert_eq!(text.parse(), Ok(Pause(Duration::from_millis(millis))), "{text}");
        }
        for text in ["", "s", "0", "-1", "1.5s", "1w", "99999999999999999999", "99999999999999999d"] {
            assert!(text.parse::<Pause>().is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_stand_behind_the_last_colon() {
        let parsed: TopicNumber = "a:b:12".parse().expect("a number");
        assert_eq!(parsed, TopicNumber { topic: "a:b".to_owned(), number: 12 });
        for text in ["orders", ":1", "orders:", "orders:-1", "orders:x"] {
            assert!(text.parse::<TopicNumber>().is_err(), "{text}");
        }
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(enumerate(["a", "b"]), "a, b");
        assert_eq!(enumerate(1..=5), "1, 2, 3, 4, 5");
        assert_eq!(enumerate(1..=7), "1, 2, 3, 4, 5 and 2 more");
    }
}
