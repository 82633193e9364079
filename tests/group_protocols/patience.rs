//! Handlers and listeners that take longer than a session: heartbeats go on, and the member keeps its seat.

use std::task::{Poll, Waker};
use std::thread;

use super::*;

const SESSION: Duration = Duration::from_secs(2);

const INTERVAL: Duration = Duration::from_millis(80);

/// More heartbeats than fit into a session, none of which comes early.
const BEATS: usize = 30;

struct Kind {
    api: ApiKey,
    cluster: Arc<MockCluster>,
    builder: ConsumerBuilder,
}

fn kinds() -> [Kind; 2] {
    [ApiKey::HEARTBEAT, ApiKey::CONSUMER_GROUP_HEARTBEAT].map(|api| {
        let cluster = MockCluster::builder()
            .topic("t", 1)
            .session_timeouts(SESSION, SESSION)
            .consumer_group_timeouts(INTERVAL, SESSION)
            .start()
            .unwrap();
        let builder = match api {
            ApiKey::HEARTBEAT => {
                classic(&cluster, Assignor::Range).session_timeout(SESSION).heartbeat_interval(INTERVAL)
            }
            _ => modern(&cluster),
        };
        Kind { api, cluster: Arc::new(cluster), builder }
    })
}

/// Both at once.
fn for_each_kind(test: impl Fn(Kind) + Sync) {
    thread::scope(|scope| {
        for kind in kinds() {
            let test = &test;
            scope.spawn(move || test(kind));
        }
    });
}

/// Lets more than a session go by.
fn dawdle(cluster: &MockCluster, api: ApiKey) {
    let enough = cluster.request_count(api) + BEATS;
    assert!(cluster.wait_for(LONG, |cluster| cluster.request_count(api) >= enough), "no heartbeats");
}

#[test]
fn a_handler_may_take_longer_than_a_session() {
    for_each_kind(|Kind { api, cluster, builder }| {
        fill(&cluster, "t", 0, 3);
        let (mut consumer, log) = with_log(builder.max_poll_records(1));
        let deadline = Instant::now() + LONG;
        while consumer.poll(SHORT).unwrap().is_empty() {
            assert!(Instant::now() < deadline, "{consumer:?}");
        }
        dawdle(&cluster, api);
        // Record by record, too.
        for record in consumer.iter().take(2) {
            record.unwrap();
            dawdle(&cluster, api);
        }
        consumer.commit().unwrap();
        assert_eq!(cluster.committed("g", "t", 0), Some(3));
        assert_eq!(log.news(), [shown("assigned", [tp(0)])]);
    });
}

struct Slow {
    cluster: Arc<MockCluster>,
    api: ApiKey,
    log: Log,
}

impl ConsumerRebalanceListener for Slow {
    fn on_partitions_revoked(
        &mut self,
        consumer: &mut RebalanceContext<'_>,
        gone: &[TopicPartition],
    ) -> Result<()> {
        dawdle(&self.cluster, self.api);
        consumer.commit()?;
        self.log.add("revoked", gone)
    }

    fn on_partitions_assigned(&mut self, _: &mut RebalanceContext<'_>, new: &[TopicPartition]) -> Result<()> {
        dawdle(&self.cluster, self.api);
        self.log.add("assigned", new)
    }

    fn on_partitions_lost(&mut self, _: &mut RebalanceContext<'_>, lost: &[TopicPartition]) -> Result<()> {
        self.log.add("lost", lost)
    }
}

/// Waits for another thread, which waits for heartbeats.
async fn dawdle_async(cluster: &Arc<MockCluster>, api: ApiKey) {
    let state = Arc::new(Mutex::new((false, None::<Waker>)));
    let (done, cluster) = (Arc::clone(&state), Arc::clone(cluster));
    let waiting = thread::spawn(move || {
        dawdle(&cluster, api);
        let mut done = done.lock().unwrap();
        done.0 = true;
        done.1.take().inspect(Waker::wake_by_ref);
    });
    std::future::poll_fn(|cx| {
        let mut state = state.lock().unwrap();
        state.1 = Some(cx.waker().clone());
        if state.0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    waiting.join().unwrap();
}

impl AsyncConsumerRebalanceListener for Slow {
    async fn on_partitions_revoked(
        &mut self,
        consumer: &AsyncRebalanceContext,
        gone: &[TopicPartition],
    ) -> Result<()> {
        dawdle_async(&self.cluster, self.api).await;
        consumer.commit().await?;
        self.log.add("revoked", gone)
    }

    async fn on_partitions_assigned(
        &mut self,
        _: &AsyncRebalanceContext,
        new: &[TopicPartition],
    ) -> Result<()> {
        dawdle_async(&self.cluster, self.api).await;
        self.log.add("assigned", new)
    }

    async fn on_partitions_lost(&mut self, _: &AsyncRebalanceContext, lost: &[TopicPartition]) -> Result<()> {
        self.log.add("lost", lost)
    }
}

/// The listener waits while the coordinator waits for the member to give up, and commits at last.
fn slow_listener(subscribe: impl Fn(Slow) -> Subscription + Sync) {
    for_each_kind(|Kind { api, cluster, builder }| {
        fill(&cluster, "t", 0, 3);
        let log = Log::default();
        let mut consumer = builder.enable_auto_commit(false).build().unwrap();
        let slow = Slow { cluster: Arc::clone(&cluster), api, log: log.clone() };
        consumer.subscribe_to(subscribe(slow)).unwrap();
        let mut read = 0;
        let deadline = Instant::now() + LONG;
        while read < 3 {
            assert!(Instant::now() < deadline, "{consumer:?}");
            read += consumer.poll(SHORT).unwrap().len();
        }
        consumer.close(LONG).unwrap();
        assert_eq!(cluster.committed("g", "t", 0), Some(3));
        assert_eq!(log.news(), ["assigned", "revoked"].map(|what| shown(what, [tp(0)])));
    });
}

#[test]
fn a_listener_may_take_longer_than_a_session() {
    slow_listener(|slow| Subscription::topics(["t"]).listener(slow));
}

#[test]
fn an_async_listener_may_wait_longer_than_a_session() {
    slow_listener(|slow| Subscription::topics(["t"]).async_listener(slow));
}
