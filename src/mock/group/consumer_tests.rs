use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_channel::oneshot;

use super::consumer::{Catalogue, Limits, Place, Refusal, Sender};
use super::{Group, GroupState, Joiner};
use crate::error_code::ErrorCode;
use crate::protocol::messages::consumer_group_heartbeat::ConsumerGroupHeartbeatRequestTopicPartitions;
use crate::protocol::messages::join_group::JoinGroupRequestProtocol;
use crate::protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ConsumerProtocolSubscription,
    JoinGroupRequest, JoinGroupResponse,
};
use crate::protocol::{Uuid, encode_versioned};

struct Bench {
    group: Group,
    now: Instant,
    catalogue: Catalogue,
    max_size: usize,
}

const TOPIC: Uuid = Uuid([7; 16]);

fn places(partitions: &[i32]) -> BTreeSet<Place> {
    partitions.iter().map(|partition| (TOPIC, *partition)).collect()
}

fn told(response: &ConsumerGroupHeartbeatResponse) -> Option<BTreeSet<Place>> {
    let assignment = response.assignment.as_ref()?;
    Some(
        assignment
            .topic_partitions
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(|partition| (topic.topic_id, *partition)))
            .collect(),
    )
}

impl Bench {
    #[allow(clippy::disallowed_methods, reason = "any moment does as the first one")]
    fn new() -> Self {
        let catalogue = Catalogue::from([("t".to_owned(), (TOPIC, 4))]);
        Self { group: Group::default(), now: Instant::now(), catalogue, max_size: 10 }
    }

    fn send(
        &mut self,
        request: ConsumerGroupHeartbeatRequest,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
        let from = Sender { client_id: "c".into(), host: "/h".into(), new_id: "made".into() };
        let limits = Limits {
            heartbeat_interval: Duration::from_secs(5),
            session_timeout: Duration::from_secs(45),
            max_size: self.max_size,
        };
        self.group.consumer_heartbeat(request, from, self.catalogue.clone(), &limits, self.now)
    }

    fn join(&mut self, id: &str) -> ConsumerGroupHeartbeatResponse {
        self.send(joining(id)).unwrap()
    }

    fn beat(&mut self, id: &str, epoch: i32, owned: Option<&[i32]>) -> ConsumerGroupHeartbeatResponse {
        self.send(beating(id, epoch, owned)).unwrap()
    }

    fn refused(&mut self, request: ConsumerGroupHeartbeatRequest) -> ErrorCode {
        self.send(request).unwrap_err().0
    }
}

fn joining(id: &str) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: id.into(),
        rebalance_timeout_ms: 60_000,
        subscribed_topic_names: Some(vec!["t".into()]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    }
}

fn beating(id: &str, member_epoch: i32, owned: Option<&[i32]>) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: id.into(),
        member_epoch,
        topic_partitions: owned.map(|owned| {
            vec![ConsumerGroupHeartbeatRequestTopicPartitions { topic_id: TOPIC, partitions: owned.to_vec() }]
        }),
        ..Default::default()
    }
}

#[test]
fn a_partition_goes_to_the_next_one_only_when_it_was_given_up() {
    let mut bench = Bench::new();
    let first = bench.join("a");
    assert_eq!((first.member_epoch, told(&first)), (1, Some(places(&[0, 1, 2, 3]))));
    assert_eq!(bench.group.state(), GroupState::Stable);
    let second = bench.join("b");
    assert_eq!((second.member_epoch, told(&second)), (2, Some(places(&[]))));
    assert_eq!(bench.group.state(), GroupState::Reconciling);
    let first = bench.beat("a", 1, None);
    assert_eq!((first.member_epoch, told(&first)), (1, Some(places(&[0, 1]))));
    assert_eq!(told(&bench.beat("b", 2, None)), None);
    assert_eq!(told(&bench.beat("a", 1, Some(&[0, 1, 2, 3]))), None, "it has not given them up yet");
    assert_eq!(bench.beat("a", 1, Some(&[0, 1])).member_epoch, 2);
    assert_eq!(told(&bench.beat("b", 2, None)), Some(places(&[2, 3])));
    assert_eq!(bench.group.state(), GroupState::Stable);
    assert_eq!(bench.beat("b", -1, None).member_epoch, -1);
    assert_eq!(told(&bench.beat("a", 2, None)), Some(places(&[0, 1, 2, 3])));
}

#[test]
fn epochs_fence_and_lost_answers_do_not() {
    let mut bench = Bench::new();
    bench.join("a");
    assert_eq!(bench.join("a").member_epoch, 1, "the answer was lost, so it joins again");
    assert_eq!(bench.refused(beating("a", 7, None)), ErrorCode::FENCED_MEMBER_EPOCH);
    assert_eq!(bench.refused(beating("x", 1, None)), ErrorCode::UNKNOWN_MEMBER_ID);
    bench.group.force_rebalance(bench.now);
    assert_eq!(bench.beat("a", 1, None).member_epoch, 2);
    assert_eq!(
        bench.beat("a", 1, Some(&[0])).member_epoch,
        2,
        "the epoch before, and nothing that is not its own"
    );
    assert_eq!(bench.refused(beating("a", 1, Some(&[9]))), ErrorCode::FENCED_MEMBER_EPOCH);
    assert_eq!(bench.group.check_commit("a", None, 1, bench.now), Err(ErrorCode::STALE_MEMBER_EPOCH));
    assert_eq!(bench.group.check_commit("a", None, 2, bench.now), Ok(()));
}

#[test]
fn static_members_keep_their_seat_and_are_not_replaced_while_they_sit() {
    let seat = |request: ConsumerGroupHeartbeatRequest| ConsumerGroupHeartbeatRequest {
        instance_id: Some("seat".into()),
        ..request
    };
    let mut bench = Bench::new();
    bench.send(seat(joining("a"))).unwrap();
    assert_eq!(bench.refused(seat(joining("b"))), ErrorCode::UNRELEASED_INSTANCE_ID);
    bench.send(seat(beating("a", -2, None))).unwrap();
    let back = bench.send(seat(joining("b"))).unwrap();
    assert_eq!((back.member_epoch, told(&back)), (1, Some(places(&[0, 1, 2, 3]))), "no rebalance");
    assert_eq!(bench.refused(seat(beating("a", 1, None))), ErrorCode::FENCED_INSTANCE_ID);
}

#[test]
fn requests_that_cannot_be_are_refused() {
    let mut bench = Bench::new();
    bench.max_size = 1;
    bench.join("a");
    assert_eq!(bench.refused(joining("b")), ErrorCode::GROUP_MAX_SIZE_REACHED);
    let odd = |assignor: &str, regex: &str| ConsumerGroupHeartbeatRequest {
        server_assignor: Some(assignor.into()),
        subscribed_topic_regex: Some(regex.into()),
        ..beating("a", 1, None)
    };
    assert_eq!(bench.refused(odd("best", "t.*")), ErrorCode::UNSUPPORTED_ASSIGNOR);
    assert_eq!(bench.refused(odd("range", "t(")), ErrorCode::INVALID_REGULAR_EXPRESSION);
    assert_eq!(bench.refused(beating("", 1, None)), ErrorCode::INVALID_REQUEST);
    assert_eq!(bench.refused(beating("a", -3, None)), ErrorCode::INVALID_REQUEST);
}

#[test]
fn a_regex_follows_the_topics() {
    let mut bench = Bench::new();
    bench
        .send(ConsumerGroupHeartbeatRequest {
            subscribed_topic_names: None,
            subscribed_topic_regex: Some("t|u.+".into()),
            ..joining("a")
        })
        .unwrap();
    let (more, other) = (Uuid([8; 16]), Uuid([9; 16]));
    bench.catalogue.insert("under".into(), (more, 1));
    bench.catalogue.insert("tt".into(), (other, 1));
    let mut expected = places(&[0, 1, 2, 3]);
    expected.insert((more, 0));
    assert_eq!(told(&bench.beat("a", 1, None)), Some(expected));
}

#[test]
fn who_is_silent_or_keeps_its_partitions_is_thrown_out() {
    let mut bench = Bench::new();
    bench.join("a");
    bench.join("b");
    bench.beat("a", 1, None);
    bench.now += Duration::from_secs(40);
    bench.beat("a", 1, None);
    bench.beat("b", 2, None);
    bench.now += Duration::from_secs(21);
    assert!(bench.group.expire(bench.now), "60 s were for giving up");
    assert_eq!(bench.group.member_ids(), ["b"]);
    bench.now += Duration::from_secs(45);
    assert!(bench.group.expire(bench.now));
    assert_eq!(bench.group.state(), GroupState::Empty);
}

#[test]
fn classic_members_go_along_and_come_back() {
    let mut bench = Bench::new();
    let subscription = ConsumerProtocolSubscription { topics: vec!["t".into()], ..Default::default() };
    let metadata = encode_versioned(&subscription, 3).unwrap();
    let join = |bench: &mut Bench, id: &str| -> JoinGroupResponse {
        let (sender, mut receiver) = oneshot::channel();
        let request = JoinGroupRequest {
            member_id: id.to_owned(),
            protocol_type: "consumer".to_owned(),
            protocols: vec![JoinGroupRequestProtocol {
                name: "range".to_owned(),
                metadata: metadata.clone(),
            }],
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 20_000,
            ..Default::default()
        };
        let joiner = Joiner {
            version: 3,
            client_id: "c".into(),
            host: "/h".into(),
            new_id: "old".into(),
            initial_delay: Duration::ZERO,
        };
        bench.group.join(request, joiner, bench.now, sender);
        receiver.try_recv().unwrap().unwrap()
    };
    assert_eq!(join(&mut bench, "").member_id, "old");
    bench.join("new");
    assert_eq!(bench.group.member_ids(), ["new", "old"]);
    let generation = bench.group.epoch();
    let now = bench.now;
    let told_to_join = bench.group.heartbeat("old", None, 1, now);
    assert_eq!(told_to_join, Err(ErrorCode::REBALANCE_IN_PROGRESS));
    let joined = join(&mut bench, "old");
    assert_eq!((joined.generation_id, joined.leader.as_str()), (generation, ""));
    assert_eq!(bench.group.heartbeat("old", None, generation, now), Ok(()));
    bench.beat("new", -1, None);
    assert!(bench.group.modern.is_none(), "the classic ones are among themselves again");
    assert_eq!(
        bench.group.heartbeat("old", None, generation + 1, now),
        Err(ErrorCode::REBALANCE_IN_PROGRESS)
    );
}
