//! Every call is bounded by `max_block`, whatever keeps the coordinator from answering, and the producer goes on after.

use super::*;

const BOUND: Duration = Duration::from_millis(300);
/// How much longer than its bound a call may take on a machine that is busy.
const SLACK: Duration = Duration::from_secs(2);
/// Coordinates; the other broker leads.
const COORDINATOR: i32 = 2;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    NeverAnswers,
    StopsReading,
    IsGone,
    IsNotFound,
}

impl Trouble {
    fn begin(self, cluster: &MockCluster) {
        match self {
            Self::NeverAnswers => drop(cluster.on(None).broker(COORDINATOR).always().never_answer()),
            Self::StopsReading => cluster.stop_reading(COORDINATOR).unwrap(),
            Self::IsGone => {
                // Before anybody has noticed, so that there is no other one.
                cluster.kill_without_failover(COORDINATOR).unwrap();
                cluster.on(ApiKey::FIND_COORDINATOR).always().error(ErrorCode::COORDINATOR_NOT_AVAILABLE);
            }
            Self::IsNotFound => {
                // Who asks the one that is known is sent away, and nobody knows another.
                let code = ErrorCode::NOT_COORDINATOR;
                for api in [
                    ApiKey::INIT_PRODUCER_ID,
                    ApiKey::ADD_OFFSETS_TO_TXN,
                    ApiKey::TXN_OFFSET_COMMIT,
                    ApiKey::END_TXN,
                ] {
                    cluster.on(api).always().error(code);
                }
                cluster.on(ApiKey::FIND_COORDINATOR).always().error(ErrorCode::COORDINATOR_NOT_AVAILABLE);
            }
        }
    }

    fn end(cluster: &MockCluster) {
        cluster.clear_faults();
        cluster.restart(COORDINATOR).unwrap();
    }
}

#[track_caller]
fn bounded<T>(what: &str, call: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let result = call();
    assert!(began.elapsed() < BOUND + SLACK, "{what} took {:?}", began.elapsed());
    result
}

#[track_caller]
fn times_out<T>(what: &str, call: impl FnOnce() -> Result<T, Error>) {
    let error = bounded(what, call).err().unwrap_or_else(|| panic!("{what} cannot have worked"));
    assert!(error.kind() == ErrorKind::Timeout && error.is_retriable(), "{what}: {error}");
}

/// The same call, until it ends well: each time it waits for what is under way.
fn again(what: &str, mut call: impl FnMut() -> Result<(), Error>) {
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = bounded(what, &mut call) {
        assert!(error.kind() == ErrorKind::Timeout && Instant::now() < deadline, "{what}: {error}");
    }
}

/// A cluster whose second broker coordinates and leads nothing.
fn split_cluster(version: i16) -> MockCluster {
    let cluster = cluster(version);
    for (topic, partition) in [("in", 0), ("out", 0), ("out", 1)] {
        cluster.move_leader(topic, partition, 1).unwrap();
    }
    cluster.move_transaction_coordinator("billing", COORDINATOR).unwrap();
    cluster.move_coordinator("billing", COORDINATOR).unwrap();
    cluster
}

fn impatient(cluster: &MockCluster) -> KafkaProducer {
    let builder = builder(cluster).max_block(BOUND).drop_timeout(BOUND);
    builder
        .request_timeout(Duration::from_millis(200))
        .reconnect_backoff_max(Duration::from_millis(50))
        .build()
        .unwrap()
}

fn every_call_against(trouble: Trouble, version: i16) {
    let cluster = split_cluster(version);
    let what = |call: &str| format!("{call}, version {version}, {trouble:?}");

    let call = what("init_transactions");
    trouble.begin(&cluster);
    let producer = impatient(&cluster);
    times_out(&call, || producer.init_transactions());
    Trouble::end(&cluster);
    again(&call, || producer.init_transactions());

    let call = what("send_offsets_to_transaction");
    producer.begin_transaction().unwrap();
    send(&producer, 0, "offsets").get(PATIENCE).unwrap();
    trouble.begin(&cluster);
    times_out(&call, || producer.send_offsets_to_transaction(offsets(1), &group()));
    Trouble::end(&cluster);
    // It goes on, and the commit waits for it.
    again(&call, || producer.commit_transaction());
    assert_eq!(cluster.committed("billing", "in", 0), Some(1), "{call}");

    let call = what("commit_transaction");
    producer.begin_transaction().unwrap();
    send(&producer, 0, "commit").get(PATIENCE).unwrap();
    trouble.begin(&cluster);
    times_out(&call, || producer.commit_transaction());
    Trouble::end(&cluster);
    again(&call, || producer.commit_transaction());

    let call = what("abort_transaction");
    producer.begin_transaction().unwrap();
    send(&producer, 0, "abort").get(PATIENCE).unwrap();
    trouble.begin(&cluster);
    times_out(&call, || producer.abort_transaction());
    Trouble::end(&cluster);
    again(&call, || producer.abort_transaction());

    let call = what("commit of a transaction that is dropped with it");
    let transaction = producer.transaction().unwrap();
    transaction.send(ProducerRecord::new("out").partition(0).value("guard")).unwrap().get(PATIENCE).unwrap();
    trouble.begin(&cluster);
    times_out(&call, || transaction.commit());
    Trouble::end(&cluster);
    again(&call, || producer.commit_transaction());

    let call = what("drop of a transaction, and what is begun after");
    let transaction = producer.transaction().unwrap();
    transaction.send(ProducerRecord::new("out").partition(0).value("drop")).unwrap().get(PATIENCE).unwrap();
    trouble.begin(&cluster);
    bounded(&call, || drop(transaction));
    times_out(&call, || producer.begin_transaction());
    times_out(&call, || producer.transaction().map(drop));
    Trouble::end(&cluster);
    again(&call, || producer.begin_transaction());
    send(&producer, 0, "last").get(PATIENCE).unwrap();
    again(&call, || producer.commit_transaction());
    assert_eq!(committed(&cluster, 0), ["offsets", "commit", "guard", "last"], "{trouble:?}, {version}");

    // And the end of it all, with a transaction open.
    let call = what("close");
    producer.begin_transaction().unwrap();
    let handle = send(&producer, 0, "closed");
    handle.get(PATIENCE).unwrap();
    trouble.begin(&cluster);
    let report = bounded(&call, || producer.close(BOUND)).unwrap_err();
    assert!(report.to_string().contains("transaction open"), "{call}: {report}");
    bounded(&call, || drop(producer));
    Trouble::end(&cluster);

    let call = what("drop of a producer");
    let dropped = impatient(&cluster);
    again(&call, || dropped.init_transactions());
    dropped.begin_transaction().unwrap();
    send(&dropped, 0, "dropped").get(PATIENCE).unwrap();
    trouble.begin(&cluster);
    bounded(&call, || drop(dropped));
}

#[test]
fn every_call_is_bounded_whatever_the_coordinator_does() {
    thread::scope(|scope| {
        let troubles = [Trouble::NeverAnswers, Trouble::StopsReading, Trouble::IsGone, Trouble::IsNotFound];
        for (trouble, version) in troubles.into_iter().flat_map(|trouble| [(trouble, 1), (trouble, 2)]) {
            scope.spawn(move || every_call_against(trouble, version));
        }
    });
}
