//! A small OpenID provider: a token endpoint and the keys that its tokens are signed with.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};

/// The audience in every token.
pub const AUDIENCE: &str = "kafka";

/// The issuer in every token.
pub const ISSUER: &str = "https://issuer.kavka.test";

/// The provider; its threads end with the process.
pub struct OpenId {
    address: SocketAddr,
    /// How many tokens were given out.
    pub given: Arc<AtomicUsize>,
    /// How many seconds tokens live.
    pub lifetime: Arc<AtomicU64>,
}

impl OpenId {
    /// Starts it. `key` is an RSA key in PEM (PKCS#8), which signs tokens and which assertions are checked with;
    /// `client` is the id and the secret of the one client it knows.
    pub fn start(key: &str, client: (&'static str, &'static str)) -> Self {
        let der: String = key.lines().filter(|line| !line.starts_with("-----")).collect();
        let key = RsaKeyPair::from_pkcs8(&STANDARD.decode(der).expect("PEM")).expect("an RSA key");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let given = Arc::new(AtomicUsize::new(0));
        let lifetime = Arc::new(AtomicU64::new(3600));
        let (count, seconds) = (Arc::clone(&given), Arc::clone(&lifetime));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = answer(stream, &key, client, &count, seconds.load(Ordering::Relaxed));
            }
        });
        Self { address, given, lifetime }
    }

    pub fn token_url(&self) -> String {
        format!("http://{}/token", self.address)
    }

    pub fn keys_url(&self) -> String {
        format!("http://{}/keys", self.address)
    }
}

fn answer(
    stream: TcpStream,
    key: &RsaKeyPair,
    client: (&str, &str),
    given: &AtomicUsize,
    lifetime: u64,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let (mut length, mut authorization) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "authorization" => authorization = value.trim().to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body).into_owned();
    let (status, content) = if first.starts_with("GET /keys") {
        (200, keys(key))
    } else if is_known(&authorization, client) || has_assertion(&body, key) {
        given.fetch_add(1, Ordering::Relaxed);
        let claims = json!({ "iss": ISSUER, "sub": "alice", "aud": AUDIENCE, "scope": "produce", "iat": now(), "exp": now() + lifetime });
        (200, json!({ "access_token": sign(key, &claims), "expires_in": lifetime, "token_type": "Bearer" }))
    } else {
        (401, json!({ "error": "invalid_client", "error_description": "unknown client or wrong secret" }))
    };
    let content = content.to_string();
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        content.len()
    );
    let mut stream = reader.into_inner();
    stream.write_all(head.as_bytes())?;
    stream.write_all(content.as_bytes())
}

fn is_known(authorization: &str, (id, secret): (&str, &str)) -> bool {
    authorization.strip_prefix("Basic ") == Some(STANDARD.encode(format!("{id}:{secret}")).as_str())
}

/// An assertion that was signed with the provider's own key, and is still valid.
fn has_assertion(body: &str, key: &RsaKeyPair) -> bool {
    let field = |name: &str| body.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    if field("grant_type") != Some("urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer") {
        return false;
    }
    let Some((signed, signature)) = field("assertion").and_then(|assertion| assertion.rsplit_once('.'))
    else {
        return false;
    };
    let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public().as_ref());
    let Some((_, payload)) = signed.split_once('.') else { return false };
    let payload: Value = match URL_SAFE_NO_PAD.decode(payload).map(|json| serde_json::from_slice(&json)) {
        Ok(Ok(payload)) => payload,
        _ => return false,
    };
    public.verify(signed.as_bytes(), &signature).is_ok()
        && payload["sub"] == "alice"
        && payload["exp"].as_u64().is_some_and(|expiry| expiry > now())
}

fn sign(key: &RsaKeyPair, claims: &Value) -> String {
    let header = json!({ "alg": "RS256", "kid": "1", "typ": "JWT" });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .expect("a signature");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn keys(key: &RsaKeyPair) -> Value {
    let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let public = PublicKeyComponents::<Vec<u8>>::from(key.public());
    json!({ "keys": [{
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1", "n": number(&public.n), "e": number(&public.e),
    }] })
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
