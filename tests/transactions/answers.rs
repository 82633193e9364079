//! Answers of coordinators, and about them, that are cut off in the middle or never come.

use kavka::mock::{Fault, FaultBuilder};

use super::*;

/// A name, and how to have it happen.
type Way = (&'static str, fn(FaultBuilder<'_>) -> Fault);

/// How an answer can keep a client waiting.
const WAYS: [Way; 2] = [
    ("cut off in its body", |fault| fault.close_after_bytes(12)),
    ("never given", |fault| fault.never_answer()),
];

/// Does not wait long for an answer that does not come.
fn impatient(cluster: &MockCluster) -> KafkaProducer {
    builder(cluster).request_timeout(Duration::from_millis(150)).build().unwrap()
}

/// Both coordinators move, so that both have to be looked for.
fn move_coordinators(cluster: &MockCluster, round: usize) {
    let broker = 1 + (round % 2) as i32;
    cluster.move_transaction_coordinator("billing", broker).unwrap();
    cluster.move_coordinator("billing", broker).unwrap();
}

#[test]
fn coordinators_are_found_although_answers_never_come() {
    for version in [1, 2] {
        let cluster = cluster(version);
        let producer = impatient(&cluster);
        producer.init_transactions().unwrap();
        let mut expected = Vec::new();
        // The first one that is looked for, the second, and each of them twice.
        for nth in [1..=1, 2..=2, 1..=4] {
            for (way, inject) in WAYS {
                move_coordinators(&cluster, expected.len());
                let value = format!("{nth:?} {way}");
                let fault = inject(cluster.on(ApiKey::FIND_COORDINATOR).nth(nth.clone()));
                assert_eq!(attempt(&producer, &value, expected.len() as i64), End::Committed, "{value}");
                assert!(fault.hits() > 0, "{value}: nobody was looked for");
                fault.remove();
                expected.push(value);
                assert_eq!(cluster.committed("billing", "in", 0), Some(expected.len() as i64 - 1));
            }
        }
        assert_eq!(committed(&cluster, 0), expected, "version {version}");
    }
}

#[test]
fn a_producer_is_initialized_although_answers_never_come() {
    for version in [1, 2] {
        let cluster = cluster(version);
        let mut expected = Vec::new();
        for api in [ApiKey::INIT_PRODUCER_ID, ApiKey::FIND_COORDINATOR] {
            for times in [1, 3] {
                for (way, inject) in WAYS {
                    let value = format!("{api} {way} {times}, version {version}");
                    let fault = inject(cluster.on(api).times(times));
                    let producer = impatient(&cluster);
                    producer.init_transactions().unwrap();
                    assert_eq!(fault.hits(), times, "{value}");
                    assert_eq!(attempt(&producer, &value, expected.len() as i64), End::Committed, "{value}");
                    fault.remove();
                    expected.push(value);
                }
            }
        }
        assert_eq!(committed(&cluster, 0), expected);
    }
}
