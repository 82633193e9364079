//! Real Apache Kafka brokers, started by the test that needs them and gone when it ends.
//!
//! `scripts/test` (or `eval "$(scripts/kafka env)"`) fetches Kafka and says where it lies. Each broker is
//! also a controller (KRaft), listens on 127.0.0.1 and keeps its log in a temporary directory, which stays
//! when the test panics, and with `KAVKA_KEEP=1`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, io};

use rustix::process::{Pid, Signal, kill_process};

use super::process::{self, Output, PATIENCE};
use super::wire::{self, Partition};

/// How long a cluster, or one broker of it, may take to become ready.
const BOOT: Duration = Duration::from_secs(120);

/// Runs a broker under the eye of a shell that holds a pipe from the test process: when that ends, however
/// it ends, the shell kills the broker and removes the cluster's directory.
const WATCHED: &str = r#"
exec 3<&0
(
    read -r word <&3 && exit
    kill -9 $$
    [ -n "$KAVKA_KEEP" ] || rm -rf "$0" || { sleep 1; rm -rf "$0"; }
) </dev/null >/dev/null 2>&1 &
exec 3<&-
exec "$@" </dev/null
"#;

/// What a test may choose about its cluster.
#[derive(Debug, Default)]
pub struct Config {
    properties: BTreeMap<String, String>,
    listeners: Vec<(String, String)>,
    format_arguments: Vec<String>,
    java_options: Vec<String>,
    old: bool,
    growing_quorum: bool,
    more_log_dirs: usize,
}

impl Config {
    /// Sets a broker property; `{node}` in the value becomes the broker's id.
    pub fn set(&mut self, key: &str, value: impl ToString) -> &mut Self {
        self.properties.insert(key.to_owned(), value.to_string());
        self
    }

    /// Adds a listener beside `PLAINTEXT`, e.g. `("CLIENT", "SASL_SSL")`. See [`Cluster::listener`].
    pub fn listener(&mut self, name: &str, security_protocol: &str) -> &mut Self {
        self.listeners.push((name.to_owned(), security_protocol.to_owned()));
        self
    }

    /// Adds a word to the storage format command, e.g. `--add-scram`.
    pub fn format_argument(&mut self, word: &str) -> &mut Self {
        self.format_arguments.push(word.to_owned());
        self
    }

    /// The last release of the 3.x line in the place of the newest one.
    pub fn old(&mut self) -> &mut Self {
        self.old = true;
        self
    }

    /// Lets node 1 alone vote: the others follow, and can be given votes (KIP-853).
    pub fn growing_quorum(&mut self) -> &mut Self {
        self.growing_quorum = true;
        self
    }

    /// Gives every broker so many log directories beside the first one; see [`Cluster::log_dir`].
    pub fn more_log_dirs(&mut self, count: usize) -> &mut Self {
        self.more_log_dirs = count;
        self
    }

    /// Adds a word to the broker's java command line, e.g. `-Djava.security.krb5.conf=…`.
    pub fn java_option(&mut self, word: &str) -> &mut Self {
        self.java_options.push(word.to_owned());
        self
    }
}

impl Config {
    fn libraries(&self) -> PathBuf {
        from_environment(if self.old { "KAVKA_KAFKA_OLD_LIBS" } else { "KAVKA_KAFKA_LIBS" })
    }
}

/// Some brokers, numbered from 1.
#[derive(Debug)]
pub struct Cluster {
    directory: PathBuf,
    config: Config,
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    id: i32,
    /// By listener name.
    ports: BTreeMap<String, u16>,
    process: Mutex<Option<Broker>>,
}

#[derive(Debug)]
struct Broker {
    child: Child,
    /// Its end is what the watching shell waits for.
    watch: ChildStdin,
}

impl Cluster {
    /// Boots `brokers` (1 or 3) brokers and waits until they know each other. Topics are not created on
    /// first use unless `configure` sets `auto.create.topics.enable`.
    ///
    /// # Panics
    /// If Kafka has not been fetched, or the brokers do not come up.
    pub fn start(brokers: i32, configure: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        configure(&mut config);
        // Ports are chosen first and taken by the brokers a second later: somebody may have been faster.
        for attempt in 1.. {
            let cluster = Self::prepare(brokers, config);
            match cluster.boot() {
                Ok(()) => return cluster,
                Err(fault) if attempt < 3 && fault.contains("Address already in use") => {
                    config = cluster.abandon();
                }
                Err(fault) => panic!("{fault}"),
            }
        }
        unreachable!("the loop returns or panics")
    }

    /// The cluster of one broker that all tests of this process share. Use topics and groups of your own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(1, |_| ()))
    }

    /// The cluster of three brokers that all tests of this process share. Do not kill any of them.
    pub fn shared_three() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(3, |_| ()))
    }

    /// The addresses of all brokers, as clients want them: `host:port,host:port`.
    pub fn bootstrap(&self) -> String {
        self.listener("PLAINTEXT")
    }

    /// The same for another listener.
    pub fn listener(&self, name: &str) -> String {
        let addresses: Vec<_> = self.nodes.iter().map(|node| node.address(name).to_string()).collect();
        addresses.join(",")
    }

    /// The ids of the brokers: 1, or 1 to 3.
    pub fn node_ids(&self) -> Vec<i32> {
        self.nodes.iter().map(|node| node.id).collect()
    }

    /// Ends a broker at once, as a power cut would.
    pub fn kill(&self, node: i32) {
        self.node(node).signal(Signal::KILL);
        self.node(node).reap(PATIENCE);
    }

    /// Shuts a broker down in good order: it hands its partitions over first.
    pub fn stop(&self, node: i32) {
        self.node(node).signal(Signal::TERM);
        self.node(node).reap(PATIENCE);
    }

    /// Starts a broker that was killed or stopped, and waits until it is part of the cluster again.
    pub fn start_node(&self, node: i32) {
        self.launch(self.node(node));
        self.wait_ready().unwrap_or_else(|fault| panic!("{fault}"));
    }

    /// Freezes a broker: its connections stay open, and nothing is read or answered.
    pub fn pause(&self, node: i32) {
        self.node(node).signal(Signal::STOP);
    }

    /// Lets a frozen broker go on.
    pub fn resume(&self, node: i32) {
        self.node(node).signal(Signal::CONT);
    }

    /// Creates a topic with a replica on every broker, and waits until all of them know its leaders.
    pub fn create_topic(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let replicas = i16::try_from(self.nodes.len()).expect("few brokers");
        let node = self.running().next().expect("a running broker");
        let code = wire::create_topic(node.plaintext(), name, partitions, replicas, configs)
            .unwrap_or_else(|error| panic!("creating topic {name}: {error}"));
        assert_eq!(code, 0, "error code of creating topic {name}");
        wait_until("the topic's leaders are known to all brokers", BOOT, || {
            self.running().all(|node| {
                wire::metadata(node.plaintext(), Some(name)).is_ok_and(|metadata| {
                    metadata.partitions.len() == partitions.unsigned_abs() as usize
                        && metadata.partitions.iter().all(|partition| partition.leader > 0)
                })
            })
        });
    }

    /// The partitions of a topic as the first broker that answers sees them.
    pub fn partitions(&self, topic: &str) -> Vec<Partition> {
        self.running()
            .find_map(|node| wire::metadata(node.plaintext(), Some(topic)).ok())
            .unwrap_or_else(|| panic!("no broker answers"))
            .partitions
    }

    /// The leader of a partition, once it has one.
    pub fn leader(&self, topic: &str, partition: i32) -> i32 {
        let mut leader = -1;
        wait_until("the partition has a leader", BOOT, || {
            let partitions = self.partitions(topic);
            leader = partitions.iter().find(|p| p.index == partition).map_or(-1, |p| p.leader);
            leader > 0
        });
        leader
    }

    /// Waits until every replica of a topic is in sync.
    pub fn wait_in_sync(&self, topic: &str) {
        wait_until("all replicas are in sync", BOOT, || {
            let partitions = self.partitions(topic);
            !partitions.is_empty() && partitions.iter().all(|p| p.in_sync.len() == p.replicas.len())
        });
    }

    /// Runs one of Kafka's own Java programs, with `--bootstrap-server` set; see [`tool`].
    pub fn tool(&self, class: &str, arguments: &[&str]) -> Output {
        let bootstrap = self.bootstrap();
        tool(class, &[&["--bootstrap-server", &bootstrap], arguments].concat(), b"")
    }

    /// A log directory of a broker: 0 is the first one, where metadata are, too.
    pub fn log_dir(&self, node: i32, number: usize) -> PathBuf {
        self.log_dirs(self.node(node)).swap_remove(number)
    }

    /// What a broker has written about itself.
    pub fn log_path(&self, node: i32) -> PathBuf {
        self.node_directory(self.node(node)).join("broker.log")
    }

    fn prepare(brokers: i32, config: Config) -> Self {
        assert!(brokers == 1 || brokers == 3, "1 or 3 brokers, not {brokers}");
        let template = config.libraries().with_file_name("format");
        let directory = env::temp_dir().join(format!("kavka-test-{}", random_id(12)));
        // Held until all are chosen, so that no two are the same.
        let mut taken = Vec::new();
        let mut port = || {
            let listener = free_port();
            let port = listener.local_addr().expect("a bound socket has an address").port();
            taken.push(listener);
            port
        };
        let node = |id| {
            let own = ["PLAINTEXT", "CONTROLLER"].into_iter();
            let names = own.chain(config.listeners.iter().map(|(name, _)| name.as_str()));
            let ports = names.map(|name| (name.to_owned(), port())).collect();
            Node { id, ports, process: Mutex::new(None) }
        };
        let nodes = (1..=brokers).map(node).collect();
        let cluster = Self { directory, config, nodes };
        cluster.write_directories(template).expect("write the brokers' directories");
        cluster
    }

    /// Kills what runs and gives the configuration back, for another attempt.
    fn abandon(mut self) -> Config {
        std::mem::take(&mut self.config)
    }

    /// Writes each broker's settings, and its log directory with the node's own ids in it.
    fn write_directories(&self, mut template: PathBuf) -> io::Result<()> {
        for node in &self.nodes {
            let directory = self.node_directory(node);
            fs::create_dir_all(&directory)?;
            let lines: Vec<_> =
                self.properties(node).iter().map(|(key, value)| format!("{key}={value}\n")).collect();
            fs::write(directory.join("server.properties"), lines.concat())?;
        }
        let cluster_id = format!("{}A", random_id(21));
        if self.config.growing_quorum {
            for node in &self.nodes {
                let word = if node.id == 1 { "--standalone" } else { "--no-initial-controllers" };
                self.format(node, &cluster_id, &[word]);
            }
            return Ok(());
        }
        if !self.config.format_arguments.is_empty() || self.config.old {
            self.format(&self.nodes[0], &cluster_id, &[]);
            let first = self.node_directory(&self.nodes[0]);
            template = first.join("format");
            fs::rename(first.join("data"), &template)?;
        }
        for node in &self.nodes {
            copy_directory(&template, &self.log_dirs(node)[0])?;
            for directory in self.log_dirs(node) {
                fs::create_dir_all(&directory)?;
                let ids = format!(
                    "version=1\nnode.id={}\ndirectory.id={}A\ncluster.id={cluster_id}\n",
                    node.id,
                    random_id(21)
                );
                fs::write(directory.join("meta.properties"), ids)?;
            }
        }
        Ok(())
    }

    /// Has Kafka's own tool prepare a node's log directories.
    fn format(&self, node: &Node, cluster_id: &str, words: &[&str]) {
        let settings = self.node_directory(node).join("server.properties");
        let mut command = java("broker.jsa", &self.config.libraries());
        command.args(["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c"]).arg(settings);
        command.args(words).args(&self.config.format_arguments);
        process::run(&mut command, b"", PATIENCE).expect_success("formatting the log directory");
    }

    fn log_dirs(&self, node: &Node) -> Vec<PathBuf> {
        let directory = self.node_directory(node);
        let more = (1..=self.config.more_log_dirs).map(|number| directory.join(format!("data-{number}")));
        std::iter::once(directory.join("data")).chain(more).collect()
    }

    fn properties(&self, node: &Node) -> BTreeMap<String, String> {
        let brokers = self.nodes.len();
        let in_sync = brokers.div_ceil(2);
        let voters: Vec<_> =
            self.nodes.iter().map(|node| format!("{}@{}", node.id, node.address("CONTROLLER"))).collect();
        let listeners: Vec<_> =
            node.ports.keys().map(|name| format!("{name}://{}", node.address(name))).collect();
        let advertised: Vec<_> =
            listeners.iter().filter(|text| !text.starts_with("CONTROLLER:")).map(String::as_str).collect();
        let protocols: String =
            self.config.listeners.iter().map(|(name, protocol)| format!(",{name}:{protocol}")).collect();
        let log_dirs: Vec<_> = self.log_dirs(node).iter().map(|path| path.display().to_string()).collect();
        let mut properties = BTreeMap::new();
        let mut set = |key: &str, value: &dyn ToString| properties.insert(key.to_owned(), value.to_string());
        set("node.id", &node.id);
        set("process.roles", &"broker,controller");
        set("listeners", &listeners.join(","));
        set("advertised.listeners", &advertised.join(","));
        set(
            "listener.security.protocol.map",
            &format!("PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}"),
        );
        set("inter.broker.listener.name", &"PLAINTEXT");
        set("controller.listener.names", &"CONTROLLER");
        if self.config.growing_quorum {
            set("controller.quorum.bootstrap.servers", &self.listener("CONTROLLER"));
        } else {
            set("controller.quorum.voters", &voters.join(","));
        }
        set("log.dirs", &log_dirs.join(","));
        set("default.replication.factor", &brokers);
        set("min.insync.replicas", &in_sync);
        set("auto.create.topics.enable", &false);
        for internal in ["offsets.topic", "transaction.state.log", "share.coordinator.state.topic"] {
            set(&format!("{internal}.replication.factor"), &brokers);
            set(&format!("{internal}.num.partitions"), &4);
        }
        set("transaction.state.log.min.isr", &in_sync);
        set("share.coordinator.state.topic.min.isr", &in_sync);
        set("transaction.abort.timed.out.transaction.cleanup.interval.ms", &500);
        // A broker that died is let in again only when its session is over.
        set("broker.session.timeout.ms", &3000);
        set("broker.heartbeat.interval.ms", &500);
        // Groups that notice things soon, and may be told to notice them sooner.
        set("group.initial.rebalance.delay.ms", &0);
        set("group.min.session.timeout.ms", &500);
        set("group.consumer.heartbeat.interval.ms", &500);
        set("group.consumer.min.heartbeat.interval.ms", &100);
        set("group.consumer.session.timeout.ms", &6000);
        set("group.consumer.min.session.timeout.ms", &500);
        // Small: several clusters share one machine.
        set("log.cleaner.dedupe.buffer.size", &(8 << 20));
        set("log.index.size.max.bytes", &(1 << 20));
        set("num.network.threads", &2);
        set("num.io.threads", &4);
        for (key, value) in &self.config.properties {
            properties.insert(key.clone(), value.replace("{node}", &node.id.to_string()));
        }
        properties
    }

    fn boot(&self) -> Result<(), String> {
        self.nodes.iter().for_each(|node| self.launch(node));
        self.wait_ready()
    }

    fn launch(&self, node: &Node) {
        let directory = self.node_directory(node);
        let open = || File::options().create(true).append(true).open(directory.join("broker.log"));
        let java = java("broker.jsa", &self.config.libraries());
        let mut command = Command::new("sh");
        command.args(["-c", WATCHED]).arg(&self.directory).arg(java.get_program());
        command.args(["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        // Without a configuration the logger says errors only, and falls silent at the first SIGTERM.
        command.args(["-Dlog4j2.level=INFO", "-Dlog4j.shutdownHookEnabled=false"]);
        command.args(&self.config.java_options).args(java.get_args());
        command.arg("kafka.Kafka").arg(directory.join("server.properties"));
        command.current_dir(&directory).stdin(Stdio::piped());
        command.stdout(open().expect("open the broker's log")).stderr(open().expect("open the broker's log"));
        // Out of the terminal's reach: on Ctrl-C the watching shell does its work.
        command.process_group(0);
        let mut process = node.lock();
        assert!(process.is_none(), "broker {} is running already", node.id);
        let mut child = command.spawn().expect("start a broker");
        let watch = child.stdin.take().expect("the pipe asked for");
        *process = Some(Broker { child, watch });
    }

    /// Waits until every running broker answers and names all the others that run.
    fn wait_ready(&self) -> Result<(), String> {
        let started = Instant::now();
        let expected: Vec<_> = self.running().map(|node| node.id).collect();
        for node in self.running() {
            while !(wire::answers(node.plaintext())
                && wire::metadata(node.plaintext(), None).is_ok_and(|seen| seen.brokers == expected))
            {
                let ended = node.lock().as_mut().map(|broker| broker.child.try_wait());
                if started.elapsed() > BOOT || !matches!(ended, Some(Ok(None))) {
                    let log = fs::read_to_string(self.log_path(node.id)).unwrap_or_default();
                    let lines: Vec<_> = log.lines().collect();
                    let tail = lines[lines.len().saturating_sub(30)..].join("\n");
                    return Err(format!("broker {} did not become ready:\n{tail}", node.id));
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }

    fn running(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.lock().is_some())
    }

    fn node(&self, id: i32) -> &Node {
        self.nodes.iter().find(|node| node.id == id).unwrap_or_else(|| panic!("there is no broker {id}"))
    }

    fn node_directory(&self, node: &Node) -> PathBuf {
        self.directory.join(format!("node-{}", node.id))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in self.running() {
            node.signal(Signal::KILL);
        }
        for node in self.running() {
            node.reap(PATIENCE);
        }
        if thread::panicking() || env::var_os("KAVKA_KEEP").is_some() {
            eprintln!("the brokers' logs are kept in {}", self.directory.display());
        } else {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

impl Node {
    fn address(&self, listener: &str) -> SocketAddr {
        let port = self.ports.get(listener).unwrap_or_else(|| panic!("there is no listener {listener}"));
        SocketAddr::from((Ipv4Addr::LOCALHOST, *port))
    }

    fn plaintext(&self) -> SocketAddr {
        self.address("PLAINTEXT")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Broker>> {
        // A test that panicked has not made the process id wrong.
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal(&self, signal: Signal) {
        let process = self.lock();
        let broker = process.as_ref().unwrap_or_else(|| panic!("broker {} is not running", self.id));
        // Not reaped yet, so the number cannot belong to anybody else.
        let sent = kill_process(Pid::from_child(&broker.child), signal);
        sent.unwrap_or_else(|error| panic!("signal for broker {}: {error}", self.id));
    }

    /// Waits for the end of a broker that was told to end.
    fn reap(&self, patience: Duration) {
        let mut process = self.lock();
        let Some(mut broker) = process.take() else { return };
        let started = Instant::now();
        while let Ok(None) = broker.child.try_wait() {
            if started.elapsed() > patience {
                let _ = broker.child.kill();
                let _ = broker.child.wait();
                drop(process);
                panic!("broker {} did not stop within {patience:?}", self.id);
            }
            thread::sleep(Duration::from_millis(5));
        }
        // The watching shell may go: without this word it would clean up after a test that died.
        let _ = broker.watch.write_all(b"done\n");
    }
}

/// Runs one of Kafka's own Java programs, e.g. `org.apache.kafka.tools.TopicCommand`.
pub fn tool(class: &str, arguments: &[&str], input: &[u8]) -> Output {
    process::run(&mut tool_command(class, arguments), input, PATIENCE)
}

/// The command line of one of Kafka's own Java programs, for those that do not end by themselves.
pub fn tool_command(class: &str, arguments: &[&str]) -> Command {
    let mut command = java("tools.jsa", &from_environment("KAVKA_KAFKA_TOOLS"));
    command.arg(class).args(arguments);
    command
}

/// Waits for a condition; panics with its description after `patience`.
#[track_caller]
pub fn wait_until(what: &str, patience: Duration, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < patience, "waited {patience:?} in vain until {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A name that no other test has, for a topic or group.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", random_id(8))
}

fn from_environment(name: &str) -> PathBuf {
    env::var_os(name).map(PathBuf::from).unwrap_or_else(|| {
        panic!("{name} is not set: run scripts/test, or eval \"$(scripts/kafka env)\" before cargo test")
    })
}

/// `java` with a folder of jars, and with the class-data archive made for exactly this list of them.
fn java(archive: &str, libraries: &Path) -> Command {
    let jars = fs::read_dir(libraries).unwrap_or_else(|error| {
        panic!("{}: {error}; run scripts/test, which fetches Kafka", libraries.display())
    });
    let mut jars: Vec<_> = jars
        .filter_map(|entry| entry.ok()?.path().into_os_string().into_string().ok())
        .filter(|path| path.ends_with(".jar"))
        .collect();
    jars.sort_unstable();
    let mut command = Command::new("java");
    let archive = libraries.with_file_name(archive);
    if archive.is_file() {
        command.arg(format!("-XX:SharedArchiveFile={}", archive.display())).arg("-Xshare:auto");
    }
    command.arg("-cp").arg(jars.join(":"));
    command
}

fn copy_directory(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_directory(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Letters and digits. With an `A` behind 21 of them it is a uuid in Kafka's way of writing.
fn random_id(length: usize) -> String {
    (0..length).map(|_| fastrand::alphanumeric()).collect()
}

/// A bound socket on a port below the range that outgoing connections draw theirs from: a broker that is
/// down for a while must find its port free.
fn free_port() -> TcpListener {
    (0..1000)
        .find_map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, fastrand::u16(20_000..32_000))).ok())
        .expect("a free port")
}
