//! Ctrl-C and its like: a flag, and a call that wakes whoever waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::common::Outcome;

/// Whether the program was asked to end.
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on the first SIGINT or SIGTERM sets the flag and calls `wake`, on a thread of its own; a second
    /// one ends the process at once.
    #[cfg(unix)]
    pub(crate) fn watch(wake: impl FnOnce() + Send + 'static) -> Outcome<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the flag is still unset when the first signal looks at it.
            signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&flag))?;
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
        }
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
        std::thread::Builder::new().name("kavka-signals".to_owned()).spawn(move || {
            if signals.forever().next().is_some() {
                wake();
            }
        })?;
        Ok(Self(flag))
    }

    /// Without signals to wait for, the flag alone has to do: it is looked at after every poll.
    #[cfg(not(unix))]
    pub(crate) fn watch(_: impl FnOnce() + Send + 'static) -> Outcome<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&flag))?;
        }
        Ok(Self(flag))
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
