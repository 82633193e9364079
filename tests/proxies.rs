//! Proxies: the tests' own, which misbehave on demand, and well-known ones in front of a real Kafka.

#![allow(clippy::disallowed_methods, reason = "a test has peers and clocks of its own")]

mod support;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use kavka::config::SecurityProtocol;
use kavka::mock::MockCluster;
use kavka::net::inet::{Address, Connector, Resolver};
use kavka::net::proxy::{Below, ProxyUrl};
use kavka::producer::ProducerBuilder;
use kavka::{Error, ErrorKind, KafkaConsumer, KafkaProducer, ProducerRecord};
use parking_lot::Mutex;
use support::certificates::Authority;
use support::kafka::{Cluster, unique, wait_until};

const PATIENCE: Duration = Duration::from_secs(30);

/// A name that the tests' proxies alone can resolve.
const HIDDEN: &str = "broker.hidden.invalid";

const USER: &str = "us%40er";
const PASSWORD: &str = "hunter2%3A";
const DECODED: (&[u8], &[u8]) = (b"us@er", b"hunter2:");

/// Every line that is logged in this process.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Keep;

impl log::Log for Keep {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        LINES.lock().push(record.args().to_string());
    }

    fn flush(&self) {}
}

fn keep_log() {
    if log::set_logger(&Keep).is_ok() {
        log::set_max_level(log::LevelFilter::Trace);
    }
}

/// How a proxy of the tests behaves.
#[derive(Clone)]
enum Manner {
    /// Connects, for everybody or for who knows the password.
    Open,
    Login,
    /// Connects, and answers in single bytes.
    Slow,
    /// Connects to this host and refuses the others.
    OnlyTo(&'static str),
    /// Says this after the greeting (SOCKS) or the request (HTTP), and hangs up.
    Say(Vec<u8>),
    /// Chooses this way to log in, and hangs up.
    Choose(Vec<u8>),
    /// Reads, and never answers.
    Hang,
}

/// A proxy of the tests' own, and the targets that it was asked for.
struct Proxy {
    address: SocketAddr,
    targets: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start(manner: Manner, serve: fn(&mut TcpStream, &Manner) -> io::Result<Option<String>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let targets = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&targets);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let (manner, seen) = (manner.clone(), Arc::clone(&seen));
                thread::spawn(move || {
                    let Ok(Some(target)) = serve(&mut stream, &manner) else { return };
                    seen.lock().push(target.clone());
                    let port = target.rsplit_once(':').unwrap().1;
                    // All names lead here.
                    let Ok(broker) = TcpStream::connect(format!("127.0.0.1:{port}")) else { return };
                    relay(stream, broker);
                });
            }
        });
        Self { address, targets }
    }

    fn socks(manner: Manner) -> Self {
        Self::start(manner, serve_socks)
    }

    fn http(manner: Manner) -> Self {
        Self::start(manner, serve_http)
    }

    fn targets(&self) -> Vec<String> {
        self.targets.lock().clone()
    }
}

fn relay(client: TcpStream, broker: TcpStream) {
    let (mut from, mut to) = (client.try_clone().unwrap(), broker.try_clone().unwrap());
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Both);
    });
    let (mut from, mut to) = (broker, client);
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Both);
}

fn hang(stream: &mut TcpStream) -> io::Result<Option<String>> {
    while stream.read(&mut [0; 64])? > 0 {}
    Ok(None)
}

fn exactly<const N: usize>(stream: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).map(|()| bytes)
}

fn some(stream: &mut TcpStream, length: u8) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes).map(|()| bytes)
}

fn serve_socks(stream: &mut TcpStream, manner: &Manner) -> io::Result<Option<String>> {
    let [version, methods] = exactly(stream)?;
    assert_eq!(version, 5);
    let methods = some(stream, methods)?;
    match manner {
        Manner::Hang => return hang(stream),
        Manner::Choose(answer) => {
            stream.write_all(answer)?;
            return Ok(None);
        }
        Manner::Login if !methods.contains(&2) => {
            stream.write_all(&[5, 0xff])?;
            return Ok(None);
        }
        Manner::Login => {
            stream.write_all(&[5, 2])?;
            let [version, length] = exactly(stream)?;
            assert_eq!(version, 1);
            let user = some(stream, length)?;
            let [length] = exactly(stream)?;
            let password = some(stream, length)?;
            let is_right = (user.as_slice(), password.as_slice()) == DECODED;
            stream.write_all(&[1, u8::from(!is_right)])?;
            if !is_right {
                return Ok(None);
            }
        }
        _ => stream.write_all(&[5, 0])?,
    }
    let [version, command, _, kind] = exactly(stream)?;
    assert_eq!((version, command), (5, 1));
    let host = match kind {
        1 => std::net::Ipv4Addr::from(exactly::<4>(stream)?).to_string(),
        4 => std::net::Ipv6Addr::from(exactly::<16>(stream)?).to_string(),
        3 => {
            let [length] = exactly(stream)?;
            String::from_utf8(some(stream, length)?).unwrap()
        }
        other => panic!("address type {other}"),
    };
    let port = u16::from_be_bytes(exactly(stream)?);
    // An answer with a name in it is rare, and as good as any.
    let answer = b"\x05\x00\x00\x03\x05proxy\x00\x50";
    match manner {
        Manner::OnlyTo(open) if host != *open => {
            stream.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0])?;
            return Ok(None);
        }
        Manner::Say(answer) => {
            stream.write_all(answer)?;
            return Ok(None);
        }
        Manner::Slow => {
            for byte in answer {
                stream.write_all(&[*byte])?;
                thread::sleep(Duration::from_millis(2));
            }
        }
        _ => stream.write_all(answer)?,
    }
    Ok(Some(format!("{host}:{port}")))
}

fn serve_http(stream: &mut TcpStream, manner: &Manner) -> io::Result<Option<String>> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(exactly::<1>(stream)?[0]);
    }
    let request = String::from_utf8(request).unwrap();
    let target = request.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap().to_owned();
    assert!(request.contains(&format!(" HTTP/1.1\r\nHost: {target}\r\n")), "{request}");
    let answer =
        b"HTTP/1.1 103 Early\r\nX: y\r\n\r\nHTTP/1.0 200 Connection established\r\nVia: test\r\n\r\n";
    match manner {
        Manner::Hang => return hang(stream),
        Manner::Say(answer) | Manner::Choose(answer) => {
            stream.write_all(answer)?;
            return Ok(None);
        }
        // "us@er:hunter2:" in base64.
        Manner::Login if !request.contains("\r\nProxy-Authorization: Basic dXNAZXI6aHVudGVyMjo=\r\n") => {
            stream.write_all(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nproxy-authenticate: Digest\r\n\r\n")?;
            return Ok(None);
        }
        Manner::Slow => {
            for byte in answer {
                stream.write_all(&[*byte])?;
                thread::sleep(Duration::from_millis(1));
            }
        }
        _ => stream.write_all(answer)?,
    }
    Ok(Some(target))
}

/// A cluster whose brokers advertise a name that only a proxy can resolve.
fn hidden_cluster() -> (MockCluster, String) {
    let mock = MockCluster::builder().brokers(2).topic("orders", 2).start().unwrap();
    let mut bootstrap = Vec::new();
    for id in [1, 2] {
        let port: u16 = mock.broker_address(id).unwrap().rsplit_once(':').unwrap().1.parse().unwrap();
        mock.advertise(id, HIDDEN, port).unwrap();
        bootstrap.push(format!("{HIDDEN}:{port}"));
    }
    (mock, bootstrap.join(","))
}

fn producer(bootstrap: &str, proxy_url: &str) -> ProducerBuilder {
    KafkaProducer::builder().bootstrap_servers(bootstrap).proxy_url(proxy_url)
}

#[track_caller]
fn writes(producer: ProducerBuilder) {
    let producer = producer.build().unwrap();
    for partition in [0, 1] {
        let ack = producer.send(ProducerRecord::new("orders").partition(partition).value("x")).unwrap();
        ack.get(PATIENCE).unwrap();
    }
}

/// Why a client does not come through.
#[track_caller]
fn failure(producer: ProducerBuilder) -> Error {
    let producer = producer.build().unwrap();
    let end = Instant::now() + PATIENCE;
    loop {
        let error = producer.bootstrap(Duration::from_millis(200)).expect_err("it came through");
        if error.to_string().contains("proxy ") {
            return error;
        }
        assert!(Instant::now() < end, "no reason: {error}");
    }
}

#[track_caller]
fn assert_says(text: impl ToString, words: &[&str]) {
    let text = text.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

#[test]
fn every_connection_and_every_look_up_goes_through_the_proxy() {
    let (_mock, bootstrap) = hidden_cluster();
    for manner in [Manner::Open, Manner::Slow] {
        for (proxy, scheme) in
            [(Proxy::socks(manner.clone()), "socks5h"), (Proxy::http(manner.clone()), "http")]
        {
            writes(producer(&bootstrap, &format!("{scheme}://{}", proxy.address)));
            let targets = proxy.targets();
            assert!(targets.iter().all(|target| target.starts_with(HIDDEN)), "{targets:?}");
            // One to a bootstrap server, and one to each of the two brokers.
            assert!(targets.len() >= 3, "{targets:?}");
        }
    }
}

/// Knows one name, and these last numbers of its addresses.
struct Book(&'static [u8]);

impl Resolver for Book {
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        assert_eq!(host, HIDDEN);
        Ok(self.0.iter().map(|last| SocketAddr::from(([127, 0, 0, *last], port))).collect())
    }
}

#[test]
fn socks5_looks_names_up_here_and_tries_every_address() {
    let (_mock, bootstrap) = hidden_cluster();
    let proxy = Proxy::socks(Manner::OnlyTo("127.0.0.9"));
    let url = format!("socks5://{}", proxy.address);
    writes(producer(&bootstrap, &url).resolver(Book(&[8, 9])));
    assert!(proxy.targets().iter().all(|target| target.starts_with("127.0.0.9:")), "{:?}", proxy.targets());
    let error = failure(producer(&bootstrap, &url).resolver(Book(&[7, 8])));
    assert_says(error, &["refused the connection by the host"]);
}

#[test]
fn logins_are_made_and_refusals_told() {
    let (_mock, bootstrap) = hidden_cluster();
    for (proxy, scheme) in [(Proxy::socks(Manner::Login), "socks5h"), (Proxy::http(Manner::Login), "http")] {
        let url = |login: &str| format!("{scheme}://{login}{}", proxy.address);
        writes(producer(&bootstrap, &url(&format!("{USER}:{PASSWORD}@"))));
        let named = format!("proxy {scheme}://{}", proxy.address);
        assert_says(failure(producer(&bootstrap, &url(""))), &[&named, "wants a login", "proxy_url"]);
        let wrong = failure(producer(&bootstrap, &url("user:wrong@")));
        assert_says(&wrong, &[&named, "refused the user or the password"]);
        assert!(!wrong.to_string().contains("wrong@"), "{wrong}");
    }
    let asked = Proxy::http(Manner::Login);
    let error = failure(producer(&bootstrap, &format!("http://{}", asked.address)));
    assert_says(error, &["HTTP 407 No", "asks for Basic, Digest"]);
}

#[test]
fn every_refusal_is_in_words() {
    let to = |proxy: &Proxy, scheme: &str| {
        failure(producer("broker.example:9092", &format!("{scheme}://{}", proxy.address)))
    };
    let socks = [
        (1, "without saying why"),
        (2, "by its rules"),
        (3, "cannot reach the network"),
        (4, "cannot reach the host"),
        (5, "refused the connection"),
        (6, "TTL expired"),
        (7, "command not supported"),
        (8, "type of address"),
        (99, "does not name"),
    ];
    for (code, words) in socks {
        let proxy = Proxy::socks(Manner::Say(vec![5, code, 0, 1, 0, 0, 0, 0, 0, 0]));
        assert_says(to(&proxy, "socks5h"), &[words, &format!("SOCKS reply {code}")]);
    }
    let odd = [
        (Manner::Say(vec![5, 0, 0, 9, 0]), "unknown type 9"),
        (Manner::Say(vec![5, 0, 0, 1, 1, 2]), "in the middle of its answer"),
        (Manner::Say(vec![4, 90, 0, 0]), "no SOCKS 5 proxy"),
        (Manner::Choose(vec![5, 1]), "number 1, which was not offered"),
        (Manner::Choose(vec![0, 91]), "version 4"),
        (Manner::Choose(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()), "no SOCKS 5 proxy"),
        (Manner::Choose(vec![]), "middle of its answer"),
    ];
    for (manner, words) in odd {
        assert_says(to(&Proxy::socks(manner), "socks5h"), &[words]);
    }
    let http = [
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "forbids this connection"),
        ("HTTP/1.1 405 No\r\n\r\n", "does not make tunnels"),
        ("HTTP/1.0 502 Bad Gateway\r\nA: b\r\n\r\n", "cannot reach the host"),
        ("HTTP/1.1 504 Late\r\n\r\n", "ran out of time on the way"),
        ("HTTP/1.1 302 Elsewhere\r\nLocation: x\r\n\r\n", "refused the connection (HTTP 302 Elsewhere)"),
        ("HTTP/1.1 599\r\n\r\n", "HTTP 599"),
        ("HTTP/1.1 2OO fine\r\n\r\n", "without a status"),
        ("HTTP/1.1 200 Fine\r\n", "closed the connection instead of answering"),
        ("", "closed the connection instead of answering"),
        ("SSH-2.0-OpenSSH\r\n", "no HTTP proxy: it is an SSH server"),
        ("\u{5}\u{1}", "no HTTP proxy"),
    ];
    for (answer, words) in http {
        assert_says(to(&Proxy::http(Manner::Say(answer.as_bytes().to_vec())), "http"), &[words]);
    }
    let endless = ["HTTP/1.1 200 Fine\r\nX: ", &"y".repeat(100_000)].concat();
    assert_says(to(&Proxy::http(Manner::Say(endless.into_bytes())), "http"), &["does not end within"]);
}

#[test]
fn a_proxy_that_hangs_or_is_not_there_is_named() {
    for (proxy, scheme) in [(Proxy::socks(Manner::Hang), "socks5h"), (Proxy::http(Manner::Hang), "http")] {
        let url = format!("{scheme}://{}", proxy.address);
        let error = failure(
            producer("broker.example:9092", &url).socket_connection_setup_timeout(Duration::from_millis(300)),
        );
        assert_says(error, &["broker.example:9092", &url, "timed out"]);
    }
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = failure(producer("broker.example:9092", &format!("socks5h://{closed}")));
    assert_says(error, &["broker.example:9092", &closed.to_string(), "refused"]);
}

#[test]
fn urls_that_cannot_work_are_refused_and_show_no_password() {
    for (url, words) in [
        ("proxy:1080", "no scheme"),
        ("gopher://hunter2@proxy:70", "gopher, which is none of http, socks5, socks5h"),
        ("socks5://hunter2:@proxy:1080", "1 to 255 bytes"),
        ("http://hunter2@:8080", "no usable host"),
    ] {
        let error = producer("localhost:9092", url).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert_says(&error, &["proxy_url", words]);
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

/// Goes through two proxies: the scheme of the program's own wraps a built-in one.
#[test]
fn a_program_adds_schemes_of_its_own() {
    let (_mock, bootstrap) = hidden_cluster();
    let (outer, inner) = (Proxy::socks(Manner::Open), Proxy::http(Manner::Open));
    let inner_address: Address = inner.address.to_string().parse().unwrap();
    let builder = producer(&bootstrap, &format!("chained://{}", outer.address)).register_proxy(
        "Chained",
        move |url: &ProxyUrl, below: &Below| -> kavka::Result<Arc<dyn Connector>> {
            assert_eq!(url.scheme(), "chained");
            let first = kavka::net::socks5::Socks5::new(url, Arc::clone(&below.connector), None)?;
            let second: ProxyUrl = format!("http://{inner_address}").parse()?;
            Ok(Arc::new(kavka::net::http_connect::HttpConnect::new(&second, Arc::new(first))))
        },
    );
    writes(builder);
    assert!(
        outer.targets().iter().all(|target| *target == inner.address.to_string()),
        "{:?}",
        outer.targets()
    );
    assert!(inner.targets().iter().all(|target| target.starts_with(HIDDEN)), "{:?}", inner.targets());
}

#[test]
fn no_log_line_has_a_password() {
    keep_log();
    let (_mock, bootstrap) = hidden_cluster();
    for (proxy, scheme) in [(Proxy::socks(Manner::Login), "socks5h"), (Proxy::http(Manner::Login), "http")] {
        writes(producer(&bootstrap, &format!("{scheme}://{USER}:{PASSWORD}@{}", proxy.address)));
        failure(producer(&bootstrap, &format!("{scheme}://{USER}:hunter2@{}", proxy.address)));
    }
    let lines = LINES.lock();
    assert!(lines.iter().any(|line| line.contains(HIDDEN)), "nothing was logged");
    let secrets = ["hunter2", "us@er", "us%40er", "dXNAZXI6"];
    for line in lines.iter() {
        assert!(!secrets.iter().any(|secret| line.contains(secret)), "{line}");
    }
}

/// A program that runs until it is dropped.
struct Daemon(Child);

impl Daemon {
    fn start(command: &mut Command, port: u16) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child =
            child.unwrap_or_else(|error| panic!("{name}: {error}; run scripts/test, which installs it"));
        let daemon = Self(child);
        wait_until("the proxy listens", PATIENCE, || TcpStream::connect(("127.0.0.1", port)).is_ok());
        daemon
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn well_known_proxies_lead_to_a_real_kafka_with_and_without_tls() {
    let authority = Authority::new("proxies");
    let store = authority.file("broker.pem", authority.leaf(&["127.0.0.1"]).store());
    let cluster = Cluster::start(1, |config| {
        config.listener("SSL", "SSL");
        config.set("listener.name.ssl.ssl.keystore.type", "PEM");
        config.set("listener.name.ssl.ssl.keystore.location", store.display());
    });
    let ports = [free_port(), free_port()];
    let socks = ["-i", "127.0.0.1", "-p", &ports[0].to_string(), "-u", "alice", "-P", "open-sesame"]
        .map(str::to_owned);
    let _microsocks = Daemon::start(Command::new("microsocks").args(socks), ports[0]);
    let settings = format!(
        "Port {}\nListen 127.0.0.1\nBasicAuth alice open-sesame\nMaxClients 50\nTimeout 600\n",
        ports[1]
    );
    let settings = authority.file("tinyproxy.conf", settings);
    let _tinyproxy = Daemon::start(Command::new("tinyproxy").arg("-d").arg("-c").arg(settings), ports[1]);

    for (scheme, port) in [("socks5", ports[0]), ("socks5h", ports[0]), ("http", ports[1])] {
        let url = |password: &str| format!("{scheme}://alice:{password}@127.0.0.1:{port}");
        for listener in ["PLAINTEXT", "SSL"] {
            let protocol: SecurityProtocol = listener.parse().unwrap();
            let topic = unique("proxied");
            cluster.create_topic(&topic, 1, &[]);
            let common = |password: &str| {
                KafkaProducer::builder()
                    .bootstrap_servers(cluster.listener(listener))
                    .security_protocol(protocol)
                    .ssl_cafile(authority.root_file())
                    .proxy_url(url(password))
            };
            let producer = common("open-sesame").build().unwrap();
            for number in 0..20 {
                let value = vec![number; 50_000];
                producer.send(ProducerRecord::new(&topic).value(&value)).unwrap();
            }
            producer.flush(PATIENCE).unwrap();
            let mut consumer = KafkaConsumer::builder()
                .bootstrap_servers(cluster.listener(listener))
                .security_protocol(protocol)
                .ssl_cafile(authority.root_file())
                .proxy_url(url("open-sesame"))
                .set("auto.offset.reset", "earliest")
                .group_id(unique("group"))
                .consumer_timeout(PATIENCE)
                .build()
                .unwrap();
            consumer.subscribe([topic.as_str()]).unwrap();
            let mut read = 0;
            for (number, record) in (0..20).zip(&mut consumer) {
                let record = record.unwrap();
                read += 1;
                assert!(
                    record.value().as_deref().unwrap() == vec![number; 50_000],
                    "{scheme}, {listener}: {number}"
                );
            }
            assert_eq!(read, 20, "{scheme}, {listener}");
            let error = failure(common("close-sesame"));
            assert_says(
                &error,
                &["refused the user or the password", &format!("{scheme}://127.0.0.1:{port}")],
            );
            assert!(!error.to_string().contains("sesame"), "{error}");
        }
        // A port where nobody listens: the proxy says so, in its own way.
        let nobody = KafkaProducer::builder()
            .bootstrap_servers(format!("127.0.0.1:{}", free_port()))
            .proxy_url(url("open-sesame"));
        assert_says(failure(nobody), &["proxy "]);
    }
}
