//! `kavka completions`: what makes a shell complete this command line.

use std::io::{Write, stdout};
use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::common::Outcome;

/// Prints a script that lets a shell complete kavka's commands and options.
///
/// For bash: kavka completions bash > ~/.local/share/bash-completion/completions/kavka
#[derive(Args)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run<C: CommandFactory>(self) -> Outcome {
        // Into memory first: the generator panics when its output cannot be written.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut C::command(), "kavka", &mut script);
        let mut out = stdout().lock();
        out.write_all(&script)?;
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}
