//! Pauses between attempts.

use std::time::Duration;

/// Grows from `initial` to `max` by doubling, 20 % of jitter either way, as Kafka's clients do (KIP-144,
/// KIP-580).
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// The first pause.
    pub initial: Duration,
    /// The longest pause, before jitter.
    pub max: Duration,
}

impl Backoff {
    /// The pause after so many failures in a row (none after none). `random` is a number from 0 to 1.
    pub fn after(self, failures: u32, random: f64) -> Duration {
        if failures == 0 {
            return Duration::ZERO;
        }
        let factor = 2f64.powi(failures.saturating_sub(1).min(30) as i32);
        let base = (self.initial.as_secs_f64() * factor).min(self.max.as_secs_f64().max(0.0));
        Duration::from_secs_f64(base * (0.8 + 0.4 * random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_maximum_with_jitter_around_it() {
        let backoff = Backoff { initial: Duration::from_millis(50), max: Duration::from_millis(300) };
        let pause = |failures, random| backoff.after(failures, random).as_millis();
        assert_eq!(pause(0, 0.5), 0);
        assert_eq!([pause(1, 0.5), pause(2, 0.5), pause(3, 0.5), pause(4, 0.5)], [50, 100, 200, 300]);
        assert_eq!([pause(1, 0.0), pause(1, 1.0)], [40, 60]);
        assert_eq!(pause(u32::MAX, 0.5), 300);
    }
}
