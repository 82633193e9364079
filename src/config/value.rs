//! Values of options in strings.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The longest time of an option: Kafka's integers of milliseconds end there, after 24 days. It also keeps sums
/// of times and instants from overflowing.
pub(super) const MAX_MS: i64 = i32::MAX as i64;

/// A type that options can have.
pub trait OptionValue: Sized {
    /// Whether the value must not be shown, not even in an error.
    const SECRET: bool = false;

    /// Texts that mean none where the option may be absent, besides the empty one.
    const ABSENT: &'static [&'static str] = &[];

    /// Reads the text. The error goes on where the option was named: "is not a …".
    fn parse(text: &str) -> Result<Self, String>;

    /// The text that `parse` reads.
    fn show(&self) -> String;

    /// What bounds are compared with: milliseconds for times; `None` for what has no size.
    fn measure(&self) -> Option<i64> {
        None
    }
}

/// Reads the value of an option; the error names the option, and the value unless it is a secret.
pub(super) fn parse_option<T: OptionValue>(key: &str, text: &str) -> Result<T, String> {
    T::parse(text.trim()).map_err(|fault| {
        let shown = if T::SECRET { HIDDEN } else { text };
        format!("{key} (\"{shown}\") {fault}")
    })
}

/// Milliseconds, as the error texts show times.
pub(super) fn show_ms(time: Duration) -> String {
    time.show()
}

impl OptionValue for bool {
    fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("is not one of true, false".to_owned()),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl OptionValue for String {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl OptionValue for PathBuf {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self::from(text))
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl OptionValue for Duration {
    const ABSENT: &'static [&'static str] = &["-1", "inf"];

    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
            .map(Duration::from_millis)
            .map_err(|_| "is not a whole number of milliseconds, 0 or more".to_owned())
    }

    fn show(&self) -> String {
        self.as_millis().to_string()
    }

    fn measure(&self) -> Option<i64> {
        Some(i64::try_from(self.as_millis()).unwrap_or(i64::MAX))
    }
}

macro_rules! whole_numbers {
    ($($number:ty),+) => {$(
        impl OptionValue for $number {
            const ABSENT: &'static [&'static str] = &["-1"];

            fn parse(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| {
                    if <$number>::MIN == 0 && text.strip_prefix('-').is_some_and(|text| text.parse::<u64>().is_ok()) {
                        "must not be negative".to_owned()
                    } else if text.parse::<i128>().is_ok() {
                        format!("must be {} to {}", <$number>::MIN, <$number>::MAX)
                    } else {
                        "is not a whole number".to_owned()
                    }
                })
            }

            fn show(&self) -> String {
                self.to_string()
            }

            fn measure(&self) -> Option<i64> {
                Some(i64::try_from(*self).unwrap_or(i64::MAX))
            }
        }
    )+};
}
whole_numbers!(usize, u32, i32);

impl OptionValue for f64 {
    fn parse(text: &str) -> Result<Self, String> {
        let number = text.parse().ok().filter(|number: &Self| number.is_finite());
        number.ok_or_else(|| "is not a number".to_owned())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl<T: OptionValue> OptionValue for Option<T> {
    const SECRET: bool = T::SECRET;

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || T::ABSENT.contains(&text) {
            return Ok(None);
        }
        T::parse(text).map(Some)
    }

    fn show(&self) -> String {
        self.as_ref().map(T::show).unwrap_or_default()
    }

    fn measure(&self) -> Option<i64> {
        self.as_ref().and_then(T::measure)
    }
}

/// Items between commas. Spaces around them do not count.
impl<T: OptionValue> OptionValue for Vec<T> {
    const SECRET: bool = T::SECRET;

    fn parse(text: &str) -> Result<Self, String> {
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(T::parse).collect()
    }

    fn show(&self) -> String {
        self.iter().map(T::show).collect::<Vec<_>>().join(",")
    }
}

/// A release of the broker, such as 2.8 or 0.10.2.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BrokerVersion {
    /// The first number.
    pub major: u8,
    /// The second number.
    pub minor: u8,
    /// The third number.
    pub patch: u8,
}

impl BrokerVersion {
    /// The release of these numbers.
    pub const fn new(major: u8, minor: u8, patch: u8) -> Self {
        Self { major, minor, patch }
    }

    /// Whether brokers of this release lack the ApiVersions API.
    pub const fn is_before_0_10(self) -> bool {
        self.major == 0 && self.minor < 10
    }
}

impl From<(u8, u8)> for BrokerVersion {
    fn from((major, minor): (u8, u8)) -> Self {
        Self::new(major, minor, 0)
    }
}

impl From<(u8, u8, u8)> for BrokerVersion {
    fn from((major, minor, patch): (u8, u8, u8)) -> Self {
        Self::new(major, minor, patch)
    }
}

impl fmt::Display for BrokerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl fmt::Debug for BrokerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl OptionValue for BrokerVersion {
    const ABSENT: &'static [&'static str] = &["auto"];

    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || "is not a release such as 0.10.2 or 2.8".to_owned();
        let numbers =
            text.split('.').map(|part| part.parse().map_err(|_| wrong())).collect::<Result<Vec<u8>, _>>()?;
        match numbers.as_slice() {
            [major, minor] => Ok(Self::new(*major, *minor, 0)),
            // Releases before 1.0 have four numbers; the last one never changed the protocol.
            [major, minor, patch] | [major @ 0, minor, patch, _] => Ok(Self::new(*major, *minor, *patch)),
            _ => Err(wrong()),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// A text that no log line, error or `Debug` output shows.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Hides the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl OptionValue for Secret {
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self::new(text))
    }

    fn show(&self) -> String {
        HIDDEN.to_owned()
    }
}

/// Bytes that no log line, error or `Debug` output shows: a private key, or a file with one. In strings they are
/// text, such as PEM.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SecretBytes(Arc<[u8]>);

impl SecretBytes {
    /// Hides the bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into().into())
    }

    /// The bytes themselves, for the one place that needs them.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl OptionValue for SecretBytes {
    const SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        Ok(Self::new(text))
    }

    fn show(&self) -> String {
        HIDDEN.to_owned()
    }
}

const HIDDEN: &str = "[hidden]";
