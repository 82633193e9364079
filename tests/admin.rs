//! The admin client against the mock cluster.

use std::time::Duration;

use kavka::admin::{
    ConfigResource, ConfigResourceType, ConfigSource, Election, ElectionType, KafkaAdminClient,
    NewPartitions, NewTopic, RecordsToDelete, ScramMechanism, TopicRef, UserScramCredentialAlteration,
};
use kavka::config::IsolationLevel;
use kavka::mock::{MockCluster, VersionTable};
use kavka::protocol::{ApiKey, Uuid};
use kavka::{ErrorCode, ErrorKind, OffsetSpec, TopicPartition};

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
fn passwords_are_changed_at_the_controller() {
    // With ZooKeeper nobody else does it.
    let cluster = MockCluster::builder().brokers(3).start().expect("a cluster");
    let admin = client(&cluster);
    for name in ["a", "b", "c", "d", "e", "f"] {
        let password = UserScramCredentialAlteration::upsert(name, ScramMechanism::ScramSha256, "secret");
        assert_eq!(codes(&admin.alter_user_scram_credentials([password]).expect("an answer")), [None]);
    }
    let asked: Vec<i32> =
        cluster.requests_of(ApiKey::ALTER_USER_SCRAM_CREDENTIALS).iter().map(|one| one.broker).collect();
    assert_eq!(asked, [1; 6]);
}

#[test]
fn a_node_that_is_not_the_controller_is_not_asked_again() {
    let cluster = MockCluster::builder().brokers(2).topic("orders", 1).start().expect("a cluster");
    let admin = client(&cluster);
    let fault = cluster.on(ApiKey::DESCRIBE_CONFIGS).error(ErrorCode::NOT_CONTROLLER);
    let described = admin.describe_configs([ConfigResource::topic("orders")]).expect("an answer");
    assert_eq!((codes(&described), fault.hits()), (vec![None], 1));
    let asked = cluster.requests_of(ApiKey::DESCRIBE_CONFIGS);
    assert_ne!(asked[0].broker, asked[1].broker);
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
fn a_topic_is_described_a_page_at_a_time() {
    let cluster = MockCluster::builder().topic("a", 3).topic("b", 4).start().expect("a cluster");
    let admin = client(&cluster);
    let (mut cursor, mut pages, mut seen) = (None, 0, Vec::new());
    loop {
        let page = admin.describe_topic_partitions(["a", "b"], 2, cursor).expect("a page");
        for (name, topic) in page.topics {
            seen.extend(topic.expect("known").partitions.iter().map(|one| (name.clone(), one.partition)));
        }
        pages += 1;
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    let all = (0..3).map(|p| ("a".to_owned(), p)).chain((0..4).map(|p| ("b".to_owned(), p)));
    assert_eq!(seen, all.collect::<Vec<_>>());
    assert!(pages >= 4, "{pages}");
    let page = admin.describe_topic_partitions(["nothing"], 2, None).expect("a page");
    assert_eq!(codes(&page.topics), [Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)]);
}

#[test]
fn options_are_changed_one_by_one() {
    let cluster = MockCluster::builder().topic("orders", 1).start().expect("a cluster");
    let admin = client(&cluster);
    let orders = ConfigResource::topic("orders");
    let nothing = ConfigResource::topic("nothing");
    let change = orders.clone().set("retention.ms", "1000").append("cleanup.policy", "compact");
    let checked = admin.validate_configs([change.clone(), nothing.delete("retention.ms")]).expect("answers");
    assert_eq!(codes(&checked), [None, Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)]);
    let value = |key: &str| {
        let described = admin.describe_configs([orders.clone()]).expect("an answer");
        let entry = described[0].1.as_ref().expect("known").get(key).expect("an option").clone();
        (entry.value.unwrap_or_default(), entry.source)
    };
    assert_eq!(value("retention.ms").1, ConfigSource::DefaultConfig, "it was only checked");
    assert_eq!(codes(&admin.alter_configs([change]).expect("an answer")), [None]);
    assert_eq!(value("retention.ms"), ("1000".to_owned(), ConfigSource::DynamicTopicConfig));
    let change = orders.clone().subtract("cleanup.policy", "compact").delete("retention.ms");
    assert_eq!(codes(&admin.alter_configs([change]).expect("an answer")), [None]);
    assert_eq!(value("retention.ms").1, ConfigSource::DefaultConfig);
    let both = orders.clone().set("retention.ms", "5").set("min.insync.replicas", "2");
    admin.alter_configs([both]).expect("an answer")[0].1.as_ref().expect("changed");
    assert_eq!(
        codes(&admin.reset_configs([orders.clone().keys(["retention.ms"])]).expect("an answer")),
        [None]
    );
    assert_eq!(value("min.insync.replicas").0, "2", "only the named one is reset");
    assert_eq!(codes(&admin.reset_configs([orders.clone()]).expect("an answer")), [None]);
    assert_eq!(value("min.insync.replicas").1, ConfigSource::DefaultConfig);

    let strange =
        [ConfigResource::new(ConfigResourceType::Broker, "first"), ConfigResource::broker(9), orders];
    let described = admin.describe_configs(strange).expect("answers");
    let kinds: Vec<_> =
        described.iter().map(|(_, result)| result.as_ref().err().map(kavka::Error::kind)).collect();
    assert_eq!(kinds, [Some(ErrorKind::InvalidArgument), Some(ErrorKind::Connection), None]);
}

#[test]
fn brokers_that_replace_all_options_lose_none() {
    let versions = VersionTable::kafka_2_1();
    let cluster = MockCluster::builder().topic("orders", 1).versions(versions).start().expect("a cluster");
    let admin = client(&cluster);
    let orders = ConfigResource::topic("orders");
    for change in [
        orders.clone().set("retention.ms", "1000").set("cleanup.policy", "compact"),
        orders.clone().append("cleanup.policy", "delete"),
        orders.clone().delete("retention.ms").set("min.insync.replicas", "2"),
    ] {
        assert_eq!(codes(&admin.alter_configs([change]).expect("an answer")), [None]);
    }
    let described = admin.describe_configs([orders]).expect("an answer");
    let configs = described[0].1.as_ref().expect("known");
    let own: Vec<(&str, Option<&str>)> = configs
        .iter()
        .filter(|(_, entry)| entry.source.is_modified())
        .map(|(key, entry)| (key.as_str(), entry.value.as_deref()))
        .collect();
    assert_eq!(own, [("cleanup.policy", Some("compact,delete")), ("min.insync.replicas", Some("2"))]);
}

#[test]
fn offsets_and_records_are_handled_at_their_leaders() {
    let cluster = MockCluster::builder().brokers(3).topic("orders", 3).start().expect("a cluster");
    let admin = client(&cluster);
    let producer = kavka::KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap_servers())
        .build()
        .expect("valid options");
    for partition in 0..3 {
        for _ in 0..=partition {
            producer
                .send(kavka::ProducerRecord::new("orders").value("x").partition(partition))
                .expect("sent");
        }
    }
    producer.flush(Duration::from_secs(10)).expect("written");
    let ends = |spec: OffsetSpec| -> Vec<Option<i64>> {
        let wanted = (0..3).map(|partition| (("orders", partition), spec));
        let listed = admin.list_partition_offsets(wanted, IsolationLevel::ReadCommitted).expect("answers");
        listed.into_iter().map(|(_, offset)| offset.expect("an offset").offset).collect()
    };
    assert_eq!(ends(OffsetSpec::Latest), [Some(1), Some(2), Some(3)]);
    assert_eq!(ends(OffsetSpec::Timestamp(i64::MAX)), [None; 3], "no record is that young");
    let wanted = [
        (("orders", 1), RecordsToDelete::BeforeOffset(1)),
        (("orders", 2), RecordsToDelete::All),
        (("orders", 0), RecordsToDelete::BeforeOffset(9)),
        (("orders", 7), RecordsToDelete::All),
    ];
    let deleted = admin.delete_records(wanted).expect("answers");
    let starts: Vec<_> = deleted.iter().map(|(_, start)| start.as_ref().ok().copied()).collect();
    assert_eq!(starts, [Some(1), Some(3), None, None]);
    let error = deleted[3].1.as_ref().expect_err("no such partition");
    assert_eq!(
        (error.kind(), error.topic(), error.partition()),
        (ErrorKind::UnknownTopic, Some("orders"), Some(7))
    );
    assert_eq!(ends(OffsetSpec::Earliest), [Some(0), Some(1), Some(3)]);
    let negative = [(("orders", 0), OffsetSpec::Timestamp(-7))];
    let error =
        admin.list_partition_offsets(negative, IsolationLevel::ReadUncommitted).expect_err("negative");
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn leaders_are_elected_and_partitions_moved() {
    let cluster = MockCluster::builder().brokers(3).start().expect("a cluster");
    let admin = client(&cluster);
    let placed = NewTopic::new("orders").assignments([(0, vec![1, 2]), (1, vec![2, 3])]);
    admin.create_topics([placed]).expect("an answer")[0].1.as_ref().expect("created");
    cluster.move_leader("orders", 0, 2).expect("moved");
    let some = [
        TopicPartition::new("orders", 0),
        TopicPartition::new("orders", 1),
        TopicPartition::new("orders", 9),
    ];
    let elected = admin.elect_leaders(ElectionType::Preferred, Some(&some)).expect("an answer");
    assert_eq!(elected[0].1.as_ref().ok(), Some(&Election::Held));
    assert_eq!(elected[1].1.as_ref().ok(), Some(&Election::NotNeeded));
    assert_eq!(elected[2].1.as_ref().err().map(kavka::Error::kind), Some(ErrorKind::UnknownTopic));
    assert!(
        admin.elect_leaders(ElectionType::Preferred, None).expect("an answer").is_empty(),
        "all are fine"
    );

    let moved = admin
        .alter_partition_reassignments([
            (("orders", 0), Some(vec![3, 1])),
            (("orders", 1), None),
            (("orders", 0), Some(vec![])),
        ])
        .expect("an answer");
    assert_eq!(codes(&moved)[1], Some(ErrorCode::NO_REASSIGNMENT_IN_PROGRESS));
    let kept = admin
        .alter_partition_reassignments_of_same_size([(("orders", 1), Some(vec![1]))])
        .expect("an answer");
    assert_eq!(codes(&kept), [Some(ErrorCode::INVALID_REPLICATION_FACTOR)]);
    assert!(admin.list_partition_reassignments(None).expect("an answer").is_empty());
}

#[test]
fn what_would_be_another_thing_the_second_time_is_done_once() {
    let cluster = MockCluster::builder().topic("orders", 1).start().expect("a cluster");
    let admin = client(&cluster);
    admin.bootstrap(Duration::from_secs(5)).expect("brokers");
    cluster.append("orders", 0, [("k", "x")]).expect("written");
    let lost = |error: Option<&kavka::Error>| {
        let error = error.expect("the answer is lost");
        assert!(!error.is_retriable() && error.to_string().contains("may have been carried out"), "{error}");
    };
    let fault = cluster.on(ApiKey::DELETE_RECORDS).drop_after();
    let deleted = admin.delete_records([(("orders", 0), RecordsToDelete::All)]).expect("an outcome");
    lost(deleted[0].1.as_ref().err());
    assert_eq!((fault.hits(), cluster.request_count(ApiKey::DELETE_RECORDS)), (1, 1));
    let fault = cluster.on(ApiKey::DELETE_RECORDS).drop_after();
    let deleted =
        admin.delete_records([(("orders", 0), RecordsToDelete::BeforeOffset(1))]).expect("an outcome");
    assert_eq!((deleted[0].1.as_ref().ok(), fault.hits()), (Some(&1), 1));

    let fault = cluster.on(ApiKey::ALTER_PARTITION_REASSIGNMENTS).drop_after();
    let moved = admin.alter_partition_reassignments([(("orders", 0), None)]).expect("an outcome");
    lost(moved[0].1.as_ref().err());
    assert_eq!((fault.hits(), cluster.request_count(ApiKey::ALTER_PARTITION_REASSIGNMENTS)), (1, 1));
    let fault = cluster.on(ApiKey::ALTER_PARTITION_REASSIGNMENTS).drop_after();
    let moved = admin.alter_partition_reassignments([(("orders", 0), Some(vec![1]))]).expect("an outcome");
    assert_eq!((codes(&moved), fault.hits()), (vec![None], 1));
}

#[test]
fn a_dead_leader_costs_only_its_own_partitions() {
    let cluster = MockCluster::builder().brokers(3).start().expect("a cluster");
    let admin = client(&cluster).with_timeout(Duration::from_secs(3));
    let placed = NewTopic::new("orders").assignments([(0, vec![1]), (1, vec![2]), (2, vec![3])]);
    admin.create_topics([placed]).expect("an answer")[0].1.as_ref().expect("created");
    let silent = cluster.on(ApiKey::LIST_OFFSETS).broker(2).always().never_answer();
    let wanted = (0..3).map(|partition| (("orders", partition), OffsetSpec::Latest));
    let listed = admin.list_partition_offsets(wanted, IsolationLevel::ReadUncommitted).expect("answers");
    assert_eq!(listed[0].1.as_ref().map(|found| found.offset).ok(), Some(Some(0)));
    assert_eq!(listed[2].1.as_ref().map(|found| found.offset).ok(), Some(Some(0)));
    let error = listed[1].1.as_ref().expect_err("its leader says nothing");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("node 2 has not answered"), "{error}");
    assert!(silent.hits() > 0);
}

#[test]
fn one_broker_that_hangs_does_not_hold_up_questions_to_any() {
    let cluster = MockCluster::builder().brokers(3).topic("orders", 1).start().expect("a cluster");
    let admin = KafkaAdminClient::builder()
        .bootstrap_servers(cluster.bootstrap_servers())
        .request_timeout(Duration::from_millis(500))
        .reconnect_backoff(Duration::from_secs(60))
        .reconnect_backoff_max(Duration::from_secs(60))
        .build()
        .expect("valid options");
    admin.bootstrap(Duration::from_secs(5)).expect("brokers");
    let hung = cluster.on(ApiKey::METADATA).broker(2).always().never_answer();
    for _ in 0..100 {
        assert_eq!(admin.list_topics().expect("an answer"), ["orders"]);
    }
    assert!(hung.hits() <= 2, "it is left alone once it has failed: {}", hung.hits());
}

#[test]
fn every_broker_tells_what_it_speaks() {
    let cluster = MockCluster::builder().brokers(3).start().expect("a cluster");
    let admin = client(&cluster);
    let spoken = admin.api_versions().expect("answers");
    let ids: Vec<i32> = spoken.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [1, 2, 3]);
    for (_, broker) in &spoken {
        let broker = broker.as_ref().expect("an answer");
        assert!(broker.versions.get(ApiKey::FETCH).is_some_and(|range| range.max >= 13));
    }
    let error = admin.broker_api_versions(9).expect_err("no such broker");
    let text = error.to_string();
    assert!(text.contains("node 9 is not part of the cluster; its nodes are 1, 2, 3"), "{text}");
    for (table, release) in [
        (VersionTable::kafka_4_3(), Some("4.2")),
        (VersionTable::kafka_3_9(), Some("3.9")),
        (VersionTable::kafka_2_8(), Some("2.8")),
        (VersionTable::kafka_1_1(), None),
    ] {
        let cluster = MockCluster::builder().versions(table).start().expect("a cluster");
        assert_eq!(client(&cluster).broker_api_versions(1).expect("an answer").release(), release);
    }
}

#[test]
fn what_brokers_lack_is_told_by_the_release_that_has_it() {
    let cluster =
        MockCluster::builder().topic("t", 1).versions(VersionTable::kafka_1_1()).start().expect("a cluster");
    let admin = client(&cluster);
    let gap = |error: &kavka::Error, text: &str| {
        assert_eq!(error.kind(), ErrorKind::UnsupportedVersion);
        assert!(error.to_string().contains(text), "{error}");
    };
    let partition = [TopicPartition::new("t", 0)];
    let elected = admin.elect_leaders(ElectionType::Preferred, Some(&partition)).expect("an outcome");
    gap(elected[0].1.as_ref().expect_err("too old"), "needs Kafka 2.2 or newer (ElectLeaders API)");
    gap(
        &admin.describe_metadata_quorum().expect_err("too old"),
        "needs Kafka 3.3 or newer (DescribeQuorum API)",
    );
    gap(&admin.describe_features().expect_err("too old"), "needs Kafka 2.4 or newer (ApiVersions version 3)");
    gap(
        &admin.list_config_resources([ConfigResourceType::Topic]).expect_err("too old"),
        "needs Kafka 3.7 or newer (ListConfigResources API)",
    );
    gap(&admin.describe_cluster_with_fenced().expect_err("too old"), "needs Kafka 2.8 or newer");
    let listed = admin
        .list_partition_offsets(
            [(("t", 0), OffsetSpec::MaxTimestamp), (("t", 0), OffsetSpec::Latest)],
            IsolationLevel::ReadUncommitted,
        )
        .expect("outcomes");
    gap(
        listed[0].1.as_ref().expect_err("too old"),
        "needs Kafka 3.0 or newer (ListOffsets version 7); node 1 offers versions 0 to 2",
    );
    assert_eq!(listed[1].1.as_ref().map(|found| found.offset).ok(), Some(Some(0)));
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
