//! The one error type of the crate: opaque, cheap to clone, and able to say where it happened.
//!
//! A program asks an [`Error`] for its [`kind`](Error::kind), for the broker's [`code`](Error::code), and for
//! what to do about it: [`is_retriable`](Error::is_retriable), [`requires_abort`](Error::requires_abort),
//! [`is_fatal`](Error::is_fatal). It never has to match on text.

use std::error::Error as StdError;
use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

/// A result whose error is kavka's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, and where.
///
/// Cloning is one reference count, so that every record of a failed batch can carry its own copy.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    code: Option<ErrorCode>,
    topic: Option<String>,
    partition: Option<i32>,
    node: Option<i32>,
    offset: Option<i64>,
    topic_ids: Option<(Uuid, Uuid)>,
    maybe_written: bool,
    late_by: Option<Duration>,
    verdict: Verdict,
    source: Option<Source>,
}

type Source = Arc<dyn StdError + Send + Sync + 'static>;

/// What a caller may do after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// As the kind and the broker's code say.
    Natural,
    Retriable,
    Final,
    Abort,
    Fatal,
}

/// The classes of errors.
///
/// New kinds are added as Kafka grows, so a `match` needs a `_` arm.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// An option is unknown, out of bounds, or clashes with another one.
    Configuration,
    /// An argument of a call cannot be used, such as an empty topic name.
    InvalidArgument,
    /// The call is not valid in the client's present state.
    IllegalState,
    /// The client has been closed, or its IO thread is gone.
    Closed,
    /// The client was built before a fork, and is used in the child, which does not have its IO thread.
    ForkedProcess,
    /// A deadline passed. The text names the phase that ran out of time.
    Timeout,
    /// A connection could not be made, or was lost.
    Connection,
    /// A host name could not be resolved.
    Dns,
    /// The peer sent bytes that are not Kafka's protocol, or not what was asked for.
    Protocol,
    /// Client and broker have no version of an API in common, or the broker lacks the API.
    UnsupportedVersion,
    /// The broker refused the credentials, or the login could not be completed.
    Authentication,
    /// The broker knows who asks, and says no.
    Authorization,
    /// The broker answered with an error code; see [`Error::code`].
    Broker,
    /// A topic does not exist, as far as the cluster knows.
    UnknownTopic,
    /// A key or a value could not be serialized.
    Serialization,
    /// A key or a value could not be deserialized.
    Deserialization,
    /// A record is larger than a limit.
    RecordTooLarge,
    /// A batch failed its checksum or could not be decoded.
    CorruptBatch,
    /// A batch uses a codec that this build does not have.
    UnsupportedCodec,
    /// No memory came free for a record in time.
    BufferExhausted,
    /// No committed offset, and no reset policy.
    NoOffsetForPartition,
    /// The position is outside of the partition's log, and no reset policy.
    OffsetOutOfRange,
    /// The log was truncated below the position (KIP-320).
    LogTruncation,
    /// The group has moved on; the commit cannot be done by this member any more.
    CommitFailed,
    /// Too long between two polls: the member has left its group and rejoins on the next poll.
    MaxPollExceeded,
    /// Another member uses the same static id (KIP-345).
    FencedInstance,
    /// Another producer uses the same transactional id.
    ProducerFenced,
    /// The topic was deleted and created anew, with another topic id.
    TopicRecreated,
    /// A wake-up handle ended the call.
    Woken,
    /// Code of the program (a callback, serializer or listener) panicked.
    Panic,
    /// The transaction was aborted by the program, so its records were not sent.
    TransactionAborted,
}

impl Error {
    /// An error of a kind, with a text that names the thing and the remedy.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: message.into(),
            code: None,
            topic: None,
            partition: None,
            node: None,
            offset: None,
            topic_ids: None,
            maybe_written: false,
            late_by: None,
            verdict: Verdict::Natural,
            source: None,
        }))
    }

    /// The error that a broker's code stands for.
    ///
    /// `what` says what was being done, such as `"Produce"` or `"commit of group billing"`.
    pub fn from_code(code: ErrorCode, what: impl fmt::Display) -> Self {
        let kind = kind_of(code);
        let mut error = Self::new(kind, format!("{what}: {}: {}", code.name(), code.message()));
        error.edit().code = Some(code);
        error
    }

    /// Adds the topic.
    #[must_use]
    pub fn with_topic(mut self, topic: impl Into<String>) -> Self {
        self.edit().topic = Some(topic.into());
        self
    }

    /// Adds the partition.
    #[must_use]
    pub fn with_partition(mut self, partition: i32) -> Self {
        self.edit().partition = Some(partition);
        self
    }

    /// Adds the broker's node id.
    #[must_use]
    pub fn with_node(mut self, node: i32) -> Self {
        self.edit().node = Some(node);
        self
    }

    /// Adds the offset.
    #[must_use]
    pub fn with_offset(mut self, offset: i64) -> Self {
        self.edit().offset = Some(offset);
        self
    }

    /// Adds the ids of the topic that is no more and of the one that has its name now.
    #[must_use]
    pub fn with_topic_ids(mut self, old: Uuid, new: Uuid) -> Self {
        self.edit().topic_ids = Some((old, new));
        self
    }

    /// Adds the broker's code without changing the text.
    #[must_use]
    pub fn with_code(mut self, code: ErrorCode) -> Self {
        self.edit().code = Some(code);
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.edit().source = Some(Arc::new(source));
        self
    }

    /// Says that the record may nevertheless be in the log.
    #[must_use]
    pub fn with_maybe_written(mut self, maybe_written: bool) -> Self {
        self.edit().maybe_written = maybe_written;
        self
    }

    /// Says by how much a call came too late.
    #[must_use]
    pub fn with_late_by(mut self, late_by: Duration) -> Self {
        self.edit().late_by = Some(late_by);
        self
    }

    /// Overrides what the kind says: another try may help, or not.
    #[must_use]
    pub fn with_retriable(mut self, retriable: bool) -> Self {
        self.edit().verdict = if retriable { Verdict::Retriable } else { Verdict::Final };
        self
    }

    /// Says that the running transaction has to be aborted.
    #[must_use]
    pub fn with_abort_required(mut self) -> Self {
        self.edit().verdict = Verdict::Abort;
        self
    }

    /// Says that the client cannot go on.
    #[must_use]
    pub fn with_fatal(mut self) -> Self {
        self.edit().verdict = Verdict::Fatal;
        self
    }

    /// Puts words before the text: what was being done when this error came up.
    #[must_use]
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        let inner = self.edit();
        inner.message = format!("{what}: {}", inner.message);
        self
    }

    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The broker's error code, if a broker answered.
    pub fn code(&self) -> Option<ErrorCode> {
        self.0.code
    }

    /// The topic that it is about, if any.
    pub fn topic(&self) -> Option<&str> {
        self.0.topic.as_deref()
    }

    /// The partition that it is about, if any.
    pub fn partition(&self) -> Option<i32> {
        self.0.partition
    }

    /// The node id of the broker that it is about, if any.
    pub fn node(&self) -> Option<i32> {
        self.0.node
    }

    /// The offset that it is about, if any. For [`ErrorKind::CorruptBatch`] this is the first offset behind
    /// the bad batch: seeking there passes it.
    pub fn offset(&self) -> Option<i64> {
        self.0.offset
    }

    /// For [`ErrorKind::TopicRecreated`] the id of the topic that was deleted, and of the one that has its name
    /// now (KIP-516).
    pub fn topic_ids(&self) -> Option<(Uuid, Uuid)> {
        self.0.topic_ids
    }

    /// Whether the record that this error was reported for may be in the log all the same, because the
    /// request had left when the outcome became unknown.
    pub fn maybe_written(&self) -> bool {
        self.0.maybe_written
    }

    /// For [`ErrorKind::MaxPollExceeded`] by how much the `poll()` that returns it came too late.
    pub fn late_by(&self) -> Option<Duration> {
        self.0.late_by
    }

    /// Whether the same call may succeed when it is made again.
    pub fn is_retriable(&self) -> bool {
        match self.0.verdict {
            Verdict::Retriable => true,
            Verdict::Final | Verdict::Abort | Verdict::Fatal => false,
            Verdict::Natural => match self.0.code {
                Some(code) => code.is_retriable(),
                None => matches!(
                    self.0.kind,
                    ErrorKind::Timeout
                        | ErrorKind::Connection
                        | ErrorKind::Dns
                        | ErrorKind::BufferExhausted
                        | ErrorKind::Woken
                ),
            },
        }
    }

    /// Whether the running transaction must be aborted before the producer can go on.
    pub fn requires_abort(&self) -> bool {
        self.0.verdict == Verdict::Abort
    }

    /// Whether the client is of no further use and has to be built anew.
    pub fn is_fatal(&self) -> bool {
        match self.0.verdict {
            Verdict::Fatal => true,
            Verdict::Natural => matches!(
                self.0.kind,
                ErrorKind::ProducerFenced
                    | ErrorKind::FencedInstance
                    | ErrorKind::Closed
                    | ErrorKind::ForkedProcess
            ),
            _ => false,
        }
    }

    fn edit(&mut self) -> &mut Inner {
        if Arc::get_mut(&mut self.0).is_none() {
            let old = &self.0;
            self.0 = Arc::new(Inner {
                kind: old.kind,
                message: old.message.clone(),
                code: old.code,
                topic: old.topic.clone(),
                partition: old.partition,
                node: old.node,
                offset: old.offset,
                topic_ids: old.topic_ids,
                maybe_written: old.maybe_written,
                late_by: old.late_by,
                verdict: old.verdict,
                source: old.source.clone(),
            });
        }
        Arc::get_mut(&mut self.0).expect("the only owner, made so above")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        let mut open = false;
        let mut field = |f: &mut fmt::Formatter<'_>, name: &str, value: &dyn fmt::Display| {
            let lead = if open { ", " } else { " (" };
            open = true;
            write!(f, "{lead}{name} {value}")
        };
        if let Some(topic) = &self.0.topic {
            field(f, "topic", &printable(topic))?;
        }
        if let Some(partition) = self.0.partition {
            field(f, "partition", &partition)?;
        }
        if let Some(offset) = self.0.offset {
            field(f, "offset", &offset)?;
        }
        if let Some(node) = self.0.node {
            field(f, "node", &node)?;
        }
        if let Some((old, new)) = self.0.topic_ids {
            field(f, "old id", &old)?;
            field(f, "new id", &new)?;
        }
        if let Some(late_by) = self.0.late_by {
            field(f, "late by", &format_args!("{late_by:.1?}"))?;
        }
        if self.0.maybe_written {
            field(f, "the record", &"may have been written")?;
        }
        if open {
            f.write_str(")")?;
        }
        if let Some(source) = &self.0.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}

/// What a peer says, for an error or a log line: one line, without characters that steer a terminal, and cut to
/// [`MOST_WORDS`].
pub(crate) fn printable(words: impl fmt::Display) -> impl fmt::Display {
    Printable(words)
}

struct Printable<D>(D);

/// As long as a peer may talk, in characters.
const MOST_WORDS: usize = 1000;

impl<D: fmt::Display> fmt::Display for Printable<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cleaner = Cleaner { f, count: 0 };
        write!(cleaner, "{}", self.0)?;
        match cleaner.count {
            ..=MOST_WORDS => Ok(()),
            count => write!(f, "\u{2026} ({count} characters in all)"),
        }
    }
}

struct Cleaner<'a, 'b> {
    f: &'a mut fmt::Formatter<'b>,
    count: usize,
}

impl fmt::Write for Cleaner<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            self.count += 1;
            match c {
                _ if self.count > MOST_WORDS => {}
                c if c.is_control() || is_unseen(c) => write!(self.f, "{}", c.escape_default())?,
                c => self.f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Characters that nobody sees and that change what is seen: line ends of other scripts, directions, joiners.
fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

fn kind_of(code: ErrorCode) -> ErrorKind {
    match code {
        ErrorCode::TOPIC_AUTHORIZATION_FAILED
        | ErrorCode::GROUP_AUTHORIZATION_FAILED
        | ErrorCode::CLUSTER_AUTHORIZATION_FAILED
        | ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        | ErrorCode::DELEGATION_TOKEN_AUTHORIZATION_FAILED => ErrorKind::Authorization,
        ErrorCode::SASL_AUTHENTICATION_FAILED | ErrorCode::UNSUPPORTED_SASL_MECHANISM => {
            ErrorKind::Authentication
        }
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID => ErrorKind::UnknownTopic,
        ErrorCode::OFFSET_OUT_OF_RANGE => ErrorKind::OffsetOutOfRange,
        ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE => ErrorKind::RecordTooLarge,
        ErrorCode::CORRUPT_MESSAGE => ErrorKind::CorruptBatch,
        ErrorCode::UNSUPPORTED_VERSION => ErrorKind::UnsupportedVersion,
        ErrorCode::UNSUPPORTED_COMPRESSION_TYPE => ErrorKind::UnsupportedCodec,
        ErrorCode::FENCED_INSTANCE_ID => ErrorKind::FencedInstance,
        ErrorCode::PRODUCER_FENCED => ErrorKind::ProducerFenced,
        _ => ErrorKind::Broker,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_peers_say_is_escaped_and_cut() {
        for (said, shown) in [
            ("Not authorized: \"a\\b\" ü 日本", "Not authorized: \"a\\b\" ü 日本"),
            ("\u{1b}[31mred\r\nINFO forged\0\u{9b}", "\\u{1b}[31mred\\r\\nINFO forged\\u{0}\\u{9b}"),
            ("evil\u{202e}txt\u{2028}\u{feff}", "evil\\u{202e}txt\\u{2028}\\u{feff}"),
        ] {
            assert_eq!(printable(said).to_string(), shown);
            assert_eq!(printable(shown).to_string(), shown, "once is enough");
        }
        let long = "é".repeat(MOST_WORDS);
        assert_eq!(printable(&long).to_string(), long);
        let longer = printable("é".repeat(1_000_000)).to_string();
        assert_eq!(longer, format!("{long}… (1000000 characters in all)"));
        let error = Error::new(ErrorKind::Broker, "no").with_topic("a\nb");
        assert_eq!(error.to_string(), "no (topic a\\nb)");
    }
}
