//! Certificates and keys from files and values: PEM, DER, PKCS#12.

use std::fs;
use std::path::PathBuf;

use p12_keystore::{KeyStore, Pkcs12Archive, Pkcs12ImportPolicy};
use pem::Pem;
use pkcs8::SecretDocument;

use super::keys::{Block, private_key};
use super::settings::Identity;
use crate::config::{Faults, Secret, StoreType};

/// The remedy for Java's own format.
pub(super) const CONVERT_JKS: &str = "Java's own format is not read; convert it once with: keytool -importkeystore \
     -srckeystore FILE.jks -destkeystore FILE.p12 -deststoretype PKCS12";

/// What the files of the options held, by the option.
#[derive(PartialEq, Eq)]
pub(super) struct Contents(Vec<(&'static str, PathBuf, Vec<u8>)>);

impl Contents {
    pub(super) fn read<'a>(
        files: impl Iterator<Item = (&'static str, &'a PathBuf)>,
        faults: &mut Faults,
    ) -> Self {
        let mut contents = Vec::new();
        for (option, path) in files {
            match fs::read(path) {
                Ok(bytes) => contents.push((option, path.clone(), bytes)),
                Err(error) => faults.push(format!("{option} ({}): {error}", path.display())),
            }
        }
        Self(contents)
    }

    /// What the option's file held, and how to call it in an error.
    pub(super) fn get(&self, option: &str) -> Option<Given> {
        let (option, path, bytes) = self.0.iter().find(|(of, ..)| *of == option)?;
        Some((format!("{option} ({})", path.display()), bytes.clone()))
    }
}

/// How to call it in an error, and the bytes.
pub(super) type Given = (String, Vec<u8>);

/// Something that holds certificates, and maybe a key.
pub(super) struct Store {
    pub(super) given: Given,
    /// What it is said to be.
    pub(super) store_type: Option<StoreType>,
    pub(super) password: Option<String>,
    /// The option that would set the password.
    pub(super) password_option: &'static str,
}

/// What bytes look like.
enum Format {
    Pem(Vec<Pem>),
    Pkcs12,
    /// One certificate, list or key.
    Der,
}

/// The CA certificates of a store, in DER.
pub(super) fn read_certificates(store: &Store) -> Result<Vec<Vec<u8>>, String> {
    let (what, bytes) = &store.given;
    let certificates = match format(&store.given, store.store_type)? {
        Format::Pem(blocks) => certificates(&blocks),
        Format::Der => vec![bytes.clone()],
        Format::Pkcs12 => {
            let archive = Pkcs12Archive::from_pkcs12(bytes, store.password.as_deref().unwrap_or_default())
                .map_err(|error| store.refused(&error))?;
            archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect()
        }
    };
    if certificates.is_empty() {
        return Err(format!("{what} holds no certificate"));
    }
    Ok(certificates)
}

/// The client's certificate and key. The key is in the store itself when it is not `given` apart.
pub(super) fn read_identity(
    store: &Store,
    key: Option<Given>,
    key_password: Option<&Secret>,
) -> Result<Identity, String> {
    let (what, bytes) = &store.given;
    let own_key = |blocks: &[Pem]| -> Result<SecretDocument, String> {
        let Some(given) = &key else { return private_key(what, &key_blocks(blocks), key_password) };
        let from = &given.0;
        match format(given, None)? {
            Format::Pem(blocks) => private_key(from, &key_blocks(&blocks), key_password),
            Format::Der => private_key(from, &[Block::der(&given.1)], key_password),
            Format::Pkcs12 => Err(format!("{from} is PKCS#12: set it as ssl.keystore.location")),
        }
    };
    match format(&store.given, store.store_type)? {
        Format::Pem(blocks) => {
            let chain = certificates(&blocks);
            if chain.is_empty() {
                return Err(format!("{what} holds no certificate"));
            }
            Ok(Identity { chain, key: own_key(&blocks)? })
        }
        Format::Der => Ok(Identity { chain: vec![bytes.clone()], key: own_key(&[])? }),
        Format::Pkcs12 => {
            // Java's PKCS#12 stores have one password for the store and the keys; some set it as the key's alone.
            let password = store.password.as_deref().or(key_password.map(Secret::reveal)).unwrap_or_default();
            let keys = KeyStore::from_pkcs12(bytes, password, Pkcs12ImportPolicy::Strict)
                .map_err(|error| store.refused(&error))?;
            let (_, found) = keys
                .private_key_chain()
                .ok_or_else(|| format!("{what} holds no private key with its certificate"))?;
            let chain = found.certs().iter().map(|certificate| certificate.as_der().to_vec()).collect();
            let key = match &key {
                Some(_) => own_key(&[])?,
                None => SecretDocument::try_from(found.key().as_der())
                    .map_err(|error| format!("{what}: the private key: {error}"))?,
            };
            Ok(Identity { chain, key })
        }
    }
}

/// Revocation lists, in DER.
pub(super) fn read_crls(given: &Given) -> Result<Vec<Vec<u8>>, String> {
    let lists = match format(given, None)? {
        Format::Pem(blocks) => blocks
            .iter()
            .filter(|block| block.tag() == "X509 CRL")
            .map(|block| block.contents().to_vec())
            .collect(),
        Format::Der => vec![given.1.clone()],
        Format::Pkcs12 => Vec::new(),
    };
    if lists.is_empty() {
        return Err(format!("{} holds no list of revoked certificates (X509 CRL)", given.0));
    }
    Ok(lists)
}

fn certificates(blocks: &[Pem]) -> Vec<Vec<u8>> {
    let is_certificate = |block: &&Pem| matches!(block.tag(), "CERTIFICATE" | "X509 CERTIFICATE");
    blocks.iter().filter(is_certificate).map(|block| block.contents().to_vec()).collect()
}

fn key_blocks(blocks: &[Pem]) -> Vec<Block<'_>> {
    blocks.iter().map(Block::pem).collect()
}

fn format(given: &Given, said: Option<StoreType>) -> Result<Format, String> {
    let (what, bytes) = given;
    let format = match bytes.as_slice() {
        [] => return Err(format!("{what} is empty")),
        [0xfe, 0xed, 0xfe, 0xed, ..] | [0xce, 0xce, 0xce, 0xce, ..] => {
            return Err(format!("{what} is a JKS store: {CONVERT_JKS}"));
        }
        [0x30, ..] if is_pkcs12(bytes) => Format::Pkcs12,
        [0x30, ..] => Format::Der,
        text if text.windows(BEGIN.len()).any(|window| window == BEGIN) => {
            Format::Pem(pem::parse_many(text).map_err(|error| format!("{what} is no proper PEM: {error}"))?)
        }
        _ => return Err(format!("{what} is neither PEM nor DER nor PKCS#12")),
    };
    match (said, &format) {
        (Some(StoreType::Pkcs12), Format::Pem(_) | Format::Der) => {
            Err(format!("{what} is not PKCS12, as its type says"))
        }
        (Some(StoreType::Pem), Format::Pkcs12) => {
            Err(format!("{what} is PKCS12, and not PEM, as its type says"))
        }
        _ => Ok(format),
    }
}

const BEGIN: &[u8] = b"-----BEGIN ";

/// A PKCS#12 file is a sequence that begins with its version, 3 (RFC 7292).
fn is_pkcs12(bytes: &[u8]) -> bool {
    let header = match bytes.get(1) {
        Some(length @ 0x80..) => 2 + usize::from(length & 0x7f),
        _ => 2,
    };
    bytes.get(header..header + 3) == Some(&[0x02, 0x01, 0x03])
}

impl Store {
    fn refused(&self, error: &p12_keystore::error::Error) -> String {
        let what = &self.given.0;
        match (error, &self.password) {
            (p12_keystore::error::Error::MacError(_), None) => {
                format!("{what} has a password: set {}", self.password_option)
            }
            (p12_keystore::error::Error::MacError(_), Some(_)) => {
                format!("{what}: {} is not its password", self.password_option)
            }
            _ => format!("{what} cannot be read as PKCS#12: {error}"),
        }
    }
}
