//! The producer on a real Apache Kafka, beside other clients: who puts which key where, leaders that move, topics that
//! are made anew, quotas.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use kavka::{KafkaProducer, ProducerRecord};
use support::kafka::{Cluster, unique};
use support::peers;

const PATIENCE: Duration = Duration::from_secs(60);

/// Keys of 1 byte to 1 KiB, some of them not ASCII; none with a line break or the separator.
fn keys(count: usize) -> Vec<String> {
    let key = |index: usize| match index % 5 {
        0 => index.to_string(),
        1 => format!("order-{index}"),
        2 => format!("zażółć-{index}-ключ-键-🦀"),
        3 => format!("{index}-{}", "x".repeat(index)),
        _ => char::from_u32(0x100 + index as u32).map_or_else(String::new, String::from),
    };
    (0..count).map(key).collect()
}

/// Where each key lies.
fn places(cluster: &Cluster, topic: &str, count: usize) -> BTreeMap<String, i32> {
    let records = peers::kcat_consume(&cluster.bootstrap(), topic, count, &[]);
    let text = |key: Option<Vec<u8>>| String::from_utf8(key.expect("a key")).expect("text");
    let places: BTreeMap<String, i32> =
        records.into_iter().map(|record| (text(record.key), record.partition)).collect();
    assert_eq!(places.len(), count, "each key once");
    places
}

fn send_all(cluster: &Cluster, topic: &str, partitioner: &str, keys: &[String]) {
    let producer = KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap())
        .set("partitioner", partitioner)
        .linger(Duration::from_millis(5))
        .build()
        .unwrap();
    let handles: Vec<_> = keys
        .iter()
        .map(|key| producer.send(ProducerRecord::new(topic).key(key).value("v")).unwrap())
        .collect();
    handles.iter().for_each(|handle| drop(handle.get(PATIENCE).unwrap()));
}

#[test]
fn a_key_has_the_same_place_as_with_java_kafka_python_and_librdkafka() {
    let cluster = Cluster::shared();
    let bootstrap = cluster.bootstrap();
    let keys = keys(1_000);
    let lines: Vec<String> = keys.iter().map(|key| format!("{key}|v")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for partitions in [7, 32] {
        let topic = |client: &str| {
            let topic = unique(client);
            cluster.create_topic(&topic, partitions, &[]);
            topic
        };
        let (ours, java, python, kcat) = (topic("ours"), topic("java"), topic("python"), topic("kcat"));
        send_all(cluster, &ours, "default", &keys);
        let arguments = ["--reader-property", "parse.key=true", "--reader-property", "key.separator=|"];
        peers::java_console_produce(&bootstrap, &java, &lines, &arguments);
        peers::kcat_produce(&bootstrap, &kcat, &lines, &["-K|", "-X", "topic.partitioner=murmur2_random"]);
        let script = "
import sys, kafka
producer = kafka.KafkaProducer(bootstrap_servers=sys.argv[1])
for key in sys.argv[3:]:
    producer.send(sys.argv[2], key=key.encode(), value=b'v')
producer.flush()
producer.close()";
        let arguments: Vec<&str> =
            [bootstrap.as_str(), &python].into_iter().chain(keys.iter().map(String::as_str)).collect();
        peers::python(script, &arguments);

        let expected = places(cluster, &java, keys.len());
        assert_eq!(places(cluster, &ours, keys.len()), expected, "{partitions} partitions");
        assert_eq!(places(cluster, &python, keys.len()), expected, "kafka-python, {partitions} partitions");
        assert_eq!(places(cluster, &kcat, keys.len()), expected, "librdkafka, {partitions} partitions");
    }
}

#[test]
fn partitioners_by_librdkafkas_names_do_what_librdkafka_does() {
    let cluster = Cluster::shared();
    let keys = keys(300);
    let lines: Vec<String> = keys.iter().map(|key| format!("{key}|v")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for partitioner in ["consistent", "consistent_random", "murmur2", "fnv1a", "fnv1a_random"] {
        let (ours, theirs) = (unique("ours"), unique("theirs"));
        [&ours, &theirs].into_iter().for_each(|topic| cluster.create_topic(topic, 7, &[]));
        send_all(cluster, &ours, partitioner, &keys);
        let property = format!("topic.partitioner={partitioner}");
        peers::kcat_produce(&cluster.bootstrap(), &theirs, &lines, &["-K|", "-X", &property]);
        assert_eq!(places(cluster, &ours, keys.len()), places(cluster, &theirs, keys.len()), "{partitioner}");
    }
}
