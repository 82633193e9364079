//! Code of the program between the brokers and `poll()` (KIP-42).

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::record::ConsumerRecord;
use crate::error::Result;
use crate::net::bridge::panic_text;
use crate::types::{OffsetAndMetadata, TopicPartition};

/// Sees each record before it is deserialized, and what is committed.
///
/// Kafka's interceptors see records after they were deserialized. Here keys and values can be of any type, so
/// interceptors come before, as those of a producer come after: they see bytes. What they change is what the
/// deserializers are given.
///
/// They run inside of the consumer's calls, on the thread that makes them. An error or a panic in one is logged and
/// changes nothing: the record goes on as it was before that interceptor, and the others have their turn.
///
/// ```
/// use std::time::Duration;
/// use kavka::consumer::{ConsumerInterceptor, ConsumerRecord};
/// use kavka::{KafkaConsumer, TopicPartition};
///
/// struct WithoutProbes;
///
/// impl ConsumerInterceptor for WithoutProbes {
///     fn on_consume(&mut self, record: &mut ConsumerRecord) -> kavka::Result<bool> {
///         Ok(record.key().as_deref() != Some(b"probe"))
///     }
/// }
/// # let cluster = kavka::mock::MockCluster::builder().topic("orders", 1).start()?;
/// # cluster.append("orders", 0, [("probe", "1"), ("42", "paid")])?;
/// # let servers = cluster.bootstrap_servers();
///
/// let mut consumer =
///     KafkaConsumer::builder().bootstrap_servers(servers).interceptor(WithoutProbes).build()?;
/// consumer.assign([TopicPartition::new("orders", 0)])?;
/// consumer.seek_to_beginning(&[])?;
/// let records = consumer.poll(Duration::from_secs(10))?;
/// assert_eq!(records.iter().map(|record| record.offset()).collect::<Vec<_>>(), [1]);
/// # Ok::<(), kavka::Error>(())
/// ```
pub trait ConsumerInterceptor: Send {
    /// Called for each record that the program is about to be given, which may be changed. `false` leaves it out: the
    /// position passes it all the same.
    ///
    /// # Errors
    /// Whatever the interceptor likes: it is logged, and what the interceptor has changed is taken back.
    fn on_consume(&mut self, record: &mut ConsumerRecord) -> Result<bool> {
        let _ = record;
        Ok(true)
    }

    /// Called for each commit of this consumer that the group has taken, whether it was the program's or automatic.
    fn on_commit(&mut self, offsets: &HashMap<TopicPartition, OffsetAndMetadata>) {
        let _ = offsets;
    }
}

/// The program's interceptors, in the order in which it gave them.
#[derive(Default)]
pub(super) struct Interceptors(Vec<Box<dyn ConsumerInterceptor>>);

impl Interceptors {
    pub(super) fn add(&mut self, interceptor: impl ConsumerInterceptor + 'static) {
        self.0.push(Box::new(interceptor));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The record as the interceptors leave it; `None` when one of them leaves it out.
    pub(super) fn consume(&mut self, mut record: ConsumerRecord) -> Option<ConsumerRecord> {
        for interceptor in &mut self.0 {
            let mut changed = record.clone();
            match contained("on_consume", || interceptor.on_consume(&mut changed)) {
                Some(Ok(true)) => record = changed,
                Some(Ok(false)) => return None,
                Some(Err(error)) => log::warn!("on_consume of an interceptor: {error}"),
                None => {}
            }
        }
        Some(record)
    }

    pub(super) fn committed(&mut self, offsets: &HashMap<TopicPartition, OffsetAndMetadata>) {
        for interceptor in &mut self.0 {
            contained("on_commit", || interceptor.on_commit(offsets));
        }
    }
}

impl fmt::Debug for Interceptors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} interceptors", self.0.len())
    }
}

/// Runs code of the program, and logs its panic.
fn contained<T>(what: &str, call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call))
        .map_err(|panic| log::warn!("{what} of an interceptor panicked: {}", panic_text(&*panic)))
        .ok()
}
