use futures_channel::oneshot::{self, Receiver};

use super::*;
use crate::protocol::messages::join_group::JoinGroupRequestProtocol;

/// A group and a clock that is moved by hand.
struct Bench {
    group: Group,
    now: Instant,
    ids: u32,
}

impl Bench {
    #[allow(clippy::disallowed_methods, reason = "any moment does as the first one")]
    fn new() -> Self {
        Self { group: Group::default(), now: Instant::now(), ids: 0 }
    }

    fn join_as(&mut self, version: i16, request: JoinGroupRequest) -> Receiver<JoinGroupResponse> {
        self.ids += 1;
        let joiner = Joiner {
            version,
            client_id: "test".to_owned(),
            host: "/127.0.0.1".to_owned(),
            new_id: format!("m{}", self.ids),
            initial_delay: Duration::ZERO,
        };
        let (sender, receiver) = oneshot::channel();
        self.group.join(request, joiner, self.now, sender);
        receiver
    }

    /// Joins without the detour of KIP-394.
    fn join(&mut self, member: &str, protocols: &[&str]) -> Receiver<JoinGroupResponse> {
        self.join_as(3, request(member, None, protocols))
    }

    fn sync(
        &mut self,
        member: &str,
        generation: i32,
        assignments: &[(&str, &str)],
    ) -> Receiver<SyncGroupResponse> {
        let assignments = assignments.iter().map(|(member, assignment)| {
            crate::protocol::messages::sync_group::SyncGroupRequestAssignment {
                member_id: (*member).to_owned(),
                assignment: Bytes::copy_from_slice(assignment.as_bytes()),
            }
        });
        let request = SyncGroupRequest {
            member_id: member.to_owned(),
            generation_id: generation,
            assignments: assignments.collect(),
            ..Default::default()
        };
        let (sender, receiver) = oneshot::channel();
        self.group.sync(request, self.now, sender);
        receiver
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.group.expire(self.now);
    }

    /// Two members, `m1` leading, with assignments.
    fn stable() -> Self {
        let mut bench = Self::new();
        got(bench.join("", &["range"]));
        let second = bench.join("", &["range"]);
        got(bench.join("m1", &["range"]));
        got(second);
        let waiting = bench.sync("m2", 2, &[]);
        got(bench.sync("m1", 2, &[("m1", "a"), ("m2", "b")]));
        assert_eq!(&got(waiting).assignment[..], b"b");
        assert_eq!(bench.group.state, GroupState::Stable);
        bench
    }
}

fn request(member: &str, instance: Option<&str>, protocols: &[&str]) -> JoinGroupRequest {
    let protocol = |name: &&str| JoinGroupRequestProtocol {
        name: (*name).to_owned(),
        metadata: Bytes::copy_from_slice(name.as_bytes()),
    };
    JoinGroupRequest {
        group_id: "g".to_owned(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        member_id: member.to_owned(),
        group_instance_id: instance.map(str::to_owned),
        protocol_type: "consumer".to_owned(),
        protocols: protocols.iter().map(protocol).collect(),
        reason: None,
    }
}

fn got<T>(mut receiver: Receiver<T>) -> T {
    receiver.try_recv().expect("not refused").expect("an answer")
}

fn waits<T>(receiver: &mut Receiver<T>) -> bool {
    receiver.try_recv().expect("not refused").is_none()
}

#[test]
fn the_first_member_leads_and_assigns() {
    let mut bench = Bench::new();
    let joined = got(bench.join("", &["range", "sticky"]));
    assert_eq!(joined.error_code, ErrorCode::NONE);
    assert_eq!((joined.generation_id, joined.leader.as_str(), joined.member_id.as_str()), (1, "m1", "m1"));
    assert_eq!(joined.members.len(), 1);
    assert_eq!(joined.protocol_name.as_deref(), Some("range"));
    assert_eq!(bench.group.state, GroupState::CompletingRebalance);
    assert_eq!(&got(bench.sync("m1", 1, &[("m1", "all")])).assignment[..], b"all");
    assert_eq!(bench.group.heartbeat("m1", None, 1, bench.now), Ok(()));
}

#[test]
fn new_members_are_given_an_id_first() {
    let mut bench = Bench::new();
    let first = got(bench.join_as(4, request("", None, &["range"])));
    assert_eq!((first.error_code, first.member_id.as_str()), (ErrorCode::MEMBER_ID_REQUIRED, "m1"));
    assert!(bench.group.members.is_empty());
    let second = got(bench.join_as(4, request("m1", None, &["range"])));
    assert_eq!((second.error_code, second.generation_id), (ErrorCode::NONE, 1));
    let stranger = got(bench.join_as(4, request("nobody", None, &["range"])));
    assert_eq!(stranger.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
}

#[test]
fn a_second_member_makes_the_first_rejoin() {
    let mut bench = Bench::new();
    got(bench.join("", &["range"]));
    got(bench.sync("m1", 1, &[]));
    let mut second = bench.join("", &["range"]);
    assert!(waits(&mut second));
    let now = bench.now;
    assert_eq!(bench.group.heartbeat("m1", None, 1, now), Err(ErrorCode::REBALANCE_IN_PROGRESS));
    assert_eq!(bench.group.check_commit("m1", None, 1, now), Ok(()), "commits before joining again are fine");
    assert_eq!(got(bench.join("m1", &["range"])).members.len(), 2);
    let second = got(second);
    assert_eq!((second.generation_id, second.leader.as_str(), second.members.len()), (2, "m1", 0));
    assert_eq!(bench.group.check_commit("m2", None, 2, now), Err(ErrorCode::REBALANCE_IN_PROGRESS));
    assert_eq!(bench.group.heartbeat("m2", None, 1, now), Err(ErrorCode::ILLEGAL_GENERATION));
    assert_eq!(bench.group.heartbeat("m9", None, 2, now), Err(ErrorCode::UNKNOWN_MEMBER_ID));
}

#[test]
fn the_protocol_is_voted_on() {
    let mut bench = Bench::new();
    got(bench.join("", &["range", "sticky"]));
    let second = bench.join("", &["sticky", "range", "other"]);
    let third = bench.join("", &["sticky", "range"]);
    got(bench.join("m1", &["range", "sticky"]));
    assert_eq!(got(second).protocol_name.as_deref(), Some("sticky"));
    assert_eq!(got(third).generation_id, 2);
    let odd = got(bench.join("", &["other"]));
    assert_eq!(odd.error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
}

#[test]
fn silent_members_are_thrown_out() {
    let mut bench = Bench::stable();
    bench.pass(6);
    assert_eq!(bench.group.heartbeat("m1", None, 2, bench.now), Ok(()));
    bench.pass(5);
    assert_eq!(bench.group.members.len(), 1);
    assert_eq!(bench.group.state, GroupState::PreparingRebalance);
    assert_eq!(got(bench.join("m1", &["range"])).generation_id, 3);
    got(bench.sync("m1", 3, &[]));
    bench.pass(11);
    assert_eq!((bench.group.state, bench.group.members.len()), (GroupState::Empty, 0));
    assert_eq!(bench.group.next_deadline(), None);
}

#[test]
fn the_join_phase_ends_with_the_rebalance_timeout() {
    let mut bench = Bench::stable();
    let mut third = bench.join("", &["range"]);
    for _ in 0..59 {
        bench.pass(1);
        let _ = bench.group.heartbeat("m1", None, 2, bench.now);
        let _ = bench.group.heartbeat("m2", None, 2, bench.now);
    }
    assert!(waits(&mut third));
    bench.pass(2);
    let third = got(third);
    assert_eq!((third.generation_id, third.leader.as_str(), third.members.len()), (3, "m4", 1));
}

#[test]
fn those_who_never_sync_are_thrown_out() {
    let mut bench = Bench::new();
    got(bench.join("", &["range"]));
    let second = bench.join("", &["range"]);
    got(bench.join("m1", &["range"]));
    got(second);
    let mut waiting = bench.sync("m2", 2, &[]);
    for _ in 0..59 {
        bench.pass(1);
        let _ = bench.group.heartbeat("m1", None, 2, bench.now);
    }
    assert!(waits(&mut waiting), "the leader has yet to assign");
    bench.pass(2);
    assert_eq!(got(waiting).error_code, ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(bench.group.members.len(), 1);
}

#[test]
fn leaving_rebalances_the_others() {
    let mut bench = Bench::stable();
    assert_eq!(bench.group.leave("m9", None, bench.now), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    assert_eq!(bench.group.leave("m1", None, bench.now), Ok(()));
    assert_eq!(bench.group.heartbeat("m2", None, 2, bench.now), Err(ErrorCode::REBALANCE_IN_PROGRESS));
    let joined = got(bench.join("m2", &["range"]));
    assert_eq!((joined.leader.as_str(), joined.generation_id), ("m2", 3));
}

#[test]
fn static_members_come_back_without_a_rebalance() {
    let mut bench = Bench::new();
    got(bench.join_as(9, request("", Some("i1"), &["range"])));
    got(bench.sync("m1", 1, &[("m1", "mine")]));
    let back = got(bench.join_as(9, request("", Some("i1"), &["range"])));
    assert_eq!((back.member_id.as_str(), back.generation_id, back.skip_assignment), ("m2", 1, true));
    assert_eq!((back.leader.as_str(), back.members.len()), ("m2", 1));
    assert_eq!(&got(bench.sync("m2", 1, &[])).assignment[..], b"mine");
    let now = bench.now;
    assert_eq!(bench.group.heartbeat("m1", Some("i1"), 1, now), Err(ErrorCode::FENCED_INSTANCE_ID));
    assert_eq!(bench.group.heartbeat("m2", Some("other"), 1, now), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    let old_client = got(bench.join_as(5, request("", Some("i1"), &["range"])));
    assert_eq!((old_client.leader.as_str(), old_client.members.len()), ("m2", 0), "it must not assign");
    assert_eq!(bench.group.leave("", Some("i1"), now), Ok(()));
    assert_eq!(bench.group.state, GroupState::Empty);
}

#[test]
fn commits_without_members_need_no_member() {
    let mut bench = Bench::new();
    assert_eq!(bench.group.check_commit("", None, -1, bench.now), Ok(()));
    let mut bench = Bench::stable();
    let now = bench.now;
    assert_eq!(bench.group.check_commit("", None, -1, now), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    assert_eq!(bench.group.check_commit("m1", None, 1, now), Err(ErrorCode::ILLEGAL_GENERATION));
    assert_eq!(bench.group.check_commit("m1", None, 2, now), Ok(()));
}

#[test]
fn a_moved_group_refuses_those_who_wait() {
    let mut bench = Bench::stable();
    let third = bench.join("", &["range"]);
    bench.group.moved();
    assert_eq!(got(third).error_code, ErrorCode::NOT_COORDINATOR);
}
