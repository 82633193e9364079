//! The test rig itself: real brokers come up, die, freeze and come back, and other clients reach them.

mod support;

use std::fs;
use std::time::Duration;

use support::kafka::{Cluster, unique, wait_until};
use support::{peers, wire};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn one_broker_serves_other_clients() {
    let cluster = Cluster::shared();
    let topic = unique("peers");
    cluster.create_topic(&topic, 2, &[("retention.ms", "86400000")]);

    let described = cluster.tool("org.apache.kafka.tools.TopicCommand", &["--describe", "--topic", &topic]);
    let described = described.expect_success("describe").text();
    assert!(described.contains("PartitionCount: 2"), "{described}");
    assert!(described.contains("retention.ms=86400000"), "{described}");

    let bootstrap = cluster.bootstrap();
    peers::kcat_produce(&bootstrap, &topic, &["a:one", "b:two"], &["-K:", "-p0", "-z", "lz4", "-H", "h=x"]);
    peers::java_console_produce(&bootstrap, &topic, &["three"], &["--compression-codec", "zstd"]);

    let mut records = peers::kcat_consume(&bootstrap, &topic, 3, &[]);
    records.sort_by_key(|record| (record.key.is_none(), record.offset));
    let values: Vec<_> = records.iter().filter_map(|record| record.value.as_deref()).collect();
    assert_eq!(values, [&b"one"[..], b"two", b"three"]);
    assert_eq!((records[0].partition, records[0].offset), (0, 0));
    assert_eq!(records[0].key.as_deref(), Some(&b"a"[..]));
    assert_eq!(records[0].headers, "h=x");

    let mut lines = peers::java_console_consume(&bootstrap, &topic, 3, &[]);
    lines.sort_unstable();
    assert_eq!(lines, ["one", "three", "two"]);

    let script = "
import sys, kafka
consumer = kafka.KafkaConsumer(
    sys.argv[2], bootstrap_servers=sys.argv[1], auto_offset_reset='earliest', consumer_timeout_ms=20000)
print(*sorted(next(consumer).value.decode() for _ in range(3)))";
    assert_eq!(peers::python(script, &[&bootstrap, &topic]).trim(), "one three two");
}

#[test]
fn topics_are_made_on_first_use_when_asked_for() {
    let cluster = Cluster::start(1, |config| {
        config.set("auto.create.topics.enable", true).set("num.partitions", 3);
    });
    peers::kcat_produce(&cluster.bootstrap(), "fresh", &["x"], &[]);
    assert_eq!(cluster.partitions("fresh").len(), 3);
}

#[test]
fn three_brokers_survive_a_death_a_stop_and_a_freeze() {
    let cluster = Cluster::start(3, |config| {
        config.set("broker.rack", "rack-{node}");
    });
    cluster.create_topic("orders", 3, &[]);
    cluster.wait_in_sync("orders");
    assert!(cluster.partitions("orders").iter().all(|partition| partition.replicas.len() == 3));

    let leader = cluster.leader("orders", 0);
    cluster.kill(leader);
    wait_until("another broker leads", PATIENCE, || cluster.leader("orders", 0) != leader);
    cluster.start_node(leader);
    cluster.wait_in_sync("orders");

    cluster.stop(leader);
    cluster.start_node(leader);
    cluster.wait_in_sync("orders");
    let log = fs::read_to_string(cluster.log_path(leader)).expect("the broker's log");
    assert!(log.contains("shut down completed"), "stop() is an orderly shutdown");

    let frozen = cluster.leader("orders", 0);
    cluster.pause(frozen);
    let others = |id: &i32| *id != frozen;
    let addresses: Vec<_> = cluster.bootstrap().split(',').map(|text| text.parse().unwrap()).collect();
    let alive: Vec<_> = cluster.node_ids().into_iter().filter(others).collect();
    let first = usize::try_from(alive[0] - 1).unwrap();
    wait_until("a live broker sees the frozen one as gone", PATIENCE, || {
        wire::metadata(addresses[first], None).is_ok_and(|seen| seen.brokers == alive)
    });
    cluster.resume(frozen);
    cluster.wait_in_sync("orders");
}
