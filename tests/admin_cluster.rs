//! The admin client on a real Kafka, its answers beside those of Kafka's own tools.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::sync::OnceLock;
use std::time::Duration;

use kavka::admin::{
    AlterConfigOp, ConfigChanges, ConfigResource, ConfigResourceType, ConfigSource, ConfigType,
    DescribeConfigsOptions, Election, ElectionType, FeatureUpdate, KafkaAdminClient, NewPartitions, NewTopic,
    QuorumEndpoint, RecordsToDelete, TopicPartitionReplica, TopicRef,
};
use kavka::config::IsolationLevel;
use kavka::protocol::Uuid;
use kavka::{ErrorCode, ErrorKind, KafkaProducer, OffsetSpec, ProducerRecord, TopicPartition};
use support::kafka::{Cluster, tool, unique, wait_until};

const PATIENCE: Duration = Duration::from_secs(60);

/// Enough questions to any broker for each of three to have had one.
const MANY: usize = 12;

/// Three brokers, each with two log directories. Node 1 alone votes at first; an authorizer lets everybody do what
/// nobody has forbidden.
fn three() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(|| {
        Cluster::start(3, |config| {
            config.growing_quorum().more_log_dirs(1).set("broker.rack", "rack-{node}");
            config
                .set("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer")
                .set("allow.everyone.if.no.acl.found", true);
        })
    })
}

fn client(cluster: &Cluster) -> KafkaAdminClient {
    KafkaAdminClient::builder().bootstrap_servers(cluster.bootstrap()).build().expect("valid options")
}

/// The only result of a call on one thing.
#[track_caller]
fn only<K, T>(results: kavka::Result<Vec<(K, kavka::Result<T>)>>) -> kavka::Result<T> {
    let mut results = results.expect("the cluster can be reached");
    assert_eq!(results.len(), 1);
    results.remove(0).1
}

fn codes<K, T>(results: &[(K, kavka::Result<T>)]) -> Vec<Option<ErrorCode>> {
    results.iter().map(|(_, result)| result.as_ref().err().and_then(kavka::Error::code)).collect()
}

fn create(admin: &KafkaAdminClient, topic: NewTopic) -> String {
    let name = topic.name().to_owned();
    only(admin.create_topics([topic])).expect("created");
    admin.wait_for_topics([&name], PATIENCE).expect("leaders");
    name
}

fn fill(cluster: &Cluster, topic: &str, partition: i32, count: usize) {
    let producer =
        KafkaProducer::builder().bootstrap_servers(cluster.bootstrap()).build().expect("valid options");
    for number in 0..count {
        let value = number.to_string();
        producer
            .send(
                ProducerRecord::new(topic)
                    .value(&value)
                    .partition(partition)
                    .timestamp(1_000 + number as i64),
            )
            .expect("sent");
    }
    producer.flush(PATIENCE).expect("written");
}

/// What one of Kafka's tools prints.
#[track_caller]
fn java(cluster: &Cluster, class: &str, arguments: &[&str]) -> String {
    cluster.tool(class, arguments).expect_success(class).text()
}

/// The value behind `key` in a line such as `Topic: orders Partition: 0`.
fn field<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let mut words = line.split_whitespace();
    words.find(|word| word.strip_suffix(':') == Some(key))?;
    words.next()
}

fn numbers(text: &str) -> Vec<i32> {
    text.split(',').filter_map(|number| number.trim().parse().ok()).collect()
}

#[test]
fn topics_are_as_kafkas_tool_sees_them() {
    let (cluster, admin) = (three(), client(three()));
    let (orders, placed) = (unique("orders"), unique("placed"));
    let results = admin
        .create_topics([
            NewTopic::new(&orders).partitions(3).replication_factor(2).config("retention.ms", "123456"),
            NewTopic::new(&placed).assignments([(0, vec![2, 1]), (1, vec![3, 2])]),
            NewTopic::new("no/name"),
            NewTopic::new(unique("wide")).replication_factor(9),
            NewTopic::new(unique("wrong")).config("retention.ms", "soon"),
        ])
        .expect("answers");
    let expected = [
        None,
        None,
        Some(ErrorCode::INVALID_TOPIC_EXCEPTION),
        Some(ErrorCode::INVALID_REPLICATION_FACTOR),
        Some(ErrorCode::INVALID_CONFIG),
    ];
    assert_eq!(codes(&results), expected);
    let created = results[0].1.as_ref().expect("created");
    assert_eq!((created.partitions, created.replication_factor), (Some(3), Some(2)));
    assert_eq!(created.configs["retention.ms"].as_deref(), Some("123456"));
    let valid =
        admin.validate_topics([NewTopic::new(unique("never")), NewTopic::new(&orders)]).expect("answers");
    assert_eq!(codes(&valid), [None, Some(ErrorCode::TOPIC_ALREADY_EXISTS)]);
    let grown = admin
        .create_partitions([
            NewPartitions::new(&placed, 3).assignments([vec![1, 3]]),
            NewPartitions::new(&orders, 2),
            NewPartitions::new("nothing", 2),
        ])
        .expect("answers");
    let expected = [None, Some(ErrorCode::INVALID_PARTITIONS), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)];
    assert_eq!(codes(&grown), expected);
    assert_eq!(only(admin.validate_partitions([NewPartitions::new(&orders, 9)])).ok(), Some(()));
    admin.wait_for_topics([&orders, &placed], PATIENCE).expect("leaders");

    let text = java(cluster, "org.apache.kafka.tools.TopicCommand", &["--describe"]);
    assert!(!text.contains("never-"), "it was only checked");
    let described = admin.describe_topics([&orders, &placed]).expect("answers");
    for (_, topic) in &described {
        let topic = topic.as_ref().expect("known");
        let lines: Vec<&str> =
            text.lines().filter(|line| field(line, "Topic") == Some(topic.name.as_str())).collect();
        let head = lines[0];
        assert_eq!(field(head, "TopicId"), topic.id.map(|id| id.to_string()).as_deref(), "{head}");
        assert_eq!(field(head, "PartitionCount"), Some(topic.partitions.len().to_string().as_str()));
        assert_eq!(lines.len(), topic.partitions.len() + 1);
        for (line, partition) in lines[1..].iter().zip(&topic.partitions) {
            assert_eq!(field(line, "Partition"), Some(partition.partition.to_string().as_str()), "{line}");
            assert_eq!(field(line, "Leader").and_then(|id| id.parse().ok()), partition.leader, "{line}");
            assert_eq!(field(line, "Replicas").map(numbers), Some(partition.replicas.clone()), "{line}");
        }
        assert!(topic.authorized_operations.as_ref().is_some_and(|operations| operations.len() >= 5));
    }
    let by_id = TopicRef::from(created.id.expect("an id"));
    let both = admin.describe_topics([TopicRef::from(&placed), by_id.clone()]).expect("answers");
    assert_eq!(both[0].1.as_ref().map(|topic| topic.name.clone()).ok(), Some(placed.clone()));
    assert_eq!(both[1].1.as_ref().map(|topic| topic.name.clone()).ok(), Some(orders.clone()));

    let page = admin.describe_topic_partitions([&orders, &placed], 4, None).expect("a page");
    let count: usize =
        page.topics.iter().map(|(_, topic)| topic.as_ref().expect("known").partitions.len()).sum();
    assert_eq!(count, 4);
    let cursor = page.next_cursor.expect("two partitions are left");
    let rest = admin.describe_topic_partitions([&orders, &placed], 4, Some(cursor)).expect("a page");
    assert!(rest.next_cursor.is_none());
    let eligible = &rest.topics[0].1.as_ref().expect("known").partitions[0].eligible_leader_replicas;
    assert_eq!(eligible.as_deref(), Some(&[][..]), "all are in sync");

    let mut listed = admin.list_topics().expect("an answer");
    let tool = java(cluster, "org.apache.kafka.tools.TopicCommand", &["--list"]);
    // Other tests create and delete theirs meanwhile.
    listed.retain(|name| *name == orders || *name == placed);
    let theirs: Vec<&str> = tool.lines().filter(|name| *name == orders || *name == placed).collect();
    assert_eq!(listed, theirs);

    let unknown = Uuid::random([9; 16]);
    let deleted = admin
        .delete_topics([by_id, TopicRef::from(&placed), TopicRef::from("nothing"), TopicRef::from(unknown)])
        .expect("answers");
    let expected =
        [None, None, Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), Some(ErrorCode::UNKNOWN_TOPIC_ID)];
    assert_eq!(codes(&deleted), expected);
    wait_until("the topics are gone", PATIENCE, || {
        let gone = admin.describe_topics([&orders, &placed]).expect("answers");
        gone.iter()
            .all(|(_, topic)| topic.as_ref().is_err_and(|error| error.kind() == ErrorKind::UnknownTopic))
    });
    let error = admin.wait_for_topics([&orders], Duration::from_millis(300)).expect_err("it is gone");
    assert!(error.kind() == ErrorKind::Timeout && error.to_string().contains(&orders), "{error}");
}

#[test]
fn records_and_offsets_are_as_kafkas_tools_see_them() {
    let (cluster, admin) = (three(), client(three()));
    let topic = create(&admin, NewTopic::new(unique("log")).partitions(3).replication_factor(1));
    fill(cluster, &topic, 0, 10);
    fill(cluster, &topic, 1, 7);
    let at = |partition: i32| TopicPartition::new(topic.as_str(), partition);
    let wanted = [
        (at(0), OffsetSpec::Latest),
        (at(0), OffsetSpec::Earliest),
        (at(0), OffsetSpec::MaxTimestamp),
        (at(0), OffsetSpec::Timestamp(1_004)),
        (at(0), OffsetSpec::Timestamp(2_000)),
        (at(0), OffsetSpec::EarliestLocal),
        (at(0), OffsetSpec::LatestTiered),
        (at(0), OffsetSpec::EarliestPendingUpload),
        (at(2), OffsetSpec::MaxTimestamp),
        (at(7), OffsetSpec::Latest),
    ];
    let listed = admin.list_partition_offsets(wanted, IsolationLevel::ReadCommitted).expect("answers");
    let offsets: Vec<_> = listed
        .iter()
        .map(|(_, found)| found.as_ref().ok().map(|found| (found.offset, found.timestamp)))
        .collect();
    assert_eq!(offsets[0], Some((Some(10), None)));
    assert_eq!(offsets[1], Some((Some(0), None)));
    assert_eq!(offsets[2], Some((Some(9), Some(1_009))));
    assert_eq!(offsets[3], Some((Some(4), Some(1_004))));
    assert_eq!(offsets[4], Some((None, None)), "no record is that young");
    assert_eq!(offsets[5], Some((Some(0), None)));
    assert_eq!(offsets[6], Some((None, None)), "nothing is tiered");
    assert_eq!(offsets[8], Some((None, None)), "no record at all");
    let error = listed[9].1.as_ref().expect_err("no such partition");
    assert_eq!((error.kind(), error.partition()), (ErrorKind::UnknownTopic, Some(7)));

    let deleted = admin
        .delete_records([
            (at(0), RecordsToDelete::BeforeOffset(4)),
            (at(1), RecordsToDelete::All),
            (at(2), RecordsToDelete::BeforeOffset(5)),
        ])
        .expect("answers");
    let starts: Vec<_> = deleted.iter().map(|(_, start)| start.as_ref().ok().copied()).collect();
    assert_eq!(starts, [Some(4), Some(7), None]);
    assert_eq!(deleted[2].1.as_ref().err().map(kavka::Error::kind), Some(ErrorKind::OffsetOutOfRange));
    let shell = "org.apache.kafka.tools.GetOffsetShell";
    for (time, spec) in [("earliest", OffsetSpec::Earliest), ("latest", OffsetSpec::Latest)] {
        let text = java(cluster, shell, &["--topic", &topic, "--time", time]);
        let ours = admin
            .list_partition_offsets(
                (0..3).map(|partition| (at(partition), spec)),
                IsolationLevel::ReadUncommitted,
            )
            .expect("answers");
        let ours: Vec<String> = ours
            .into_iter()
            .map(|(at, found)| {
                let offset = found.expect("an offset").offset.expect("it exists");
                format!("{}:{}:{offset}", at.topic(), at.partition())
            })
            .collect();
        assert_eq!(text.lines().collect::<Vec<_>>(), ours, "{time}");
    }
    let json =
        format!(r#"{{"partitions": [{{"topic": "{topic}", "partition": 0, "offset": 6}}], "version": 1}}"#);
    let file = std::env::temp_dir().join(unique("records"));
    fs::write(&file, json).expect("write a file");
    let text = java(
        cluster,
        "org.apache.kafka.tools.DeleteRecordsCommand",
        &["--offset-json-file", &file.to_string_lossy()],
    );
    fs::remove_file(file).expect("remove a file");
    let again = only(admin.delete_records([(at(0), RecordsToDelete::BeforeOffset(6))])).expect("deleted");
    assert!(text.contains(&format!("low_watermark: {again}")), "{text}");

    let compacted = create(&admin, NewTopic::new(unique("compacted")).config("cleanup.policy", "compact"));
    let error =
        only(admin.delete_records([((compacted.as_str(), 0), 0)])).expect_err("not of a compacted topic");
    assert_eq!(error.code(), Some(ErrorCode::POLICY_VIOLATION));
}

#[test]
fn partitions_move_and_leaders_are_elected() {
    let (cluster, admin) = (three(), client(three()));
    let topic = create(&admin, NewTopic::new(unique("move")).assignments([(0, vec![1, 2]), (1, vec![2, 3])]));
    let at = |partition: i32| TopicPartition::new(topic.as_str(), partition);
    let moved = admin
        .alter_partition_reassignments([
            (at(0), Some(vec![2, 1])),
            (at(1), None),
            (TopicPartition::new("nothing", 0), Some(vec![1])),
        ])
        .expect("answers");
    let expected =
        [None, Some(ErrorCode::NO_REASSIGNMENT_IN_PROGRESS), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)];
    assert_eq!(codes(&moved), expected);
    let bad =
        only(admin.alter_partition_reassignments([(at(1), Some(vec![2, 2]))])).expect_err("twice the same");
    assert_eq!(bad.code(), Some(ErrorCode::INVALID_REPLICA_ASSIGNMENT));
    let smaller = only(admin.alter_partition_reassignments_of_same_size([(at(1), Some(vec![2]))]));
    assert_eq!(smaller.expect_err("smaller").code(), Some(ErrorCode::INVALID_REPLICATION_FACTOR));

    // A move to a broker that is to hold back what it copies takes as long as we like.
    fill(cluster, &topic, 1, 50);
    let throttled = |value: &str| {
        let throttles = (1..=3).map(|id| {
            let broker = ConfigResource::broker(id);
            broker
                .set("follower.replication.throttled.rate", value)
                .set("leader.replication.throttled.rate", value)
        });
        for (_, result) in admin.alter_configs(throttles).expect("answers") {
            result.expect("throttled");
        }
    };
    let all = ConfigResource::topic(&topic)
        .set("leader.replication.throttled.replicas", "*")
        .set("follower.replication.throttled.replicas", "*");
    only(admin.alter_configs([all])).expect("throttled");
    throttled("1");
    only(admin.alter_partition_reassignments([(at(1), Some(vec![1, 3]))])).expect("begun");
    let ours = admin.list_partition_reassignments(Some(&[at(1), at(0)])).expect("an answer");
    let text = java(cluster, "org.apache.kafka.tools.reassign.ReassignPartitionsCommand", &["--list"]);
    // A broker that has copied everything before the throttle took hold is done already: then both say so.
    match ours.get(&at(1)) {
        Some(under_way) => {
            assert_eq!(under_way.adding_replicas, [1]);
            assert_eq!(under_way.removing_replicas, [2]);
            assert!(
                text.contains(&format!("{topic}-1: replicas: ")) || text.contains("No partition"),
                "{text}"
            );
        }
        None => assert!(!text.contains(&topic), "{text}"),
    }
    throttled("100000000");
    wait_until("the moves are done", PATIENCE, || {
        let all = admin.list_partition_reassignments(None).expect("an answer");
        !all.keys().any(|partition| partition.topic() == topic)
    });
    wait_until("all brokers know of the moves", PATIENCE, || {
        (0..MANY).all(|_| {
            let described = only(admin.describe_topics([&topic])).expect("known");
            described.partitions[0].replicas == [2, 1] && described.partitions[1].replicas == [1, 3]
        })
    });

    // Partition 0 is led by its old preferred leader until somebody elects.
    wait_until("all are in sync", PATIENCE, || {
        let now = only(admin.describe_topics([&topic])).expect("known");
        now.partitions.iter().all(|partition| partition.isr.len() == 2)
    });
    let some = [at(0), at(9)];
    let elected = admin.elect_leaders(ElectionType::Preferred, Some(&some)).expect("answers");
    assert!(elected[0].1.is_ok(), "{elected:?}");
    assert_eq!(elected[1].1.as_ref().err().map(kavka::Error::kind), Some(ErrorKind::UnknownTopic));
    wait_until("the preferred leader leads", PATIENCE, || {
        only(admin.describe_topics([&topic])).expect("known").partitions[0].leader == Some(2)
    });
    let again = only(admin.elect_leaders(ElectionType::Preferred, Some(&[at(0)]))).expect("an answer");
    assert_eq!(again, Election::NotNeeded);
    let unclean = only(admin.elect_leaders(ElectionType::Unclean, Some(&[at(0)]))).expect("an answer");
    assert_eq!(unclean, Election::NotNeeded, "it has a leader");
    admin.elect_leaders(ElectionType::Preferred, None).expect("an answer");
    let text = java(
        cluster,
        "org.apache.kafka.tools.LeaderElectionCommand",
        &["--election-type", "preferred", "--topic", &topic, "--partition", "0"],
    );
    assert!(text.contains("Valid replica already elected"), "{text}");
}

/// `key=value sensitive=false synonyms={…}` of ConfigCommand.
fn java_configs(text: &str) -> BTreeMap<String, (String, bool)> {
    let line = |line: &str| {
        let (config, rest) = line.trim().split_once(" sensitive=")?;
        let (key, value) = config.split_once('=')?;
        Some((key.to_owned(), (value.to_owned(), rest.starts_with("true"))))
    };
    text.lines().filter_map(line).collect()
}

#[test]
fn options_are_as_kafkas_tool_sees_them() {
    let (cluster, admin) = (three(), client(three()));
    let topic = create(&admin, NewTopic::new(unique("options")).config("retention.ms", "1000"));
    let resource = ConfigResource::topic(&topic);
    let change = resource.clone().set("max.message.bytes", "2000").append("cleanup.policy", "compact");
    only(admin.validate_configs([change.clone()])).expect("valid");
    only(admin.alter_configs([change])).expect("changed");
    wait_until("the change has reached all brokers", PATIENCE, || {
        (0..MANY).all(|_| {
            let now = only(admin.describe_configs([resource.clone()])).expect("known");
            now["cleanup.policy"].value.as_deref() == Some("delete,compact")
        })
    });
    let command = "kafka.admin.ConfigCommand";
    let in_full = DescribeConfigsOptions::new().synonyms().documentation();
    let broker = ConfigResource::broker(2);
    let described =
        admin.describe_configs_with([resource.clone(), broker.clone()], in_full).expect("answers");
    for ((_, ours), kind, name) in
        [(&described[0], "topics", topic.as_str()), (&described[1], "brokers", "2")]
    {
        let ours = ours.as_ref().expect("known");
        let text =
            java(cluster, command, &["--describe", "--all", "--entity-type", kind, "--entity-name", name]);
        let mut theirs = java_configs(&text);
        assert!(theirs.len() > 30, "{text}");
        // Other tests change these meanwhile.
        theirs.retain(|key, _| !key.ends_with(".throttled.rate") && key != "log.cleaner.backoff.ms");
        let ours_too: BTreeMap<String, (String, bool)> = ours
            .iter()
            .filter(|(key, _)| !key.ends_with(".throttled.rate") && *key != "log.cleaner.backoff.ms")
            .map(|(key, entry)| {
                (key.clone(), (entry.value.clone().unwrap_or("null".to_owned()), entry.is_sensitive))
            })
            .collect();
        assert_eq!(theirs, ours_too, "{kind}");
    }
    let ours = described[0].1.as_ref().expect("known");
    let retention = &ours["retention.ms"];
    assert_eq!(
        (retention.source, retention.config_type),
        (ConfigSource::DynamicTopicConfig, ConfigType::Long)
    );
    assert_eq!(retention.synonyms[0].name, "retention.ms");
    assert!(retention.documentation.as_ref().is_some_and(|text| text.contains("retain")), "{retention:?}");
    assert_eq!(ours["cleanup.policy"].value.as_deref(), Some("delete,compact"));
    let id = &described[1].1.as_ref().expect("known")["node.id"];
    assert_eq!(
        (id.value.as_deref(), id.source, id.is_read_only),
        (Some("2"), ConfigSource::StaticBrokerConfig, true)
    );

    only(admin.alter_configs([resource.clone().subtract("cleanup.policy", "delete")])).expect("changed");
    only(admin.reset_configs([resource.clone().keys(["max.message.bytes"])])).expect("reset");
    wait_until("the reset has reached all brokers", PATIENCE, || {
        (0..MANY).all(|_| {
            only(admin.describe_configs([resource.clone()])).expect("known")["max.message.bytes"].is_default()
        })
    });
    let some = only(admin.describe_configs([resource.clone().keys(["cleanup.policy", "max.message.bytes"])]));
    let some = some.expect("known");
    assert_eq!(some.len(), 2, "only what was asked for");
    assert_eq!(some["cleanup.policy"].value.as_deref(), Some("compact"));
    assert!(some["max.message.bytes"].is_default());
    let whole = BTreeMap::from([("min.insync.replicas".to_owned(), "1".to_owned())]);
    // KRaft brokers of Kafka 4 still serve the old way.
    only(admin.replace_configs([(resource.clone(), whole)])).expect("replaced");
    wait_until("the replacement has reached all brokers", PATIENCE, || {
        (0..MANY).all(|_| {
            let now = only(admin.describe_configs([resource.clone()])).expect("known");
            now["cleanup.policy"].is_default() && !now["min.insync.replicas"].is_default()
        })
    });
    let text = java(cluster, command, &["--describe", "--entity-type", "topics", "--entity-name", &topic]);
    assert_eq!(java_configs(&text).into_keys().collect::<Vec<_>>(), ["min.insync.replicas"], "{text}");
    only(admin.reset_configs([resource.clone()])).expect("reset");
    wait_until("nothing is left", PATIENCE, || {
        let rest = only(admin.describe_configs([resource.clone()])).expect("known");
        !rest.values().any(|entry| entry.source.is_modified())
    });

    let bad = admin
        .alter_configs([
            resource.clone().set("retention.ms", "soon"),
            resource.clone().set("no.such.option", "1"),
            ConfigResource::topic("nothing").set("retention.ms", "1"),
            ConfigResource::broker(9).set("log.cleaner.threads", "1"),
            ConfigResource::broker(1).set("node.id", "7"),
            ConfigChanges::new(resource).with(
                AlterConfigOp::Unknown(9),
                "retention.ms",
                Some("1".to_owned()),
            ),
        ])
        .expect("answers");
    let kinds: Vec<_> = bad.iter().map(|(_, result)| result.as_ref().err().map(kavka::Error::kind)).collect();
    assert!(kinds.iter().all(Option::is_some), "{bad:?}");
    assert_eq!(codes(&bad)[2], Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    assert_eq!(kinds[3], Some(ErrorKind::Connection), "there is no broker 9");
}

#[test]
fn options_of_all_brokers_loggers_groups_and_clients() {
    let (cluster, admin) = (three(), client(three()));
    let (group, metrics) = (unique("group"), unique("metrics"));
    let changes = [
        ConfigResource::all_brokers().set("log.cleaner.backoff.ms", "14999"),
        ConfigResource::broker_logger(3).set("kafka.server.KafkaApis", "WARN"),
        ConfigResource::group(&group).set("consumer.heartbeat.interval.ms", "600"),
        ConfigResource::client_metrics(&metrics)
            .set("metrics", "org.apache.kafka.producer.")
            .set("interval.ms", "30000"),
    ];
    for (resource, result) in admin.alter_configs(changes).expect("answers") {
        result.unwrap_or_else(|error| panic!("{resource}: {error}"));
    }
    let resources = [
        ConfigResource::all_brokers(),
        ConfigResource::broker_logger(3),
        ConfigResource::group(&group),
        ConfigResource::client_metrics(&metrics),
    ];
    wait_until("the changes have reached all brokers", PATIENCE, || {
        let described = admin.describe_configs(resources.clone()).expect("answers");
        let value = |at: usize, key: &str| {
            let configs: &kavka::Result<kavka::admin::ResourceConfigs> = &described[at].1;
            configs.as_ref().ok().and_then(|configs| configs.get(key)?.value.clone()).unwrap_or_default()
        };
        value(0, "log.cleaner.backoff.ms") == "14999"
            && value(1, "kafka.server.KafkaApis") == "WARN"
            && value(2, "consumer.heartbeat.interval.ms") == "600"
            && value(3, "interval.ms") == "30000"
    });
    let command = "kafka.admin.ConfigCommand";
    for (kind, name, expected) in [
        ("brokers", None, "log.cleaner.backoff.ms=14999"),
        ("broker-loggers", Some("3"), "kafka.server.KafkaApis=WARN"),
        ("groups", Some(group.as_str()), "consumer.heartbeat.interval.ms=600"),
        ("client-metrics", Some(metrics.as_str()), "interval.ms=30000"),
    ] {
        let mut words = vec!["--describe", "--entity-type", kind];
        match name {
            Some(name) => words.extend(["--entity-name", name]),
            None => words.push("--entity-default"),
        }
        let text = java(cluster, command, &words);
        assert!(text.contains(expected), "{kind}: {text}");
    }
    let all = admin.list_config_resources([]).expect("an answer");
    assert!(
        all.contains(&ConfigResource::group(&group)) && all.contains(&ConfigResource::broker(2)),
        "{all:?}"
    );
    let some = admin.list_config_resources([ConfigResourceType::ClientMetrics]).expect("an answer");
    assert!(some.contains(&ConfigResource::client_metrics(&metrics)), "{some:?}");
    assert!(some.iter().all(|resource| resource.resource_type == ConfigResourceType::ClientMetrics));
    let [brokers, logger, group, metrics] = resources;
    let named = [brokers.keys(["log.cleaner.backoff.ms"]), logger.keys(["kafka.server.KafkaApis"])];
    for (resource, result) in admin.reset_configs(named).expect("answers") {
        result.unwrap_or_else(|error| panic!("{resource}: {error}"));
    }
    for (resource, result) in admin.reset_configs([group, metrics]).expect("answers") {
        result.unwrap_or_else(|error| panic!("{resource}: {error}"));
    }
    let error = admin.client_instance_id().expect_err("these brokers have no plug-in for telemetry");
    assert_eq!(error.kind(), ErrorKind::UnsupportedVersion);
    assert!(error.to_string().contains("GetTelemetrySubscriptions"), "{error}");
}

#[test]
fn the_cluster_is_as_kafkas_tools_see_it() {
    let (cluster, admin) = (three(), client(three()));
    let described = admin.describe_cluster().expect("an answer");
    let ids: Vec<i32> = described.brokers.iter().map(|node| node.id).collect();
    assert_eq!(ids, [1, 2, 3]);
    assert_eq!(described.brokers[1].rack.as_deref(), Some("rack-2"));
    assert!(described.authorized_operations.as_ref().is_some_and(|operations| !operations.is_empty()));
    let bootstrap = cluster.bootstrap();
    let class = "org.apache.kafka.tools.ClusterTool";
    let text =
        tool(class, &["cluster-id", "--bootstrap-server", &bootstrap], b"").expect_success(class).text();
    assert!(text.contains(described.cluster_id.as_deref().expect("an id")), "{text}");
    let with_fenced = admin.describe_cluster_with_fenced().expect("an answer");
    assert_eq!((with_fenced.brokers.len(), with_fenced.fenced.len()), (3, 0));

    let text = java(cluster, "org.apache.kafka.tools.BrokerApiVersionsCommand", &[]);
    let spoken = admin.api_versions().expect("answers");
    let (_, first) = &spoken[0];
    let first = first.as_ref().expect("an answer");
    assert_eq!(first.release(), Some("4.4"));
    let block = text.split(" -> (").find(|block| block.contains("Produce(0)")).expect("a block");
    let mut compared = 0;
    for line in block.lines() {
        // `Fetch(1): 4 to 18 [usable: 18],`
        let Some((_, rest)) = line.trim().split_once('(') else { continue };
        let Some((key, range)) = rest.split_once("): ") else { continue };
        let (Ok(key), Some((min, max))) =
            (key.parse::<i16>(), range.split('[').next().and_then(|r| r.trim().split_once(" to ")))
        else {
            continue;
        };
        let ours = first.versions.get(key.into()).unwrap_or_else(|| panic!("{line}"));
        assert_eq!((ours.min.to_string().as_str(), ours.max.to_string().as_str()), (min, max), "{line}");
        compared += 1;
    }
    assert!(compared > 50, "{text}");

    let features = admin.describe_features().expect("an answer");
    let text = java(cluster, "org.apache.kafka.tools.FeatureCommand", &["describe"]);
    let mut compared = 0;
    for line in text.lines() {
        let Some(name) = field(line, "Feature") else { continue };
        let Some(epoch) = field(line, "Epoch").and_then(|epoch| epoch.parse().ok()) else { continue };
        // It counts the records of the metadata's log, which grows meanwhile.
        assert!(features.finalized_epoch > Some(0) && features.finalized_epoch <= Some(epoch), "{line}");
        let level = field(line, "FinalizedVersionLevel").and_then(|level| level.parse::<i16>().ok());
        if let Some(level) = level {
            assert_eq!(features.finalized.get(name).map_or(0, |range| range.max), level, "{line}");
            compared += 1;
        }
    }
    assert!(compared >= 2, "{text}");
    assert_eq!(admin.describe_features_of(2).expect("an answer").finalized, features.finalized);

    let error = admin.unregister_broker(9).expect_err("no such broker");
    assert_eq!(error.code(), Some(ErrorCode::BROKER_ID_NOT_REGISTERED));
    let error = admin.unregister_controller(9).expect_err("no such controller");
    assert!(error.code().is_some(), "{error}");
}

#[test]
fn features_are_only_changed_as_far_as_they_can_be() {
    let admin = client(three());
    let level = admin.describe_features().expect("an answer").finalized["group.version"].max;
    let same = only(admin.validate_features([("group.version", FeatureUpdate::upgrade(level))]));
    same.expect("nothing to do");
    let error = only(admin.validate_features([("group.version", FeatureUpdate::upgrade(99))]));
    assert!(error.expect_err("too high").code().is_some());
    let error = only(admin.update_features([("no.such.feature", FeatureUpdate::upgrade(1))]));
    let error = error.expect_err("no such feature");
    assert!(error.to_string().contains("no.such.feature"), "{error}");
    only(admin.update_features([("group.version", FeatureUpdate::downgrade(0))])).expect("switched off");
    wait_until("the feature is off", PATIENCE, || {
        !admin.describe_features().expect("an answer").finalized.contains_key("group.version")
    });
    only(admin.update_features([("group.version", FeatureUpdate::upgrade(level))]))
        .expect("switched on again");
}

#[test]
fn log_directories_are_as_kafkas_tool_sees_them() {
    let (cluster, admin) = (three(), client(three()));
    let topic = create(&admin, NewTopic::new(unique("dirs")).assignments([(0, vec![1, 2]), (1, vec![3, 2])]));
    fill(cluster, &topic, 0, 20);
    let at = |partition: i32| TopicPartition::new(topic.as_str(), partition);
    let ours = admin.describe_log_dirs(None, Some(&[at(0), at(1)])).expect("answers");
    assert_eq!(ours.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 2, 3]);
    let text =
        java(cluster, "org.apache.kafka.tools.LogDirsCommand", &["--describe", "--topic-list", &topic]);
    let json = text.lines().find(|line| line.starts_with('{')).expect("a line of JSON");
    let theirs: serde_json::Value = serde_json::from_str(json).expect("JSON");
    for (id, dirs) in &ours {
        let dirs = dirs.as_ref().expect("an answer");
        assert_eq!(dirs.len(), 2);
        let broker = theirs["brokers"].as_array().and_then(|all| all.iter().find(|one| one["broker"] == *id));
        let broker = broker.unwrap_or_else(|| panic!("{json}"));
        for dir in dirs {
            assert!(dir.error.is_none() && dir.total_bytes > Some(0) && dir.usable_bytes < dir.total_bytes);
            let there = broker["logDirs"]
                .as_array()
                .and_then(|all| all.iter().find(|one| one["logDir"] == dir.path.as_str()));
            let there = there.unwrap_or_else(|| panic!("{json}"));
            let sizes: BTreeMap<&str, i64> = there["partitions"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|one| Some((one["partition"].as_str()?, one["size"].as_i64()?)))
                .collect();
            let of_ours: BTreeMap<String, i64> = dir
                .replicas
                .iter()
                .map(|replica| (replica.partition.to_string(), replica.size_bytes))
                .collect();
            assert_eq!(sizes, of_ours.iter().map(|(name, size)| (name.as_str(), *size)).collect());
        }
    }

    let replica = TopicPartitionReplica::new(topic.as_str(), 0, 1);
    let places = |replica: &TopicPartitionReplica| {
        only(admin.describe_replica_log_dirs([replica.clone()])).expect("an answer")
    };
    let now = places(&replica).current.expect("it is there").path;
    let dirs = [0, 1].map(|number| cluster.log_dir(1, number).display().to_string());
    let other = dirs.iter().find(|path| **path != now).expect("another one").clone();
    let moved = admin
        .alter_replica_log_dirs([
            (replica.clone(), other.as_str()),
            (TopicPartitionReplica::new(topic.as_str(), 1, 3), "/no/such/directory"),
            (TopicPartitionReplica::new(topic.as_str(), 0, 9), other.as_str()),
        ])
        .expect("answers");
    assert_eq!(codes(&moved), [None, Some(ErrorCode::LOG_DIR_NOT_FOUND), None]);
    let error = moved[2].1.as_ref().expect_err("no such broker");
    assert_eq!((error.kind(), error.node()), (ErrorKind::Connection, Some(9)));
    wait_until("the replica is in its new directory", PATIENCE, || {
        let places = places(&replica);
        places.current.is_some_and(|place| place.path == other) && places.future.is_none()
    });
    assert_eq!(
        places(&TopicPartitionReplica::new(topic.as_str(), 1, 1)),
        Default::default(),
        "no such replica"
    );
}

#[test]
fn votes_are_given_and_taken() {
    let (cluster, admin) = (three(), client(three()));
    let quorum = admin.describe_metadata_quorum().expect("an answer");
    assert_eq!(quorum.leader_id, 1);
    assert_eq!(quorum.voters.iter().map(|one| one.replica_id).collect::<Vec<_>>(), [1]);
    assert_eq!(quorum.observers.iter().map(|one| one.replica_id).collect::<Vec<_>>(), [2, 3]);
    assert!(quorum.high_watermark > 0 && quorum.voters[0].last_caught_up_timestamp.is_some());
    let command = "org.apache.kafka.tools.MetadataQuorumCommand";
    let text = java(cluster, command, &["describe", "--status"]);
    let line = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    assert_eq!(line("LeaderId:"), Some("1"), "{text}");
    assert_eq!(line("LeaderEpoch:"), Some(quorum.leader_epoch.to_string().as_str()), "{text}");
    let directory = quorum.voters[0].directory_id.expect("an id").to_string();
    assert!(line("CurrentVoters:").is_some_and(|voters| voters.contains(&directory)), "{text}");

    let second = quorum.observers[0].directory_id.expect("an id");
    let address = cluster.listener("CONTROLLER").split(',').nth(1).expect("an address").to_owned();
    let (host, port) = address.rsplit_once(':').expect("host and port");
    let endpoint = QuorumEndpoint::new("CONTROLLER", host, port.parse().expect("a port"));
    admin.add_raft_voter(2, second, [endpoint.clone()]).expect("added");
    let text = java(cluster, command, &["describe", "--replication"]);
    let role = |id: &str| {
        let row = text.lines().find(|line| line.split_whitespace().next() == Some(id));
        row.and_then(|row| row.split_whitespace().last()).map(str::to_owned)
    };
    let ours = admin.describe_metadata_quorum().expect("an answer");
    assert_eq!(ours.voters.iter().map(|one| one.replica_id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(ours.nodes[&2], std::slice::from_ref(&endpoint));
    assert_ne!(role("2").as_deref(), Some("Observer"), "{text}");
    assert_eq!(role("3").as_deref(), Some("Observer"), "{text}");
    let error = admin.add_raft_voter(2, second, [endpoint]).expect_err("it has a vote");
    assert_eq!(error.code(), Some(ErrorCode::DUPLICATE_VOTER));
    admin.remove_raft_voter(2, second).expect("removed");
    let error = admin.remove_raft_voter(2, second).expect_err("it has no vote");
    assert_eq!(error.code(), Some(ErrorCode::VOTER_NOT_FOUND));
    let ours = admin.describe_metadata_quorum().expect("an answer");
    assert_eq!(ours.voters.len(), 1);
}

#[test]
fn controllers_answer_without_brokers() {
    let cluster = three();
    let controller = cluster.listener("CONTROLLER").split(',').next().expect("an address").to_owned();
    let admin =
        KafkaAdminClient::builder().bootstrap_controllers([controller]).build().expect("valid options");
    let described = admin.describe_cluster().expect("an answer");
    assert_eq!((described.controller_id, described.brokers.len()), (Some(1), 3));
    assert_eq!(admin.describe_metadata_quorum().expect("an answer").leader_id, 1);
    assert!(admin.describe_features().expect("an answer").finalized.contains_key("metadata.version"));
    let metrics = ConfigResource::client_metrics(unique("by-controller"));
    only(admin.alter_configs([metrics.clone().set("interval.ms", "40000")])).expect("changed");
    only(admin.reset_configs([metrics.keys(["interval.ms"])])).expect("reset");
    let broker = only(admin.describe_configs([ConfigResource::broker(1)])).expect("known");
    assert_eq!(broker["node.id"].value.as_deref(), Some("1"));
    let error = admin.unregister_broker(9).expect_err("no such broker");
    assert_eq!(error.code(), Some(ErrorCode::BROKER_ID_NOT_REGISTERED));
    let error =
        only(admin.list_partition_offsets([(("t", 0), OffsetSpec::Latest)], IsolationLevel::ReadUncommitted))
            .expect_err("a matter of brokers");
    assert!(error.to_string().contains("bootstrap.servers"), "{error}");

    let brokers = cluster.bootstrap();
    let wrong =
        KafkaAdminClient::builder().bootstrap_controllers(brokers.as_str()).build().expect("valid options");
    let error = wrong.describe_cluster().expect_err("these are brokers");
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::Configuration, Some(ErrorCode::MISMATCHED_ENDPOINT_TYPE))
    );
}

#[test]
fn what_is_forbidden_is_told_for_each_thing() {
    let (cluster, admin) = (three(), client(three()));
    let open = create(&admin, NewTopic::new(unique("open")));
    let secret = create(&admin, NewTopic::new(unique("secret")));
    let acls = "org.apache.kafka.tools.AclCommand";
    java(cluster, acls, &["--add", "--deny-principal", "User:*", "--operation", "All", "--topic", &secret]);
    let denied = |code: Option<ErrorCode>| code == Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    wait_until("the rule has reached all brokers", PATIENCE, || {
        (0..MANY).all(|_| denied(codes(&admin.describe_topics([&secret]).expect("an answer"))[0]))
    });
    let both = [&open, &secret];
    let described = admin.describe_configs(both.map(ConfigResource::topic)).expect("answers");
    assert!(described[0].1.is_ok() && denied(codes(&described)[1]));
    let changed = admin
        .alter_configs(both.map(|name| ConfigResource::topic(name).set("retention.ms", "1000")))
        .expect("answers");
    assert!(changed[0].1.is_ok() && denied(codes(&changed)[1]));
    let grown = admin.create_partitions(both.map(|name| NewPartitions::new(name, 2))).expect("answers");
    assert!(grown[0].1.is_ok() && denied(codes(&grown)[1]));
    let listed = admin
        .list_partition_offsets(
            both.map(|name| ((name.as_str(), 0), OffsetSpec::Latest)),
            IsolationLevel::ReadUncommitted,
        )
        .expect("answers");
    assert!(listed[0].1.is_ok() && denied(codes(&listed)[1]));
    let deleted =
        admin.delete_records(both.map(|name| ((name.as_str(), 0), RecordsToDelete::All))).expect("answers");
    assert!(deleted[0].1.is_ok() && denied(codes(&deleted)[1]), "{deleted:?}");
    let error = deleted[1].1.as_ref().expect_err("denied");
    assert_eq!((error.kind(), error.topic()), (ErrorKind::Authorization, Some(secret.as_str())));
    assert!(!admin.list_topics().expect("an answer").contains(&secret), "it may not even be seen");
}

/// Runs `kavka admin` and reads the JSON that it prints.
#[track_caller]
fn command_line(cluster: &Cluster, arguments: &[&str]) -> serde_json::Value {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_kavka"));
    command.args(["admin", "--format", "json", "-b", &cluster.bootstrap()]).args(arguments);
    let output = support::process::run(&mut command, b"", support::process::PATIENCE);
    serde_json::from_slice(&output.expect_success("kavka admin").stdout).expect("JSON")
}

#[test]
fn the_command_line_shows_what_only_a_real_cluster_has() {
    let (cluster, admin) = (three(), client(three()));
    let topic = create(&admin, NewTopic::new(unique("line")).assignments([(0, vec![2])]));
    let dirs = command_line(cluster, &["log-dirs", "describe", "--broker", "1,2", "-t", &topic]);
    let dirs = dirs.as_array().expect("a list");
    assert_eq!(dirs.len(), 4, "two brokers with two directories each");
    let holder = dirs.iter().find(|dir| dir["replicas"][0]["topic"] == topic.as_str()).expect("the replica");
    assert_eq!((&holder["broker"], &holder["replicas"][0]["partition"]), (&2.into(), &0.into()));
    let place = command_line(cluster, &["log-dirs", "describe-replicas", "-r", &format!("{topic}:0:2")]);
    assert_eq!(place[0]["current_path"], holder["path"]);

    let quorum = command_line(cluster, &["quorum", "describe"]);
    assert_eq!(quorum["leader_id"], 1);
    let features = command_line(cluster, &["features", "describe", "-f", "metadata.version"]);
    assert_eq!(features[0]["feature"], "metadata.version");
    assert!(features[0]["level"].as_i64() > Some(20), "{features}");

    let name = unique("subscription");
    let altered = command_line(
        cluster,
        &["client-metrics", "alter", "--name", &name, "--interval", "45s", "--metrics", "a.,b."],
    );
    assert_eq!(altered[0]["status"], "altered");
    wait_until("the subscription is known", PATIENCE, || {
        command_line(cluster, &["client-metrics", "describe", "--name", &name])[0]["interval_ms"] == "45000"
    });
    command_line(cluster, &["client-metrics", "delete", "--name", &name, "--yes"]);
    wait_until("the subscription is gone", PATIENCE, || {
        command_line(cluster, &["client-metrics", "describe", "--name", &name])[0]["exists"] == false
    });
}

#[test]
fn a_dead_node_costs_only_its_own_and_the_controller_is_found_again() {
    let cluster = Cluster::start(3, |_| ());
    let admin = client(&cluster);
    let topic = NewTopic::new("spread").assignments([(0, vec![1]), (1, vec![2]), (2, vec![3])]);
    create(&admin, topic);
    let controller = admin.describe_metadata_quorum().expect("an answer").leader_id;
    cluster.kill(controller);
    let short = admin.with_timeout(Duration::from_secs(15));
    let wanted = (0..3).map(|partition| (("spread", partition), OffsetSpec::Latest));
    let listed = short.list_partition_offsets(wanted, IsolationLevel::ReadUncommitted).expect("answers");
    for (partition, result) in &listed {
        if partition.partition() + 1 == controller {
            assert_eq!(result.as_ref().err().map(kavka::Error::kind), Some(ErrorKind::Timeout), "{result:?}");
        } else {
            assert_eq!(result.as_ref().map(|found| found.offset).ok(), Some(Some(0)), "{result:?}");
        }
    }
    let dirs = short.describe_log_dirs(Some(&[1, 2, 3]), None).expect("answers");
    for (id, result) in &dirs {
        assert_eq!(result.is_err(), *id == controller, "broker {id}: {result:?}");
    }
    // Twenty topics, one of which is there already and one of which cannot be.
    let topics =
        (0..18).map(|number| format!("t{number}")).chain(["spread".to_owned(), "no/name".to_owned()]);
    let results =
        admin.create_topics(topics.map(|name| NewTopic::new(name).replication_factor(2))).expect("answers");
    let mut expected = vec![None; 18];
    expected.extend([Some(ErrorCode::TOPIC_ALREADY_EXISTS), Some(ErrorCode::INVALID_TOPIC_EXCEPTION)]);
    assert_eq!(codes(&results), expected, "{results:?}");
    assert_ne!(admin.describe_metadata_quorum().expect("an answer").leader_id, controller);
    // The broker's own registration can be dropped once it is gone.
    wait_until("the dead broker is fenced", PATIENCE, || {
        admin.describe_cluster_with_fenced().expect("an answer").fenced.contains(&controller)
    });
    admin.unregister_broker(controller).expect("unregistered");
    wait_until("the dead broker is forgotten", PATIENCE, || {
        let all = admin.describe_cluster_with_fenced().expect("an answer");
        !all.brokers.iter().any(|node| node.id == controller)
    });
}

#[test]
fn an_older_broker_is_told_apart_by_what_it_lacks() {
    let cluster = Cluster::start(1, |config| {
        config.old();
    });
    let admin = client(&cluster);
    let topic = create(&admin, NewTopic::new("orders").partitions(2));
    let gap = |error: &kavka::Error, text: &str| {
        assert_eq!(error.kind(), ErrorKind::UnsupportedVersion, "{error}");
        assert!(error.to_string().contains(text), "{error}");
    };
    gap(
        &admin.list_config_resources([]).expect_err("too old"),
        "needs Kafka 4.1 or newer (ListConfigResources version 1); node 1 offers versions 0 to 0",
    );
    assert!(admin.list_config_resources([ConfigResourceType::ClientMetrics]).expect("an answer").is_empty());
    gap(
        &admin.describe_cluster_with_fenced().expect_err("too old"),
        "needs Kafka 4.0 or newer (DescribeCluster version 2)",
    );
    let moved =
        only(admin.alter_partition_reassignments_of_same_size([((topic.as_str(), 0), Some(vec![1]))]));
    gap(&moved.expect_err("too old"), "needs Kafka 4.1 or newer (AlterPartitionReassignments version 1)");
    let listed = admin
        .list_partition_offsets(
            [
                ((topic.as_str(), 0), OffsetSpec::EarliestPendingUpload),
                ((topic.as_str(), 1), OffsetSpec::Latest),
            ],
            IsolationLevel::ReadCommitted,
        )
        .expect("answers");
    gap(listed[0].1.as_ref().expect_err("too old"), "needs Kafka 4.2 or newer (ListOffsets version 11)");
    assert_eq!(listed[1].1.as_ref().map(|found| found.offset).ok(), Some(Some(0)));
    gap(&admin.unregister_controller(9).expect_err("too old"), "needs Kafka 4.4 or newer");
    assert_eq!(admin.broker_api_versions(1).expect("an answer").release(), Some("3.9"));

    // What it has works, with the versions that it has.
    let described = admin.describe_cluster().expect("an answer");
    assert_eq!(described.brokers.len(), 1);
    only(admin.alter_configs([ConfigResource::topic(&topic).set("retention.ms", "1000")])).expect("changed");
    let page = admin.describe_topic_partitions([&topic], 10, None).expect("a page");
    assert_eq!(page.topics[0].1.as_ref().expect("known").partitions.len(), 2);
    let features = admin.describe_features().expect("an answer");
    assert!(features.finalized.contains_key("metadata.version"));
    let level = features.finalized["metadata.version"].max;
    only(admin.validate_features([("metadata.version", FeatureUpdate::upgrade(level))]))
        .expect("nothing to do");
    assert_eq!(admin.describe_metadata_quorum().expect("an answer").leader_id, 1);
    assert_eq!(only(admin.describe_log_dirs(Some(&[1]), None)).expect("an answer").len(), 1);
    only(admin.delete_topics([&topic])).expect("deleted");
}
