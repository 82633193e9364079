//! A Kerberos realm of the test's own, by the system's packages (krb5-kdc, krb5-admin-server).

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::kafka::wait_until;
use super::process::{self, PATIENCE};

const REALM: &str = "KAVKA.TEST";

/// A running realm. A shell that holds a pipe from the test process ends it and removes its folder when this is
/// dropped or the process ends, however it ends.
pub struct Kdc {
    directory: PathBuf,
    watch: Option<Child>,
}

impl Kdc {
    /// Makes the realm and starts its server.
    pub fn start() -> Self {
        let directory = std::env::temp_dir().join(format!("kavka-kdc-{:016x}", fastrand::u64(..)));
        fs::create_dir_all(&directory).expect("a folder for the realm");
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = free.local_addr().expect("bound");
        drop(free);
        let place = directory.display();
        let krb5 = format!(
            "[libdefaults]\ndefault_realm = {REALM}\nrdns = false\ndns_canonicalize_hostname = false\n\
             dns_lookup_kdc = false\nudp_preference_limit = 1\ndefault_ccache_name = FILE:{place}/ccache\n\
             [realms]\n{REALM} = {{\n kdc = {address}\n}}\n[domain_realm]\nlocalhost = {REALM}\n"
        );
        let kdc = format!(
            "[realms]\n{REALM} = {{\n database_name = {place}/principal\n key_stash_file = {place}/stash\n \
             acl_file = {place}/acl\n kdc_listen = {address}\n kdc_tcp_listen = {address}\n max_life = 10h\n}}\n"
        );
        fs::write(directory.join("krb5.conf"), krb5).expect("write krb5.conf");
        fs::write(directory.join("kdc.conf"), kdc).expect("write kdc.conf");
        let mut this = Self { directory, watch: None };
        this.run("kdb5_util", &["create", "-s", "-r", REALM, "-P", "master"]);
        let server = find("krb5kdc");
        let mut watch = Command::new("sh");
        let script = "\"$0\" -n <&- & pid=$!; read -r word; kill $pid; wait $pid; rm -rf \"$1\"";
        watch.args(["-c", script]).arg(server).arg(&this.directory).stdin(Stdio::piped());
        this.set_environment(&mut watch);
        // Out of the terminal's reach: on Ctrl-C it does its work.
        watch.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        this.watch = Some(watch.spawn().expect("start the Kerberos server"));
        wait_until("the Kerberos server answers", Duration::from_secs(30), || {
            TcpStream::connect(address).is_ok()
        });
        this
    }

    /// Adds a principal, and returns the file with its key.
    pub fn keytab(&self, principal: &str) -> PathBuf {
        let file = self.directory.join(format!("{}.keytab", principal.replace('/', "-")));
        let query = |query: &str| self.run("kadmin.local", &["-r", REALM, "-q", query]);
        query(&format!("addprinc -randkey {principal}@{REALM}"));
        query(&format!("ktadd -k {} {principal}@{REALM}", file.display()));
        assert!(file.is_file(), "kadmin.local has made no keytab");
        file
    }

    /// The configuration file for clients and brokers.
    pub fn config(&self) -> PathBuf {
        self.directory.join("krb5.conf")
    }

    /// Points a program to the realm, with a ticket cache of its own.
    pub fn set_environment(&self, command: &mut Command) {
        command.env("KRB5_CONFIG", self.config()).env("KRB5_KDC_PROFILE", self.directory.join("kdc.conf"));
        command.env("KRB5CCNAME", format!("FILE:{}/ccache", self.directory.display()));
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(find(program));
        command.args(arguments);
        self.set_environment(&mut command);
        process::run(&mut command, b"", PATIENCE).expect_success(program);
    }
}

impl Drop for Kdc {
    fn drop(&mut self) {
        if let Some(mut watch) = self.watch.take() {
            drop(watch.stdin.take());
            let _ = watch.wait();
        }
    }
}

/// Debian has these programs where only root looks.
fn find(program: &str) -> PathBuf {
    let administrator = Path::new("/usr/sbin").join(program);
    if administrator.is_file() { administrator } else { PathBuf::from(program) }
}
