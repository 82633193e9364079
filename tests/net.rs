//! The networking layer and the cluster's metadata, on brokers and networks that misbehave.

#![allow(
    clippy::disallowed_methods,
    reason = "a test measures with its own clock, and fills a backlog itself"
)]

use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kavka::cluster::{Cluster, ClusterMetadata};
use kavka::config::CommonConfig;
use kavka::mock::MockCluster;
use kavka::net::bridge::IoThread;
use kavka::net::clock::Clock;
use kavka::net::inet::{Resolver, SocketOptions, TcpConnector};
use kavka::net::manager::{Manager, NodeId};
use kavka::protocol::ApiKey;
use kavka::protocol::messages::produce::{PartitionProduceData, TopicProduceData};
use kavka::protocol::messages::{MetadataRequest, ProduceRequest};
use kavka::{Error, ErrorCode, ErrorKind};
use parking_lot::Mutex;

struct State {
    manager: Manager,
    cluster: Cluster,
}

type Io = IoThread<State>;

const PATIENCE: Duration = Duration::from_secs(10);

fn soon() -> Instant {
    Instant::now() + PATIENCE
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn client_with(
    servers: &str,
    resolver: Option<Arc<dyn Resolver>>,
    change: impl FnOnce(&mut CommonConfig),
) -> Io {
    let mut config = CommonConfig::default();
    config.bootstrap_servers = servers.split(',').map(str::to_owned).collect();
    config.reconnect_backoff_max = ms(1000);
    change(&mut config);
    IoThread::start("net-test", Clock::system(), move |net| {
        let manager = match resolver {
            None => Manager::new(net, &config, "net-test")?,
            Some(resolver) => {
                let connector = TcpConnector { resolver, options: SocketOptions::default() };
                Manager::with_connector(net, &config, "net-test", Arc::new(connector))
            }
        };
        let cluster = Cluster::new(manager.clone(), &config, true, ClusterMetadata::default())?;
        Ok(State { manager, cluster })
    })
    .unwrap()
}

fn client(servers: &str, change: impl FnOnce(&mut CommonConfig)) -> Io {
    client_with(servers, None, change)
}

fn update(io: &Io) -> kavka::Result<()> {
    io.run(soon(), "update", |state| async move { state.cluster.update().await })
}

fn every_topic() -> MetadataRequest {
    MetadataRequest { topics: None, ..MetadataRequest::default() }
}

/// Calls `request_update` every 5 ms for some time.
fn nag(io: &Io, time: Duration) {
    io.run(soon(), "nag", move |state| async move {
        let net = state.manager.net().clone();
        let end = net.now() + time;
        while net.now() < end {
            state.cluster.request_update();
            net.sleep(ms(5)).await;
        }
        Ok(())
    })
    .unwrap();
}

fn rest(io: &Io, time: Duration) {
    io.run(soon(), "rest", move |state| async move {
        state.manager.net().sleep(time).await;
        Ok(())
    })
    .unwrap();
}

/// Asks until `condition` holds.
fn eventually(io: &Io, what: &str, mut condition: impl FnMut(&Io) -> bool) {
    let end = soon();
    while !condition(io) {
        assert!(Instant::now() < end, "never came true: {what}");
        rest(io, ms(10));
    }
}

#[test]
fn asks_for_metadata_share_one_request_and_one_is_under_way() {
    let mock = MockCluster::start().unwrap();
    let io = client(&mock.bootstrap_servers(), |_| {});
    update(&io).unwrap();
    mock.clear_requests();
    mock.on(ApiKey::METADATA).always().delay(ms(150));
    let answers: Vec<_> = (0..100)
        .map(|_| io.remote().ask(|state: Rc<State>| async move { state.cluster.update().await }))
        .collect();
    for answer in answers {
        answer.recv_timeout(PATIENCE).unwrap().unwrap();
    }
    let requests = mock.requests_of(ApiKey::METADATA);
    assert!(requests.len() <= 2, "{} requests", requests.len());
    for pair in requests.windows(2) {
        assert!(pair[1].time - pair[0].time >= ms(150), "two under way at once");
    }
}

#[test]
fn steady_asks_that_bring_nothing_new_become_rare_and_end_with_the_asks() {
    let mock = MockCluster::start().unwrap();
    let io = client(&mock.bootstrap_servers(), |_| {});
    update(&io).unwrap();
    mock.clear_requests();
    nag(&io, ms(2000));
    let count = mock.request_count(ApiKey::METADATA);
    assert!((3..=7).contains(&count), "{count} requests in 2 s");
    rest(&io, ms(1300));
    mock.clear_requests();
    rest(&io, ms(400));
    assert_eq!(mock.request_count(ApiKey::METADATA), 0);
}

#[test]
fn a_topic_that_does_not_exist_causes_no_storm() {
    let mock = MockCluster::builder().auto_create_topics(false).start().unwrap();
    let io = client(&mock.bootstrap_servers(), |_| {});
    let error = io.run(Instant::now() + ms(1500), "topic", |state| async move {
        state.cluster.topic("missing").await.map(drop)
    });
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Timeout);
    assert!(mock.request_count(ApiKey::METADATA) <= 7);
}

#[test]
fn a_leader_epoch_goes_back_only_when_every_answer_insists() {
    let mock = MockCluster::builder().topic("orders", 1).start().unwrap();
    let io = client(&mock.bootstrap_servers(), |_| {});
    let epoch = |io: &Io| {
        io.run(soon(), "epoch", |state| async move {
            Ok(state.cluster.leader("orders", 0).and_then(|(_, epoch)| epoch))
        })
        .unwrap()
    };
    mock.set_leader_epoch("orders", 0, 5).unwrap();
    io.run(soon(), "topic", |state| async move { state.cluster.topic("orders").await.map(drop) }).unwrap();
    assert_eq!(epoch(&io), Some(5));
    mock.set_leader_epoch("orders", 0, 3).unwrap();
    for _ in 0..3 {
        update(&io).unwrap();
        assert_eq!(epoch(&io), Some(5));
    }
    let hint = |leader, at| {
        io.run(soon(), "hint", move |state| async move {
            Ok(state.cluster.update_leader("orders", 0, leader, at))
        })
        .unwrap()
    };
    assert!(!hint(2, 4) && !hint(-1, 9) && !hint(1, -1));
    eventually(&io, "the lower epoch is believed", |io| epoch(io) == Some(3));
    assert!(hint(1, 4));
    assert_eq!(epoch(&io), Some(4));

    let id = mock.topic_id("orders").unwrap();
    mock.delete_topic("orders").unwrap();
    mock.create_topic("orders", 2).unwrap();
    assert_ne!(mock.topic_id("orders"), Some(id));
    eventually(&io, "another topic of the same name begins anew", |io| {
        let _ = update(io);
        io.run(soon(), "view", |state| async move {
            Ok(state.cluster.snapshot().topic("orders").map(|topic| topic.partitions.len()))
        })
        .unwrap()
            == Some(2)
    });
    assert_eq!(epoch(&io), mock.leader_epoch("orders", 0));
}

#[test]
fn a_broker_that_moves_loses_its_connection_and_is_found_at_its_new_address() {
    let mock = MockCluster::start().unwrap();
    let io = client(&mock.bootstrap_servers(), |_| {});
    update(&io).unwrap();
    let port = mock.broker_address(1).unwrap().rsplit(':').next().unwrap().parse().unwrap();
    let mock = Arc::new(mock);
    let at = Arc::clone(&mock);
    io.run(soon(), "move", move |state| async move {
        let before = state.manager.connection(NodeId::Broker(1)).await?;
        at.advertise(1, "localhost", port)?;
        state.cluster.update().await?;
        let error = before.error().expect("the old connection is closed");
        assert!(error.to_string().contains("moved"), "{error}");
        assert_eq!(state.manager.address(NodeId::Broker(1)).unwrap().host, "localhost");
        state.manager.send(NodeId::Broker(1), &every_topic()).await.map(drop)
    })
    .unwrap();
}

#[test]
fn an_advertised_host_that_cannot_be_one_is_refused_by_name() {
    let mock = MockCluster::start().unwrap();
    let long = "x".repeat(5000);
    for (host, why) in [
        ("evil\r\nX-Header: 1", "has '\\r' in its host name"),
        ("a\u{1b}[2Jb", "in its host name"),
        ("a b", "has ' ' in its host name"),
        ("", "has no host name"),
        (&long, "has a host name of 5000 bytes"),
    ] {
        mock.advertise(1, host, 9092).unwrap();
        let io = client(&mock.bootstrap_servers(), |_| {});
        update(&io).unwrap();
        let error = io
            .run(soon(), "connect", |state| async move {
                state.manager.connection(NodeId::Broker(1)).await.map(drop)
            })
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Dns, "{error}");
        let text = error.to_string();
        assert!(text.contains(why) && text.contains("advertised by the cluster"), "{text}");
        assert!(!text.contains(char::is_control) && text.len() < 4000, "{text}");
    }
}

/// A peer that accepts and says nothing, and reports when a connection was closed by the other side.
fn silent() -> (SocketAddr, crossbeam_channel::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, closed) = crossbeam_channel::unbounded();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let sender = sender.clone();
            thread::spawn(move || {
                let mut buffer = [0; 256];
                while stream.read(&mut buffer).is_ok_and(|count| count > 0) {}
                let _ = sender.send(());
            });
        }
    });
    (address, closed)
}

#[test]
fn an_attempt_ends_when_its_node_is_removed_and_begins_anew_when_it_moves() {
    let mock = MockCluster::start().unwrap();
    let io = client(&mock.bootstrap_servers(), |_| {});
    let (hangs, closed) = silent();
    let target: kavka::net::inet::Address = mock.broker_address(1).unwrap().parse().unwrap();
    let silent_address: kavka::net::inet::Address = hangs.to_string().parse().unwrap();
    let connect = |io: &Io| {
        let answer = io.remote().ask(|state: Rc<State>| async move {
            state.manager.connection(NodeId::Broker(7)).await.map(|connection| connection.is_open())
        });
        rest(io, ms(50));
        answer
    };
    let set = |address: &kavka::net::inet::Address| {
        let address = address.clone();
        assert!(io.post(move |state: &Rc<State>| state.manager.set_node(NodeId::Broker(7), address)));
    };

    set(&silent_address);
    let removed = connect(&io);
    assert!(io.post(|state: &Rc<State>| state.manager.remove_node(NodeId::Broker(7))));
    let error = removed.recv_timeout(ms(1000)).unwrap().unwrap_err();
    assert!(error.to_string().contains("removed"), "{error}");
    closed.recv_timeout(ms(1000)).expect("the socket is closed with the attempt");

    set(&silent_address);
    let moved = connect(&io);
    set(&target);
    assert!(
        moved.recv_timeout(ms(1000)).unwrap().unwrap(),
        "the caller gets the connection to the new place"
    );
    closed.recv_timeout(ms(1000)).expect("the socket to the old place is closed");

    set(&silent_address);
    let ended = connect(&io);
    let reason = Error::new(ErrorKind::Closed, "enough");
    assert!(io.post(move |state: &Rc<State>| state.manager.close_all(&reason)));
    assert_eq!(ended.recv_timeout(ms(1000)).unwrap().unwrap_err().kind(), ErrorKind::Closed);
    closed.recv_timeout(ms(1000)).expect("the socket is closed with the pool");
}

#[derive(Default)]
struct Book(Mutex<Option<Vec<SocketAddr>>>);

impl Resolver for Book {
    fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        self.0.lock().clone().ok_or_else(|| io::Error::other("the name server sleeps"))
    }
}

#[test]
fn a_name_that_cannot_be_resolved_heals_with_the_name_server() {
    let mock = MockCluster::start().unwrap();
    let book = Arc::new(Book::default());
    let io = client_with("kafka.test:9092", Some(Arc::<Book>::clone(&book)), |_| {});
    let error = update(&io).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Dns);
    assert!(error.to_string().contains("kafka.test") && error.to_string().contains("sleeps"), "{error}");
    *book.0.lock() = Some(vec![mock.broker_address(1).unwrap().parse().unwrap()]);
    eventually(&io, "the name resolves", |io| update(io).is_ok());
}

#[test]
fn a_cluster_swapped_behind_its_bootstrap_name_is_found() {
    let addresses = |mock: &MockCluster| -> Vec<SocketAddr> {
        mock.bootstrap_servers().split(',').map(|server| server.parse().unwrap()).collect()
    };
    let old = MockCluster::builder().brokers(3).cluster_id("old").start().unwrap();
    let new = MockCluster::builder().brokers(2).cluster_id("new").start().unwrap();
    let book = Arc::new(Book(Mutex::new(Some(addresses(&old)))));
    let io = client_with("kafka.test:9092", Some(Arc::<Book>::clone(&book)), |_| {});
    update(&io).unwrap();
    let view = |io: &Io| {
        io.run(soon(), "view", |state| async move {
            let view = state.cluster.snapshot();
            Ok((view.cluster_id().map(str::to_owned), view.brokers().count(), state.manager.nodes()))
        })
        .unwrap()
    };
    let (id, brokers, nodes) = view(&io);
    assert_eq!((id.as_deref(), brokers), (Some("old"), 3));
    assert!(!nodes.iter().any(|node| matches!(node, NodeId::Bootstrap(_))), "{nodes:?}");
    *book.0.lock() = Some(addresses(&new));
    drop(old);
    assert!(io.post(|state: &Rc<State>| state.cluster.request_update()));
    eventually(&io, "the new cluster", |io| view(io).0.as_deref() == Some("new"));
    let (_, brokers, nodes) = view(&io);
    assert_eq!(brokers, 2);
    assert!(!nodes.iter().any(|node| matches!(node, NodeId::Bootstrap(_) | NodeId::Broker(3))), "{nodes:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_first_address_that_leads_nowhere_costs_a_quarter_of_a_second() {
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    full.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    full.listen(0).unwrap();
    let nowhere = full.local_addr().unwrap().as_socket().unwrap();
    let mut held = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&nowhere, ms(200)) {
        held.push(stream);
        assert!(held.len() < 100, "the backlog never fills");
    }
    let mock = MockCluster::start().unwrap();
    let book = Book(Mutex::new(Some(vec![nowhere, mock.broker_address(1).unwrap().parse().unwrap()])));
    let io = client_with("kafka.test:9092", Some(Arc::new(book)), |_| {});
    let started = Instant::now();
    update(&io).unwrap();
    let took = started.elapsed();
    assert!((ms(240)..ms(800)).contains(&took), "{took:?}");
}

#[test]
fn a_peer_that_accepts_and_closes_is_not_stormed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    thread::spawn(move || {
        for stream in listener.incoming() {
            count.fetch_add(1, Ordering::SeqCst);
            drop(stream);
        }
    });
    let io = client(&address.to_string(), |_| {});
    nag(&io, ms(2000));
    let count = accepted.load(Ordering::SeqCst);
    assert!((3..=8).contains(&count), "{count} connections in 2 s");
}

#[test]
fn a_broker_that_closes_after_the_handshake_is_not_stormed() {
    let mock = MockCluster::start().unwrap();
    mock.on(ApiKey::METADATA).always().drop_before();
    let io = client(&mock.bootstrap_servers(), |config| config.retry_backoff_max = ms(100));
    let end = Instant::now() + ms(2000);
    while Instant::now() < end {
        let asked = io.run(Instant::now() + ms(500), "metadata", |state| async move {
            state.manager.send(NodeId::Bootstrap(0), &every_topic()).await
        });
        assert!(asked.is_err());
    }
    let count = mock.request_count(ApiKey::API_VERSIONS);
    assert!((3..=8).contains(&count), "{count} connections in 2 s");
    mock.clear_faults();
    eventually(&io, "it heals", |io| update(io).is_ok());
}

#[test]
fn an_idle_connection_is_closed_and_made_anew_without_a_word() {
    let mock = MockCluster::start().unwrap();
    let io = client(&mock.bootstrap_servers(), |config| config.connections_max_idle = ms(300));
    update(&io).unwrap();
    for _ in 0..2 {
        io.run(soon(), "metadata", |state| async move {
            state.manager.send(NodeId::Broker(1), &every_topic()).await
        })
        .unwrap();
        eventually(&io, "the idle connection is closed", |io| {
            let connected =
                |state: Rc<State>| async move { Ok(state.manager.connected(NodeId::Broker(1)).is_none()) };
            io.run(soon(), "connected", connected).unwrap()
        });
    }
}

#[test]
fn the_pipeline_is_bounded_fair_and_loses_no_waiter() {
    let mock = MockCluster::start().unwrap();
    let io = client(&mock.bootstrap_servers(), |config| config.max_in_flight_requests_per_connection = 1);
    update(&io).unwrap();
    mock.on(ApiKey::METADATA).always().delay(ms(100));
    let order = Arc::new(Mutex::new(Vec::new()));
    let ask = |name: &'static str, gives_up: bool| {
        let order = Arc::clone(&order);
        let answer = io.remote().ask(move |state: Rc<State>| async move {
            let connection = state.manager.connection(NodeId::Broker(1)).await?;
            connection.ready().await?;
            assert_eq!(connection.in_flight(), 0);
            order.lock().push(name);
            if gives_up {
                return Ok(());
            }
            let version = connection.pick_version::<MetadataRequest>(i16::MAX)?;
            connection.start(&every_topic(), version, ms(5000))?.await.map(drop)
        });
        rest(&io, ms(5));
        answer
    };
    let answers = [ask("a", false), ask("b", true), ask("c", false), ask("d", false)];
    let impatient = io.run(soon(), "impatient", |state| async move {
        let net = state.manager.net().clone();
        let connection = state.manager.connection(NodeId::Broker(1)).await?;
        Ok(net.until(net.now() + ms(20), connection.send(&every_topic())).await.is_none())
    });
    assert!(impatient.unwrap(), "it had no place yet");
    let last = ask("e", false);
    for answer in answers.into_iter().chain([last]) {
        answer.recv_timeout(PATIENCE).unwrap().unwrap();
    }
    assert_eq!(*order.lock(), ["a", "b", "c", "d", "e"]);
}

#[test]
fn a_request_that_times_out_ends_its_connection_and_no_other() {
    let mock = MockCluster::builder().brokers(2).start().unwrap();
    let io = client(&mock.bootstrap_servers(), |_| {});
    update(&io).unwrap();
    mock.on(ApiKey::METADATA).broker(1).never_answer();
    io.run(soon(), "requests", |state| async move {
        let hangs = state.manager.connection(NodeId::Broker(1)).await?;
        let other = state.manager.connection(NodeId::Broker(2)).await?;
        let version = other.pick_version::<MetadataRequest>(i16::MAX)?;
        let started = Instant::now();
        // The later request has the earlier deadline.
        let slow = hangs.start(&every_topic(), version, ms(20_000))?;
        let fast = hangs.start(&every_topic(), version, ms(200))?;
        let error = fast.await.unwrap_err();
        assert!((ms(190)..ms(1500)).contains(&started.elapsed()), "{:?}", started.elapsed());
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(error.to_string().contains("127.0.0.1:"), "{error}");
        assert!(slow.await.unwrap_err().is_retriable());
        assert!(!hangs.is_open() && other.is_open());
        other.send(&every_topic()).await?;
        state.manager.send(NodeId::Broker(1), &every_topic()).await.map(drop)
    })
    .unwrap();
}

#[test]
fn a_node_that_hangs_is_not_chosen_again_and_again() {
    let mock = MockCluster::builder().brokers(3).start().unwrap();
    let io = client(&mock.bootstrap_servers(), |config| config.request_timeout = ms(300));
    update(&io).unwrap();
    mock.clear_requests();
    let hangs = mock.on(ApiKey::METADATA).broker(2).always().never_answer();
    let mut failed = 0;
    for _ in 0..12 {
        // Traffic elsewhere, as a consumer's fetches, must not make the idle node look like the best one.
        failed += usize::from(update(&io).is_err());
        let _busy = io.run(soon(), "choose", |state| async move { Ok(state.manager.least_loaded_node()) });
    }
    assert!(hangs.hits() <= 1 && failed <= 1, "{} requests to it, {failed} failed", hangs.hits());
}

#[test]
fn a_throttled_node_is_left_alone_and_no_throttle_is_for_ever() {
    let mock = MockCluster::start().unwrap();
    let io = client(&mock.bootstrap_servers(), |_| {});
    update(&io).unwrap();
    mock.on(ApiKey::METADATA).throttle(ms(400));
    io.run(soon(), "throttled", |state| async move {
        state.manager.send(NodeId::Broker(1), &every_topic()).await?;
        state.manager.send(NodeId::Broker(1), &every_topic()).await
    })
    .unwrap();
    let requests = mock.requests_of(ApiKey::METADATA);
    let [.., first, second] = requests.as_slice() else { panic!("{requests:?}") };
    assert!(second.time - first.time >= ms(390), "{:?}", second.time - first.time);

    mock.on(ApiKey::METADATA).throttle(Duration::from_secs(1_000_000));
    io.run(soon(), "muted", |state| async move {
        let net = state.manager.net().clone();
        state.manager.send(NodeId::Broker(1), &every_topic()).await?;
        let connection = state.manager.connection(NodeId::Broker(1)).await?;
        let until = connection.throttled_until().expect("it is muted");
        assert!(until <= net.now() + Duration::from_secs(60));
        let (closer, own) = (connection.clone(), net.clone());
        net.spawn(async move {
            own.sleep(ms(50)).await;
            closer.close(Error::new(ErrorKind::Closed, "enough"));
        });
        assert_eq!(connection.ready().await.unwrap_err().kind(), ErrorKind::Closed);
        Ok(())
    })
    .unwrap();
}

#[test]
fn garbage_heals_on_the_next_connection() {
    let mock = MockCluster::start().unwrap();
    let io = client(&mock.bootstrap_servers(), |_| {});
    update(&io).unwrap();
    for bytes in [0, 3, 4, 8, 20] {
        mock.on(ApiKey::METADATA).close_after_bytes(bytes);
        let send =
            |state: Rc<State>| async move { state.manager.send(NodeId::Broker(1), &every_topic()).await };
        assert_eq!(io.run(soon(), "cut", send).unwrap_err().kind(), ErrorKind::Connection);
        io.run(soon(), "healed", send).unwrap();
    }
    mock.on(ApiKey::METADATA).times(3).garbage();
    eventually(&io, "metadata without garbage", |io| {
        let _ = update(io);
        mock.request_count(ApiKey::METADATA) > 10 && update(io).is_ok()
    });
}

#[test]
fn answers_without_brokers_and_errors_change_nothing() {
    let mock = MockCluster::builder().topic("orders", 1).start().unwrap();
    let io = client(&mock.bootstrap_servers(), |_| {});
    let topic = |state: Rc<State>| async move { state.cluster.topic("orders").await.map(drop) };
    io.run(soon(), "topic", topic).unwrap();
    mock.on(ApiKey::METADATA).times(2).error(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    for _ in 0..3 {
        let _ = update(&io);
        let leader = |state: Rc<State>| async move { Ok(state.cluster.leader("orders", 0)) };
        assert!(io.run(soon(), "leader", leader).unwrap().is_some());
    }
}

#[test]
fn a_peer_that_reads_no_more_cannot_hold_a_request_without_an_answer() {
    let mock = MockCluster::builder().topic("orders", 1).start().unwrap();
    let io = client(&mock.bootstrap_servers(), |config| config.request_timeout = ms(400));
    update(&io).unwrap();
    io.run(
        soon(),
        "connect",
        |state| async move { state.manager.connection(NodeId::Broker(1)).await.map(drop) },
    )
    .unwrap();
    mock.stop_reading(1).unwrap();
    let started = Instant::now();
    let error = io
        .run(soon(), "produce", |state| async move {
            let connection = state.manager.connection(NodeId::Broker(1)).await?;
            let data = PartitionProduceData { index: 0, records: Some(vec![0; 32 << 20].into()) };
            let topic = TopicProduceData {
                name: "orders".to_owned(),
                partition_data: vec![data],
                ..TopicProduceData::default()
            };
            let request = ProduceRequest { acks: 0, topic_data: vec![topic], ..ProduceRequest::default() };
            let sent = connection.send_unanswered(&request, 9).await;
            assert!(!connection.is_open());
            sent
        })
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!((ms(390)..ms(2000)).contains(&started.elapsed()), "{:?}", started.elapsed());
}

#[test]
fn a_panic_on_the_io_thread_fails_every_caller_with_its_text() {
    for _ in 0..20 {
        let io = IoThread::start("panics", Clock::system(), |_| Ok(())).unwrap();
        let waiting = io.remote().clone();
        let waiter = thread::spawn(move || {
            waiting.run(soon(), "wait", |_| std::future::pending::<kavka::Result<()>>()).unwrap_err()
        });
        assert!(io.post(|_| panic!("the end is near")));
        let after = io.run(soon(), "after", |_| async { Ok(()) }).unwrap_err();
        for error in [waiter.join().unwrap(), after] {
            assert_eq!(error.kind(), ErrorKind::Closed);
            assert!(error.to_string().contains("the end is near"), "{error}");
        }
        assert!(io.shutdown(PATIENCE));
    }
    let failed = IoThread::<()>::start("fails", Clock::system(), |_| panic!("at the start")).unwrap_err();
    assert!(failed.to_string().contains("at the start"), "{failed}");
}

#[test]
fn a_closed_thread_says_so_and_a_blocking_call_on_it_is_an_error() {
    let io = Arc::new(IoThread::start("closes", Clock::system(), |_| Ok(())).unwrap());
    let (sender, receiver) = crossbeam_channel::bounded(1);
    let inner = Arc::clone(&io);
    assert!(io.post(move |_| {
        let nested = inner.run(soon(), "nested", |_| async { Ok(()) });
        let _ = sender.send((nested.unwrap_err(), inner.shutdown(PATIENCE)));
    }));
    let (error, ended) = receiver.recv_timeout(PATIENCE).unwrap();
    assert_eq!(error.kind(), ErrorKind::IllegalState);
    assert!(!ended, "on its own thread a shutdown only asks");
    assert!(io.shutdown(PATIENCE) && io.shutdown(PATIENCE));
    let started = Instant::now();
    let error = io.run(soon(), "late", |_| async { Ok(()) }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(!io.post(|_| ()) && started.elapsed() < ms(500));
}

#[test]
fn calls_from_many_threads_are_all_answered() {
    let io = Arc::new(IoThread::start("busy", Clock::system(), |_| Ok(AtomicUsize::new(0))).unwrap());
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let io = Arc::clone(&io);
            thread::spawn(move || {
                for _ in 0..2000 {
                    io.run(soon(), "count", |count| async move {
                        count.fetch_add(1, Ordering::Relaxed);
                        Ok(())
                    })
                    .unwrap();
                }
            })
        })
        .collect();
    callers.into_iter().for_each(|caller| caller.join().unwrap());
    let total = io.run(soon(), "total", |count| async move { Ok(count.load(Ordering::Relaxed)) });
    assert_eq!(total.unwrap(), 8000);
}

#[test]
fn dropping_the_pool_closes_its_sockets() {
    let (address, closed) = silent();
    let io = IoThread::start("drops", Clock::system(), move |net| {
        let mut config = CommonConfig::default();
        config.api_version = Some((0, 9).into());
        let manager = Manager::new(net, &config, "drops")?;
        manager.set_node(NodeId::Broker(1), address.to_string().parse()?);
        Ok(Mutex::new(Some(manager)))
    })
    .unwrap();
    io.run(soon(), "connect", |state| async move {
        let manager = state.lock().clone().unwrap();
        manager.connection(NodeId::Broker(1)).await.map(drop)
    })
    .unwrap();
    assert!(io.post(|state| drop(state.lock().take())));
    closed.recv_timeout(ms(2000)).expect("the socket is closed with the pool");
}

#[test]
#[cfg(target_os = "linux")]
fn an_idle_client_sleeps() {
    let mock = MockCluster::builder().topic("orders", 3).start().unwrap();
    let producer = kavka::KafkaProducer::builder()
        .bootstrap_servers(mock.bootstrap_servers())
        .client_id("nap")
        .build()
        .unwrap();
    producer.send(kavka::ProducerRecord::new("orders").value("x")).unwrap().get(PATIENCE).unwrap();
    let switches = || -> u64 {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let statuses =
            tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("status")).ok());
        let of = |status: String| -> Option<u64> {
            status.lines().next()?.contains("kavka-io-nap").then_some(())?;
            let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"))?;
            line.split_whitespace().last()?.parse().ok()
        };
        let counts: Vec<u64> = statuses.filter_map(of).collect();
        assert_eq!(counts.len(), 1, "one IO thread");
        counts[0]
    };
    // What the last answer set off is over when two looks agree.
    let mut before = switches();
    assert!(mock.wait_for(PATIENCE, |_| {
        thread::park_timeout(ms(200));
        std::mem::replace(&mut before, switches()) == before
    }));
    let before = switches();
    let end = Instant::now() + ms(2000);
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        thread::park_timeout(left);
    }
    let woken = switches() - before;
    assert!(woken < 10, "{woken} wake-ups in 2 s");
}
