//! Leaders that are unknown, contradicted, frozen or long silent.

use kavka::KafkaConsumer;
use kavka::TopicPartition;

use super::*;

/// The processor time that the IO thread of a client has used, in hundredths of a second.
fn processor_time(client_id: &str) -> u64 {
    let name = format!("kavka-io-{client_id}");
    let mut ticks = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
        // A thread may end meanwhile, and the system keeps the first 15 bytes of its name.
        let Ok(stat) = std::fs::read_to_string(task.path().join("stat")) else { continue };
        let Some((head, tail)) = stat.rsplit_once(')') else { continue };
        if head.split_once('(').is_some_and(|(_, known)| name.starts_with(known)) {
            ticks += tail
                .split_whitespace()
                .skip(11)
                .take(2)
                .map(|field| field.parse::<u64>().unwrap())
                .sum::<u64>();
        }
    }
    ticks
}

#[test]
fn a_leader_that_nobody_knows_the_address_of_costs_no_processor_time() {
    let cluster = cluster(1);
    let producer = builder(&cluster).client_id("nbdy").retry_backoff(Duration::ZERO).build().unwrap();
    send(&producer, "first").get(PATIENCE).unwrap();
    cluster.misinform(1, "orders", 0, Some((77, 5))).unwrap();
    let denied = cluster.on(ApiKey::PRODUCE).always().error(ErrorCode::NOT_LEADER_OR_FOLLOWER);
    let handle = send(&producer, "second");
    let known = || producer.cluster().snapshot().leader("orders", 0);
    assert!(cluster.wait_for(PATIENCE, |_| known() == Some(77)));
    denied.remove();
    let before = processor_time("nbdy");
    assert!(handle.get(Duration::from_secs(2)).is_err());
    let used = processor_time("nbdy") - before;
    assert!(used < 50, "{used} hundredths of a second in two seconds");
    // In a newer epoch, for older ones are not believed.
    cluster.misinform(1, "orders", 0, None).unwrap();
    cluster.set_leader_epoch("orders", 0, 9).unwrap();
    assert_eq!(handle.get(PATIENCE).unwrap().offset(), Some(1));
}

#[test]
fn of_brokers_that_contradict_each_other_the_one_with_the_newer_epoch_is_believed() {
    // What a broker that lags behind says: an older epoch, the first one, none, no leader.
    for told in [(1, 2), (1, 0), (1, -1), (-1, -1)] {
        let cluster = MockCluster::builder().brokers(3).topic("orders", 1).start().unwrap();
        for broker in [1, 2, 1, 2] {
            cluster.move_leader("orders", 0, broker).unwrap();
        }
        let producer = builder(&cluster).build().unwrap();
        send(&producer, "first").get(PATIENCE).unwrap();
        let mut consumer =
            KafkaConsumer::builder().bootstrap_servers(cluster.bootstrap_servers()).build().unwrap();
        consumer.assign([TopicPartition::new("orders", 0)]).unwrap();
        consumer.seek_to_beginning(&[]).unwrap();
        assert_eq!(consumer.poll(PATIENCE).unwrap().len(), 1);

        cluster.misinform(1, "orders", 0, Some(told)).unwrap();
        // All are asked, again and again.
        cluster.clear_requests();
        let began = Instant::now();
        let (mut sent, mut read) = (0, 0);
        while sent < 30 || read < sent {
            if sent < 30 {
                cluster.move_leader("orders", 0, 2 + sent % 2).unwrap();
                let handle = send(&producer, &sent.to_string());
                let began = Instant::now();
                handle.get(PATIENCE).unwrap_or_else(|error| panic!("{told:?}: {error}"));
                assert!(began.elapsed() < Duration::from_secs(5), "{told:?}: {:?}", began.elapsed());
                sent += 1;
            }
            read += consumer.poll(Duration::from_millis(100)).unwrap().len() as i32;
            assert!(began.elapsed() < 3 * PATIENCE, "{told:?}: {read} of {sent} were read");
        }
        assert_eq!(values(&cluster, 0).len(), 31, "{told:?}: neither lost nor doubled");
        // Two clients, ten a second each, and what the moves themselves ask for.
        let requests = cluster.request_count(ApiKey::METADATA);
        let most = 20 * (began.elapsed().as_secs() as usize + 1) + 60;
        assert!(requests < most, "{told:?}: {requests} in {:?}", began.elapsed());
    }
}

#[test]
fn a_leader_that_froze_is_left_for_the_next_one() {
    let cluster = MockCluster::builder().brokers(3).topic("orders", 1).start().unwrap();
    let request_timeout = Duration::from_millis(500);
    let producer = builder(&cluster).request_timeout(request_timeout).build().unwrap();
    send(&producer, "first").get(PATIENCE).unwrap();
    for round in 0..3 {
        let frozen = cluster.leader("orders", 0).unwrap();
        cluster.stop_reading(frozen).unwrap();
        let handles: Vec<_> = (0..5).map(|index| send(&producer, &format!("{round}/{index}"))).collect();
        cluster.move_leader("orders", 0, frozen % 3 + 1).unwrap();
        let began = Instant::now();
        assert_all_written(&handles);
        // The bound is two seconds more than the request's; a loaded machine gets some more.
        assert!(began.elapsed() < request_timeout + Duration::from_secs(5), "{:?}", began.elapsed());
        cluster.resume_reading(frozen).unwrap();
    }
    let rounds = (0..3).flat_map(|round| (0..5).map(move |index| format!("{round}/{index}")));
    assert_eq!(values(&cluster, 0), std::iter::once("first".to_owned()).chain(rounds).collect::<Vec<_>>());
}

#[test]
fn what_is_lost_on_a_connection_that_idled_is_sent_again_at_once() {
    let cluster = cluster(1);
    // Were it to wait for the pause, that would show.
    let pause = Duration::from_secs(30);
    let producer = builder(&cluster)
        .batch_size(1_000_usize)
        .retry_backoff(pause)
        .retry_backoff_max(pause)
        .build()
        .unwrap();
    send(&producer, "first").get(PATIENCE).unwrap();
    let mut expected = vec!["first".to_owned()];
    for round in 0..2 {
        // The time itself is what it is about.
        thread::sleep(Duration::from_millis(1_200));
        match round {
            // The broker closes it in the very moment of the request, or has read the request.
            0 => drop(cluster.on(ApiKey::PRODUCE).once().drop_before()),
            _ => drop(cluster.on(ApiKey::PRODUCE).once().drop_after()),
        }
        let began = Instant::now();
        // Several are on their way when it turns out.
        let values = [(); 3].map(|()| format!("{}{}", expected.len(), "x".repeat(1_000)));
        let handles: Vec<_> = values.iter().map(|value| send(&producer, value)).collect();
        assert_all_written(&handles);
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        expected.extend(values);
    }
    assert_eq!(values(&cluster, 0), expected);
}

#[test]
fn a_node_that_took_nothing_is_tried_again_when_nothing_waits_for_it() {
    let cluster = MockCluster::builder().brokers(2).topic("orders", 2).start().unwrap();
    (0..2).for_each(|partition| cluster.move_leader("orders", partition, 1 + partition).unwrap());
    let producer = builder(&cluster)
        .set("partitioner.availability.timeout.ms", "50")
        .set("max.in.flight.requests.per.connection", "1")
        .request_timeout(Duration::from_millis(300))
        .delivery_timeout(Duration::from_millis(600))
        .batch_size(100_usize)
        .build()
        .unwrap();
    let to_second =
        |value: &str| producer.send(ProducerRecord::new("orders").partition(1).value(value)).unwrap();
    to_second("first").get(PATIENCE).unwrap();
    let silent = cluster.on(ApiKey::PRODUCE).broker(2).always().never_answer();
    let lost: Vec<_> = (0..4).map(|_| to_second(&"x".repeat(100))).collect();
    assert!(lost.iter().all(|handle| handle.get(PATIENCE).is_err()));
    // Nothing waits for it any more, so nothing tells that it takes records again.
    silent.remove();
    let deadline = Instant::now() + PATIENCE;
    let value = "x".repeat(100);
    loop {
        let handle = producer.send(ProducerRecord::new("orders").value(&value)).unwrap();
        if handle.topic_partition().partition() == 1 {
            break handle.get(PATIENCE).map(drop).unwrap();
        }
        handle.get(PATIENCE).unwrap();
        assert!(Instant::now() < deadline, "it is never chosen again");
    }
}

#[test]
fn batches_of_a_topic_that_was_made_anew_keep_their_order() {
    for round in 0..10 {
        let cluster =
            MockCluster::builder().brokers(2).topic("orders", 2).auto_create_topics(false).start().unwrap();
        let producer = builder(&cluster)
            .batch_size(1_usize)
            .retry_backoff(Duration::from_millis(1))
            .metadata_max_age(Duration::from_millis(20))
            .build()
            .unwrap();
        send(&producer, "first").get(PATIENCE).unwrap();
        // Answers of the old topic come in when the new one is known already.
        let slow = cluster.on(ApiKey::PRODUCE).times(3).delay(Duration::from_millis(40));
        let mut handles: Vec<_> = (0..5).map(|index| send(&producer, &index.to_string())).collect();
        assert!(cluster.wait_for(PATIENCE, |_| slow.hits() > 0));
        cluster.delete_topic("orders").unwrap();
        cluster.create_topic("orders", 2).unwrap();
        for index in 5..60 {
            handles.push(send(&producer, &index.to_string()));
            thread::yield_now();
        }
        assert_all_written(&handles);
        let values: Vec<u32> = values(&cluster, 0).iter().map(|value| value.parse().unwrap()).collect();
        assert!(values.is_sorted(), "round {round}: {values:?}");
        assert_eq!(values.last(), Some(&59));
    }
}
