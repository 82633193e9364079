//! Patterns of topic names.

use regex_lite::Regex;

use crate::error::{Error, ErrorKind, Result};

/// A regular expression that this client looks at: it matches whole names, as Kafka's own does.
#[derive(Clone, Debug)]
pub(super) struct TopicPattern {
    text: String,
    regex: Regex,
}

impl TopicPattern {
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] when it is not a regular expression.
    pub(super) fn new(text: &str) -> Result<Self> {
        // By itself first, so that a parenthesis too many does not end the group around it.
        let regex = Regex::new(text).and_then(|_| Regex::new(&format!("^(?:{text})$")));
        let regex = regex.map_err(|error| {
            let text = format!("the topic pattern {text:?} is not a regular expression");
            Error::new(ErrorKind::InvalidArgument, text).with_source(error)
        })?;
        Ok(Self { text: text.to_owned(), regex })
    }

    pub(super) fn matches(&self, topic: &str) -> bool {
        self.regex.is_match(topic)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for TopicPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for TopicPattern {}

/// A regular expression that the group's coordinator looks at (KIP-848), in the syntax of RE2. It matches whole
/// names.
///
/// ```
/// use kavka::consumer::SubscriptionPattern;
///
/// assert_eq!(SubscriptionPattern::new("orders-(eu|us)").as_str(), "orders-(eu|us)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SubscriptionPattern(String);

impl SubscriptionPattern {
    /// The pattern of this text. The coordinator checks it, when the consumer joins.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for SubscriptionPattern {
    fn from(pattern: T) -> Self {
        Self::new(pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_match() {
        let pattern = TopicPattern::new("a|b.+").unwrap();
        let names = ["a", "ab", "b", "bc", "xb"];
        assert_eq!(names.map(|name| pattern.matches(name)), [true, false, false, true, false]);
    }

    #[test]
    fn what_is_no_regular_expression_is_refused() {
        for text in ["(", "a)(b", "*"] {
            assert_eq!(TopicPattern::new(text).unwrap_err().kind(), ErrorKind::InvalidArgument, "{text}");
        }
    }
}
