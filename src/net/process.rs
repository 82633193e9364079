//! Whether this is still the process that a client was built in.
//!
//! A fork copies a client's memory into the child, but not its IO thread, and the child shares the parent's sockets:
//! what it asked for would never be done, or spoil what the parent does. So whoever needs the IO thread looks first.

use crate::error::{Error, ErrorKind, Result};

/// The process that something was built in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process(u32);

impl Process {
    pub(crate) fn this() -> Self {
        Self(std::process::id())
    }

    /// Whether this is a child of that process. A system call: not for each record.
    pub(crate) fn was_forked(self) -> bool {
        self.0 != std::process::id()
    }

    /// # Errors
    /// [`ErrorKind::ForkedProcess`] in a child.
    pub(crate) fn check(self) -> Result<()> {
        if !self.was_forked() {
            return Ok(());
        }
        let text = format!(
            "the client was built in process {}, of which this one ({}) is a fork: build clients after the fork",
            self.0,
            std::process::id()
        );
        Err(Error::new(ErrorKind::ForkedProcess, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_is_noticed() {
        assert!(Process::this().check().is_ok());
        let error = Process(std::process::id() + 1).check().unwrap_err();
        assert!(error.kind() == ErrorKind::ForkedProcess && error.is_fatal() && !error.is_retriable());
    }
}
