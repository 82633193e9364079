//! Names, addresses and nodes: which are tried, which are forgotten, and what is said of them.

#![allow(clippy::disallowed_methods, reason = "a test has peers and clocks of its own")]

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use kavka::cluster::{Cluster, ClusterMetadata};
use kavka::config::{CommonConfig, DnsLookup, RecoveryStrategy};
use kavka::mock::MockCluster;
use kavka::net::bridge::IoThread;
use kavka::net::clock::Clock;
use kavka::net::inet::{Resolver, SocketOptions, TcpConnector};
use kavka::net::manager::{Manager, NodeId};
use kavka::protocol::ApiKey;
use kavka::{ErrorCode, ErrorKind, KafkaProducer, ProducerRecord};
use parking_lot::Mutex;

const PATIENCE: Duration = Duration::from_secs(20);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

struct State {
    manager: Manager,
    cluster: Cluster,
}

type Io = IoThread<State>;

/// Names and their addresses, whatever the port, unless the address has one; and names of addresses.
#[derive(Default)]
struct Book {
    addresses: Mutex<BTreeMap<String, Vec<SocketAddr>>>,
    names: BTreeMap<IpAddr, String>,
}

impl Book {
    fn with(names: &[(&str, &[SocketAddr])]) -> Arc<Self> {
        let book = Self::default();
        names.iter().for_each(|(name, addresses)| book.set(name, addresses));
        Arc::new(book)
    }

    fn set(&self, name: &str, addresses: &[SocketAddr]) {
        self.addresses.lock().insert(name.to_owned(), addresses.to_vec());
    }
}

impl Resolver for Book {
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let book = self.addresses.lock();
        let found = book.get(host).ok_or_else(|| io::Error::other("no such name"))?;
        Ok(found
            .iter()
            .map(|at| SocketAddr::new(at.ip(), if at.port() == 0 { port } else { at.port() }))
            .collect())
    }

    fn canonical_name(&self, address: IpAddr) -> io::Result<String> {
        self.names.get(&address).cloned().ok_or_else(|| io::Error::other("no name"))
    }
}

fn client(servers: &str, book: Arc<Book>, change: impl FnOnce(&mut CommonConfig)) -> Io {
    let mut config = CommonConfig::default();
    config.bootstrap_servers = servers.split(',').map(str::to_owned).collect();
    config.reconnect_backoff_max = ms(500);
    change(&mut config);
    IoThread::start("addresses", Clock::system(), move |net| {
        let connector = TcpConnector { resolver: book, options: SocketOptions::default() };
        let manager = Manager::with_connector(net, &config, "addresses", Arc::new(connector));
        let cluster = Cluster::new(manager.clone(), &config, true, ClusterMetadata::default())?;
        Ok(State { manager, cluster })
    })
    .unwrap()
}

fn update(io: &Io) -> kavka::Result<()> {
    io.run(Instant::now() + PATIENCE, "update", |state| async move { state.cluster.update().await })
}

fn nodes(io: &Io) -> Vec<NodeId> {
    io.run(Instant::now() + PATIENCE, "nodes", |state| async move { Ok(state.manager.nodes()) }).unwrap()
}

fn cluster_id(io: &Io) -> Option<String> {
    let id = |state: Rc<State>| async move { Ok(state.cluster.snapshot().cluster_id().map(str::to_owned)) };
    io.run(Instant::now() + PATIENCE, "view", id).unwrap()
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "never came true: {what}");
        thread::sleep(ms(10));
    }
}

fn addresses(mock: &MockCluster) -> Vec<SocketAddr> {
    mock.bootstrap_servers().split(',').map(|server| server.parse().unwrap()).collect()
}

fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A peer that accepts and says nothing.
fn silent() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            thread::spawn(move || while stream.read(&mut [0; 256]).is_ok_and(|count| count > 0) {});
        }
    });
    address
}

#[track_caller]
fn assert_says(text: impl ToString, words: &[&str]) {
    let text = text.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

#[test]
fn bootstrap_servers_that_lead_nowhere_cost_a_second_each() {
    let mock = MockCluster::start().unwrap();
    let servers = format!("{},{},{},{}", silent(), silent(), silent(), mock.bootstrap_servers());
    let io = client(&servers, Book::with(&[]), |_| {});
    let started = Instant::now();
    update(&io).unwrap();
    // Each alone would cost the setup timeout of 10 s.
    assert!(started.elapsed() < ms(7000), "{:?}", started.elapsed());
}

#[test]
fn a_broker_that_hangs_costs_no_metadata_refresh_its_request_timeout() {
    let mock = MockCluster::builder().brokers(3).start().unwrap();
    // So that the pause between two refreshes is not what is measured.
    let short = |config: &mut CommonConfig| config.retry_backoff_max = config.retry_backoff;
    let io = client(&mock.bootstrap_servers(), Book::with(&[]), short);
    update(&io).unwrap();
    let hangs = mock.on(ApiKey::METADATA).broker(2).always().never_answer();
    let mut slow = 0;
    for _ in 0..40 {
        let started = Instant::now();
        update(&io).unwrap();
        let took = started.elapsed();
        assert!(took < ms(5000), "a refresh took {took:?}");
        slow += u32::from(took > ms(900));
    }
    assert!(slow <= 1, "{slow} refreshes waited for the broker that hangs");
    assert!(hangs.hits() <= 2, "it was asked {} times", hangs.hits());
}

#[test]
fn a_cluster_that_asks_for_it_is_looked_for_in_the_bootstrap_list_again() {
    let old = MockCluster::builder().brokers(2).cluster_id("old").start().unwrap();
    let new = MockCluster::builder().brokers(1).cluster_id("new").start().unwrap();
    let book = Book::with(&[("kafka.test", &addresses(&old))]);
    let io = client("kafka.test:9092", Arc::clone(&book), |_| {});
    update(&io).unwrap();
    assert_eq!(cluster_id(&io).as_deref(), Some("old"));
    book.set("kafka.test", &addresses(&new));
    // Its brokers are alive and well.
    old.on(ApiKey::METADATA).always().error(ErrorCode::REBOOTSTRAP_REQUIRED);
    assert_eq!(update(&io).unwrap_err().code(), Some(ErrorCode::REBOOTSTRAP_REQUIRED));
    eventually("the new cluster is found", || {
        update(&io).is_ok() && cluster_id(&io).as_deref() == Some("new")
    });
    assert_eq!(nodes(&io), [NodeId::Broker(1), NodeId::Coordinator(1)]);
}

#[test]
fn known_brokers_that_give_no_metadata_are_forgotten_after_the_trigger() {
    let old = MockCluster::builder().brokers(2).cluster_id("old").start().unwrap();
    let new = MockCluster::builder().brokers(1).cluster_id("new").start().unwrap();
    let book = Book::with(&[("kafka.test", &addresses(&old))]);
    let io = client("kafka.test:9092", Arc::clone(&book), |config| {
        config.metadata_recovery_rebootstrap_trigger = ms(1500);
        config.request_timeout = ms(300);
    });
    update(&io).unwrap();
    old.on(ApiKey::METADATA).always().never_answer();
    let started = Instant::now();
    eventually("the brokers are forgotten", || {
        let _ = update(&io);
        nodes(&io).iter().all(|node| matches!(node, NodeId::Bootstrap(_)))
    });
    assert!(started.elapsed() >= ms(1000), "{:?}", started.elapsed());
    book.set("kafka.test", &addresses(&new));
    // The old cluster's brokers still take connections; the name leads elsewhere.
    eventually("the new cluster is found", || {
        update(&io).is_ok() && cluster_id(&io).as_deref() == Some("new")
    });
}

#[test]
fn without_a_recovery_strategy_the_bootstrap_list_is_not_used_again() {
    let mock = MockCluster::builder().brokers(1).start().unwrap();
    let io = client(&mock.bootstrap_servers(), Book::with(&[]), |config| {
        config.metadata_recovery_strategy = RecoveryStrategy::None;
        config.metadata_recovery_rebootstrap_trigger = ms(0);
        config.request_timeout = ms(300);
    });
    update(&io).unwrap();
    for round in 0..2 {
        let fault = match round {
            0 => mock.on(ApiKey::METADATA).always().error(ErrorCode::REBOOTSTRAP_REQUIRED),
            _ => mock.on(ApiKey::METADATA).always().drop_before(),
        };
        for _ in 0..4 {
            update(&io).unwrap_err();
            assert_eq!(nodes(&io), [NodeId::Broker(1), NodeId::Coordinator(1)]);
        }
        fault.remove();
    }
    eventually("it is well again", || update(&io).is_ok());
}

#[test]
fn canonical_names_take_the_place_of_the_bootstrap_names() {
    let mock = MockCluster::start().unwrap();
    let port = addresses(&mock)[0].port();
    let (one, two): (IpAddr, IpAddr) = ([127, 0, 0, 1].into(), [127, 0, 0, 2].into());
    let mut book = Book::default();
    book.names.insert(one, "one.kafka.test".to_owned());
    book.set("kafka.test", &[SocketAddr::new(two, 0), SocketAddr::new(one, 0)]);
    book.set("one.kafka.test", &[SocketAddr::new(one, 0)]);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let producer = KafkaProducer::builder()
        .bootstrap_servers(format!("kafka.test:{port}"))
        .client_dns_lookup(DnsLookup::ResolveCanonicalBootstrapServersOnly)
        .resolver(Recording { book, asked: Arc::clone(&asked) })
        .build()
        .unwrap();
    producer.bootstrap(PATIENCE).unwrap();
    let asked = asked.lock().clone();
    // The second address has no name, and stands for itself.
    assert_eq!(asked.first().map(String::as_str), Some("kafka.test"), "{asked:?}");
    for name in ["name of 127.0.0.1", "name of 127.0.0.2"] {
        assert!(asked.iter().any(|asked| asked == name), "{asked:?}");
    }
    // What is connected to is the canonical name.
    assert_eq!(asked.last().map(String::as_str), Some("one.kafka.test"), "{asked:?}");
}

struct Recording {
    book: Book,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Resolver for Recording {
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.asked.lock().push(host.to_owned());
        self.book.resolve(host, port)
    }

    fn canonical_name(&self, address: IpAddr) -> io::Result<String> {
        self.asked.lock().push(format!("name of {address}"));
        self.book.canonical_name(address)
    }
}

/// Forwards connections to a broker from an address of the test's choice.
fn forward(from: &str, to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind(from).unwrap_or_else(|error| panic!("{from}: {error}"));
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (Ok(client), Ok(broker)) = (client, TcpStream::connect(to)) else { return };
            for (mut from, mut to) in
                [(client.try_clone().unwrap(), broker.try_clone().unwrap()), (broker, client)]
            {
                thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Both);
                });
            }
        }
    });
    address
}

#[test]
fn names_of_two_families_work_by_either() {
    let mock = MockCluster::start().unwrap();
    let v4 = addresses(&mock)[0];
    let v6 = forward("[::1]:0", v4);
    let closed_v6 = TcpListener::bind("[::1]:0").unwrap().local_addr().unwrap();
    for list in [&[v6][..], &[v4], &[v6, v4], &[closed_v6, v4], &[closed_port(), v6]] {
        let io = client("kafka.test:9092", Book::with(&[("kafka.test", list)]), |_| {});
        let started = Instant::now();
        update(&io).unwrap_or_else(|error| panic!("{list:?}: {error}"));
        assert!(started.elapsed() < ms(3000), "{list:?}: {:?}", started.elapsed());
    }
    // As a literal, in brackets.
    update(&client(&v6.to_string(), Book::with(&[]), |_| {})).unwrap();
    let error = update(&client(
        "kafka.test:9092",
        Book::with(&[("kafka.test", &[closed_v6, closed_port()])]),
        |_| {},
    ));
    assert_says(error.unwrap_err(), &[&closed_v6.to_string(), "127.0.0.1:", "refused"]);
}

#[test]
fn a_broker_that_comes_back_at_another_address_is_found_by_its_name() {
    let mock = MockCluster::builder().topic("orders", 1).start().unwrap();
    let real = addresses(&mock)[0];
    let frozen = silent();
    // The name leads to a machine that accepts connections and is dead otherwise.
    let book = Book::with(&[("broker.test", &[frozen])]);
    mock.advertise(1, "broker.test", real.port()).unwrap();
    let io = client(&real.to_string(), Arc::clone(&book), |config| {
        config.socket_connection_setup_timeout = ms(500);
        config.socket_connection_setup_timeout_max = ms(500);
    });
    update(&io).unwrap();
    let connect = |io: &Io| {
        io.run(Instant::now() + PATIENCE, "connect", |state| async move {
            state.manager.connection(NodeId::Broker(1)).await.map(drop)
        })
    };
    assert_eq!(connect(&io).unwrap_err().kind(), ErrorKind::Timeout);
    book.set("broker.test", &[real]);
    eventually("the broker is found at its new address", || connect(&io).is_ok());
}

#[test]
fn an_advertised_address_that_cannot_be_reached_is_told_with_where_it_comes_from() {
    let mock = MockCluster::builder().topic("orders", 1).start().unwrap();
    let nobody = closed_port();
    mock.advertise(1, "127.0.0.1", nobody.port()).unwrap();
    let book = Book::with(&[("kafka.test", &addresses(&mock))]);
    let io = client("kafka.test:9092", book, |_| {});
    update(&io).unwrap();
    let error = io.run(Instant::now() + PATIENCE, "connect", |state| async move {
        state.manager.connection(NodeId::Broker(1)).await.map(drop)
    });
    let hints =
        [&nobody.to_string(), "found at kafka.test:9092", "own machine", "advertised.listeners", "refused"];
    assert_says(error.unwrap_err(), &hints);

    let producer = KafkaProducer::builder()
        .bootstrap_servers(mock.bootstrap_servers())
        .request_timeout(ms(500))
        .delivery_timeout(ms(1500))
        .build()
        .unwrap();
    let ack = producer.send(ProducerRecord::new("orders").value("x")).unwrap();
    let error = ack.get(PATIENCE).unwrap_err();
    assert_says(error, &[&nobody.to_string(), &mock.bootstrap_servers(), "refused"]);
}

#[test]
fn the_port_of_zookeeper_is_told_by_name() {
    let io = client("zoo.test:2181", Book::with(&[("zoo.test", &[closed_port()])]), |_| {});
    assert_says(update(&io).unwrap_err(), &["zoo.test:2181", "ZooKeeper"]);
}

/// The client of 100 brokers that uses three partitions connects to their leaders, and to nobody else.
#[test]
fn a_large_cluster_costs_connections_only_where_they_are_needed() {
    let mock = MockCluster::builder().brokers(100).topic("orders", 3).start().unwrap();
    let servers = addresses(&mock)[0].to_string();
    let producer = KafkaProducer::builder().bootstrap_servers(servers).build().unwrap();
    for round in 0..20 {
        let sent: Vec<_> = (0..3)
            .map(|partition| {
                producer
                    .send(ProducerRecord::new("orders").partition(partition).value(&format!("{round}")))
                    .unwrap()
            })
            .collect();
        sent.iter().for_each(|ack| drop(ack.get(PATIENCE).unwrap()));
    }
    // The bootstrap server, the three leaders, and the one that gave the producer its id.
    let connections = mock.request_count(ApiKey::API_VERSIONS);
    assert!(connections <= 5, "{connections} connections");
}

/// A line at INFO or above, and the name of the thread that wrote it: an IO thread has its client's.
#[derive(Clone, Debug)]
struct Line {
    thread: String,
    level: log::Level,
    text: String,
}

static LINES: Mutex<Vec<Line>> = Mutex::new(Vec::new());

struct Keep;

impl log::Log for Keep {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Info
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let thread = thread::current().name().unwrap_or_default().to_owned();
            let (level, text) = (record.level(), record.args().to_string());
            LINES.lock().push(Line { thread, level, text });
        }
    }

    fn flush(&self) {}
}

fn watch_log() {
    // Only the first of the tests to come here sets it up.
    let _ = log::set_logger(&Keep);
    log::set_max_level(log::LevelFilter::Info);
}

fn lines_about(word: &str) -> Vec<Line> {
    LINES.lock().iter().filter(|line| line.text.contains(word)).cloned().collect()
}

/// What the IO thread of a client has logged.
fn lines_of(client_id: &str) -> Vec<Line> {
    // The system keeps no more of a name.
    let name: String = format!("kavka-io-{client_id}").chars().take(15).collect();
    LINES.lock().iter().filter(|line| line.thread.starts_with(&name)).cloned().collect()
}

#[test]
fn what_nobody_has_to_act_on_is_not_logged_and_the_rest_not_again_and_again() {
    watch_log();
    let mock = MockCluster::start().unwrap();
    let address = mock.bootstrap_servers();
    let io = client(&address, Book::with(&[]), |_| {});
    let idle_close = |io: &Io| {
        io.run(Instant::now() + PATIENCE, "request", |state| async move {
            let connection = state.manager.connection(NodeId::Broker(1)).await?;
            state.manager.net().sleep(ms(1200)).await;
            Ok(connection.is_open())
        })
    };
    update(&io).unwrap();
    assert!(idle_close(&io).unwrap());
    mock.disconnect(1).unwrap();
    eventually("the close is seen", || {
        io.run(Instant::now() + PATIENCE, "look", |state| async move {
            Ok(state.manager.connected(NodeId::Broker(1)).is_none())
        })
        .unwrap()
    });
    update(&io).unwrap();
    assert!(lines_about(&address).is_empty(), "{:?}", lines_about(&address));

    let nobody = closed_port().to_string();
    let down = client(&nobody, Book::with(&[]), |config| config.reconnect_backoff_max = ms(100));
    for _ in 0..15 {
        update(&down).unwrap_err();
    }
    let lines = lines_about(&nobody);
    assert!(matches!(lines.as_slice(), [Line { level: log::Level::Warn, .. }]), "{lines:?}");
}

#[test]
fn a_producer_that_idles_logs_nothing() {
    watch_log();
    let mock = MockCluster::builder().brokers(3).topic("orders", 6).start().unwrap();
    let producer = KafkaProducer::builder()
        .bootstrap_servers(mock.bootstrap_servers())
        .client_id("idler")
        .metadata_max_age(ms(100))
        .connections_max_idle(ms(300))
        .build()
        .unwrap();
    producer.send(ProducerRecord::new("orders").value("x")).unwrap().get(PATIENCE).unwrap();
    mock.clear_requests();
    // Metadata is refreshed, and connections that idle are closed meanwhile.
    assert!(mock.wait_for(PATIENCE, |mock| mock.request_count(ApiKey::METADATA) >= 10));
    assert!(lines_of("idler").is_empty(), "{:?}", lines_of("idler"));
}

#[test]
fn a_drop_says_in_one_line_what_it_gave_up() {
    watch_log();
    let mock = MockCluster::builder().topic("orders", 1).start().unwrap();
    let producer = KafkaProducer::builder()
        .bootstrap_servers(mock.bootstrap_servers())
        .max_in_flight_requests_per_connection(1_usize)
        .drop_timeout(ms(50))
        .build()
        .unwrap();
    let send = |value: &str| producer.send(ProducerRecord::new("orders").value(value)).unwrap();
    send("first").get(PATIENCE).unwrap();
    let silent = mock.on(ApiKey::PRODUCE).always().never_answer();
    send("sent");
    assert!(mock.wait_for(PATIENCE, |_| silent.hits() == 1));
    send("unsent");
    // By a thread whose name tells its lines from those of others.
    let dropping = thread::Builder::new().name("dropping".to_owned());
    dropping.spawn(move || drop(producer)).unwrap().join().unwrap();
    let lines: Vec<Line> = LINES.lock().iter().filter(|line| line.thread == "dropping").cloned().collect();
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(line.level, log::Level::Warn);
    let text = "gave up 2 records in 2 batches, of which 1 may have been written";
    assert!(line.text.contains("dropped a producer") && line.text.contains(text), "{}", line.text);
}

#[test]
fn a_producer_under_load_says_now_and_then_that_its_broker_is_down() {
    watch_log();
    let mock = MockCluster::builder().topic("orders", 6).start().unwrap();
    let producer = KafkaProducer::builder()
        .bootstrap_servers(mock.bootstrap_servers())
        .client_id("flood")
        .request_timeout(ms(100))
        .delivery_timeout(ms(200))
        .reconnect_backoff_max(ms(100))
        .build()
        .unwrap();
    producer.send(ProducerRecord::new("orders").value("x")).unwrap().get(PATIENCE).unwrap();
    mock.kill(1).unwrap();
    let began = Instant::now();
    let mut last = None;
    while began.elapsed() < ms(3_000) {
        for partition in 0..6 {
            last = producer.try_send(ProducerRecord::new("orders").partition(partition).value("x")).ok();
        }
        thread::sleep(ms(2));
    }
    last.unwrap().get(PATIENCE).unwrap_err();
    let lines = lines_of("flood");
    assert!((1..=5).contains(&lines.len()), "{lines:?}");
    assert!(lines.iter().any(|line| line.text.contains("not delivered in time")), "{lines:?}");
}
