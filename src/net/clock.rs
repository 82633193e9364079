//! The one place that reads clocks.
//!
//! Deadlines use the monotonic clock, so a jump of the wall clock expires nothing; only record timestamps use
//! wall time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of time, shared by a client's threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock(());

impl Clock {
    /// The system's clocks.
    pub fn system() -> Self {
        Self(())
    }

    /// The monotonic time now.
    #[inline]
    #[allow(clippy::disallowed_methods)] // the place that the lint points to
    pub fn now(self) -> Instant {
        Instant::now()
    }

    /// Milliseconds since 1970, as Kafka stamps records.
    #[inline]
    #[allow(clippy::disallowed_methods)] // the place that the lint points to
    pub fn unix_millis(self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64)
    }

    /// The moment a wait that starts now has to end; far in the future when `timeout` is too large to add.
    pub fn deadline(self, timeout: Duration) -> Instant {
        let now = self.now();
        now.checked_add(timeout).unwrap_or_else(|| now + FAR)
    }
}

/// A year: longer than any process waits for one answer, and small enough to add to any `Instant`.
pub const FAR: Duration = Duration::from_secs(365 * 24 * 3600);
