//! The mock cluster, spoken to over plain sockets with the protocol module: what clients of any kind rely on.

#![allow(clippy::disallowed_methods, reason = "a peer of the mock is not part of the client")]

#[path = "mock_cluster/transactions.rs"]
mod transactions;

use std::io::{ErrorKind as IoErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kavka::ErrorCode;
use kavka::mock::{GroupState, MockCluster, VersionTable};
use kavka::protocol::messages::fetch::{FetchPartition, FetchTopic, ForgottenTopic};
use kavka::protocol::messages::join_group::JoinGroupRequestProtocol;
use kavka::protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use kavka::protocol::messages::metadata::MetadataRequestTopic;
use kavka::protocol::messages::offset_commit::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kavka::protocol::messages::offset_fetch::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use kavka::protocol::messages::produce::{PartitionProduceData, PartitionProduceResponse, TopicProduceData};
use kavka::protocol::messages::*;
use kavka::protocol::{ApiKey, Request, Uuid, decode_response, encode_request};
use kavka::record::{BatchBuilder, Codec, Compression, ProducerState};

const PATIENCE: Duration = Duration::from_secs(10);

/// A client that does as it is told.
struct Peer {
    stream: TcpStream,
    correlation: i32,
}

impl Peer {
    fn connect(cluster: &MockCluster, broker: i32) -> Self {
        let address = cluster.broker_address(broker).expect("a broker");
        let stream = TcpStream::connect(address).expect("the broker listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self { stream, correlation: 0 }
    }

    fn send<R: Request>(&mut self, request: &R, version: i16) {
        self.correlation += 1;
        let chunks =
            encode_request(self.correlation, Some("peer"), request, version).expect("it fits the version");
        self.stream.write_all(&chunks.concat()).expect("the broker reads");
    }

    fn frame(&mut self) -> std::io::Result<Bytes> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut body)?;
        Ok(body.into())
    }

    fn receive<R: Request>(&mut self, version: i16) -> R::Response {
        let frame = self.frame().expect("an answer");
        let (header, response) = decode_response::<R>(frame, version).expect("a valid answer");
        assert_eq!(header.correlation_id, self.correlation);
        response
    }

    fn ask<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        self.send(request, version);
        self.receive::<R>(version)
    }

    fn newest<R: Request>(&mut self, request: &R) -> R::Response {
        self.ask(request, R::VERSIONS.max)
    }

    fn is_closed(&mut self) -> bool {
        match self.stream.read(&mut [0]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() == IoErrorKind::ConnectionReset,
        }
    }

    fn produce(&mut self, topic: &str, partition: i32, records: Bytes) -> PartitionProduceResponse {
        let mut response = self.ask(&produce(topic, partition, records), 12);
        response.responses.remove(0).partition_responses.remove(0)
    }
}

fn batch(values: &[&str], producer: ProducerState) -> Bytes {
    batch_of(2, values, producer)
}

/// A batch in the format of a magic number.
fn batch_of(magic: i8, values: &[&str], producer: ProducerState) -> Bytes {
    let mut builder = BatchBuilder::new(Vec::new(), usize::MAX);
    for value in values {
        builder.try_append(1000, None, Some(value.as_bytes()), &[]).expect("room");
    }
    builder.seal(&Compression::new(Codec::None), magic).expect("a batch").stamp(producer)
}

fn plain(values: &[&str]) -> Bytes {
    batch(values, ProducerState::NONE)
}

fn numbered(id: i64, epoch: i16, base_sequence: i32, values: &[&str]) -> Bytes {
    batch(values, ProducerState { id, epoch, base_sequence, transactional: false })
}

fn produce(topic: &str, partition: i32, records: Bytes) -> ProduceRequest {
    let data = PartitionProduceData { index: partition, records: Some(records) };
    ProduceRequest {
        acks: -1,
        timeout_ms: 1000,
        topic_data: vec![TopicProduceData {
            name: topic.to_owned(),
            partition_data: vec![data],
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn fetch_at(topic: Uuid, offsets: &[(i32, i64)]) -> FetchRequest {
    let partitions = offsets.iter().map(|(partition, offset)| FetchPartition {
        partition: *partition,
        fetch_offset: *offset,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    });
    FetchRequest {
        min_bytes: 1,
        topics: vec![FetchTopic { topic_id: topic, partitions: partitions.collect(), ..Default::default() }],
        ..Default::default()
    }
}

fn values(cluster: &MockCluster, topic: &str, partition: i32) -> Vec<String> {
    cluster.records(topic, partition).iter().map(|record| record.value_str()).collect()
}

#[test]
fn versions_are_told_and_kept() {
    let cluster = MockCluster::start().expect("a cluster");
    let mut peer = Peer::connect(&cluster, 1);
    for version in 0..=4 {
        let response = peer.ask(&ApiVersionsRequest::default(), version);
        assert_eq!(response.error_code, ErrorCode::NONE);
        assert!(response.api_keys.iter().any(|api| api.api_key == ApiKey::FETCH.0 && api.max_version >= 17));
    }

    cluster.set_versions(1, VersionTable::kafka_2_1()).expect("the broker exists");
    peer.send(&ApiVersionsRequest::default(), 4);
    // Version 0 whatever was asked for, so that everybody can read it.
    let refused = peer.receive::<ApiVersionsRequest>(0);
    assert_eq!(refused.error_code, ErrorCode::UNSUPPORTED_VERSION);
    assert_eq!(refused.api_keys.len(), 1);
    assert_eq!(refused.api_keys[0].max_version, 2);
    peer.send(&MetadataRequest::default(), 12);
    assert!(peer.is_closed(), "other APIs get no answer");
}

#[test]
fn topics_come_and_go() {
    let cluster = MockCluster::builder().brokers(3).default_partitions(2).start().expect("a cluster");
    let mut peer = Peer::connect(&cluster, 2);
    let ask = |name: &str, create: bool| MetadataRequest {
        topics: Some(vec![MetadataRequestTopic { name: Some(name.to_owned()), ..Default::default() }]),
        allow_auto_topic_creation: create,
        ..Default::default()
    };
    let unknown = peer.newest(&ask("new", false));
    assert_eq!(unknown.topics[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let created = peer.newest(&ask("new", true));
    assert_eq!((created.brokers.len(), created.controller_id), (3, 1));
    assert_eq!(created.topics[0].partitions.len(), 2);
    assert_eq!(created.topics[0].partitions[0].replica_nodes.len(), 3);
    assert_eq!(peer.newest(&ask("bad name", true)).topics[0].error_code, ErrorCode::INVALID_TOPIC_EXCEPTION);

    let id = cluster.topic_id("new").expect("the topic exists");
    let by_id = MetadataRequest {
        topics: Some(vec![
            MetadataRequestTopic { topic_id: id, name: None },
            MetadataRequestTopic { topic_id: Uuid::ONE, name: None },
        ]),
        ..Default::default()
    };
    let by_id = peer.newest(&by_id);
    assert_eq!(by_id.topics[0].name.as_deref(), Some("new"));
    assert_eq!(by_id.topics[1].error_code, ErrorCode::UNKNOWN_TOPIC_ID);

    cluster.delete_topic("new").expect("it existed");
    cluster.create_topic("new", 1).expect("it is gone");
    assert_ne!(cluster.topic_id("new"), Some(id), "another topic of the same name");
    let error = cluster.create_topic("new", 1).expect_err("it exists");
    assert_eq!(error.code(), Some(ErrorCode::TOPIC_ALREADY_EXISTS));
    assert_eq!(peer.newest(&MetadataRequest { topics: None, ..Default::default() }).topics.len(), 1);
}

#[test]
fn every_version_of_produce_and_fetch_works() {
    let cluster = MockCluster::builder().topic("t", 1).start().expect("a cluster");
    let id = cluster.topic_id("t").expect("the topic exists");
    let mut peer = Peer::connect(&cluster, 1);
    for version in ProduceRequest::VERSIONS.min..=ProduceRequest::VERSIONS.max {
        let magic = match version {
            ..2 => 0,
            2 => 1,
            _ => 2,
        };
        let mut request = produce("t", 0, batch_of(magic, &["v"], ProducerState::NONE));
        if version >= 13 {
            request.topic_data[0].name.clear();
            request.topic_data[0].topic_id = id;
        }
        let response = peer.ask(&request, version);
        let line = &response.responses[0].partition_responses[0];
        assert_eq!((line.error_code, line.base_offset), (ErrorCode::NONE, i64::from(version)), "v{version}");
    }
    for version in FetchRequest::VERSIONS.min..=FetchRequest::VERSIONS.max {
        let mut request = fetch_at(if version >= 13 { id } else { Uuid::ZERO }, &[(0, 3)]);
        if version < 13 {
            request.topics[0].topic = "t".to_owned();
        }
        let response = peer.ask(&request, version);
        let line = &response.responses[0].partitions[0];
        assert_eq!((line.error_code, line.high_watermark), (ErrorCode::NONE, 14), "v{version}");
        let records = line.records.clone().expect("records");
        let mut offsets = Vec::new();
        for batch in kavka::record::Batches::new(records) {
            let batch = batch.expect("a whole batch");
            assert_eq!(batch.magic(), if version < 4 { 1 } else { 2 });
            offsets.push(batch.base_offset());
        }
        assert_eq!(offsets, (3..14).collect::<Vec<i64>>(), "v{version}");
    }
}

#[test]
fn idempotent_producers_are_held_to_their_sequences() {
    let cluster = MockCluster::builder().topic("t", 1).start().expect("a cluster");
    let mut peer = Peer::connect(&cluster, 1);
    let init = peer.newest(&InitProducerIdRequest { transactional_id: None, ..Default::default() });
    let id = init.producer_id;
    assert!(init.error_code.is_ok() && id >= 0 && init.producer_epoch == 0);

    assert_eq!(peer.produce("t", 0, numbered(id, 0, 0, &["a", "b"])).base_offset, 0);
    assert_eq!(peer.produce("t", 0, numbered(id, 0, 2, &["c"])).base_offset, 2);
    let again = peer.produce("t", 0, numbered(id, 0, 0, &["a", "b"]));
    assert_eq!((again.error_code, again.base_offset), (ErrorCode::NONE, 0), "a duplicate keeps its offset");
    let gap = peer.produce("t", 0, numbered(id, 0, 4, &["e"]));
    assert_eq!(gap.error_code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(peer.produce("t", 0, numbered(id, 1, 0, &["d"])).base_offset, 3);
    let old = peer.produce("t", 0, numbered(id, 0, 3, &["d"]));
    assert_eq!(old.error_code, ErrorCode::INVALID_PRODUCER_EPOCH);
    assert_eq!(values(&cluster, "t", 0), ["a", "b", "c", "d"]);

    let mut damaged = plain(&["x"]).to_vec();
    damaged[68] ^= 1;
    assert_eq!(peer.produce("t", 0, damaged.into()).error_code, ErrorCode::CORRUPT_MESSAGE);
    let large = "x".repeat(1_100_000);
    assert_eq!(peer.produce("t", 0, plain(&[&large])).error_code, ErrorCode::MESSAGE_TOO_LARGE);
    assert_eq!(peer.produce("t", 7, plain(&["x"])).error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

#[test]
fn another_broker_names_the_leader() {
    let cluster = MockCluster::builder().brokers(2).topic("t", 1).start().expect("a cluster");
    cluster.move_leader("t", 0, 2).expect("both exist");
    let mut peer = Peer::connect(&cluster, 1);
    let response = peer.ask(&produce("t", 0, plain(&["x"])), 12);
    let line = &response.responses[0].partition_responses[0];
    assert_eq!(line.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    assert_eq!((line.current_leader.leader_id, line.current_leader.leader_epoch), (2, 1));
    let (_, port) = cluster
        .broker_address(2)
        .and_then(|a| a.split_once(':').map(|(h, p)| (h.to_owned(), p.to_owned())))
        .expect("an address");
    assert_eq!(response.node_endpoints[0].port.to_string(), port);

    let id = cluster.topic_id("t").expect("the topic exists");
    let response = peer.newest(&fetch_at(id, &[(0, 0)]));
    assert_eq!(response.responses[0].partitions[0].current_leader.leader_id, 2);
    assert_eq!(response.node_endpoints.len(), 1);

    let mut peer = Peer::connect(&cluster, 2);
    for (epoch, code) in
        [(0, ErrorCode::FENCED_LEADER_EPOCH), (1, ErrorCode::NONE), (2, ErrorCode::UNKNOWN_LEADER_EPOCH)]
    {
        let mut request = fetch_at(id, &[(0, 0)]);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        assert_eq!(peer.newest(&request).responses[0].partitions[0].error_code, code, "epoch {epoch}");
    }
}

#[test]
fn a_long_poll_ends_with_data_or_time() {
    let cluster = MockCluster::builder().topic("t", 1).start().expect("a cluster");
    let id = cluster.topic_id("t").expect("the topic exists");
    let mut consumer = Peer::connect(&cluster, 1);
    let mut request = fetch_at(id, &[(0, 0)]);
    request.max_wait_ms = 30;
    let begun = Instant::now();
    assert_eq!(consumer.newest(&request).responses[0].partitions[0].records.as_deref(), Some(&[][..]));
    assert!(begun.elapsed() >= Duration::from_millis(30));

    request.max_wait_ms = 60_000;
    consumer.send(&request, FetchRequest::VERSIONS.max);
    assert!(cluster.wait_for(PATIENCE, |cluster| cluster.request_count(ApiKey::FETCH) == 2));
    Peer::connect(&cluster, 1).produce("t", 0, plain(&["x"]));
    let response = consumer.receive::<FetchRequest>(FetchRequest::VERSIONS.max);
    assert_eq!(response.responses[0].partitions[0].high_watermark, 1);

    request.topics[0].partitions[0].fetch_offset = 5;
    let response = consumer.newest(&request);
    assert_eq!(response.responses[0].partitions[0].error_code, ErrorCode::OFFSET_OUT_OF_RANGE, "at once");
}

#[test]
fn fetch_sessions_leave_out_what_is_old() {
    let cluster = MockCluster::builder().topic("t", 2).start().expect("a cluster");
    let id = cluster.topic_id("t").expect("the topic exists");
    let mut peer = Peer::connect(&cluster, 1);
    let mut full = fetch_at(id, &[(0, 0), (1, 0)]);
    full.session_epoch = 0;
    let first = peer.newest(&full);
    let session = first.session_id;
    assert!(session > 0);
    assert_eq!(first.responses[0].partitions.len(), 2, "a full answer has everything");

    let next = |epoch: i32| FetchRequest { session_id: session, session_epoch: epoch, ..Default::default() };
    assert_eq!(peer.newest(&next(1)).responses.len(), 0, "no news");
    Peer::connect(&cluster, 1).produce("t", 1, plain(&["x"]));
    let news = peer.newest(&next(2));
    assert_eq!(news.responses[0].partitions.len(), 1);
    assert_eq!(news.responses[0].partitions[0].partition_index, 1);
    assert_eq!(peer.newest(&next(2)).error_code, ErrorCode::INVALID_FETCH_SESSION_EPOCH);

    let mut forget = next(3);
    forget.forgotten_topics_data =
        vec![ForgottenTopic { topic_id: id, partitions: vec![1], ..Default::default() }];
    assert_eq!(peer.newest(&forget).responses.len(), 0);

    cluster.forget_fetch_sessions(1).expect("the broker exists");
    assert_eq!(peer.newest(&next(4)).error_code, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    let mut bare = fetch_at(id, &[(1, 0)]);
    bare.session_epoch = -1;
    assert_eq!(peer.newest(&bare).session_id, 0);
}

#[test]
fn a_deleted_topic_is_unknown_by_id() {
    let cluster = MockCluster::builder().topic("t", 1).start().expect("a cluster");
    let id = cluster.topic_id("t").expect("the topic exists");
    cluster.delete_topic("t").expect("it exists");
    cluster.create_topic("t", 1).expect("it is gone");
    let mut peer = Peer::connect(&cluster, 1);
    let response = peer.newest(&fetch_at(id, &[(0, 0)]));
    assert_eq!(response.responses[0].partitions[0].error_code, ErrorCode::UNKNOWN_TOPIC_ID);
}

#[test]
fn offsets_are_listed() {
    let cluster = MockCluster::builder().topic("t", 1).start().expect("a cluster");
    let mut peer = Peer::connect(&cluster, 1);
    peer.produce("t", 0, plain(&["a", "b", "c"]));
    cluster.delete_records_before("t", 0, 1).expect("the partition exists");
    let mut list = |timestamp: i64| {
        let partition = ListOffsetsPartition { timestamp, ..Default::default() };
        let topics = vec![ListOffsetsTopic { name: "t".to_owned(), partitions: vec![partition] }];
        let request = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
        let response = peer.newest(&request);
        let line = &response.topics[0].partitions[0];
        (line.error_code, line.offset)
    };
    assert_eq!(list(-1), (ErrorCode::NONE, 3));
    assert_eq!(list(-2), (ErrorCode::NONE, 1));
    assert_eq!(list(-3), (ErrorCode::NONE, 1));
    assert_eq!(list(500), (ErrorCode::NONE, 1));
    assert_eq!(list(2000), (ErrorCode::NONE, -1));
}

#[test]
fn groups_work_end_to_end() {
    let cluster = MockCluster::builder().brokers(3).topic("t", 1).start().expect("a cluster");
    let mut any = Peer::connect(&cluster, 1);
    let find = FindCoordinatorRequest { coordinator_keys: vec!["g".to_owned()], ..Default::default() };
    let coordinator = any.newest(&find).coordinators[0].node_id;
    assert_eq!(cluster.coordinator("g"), Some(coordinator));
    let other = coordinator % 3 + 1;

    let mut join = JoinGroupRequest {
        group_id: "g".to_owned(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        protocol_type: "consumer".to_owned(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".to_owned(), metadata: Bytes::new() }],
        ..Default::default()
    };
    let wrong = Peer::connect(&cluster, other).newest(&join);
    assert_eq!(wrong.error_code, ErrorCode::NOT_COORDINATOR);

    let mut member = Peer::connect(&cluster, coordinator);
    let first = member.newest(&join);
    assert_eq!(first.error_code, ErrorCode::MEMBER_ID_REQUIRED);
    join.member_id = first.member_id;
    let joined = member.newest(&join);
    assert_eq!((joined.error_code, joined.generation_id), (ErrorCode::NONE, 1));
    let sync = SyncGroupRequest {
        group_id: "g".to_owned(),
        generation_id: 1,
        member_id: joined.member_id.clone(),
        protocol_type: Some("consumer".to_owned()),
        protocol_name: Some("range".to_owned()),
        ..Default::default()
    };
    assert_eq!(member.newest(&sync).error_code, ErrorCode::NONE);
    assert_eq!(cluster.group_state("g"), Some(GroupState::Stable));

    let id = cluster.topic_id("t").expect("the topic exists");
    let partition = OffsetCommitRequestPartition { committed_offset: 42, ..Default::default() };
    let mut commit = OffsetCommitRequest {
        group_id: "g".to_owned(),
        generation_id_or_member_epoch: 1,
        member_id: joined.member_id.clone(),
        topics: vec![OffsetCommitRequestTopic {
            topic_id: id,
            partitions: vec![partition],
            ..Default::default()
        }],
        ..Default::default()
    };
    assert_eq!(member.newest(&commit).topics[0].partitions[0].error_code, ErrorCode::NONE);
    assert_eq!(cluster.committed("g", "t", 0), Some(42));
    commit.generation_id_or_member_epoch = 0;
    assert_eq!(member.newest(&commit).topics[0].partitions[0].error_code, ErrorCode::ILLEGAL_GENERATION);

    let topics =
        vec![OffsetFetchRequestTopics { topic_id: id, partition_indexes: vec![0], ..Default::default() }];
    let group =
        OffsetFetchRequestGroup { group_id: "g".to_owned(), topics: Some(topics), ..Default::default() };
    let fetched = member.newest(&OffsetFetchRequest { groups: vec![group], ..Default::default() });
    assert_eq!(fetched.groups[0].topics[0].partitions[0].committed_offset, 42);

    let described =
        member.newest(&DescribeGroupsRequest { groups: vec!["g".to_owned()], ..Default::default() });
    assert_eq!(described.groups[0].group_state, "Stable");
    assert_eq!(described.groups[0].members[0].client_id, "peer");

    cluster.rebalance("g");
    let heartbeat = HeartbeatRequest {
        group_id: "g".to_owned(),
        generation_id: 1,
        member_id: joined.member_id,
        ..Default::default()
    };
    assert_eq!(member.newest(&heartbeat).error_code, ErrorCode::REBALANCE_IN_PROGRESS);
    cluster.move_coordinator("g", other).expect("the broker exists");
    assert_eq!(member.newest(&heartbeat).error_code, ErrorCode::NOT_COORDINATOR);
}

#[test]
fn sessions_of_members_run_out() {
    let cluster = MockCluster::start().expect("a cluster");
    let mut member = Peer::connect(&cluster, 1);
    let join = JoinGroupRequest {
        group_id: "g".to_owned(),
        session_timeout_ms: 50,
        rebalance_timeout_ms: 50,
        protocol_type: "consumer".to_owned(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".to_owned(), metadata: Bytes::new() }],
        ..Default::default()
    };
    assert_eq!(member.ask(&join, 3).generation_id, 1);
    assert!(cluster.wait_for(PATIENCE, |cluster| cluster.group_state("g") == Some(GroupState::Empty)));
}

#[test]
fn errors_are_injected_where_wanted() {
    let cluster = MockCluster::builder().topic("t", 2).start().expect("a cluster");
    let mut peer = Peer::connect(&cluster, 1);
    let fault =
        cluster.on(ApiKey::PRODUCE).partition("t", 1).nth(2..=2).error(ErrorCode::NOT_ENOUGH_REPLICAS);
    assert_eq!(peer.produce("t", 1, plain(&["a"])).error_code, ErrorCode::NONE);
    assert_eq!(peer.produce("t", 0, plain(&["a"])).error_code, ErrorCode::NONE);
    assert_eq!(peer.produce("t", 1, plain(&["b"])).error_code, ErrorCode::NOT_ENOUGH_REPLICAS);
    assert_eq!(peer.produce("t", 1, plain(&["b"])).error_code, ErrorCode::NONE);
    assert_eq!((fault.hits(), cluster.end_offset("t", 1)), (1, 2));

    let always = cluster.on(ApiKey::METADATA).always().throttle(Duration::from_millis(70));
    for _ in 0..2 {
        assert_eq!(peer.newest(&MetadataRequest::default()).throttle_time_ms, 70);
    }
    always.remove();
    assert_eq!(peer.newest(&MetadataRequest::default()).throttle_time_ms, 0);

    cluster.on(ApiKey::METADATA).delay(Duration::from_millis(40));
    let begun = Instant::now();
    peer.newest(&MetadataRequest::default());
    assert!(begun.elapsed() >= Duration::from_millis(40));

    cluster.on(None).always().error(ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    let versions = peer.newest(&ApiVersionsRequest::default());
    assert_eq!(versions.error_code, ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    cluster.clear_faults();
    assert_eq!(peer.newest(&ApiVersionsRequest::default()).error_code, ErrorCode::NONE);
}

#[test]
fn answers_are_lost_in_every_way() {
    let cluster = MockCluster::builder().topic("t", 1).start().expect("a cluster");
    let request = produce("t", 0, plain(&["x"]));

    cluster.on(ApiKey::PRODUCE).drop_before();
    let mut peer = Peer::connect(&cluster, 1);
    peer.send(&request, 12);
    assert!(peer.is_closed());
    assert_eq!(cluster.end_offset("t", 0), 0, "not applied");

    cluster.on(ApiKey::PRODUCE).drop_after();
    let mut peer = Peer::connect(&cluster, 1);
    peer.send(&request, 12);
    assert!(peer.is_closed());
    assert_eq!(cluster.end_offset("t", 0), 1, "applied");

    cluster.on(ApiKey::PRODUCE).close_after_bytes(6);
    let mut peer = Peer::connect(&cluster, 1);
    peer.send(&request, 12);
    let mut all = Vec::new();
    peer.stream.read_to_end(&mut all).expect("an orderly end");
    assert_eq!(all.len(), 6);

    cluster.on(ApiKey::PRODUCE).garbage();
    let mut peer = Peer::connect(&cluster, 1);
    peer.send(&request, 12);
    let frame = peer.frame().expect("a frame");
    assert_eq!(frame[..4], peer.correlation.to_be_bytes());

    cluster.on(ApiKey::PRODUCE).never_answer();
    let mut peer = Peer::connect(&cluster, 1);
    peer.stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
    peer.send(&request, 12);
    assert!(!peer.is_closed(), "open, and silent");
    assert!(cluster.wait_for(PATIENCE, |cluster| cluster.end_offset("t", 0) == 4));
}

#[test]
fn brokers_die_and_come_back() {
    let cluster = MockCluster::builder().brokers(3).topic("t", 3).start().expect("a cluster");
    let mut peer = Peer::connect(&cluster, 1);
    peer.produce("t", 0, plain(&["x"]));
    let address = cluster.broker_address(1).expect("an address");
    cluster.kill(1).expect("the broker exists");
    assert!(peer.is_closed());
    let refused = TcpStream::connect(&address).expect_err("nobody listens");
    assert_eq!(refused.kind(), IoErrorKind::ConnectionRefused);
    assert_eq!((cluster.leader("t", 0), cluster.leader_epoch("t", 0)), (Some(2), Some(1)));
    assert_eq!((cluster.leader("t", 1), cluster.leader_epoch("t", 1)), (Some(2), Some(0)));
    let metadata = Peer::connect(&cluster, 2).newest(&MetadataRequest { topics: None, ..Default::default() });
    assert_eq!(metadata.brokers.len(), 2);
    assert_eq!(metadata.topics[0].partitions[0].offline_replicas, [1]);

    cluster.restart(1).expect("the port is still its own");
    cluster.move_leader("t", 0, 1).expect("both exist");
    assert_eq!(Peer::connect(&cluster, 1).produce("t", 0, plain(&["y"])).base_offset, 1);

    cluster.kill_without_failover(1).expect("the broker exists");
    assert_eq!(cluster.leader("t", 0), Some(1), "nobody has noticed yet");
}

#[test]
fn a_broker_that_does_not_read_fills_its_socket() {
    let cluster = MockCluster::start().expect("a cluster");
    let mut peer = Peer::connect(&cluster, 1);
    peer.newest(&MetadataRequest::default());
    cluster.stop_reading(1).expect("the broker exists");
    peer.send(&MetadataRequest::default(), 9);
    peer.stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
    assert!(peer.frame().is_err());
    assert_eq!(cluster.request_count(ApiKey::METADATA), 1);
    cluster.resume_reading(1).expect("the broker exists");
    peer.stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    peer.receive::<MetadataRequest>(9);
}

#[test]
fn other_addresses_can_be_told() {
    let cluster = MockCluster::start().expect("a cluster");
    cluster.advertise(1, "proxy.example", 19092).expect("the broker exists");
    let metadata = Peer::connect(&cluster, 1).newest(&MetadataRequest::default());
    assert_eq!((metadata.brokers[0].host.as_str(), metadata.brokers[0].port), ("proxy.example", 19092));
}

#[test]
fn requests_are_remembered() {
    let cluster = MockCluster::builder().topic("t", 1).start().expect("a cluster");
    let mut peer = Peer::connect(&cluster, 1);
    peer.produce("t", 0, plain(&["x"]));
    let requests = cluster.requests_of(ApiKey::PRODUCE);
    assert_eq!(requests.len(), 1);
    assert_eq!((requests[0].version, requests[0].broker), (12, 1));
    assert_eq!(requests[0].client_id.as_deref(), Some("peer"));
    let request: ProduceRequest = requests[0].decode().expect("its bytes are kept");
    assert_eq!((request.acks, request.topic_data[0].name.as_str()), (-1, "t"));
    assert_eq!(requests[0].decode::<FetchRequest>(), None);
    cluster.clear_requests();
    assert_eq!(cluster.requests().len(), 0);
}

#[test]
fn unacknowledged_errors_close_the_connection() {
    let cluster = MockCluster::builder().topic("t", 1).start().expect("a cluster");
    let mut peer = Peer::connect(&cluster, 1);
    let mut request = produce("t", 0, plain(&["x"]));
    request.acks = 0;
    peer.send(&request, 12);
    peer.newest(&MetadataRequest::default());
    assert_eq!(cluster.end_offset("t", 0), 1);
    request.topic_data[0].name = "unknown".to_owned();
    peer.send(&request, 12);
    assert!(peer.is_closed());
}

#[test]
fn bytes_that_are_no_requests_close_the_connection() {
    let cluster = MockCluster::start().expect("a cluster");
    for bytes in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0, 0, 0, 3, 1, 2, 3], &[0, 0, 0, 10, 0, 3, 0, 9, 0, 0, 0, 1, 0, 5]]
    {
        let mut peer = Peer::connect(&cluster, 1);
        peer.stream.write_all(bytes).expect("the broker reads");
        assert!(peer.is_closed());
    }
    assert_eq!(Peer::connect(&cluster, 1).newest(&ApiVersionsRequest::default()).error_code, ErrorCode::NONE);
}

/// Asks in every version that there is; a broker that cannot encode its answer would close the connection.
fn in_all_versions<R: Request>(peer: &mut Peer, make: impl Fn(i16) -> R, check: impl Fn(i16, R::Response)) {
    for version in R::VERSIONS.min..=R::VERSIONS.max {
        let response = peer.ask(&make(version), version);
        check(version, response);
    }
}

#[test]
fn every_api_is_served_in_every_version() {
    let cluster = MockCluster::builder().topic("t", 2).start().expect("a cluster");
    let id = cluster.topic_id("t").expect("the topic exists");
    let peer = &mut Peer::connect(&cluster, 1);
    in_all_versions(
        peer,
        |_| ApiVersionsRequest::default(),
        |_, response| assert!(response.error_code.is_ok()),
    );
    let all = |version| MetadataRequest { topics: (version == 0).then(Vec::new), ..Default::default() };
    in_all_versions(peer, all, |_, response| assert_eq!(response.topics[0].partitions.len(), 2));
    in_all_versions(
        peer,
        |_| InitProducerIdRequest { transactional_id: None, ..Default::default() },
        |_, response| assert!(response.producer_id >= 1000),
    );
    in_all_versions(
        peer,
        |version| FindCoordinatorRequest {
            key: if version < 4 { "g".to_owned() } else { String::new() },
            coordinator_keys: if version < 4 { Vec::new() } else { vec!["g".to_owned()] },
            ..Default::default()
        },
        |version, response| {
            let node = if version < 4 { response.node_id } else { response.coordinators[0].node_id };
            assert_eq!(node, 1);
        },
    );
    in_all_versions(
        peer,
        |_| ListOffsetsRequest {
            replica_id: -1,
            topics: vec![ListOffsetsTopic {
                name: "t".to_owned(),
                partitions: vec![ListOffsetsPartition { timestamp: -1, ..Default::default() }],
            }],
            ..Default::default()
        },
        |_, response| assert!(response.topics[0].partitions[0].error_code.is_ok()),
    );
    in_all_versions(
        peer,
        |version| OffsetCommitRequest {
            group_id: "g".to_owned(),
            topics: vec![OffsetCommitRequestTopic {
                name: if version < 10 { "t".to_owned() } else { String::new() },
                topic_id: if version < 10 { Uuid::ZERO } else { id },
                partitions: vec![OffsetCommitRequestPartition { committed_offset: 7, ..Default::default() }],
            }],
            ..Default::default()
        },
        |_, response| assert!(response.topics[0].partitions[0].error_code.is_ok()),
    );
    in_all_versions(
        peer,
        |version| {
            let mut request = OffsetFetchRequest::default();
            if version < 8 {
                request.group_id = "g".to_owned();
                request.topics = if version < 2 { Some(Vec::new()) } else { None };
            } else {
                let group_id = "g".to_owned();
                request.groups =
                    vec![OffsetFetchRequestGroup { group_id, topics: None, ..Default::default() }];
            }
            request
        },
        |version, response| {
            let offset = match version {
                0 | 1 => 7,
                2..=7 => response.topics[0].partitions[0].committed_offset,
                _ => response.groups[0].topics[0].partitions[0].committed_offset,
            };
            assert_eq!(offset, 7);
        },
    );
    in_all_versions(
        peer,
        |version| JoinGroupRequest {
            group_id: format!("g{version}"),
            session_timeout_ms: 10_000,
            protocol_type: "consumer".to_owned(),
            protocols: vec![JoinGroupRequestProtocol { name: "range".to_owned(), metadata: Bytes::new() }],
            ..Default::default()
        },
        |version, response| {
            let wanted = if version < 4 { ErrorCode::NONE } else { ErrorCode::MEMBER_ID_REQUIRED };
            assert_eq!(response.error_code, wanted);
        },
    );
    let unknown = ErrorCode::UNKNOWN_MEMBER_ID;
    in_all_versions(
        peer,
        |_| SyncGroupRequest::default(),
        |_, response| assert_eq!(response.error_code, unknown),
    );
    in_all_versions(
        peer,
        |_| HeartbeatRequest::default(),
        |_, response| assert_eq!(response.error_code, unknown),
    );
    in_all_versions(
        peer,
        |_| LeaveGroupRequest::default(),
        |version, response| {
            assert_eq!(response.error_code, if version < 3 { unknown } else { ErrorCode::NONE });
        },
    );
    in_all_versions(
        peer,
        |_| DescribeGroupsRequest { groups: vec!["g3".to_owned()], ..Default::default() },
        |_, response| assert_eq!(response.groups[0].members.len(), 1),
    );
    in_all_versions(peer, |_| ListGroupsRequest::default(), |_, response| assert!(response.groups.len() > 3));
    in_all_versions(
        peer,
        |version| DeleteGroupsRequest {
            groups_names: vec![if version == 0 { "g" } else { "g3" }.to_owned()],
        },
        |version, response| {
            let wanted = if version == 0 { ErrorCode::NONE } else { ErrorCode::NON_EMPTY_GROUP };
            assert_eq!(response.results[0].error_code, wanted);
        },
    );
    in_all_versions(
        peer,
        |_| OffsetForLeaderEpochRequest { topics: vec![epoch_of("t")], ..Default::default() },
        |_, response| assert_eq!(response.topics[0].partitions[0].end_offset, 0),
    );
    in_all_versions(
        peer,
        |_| DescribeClusterRequest::default(),
        |_, response| {
            assert_eq!(response.brokers.len(), 1);
        },
    );
    in_all_versions(
        peer,
        |_| DescribeTopicPartitionsRequest::default(),
        |_, response| {
            assert_eq!(response.topics[0].partitions.len(), 2);
        },
    );
}

fn epoch_of(topic: &str) -> kavka::protocol::messages::offset_for_leader_epoch::OffsetForLeaderTopic {
    use kavka::protocol::messages::offset_for_leader_epoch::{
        OffsetForLeaderPartition, OffsetForLeaderTopic,
    };
    OffsetForLeaderTopic { topic: topic.to_owned(), partitions: vec![OffsetForLeaderPartition::default()] }
}

#[test]
fn topics_are_administered_in_every_version() {
    use kavka::protocol::messages::create_partitions::CreatePartitionsTopic;
    use kavka::protocol::messages::create_topics::{CreatableTopic, CreatableTopicConfig};
    use kavka::protocol::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
    use kavka::protocol::messages::delete_topics::DeleteTopicState;
    use kavka::protocol::messages::describe_configs::DescribeConfigsResource;

    let cluster = MockCluster::builder().brokers(2).start().expect("a cluster");
    let peer = &mut Peer::connect(&cluster, 1);
    let name = |version: i16| format!("t{version}");
    let create = |version: i16, validate_only: bool| CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: name(version),
            num_partitions: 1,
            replication_factor: 2,
            configs: vec![CreatableTopicConfig {
                name: "retention.ms".to_owned(),
                value: Some("9".to_owned()),
            }],
            ..Default::default()
        }],
        validate_only,
        ..Default::default()
    };
    assert!(peer.newest(&create(0, true)).topics[0].error_code.is_ok());
    assert_eq!(cluster.topics().len(), 0, "only validated");
    in_all_versions(
        peer,
        |version| create(version, false),
        |version, response| {
            assert!(response.topics[0].error_code.is_ok(), "v{version}");
        },
    );
    assert_eq!(peer.newest(&create(0, false)).topics[0].error_code, ErrorCode::TOPIC_ALREADY_EXISTS);
    let mut greedy = create(99, false);
    greedy.topics[0].replication_factor = 3;
    assert_eq!(peer.newest(&greedy).topics[0].error_code, ErrorCode::INVALID_REPLICATION_FACTOR);

    in_all_versions(
        peer,
        |version| CreatePartitionsRequest {
            topics: vec![CreatePartitionsTopic {
                name: "t0".to_owned(),
                count: i32::from(version) + 2,
                assignments: None,
            }],
            ..Default::default()
        },
        |_, response| assert!(response.results[0].error_code.is_ok()),
    );
    assert_eq!(cluster.partitions("t0"), 5);

    in_all_versions(
        peer,
        |_| DescribeConfigsRequest {
            resources: vec![DescribeConfigsResource {
                resource_type: 2,
                resource_name: "t0".to_owned(),
                configuration_keys: Some(vec!["retention.ms".to_owned()]),
            }],
            ..Default::default()
        },
        |_, response| assert_eq!(response.results[0].configs[0].value.as_deref(), Some("9")),
    );

    let leader = cluster.leader("t0", 0).expect("a leader");
    let peer = &mut Peer::connect(&cluster, leader);
    peer.produce("t0", 0, plain(&["a", "b", "c", "d"]));
    in_all_versions(
        peer,
        |version| DeleteRecordsRequest {
            topics: vec![DeleteRecordsTopic {
                name: "t0".to_owned(),
                partitions: vec![DeleteRecordsPartition {
                    partition_index: 0,
                    offset: i64::from(version) + 1,
                }],
            }],
            ..Default::default()
        },
        |version, response| {
            assert_eq!(response.topics[0].partitions[0].low_watermark, i64::from(version) + 1);
        },
    );
    assert_eq!((cluster.start_offset("t0", 0), values(&cluster, "t0", 0)), (3, vec!["d".to_owned()]));

    in_all_versions(
        peer,
        |version| {
            let mut request = DeleteTopicsRequest::default();
            if version < 6 {
                request.topic_names = vec![name(version)];
            } else {
                let topic_id = cluster.topic_id(&name(version)).expect("the topic exists");
                request.topics = vec![DeleteTopicState { name: None, topic_id }];
            }
            request
        },
        |version, response| assert!(response.responses[0].error_code.is_ok(), "v{version}"),
    );
    assert_eq!(cluster.topics(), ["t7"]);
}

#[test]
fn connections_close_while_the_broker_stays() {
    let cluster = MockCluster::start().expect("a cluster");
    let mut peer = Peer::connect(&cluster, 1);
    peer.newest(&MetadataRequest::default());
    cluster.disconnect(1).expect("the broker exists");
    assert!(peer.is_closed());
    Peer::connect(&cluster, 1).newest(&MetadataRequest::default());
    let error = cluster.kill(9).expect_err("there is no such broker");
    assert_eq!(error.kind(), kavka::ErrorKind::InvalidArgument);
}

#[test]
fn records_and_offsets_are_put_in_by_hand() {
    let cluster = MockCluster::builder().topic("t", 1).start().expect("a cluster");
    assert_eq!(cluster.append("t", 0, [("k", "a"), ("k", "b")]).expect("a partition"), 0);
    let mut damaged = plain(&["c"]).to_vec();
    damaged[68] ^= 1;
    assert_eq!(cluster.append_batch("t", 0, damaged.into()).expect("a header"), 2);
    assert_eq!(values(&cluster, "t", 0), ["a", "b"], "what is damaged cannot be read");
    assert_eq!(cluster.end_offset("t", 0), 3);
    assert_eq!(cluster.batches("t", 0).len(), 2);
    assert!(cluster.append_batch("t", 0, Bytes::from_static(b"nonsense")).is_err());
    assert!(cluster.append("t", 1, [("k", "a")]).is_err());

    cluster.commit("g", "t", 0, 2).expect("a partition");
    assert_eq!(cluster.committed("g", "t", 0), Some(2));
    assert_eq!(cluster.committed("g", "t", 1), None);
    cluster.on(ApiKey::OFFSET_FETCH).partition("t", 0).error(ErrorCode::UNSTABLE_OFFSET_COMMIT);
    let id = cluster.topic_id("t").expect("the topic exists");
    let topics =
        vec![OffsetFetchRequestTopics { topic_id: id, partition_indexes: vec![0], ..Default::default() }];
    let group =
        OffsetFetchRequestGroup { group_id: "g".to_owned(), topics: Some(topics), ..Default::default() };
    let request = OffsetFetchRequest { groups: vec![group], ..Default::default() };
    let mut peer = Peer::connect(&cluster, 1);
    for code in [ErrorCode::UNSTABLE_OFFSET_COMMIT, ErrorCode::NONE] {
        assert_eq!(peer.newest(&request).groups[0].topics[0].partitions[0].error_code, code);
    }
}

#[test]
fn a_lost_end_of_the_log_shows_in_the_epochs() {
    let cluster = MockCluster::builder().topic("t", 1).start().expect("a cluster");
    let id = cluster.topic_id("t").expect("the topic exists");
    for value in ["a", "b", "c"] {
        cluster.append("t", 0, [("k", value)]).expect("a partition");
    }
    cluster.truncate("t", 0, 1).expect("a partition");
    assert_eq!((cluster.end_offset("t", 0), cluster.leader_epoch("t", 0)), (1, Some(1)));
    cluster.append("t", 0, [("k", "other")]).expect("a partition");
    let mut request = fetch_at(id, &[(0, 3)]);
    request.topics[0].partitions[0].last_fetched_epoch = 0;
    let response = Peer::connect(&cluster, 1).newest(&request);
    let diverging = &response.responses[0].partitions[0].diverging_epoch;
    assert_eq!((diverging.epoch, diverging.end_offset), (0, 1));
}

#[test]
fn consumers_are_sent_to_the_replica_in_their_rack() {
    let cluster =
        MockCluster::builder().brokers(2).racks(["a", "b"]).topic("t", 1).start().expect("a cluster");
    let id = cluster.topic_id("t").expect("the topic exists");
    cluster.append("t", 0, [("k", "v")]).expect("a partition");
    let mut request = fetch_at(id, &[(0, 0)]);
    request.rack_id = "b".to_owned();
    let response = Peer::connect(&cluster, 1).newest(&request);
    let line = &response.responses[0].partitions[0];
    assert_eq!((line.error_code, line.preferred_read_replica), (ErrorCode::NONE, 2));
    assert_eq!(line.records.as_deref(), Some(&[][..]), "the records are to be had there");
    let response = Peer::connect(&cluster, 2).newest(&request);
    let line = &response.responses[0].partitions[0];
    assert_eq!((line.error_code, line.preferred_read_replica), (ErrorCode::NONE, -1));
    assert!(line.records.as_ref().is_some_and(|records| !records.is_empty()));
    request.rack_id = "a".to_owned();
    let response = Peer::connect(&cluster, 1).newest(&request);
    assert_eq!(response.responses[0].partitions[0].preferred_read_replica, -1);
}
