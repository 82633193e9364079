//! The collector of everything that is wrong with a configuration.

use crate::{Error, ErrorKind, Result};

/// Faults of a configuration, so that one error can name all of them.
#[derive(Clone, Debug, Default)]
pub struct Faults(Vec<String>);

impl Faults {
    /// No faults yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fault; the same text is kept once.
    pub fn push(&mut self, fault: impl Into<String>) {
        let fault = fault.into();
        if !self.0.contains(&fault) {
            self.0.push(fault);
        }
    }

    /// Adds the error of a result, if it is one.
    pub fn collect<T>(&mut self, result: Result<T>) {
        if let Err(error) = result {
            self.push(error.to_string());
        }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Nothing, or one error that names every fault.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when there is a fault.
    pub fn into_result(self) -> Result<()> {
        let text = match self.0.as_slice() {
            [] => return Ok(()),
            [fault] => fault.clone(),
            faults => format!("{} faults in the configuration: {}", faults.len(), faults.join("; ")),
        };
        Err(Error::new(ErrorKind::Configuration, text))
    }
}
