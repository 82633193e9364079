//! How much memory a producer really takes while nobody takes its records.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::*;

/// The bound that the producer is given.
const BOUND: u64 = 32 << 20;
/// Where the process of its own is told which brokers there are.
const BOOTSTRAP: &str = "KAVKA_TEST_MEMORY_OF";
/// What it says when the brokers may go.
const READY: &str = "the brokers may go";

/// A line of `/proc/self/status`, in bytes.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Sends at full rate for a while: whatever there is room for. Returns how many found room.
fn send_for(producer: &KafkaProducer, time: Duration, size: usize, with_callbacks: bool) -> u64 {
    let (value, until) = (vec![7_u8; size], Instant::now() + time);
    let mut sent = 0;
    while Instant::now() < until {
        match producer.send(ProducerRecord::new("orders").value(&value)) {
            Ok(handle) => {
                sent += 1;
                if with_callbacks {
                    handle.add_both(move |outcome| drop((outcome, sent)));
                }
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::BufferExhausted, "{error}"),
        }
    }
    sent
}

/// What the process of its own does.
fn fill_up(bootstrap: &str, seconds: u64) {
    let producer = KafkaProducer::builder()
        .bootstrap_servers(bootstrap)
        .buffer_memory(BOUND as usize)
        .request_timeout(Duration::from_millis(500))
        .delivery_timeout(Duration::from_secs(1))
        // It waits for memory instead of asking again and again.
        .max_block(Duration::from_millis(100))
        .build()
        .unwrap();
    let first = loop {
        match producer.send(ProducerRecord::new("orders").value("first")) {
            Ok(handle) => break handle.get(Duration::from_secs(30)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Timeout, "{error}"),
        }
    };
    first.unwrap();
    let base = status("VmRSS");
    // A backlog while all is well leaves as many buffers behind as there may be.
    send_for(&producer, Duration::from_secs(1), 1_000, false);
    producer.flush(Duration::from_secs(60)).unwrap();
    println!("{READY}");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    let part = Duration::from_secs(seconds) / 6;
    let run = |kinds: &[(usize, bool)]| {
        for (size, with_callbacks) in kinds {
            assert!(send_for(&producer, part, *size, *with_callbacks) > 0, "none of {size} bytes found room");
        }
        let taken = status("VmHWM").saturating_sub(base);
        println!("{kinds:?}: {} KiB at most besides {} KiB", taken >> 10, base >> 10);
        taken
    };
    let taken = run(&[(10, false), (1_000, false), (10, true)]);
    assert!(taken > BOUND / 2, "the memory was never full");
    assert!(taken < BOUND * 13 / 10, "{taken} bytes of {BOUND}");
    // Records that are larger than batches push the buffers of batches out. What the system's allocator got back in
    // small pieces it cannot make one large piece of, but twice the bound it may not come to.
    let taken = run(&[(100_000, false), (10, false), (100_000, false)]);
    assert!(taken < BOUND * 2, "{taken} bytes of {BOUND}");
    producer.close(Duration::from_millis(1)).unwrap_err();
}

/// The long form: `KAVKA_SOAK_SECONDS=300`.
#[test]
fn memory_is_bounded_while_brokers_are_down() {
    let seconds = env::var("KAVKA_SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(9);
    if let Ok(bootstrap) = env::var(BOOTSTRAP) {
        return fill_up(&bootstrap, seconds);
    }
    let cluster = Cluster::start(1, |_| {});
    cluster.create_topic("orders", 3, &[]);
    // In a process of its own, so that nobody else's memory counts.
    let mut process = Command::new(env::current_exe().unwrap())
        .args(["--exact", "memory::memory_is_bounded_while_brokers_are_down", "--nocapture"])
        .env(BOOTSTRAP, cluster.bootstrap())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test's own binary");
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
    let ready = lines.by_ref().any(|line| line.contains(READY));
    if ready {
        cluster.kill(1);
        process.stdin.take().unwrap().write_all(b"they are gone\n").unwrap();
    }
    lines.for_each(|line| println!("{line}"));
    assert!(process.wait().unwrap().success() && ready);
}
