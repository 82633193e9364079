//! Transactions.

use std::time::Duration;

use kavka::admin::{
    AbortTransactionSpec, HangingTransactionFilter, TransactionDescription, TransactionFilter,
    TransactionListing, TransactionState,
};
use kavka::net::clock::Clock;
use kavka::protocol::messages::produce::{PartitionProduceData, TopicProduceData};
use kavka::protocol::messages::{InitProducerIdRequest, ProduceRequest};
use kavka::record::{BatchBuilder, Codec, Compression, ProducerState};
use kavka::{ErrorCode, ErrorKind, KafkaAdminClient, KafkaProducer, ProducerRecord, TopicPartition};

use crate::raw::Raw;
use crate::support::kafka::{Cluster, tool, unique, wait_until};
use crate::support::peers;
use crate::{PATIENCE, admin, codes, only, secure};

fn listed(admin: &KafkaAdminClient, filter: &TransactionFilter) -> Vec<TransactionListing> {
    let brokers = admin.list_transactions(filter).expect("an answer");
    brokers.into_iter().flat_map(|(_, listed)| listed.expect("every broker answers")).collect()
}

fn described(admin: &KafkaAdminClient, id: &str) -> TransactionDescription {
    only(admin.describe_transactions([id]).expect("an answer")).expect("described")
}

/// A producer with one record in an open transaction.
fn open(cluster: &Cluster, id: &str, topic: &str) -> KafkaProducer {
    let producer = KafkaProducer::builder()
        .bootstrap_servers(cluster.bootstrap())
        .transactional_id(id)
        .build()
        .expect("valid options");
    producer.init_transactions().expect("a coordinator");
    producer.begin_transaction().expect("ready");
    let ack = producer.send(ProducerRecord::new(topic).partition(0).value("x")).expect("sent");
    ack.get(PATIENCE).expect("written");
    producer
}

fn transactions_command(cluster: &Cluster, arguments: &[&str]) -> String {
    let bootstrap = cluster.bootstrap();
    let all = [&["--bootstrap-server", bootstrap.as_str()], arguments].concat();
    tool("org.apache.kafka.tools.TransactionsCommand", &all, b"").expect_success("TransactionsCommand").text()
}

#[test]
fn open_transactions_are_seen_and_fenced() {
    let cluster = secure();
    let topic = unique("open");
    cluster.create_topic(&topic, 1, &[]);
    let admin = admin(&cluster.bootstrap());
    let (id, other) = (unique("billing"), unique("other"));
    let producer = open(cluster, &id, &topic);
    let partition = TopicPartition::new(topic.as_str(), 0);

    let all = listed(&admin, &TransactionFilter::new());
    let mine = all.iter().find(|one| one.transactional_id == id).expect("listed");
    assert_eq!(mine.state, TransactionState::Ongoing);
    let java = transactions_command(cluster, &["list"]);
    let line = java.lines().find(|line| line.starts_with(id.as_str())).expect("Kafka's tool lists it");
    assert!(line.contains("Ongoing") && line.contains(&mine.producer_id.to_string()), "{line}");
    let of = |filter: TransactionFilter| -> Vec<String> {
        listed(&admin, &filter).into_iter().map(|one| one.transactional_id).collect()
    };
    assert!(of(TransactionFilter::new().state(TransactionState::Ongoing)).contains(&id));
    assert!(!of(TransactionFilter::new().state(TransactionState::CompleteCommit)).contains(&id));
    assert_eq!(of(TransactionFilter::new().producer_id(mine.producer_id)), [id.as_str()]);
    assert_eq!(
        of(TransactionFilter::new().transactional_id_pattern(format!("{}.*", &id[..10]))),
        [id.as_str()]
    );
    assert_eq!(of(TransactionFilter::new().broker(1).transactional_id_pattern(&id)), [id.as_str()]);
    assert!(!of(TransactionFilter::new().running_longer_than(Duration::from_secs(3600))).contains(&id));
    wait_until("the transaction is older than a millisecond", PATIENCE, || {
        of(TransactionFilter::new().running_longer_than(Duration::from_millis(1))).contains(&id)
    });
    let error = only(
        admin.list_transactions(&TransactionFilter::new().transactional_id_pattern("(")).expect("asked"),
    );
    assert_eq!(error.expect_err("no pattern").code(), Some(ErrorCode::INVALID_REGULAR_EXPRESSION));
    let sleeping = TransactionFilter::new().state(TransactionState::Unknown("Sleeping".to_owned()));
    let error = only(admin.list_transactions(&sleeping).expect("asked")).expect_err("no such state");
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    let error = only(admin.list_transactions(&TransactionFilter::new().broker(99)).expect("asked"));
    assert_eq!(error.expect_err("no such broker").node(), Some(99));

    let seen = described(&admin, &id);
    assert_eq!(
        (&seen.state, seen.producer_id, seen.coordinator_id),
        (&TransactionState::Ongoing, mine.producer_id, 1)
    );
    assert_eq!(seen.topic_partitions, std::slice::from_ref(&partition));
    assert!(seen.transaction_start_time.is_some() && seen.transaction_timeout == Duration::from_secs(60));
    let python = peers::python(
        "
import sys, kafka
admin = kafka.KafkaAdminClient(bootstrap_servers=sys.argv[1])
one = admin.describe_transactions([sys.argv[2]])[sys.argv[2]]
print(one.producer_id, one.producer_epoch, one.transaction_start_time_ms)",
        &[&cluster.bootstrap(), &id],
    );
    let expected =
        format!("{} {} {}", seen.producer_id, seen.producer_epoch, seen.transaction_start_time.unwrap_or(0));
    assert_eq!(python.trim(), expected);
    let results = admin.describe_transactions([id.as_str(), "nobody"]).expect("an answer");
    assert_eq!(codes(&results), [None, Some(ErrorCode::TRANSACTIONAL_ID_NOT_FOUND)]);

    for producers in [
        only(admin.describe_producers([partition.clone()]).expect("an answer")),
        only(admin.describe_producers_on(1, [partition.clone()]).expect("an answer")),
    ] {
        let producers = producers.expect("described");
        let [one] = &producers[..] else { panic!("{producers:?}") };
        assert_eq!((one.producer_id, one.current_transaction_start_offset), (seen.producer_id, Some(0)));
        assert_eq!((one.last_sequence, one.last_timestamp.is_some()), (0, true));
    }
    let unknown = only(admin.describe_producers([("no-such-topic", 0)]).expect("an answer"));
    assert_eq!(unknown.expect_err("no such topic").kind(), ErrorKind::UnknownTopic);
    let long = HangingTransactionFilter::new().topic(&topic).max_transaction_timeout(Duration::ZERO);
    assert!(
        admin.find_hanging_transactions(&long).expect("looked").is_empty(),
        "its coordinator has it under way"
    );

    let fenced = only(admin.fence_producers([id.as_str()]).expect("an answer")).expect("fenced");
    assert_eq!(fenced.producer_id, seen.producer_id);
    assert!(fenced.producer_epoch > seen.producer_epoch, "{fenced:?} {seen:?}");
    let error = producer.commit_transaction().expect_err("fenced");
    assert!(error.is_fatal(), "{error:?}");
    wait_until("the transaction is aborted", PATIENCE, || {
        only(admin.describe_producers([partition.clone()]).expect("an answer"))
            .is_ok_and(|all| all.iter().all(|one| one.current_transaction_start_offset.is_none()))
    });

    let producer = open(cluster, &other, &topic);
    admin.force_terminate_transaction(&other).expect("ended");
    assert!(producer.commit_transaction().is_err());
    assert_ne!(described(&admin, &other).state, TransactionState::Ongoing);
}

#[test]
fn a_transaction_that_hangs_is_found_and_aborted() {
    let cluster = secure();
    let topic = unique("hanging");
    cluster.create_topic(&topic, 1, &[]);
    let admin = admin(&cluster.bootstrap());
    let id = unique("hanging");
    // A batch that claims to be part of a transaction of which the coordinator was never told.
    let raw = Raw::any(cluster);
    let mut producer = Default::default();
    wait_until("the coordinator gives a producer id", PATIENCE, || {
        let request = InitProducerIdRequest {
            transactional_id: Some(id.clone()),
            transaction_timeout_ms: 60_000,
            ..Default::default()
        };
        producer = raw.send(request, i16::MAX);
        producer.error_code.is_ok()
    });
    let two_hours_ago = Clock::system().unix_millis() - 2 * 3_600_000;
    let mut batch = BatchBuilder::new(Vec::new(), 1000);
    batch.try_append(two_hours_ago, None, Some(b"x"), &[]).expect("it fits");
    let batch = batch.seal(&Compression::new(Codec::None), 2).expect("sealed").stamp(ProducerState {
        id: producer.producer_id,
        epoch: producer.producer_epoch,
        base_sequence: 0,
        transactional: true,
    });
    let request = ProduceRequest {
        transactional_id: Some(id.clone()),
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: topic.clone(),
            partition_data: vec![PartitionProduceData { index: 0, records: Some(batch) }],
            ..Default::default()
        }],
    };
    let answer = raw.send(request, BEFORE_TRANSACTIONS_VERSION_2);
    assert_eq!(answer.responses[0].partition_responses[0].error_code, ErrorCode::NONE, "{answer:?}");

    let filter = HangingTransactionFilter::new().topic(&topic);
    let found = admin.find_hanging_transactions(&filter).expect("looked");
    let [hanging] = &found[..] else { panic!("{found:?}") };
    let partition = TopicPartition::new(topic.as_str(), 0);
    assert_eq!((&hanging.topic_partition, hanging.producer_id), (&partition, producer.producer_id));
    assert_eq!((hanging.start_offset, hanging.transactional_id.as_deref()), (0, Some(id.as_str())));
    assert!(hanging.age > Duration::from_secs(7_000), "{hanging:?}");
    let everywhere = admin.find_hanging_transactions(&HangingTransactionFilter::new()).expect("looked");
    assert!(everywhere.iter().any(|one| one.producer_id == hanging.producer_id), "{everywhere:?}");
    let java = transactions_command(cluster, &["find-hanging", "--broker-id", "1", "--topic", &topic]);
    let line = java.lines().find(|line| line.starts_with(topic.as_str())).expect("Kafka's tool finds it");
    assert!(line.contains(&hanging.producer_id.to_string()), "{line}");

    let elsewhere = AbortTransactionSpec::new(("no-such-topic", 0), 1, 0);
    assert_eq!(
        admin.abort_transaction(&elsewhere).expect_err("no such topic").kind(),
        ErrorKind::UnknownTopic
    );
    admin.abort_transaction(&hanging.into()).expect("aborted");
    assert!(admin.find_hanging_transactions(&filter).expect("looked").is_empty());
    let unknown = HangingTransactionFilter::new().topic("no-such-topic");
    assert_eq!(
        admin.find_hanging_transactions(&unknown).expect_err("no topic").kind(),
        ErrorKind::UnknownTopic
    );
    let unknown = HangingTransactionFilter::new().partition((topic.as_str(), 9));
    assert_eq!(admin.find_hanging_transactions(&unknown).expect_err("no partition").partition(), Some(9));
}

/// From version 12 on, Produce adds its partitions to the transaction by itself.
const BEFORE_TRANSACTIONS_VERSION_2: i16 = 11;
