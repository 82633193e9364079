//! The admin client against the mock cluster.

use std::time::Duration;

use kavka::admin::{KafkaAdminClient, NewPartitions, NewTopic, TopicRef};
use kavka::mock::MockCluster;
use kavka::protocol::{ApiKey, Uuid};
use kavka::{ErrorCode, ErrorKind};

fn client(cluster: &MockCluster) -> KafkaAdminClient {
    KafkaAdminClient::builder()
        .bootstrap_servers(cluster.bootstrap_servers())
        .default_api_timeout(Duration::from_secs(10))
        .request_timeout(Duration::from_secs(5))
        .build()
        .expect("valid options")
}

/// Each item's outcome: `None` for success.
fn codes<K, T>(results: &[(K, kavka::Result<T>)]) -> Vec<Option<ErrorCode>> {
    results.iter().map(|(_, result)| result.as_ref().err().and_then(kavka::Error::code)).collect()
}

#[test]
fn topics_are_created_described_and_deleted() {
    let cluster = MockCluster::builder().brokers(3).start().expect("a cluster");
    let admin = client(&cluster);
    let created = admin
        .create_topics([
            NewTopic::new("orders").partitions(6).replication_factor(3).config("retention.ms", "1000"),
            NewTopic::new("placed").assignments([(0, vec![2]), (1, vec![3])]),
            NewTopic::new("default"),
        ])
        .expect("an answer");
    let names: Vec<&str> = created.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["orders", "placed", "default"], "in the order asked");
    assert_eq!(codes(&created), [None, None, None]);
    let orders = created[0].1.as_ref().expect("created");
    assert_eq!((orders.partitions, orders.id), (Some(6), cluster.topic_id("orders")));
    assert_eq!(cluster.partitions("orders"), 6);

    let wanted = ["orders", "placed", "default"];
    admin.wait_for_topics(wanted, Duration::from_secs(5)).expect("leaders");
    let described = admin.describe_topics(wanted).expect("an answer");
    let orders = described[0].1.as_ref().expect("known");
    let numbers: Vec<i32> = orders.partitions.iter().map(|partition| partition.partition).collect();
    assert_eq!((orders.name.as_str(), numbers), ("orders", vec![0, 1, 2, 3, 4, 5]));
    assert!(orders.partitions.iter().all(|p| p.replicas.len() == 3 && p.leader.is_some()));
    let placed = described[1].1.as_ref().expect("known");
    assert_eq!(placed.partitions.iter().map(|p| p.leader).collect::<Vec<_>>(), [Some(2), Some(3)]);

    assert_eq!(admin.list_topics().expect("an answer"), ["default", "orders", "placed"]);

    let id = cluster.topic_id("placed").expect("it exists");
    let by_id = admin.describe_topics([id]).expect("an answer");
    assert_eq!(by_id[0].1.as_ref().expect("known").name, "placed");
    let deleted = admin
        .delete_topics([TopicRef::from("orders"), TopicRef::from(id), TopicRef::from("nothing")])
        .expect("an answer");
    assert_eq!(codes(&deleted), [None, None, Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)]);
    let error = deleted[2].1.as_ref().expect_err("unknown");
    assert_eq!((error.kind(), error.topic()), (ErrorKind::UnknownTopic, Some("nothing")));
    assert_eq!(cluster.topics(), ["default"]);
    admin.close(Duration::from_secs(5)).expect("closed");
}

#[test]
fn each_topic_has_its_own_outcome() {
    let cluster = MockCluster::builder().topic("taken", 1).start().expect("a cluster");
    let admin = client(&cluster);
    let created = admin
        .create_topics([NewTopic::new("taken"), NewTopic::new("free"), NewTopic::new("no/name")])
        .expect("an answer");
    let expected = [Some(ErrorCode::TOPIC_ALREADY_EXISTS), None, Some(ErrorCode::INVALID_TOPIC_EXCEPTION)];
    assert_eq!(codes(&created), expected);
    let text = created[0].1.as_ref().expect_err("taken").to_string();
    assert!(text.contains("create topics") && text.contains("taken"), "{text}");
}

#[test]
fn nothing_is_done_when_it_is_only_checked() {
    let cluster = MockCluster::builder().topic("orders", 1).start().expect("a cluster");
    let admin = client(&cluster);
    let checked = admin
        .validate_topics([NewTopic::new("new").partitions(2), NewTopic::new("orders")])
        .expect("an answer");
    assert_eq!(codes(&checked), [None, Some(ErrorCode::TOPIC_ALREADY_EXISTS)]);
    let checked = admin.validate_partitions([NewPartitions::new("orders", 5)]).expect("an answer");
    assert_eq!(codes(&checked), [None]);
    assert_eq!((cluster.topics(), cluster.partitions("orders")), (vec!["orders".to_owned()], 1));
}

#[test]
fn partitions_are_added_and_never_taken_away() {
    let cluster = MockCluster::builder().topic("orders", 2).start().expect("a cluster");
    let admin = client(&cluster);
    let added = admin.create_partitions([NewPartitions::new("orders", 4)]).expect("an answer");
    assert_eq!((codes(&added), cluster.partitions("orders")), (vec![None], 4));
    let added = admin
        .create_partitions([NewPartitions::new("orders", 3), NewPartitions::new("nothing", 3)])
        .expect("an answer");
    let expected = [Some(ErrorCode::INVALID_PARTITIONS), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)];
    assert_eq!(codes(&added), expected);
    assert_eq!(cluster.partitions("orders"), 4);
}

#[test]
fn asking_creates_nothing() {
    let cluster = MockCluster::start().expect("a cluster that creates topics on demand");
    let admin = client(&cluster);
    let described = admin.describe_topics(["nothing"]).expect("an answer");
    assert_eq!(codes(&described), [Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)]);
    let unknown = Uuid::random([7; 16]);
    let described = admin.describe_topics([unknown]).expect("an answer");
    assert_eq!(codes(&described), [Some(ErrorCode::UNKNOWN_TOPIC_ID)]);
    assert!(cluster.topics().is_empty());
    assert!(admin.describe_topics(Vec::<String>::new()).expect("nothing to ask").is_empty());
}

#[test]
fn a_moved_controller_is_followed() {
    let cluster = MockCluster::builder().brokers(2).start().expect("a cluster");
    let admin = client(&cluster);
    let fault = cluster.on(ApiKey::CREATE_TOPICS).times(2).error(ErrorCode::NOT_CONTROLLER);
    let created = admin.create_topics([NewTopic::new("orders").partitions(1)]).expect("an answer");
    assert_eq!((codes(&created), fault.hits()), (vec![None], 2));
    assert_eq!(cluster.partitions("orders"), 1);
}

#[test]
fn questions_are_asked_again_and_changes_are_not() {
    let cluster = MockCluster::builder().topic("orders", 1).start().expect("a cluster");
    let admin = client(&cluster);
    admin.bootstrap(Duration::from_secs(5)).expect("brokers");
    let fault = cluster.on(ApiKey::METADATA).drop_before();
    assert_eq!(admin.list_topics().expect("the second answer"), ["orders"]);
    assert_eq!(fault.hits(), 1);

    let fault = cluster.on(ApiKey::CREATE_TOPICS).drop_after();
    let created = admin.create_topics([NewTopic::new("new")]).expect("an outcome");
    let error = created[0].1.as_ref().expect_err("the answer is lost");
    assert_eq!((error.kind(), error.topic(), fault.hits()), (ErrorKind::Connection, Some("new"), 1));
    assert!(!error.is_retriable() && error.to_string().contains("may have been carried out"), "{error}");
    assert_eq!(cluster.partitions("new"), 1, "it was carried out once");
}

#[test]
fn the_wait_for_a_topic_names_what_is_missing() {
    let cluster = MockCluster::builder().topic("there", 1).start().expect("a cluster");
    let admin = client(&cluster);
    let error =
        admin.wait_for_topics(["there", "missing"], Duration::from_millis(300)).expect_err("it is missing");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let text = error.to_string();
    assert!(text.contains("missing") && !text.contains("there,"), "{text}");
}

#[test]
fn calls_end_in_time_and_say_why() {
    let cluster = MockCluster::builder().start().expect("a cluster");
    let admin = client(&cluster);
    let fault = cluster.on(ApiKey::CREATE_TOPICS).never_answer();
    admin.bootstrap(Duration::from_secs(5)).expect("brokers");
    let created = admin
        .with_timeout(Duration::from_millis(500))
        .create_topics([NewTopic::new("slow")])
        .expect("an outcome");
    let error = created[0].1.as_ref().expect_err("no answer");
    assert_eq!((error.kind(), fault.hits()), (ErrorKind::Timeout, 1));
    let text = error.to_string();
    assert!(text.contains("create topics") && text.contains("may still carry it out"), "{text}");

    admin.close(Duration::from_secs(5)).expect("closed");
    let error = admin.list_topics().expect_err("closed");
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[test]
fn the_cluster_is_described_by_new_and_old_brokers() {
    use kavka::mock::VersionTable;
    for versions in [VersionTable::newest(), VersionTable::kafka_2_1()] {
        let cluster =
            MockCluster::builder().brokers(3).cluster_id("c1").versions(versions).start().expect("a cluster");
        let described = client(&cluster).describe_cluster().expect("an answer");
        assert_eq!(described.cluster_id.as_deref(), Some("c1"));
        let ids: Vec<i32> = described.brokers.iter().map(|broker| broker.id).collect();
        assert_eq!(ids, [1, 2, 3]);
        assert!(described.controller_id.is_some_and(|id| ids.contains(&id)));
    }
}

#[test]
fn old_brokers_are_not_asked_for_what_they_lack() {
    use kavka::mock::VersionTable;
    let cluster = MockCluster::builder().versions(VersionTable::kafka_1_1()).start().expect("a cluster");
    let admin = client(&cluster);
    let placed = NewTopic::new("orders").partitions(2).replication_factor(1);
    let created = admin.create_topics([NewTopic::new("default"), placed]).expect("an answer");
    let error = created[0].1.as_ref().expect_err("no defaults before 2.4");
    assert_eq!((error.kind(), error.topic()), (ErrorKind::UnsupportedVersion, Some("default")));
    let text = error.to_string();
    assert!(text.contains("needs Kafka 2.4 or newer (CreateTopics version 4)"), "{text}");
    assert!(text.contains("node 1 offers versions 0 to 2"), "{text}");
    assert!(created[1].1.is_ok(), "the other topic does not suffer: {created:?}");

    let id = Uuid::random([7; 16]);
    let deleted = admin.delete_topics([TopicRef::from(id), TopicRef::from("orders")]).expect("an answer");
    let error = deleted[0].1.as_ref().expect_err("no ids before 2.8");
    assert_eq!(error.kind(), ErrorKind::UnsupportedVersion);
    assert!(error.to_string().contains("needs Kafka 2.8 or newer (DeleteTopics version 6)"), "{error}");
    assert!(deleted[1].1.is_ok() && cluster.topics().is_empty(), "{deleted:?}");
}

#[test]
fn faults_of_the_options_come_at_once() {
    let error = KafkaAdminClient::builder()
        .set("request.timeout.mss", "1")
        .set("retry.backoff.ms", "soon")
        .build()
        .expect_err("two faults");
    let text = error.to_string();
    assert!(text.contains("request.timeout.ms") && text.contains("retry.backoff.ms"), "{text}");
}
