//! A small certificate authority: a root, an intermediate below it, and what they sign. Brokers and clients that
//! trust the root alone accept a leaf only when its whole chain is sent.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};

use super::process::{self, PATIENCE};

/// The password of every file that has one.
pub const PASSWORD: &str = "correct horse";

/// An authority with a folder for what it makes. A shell that holds a pipe from the test process removes the folder
/// when the authority is dropped or the process ends, however it ends.
pub struct Authority {
    directory: PathBuf,
    watch: Option<Child>,
    root: String,
    intermediate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key, in PEM.
#[derive(Clone)]
pub struct Leaf {
    /// The leaf, then the intermediate.
    pub chain: String,
    /// In PKCS#8.
    pub key: String,
}

impl Authority {
    /// A new one; `name` is in its certificates.
    pub fn new(name: &str) -> Self {
        let directory =
            std::env::temp_dir().join(format!("kavka-pki-{}-{:016x}", std::process::id(), fastrand::u64(..)));
        fs::create_dir_all(&directory).expect("a folder for certificates");
        let mut watch = Command::new("sh");
        watch.args(["-c", "read -r word; rm -rf \"$0\""]).arg(&directory).stdin(Stdio::piped());
        // Out of the terminal's reach: on Ctrl-C it does its work.
        let watch = watch.process_group(0).spawn().expect("start a shell");
        let (root_key, key) = (key_pair(), key_pair());
        let root_params = authority_params(&format!("{name} root"));
        let root = root_params.self_signed(&root_key).expect("a root certificate");
        let root_issuer = Issuer::new(root_params, root_key);
        let params = authority_params(&format!("{name} intermediate"));
        let intermediate = params.signed_by(&key, &root_issuer).expect("an intermediate certificate");
        Self {
            watch: Some(watch),
            directory,
            root: root.pem(),
            intermediate: intermediate.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// The root's certificate, in PEM.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The root's certificate, in a file.
    pub fn root_file(&self) -> PathBuf {
        self.file("root.pem", &self.root)
    }

    /// Signs a certificate for these names and addresses.
    pub fn leaf(&self, names: &[&str]) -> Leaf {
        self.sign(params(names), &key_pair())
    }

    /// Signs one whose time is over.
    pub fn expired(&self, names: &[&str]) -> Leaf {
        let mut params = params(names);
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
        self.sign(params, &key_pair())
    }

    /// Signs one with a given serial number, for revocation.
    pub fn numbered(&self, names: &[&str], serial: u64) -> Leaf {
        let mut params = params(names);
        params.serial_number = Some(SerialNumber::from(serial));
        self.sign(params, &key_pair())
    }

    /// Signs one with an RSA key.
    pub fn rsa_leaf(&self, names: &[&str]) -> Leaf {
        let key = openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "");
        let key = KeyPair::from_pem(&key).expect("an RSA key");
        self.sign(params(names), &key)
    }

    fn sign(&self, params: CertificateParams, key: &KeyPair) -> Leaf {
        let leaf = params.signed_by(key, &self.issuer).expect("a certificate");
        Leaf { chain: format!("{}{}", leaf.pem(), self.intermediate), key: key.serialize_pem() }
    }

    /// A list of revoked serial numbers, in PEM.
    pub fn revocations(&self, serials: &[u64]) -> String {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(4096, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).expect("a list").pem().expect("PEM")
    }

    /// Writes a file into the authority's folder, in one step: another test may be reading the one before.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        static WRITTEN: AtomicU64 = AtomicU64::new(0);
        let path = self.directory.join(name);
        let fresh = self.directory.join(format!("{name}.{}", WRITTEN.fetch_add(1, Ordering::Relaxed)));
        fs::write(&fresh, content).expect("write a file of certificates");
        fs::rename(&fresh, &path).expect("put the file in its place");
        path
    }

    /// A PKCS#12 file with a leaf and its key, by openssl; `arguments` choose its encryption.
    pub fn pkcs12(&self, name: &str, leaf: &Leaf, arguments: &[&str]) -> PathBuf {
        let path = self.directory.join(name);
        let pem = self.file(&format!("{name}.pem"), format!("{}{}", leaf.key, leaf.chain));
        let out = path.to_str().expect("a plain path");
        let password = format!("pass:{PASSWORD}");
        let fixed = ["pkcs12", "-export", "-name", "client", "-passout", &password, "-out", out, "-in"];
        let pem = pem.to_str().expect("a plain path");
        openssl(&[&fixed[..], &[pem], arguments].concat(), "");
        path
    }

    /// The same file, written anew by Java's keytool.
    pub fn keytool_pkcs12(&self, name: &str, from: &Path) -> PathBuf {
        let path = self.directory.join(name);
        let mut command = Command::new("keytool");
        command.args(["-importkeystore", "-noprompt", "-srcstoretype", "PKCS12", "-deststoretype", "PKCS12"]);
        command.args(["-srcstorepass", PASSWORD, "-deststorepass", PASSWORD, "-srckeystore"]).arg(from);
        command.arg("-destkeystore").arg(&path);
        process::run(&mut command, b"", PATIENCE).expect_success("keytool -importkeystore");
        path
    }

    /// A store of the root's certificate by Java's keytool, of the type that it is asked for.
    pub fn keytool_truststore(&self, name: &str, store_type: &str) -> PathBuf {
        let path = self.directory.join(name);
        let mut command = Command::new("keytool");
        command.args(["-importcert", "-noprompt", "-alias", "root", "-storetype", store_type]);
        command.args(["-storepass", PASSWORD, "-keystore"]).arg(&path).arg("-file").arg(self.root_file());
        process::run(&mut command, b"", PATIENCE).expect_success("keytool -importcert");
        path
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        if let Some(mut watch) = self.watch.take() {
            drop(watch.stdin.take());
            let _ = watch.wait();
        }
    }
}

impl Leaf {
    /// Chain and key in one text, as brokers want it in a PEM keystore.
    pub fn store(&self) -> String {
        format!("{}{}", self.key, self.chain)
    }

    /// The key as PKCS#1 (RSA) or SEC1 (elliptic curves).
    pub fn traditional_key(&self) -> String {
        openssl(&["pkey", "-traditional"], &self.key)
    }

    /// The key as encrypted PKCS#8.
    pub fn encrypted_key(&self) -> String {
        let password = format!("pass:{PASSWORD}");
        openssl(&["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", &password], &self.key)
    }

    /// The key encrypted as OpenSSL did before PKCS#8.
    pub fn legacy_encrypted_key(&self) -> String {
        let password = format!("pass:{PASSWORD}");
        openssl(&["pkey", "-traditional", "-aes128", "-passout", &password], &self.key)
    }
}

fn key_pair() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name.push(DnType::CommonName, "kavka test");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.use_authority_key_identifier_extension = true;
    params.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params
}

/// Runs openssl, which reads `input` and writes PEM.
fn openssl(arguments: &[&str], input: &str) -> String {
    let mut command = Command::new("openssl");
    command.args(arguments);
    process::run(&mut command, input.as_bytes(), PATIENCE).expect_success("openssl").text()
}
