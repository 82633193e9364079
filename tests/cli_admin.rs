//! `kavka admin` against the mock cluster: the binary itself, with its output and exit codes.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use kavka::ErrorCode;
use kavka::mock::MockCluster;
use kavka::protocol::ApiKey;
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
