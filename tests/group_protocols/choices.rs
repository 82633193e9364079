//! The program changes its mind about what it reads, as a member and while it joins.

use super::*;

fn topic(name: &str) -> [TopicPartition; 2] {
    [0, 1].map(|partition| TopicPartition::new(name, partition))
}

/// A cluster with two topics for a group of each kind, all at once.
fn for_each_kind(test: impl Fn(usize, &MockCluster, ConsumerBuilder) + Sync) {
    std::thread::scope(|scope| {
        for (number, kind) in KINDS.into_iter().enumerate() {
            let test = &test;
            scope.spawn(move || {
                let cluster = cluster(2);
                cluster.create_topic("u", 2).unwrap();
                ["t", "u"].iter().for_each(|name| fill(&cluster, name, 0, 3));
                test(number, &cluster, kind(&cluster).group_id("g"));
            });
        }
    });
}

/// Reads three records of this topic. Until the group has agreed, there may be others among them.
fn read_three(consumer: &mut KafkaConsumer, of: &str) {
    let (mut read, deadline) = (0, Instant::now() + LONG);
    while read < 3 {
        assert!(Instant::now() < deadline, "{consumer:?}");
        read += consumer.poll(SHORT).unwrap().iter().filter(|record| record.topic() == of).count();
    }
}

#[test]
fn a_member_goes_over_to_another_topic() {
    for_each_kind(|_, cluster, builder| {
        let (mut consumer, log) = with_log(builder);
        read_three(&mut consumer, "t");
        consumer.subscribe_with_listener(["u"], log.clone()).unwrap();
        read_three(&mut consumer, "u");
        let told = ["assigned", "revoked"].map(|what| shown(what, topic("t")));
        assert_eq!(log.news(), [told[0].clone(), told[1].clone(), shown("assigned", topic("u"))]);
        assert_eq!(cluster.committed("g", "t", 0), Some(3), "what was read before");
        consumer.close(LONG).unwrap();
        assert_eq!(cluster.committed("g", "u", 0), Some(3));
    });
}

#[test]
fn another_topic_is_chosen_while_the_member_joins() {
    for api in [ApiKey::JOIN_GROUP, ApiKey::SYNC_GROUP, ApiKey::CONSUMER_GROUP_HEARTBEAT] {
        for_each_kind(|_, cluster, builder| {
            let slow = cluster.on(api).delay(Duration::from_millis(300));
            let (mut consumer, log) = with_log(builder);
            let deadline = Instant::now() + Duration::from_secs(1);
            // Where the protocol has no such request, the member is in the group by then.
            while slow.hits() == 0 && Instant::now() < deadline && consumer.assignment().is_empty() {
                consumer.poll(Duration::from_millis(1)).unwrap();
            }
            consumer.subscribe_with_listener(["u"], log.clone()).unwrap();
            read_three(&mut consumer, "u");
            assert_eq!(consumer.assignment(), topic("u"));
            assert_eq!(log.news().last(), Some(&shown("assigned", topic("u"))));
            assert_eq!(cluster.group_members("g").len(), 1);
        });
    }
}

#[test]
fn from_a_pattern_to_names_and_back() {
    for_each_kind(|kind, _, builder| {
        let is_eager = kind == 0;
        let (mut consumer, log) = (builder.build().unwrap(), Log::default());
        let pattern = || Subscription::pattern("t|u").listener(log.clone());
        consumer.subscribe_to(pattern()).unwrap();
        has(&mut consumer, 4);
        consumer.subscribe_with_listener(["u"], log.clone()).unwrap();
        has(&mut consumer, 2);
        consumer.subscribe_to(pattern()).unwrap();
        has(&mut consumer, 4);
        let all: Vec<TopicPartition> = [topic("t"), topic("u")].concat();
        let told = log.news();
        if is_eager {
            let expected = [
                shown("assigned", all.clone()),
                shown("revoked", all.clone()),
                shown("assigned", topic("u")),
            ];
            assert_eq!(told[..3], expected);
            assert_eq!(told.last(), Some(&shown("assigned", all)));
        } else {
            let expected =
                [shown("assigned", all), shown("revoked", topic("t")), shown("assigned", topic("t"))];
            assert_eq!(told, expected, "what is wanted all along stays");
        }
    });
}
