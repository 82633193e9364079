//! `kavka admin` on the mock: configs, partitions and the cluster, with their output and exit codes.

use std::process::{Command, Output, Stdio};

use kavka::mock::MockCluster;
use serde_json::{Value, json};

/// Runs `kavka admin` on a cluster.
fn admin(cluster: &MockCluster, arguments: &[&str]) -> Output {
    let servers = cluster.bootstrap_servers();
    Command::new(env!("CARGO_BIN_EXE_kavka"))
        .args(["admin", "-b", &servers])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// Runs it and reads the JSON that it prints.
#[track_caller]
fn json(cluster: &MockCluster, arguments: &[&str]) -> Value {
    let output = admin(cluster, &[arguments, &["--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(0), "stderr: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

/// Runs it and takes the table that it prints.
#[track_caller]
fn table(cluster: &MockCluster, arguments: &[&str]) -> String {
    let output = admin(cluster, arguments);
    assert_eq!(output.status.code(), Some(0), "stderr: {}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

#[test]
fn options_are_shown_changed_and_reset() {
    let cluster = MockCluster::builder().topic("orders", 1).start().expect("a cluster");
    let on = ["-r", "topic", "-n", "orders"];
    let with = |command: &'static str, more: &[&'static str]| -> Vec<&'static str> {
        [&["configs", command], &on[..], more].concat()
    };
    let altered =
        table(&cluster, &with("alter", &["-c", "retention.ms=1000", "-c", "cleanup.policy=add(compact)"]));
    assert_eq!(altered, "RESOURCE-TYPE  RESOURCE-NAME  STATUS\nTOPIC          orders         altered\n");
    let shown = json(&cluster, &with("describe", &["--modified"]));
    let values: Vec<_> = shown
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| (row["config"].as_str(), row["value"].as_str(), row["source"].as_str()))
        .collect();
    let source = Some("DYNAMIC_TOPIC_CONFIG");
    let expected =
        [(Some("cleanup.policy"), Some("compact"), source), (Some("retention.ms"), Some("1000"), source)];
    assert_eq!(values, expected);
    let shown = table(&cluster, &with("describe", &["--default", "-c", "retention.ms,min.insync.replicas"]));
    assert!(!shown.contains("retention.ms"), "it was changed: {shown}");
    json(&cluster, &with("alter", &["-c", "retention.ms=5", "--validate-only"]));
    json(&cluster, &with("alter", &["-c", "cleanup.policy=del()"]));

    let output = admin(&cluster, &with("reset", &[]));
    assert_eq!(output.status.code(), Some(2), "everything is reset only when it is confirmed");
    let rest = json(&cluster, &with("describe", &["--modified"]));
    assert_eq!((rest[0]["config"].as_str(), rest[0]["value"].as_str()), (Some("retention.ms"), Some("1000")));
    json(&cluster, &with("reset", &["--yes"]));
    assert_eq!(json(&cluster, &with("describe", &["--modified"])), json!([]));
    json(&cluster, &with("alter", &["--force-alter", "--yes", "-c", "retention.ms=7"]));
    assert_eq!(json(&cluster, &with("describe", &["--modified"]))[0]["value"], "7");

    let output = admin(&cluster, &["configs", "describe", "-r", "topic", "-n", "nothing,orders"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("UNKNOWN_TOPIC_OR_PARTITION"), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("retention.ms"), "the other one is shown");
    let output = admin(&cluster, &["configs", "describe", "-r", "planet", "-n", "mars"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("BROKER_LOGGER"), "{}", text(&output.stderr));
}

#[test]
fn offsets_records_leaders_and_moves() {
    let cluster = MockCluster::builder().brokers(2).start().expect("a cluster");
    let created =
        json(&cluster, &["topics", "create", "-t", "orders", "-a", "0:1,2", "-a", "1:2,1", "--wait"]);
    assert_eq!(created[0]["partitions"], 2);
    let producer = kavka::KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap_servers())
        .build()
        .expect("valid options");
    for _ in 0..4 {
        producer.send(kavka::ProducerRecord::new("orders").value("x").partition(1)).expect("sent");
    }
    producer.flush(std::time::Duration::from_secs(10)).expect("written");
    let offsets = |arguments: &[&str]| -> Vec<Option<i64>> {
        let rows = json(&cluster, &[&["partitions", "list-offsets"], arguments].concat());
        rows.as_array().expect("a list").iter().map(|row| row["offset"].as_i64()).collect()
    };
    assert_eq!(offsets(&["-t", "orders"]), [Some(0), Some(4)]);
    assert_eq!(offsets(&["-p", "orders:1:latest", "-p", "orders:0-1:earliest"]), [Some(4), Some(0), Some(0)]);
    let output = admin(&cluster, &["partitions", "list-offsets", "-t", "nothing,orders"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("nothing") && text(&output.stdout).contains("orders"));

    let some = ["-p", "orders:7-:latest", "-p", "nothing:*:latest", "-p", "orders:1-:latest"];
    let output = admin(&cluster, &[&["partitions", "list-offsets"], &some[..]].concat());
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(
        told.contains("orders") && told.contains("the topic has 2") && told.contains("nothing"),
        "{told}"
    );
    assert_eq!(text(&output.stdout).lines().count(), 2, "a head, and the offset of the one that is there");

    let delete = ["partitions", "delete-records", "-r", "orders:1:3"];
    assert_eq!(admin(&cluster, &delete).status.code(), Some(2), "not without a word");
    let deleted = json(&cluster, &[&delete[..], &["--yes"]].concat());
    assert_eq!(deleted, json!([{"topic": "orders", "partition": 1, "low_watermark": 3}]));

    cluster.move_leader("orders", 0, 2).expect("moved");
    let elected = table(&cluster, &["partitions", "elect-leaders", "-t", "orders"]);
    let expected = "TOPIC   PARTITION  STATUS\norders          0  elected\norders          1  not needed\n";
    assert_eq!(elected, expected);
    json(&cluster, &["partitions", "alter-reassignments", "-r", "orders:0=2"]);
    let page = json(&cluster, &["partitions", "describe", "-t", "orders", "--response-partition-limit", "1"]);
    assert_eq!(page[0]["partitions"][0]["replicas"], json!([2]));
    assert_eq!(page[1], json!({"cursor_topic": "orders", "cursor_partition": 1}));
    let cursor = ["--cursor-topic", "orders", "--cursor-partition", "1"];
    let page = json(&cluster, &[&["partitions", "describe", "-t", "orders"], &cursor[..]].concat());
    assert_eq!(page[0]["partitions"][0]["partition"], 1);
    assert_eq!(json(&cluster, &["partitions", "list-reassignments"]), json!([]));
    let output = admin(&cluster, &["partitions", "alter-reassignments", "-r", "orders:1=cancel"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("NO_REASSIGNMENT_IN_PROGRESS"), "{}", text(&output.stderr));
}

#[test]
fn the_cluster_and_what_it_speaks() {
    let cluster = MockCluster::builder().brokers(2).start().expect("a cluster");
    let spoken = json(&cluster, &["cluster", "api-versions", "-k", "fetch"]);
    assert_eq!(spoken[1]["broker"], 2);
    assert_eq!(
        (&spoken[1]["apis"][0]["name"], &spoken[1]["apis"][0]["api_key"]),
        (&json!("Fetch"), &json!(1))
    );
    let release = json(&cluster, &["cluster", "broker-version", "--broker", "1"]);
    assert!(release["release"].is_string(), "{release}");
    let described = json(&cluster, &["cluster", "describe", "--include-fenced"]);
    assert_eq!(described["brokers"][0]["is_fenced"], false);

    for (arguments, code, word) in [
        (&["cluster", "broker-version", "--broker", "9"][..], 1, "node 9 is not part of the cluster"),
        (&["cluster", "unregister-broker", "--broker", "1"], 2, "--yes"),
        (&["quorum", "describe"], 1, "needs Kafka 3.3 or newer (DescribeQuorum API)"),
        (&["cluster", "describe-quorum"], 1, "DescribeQuorum"),
        (
            &["quorum", "add-voter", "--voter-id", "4", "--directory-id", "x", "--endpoint", "C://h:1"],
            2,
            "uuid",
        ),
        (&["log-dirs", "describe"], 1, "DescribeLogDirs"),
        (&["log-dirs", "alter", "-a", "orders:0:1"], 2, "TOPIC:PART:BROKER=PATH"),
        (&["features", "update", "-f", "group.version"], 2, "NAME=LEVEL"),
        (&["features", "update", "-f", "group.version=1"], 1, "UpdateFeatures"),
        (&["client-metrics", "alter", "--name", "m"], 2, "--interval"),
        (&["client-metrics", "list"], 1, "ListConfigResources"),
    ] {
        let output = admin(&cluster, arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
        let told = text(&output.stderr);
        assert!(told.to_lowercase().contains(&word.to_lowercase()), "{arguments:?}: {told}");
    }
}
