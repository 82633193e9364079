//! Private keys of every usual form, made PKCS#8.

use pem::Pem;
use pkcs8::der::asn1::OctetStringRef;
use pkcs8::der::{AnyRef, Decode};
use pkcs8::spki::AlgorithmIdentifierRef;
use pkcs8::{EncryptedPrivateKeyInfoRef, ObjectIdentifier, PrivateKeyInfoRef, SecretDocument};
use sec1::{EcParameters, EcPrivateKey};

use crate::config::Secret;

/// A part of a file that may be a key.
pub(super) struct Block<'a> {
    /// The words of the `BEGIN` line; none for DER.
    label: Option<&'a str>,
    /// Encrypted as OpenSSL did before PKCS#8.
    is_legacy_encrypted: bool,
    der: &'a [u8],
}

impl<'a> Block<'a> {
    pub(super) fn pem(block: &'a Pem) -> Self {
        let is_legacy_encrypted = block.headers().iter().any(|(name, _)| name == "DEK-Info");
        Self { label: Some(block.tag()), is_legacy_encrypted, der: block.contents() }
    }

    pub(super) fn der(der: &'a [u8]) -> Self {
        Self { label: None, is_legacy_encrypted: false, der }
    }
}

/// The first private key among the blocks. `what` is how an error calls the place.
pub(super) fn private_key(
    what: &str,
    blocks: &[Block<'_>],
    password: Option<&Secret>,
) -> Result<SecretDocument, String> {
    let is_key = |block: &&Block<'_>| block.label.is_none_or(|label| label.ends_with("PRIVATE KEY"));
    let Some(block) = blocks.iter().find(is_key) else {
        let labels: Vec<&str> = blocks.iter().filter_map(|block| block.label).collect();
        let holds = if labels.is_empty() { String::new() } else { format!(" (only {})", labels.join(", ")) };
        return Err(format!("{what} holds no private key{holds}; set ssl.key.location or ssl.keystore.key"));
    };
    if block.is_legacy_encrypted {
        return Err(format!("{what} is encrypted in OpenSSL's old way; convert it with: {CONVERT}"));
    }
    let convert = || format!("{what} is no private key that can be read; convert it with: {CONVERT}");
    let key = match block.label {
        Some("PRIVATE KEY") => pkcs8(block.der),
        Some("ENCRYPTED PRIVATE KEY") => return decrypt(what, block.der, password),
        Some("RSA PRIVATE KEY") => pkcs1(block.der),
        Some("EC PRIVATE KEY") => sec1(block.der, blocks),
        Some(label) => return Err(format!("{what} is a {label}; convert it with: {CONVERT}")),
        None if EncryptedPrivateKeyInfoRef::try_from(block.der).is_ok() => {
            return decrypt(what, block.der, password);
        }
        None => pkcs8(block.der).or_else(|| sec1(block.der, blocks)).or_else(|| pkcs1(block.der)),
    };
    key.ok_or_else(convert)
}

const CONVERT: &str = "openssl pkcs8 -topk8 -in KEY -out KEY.pem";

fn decrypt(what: &str, der: &[u8], password: Option<&Secret>) -> Result<SecretDocument, String> {
    let Some(password) = password else {
        return Err(format!("{what} is encrypted: set ssl.key.password"));
    };
    let unreadable = || {
        format!(
            "{what} is encrypted in a way that is not supported; convert it with: {CONVERT} -v2 aes-256-cbc"
        )
    };
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_| unreadable())?;
    match encrypted.decrypt(password.reveal()) {
        // A wrong password shows as bad padding or as bytes that are no key.
        Ok(key) if pkcs8(key.as_bytes()).is_some() => Ok(key),
        Err(pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::UnsupportedAlgorithm { .. })) => {
            Err(unreadable())
        }
        _ => Err(format!("{what}: ssl.key.password is not its password")),
    }
}

fn pkcs8(der: &[u8]) -> Option<SecretDocument> {
    PrivateKeyInfoRef::try_from(der).ok()?;
    SecretDocument::try_from(der).ok()
}

/// An RSA key of RFC 8017.
fn pkcs1(der: &[u8]) -> Option<SecretDocument> {
    SecretDocument::try_from(der).ok()?;
    wrap(RSA, Some(AnyRef::NULL), der)
}

/// An elliptic curve key of RFC 5915. Its curve is named inside, or in a block before it.
fn sec1(der: &[u8], blocks: &[Block<'_>]) -> Option<SecretDocument> {
    let parameters = EcPrivateKey::try_from(der).ok()?.parameters;
    let inside = parameters.map(|EcParameters::NamedCurve(curve)| curve);
    let before = || {
        let parameters = blocks.iter().find(|block| block.label == Some("EC PARAMETERS"))?;
        ObjectIdentifier::from_der(parameters.der).ok()
    };
    let curve = inside.or_else(before)?;
    wrap(EC, Some(AnyRef::from(&curve)), der)
}

fn wrap(oid: ObjectIdentifier, parameters: Option<AnyRef<'_>>, key: &[u8]) -> Option<SecretDocument> {
    let key = OctetStringRef::new(key).ok()?;
    let info = PrivateKeyInfoRef::new(AlgorithmIdentifierRef { oid, parameters }, key);
    SecretDocument::encode_msg(&info).ok()
}

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever a file holds, the answer is a key or a text that names the file.
        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..200), label in 0_usize..5) {
            let labels =
                ["PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "OTHER PRIVATE KEY"];
            let pem = Pem::new(labels[label], bytes.clone());
            for block in [Block::pem(&pem), Block::der(&bytes)] {
                let password = Secret::new("hunter2");
                if let Err(text) = private_key("key.pem", &[block], Some(&password)) {
                    prop_assert!(text.starts_with("key.pem") && !text.contains("hunter2"), "{}", text);
                }
            }
        }
    }
}
