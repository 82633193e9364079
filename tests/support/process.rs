//! Other programs as helpers of a test: run to their end, within a time limit.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a helper program may take, unless told otherwise. A JVM on a busy machine is slow to start.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// What a program wrote, and whether it ended well.
#[derive(Debug)]
pub struct Output {
    pub success: bool,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Output {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The same output, after a check that the program ended well.
    #[track_caller]
    pub fn expect_success(self, what: &str) -> Self {
        assert!(self.success, "{what} failed\n--- stdout\n{}\n--- stderr\n{}", self.text(), self.stderr);
        self
    }
}

/// Runs a program with `input` on its standard input.
///
/// # Panics
/// If it cannot be started, or has not ended after `patience`: it is killed then.
#[track_caller]
pub fn run(command: &mut Command, input: &[u8], patience: Duration) -> Output {
    let name = command.get_program().to_string_lossy().into_owned();
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{name} could not be started ({error}); run scripts/test"));
    // Three threads, so that no full pipe stops either side.
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        scope.spawn(move || {
            // A program may end without reading all of its input; its exit status tells.
            let _ = stdin.map(|mut pipe| pipe.write_all(input));
        });
        let stdout = scope.spawn(move || read_all(stdout));
        let stderr = scope.spawn(move || read_all(stderr));
        let status = loop {
            match child.try_wait().expect("wait for a child") {
                Some(status) => break Some(status),
                None if started.elapsed() > patience => {
                    child.kill().expect("kill a child");
                    child.wait().expect("wait for a child");
                    break None;
                }
                None => thread::sleep(Duration::from_millis(5)),
            }
        };
        let stdout = stdout.join().expect("reader thread");
        let stderr = String::from_utf8_lossy(&stderr.join().expect("reader thread")).into_owned();
        let Some(status) = status else {
            let text = String::from_utf8_lossy(&stdout);
            panic!("{name} did not end within {patience:?}\n--- stdout\n{text}\n--- stderr\n{stderr}");
        };
        Output { success: status.success(), stdout, stderr }
    })
}

fn read_all(pipe: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        let _ = pipe.read_to_end(&mut bytes);
    }
    bytes
}
