//! The command line against the mock cluster: the binary itself, with its output and exit codes.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use kavka::mock::MockCluster;
use kavka::protocol::ApiKey;
use kavka::{ErrorCode, KafkaProducer, ProducerRecord};
use serde_json::Value;

fn cluster() -> MockCluster {
    MockCluster::builder().topic("orders", 2).start().expect("a cluster")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kavka"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a subcommand on a cluster until it ends.
fn run(cluster: &MockCluster, arguments: &[&str]) -> Output {
    let servers = cluster.bootstrap_servers();
    command(arguments).args(["-b", &servers]).output().expect("the binary runs")
}

/// Runs `kavka producer` with lines on stdin.
fn produce(cluster: &MockCluster, arguments: &[&str], lines: &str) -> Output {
    let servers = cluster.bootstrap_servers();
    let mut child = command(&["producer", "-b", &servers])
        .args(arguments)
        .stdin(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(lines.as_bytes()).expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("UTF-8")
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("UTF-8")
}

#[track_caller]
fn assert_success(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "stderr: {}", stderr(output));
}

/// Three records in partition 0: text with a header, a tombstone, bytes.
fn fill(cluster: &MockCluster) {
    let producer = KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap_servers())
        .build()
        .expect("valid options");
    let orders = || ProducerRecord::new("orders").partition(0).timestamp(1_700_000_000_000);
    producer.send(orders().key("k1").value("ż").header("trace", "7")).expect("sent");
    producer.send(orders().key("k2")).expect("sent");
    producer.send(orders().value(&[0xff_u8, 0xfe])).expect("sent");
    producer.close(Duration::from_secs(5)).expect("all written");
}

#[test]
fn each_line_becomes_a_record() {
    let cluster = cluster();
    let output = produce(&cluster, &["-t", "orders", "--partition", "1"], "one\ntwo words\r\n\nlast");
    assert_success(&output);
    let records = cluster.records("orders", 1);
    let values: Vec<String> = records.iter().map(|record| record.value_str()).collect();
    assert_eq!(values, ["one", "two words", "", "last"]);
    assert!(records.iter().all(|record| record.key.is_none() && record.headers.is_empty()));
}

#[test]
fn keys_and_headers_are_taken_from_line_and_options() {
    let cluster = cluster();
    let output = produce(
        &cluster,
        &["-t", "orders", "--partition", "0", "--key-separator", "::", "--headers", "source=till,empty="],
        "k1::v1\nk2::v:2::3\n::x\n",
    );
    assert_success(&output);
    let records = cluster.records("orders", 0);
    let pairs: Vec<(String, String)> =
        records.iter().map(|record| (record.key_str(), record.value_str())).collect();
    let expected = [("k1", "v1"), ("k2", "v:2::3"), ("", "x")];
    assert_eq!(pairs, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    for record in records {
        let headers: Vec<(&str, Option<&[u8]>)> =
            record.headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        assert_eq!(headers, [("source", Some(&b"till"[..])), ("empty", Some(&b""[..]))]);
    }
}

#[test]
fn a_line_that_fails_is_named_and_the_others_are_sent() {
    let cluster = cluster();
    let output = produce(
        &cluster,
        &["-t", "orders", "--partition", "0", "--key-separator", ":", "-C", "max.request.size=200"],
        &format!("a:1\nno separator\nb:2\nc:{}\n", "x".repeat(300)),
    );
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("line 2: ") && text.contains("key separator"), "{text}");
    assert!(text.contains("line 4: ") && text.contains("max.request.size"), "{text}");
    assert!(!text.contains("line 1:") && !text.contains("line 3:"), "{text}");
    assert_eq!(cluster.records("orders", 0).len(), 2);
}

#[test]
fn a_line_that_the_broker_refuses_is_named() {
    use kavka::ErrorCode;
    use kavka::protocol::ApiKey;
    let cluster = cluster();
    cluster.on(ApiKey::PRODUCE).always().error(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    let output = produce(&cluster, &["-t", "orders"], "refused\n");
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("line 1: ") && text.contains("TOPIC_AUTHORIZATION_FAILED"), "{text}");
}

#[test]
fn records_are_printed_as_text() {
    let cluster = cluster();
    fill(&cluster);
    let output = run(&cluster, &["consumer", "-t", "orders", "--from-beginning", "--max-messages", "3"]);
    assert_success(&output);
    assert_eq!(stdout(&output), "ż\nnull\n\u{fffd}\u{fffd}\n");
}

#[test]
fn records_are_printed_raw() {
    let cluster = cluster();
    fill(&cluster);
    let arguments =
        ["consumer", "-t", "orders", "--from-beginning", "--max-messages", "3", "--format", "raw"];
    let output = run(&cluster, &arguments);
    assert_success(&output);
    assert_eq!(output.stdout, b"\xc5\xbc\n\n\xff\xfe\n");
}

#[test]
fn records_are_printed_as_json() {
    let cluster = cluster();
    fill(&cluster);
    let arguments =
        ["consumer", "-t", "orders", "--from-beginning", "--max-messages", "3", "--format", "json"];
    let output = run(&cluster, &arguments);
    assert_success(&output);
    let objects: Vec<Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let time = 1_700_000_000_000_i64;
    let expected = serde_json::json!([
        {"topic": "orders", "partition": 0, "offset": 0, "timestamp": time, "key": "k1", "value": "ż",
         "headers": [{"key": "trace", "value": "7"}]},
        {"topic": "orders", "partition": 0, "offset": 1, "timestamp": time, "key": "k2", "value": null,
         "headers": []},
        {"topic": "orders", "partition": 0, "offset": 2, "timestamp": time, "key": null,
         "value": {"base64": "//4="}, "headers": []},
    ]);
    assert_eq!(Value::from(objects), expected);
}

#[test]
fn a_partition_is_read_from_an_offset() {
    let cluster = cluster();
    fill(&cluster);
    let arguments =
        ["consumer", "-t", "orders", "--partition", "0", "--offset", "1", "-n", "1", "--format", "json"];
    let output = run(&cluster, &arguments);
    assert_success(&output);
    let object: Value = serde_json::from_str(stdout(&output)).expect("one line of JSON");
    assert_eq!((&object["offset"], &object["key"]), (&Value::from(1), &Value::from("k2")));
}

#[test]
fn a_group_goes_on_behind_what_was_printed() {
    let cluster = cluster();
    fill(&cluster);
    let arguments = ["consumer", "-t", "orders", "-g", "g1", "--from-beginning", "--max-messages", "2"];
    let output = run(&cluster, &arguments);
    assert_success(&output);
    assert_eq!(stdout(&output), "ż\nnull\n");
    assert_eq!(cluster.committed("g1", "orders", 0), Some(2), "the third was read and not printed");
    let output = run(&cluster, &["consumer", "-t", "orders", "-g", "g1", "-n", "1", "--format", "raw"]);
    assert_success(&output);
    assert_eq!(output.stdout, b"\xff\xfe\n");
}

#[test]
fn the_time_without_records_ends_it() {
    let cluster = cluster();
    fill(&cluster);
    let output = run(&cluster, &["consumer", "-t", "orders", "--from-beginning", "--timeout-ms", "700"]);
    assert_success(&output);
    assert_eq!(stdout(&output).lines().count(), 3);
}

#[test]
fn what_stands_in_the_way_of_records_is_said() {
    let cluster = cluster();
    fill(&cluster);
    cluster.on(ApiKey::FETCH).partition("orders", 0).always().error(ErrorCode::KAFKA_STORAGE_ERROR);
    let output = run(&cluster, &["consumer", "-t", "orders", "--from-beginning", "--timeout-ms", "12000"]);
    assert_success(&output);
    assert_eq!(stdout(&output), "");
    let said = stderr(&output);
    assert!(said.contains("kavka: no record for 1") && said.contains("orders-0: position 0"), "{said}");
    assert!(said.contains("refused for") && said.contains("KAFKA_STORAGE_ERROR"), "{said}");
}

#[test]
#[cfg(unix)]
fn an_interrupt_ends_the_consumer_and_commits() {
    let cluster = cluster();
    fill(&cluster);
    let servers = cluster.bootstrap_servers();
    let mut child = command(&["consumer", "-b", &servers, "-t", "orders", "-g", "g1", "--from-beginning"])
        .spawn()
        .expect("the binary runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    lines.read_line(&mut line).expect("a line");
    assert_eq!(line, "ż\n");
    interrupt(&child);
    let output = child.wait_with_output().expect("it ends");
    assert_success(&output);
    assert_eq!(cluster.committed("g1", "orders", 0), Some(3));
    assert!(cluster.group_members("g1").is_empty(), "it has left the group");
}

#[test]
#[cfg(unix)]
fn a_reader_that_has_seen_enough_is_no_error() {
    let cluster = cluster();
    let lines: String = (0..5000).map(|number| format!("{number} {}\n", "x".repeat(200))).collect();
    assert_success(&produce(&cluster, &["-t", "orders"], &lines));
    let servers = cluster.bootstrap_servers();
    let mut child = command(&["consumer", "-b", &servers, "-t", "orders", "--from-beginning"])
        .spawn()
        .expect("the binary runs");
    let mut first = [0; 10];
    child.stdout.take().expect("a pipe").read_exact(&mut first).expect("some bytes");
    // The pipe is closed here, with most of the million bytes unread.
    let output = child.wait_with_output().expect("it ends");
    assert_success(&output);
    assert_eq!(stderr(&output), "");
}

#[test]
#[cfg(unix)]
fn the_mock_prints_its_address_and_serves_until_it_is_interrupted() {
    let mut child = command(&["mock", "--topic", "orders:3"]).spawn().expect("the binary runs");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("the address");
    let producer = KafkaProducer::builder().bootstrap_servers(line.trim()).build().expect("an address");
    assert_eq!(producer.partitions_for("orders").expect("the topic"), [0, 1, 2]);
    producer.close(Duration::from_secs(5)).expect("closed");
    interrupt(&child);
    assert_success(&child.wait_with_output().expect("it ends"));
}

#[test]
fn perf_prints_one_line_of_json() {
    let cluster = MockCluster::builder().start().expect("a cluster");
    let common = ["--topic", "perf", "--size", "50", "--partitions", "3"];
    let line = |what: &str, arguments: &[&str]| -> Value {
        let output = run(&cluster, &[&["perf", what], &common[..], arguments].concat());
        assert_success(&output);
        assert_eq!(stdout(&output).lines().count(), 1);
        serde_json::from_str(stdout(&output)).expect("JSON")
    };
    let produced =
        line("produce", &["--records", "3000", "--warmup", "10", "--acks", "1", "--compression", "lz4"]);
    let latency = line("latency", &["--records", "20", "--warmup", "5"]);
    let consumed = line("consume", &["--records", "3035"]);
    let in_group = line("consume-group", &["--records", "3000"]);
    for (object, records) in [(&produced, 3000), (&latency, 20), (&consumed, 3035), (&in_group, 3000)] {
        assert_eq!(object["records"], records);
        assert_eq!(object["bytes"], records * 50);
        assert_eq!(object["errors"], 0);
        assert!(object["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{object}");
        if cfg!(target_os = "linux") {
            assert!(object["cpu_seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{object}");
            assert!(object["peak_rss_bytes"].as_u64().is_some_and(|bytes| bytes > 1 << 20), "{object}");
        }
    }
    let percentile = |name: &str| latency[name].as_f64().expect("a number");
    assert!(percentile("p50_us") > 0.0 && percentile("p50_us") <= percentile("p99_us"));
    assert!(percentile("p99_us") <= percentile("p999_us") && percentile("p999_us") <= percentile("max_us"));
    assert_eq!(produced.get("p50_us"), None);
    assert_eq!(cluster.partitions("perf"), 3);
}

#[test]
fn perf_measures_rebalances_with_a_member_that_it_kills() {
    let cluster = MockCluster::builder().topic("perf", 4).start().expect("a cluster");
    let common = ["perf", "rebalance", "-t", "perf", "-C", "session.timeout.ms=900"];
    let more = ["-C", "heartbeat.interval.ms=100", "-C", "client.id=measured"];
    let output = run(&cluster, &[&common[..], &more].concat());
    assert_success(&output);
    let produced = cluster.requests_of(kavka::protocol::ApiKey::PRODUCE);
    assert!(!produced.is_empty() && produced.iter().all(|one| one.client_id.as_deref() == Some("measured")));
    let line: Value = serde_json::from_str(stdout(&output)).expect("JSON");
    let millis = |name: &str| line[name].as_f64().expect("a number");
    assert!(millis("join_ms") > 0.0 && millis("takeover_ms") > 500.0, "{line}");
}

#[test]
fn perf_fails_when_not_everything_was_acknowledged() {
    use kavka::ErrorCode;
    use kavka::protocol::ApiKey;
    let cluster = cluster();
    cluster.on(ApiKey::PRODUCE).always().error(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    let output = run(&cluster, &["perf", "produce", "-t", "orders", "-n", "100", "-s", "10"]);
    assert_eq!(output.status.code(), Some(1));
    let object: Value = serde_json::from_str(stdout(&output)).expect("JSON");
    assert_eq!((&object["records"], &object["errors"]), (&Value::from(0), &Value::from(100)));
    assert!(stderr(&output).contains("TOPIC_AUTHORIZATION_FAILED"), "{}", stderr(&output));
}

#[test]
fn an_unknown_property_is_answered_with_the_nearest_one() {
    let cluster = cluster();
    for (subcommand, wrong, right) in
        [("producer", "linger.mss=1", "linger.ms"), ("consumer", "max_pol_records=1", "max_poll_records")]
    {
        let output = run(&cluster, &[subcommand, "-t", "orders", "--property", wrong]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(&format!("did you mean {right}")), "{}", stderr(&output));
    }
    let output = run(&cluster, &["producer", "-t", "orders", "--property", "linger.ms"]);
    assert_eq!(output.status.code(), Some(2), "no = in it");
    assert!(stderr(&output).contains("KEY=VALUE"), "{}", stderr(&output));
}

#[cfg(unix)]
fn interrupt(child: &Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
}

#[test]
fn api_sends_any_request_as_json() {
    let cluster = cluster();
    let list = run(&cluster, &["api"]);
    assert_success(&list);
    assert!(stdout(&list).contains("Metadata") && stdout(&list).contains("kavka"), "{}", stdout(&list));

    let answer = run(&cluster, &["api", "metadata", "{\"topics\": [{\"name\": \"orders\"}]}"]);
    assert_success(&answer);
    let told: Value = serde_json::from_str(stdout(&answer)).expect("JSON");
    assert_eq!(told["Topics"][0]["Name"], "orders");
    assert_eq!(told["Topics"][0]["Partitions"].as_array().map(Vec::len), Some(2));
    let first = stdout(&answer).find("ThrottleTimeMs").expect("a field");
    assert!(first < stdout(&answer).find("Brokers").expect("a field"), "in the order of Kafka's schema");

    let old = run(&cluster, &["api", "Metadata", "--version", "1", "--node", "1", "{\"Topics\": null}"]);
    assert_success(&old);
    let told: Value = serde_json::from_str(stdout(&old)).expect("JSON");
    assert_eq!((told["ControllerId"].as_i64(), told.get("ThrottleTimeMs")), (Some(1), None));

    for (arguments, code, words) in [
        (&["api", "Metdata"][..], 2, "there is no API \"Metdata\""),
        (&["api", "Metadata", "{"], 2, "is not JSON"),
        (&["api", "Metadata", "{\"Topcs\": null}"], 1, "did you mean Topics?"),
        (&["api", "Metadata", "--version", "99"], 1, "not 99"),
        (&["api", "Metadata", "--node", "7"], 1, "node 7 is unknown"),
    ] {
        let output = run(&cluster, arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(words), "{arguments:?}: {}", stderr(&output));
    }
    let schema = run(&cluster, &["api", "Metadata", "--schema"]);
    assert_success(&schema);
    assert!(stdout(&schema).contains("    TopicId: uuid versions 10+"), "{}", stdout(&schema));
}
