//! Groups of all kinds.

use std::collections::BTreeMap;
use std::time::Duration;

use kavka::admin::{GroupDescription, GroupFilter, GroupListing, GroupState, GroupType, MemberToRemove};
use kavka::consumer::ConsumerBuilder;
use kavka::protocol::messages::streams_group_heartbeat::{Subtopology, Topology};
use kavka::protocol::messages::{ShareGroupHeartbeatRequest, StreamsGroupHeartbeatRequest};
use kavka::{ErrorCode, ErrorKind, KafkaAdminClient, KafkaConsumer, TopicPartition};

use crate::raw::Raw;
use crate::support::kafka::{Cluster, unique, wait_until};
use crate::support::peers;
use crate::{PATIENCE, admin, codes, only};

fn consumer(cluster: &Cluster, group: &str) -> ConsumerBuilder {
    KafkaConsumer::builder().bootstrap_servers(cluster.bootstrap()).group_id(group).client_id("till")
}

fn join(builder: ConsumerBuilder, topic: &str, partitions: usize) -> KafkaConsumer {
    let mut consumer = builder.build().expect("valid options");
    consumer.subscribe([topic]).expect("a topic");
    wait_until("the consumer has its partitions", PATIENCE, || {
        consumer.poll(Duration::from_millis(100)).expect("no error");
        consumer.assignment().len() == partitions
    });
    consumer
}

/// A share consumer's first heartbeat.
fn join_share(cluster: &Cluster, group: &str, topic: &str) -> Raw {
    let raw = Raw::coordinator(cluster, group);
    wait_until("the share group takes the member", PATIENCE, || {
        let answer = raw.send(
            ShareGroupHeartbeatRequest {
                group_id: group.to_owned(),
                member_id: kavka::protocol::Uuid::random(*b"a share consumer").to_string(),
                subscribed_topic_names: Some(vec![topic.to_owned()]),
                ..Default::default()
            },
            i16::MAX,
        );
        assert!(answer.error_code.is_ok() || answer.error_code.is_retriable(), "{answer:?}");
        answer.error_code.is_ok()
    });
    raw
}

/// The first heartbeat of a member of a Kafka Streams application.
fn join_streams(cluster: &Cluster, group: &str, topic: &str) -> Raw {
    let raw = Raw::coordinator(cluster, group);
    wait_until("the streams group takes the member", PATIENCE, || {
        let answer = raw.send(
            StreamsGroupHeartbeatRequest {
                group_id: group.to_owned(),
                member_id: kavka::protocol::Uuid::random(*b"a streams member").to_string(),
                rebalance_timeout_ms: 30_000,
                process_id: Some("process-1".to_owned()),
                topology: Some(Topology {
                    epoch: 0,
                    subtopologies: vec![Subtopology {
                        subtopology_id: "0".to_owned(),
                        source_topics: vec![topic.to_owned()],
                        ..Default::default()
                    }],
                }),
                active_tasks: Some(Vec::new()),
                standby_tasks: Some(Vec::new()),
                warmup_tasks: Some(Vec::new()),
                client_tags: Some(Vec::new()),
                ..Default::default()
            },
            i16::MAX,
        );
        assert!(answer.error_code.is_ok() || answer.error_code.is_retriable(), "{answer:?}");
        answer.error_code.is_ok()
    });
    raw
}

fn all_groups(admin: &KafkaAdminClient, filter: &GroupFilter) -> BTreeMap<String, GroupListing> {
    let listed = admin.list_groups(filter).expect("an answer");
    let groups = listed.into_iter().flat_map(|(_, groups)| groups.expect("every broker answers"));
    groups.map(|group| (group.group_id.clone(), group)).collect()
}

#[test]
fn groups_of_all_kinds_are_listed_described_and_deleted() {
    let cluster = Cluster::shared_three();
    let topic = unique("kinds");
    cluster.create_topic(&topic, 4, &[]);
    let admin = admin(&cluster.bootstrap());
    let [classic, new, share, streams, simple] = ["classic", "new", "share", "streams", "simple"].map(unique);

    let old_protocol = join(consumer(cluster, &classic).group_instance_id("till-7"), &topic, 4);
    let new_protocol = join(consumer(cluster, &new).set("group.protocol", "consumer"), &topic, 4);
    let _share = join_share(cluster, &share, &topic);
    let _streams = join_streams(cluster, &streams, &topic);
    only(admin.alter_group_offsets(&simple, [((topic.as_str(), 0), 0)]).expect("an answer")).expect("set");

    // Listed, and filtered.
    let all = all_groups(&admin, &GroupFilter::new());
    for (group, kind, protocol) in [
        (&classic, GroupType::Classic, "consumer"),
        (&new, GroupType::Consumer, "consumer"),
        (&share, GroupType::Share, "share"),
        (&streams, GroupType::Streams, "streams"),
        (&simple, GroupType::Classic, ""),
    ] {
        let listed = &all[group];
        assert_eq!(
            (&listed.group_type, listed.protocol_type.as_str()),
            (&Some(kind.clone()), protocol),
            "{group}"
        );
        let of_kind = all_groups(&admin, &GroupFilter::new().group_type(kind.clone()));
        assert!(
            of_kind.contains_key(group) && of_kind.values().all(|one| one.group_type == Some(kind.clone()))
        );
    }
    let empty = all_groups(&admin, &GroupFilter::new().state(GroupState::Empty));
    assert!(empty.contains_key(&simple) && !empty.contains_key(&classic), "{empty:?}");
    assert!(empty[&simple].is_simple_consumer_group());
    let shares = all_groups(&admin, &GroupFilter::new().protocol_type("share"));
    assert!(shares.contains_key(&share) && shares.len() < all.len());
    let java =
        cluster.tool("org.apache.kafka.tools.GroupsCommand", &["--list"]).expect_success("GroupsCommand");
    for (group, kind) in [(&classic, "Classic"), (&new, "Consumer"), (&share, "Share"), (&streams, "Streams")]
    {
        let text = java.text();
        let line = text.lines().find(|line| line.starts_with(group.as_str())).expect("Kafka's tool lists it");
        assert!(line.contains(kind), "{line}");
    }

    // Described, by whichever API has it.
    let ids = [&classic, &new, &share, &streams, &simple].map(String::as_str);
    let mut described = admin.describe_groups(ids.into_iter().chain(["nobody"])).expect("an answer");
    let (_, unknown) = described.pop().expect("six");
    assert_eq!(unknown.expect_err("no such group").code(), Some(ErrorCode::GROUP_ID_NOT_FOUND));
    let kinds: Vec<GroupType> =
        described.iter().map(|(_, group)| group.as_ref().expect("described").group_type()).collect();
    let expected =
        [GroupType::Classic, GroupType::Consumer, GroupType::Share, GroupType::Streams, GroupType::Classic];
    assert_eq!(kinds, expected);
    let partitions: Vec<TopicPartition> =
        (0..4).map(|index| TopicPartition::new(topic.as_str(), index)).collect();
    for (_, group) in described {
        let group = group.expect("described");
        assert!(group.coordinator().is_some_and(|node| cluster.node_ids().contains(&node.id)));
        match group {
            GroupDescription::Classic(group) if group.group_id == classic => {
                assert_eq!((&group.state, group.protocol_type.as_str()), (&GroupState::Stable, "consumer"));
                let [member] = &group.members[..] else { panic!("{group:?}") };
                assert_eq!(
                    (member.client_id.as_str(), member.group_instance_id.as_deref()),
                    ("till", Some("till-7"))
                );
                assert_eq!(member.subscribed_topics(), [topic.as_str()]);
                assert_eq!(member.assigned_partitions(), partitions);
                assert!(group.authorized_operations.is_some_and(|all| !all.is_empty()));
            }
            GroupDescription::Classic(group) => {
                assert_eq!((&group.state, group.members.len()), (&GroupState::Empty, 0));
                assert!(group.is_simple_consumer_group());
            }
            GroupDescription::Consumer(group) => {
                let [member] = &group.members[..] else { panic!("{group:?}") };
                assert_eq!(member.assignment, partitions);
                assert_eq!((member.client_id.as_str(), member.upgraded), ("till", Some(true)));
                assert!(group.group_epoch.is_some() && group.assignment_epoch.is_some());
            }
            GroupDescription::Share(group) => {
                let [member] = &group.members[..] else { panic!("{group:?}") };
                assert_eq!(
                    (&member.subscribed_topics[..], member.client_id.as_str()),
                    (&[topic.clone()][..], "test")
                );
            }
            GroupDescription::Streams(group) => {
                let [member] = &group.members[..] else { panic!("{group:?}") };
                assert_eq!((member.process_id.as_str(), member.is_classic), ("process-1", false));
                assert_eq!(group.topology_epoch, Some(0));
                assert!(
                    group.subtopologies.iter().any(|part| part.source_topics == [topic.as_str()]),
                    "{group:?}"
                );
            }
            other => panic!("{other:?}"),
        }
    }

    // Both kinds of consumers in one call, and what is neither.
    let consumers =
        admin.describe_consumer_groups([&classic, &new, &share].map(String::as_str)).expect("an answer");
    let [(_, Ok(of_old)), (_, Ok(of_new)), (_, Err(none))] = &consumers[..] else { panic!("{consumers:?}") };
    assert_eq!((&of_old.group_type, &of_new.group_type), (&GroupType::Classic, &GroupType::Consumer));
    assert_eq!((&of_old.members[0].assignment, &of_new.members[0].assignment), (&partitions, &partitions));
    assert_eq!(none.code(), Some(ErrorCode::GROUP_ID_NOT_FOUND));
    let java = cluster
        .tool(
            "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
            &["--describe", "--group", &classic, "--members", "--verbose"],
        )
        .expect_success("ConsumerGroupCommand")
        .text();
    let member = &of_old.members[0];
    let line =
        java.lines().find(|line| line.contains(&member.member_id)).expect("Kafka's tool shows the member");
    assert!(line.contains("till-7") && line.contains(&member.client_host), "{java}");
    assert!(line.contains(&format!("{topic}:0,1,2,3")), "{java}");
    let java = cluster
        .tool(
            "org.apache.kafka.tools.consumer.group.ShareGroupCommand",
            &["--describe", "--group", &share, "--members"],
        )
        .expect_success("ShareGroupCommand")
        .text();
    let of_share =
        only(admin.describe_share_groups([share.as_str()]).expect("an answer")).expect("described");
    assert!(java.contains(&of_share.members[0].member_id), "{java}");
    let python = peers::python(
        "
import sys, kafka
admin = kafka.KafkaAdminClient(bootstrap_servers=sys.argv[1])
for member in admin.describe_groups([sys.argv[2]])[sys.argv[2]]['members']:
    print(member['member_id'], member['group_instance_id'])",
        &[&cluster.bootstrap(), &classic],
    );
    assert_eq!(python.trim(), format!("{} till-7", member.member_id));
    let streams_only = only(admin.describe_streams_groups([streams.as_str()]).expect("an answer"));
    assert_eq!(streams_only.expect("described").members.len(), 1);
    let wrong = only(admin.describe_streams_groups([share.as_str()]).expect("an answer"));
    assert_eq!(wrong.expect_err("of another kind").code(), Some(ErrorCode::GROUP_ID_NOT_FOUND));

    // Members go.
    let reason = "a test of removals";
    let removed = admin
        .remove_group_members(
            &classic,
            [
                MemberToRemove::group_instance_id("till-7").reason(reason),
                MemberToRemove::group_instance_id("till-8"),
                MemberToRemove::member_id("nobody"),
            ],
        )
        .expect("an answer");
    assert_eq!(
        codes(&removed),
        [None, Some(ErrorCode::UNKNOWN_MEMBER_ID), Some(ErrorCode::UNKNOWN_MEMBER_ID)]
    );
    drop(old_protocol);
    let logs: Vec<String> = cluster
        .node_ids()
        .iter()
        .map(|id| std::fs::read_to_string(cluster.log_path(*id)).unwrap_or_default())
        .collect();
    assert!(logs.iter().any(|log| log.contains(reason)), "the reason is in a broker's log");

    // Groups go: those without members.
    let deleted =
        admin.delete_groups([&simple, &new, &share].map(String::as_str).into_iter().chain(["nobody"]));
    let expected = [
        None,
        Some(ErrorCode::NON_EMPTY_GROUP),
        Some(ErrorCode::NON_EMPTY_GROUP),
        Some(ErrorCode::GROUP_ID_NOT_FOUND),
    ];
    assert_eq!(codes(&deleted.expect("an answer")), expected);
    assert!(!all_groups(&admin, &GroupFilter::new()).contains_key(&simple));
    drop(new_protocol);
    wait_until("the group is empty and can be deleted", PATIENCE, || {
        let deleted = only(admin.delete_groups([new.as_str()]).expect("an answer"));
        deleted.is_ok_and(|()| true)
    });
}

#[test]
fn all_members_of_a_group_go_at_once() {
    let cluster = Cluster::shared_three();
    let (topic, group) = (unique("gone"), unique("gone"));
    cluster.create_topic(&topic, 2, &[]);
    let admin = admin(&cluster.bootstrap());
    let mut member = join(consumer(cluster, &group), &topic, 2);
    let id = {
        let described =
            only(admin.describe_classic_groups([group.as_str()]).expect("an answer")).expect("described");
        described.members[0].member_id.clone()
    };
    let removed = admin.remove_all_group_members(&group, "making room").expect("an answer");
    assert_eq!((removed[0].0.to_string(), codes(&removed)), (id.clone(), vec![None]));
    // It runs still, so it joins again, as somebody else.
    wait_until("the member is back", PATIENCE, || {
        member.poll(Duration::from_millis(100)).expect("no error");
        let described =
            only(admin.describe_classic_groups([group.as_str()]).expect("an answer")).expect("described");
        described.members.first().is_some_and(|member| member.member_id != id)
    });
    let error = admin.remove_all_group_members("nobody", "").expect_err("no such group");
    assert_eq!(error.code(), Some(ErrorCode::GROUP_ID_NOT_FOUND));
    let error =
        only(admin.remove_group_members(&group, [MemberToRemove::member_id("")]).expect("checked here"));
    assert_eq!(error.expect_err("no id").kind(), ErrorKind::InvalidArgument);
}
