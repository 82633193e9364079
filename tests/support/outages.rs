//! What tests of outages share: how long calls may take, what is left behind, and wires that go dead.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

pub const PATIENCE: Duration = Duration::from_secs(20);
/// How much longer than its bound a call may take on a machine that is busy.
pub const SLACK: Duration = Duration::from_secs(2);

/// [`SLACK`], or what `KAVKA_SLACK_MS` says on a machine that has nothing else to do.
fn slack() -> Duration {
    let asked = std::env::var("KAVKA_SLACK_MS").ok().map(|millis| millis.parse().unwrap());
    asked.map_or(SLACK, Duration::from_millis)
}

#[track_caller]
pub fn within<T>(bound: Duration, what: &str, run: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let result = run();
    assert!(began.elapsed() < bound + slack(), "{what} took {:?} instead of {bound:?}", began.elapsed());
    result
}

/// How many threads of this process have a name.
pub fn threads(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|found| found.trim_end() == name).count()
}

/// Waits until no thread of this name is left.
#[track_caller]
pub fn wait_for_no_threads(name: &str) {
    let deadline = Instant::now() + PATIENCE;
    while threads(name) > 0 {
        assert!(Instant::now() < deadline, "{} threads are left behind", threads(name));
        thread::yield_now();
    }
}

/// Passes bytes on to an address, until it is told to swallow them: then it accepts, and is silent.
pub struct Passage {
    pub port: u16,
    pub swallows: Arc<AtomicBool>,
}

impl Passage {
    pub fn to(address: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let swallows = Arc::new(AtomicBool::new(false));
        let passage = Self { port, swallows: Arc::clone(&swallows) };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(broker) = TcpStream::connect(&address) else { continue };
                let (to, back) = ((client.try_clone(), broker.try_clone()), (broker, client));
                if let (Ok(client), Ok(broker)) = to {
                    pass(client, broker, Arc::clone(&swallows));
                }
                pass(back.0, back.1, Arc::clone(&swallows));
            }
        });
        passage
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, swallows: Arc<AtomicBool>) {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if !swallows.load(Ordering::SeqCst) && to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
