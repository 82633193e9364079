//! `kavka admin` against the mock cluster: the binary itself, with its output and exit codes.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use kavka::mock::MockCluster;
use kavka::protocol::ApiKey;
use kavka::{ErrorCode, KafkaConsumer, KafkaProducer, ProducerRecord};
use serde_json::{Value, json};

fn cluster() -> MockCluster {
    MockCluster::builder().topic("orders", 2).start().expect("a cluster")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kavka"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs `kavka admin` on a cluster.
fn admin(cluster: &MockCluster, arguments: &[&str]) -> Output {
    let servers = cluster.bootstrap_servers();
    command(&["admin", "-b", &servers]).args(arguments).output().expect("the binary runs")
}

/// Runs it and reads the JSON that it prints.
#[track_caller]
fn json(cluster: &MockCluster, arguments: &[&str]) -> Value {
    let output = admin(cluster, &[arguments, &["--format", "json"]].concat());
    assert_eq!(output.status.code(), Some(0), "stderr: {}", stderr(&output));
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

/// Runs it and takes the table that it prints.
#[track_caller]
fn table(cluster: &MockCluster, arguments: &[&str]) -> String {
    let output = admin(cluster, arguments);
    assert_eq!(output.status.code(), Some(0), "stderr: {}", stderr(&output));
    stdout(&output).to_owned()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("UTF-8")
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("UTF-8")
}

#[test]
fn topics_from_creation_to_deletion() {
    let cluster = cluster();
    let created = json(
        &cluster,
        &["topics", "create", "-t", "new", "--num-partitions", "3", "-c", "retention.ms=1000"],
    );
    let id = cluster.topic_id("new").expect("it exists").to_string();
    assert_eq!(
        (&created[0]["topic"], &created[0]["status"], &created[0]["id"]),
        (&json!("new"), &json!("created"), &json!(id))
    );
    assert_eq!(table(&cluster, &["topics", "list"]), "TOPIC\nnew\norders\n");
    let described = json(&cluster, &["topics", "describe", "-t", "new", "--id", &id]);
    assert_eq!(described[0], described[1], "by name and by id");
    assert_eq!(described[0]["partitions"].as_array().map(Vec::len), Some(3));
    assert_eq!(described[0]["partitions"][2]["partition"], 2);
    let sheet = table(&cluster, &["topics", "describe", "-t", "new"]);
    assert!(sheet.contains("PARTITION  LEADER  LEADER-EPOCH  REPLICAS"), "{sheet}");

    let added = table(&cluster, &["partitions", "create", "-p", "new:5"]);
    assert_eq!((added.as_str(), cluster.partitions("new")), ("TOPIC  STATUS\nnew    created\n", 5));
    let deleted = table(&cluster, &["topics", "delete", "-t", "new", "--yes"]);
    assert_eq!(deleted, "TOPIC  STATUS\nnew    deleted\n");
    assert_eq!(cluster.topics(), ["orders"]);
}

#[test]
fn one_thing_that_fails_does_not_hide_the_others() {
    let cluster = cluster();
    let output = admin(&cluster, &["topics", "describe", "-t", "orders,nothing"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("orders"), "{}", stdout(&output));
    let text = stderr(&output);
    assert!(text.contains("nothing") && text.contains("UNKNOWN_TOPIC_OR_PARTITION"), "{text}");

    let output = admin(&cluster, &["topics", "describe", "-t", "orders,nothing", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON all the same");
    assert_eq!(document[0]["name"], "orders");
    assert_eq!(
        (&document[1]["topic"], &document[1]["error_code"]),
        (&json!("nothing"), &json!("UNKNOWN_TOPIC_OR_PARTITION"))
    );
}

#[test]
fn what_exists_or_is_only_checked_is_left_alone() {
    let cluster = cluster();
    let output = admin(&cluster, &["topics", "create", "-t", "orders"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("TOPIC_ALREADY_EXISTS"), "{}", stderr(&output));
    let exists = table(&cluster, &["topics", "create", "-t", "orders", "--if-not-exists"]);
    assert_eq!(exists, "TOPIC   STATUS\norders  exists\n");
    // It may just be on its way.
    let fault = cluster.on(ApiKey::METADATA).nth(2..=3).error(ErrorCode::LEADER_NOT_AVAILABLE);
    let exists = table(&cluster, &["topics", "create", "-t", "orders", "--if-not-exists", "--wait"]);
    assert_eq!((exists.as_str(), fault.hits()), ("TOPIC   STATUS\norders  exists\n", 2));
    let valid = json(&cluster, &["topics", "create", "-t", "new", "--validate-only"]);
    assert_eq!(valid[0]["status"], "valid");
    assert_eq!(cluster.topics(), ["orders"]);
}

#[test]
fn nothing_is_deleted_without_a_word() {
    let cluster = cluster();
    let output = admin(&cluster, &["topics", "delete", "-t", "orders"]);
    assert_eq!(output.status.code(), Some(2), "there is no terminal to ask on");
    assert!(stderr(&output).contains("--yes"), "{}", stderr(&output));
    assert_eq!(cluster.topics(), ["orders"]);
}

#[test]
fn the_cluster_is_described() {
    let cluster = MockCluster::builder().brokers(2).cluster_id("c1").start().expect("a cluster");
    let described = json(&cluster, &["cluster", "describe"]);
    assert_eq!(described["cluster_id"], "c1");
    assert_eq!(described["brokers"][1]["broker"], 2);
}

#[test]
fn the_command_line_is_checked_first() {
    for (arguments, word) in [
        (&["admin", "topics", "list"][..], "bootstrap.servers"),
        (&["admin", "-b", "localhost:1", "topics", "describe"], "--topic"),
        (&["admin", "-b", "localhost:1", "topics", "list", "--timeout", "never"], "500ms"),
        (&["admin", "-b", "localhost:1", "topics", "create", "-t", "a", "-c", "x"], "KEY=VALUE"),
        (&["admin", "-b", "localhost:1", "topics", "list", "--format", "xml"], "json"),
        (&["admin", "-b", "localhost:1", "nonsense"], "nonsense"),
    ] {
        let output = command(arguments).output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(word), "{arguments:?}: {}", stderr(&output));
    }
    let output = command(&["admin", "-b", "localhost:1", "topics", "list", "-C", "request.timeout.mss=1"])
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("did you mean request.timeout.ms"), "{}", stderr(&output));
}

#[test]
fn options_come_from_a_file_and_from_the_command_line() {
    let cluster = cluster();
    let path = std::env::temp_dir().join(format!("kavka-admin-{}.properties", std::process::id()));
    let mut file = std::fs::File::create(&path).expect("a file");
    // Shared with a producer, as such files are.
    writeln!(file, "bootstrap.servers={}\nacks=all\nclient.id=from-file", cluster.bootstrap_servers())
        .expect("written");
    let path_text = path.to_str().expect("UTF-8");
    let output = command(&["admin", "topics", "list", "--command-config", path_text])
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "TOPIC\norders\n");
    writeln!(file, "retries.backoff.ms=1").expect("written");
    let output = command(&["admin", "topics", "list", "--command-config", path_text])
        .output()
        .expect("the binary runs");
    std::fs::remove_file(&path).expect("it is there");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("retry.backoff.ms"), "{}", stderr(&output));
}

#[test]
fn a_command_ends_in_time() {
    let cluster = cluster();
    cluster.on(ApiKey::METADATA).always().never_answer();
    let output = admin(&cluster, &["topics", "list", "--timeout", "300ms"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("timed out"), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
}

#[test]
fn a_request_without_an_answer_leaves_time_for_another() {
    let cluster = cluster();
    // Half of the time for each of three tries would be too much.
    for (arguments, lost) in
        [(&["--timeout", "6s"][..], 1), (&["--timeout", "20s", "-C", "request.timeout.ms=500"], 3)]
    {
        let fault = cluster.on(ApiKey::LIST_GROUPS).times(lost).never_answer();
        let output = admin(&cluster, &[&["groups", "list"], arguments].concat());
        assert_eq!((output.status.code(), fault.hits()), (Some(0), lost), "{}", stderr(&output));
    }
}

#[test]
fn an_id_may_begin_like_an_option() {
    let cluster = cluster();
    let output = admin(&cluster, &["topics", "describe", "--id", "-BCDEFGHSrKLMNOPQRSTUQ"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("UNKNOWN_TOPIC_ID"), "{}", stderr(&output));
}

#[test]
fn refusals_are_told() {
    let cluster = cluster();
    cluster.on(ApiKey::CREATE_TOPICS).error(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    let output = admin(&cluster, &["topics", "create", "-t", "secret"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("TOPIC_AUTHORIZATION_FAILED"), "{}", stderr(&output));
}

#[test]
fn shells_get_their_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = command(&["completions", shell]).output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(stdout(&output).contains("topics"), "{shell}");
    }
}

#[test]
fn groups_and_their_offsets() {
    let cluster = cluster();
    let producer = KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap_servers())
        .build()
        .expect("valid options");
    for time in [1_000, 2_000, 3_000] {
        producer.send(ProducerRecord::new("orders").partition(0).timestamp(time).value("x")).expect("sent");
    }
    producer.close(Duration::from_secs(5)).expect("all written");

    let set = ["groups", "alter-offsets", "-g", "billing", "-o", "orders:0:1", "-o", "orders:1:0", "--yes"];
    assert_eq!(json(&cluster, &set)[0]["status"], "set");
    let listed = json(&cluster, &["groups", "list"]);
    assert_eq!((&listed[0]["group"], &listed[0]["state"]), (&json!("billing"), &json!("Empty")));
    assert_eq!(json(&cluster, &["groups", "list", "--state", "stable"]), json!([]));
    assert_eq!(json(&cluster, &["groups", "list", "--type", "classic"])[0]["type"], "classic");
    let described = json(&cluster, &["groups", "describe", "-g", "billing"]);
    assert_eq!((&described[0]["group"], &described[0]["members"]), (&json!("billing"), &json!([])));

    let offsets = json(&cluster, &["groups", "list-offsets", "-g", "billing"]);
    let row = |index: usize| {
        let row = &offsets[index];
        (row["partition"].as_i64(), row["offset"].as_i64(), row["end_offset"].as_i64(), row["lag"].as_i64())
    };
    assert_eq!(row(0), (Some(0), Some(1), Some(3), Some(2)));
    assert_eq!(row(1), (Some(1), Some(0), Some(0), Some(0)));

    let reset = |arguments: &[&str]| {
        let all =
            [&["groups", "reset-offsets", "-g", "billing", "-p", "orders:0", "--yes"], arguments].concat();
        json(&cluster, &all)[0]["offset"].as_i64()
    };
    assert_eq!(reset(&["--shift-by", "-5", "--dry-run"]), Some(0));
    assert_eq!(cluster.committed("billing", "orders", 0), Some(1), "nothing was moved");
    for (arguments, expected) in [
        (&["--shift-by", "1"][..], 2),
        (&["--spec", "earliest"], 0),
        (&["--to-latest"], 3),
        (&["--to-offset", "2"], 2),
        (&["--to-current"], 2),
        (&["--to-datetime", "1970-01-01T00:00:02Z"], 1),
        (&["--spec", "3000"], 2),
        (&["--by-duration", "P7D"], 3),
        (&["--to-offset", "99"], 3),
    ] {
        assert_eq!(reset(arguments), Some(expected), "{arguments:?}");
        assert_eq!(cluster.committed("billing", "orders", 0), Some(expected), "{arguments:?}");
    }
    let all = json(&cluster, &["groups", "reset-offsets", "-g", "billing", "--to-earliest", "--yes"]);
    assert_eq!(all.as_array().map(Vec::len), Some(2), "all that the group has offsets for");

    // A range without partitions and an unknown topic are errors, and keep nobody else's offsets.
    for command in [&["reset-offsets", "--to-latest", "--dry-run"][..], &["delete-offsets"]] {
        let some = ["-g", "billing", "-p", "orders:7-", "-p", "nothing:*", "-p", "orders:1-", "--yes"];
        let output = admin(&cluster, &[&["groups"], command, &some].concat());
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(
            told.contains("orders") && told.contains("the topic has 2") && told.contains("nothing"),
            "{told}"
        );
        assert!(stdout(&output).contains("orders          1"), "{}", stdout(&output));
        let output = admin(&cluster, &[&["groups"], command, &some[..4]].concat());
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), ""));
    }
    let deleted = table(&cluster, &["groups", "delete-offsets", "-g", "billing", "-p", "orders:*", "--yes"]);
    assert!(deleted.contains("deleted"), "{deleted}");
    assert_eq!(cluster.committed("billing", "orders", 0), None);
    let output = admin(&cluster, &["groups", "delete", "-g", "billing,nobody", "--yes"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("billing") && stderr(&output).contains("group nobody"), "{output:?}");
}

#[test]
fn members_are_shown_and_taken_out() {
    let cluster = cluster();
    let mut consumer = KafkaConsumer::builder()
        .bootstrap_servers(cluster.bootstrap_servers())
        .group_id("billing")
        .client_id("till")
        .group_instance_id("till-7")
        .build()
        .expect("valid options");
    consumer.subscribe(["orders"]).expect("a topic");
    while consumer.assignment().len() < 2 {
        consumer.poll(Duration::from_millis(50)).expect("no error");
    }
    let sheet = table(&cluster, &["groups", "describe", "-g", "billing"]);
    assert!(
        sheet.contains("Stable") && sheet.contains("till-7") && sheet.contains("orders:0,orders:1"),
        "{sheet}"
    );
    let output = admin(&cluster, &["groups", "alter-offsets", "-g", "billing", "-o", "orders:0:1", "--yes"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("stop them first"), "{}", stderr(&output));
    let output = admin(&cluster, &["groups", "delete-offsets", "-g", "billing", "-p", "orders:0", "--yes"]);
    assert!(stderr(&output).contains("GROUP_SUBSCRIBED_TO_TOPIC"), "{}", stderr(&output));
    let output = admin(&cluster, &["groups", "remove-members", "-g", "billing", "--yes"]);
    assert_eq!(output.status.code(), Some(2), "nobody is named");
    let removed = json(
        &cluster,
        &["groups", "remove-members", "-g", "billing", "-i", "till-7", "--reason", "gone", "--yes"],
    );
    assert_eq!(removed[0], json!({"member": "till-7", "status": "removed"}));
}

#[test]
fn access_control_is_kept() {
    let cluster = cluster();
    let rule = ["--principal", "User:alice", "--operation", "read", "--resource-type", "topic"];
    for (name, pattern) in [("orders", "literal"), ("ord", "prefixed")] {
        let created = json(
            &cluster,
            &[&["acls", "create"], &rule[..], &["--resource-name", name, "--pattern-type", pattern]].concat(),
        );
        assert_eq!((&created[0]["status"], &created[0]["host"]), (&json!("created"), &json!("*")));
    }
    let matching = [
        "acls",
        "describe",
        "--resource-type",
        "topic",
        "--resource-name",
        "orders",
        "--pattern-type",
        "match",
    ];
    assert_eq!(json(&cluster, &matching).as_array().map(Vec::len), Some(2));
    let output = admin(
        &cluster,
        &[&["acls", "create", "--resource-name", "x"], &rule[..4], &["--resource-type", "any"]].concat(),
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("definite resource type"), "{}", stderr(&output));
    let output = admin(&cluster, &["acls", "delete", "--principal", "User:alice"]);
    assert_eq!(output.status.code(), Some(2), "it asks first");
    let removed = json(&cluster, &["acls", "delete", "--pattern-type", "prefixed", "--yes"]);
    assert_eq!((removed.as_array().map(Vec::len), &removed[0]["resource_name"]), (Some(1), &json!("ord")));
    assert_eq!(json(&cluster, &["acls", "describe"]).as_array().map(Vec::len), Some(1));
}

#[test]
fn quotas_are_kept() {
    let cluster = cluster();
    let altered = json(
        &cluster,
        &["quotas", "alter", "--user", "alice", "--default-client-id", "-s", "producer_byte_rate=1000"],
    );
    assert_eq!(altered[0], json!({"entity": {"client-id": null, "user": "alice"}, "status": "altered"}));
    json(&cluster, &["quotas", "alter", "--default-user", "-s", "request_percentage=50.5"]);
    let described = json(&cluster, &["quotas", "describe", "--user", "alice"]);
    assert_eq!(described[0]["quotas"], json!({"producer_byte_rate": 1000.0}));
    assert_eq!(
        json(&cluster, &["quotas", "describe", "--any", "user", "--strict"])[0]["entity"],
        json!({"user": null})
    );
    let text = table(&cluster, &["quotas", "describe"]);
    assert!(text.contains("user=<default>"), "{text}");
    let output = admin(&cluster, &["quotas", "alter", "--ip", "::1", "-s", "nonsense=1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("INVALID_REQUEST"), "{}", stderr(&output));
    let output = admin(&cluster, &["quotas", "alter", "-s", "producer_byte_rate=1"]);
    assert_eq!(output.status.code(), Some(2), "nobody is named");
    json(&cluster, &["quotas", "alter", "--default-user", "-r", "request_percentage"]);
    assert_eq!(json(&cluster, &["quotas", "describe", "--default-user"]), json!([]));
}

#[test]
fn passwords_are_set_and_never_shown() {
    let cluster = cluster();
    let altered = json(
        &cluster,
        &[
            "users",
            "alter-scram-credentials",
            "--upsert",
            "alice:SCRAM-SHA-512:hu:sh",
            "--iterations",
            "8192",
        ],
    );
    assert_eq!(altered[0], json!({"user": "alice", "status": "altered"}));
    let expected = json!([{"user": "alice", "mechanism": "SCRAM-SHA-512", "iterations": 8192}]);
    assert_eq!(json(&cluster, &["users", "describe-scram-credentials"]), expected);

    let servers = cluster.bootstrap_servers();
    let mut child = command(&["admin", "-b", &servers, "users", "alter-scram-credentials", "-l", "trace"])
        .args(["--upsert", "bob:scram-sha-256"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    child.stdin.take().expect("a pipe").write_all(b"opensesame\n").expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(!stderr(&output).contains("opensesame"), "{}", stderr(&output));

    let arguments = ["users", "alter-scram-credentials", "--delete", "bob:SCRAM-SHA-512", "--yes"];
    let output = admin(&cluster, &arguments);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("RESOURCE_NOT_FOUND"), "{}", stderr(&output));
    let output = admin(&cluster, &["users", "alter-scram-credentials", "--upsert", "bob:MD5:x"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("SCRAM-SHA-256"), "{}", stderr(&output));
}

#[test]
fn transactions_are_listed_and_fenced() {
    let cluster = cluster();
    let fenced = json(&cluster, &["transactions", "fence", "-i", "billing-1", "--yes"]);
    assert_eq!(
        (&fenced[0]["transactional_id"], &fenced[0]["producer_epoch"]),
        (&json!("billing-1"), &json!(0))
    );
    let listed = json(&cluster, &["transactions", "list", "--id-pattern", "billing-.*"]);
    assert_eq!((&listed[0]["transactional_id"], &listed[0]["state"]), (&json!("billing-1"), &json!("Empty")));
    assert_eq!(json(&cluster, &["transactions", "list", "--id-pattern", "billing"]), json!([]));
    let output = admin(&cluster, &["transactions", "list", "--id-pattern", "billing-("]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("INVALID_REGULAR_EXPRESSION"), "{}", stderr(&output));
    assert_eq!(json(&cluster, &["transactions", "list", "--state", "Ongoing"]), json!([]));
    let described = json(&cluster, &["transactions", "describe", "-i", "billing-1"]);
    assert_eq!(
        (&described[0]["producer_id"], &described[0]["partitions"]),
        (&fenced[0]["producer_id"], &json!([]))
    );
    let output = admin(&cluster, &["transactions", "describe", "-i", "nobody"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("TRANSACTIONAL_ID_NOT_FOUND"), "{}", stderr(&output));
    assert_eq!(json(&cluster, &["transactions", "find-hanging"]), json!([]));
    assert_eq!(
        json(&cluster, &["transactions", "describe-producers", "-t", "orders", "-p", "0,1"]),
        json!([])
    );
    let output = admin(
        &cluster,
        &["transactions", "abort", "-t", "orders", "-p", "0", "--start-offset", "7", "--yes"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no open transaction begins at offset 7"), "{}", stderr(&output));
    json(&cluster, &["transactions", "terminate", "-i", "billing-1", "--yes"]);
}

#[test]
fn what_the_brokers_lack_is_named() {
    let cluster = cluster();
    let output = admin(&cluster, &["tokens", "describe"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("needs Kafka 1.1"), "{}", stderr(&output));
    let output = admin(&cluster, &["groups", "list-share-offsets", "-g", "g"]);
    assert!(stderr(&output).contains("needs Kafka 4.1"), "{}", stderr(&output));
    let output = admin(&cluster, &["tokens", "renew", "--hmac", "%%%"]);
    assert_eq!(output.status.code(), Some(2));
}
