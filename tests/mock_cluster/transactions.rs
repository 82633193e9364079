//! Transactions, as coordinators, leaders and groups of the mock answer them.

use kavka::mock::TransactionState;
use kavka::protocol::messages::add_partitions_to_txn::AddPartitionsToTxnTopic;
use kavka::protocol::messages::txn_offset_commit::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};

use super::*;

/// A producer with the transactional id `t`, id and epoch.
#[derive(Clone, Copy)]
struct Producer(i64, i16);

fn init(peer: &mut Peer) -> Producer {
    let request = InitProducerIdRequest {
        transactional_id: Some("t".to_owned()),
        transaction_timeout_ms: 60_000,
        ..Default::default()
    };
    let answer = peer.ask(&request, 5);
    assert_eq!(answer.error_code, ErrorCode::NONE);
    Producer(answer.producer_id, answer.producer_epoch)
}

fn add_partition(peer: &mut Peer, producer: Producer, topic: &str) -> ErrorCode {
    let request = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: "t".to_owned(),
        v3_and_below_producer_id: producer.0,
        v3_and_below_producer_epoch: producer.1,
        v3_and_below_topics: vec![AddPartitionsToTxnTopic { name: topic.to_owned(), partitions: vec![0] }],
        ..Default::default()
    };
    let answer = peer.ask(&request, 3);
    answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
}

fn send(peer: &mut Peer, version: i16, producer: Producer, sequence: i32, value: &str) -> ErrorCode {
    let state =
        ProducerState { id: producer.0, epoch: producer.1, base_sequence: sequence, transactional: true };
    let request = ProduceRequest {
        transactional_id: Some("t".to_owned()),
        ..produce("out", 0, batch(&[value], state))
    };
    peer.ask(&request, version).responses[0].partition_responses[0].error_code
}

fn end(peer: &mut Peer, version: i16, producer: Producer, committed: bool) -> (ErrorCode, Producer) {
    let request = EndTxnRequest {
        transactional_id: "t".to_owned(),
        producer_id: producer.0,
        producer_epoch: producer.1,
        committed,
    };
    let answer = peer.ask(&request, version);
    (answer.error_code, Producer(answer.producer_id, answer.producer_epoch))
}

fn commit_offset(peer: &mut Peer, version: i16, producer: Producer, offset: i64) -> ErrorCode {
    let partition = TxnOffsetCommitRequestPartition { committed_offset: offset, ..Default::default() };
    let request = TxnOffsetCommitRequest {
        transactional_id: "t".to_owned(),
        group_id: "g".to_owned(),
        producer_id: producer.0,
        producer_epoch: producer.1,
        topics: vec![TxnOffsetCommitRequestTopic {
            name: "in".to_owned(),
            partitions: vec![partition],
            ..Default::default()
        }],
        ..Default::default()
    };
    peer.ask(&request, version).topics[0].partitions[0].error_code
}

fn fetch_committed(peer: &mut Peer, topic: Uuid) -> kavka::protocol::messages::fetch::PartitionData {
    let mut answer = peer.newest(&FetchRequest { isolation_level: 1, ..fetch_at(topic, &[(0, 0)]) });
    answer.responses.remove(0).partitions.remove(0)
}

fn offset_fetch(peer: &mut Peer, require_stable: bool) -> (ErrorCode, i64) {
    let topics =
        OffsetFetchRequestTopics { name: "in".to_owned(), partition_indexes: vec![0], ..Default::default() };
    let group = OffsetFetchRequestGroup {
        group_id: "g".to_owned(),
        topics: Some(vec![topics]),
        ..Default::default()
    };
    let request = OffsetFetchRequest { groups: vec![group], require_stable, ..Default::default() };
    let answer = peer.ask(&request, 9);
    let line = &answer.groups[0].topics[0].partitions[0];
    (line.error_code, line.committed_offset)
}

fn cluster() -> (MockCluster, Peer) {
    let cluster = MockCluster::builder().topic("in", 1).topic("out", 1).start().expect("a cluster");
    let peer = Peer::connect(&cluster, 1);
    (cluster, peer)
}

#[test]
fn partitions_are_added_first_by_old_clients() {
    let (cluster, mut peer) = cluster();
    let producer = init(&mut peer);
    assert_eq!(send(&mut peer, 11, producer, 0, "x"), ErrorCode::TRANSACTION_ABORTABLE);
    assert_eq!(send(&mut peer, 10, producer, 0, "x"), ErrorCode::INVALID_TXN_STATE);
    assert_eq!(add_partition(&mut peer, producer, "none"), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(add_partition(&mut peer, producer, "out"), ErrorCode::NONE);
    assert_eq!(cluster.transaction_state("t"), Some(TransactionState::Ongoing));
    assert_eq!(send(&mut peer, 11, producer, 0, "a"), ErrorCode::NONE);
    assert_eq!(commit_offset(&mut peer, 4, producer, 5), ErrorCode::TRANSACTION_ABORTABLE);
    let add = AddOffsetsToTxnRequest {
        transactional_id: "t".to_owned(),
        producer_id: producer.0,
        producer_epoch: producer.1,
        group_id: "g".to_owned(),
    };
    assert_eq!(peer.ask(&add, 3).error_code, ErrorCode::NONE);
    assert_eq!(commit_offset(&mut peer, 4, producer, 5), ErrorCode::NONE);

    assert_eq!((cluster.last_stable_offset("out", 0), cluster.end_offset("out", 0)), (0, 1));
    assert_eq!(offset_fetch(&mut peer, true), (ErrorCode::UNSTABLE_OFFSET_COMMIT, -1));
    assert_eq!(offset_fetch(&mut peer, false), (ErrorCode::NONE, -1));
    assert_eq!(end(&mut peer, 4, producer, true).0, ErrorCode::NONE);
    assert_eq!(offset_fetch(&mut peer, true), (ErrorCode::NONE, 5));
    assert_eq!((cluster.last_stable_offset("out", 0), cluster.end_offset("out", 0)), (2, 2), "and a marker");
    assert_eq!(end(&mut peer, 4, producer, true).0, ErrorCode::NONE, "again");
    assert_eq!(end(&mut peer, 4, producer, false).0, ErrorCode::INVALID_TXN_STATE);

    assert_eq!(add_partition(&mut peer, producer, "out"), ErrorCode::NONE);
    assert_eq!(send(&mut peer, 11, producer, 1, "b"), ErrorCode::NONE, "sequences go on");
    assert_eq!(end(&mut peer, 4, producer, false).0, ErrorCode::NONE);
    let topic = cluster.topic_id("out").expect("it exists");
    let seen = fetch_committed(&mut peer, topic);
    let aborted = seen.aborted_transactions.expect("readers of committed records get the list");
    assert_eq!(
        aborted.iter().map(|one| (one.producer_id, one.first_offset)).collect::<Vec<_>>(),
        [(producer.0, 2)]
    );
    let committed: Vec<_> =
        cluster.committed_records("out", 0).iter().map(|record| record.value_str()).collect();
    assert_eq!((committed, values(&cluster, "out", 0).len()), (vec!["a".to_owned()], 2));
}

#[test]
fn records_add_their_partitions_under_transaction_version_2() {
    let (cluster, mut peer) = cluster();
    let told = peer.newest(&ApiVersionsRequest::default());
    let feature = told.finalized_features.iter().find(|feature| feature.name == "transaction.version");
    assert_eq!(feature.map(|feature| feature.max_version_level), Some(2));
    let topic = cluster.topic_id("out").expect("it exists");

    let first = init(&mut peer);
    assert_eq!(send(&mut peer, 12, first, 0, "a"), ErrorCode::NONE);
    assert_eq!(commit_offset(&mut peer, 5, first, 3), ErrorCode::NONE);
    cluster.hold_transaction_markers(true);
    let (code, second) = end(&mut peer, 5, first, true);
    assert_eq!((code, second.0, second.1), (ErrorCode::NONE, first.0, first.1 + 1));
    assert_eq!(cluster.transaction_state("t"), Some(TransactionState::PrepareCommit));
    let seen = fetch_committed(&mut peer, topic);
    assert_eq!(
        (seen.high_watermark, seen.last_stable_offset, seen.records.as_deref()),
        (1, 0, Some(&[][..]))
    );
    assert_eq!(send(&mut peer, 12, second, 0, "b"), ErrorCode::CONCURRENT_TRANSACTIONS);
    assert_eq!(end(&mut peer, 5, first, true).0, ErrorCode::CONCURRENT_TRANSACTIONS);
    cluster.hold_transaction_markers(false);
    assert_eq!(cluster.transaction_state("t"), Some(TransactionState::CompleteCommit));
    assert_eq!((cluster.last_stable_offset("out", 0), cluster.committed("g", "in", 0)), (2, Some(3)));

    assert_eq!(send(&mut peer, 12, first, 1, "late"), ErrorCode::INVALID_PRODUCER_EPOCH);
    assert_eq!(send(&mut peer, 12, second, 1, "b"), ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(send(&mut peer, 12, second, 0, "b"), ErrorCode::NONE);
    let latest = |isolation_level| ListOffsetsRequest {
        isolation_level,
        topics: vec![ListOffsetsTopic {
            name: "out".to_owned(),
            partitions: vec![ListOffsetsPartition { timestamp: -1, ..Default::default() }],
        }],
        ..Default::default()
    };
    assert_eq!(peer.newest(&latest(0)).topics[0].partitions[0].offset, 3);
    assert_eq!(peer.newest(&latest(1)).topics[0].partitions[0].offset, 2);

    assert!(cluster.expire_transaction("t"));
    assert_eq!(end(&mut peer, 5, second, true).0, ErrorCode::INVALID_TXN_STATE);
    assert_eq!(send(&mut peer, 12, second, 1, "late"), ErrorCode::INVALID_PRODUCER_EPOCH);
    assert_eq!(end(&mut peer, 5, second, false).1.1, second.1 + 1, "it goes on with the epoch of the abort");
    let third = init(&mut peer);
    assert!(third.0 == first.0 && third.1 > second.1);
    assert_eq!(end(&mut peer, 5, third, false).1.1, third.1 + 1, "an abort of nothing");
}

#[test]
fn a_transaction_that_is_forgotten_ends_by_itself() {
    let (cluster, mut peer) = cluster();
    let request = |ms| InitProducerIdRequest {
        transactional_id: Some("t".to_owned()),
        transaction_timeout_ms: ms,
        ..Default::default()
    };
    assert_eq!(peer.ask(&request(1_000_000), 5).error_code, ErrorCode::INVALID_TRANSACTION_TIMEOUT);
    let answer = peer.ask(&request(50), 5);
    let producer = Producer(answer.producer_id, answer.producer_epoch);
    assert_eq!(send(&mut peer, 12, producer, 0, "a"), ErrorCode::NONE);
    assert!(cluster.wait_for(PATIENCE, |cluster| {
        cluster.transaction_state("t") == Some(TransactionState::CompleteAbort)
            && cluster.last_stable_offset("out", 0) == 2
    }));
    assert_eq!(cluster.committed_records("out", 0), []);
    let find =
        FindCoordinatorRequest { key_type: 1, coordinator_keys: vec!["t".to_owned()], ..Default::default() };
    assert_eq!(peer.newest(&find).coordinators[0].node_id, 1);
}
