//! What is logged, for tests that count lines.

use std::sync::{Mutex, Once};

struct Recorder;

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl log::Log for Recorder {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            LINES.lock().unwrap().push(record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// Records what is logged from now on as a warning or worse.
pub fn record() {
    static SET: Once = Once::new();
    SET.call_once(|| {
        log::set_logger(&Recorder).unwrap();
        log::set_max_level(log::LevelFilter::Warn);
    });
}

/// The lines that name something which is one test's alone.
pub fn lines_with(name: &str) -> Vec<String> {
    LINES.lock().unwrap().iter().filter(|line| line.contains(name)).cloned().collect()
}
