//! MockCluster serves clients in other languages: what they write is in its logs, and they read it back, alone and
//! in a group. And its clients may be ours: the same records go round.

mod support;

use std::time::Duration;

use kavka::config::AutoOffsetReset;
use kavka::mock::MockCluster;
use kavka::{KafkaConsumer, KafkaProducer, ProducerRecord};
use support::peers;

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn kcat_writes_and_reads() {
    let cluster = MockCluster::builder().brokers(3).topic("orders", 3).start().unwrap();
    let servers = cluster.bootstrap_servers();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        peers::kcat_produce(
            &servers,
            "orders",
            &[&format!("k:{codec}")],
            &["-K:", "-p1", "-z", codec, "-H", "h=x"],
        );
    }
    let found: Vec<String> = cluster.records("orders", 1).iter().map(|record| record.value_str()).collect();
    assert_eq!(found, ["none", "gzip", "snappy", "lz4", "zstd"]);

    let producer = KafkaProducer::builder().bootstrap_servers(&servers).build().unwrap();
    producer.send(ProducerRecord::new("orders").partition(1).value("ours")).unwrap().get(PATIENCE).unwrap();
    let seen = peers::kcat_consume(&servers, "orders", 6, &["-p1"]);
    let values: Vec<_> = seen.iter().map(|record| record.value.clone().unwrap()).collect();
    assert_eq!(values, [&b"none"[..], b"gzip", b"snappy", b"lz4", b"zstd", b"ours"]);
    assert_eq!((seen[0].offset, seen[5].offset), (0, 5));
    assert_eq!(seen[0].headers, "h=x");
}

#[test]
fn kafka_python_writes_and_reads_in_a_group_and_shares_it_with_us() {
    let cluster = MockCluster::builder().brokers(2).topic("orders", 2).start().unwrap();
    let servers = cluster.bootstrap_servers();
    let script = "
import sys, kafka
producer = kafka.KafkaProducer(bootstrap_servers=sys.argv[1].split(','))
for i in range(10):
    print(producer.send('orders', key=b'k%d' % i, value=b'%d' % i).get(20).partition)
producer.close()
consumer = kafka.KafkaConsumer(
    'orders', bootstrap_servers=sys.argv[1].split(','), group_id='billing', auto_offset_reset='earliest',
    consumer_timeout_ms=20000)
print(sorted(int(next(consumer).value) for _ in range(10)))
consumer.commit()
consumer.close()";
    let printed = peers::python(script, &[&servers]);
    assert!(printed.contains("[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"), "{printed}");
    let committed: i64 =
        (0..2).filter_map(|partition| cluster.committed("billing", "orders", partition)).sum();
    assert_eq!(committed, 10);

    // Where it stopped, we go on.
    let producer = KafkaProducer::builder().bootstrap_servers(&servers).build().unwrap();
    producer.send(ProducerRecord::new("orders").value("ours")).unwrap().get(PATIENCE).unwrap();
    let mut consumer = KafkaConsumer::builder()
        .bootstrap_servers(&servers)
        .group_id("billing")
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .build()
        .unwrap();
    consumer.subscribe(["orders"]).unwrap();
    let record = consumer.iter().next().unwrap().unwrap();
    assert_eq!(record.value().as_deref(), Some(&b"ours"[..]));
}
