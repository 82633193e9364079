//! Offsets of groups.

use std::collections::BTreeMap;
use std::time::Duration;

use kavka::admin::{GroupOffsetsSpec, OffsetReset, ShareGroupOffsetsSpec};
use kavka::types::OffsetAndMetadata;
use kavka::{ErrorCode, ErrorKind, KafkaConsumer, KafkaProducer, OffsetSpec, ProducerRecord, TopicPartition};

use crate::support::kafka::{Cluster, unique, wait_until};
use crate::support::peers;
use crate::{PATIENCE, admin, codes, only};

/// A topic of two partitions, with ten records in the first: one a second, from second 100 on.
fn filled(cluster: &Cluster) -> String {
    let topic = unique("offsets");
    cluster.create_topic(&topic, 2, &[]);
    let producer =
        KafkaProducer::builder().bootstrap_servers(cluster.bootstrap()).build().expect("valid options");
    for second in 100..110 {
        let record = ProducerRecord::new(&topic).partition(0).timestamp(second * 1000).value("x");
        producer.send(record).expect("sent");
    }
    producer.close(PATIENCE).expect("all written");
    topic
}

#[test]
fn offsets_are_set_moved_listed_and_deleted() {
    let cluster = Cluster::shared_three();
    let topic = filled(cluster);
    let admin = admin(&cluster.bootstrap());
    let (group, other, none) = (unique("billing"), unique("other"), unique("none"));
    let at = |index: i32| TopicPartition::new(topic.as_str(), index);

    let note = OffsetAndMetadata::new(4).with_metadata("set by hand").with_leader_epoch(0);
    let altered =
        admin.alter_group_offsets(&group, [(at(0), note.clone()), (at(1), 0.into())]).expect("an answer");
    assert_eq!(codes(&altered), [None, None]);
    only(admin.alter_group_offsets(&other, [(at(0), 7)]).expect("an answer")).expect("set");
    let unknown = only(admin.alter_group_offsets(&group, [(("no-such-topic", 0), 7)]).expect("an answer"));
    assert_eq!(unknown.expect_err("no such topic").kind(), ErrorKind::UnknownTopic);

    // Several groups at once, which may have different coordinators.
    let listed = admin.list_group_offsets([&group, &other, &none]).expect("an answer");
    let listed: BTreeMap<String, BTreeMap<TopicPartition, Option<OffsetAndMetadata>>> = listed
        .into_iter()
        .map(|(group, offsets)| {
            let offsets =
                offsets.expect("offsets").into_iter().map(|(one, result)| (one, result.expect("an offset")));
            (group, offsets.collect())
        })
        .collect();
    assert_eq!(listed[&group], BTreeMap::from([(at(0), Some(note)), (at(1), Some(0.into()))]));
    assert_eq!(listed[&other], BTreeMap::from([(at(0), Some(7.into()))]));
    assert!(listed[&none].is_empty());
    let some = GroupOffsetsSpec::new(&other).partitions([at(1), at(0)]).require_stable();
    let some = only(admin.list_group_offsets([some]).expect("an answer")).expect("offsets");
    assert!(matches!(&some[..], [(a, Ok(None)), (b, Ok(Some(_)))] if *a == at(1) && *b == at(0)), "{some:?}");

    // As others see it.
    let java = cluster
        .tool(
            "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
            &["--describe", "--group", &group, "--offsets"],
        )
        .expect_success("ConsumerGroupCommand")
        .text();
    let words: Vec<&str> = java
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|words| words.get(1) == Some(&topic.as_str()) && words.get(2) == Some(&"0"))
        .expect("Kafka's tool shows the partition");
    assert!(
        words.contains(&"4") && words.contains(&"10") && words.contains(&"6"),
        "offset, end and lag: {java}"
    );
    let python = peers::python(
        "
import sys, kafka
admin = kafka.KafkaAdminClient(bootstrap_servers=sys.argv[1])
for partition, offset in sorted(admin.list_group_offsets(sys.argv[2])[sys.argv[2]].items()):
    print(partition.partition, offset.offset, offset.metadata)",
        &[&cluster.bootstrap(), &group],
    );
    assert_eq!(python.lines().map(str::trim).collect::<Vec<_>>(), ["0 4 set by hand", "1 0"]);

    // Moved: what is planned is what is done.
    for (reset, expected) in [
        (OffsetReset::ShiftBy(2), 6),
        (OffsetReset::Spec(OffsetSpec::Earliest), 0),
        (OffsetReset::Spec(OffsetSpec::Timestamp(105_000)), 5),
        (OffsetReset::Spec(OffsetSpec::Timestamp(999_000)), 10),
        (OffsetReset::Spec(OffsetSpec::MaxTimestamp), 9),
        (OffsetReset::Spec(OffsetSpec::Latest), 10),
        (OffsetReset::ShiftBy(-100), 0),
        (OffsetReset::Offset(8), 8),
        (OffsetReset::Current, 8),
        (OffsetReset::Offset(100), 10),
        (OffsetReset::ByDuration(Duration::from_secs(3600)), 10),
    ] {
        let planned = only(admin.plan_group_offsets(&group, [(at(0), reset)]).expect("an answer"));
        assert_eq!(planned.expect("a plan"), expected, "{reset:?}");
        let moved = only(admin.reset_group_offsets(&group, [(at(0), reset)]).expect("an answer"));
        assert_eq!(moved.expect("moved"), expected, "{reset:?}");
        let listed = only(admin.list_group_offsets([&group]).expect("an answer")).expect("offsets");
        let (_, offset) = &listed[0];
        assert_eq!(offset.as_ref().expect("set").as_ref().map(|one| one.offset), Some(expected), "{reset:?}");
    }
    let results = admin
        .reset_group_offsets(
            &none,
            [(at(0), OffsetReset::ShiftBy(1)), (at(1), OffsetReset::Spec(OffsetSpec::Latest))],
        )
        .expect("an answer");
    assert_eq!(results[0].1.as_ref().expect_err("nothing to shift").kind(), ErrorKind::NoOffsetForPartition);
    assert_eq!(results[1].1.as_ref().ok(), Some(&0), "one that fails does not hide the other");
    let unknown = only(admin.reset_group_offsets(&group, [(("no-such-topic", 0), 5)]).expect("an answer"));
    assert_eq!(unknown.expect_err("no such topic").kind(), ErrorKind::UnknownTopic);

    // Not while somebody reads.
    let mut consumer = KafkaConsumer::builder()
        .bootstrap_servers(cluster.bootstrap())
        .group_id(&group)
        .build()
        .expect("valid options");
    consumer.subscribe([&topic]).expect("a topic");
    wait_until("the consumer has its partitions", PATIENCE, || {
        consumer.poll(Duration::from_millis(100)).expect("no error");
        consumer.assignment().len() == 2
    });
    let refused =
        only(admin.alter_group_offsets(&group, [(at(0), 1)]).expect("an answer")).expect_err("members");
    assert_eq!(refused.code(), Some(ErrorCode::UNKNOWN_MEMBER_ID));
    assert!(refused.to_string().contains("stop them first"), "{refused}");
    let refused =
        only(admin.delete_group_offsets(&group, [at(0)]).expect("an answer")).expect_err("subscribed");
    assert_eq!(refused.code(), Some(ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC));
    consumer.close(PATIENCE).expect("it leaves");

    let deleted = admin.delete_group_offsets(&group, [at(0), at(1)]).expect("an answer");
    assert_eq!(codes(&deleted), [None, None]);
    let left = only(admin.list_group_offsets([&group]).expect("an answer")).expect("offsets");
    assert!(left.is_empty(), "{left:?}");
    let unknown = only(admin.delete_group_offsets("nobody", [at(0)]).expect("an answer"));
    assert_eq!(unknown.expect_err("no such group").code(), Some(ErrorCode::GROUP_ID_NOT_FOUND));
}

#[test]
fn share_groups_begin_where_they_are_told() {
    let cluster = Cluster::shared_three();
    let topic = filled(cluster);
    let admin = admin(&cluster.bootstrap());
    let group = unique("share");
    let at = |index: i32| TopicPartition::new(topic.as_str(), index);

    let altered = admin.alter_share_group_offsets(&group, [(at(0), 3), (at(1), 0)]).expect("an answer");
    assert_eq!(codes(&altered), [None, None]);
    let mut listed = Vec::new();
    wait_until("the new offsets are known", PATIENCE, || {
        listed = only(admin.list_share_group_offsets([group.as_str()]).expect("an answer")).expect("offsets");
        listed.len() == 2 && listed.iter().all(|(_, offset)| matches!(offset, Ok(Some(_))))
    });
    let offset = |index: usize| listed[index].1.as_ref().expect("an offset").clone().expect("begun");
    assert_eq!((&listed[0].0, offset(0).start_offset, offset(1).start_offset), (&at(0), 3, 0));
    let java = cluster
        .tool(
            "org.apache.kafka.tools.consumer.group.ShareGroupCommand",
            &["--describe", "--group", &group, "--offsets"],
        )
        .expect_success("ShareGroupCommand")
        .text();
    let line = java.lines().find(|line| line.contains(&topic) && line.split_whitespace().nth(2) == Some("0"));
    let line = line.unwrap_or_else(|| panic!("Kafka's tool shows the partition: {java}"));
    assert_eq!(line.split_whitespace().nth(3), Some("3"), "{java}");
    let spec = ShareGroupOffsetsSpec::new(&group).partitions([at(0)]);
    let one = only(admin.list_share_group_offsets([spec]).expect("an answer")).expect("offsets");
    assert_eq!(one.len(), 1);

    let unknown =
        only(admin.alter_share_group_offsets(&group, [(("no-such-topic", 0), 3)]).expect("an answer"));
    assert_eq!(unknown.expect_err("no such topic").kind(), ErrorKind::UnknownTopic);
    let deleted =
        admin.delete_share_group_offsets(&group, [topic.as_str(), "no-such-topic"]).expect("an answer");
    assert_eq!(codes(&deleted), [None, Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)]);
    wait_until("the offsets are gone", PATIENCE, || {
        let left =
            only(admin.list_share_group_offsets([group.as_str()]).expect("an answer")).expect("offsets");
        left.iter().all(|(_, offset)| matches!(offset, Ok(None)))
    });
    let none = only(admin.list_share_group_offsets(["nobody"]).expect("an answer")).expect("no error");
    assert!(none.is_empty(), "{none:?}");
    let unknown = only(admin.delete_share_group_offsets("nobody", [topic.as_str()]).expect("an answer"));
    assert_eq!(unknown.expect_err("no such group").code(), Some(ErrorCode::GROUP_ID_NOT_FOUND));
}
