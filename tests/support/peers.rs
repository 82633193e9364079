//! Other Kafka clients, to check that kavka and they read each other's records: kcat (librdkafka),
//! kafka-python, and the Java client through Kafka's console tools.

use std::env;
use std::process::Command;

use super::kafka::tool;
use super::process::{PATIENCE, run};

/// A record as kcat saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub partition: i32,
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    /// `name=value,name=value`.
    pub headers: String,
}

/// Produces one record a line. `arguments` are kcat's: `-K :` (key before the colon), `-z lz4`,
/// `-H name=value`, `-p 2`, `-Z` (empty means null), `-X property=value`.
pub fn kcat_produce(bootstrap: &str, topic: &str, lines: &[&str], arguments: &[&str]) {
    let mut command = Command::new("kcat");
    command.args(["-P", "-q", "-b", bootstrap, "-t", topic]).args(arguments);
    run(&mut command, lines.join("\n").as_bytes(), PATIENCE).expect_success("kcat");
}

/// Reads `count` records from the beginning. `arguments` are kcat's: `-p 2`, `-X property=value`.
pub fn kcat_consume(bootstrap: &str, topic: &str, count: usize, arguments: &[&str]) -> Vec<Record> {
    let mut command = Command::new("kcat");
    command.args(["-C", "-q", "-b", bootstrap, "-t", topic, "-o", "beginning", "-c", &count.to_string()]);
    // Sizes first: keys and values are any bytes.
    command.args(["-f", "%p %o %K %S %h\\n%k%s\\n"]).args(arguments);
    let output = run(&mut command, b"", PATIENCE).expect_success("kcat");
    let mut rest = &output.stdout[..];
    let mut records = Vec::new();
    while !rest.is_empty() {
        let line =
            take(&mut rest, |bytes| bytes.iter().position(|byte| *byte == b'\n').expect("a full line"));
        let line = String::from_utf8_lossy(line);
        take(&mut rest, |_| 1);
        let mut words = line.splitn(5, ' ');
        let mut number = || words.next().and_then(|word| word.parse::<i64>().ok()).expect("a number");
        let (partition, offset, key, value) = (number(), number(), number(), number());
        let mut bytes = |size| usize::try_from(size).ok().map(|size| take(&mut rest, |_| size).to_vec());
        let (key, value) = (bytes(key), bytes(value));
        take(&mut rest, |_| 1);
        records.push(Record {
            partition: i32::try_from(partition).expect("a partition"),
            offset,
            key,
            value,
            headers: words.next().unwrap_or_default().to_owned(),
        });
    }
    records
}

/// Runs a script with an interpreter that has kafka-python 3, and returns what it printed.
pub fn python(script: &str, arguments: &[&str]) -> String {
    let interpreter = env::var_os("KAVKA_PYTHON").expect("KAVKA_PYTHON is not set: run scripts/test");
    let mut command = Command::new(interpreter);
    command.args(["-c", script]).args(arguments);
    run(&mut command, b"", PATIENCE).expect_success("the Python script").text()
}

/// Produces one record a line through Kafka's Java client. `arguments` are ConsoleProducer's:
/// `--compression-codec lz4`, `--reader-property parse.key=true`, `--command-property acks=all`.
pub fn java_console_produce(bootstrap: &str, topic: &str, lines: &[&str], arguments: &[&str]) {
    let words = [&["--bootstrap-server", bootstrap, "--topic", topic], arguments].concat();
    tool("org.apache.kafka.tools.ConsoleProducer", &words, lines.join("\n").as_bytes())
        .expect_success("ConsoleProducer");
}

/// Reads `count` records from the beginning through Kafka's Java client; one line a record. `arguments` are
/// ConsoleConsumer's: `--formatter-property print.key=true`, `--command-property isolation.level=…`.
pub fn java_console_consume(bootstrap: &str, topic: &str, count: usize, arguments: &[&str]) -> Vec<String> {
    let count = count.to_string();
    let own =
        ["--bootstrap-server", bootstrap, "--topic", topic, "--from-beginning", "--max-messages", &count];
    let output = tool("org.apache.kafka.tools.consumer.ConsoleConsumer", &[&own, arguments].concat(), b"")
        .expect_success("ConsoleConsumer");
    output.text().lines().map(str::to_owned).collect()
}

fn take<'a>(rest: &mut &'a [u8], size: impl FnOnce(&[u8]) -> usize) -> &'a [u8] {
    let (head, tail) = rest.split_at_checked(size(rest)).expect("kcat's output is whole");
    *rest = tail;
    head
}
