//! JSON web tokens, as far as a client makes or reads them.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Map, Value, json};

use crate::config::Assertion;
use crate::error::{Error, ErrorKind, Result};

/// A signed assertion (RFC 7523).
pub(super) fn sign(assertion: &Assertion, now: i64) -> Result<String> {
    let (mut header, mut payload) = match &assertion.template_file {
        Some(path) => template(path)?,
        None => (Map::new(), Map::new()),
    };
    header.insert("alg".to_owned(), json!(assertion.algorithm));
    header.entry("typ").or_insert_with(|| json!("JWT"));
    let seconds = |time: std::time::Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    payload.insert("iat".to_owned(), json!(now));
    payload.insert("exp".to_owned(), json!(now.saturating_add(seconds(assertion.lifetime))));
    payload.insert("nbf".to_owned(), json!(now.saturating_sub(seconds(assertion.not_before))));
    for (name, value) in &assertion.claims {
        payload.insert((*name).to_owned(), json!(value));
    }
    if assertion.with_id {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|error| refused(format!("no random numbers: {error}")))?;
        payload.insert("jti".to_owned(), json!(crate::protocol::Uuid::random(id).to_string()));
    }
    let part = |map| URL_SAFE_NO_PAD.encode(Value::Object(map).to_string());
    let signed = format!("{}.{}", part(header), part(payload));
    let signature = signature(assertion, signed.as_bytes())?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn signature(assertion: &Assertion, message: &[u8]) -> Result<Vec<u8>> {
    let path = assertion.private_key_file.display();
    let (label, der) = private_key(&assertion.private_key_file)?;
    if label == "ENCRYPTED PRIVATE KEY" || assertion.passphrase.is_some() {
        return Err(refused(format!(
            "{path} is encrypted, which kavka does not read here; decrypt it with: openssl pkcs8 -in {path} -out \
             plain.pem"
        )));
    }
    let unusable = |why: &dyn std::fmt::Display| {
        refused(format!("{path} is not a private key for {}: {why}", assertion.algorithm))
    };
    let random = SystemRandom::new();
    let failed = |_| refused(format!("signing with {path} failed"));
    if assertion.algorithm == "ES256" {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &random)
            .map_err(|error| unusable(&error))?;
        return key.sign(&random, message).map(|signature| signature.as_ref().to_vec()).map_err(failed);
    }
    let key = match label.as_str() {
        "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der),
        _ => RsaKeyPair::from_pkcs8(&der),
    }
    .map_err(|error| unusable(&error))?;
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(failed)?;
    Ok(signature)
}

/// The label and the content of a PEM file's private key.
fn private_key(path: &Path) -> Result<(String, Vec<u8>)> {
    let text = read(path)?;
    let unreadable = || refused(format!("{} has no private key in PEM", path.display()));
    let mut rest = text.as_str();
    loop {
        let (_, behind) = rest.split_once("-----BEGIN ").ok_or_else(unreadable)?;
        let (label, behind) = behind.split_once("-----").ok_or_else(unreadable)?;
        let (body, behind) = behind.split_once("-----END ").ok_or_else(unreadable)?;
        if label.ends_with("PRIVATE KEY") {
            let body: String = body.split_whitespace().collect();
            return Ok((label.to_owned(), STANDARD.decode(body).map_err(|_| unreadable())?));
        }
        rest = behind;
    }
}

fn template(path: &Path) -> Result<(Map<String, Value>, Map<String, Value>)> {
    let wrong = |why: &str| refused(format!("{}: {why}", path.display()));
    let Ok(Value::Object(mut parts)) = serde_json::from_str(&read(path)?) else {
        return Err(wrong("is not a JSON object"));
    };
    let mut part = |name: &str| match parts.remove(name) {
        None => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map),
        Some(_) => Err(wrong(&format!("{name} is not an object"))),
    };
    Ok((part("header")?, part("payload")?))
}

/// When a token ends, in seconds since 1970, if it is a JWT that tells.
pub(super) fn expiry(token: &str) -> Option<i64> {
    let payload = token.split('.').nth(1)?;
    let payload: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let expiry = payload.get("exp")?;
    expiry.as_i64().or_else(|| expiry.as_f64().map(|seconds| seconds as i64))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path)
        .map_err(|cause| refused(format!("cannot read {}", path.display())).with_source(cause))
}

fn refused(text: String) -> Error {
    Error::new(ErrorKind::Authentication, text)
}
