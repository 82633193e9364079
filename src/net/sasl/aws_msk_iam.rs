//! AWS_MSK_IAM: an access key of AWS signs a request that the broker carries out in the client's name.
//!
//! The key comes from a provider of the program, or else from where AWS's own tools look first: the environment,
//! then the credentials file.

use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;

use super::sigv4::{self, Presigned};
use super::{Exchange, Mechanism, Peer, Reply, unexpected};
use crate::config::{Aws, AwsCredentials, AwsCredentialsProvider, OAuthToken, OAuthTokenProvider, Provider};
use crate::error::{Error, ErrorKind, Result};
use crate::net::clock::Clock;

pub(super) struct AwsMskIam(Aws);

impl AwsMskIam {
    pub(super) fn new(aws: Aws) -> Self {
        Self(aws)
    }
}

impl Mechanism for AwsMskIam {
    fn name(&self) -> &str {
        "AWS_MSK_IAM"
    }

    fn begin(&self, peer: &Peer) -> Result<Box<dyn Exchange>> {
        let credentials = credentials(&self.0)?;
        let region = region(&self.0, Some(&peer.host))?;
        let message = message(&credentials, &peer.host, &region, peer.clock.unix_millis() / 1000);
        Ok(Box::new(Signed(Bytes::from(message))))
    }
}

struct Signed(Bytes);

impl Exchange for Signed {
    fn respond(&mut self, challenge: Option<&[u8]>) -> Result<Reply> {
        match challenge {
            None => Ok(Reply::Send(self.0.clone())),
            // The version and an id of the request, in JSON.
            Some(answer) if !answer.is_empty() => Ok(Reply::Done),
            Some(_) => Err(unexpected("the broker's answer is empty")),
        }
    }
}

/// The request in JSON: the names of the query's parameters in lower case.
fn message(credentials: &AwsCredentials, host: &str, region: &str, unix_seconds: i64) -> String {
    let parameters = presign(credentials, host, region, unix_seconds);
    let mut fields = vec![
        format!("\"version\":\"{VERSION}\""),
        format!("\"host\":{host:?}"),
        format!("\"user-agent\":\"{USER_AGENT}\""),
    ];
    // None of them has a character that JSON would write otherwise.
    fields.extend(parameters.iter().map(|(name, value)| format!("\"{}\":{value:?}", name.to_lowercase())));
    format!("{{{}}}", fields.join(","))
}

fn presign(
    credentials: &AwsCredentials,
    host: &str,
    region: &str,
    unix_seconds: i64,
) -> Vec<(String, String)> {
    let presigned = Presigned {
        host,
        path: "/",
        region,
        service: "kafka-cluster",
        access_key_id: &credentials.access_key_id,
        secret_access_key: credentials.secret_access_key.reveal(),
        session_token: credentials.session_token.as_ref().map(|token| token.reveal()),
        parameters: &[("Action", "kafka-cluster:Connect")],
        expires_seconds: EXPIRES_SECONDS,
        payload_hash: EMPTY_HASH,
        unix_seconds,
    };
    presigned.parameters()
}

/// The same login as a token, for OAUTHBEARER with MSK.
///
/// ```
/// use kavka::config::SaslMechanism;
/// use kavka::net::sasl::MskTokenProvider;
/// # let cluster = kavka::mock::MockCluster::start()?;
/// # let servers = cluster.bootstrap_servers();
///
/// let producer = kavka::KafkaProducer::builder()
///     .bootstrap_servers(servers)
///     .set("security.protocol", "SASL_PLAINTEXT") // SASL_SSL, outside of an example
///     .sasl_mechanism(SaslMechanism::OAuthBearer)
///     .sasl_oauth_token_provider(MskTokenProvider::new("eu-central-1"))
///     .build()?;
/// # Ok::<(), kavka::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct MskTokenProvider {
    aws: Aws,
    clock: Clock,
}

impl MskTokenProvider {
    /// Tokens for the brokers of a region, with the access key of the environment or of the credentials file.
    pub fn new(region: impl Into<String>) -> Self {
        let aws = Aws { region: Some(region.into()), ..Aws::default() };
        Self { aws, clock: Clock::system() }
    }

    /// Takes the access key from this provider.
    #[must_use]
    pub fn credentials(mut self, provider: impl AwsCredentialsProvider) -> Self {
        let provider: std::sync::Arc<dyn AwsCredentialsProvider> = std::sync::Arc::new(provider);
        self.aws.credentials = Some(Provider::from(provider));
        self
    }

    /// Takes the access key from this profile of the credentials file.
    #[must_use]
    pub fn profile(mut self, profile: impl Into<String>) -> Self {
        self.aws.profile = Some(profile.into());
        self
    }
}

impl OAuthTokenProvider for MskTokenProvider {
    fn token(&self) -> Result<OAuthToken> {
        let region = region(&self.aws, None)?;
        let host = format!("kafka.{region}.amazonaws.com");
        let now = self.clock.unix_millis() / 1000;
        let mut parameters = presign(&credentials(&self.aws)?, &host, &region, now);
        // AWS's own signers add it behind the signature.
        parameters.push(("User-Agent".to_owned(), USER_AGENT.to_owned()));
        let url = format!("https://{host}/?{}", sigv4::canonical_query(&parameters));
        let lifetime = Duration::from_secs(EXPIRES_SECONDS.into());
        Ok(OAuthToken::new(URL_SAFE_NO_PAD.encode(url)).lifetime(lifetime))
    }
}

/// The access key: from the program, the environment, or the credentials file.
fn credentials(aws: &Aws) -> Result<AwsCredentials> {
    if let Some(provider) = &aws.credentials {
        return provider.aws_credentials();
    }
    if aws.profile.is_none() {
        if let (Some(id), Some(key)) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
            let mut credentials = AwsCredentials::new(id, key);
            if let Some(token) = variable("AWS_SESSION_TOKEN") {
                credentials = credentials.session_token(token);
            }
            return Ok(credentials);
        }
    }
    let profile = aws.profile.clone().or_else(|| variable("AWS_PROFILE"));
    let profile = profile.as_deref().unwrap_or("default");
    let failed = |why: String| {
        let text = format!(
            "no AWS access key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give a provider; {why}"
        );
        Error::new(ErrorKind::Authentication, text)
    };
    let path = credentials_file().ok_or_else(|| failed("there is no home directory".to_owned()))?;
    let text = fs::read_to_string(&path).map_err(|error| failed(format!("{}: {error}", path.display())))?;
    from_profile(&text, profile)
        .ok_or_else(|| failed(format!("{} has no keys of the profile {profile}", path.display())))
}

fn credentials_file() -> Option<PathBuf> {
    if let Some(path) = variable("AWS_SHARED_CREDENTIALS_FILE") {
        return Some(path.into());
    }
    let home = variable("HOME").or_else(|| variable("USERPROFILE"))?;
    Some(PathBuf::from(home).join(".aws").join("credentials"))
}

fn from_profile(text: &str, profile: &str) -> Option<AwsCredentials> {
    let mut section = "";
    let (mut id, mut key, mut token) = (None, None, None);
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.trim();
        } else if section == profile && !line.starts_with(['#', ';']) {
            let Some((name, value)) = line.split_once('=') else { continue };
            match name.trim().to_ascii_lowercase().as_str() {
                "aws_access_key_id" => id = Some(value.trim()),
                "aws_secret_access_key" => key = Some(value.trim()),
                "aws_session_token" => token = Some(value.trim()),
                _ => {}
            }
        }
    }
    let credentials = AwsCredentials::new(id?, key?);
    Some(match token {
        Some(token) => credentials.session_token(token),
        None => credentials,
    })
}

/// The region: from the options, the broker's name (`b-1.x.y.c2.kafka.eu-central-1.amazonaws.com`), or the
/// environment.
fn region(aws: &Aws, host: Option<&str>) -> Result<String> {
    let of_host = || {
        let mut labels = host?.split('.').rev().skip_while(|label| *label != "amazonaws").skip(1);
        labels.next().filter(|label| label.contains('-')).map(str::to_owned)
    };
    let of_environment = || variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    aws.region.clone().or_else(of_host).or_else(of_environment).ok_or_else(|| {
        let text = "no AWS region: set sasl_aws_region, or the variable AWS_REGION";
        Error::new(ErrorKind::Authentication, text)
    })
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

const VERSION: &str = "2020_10_22";
const USER_AGENT: &str = concat!("kavka/", env!("CARGO_PKG_VERSION"));
/// How long the broker may take to carry the request out; the session may be longer.
const EXPIRES_SECONDS: u32 = 900;
/// The SHA-256 of nothing.
const EMPTY_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[cfg(test)]
mod tests {
    use super::*;

    fn aws(region: Option<&str>) -> Aws {
        let provider: std::sync::Arc<dyn AwsCredentialsProvider> =
            std::sync::Arc::new(|| Ok(AwsCredentials::new("AKIDEXAMPLE", "hush").session_token("tok/en=")));
        Aws { credentials: Some(Provider::from(provider)), profile: None, region: region.map(str::to_owned) }
    }

    #[test]
    fn the_message_has_all_that_the_broker_needs() {
        let host = "b-1.demo.abc.c2.kafka.eu-central-1.amazonaws.com";
        let peer = Peer { host: host.to_owned(), clock: Clock::system() };
        let mut exchange = AwsMskIam::new(aws(None)).begin(&peer).unwrap();
        let Reply::Send(message) = exchange.respond(None).unwrap() else { panic!("nothing was said") };
        let message: serde_json::Value = serde_json::from_slice(&message).unwrap();
        let field = |name: &str| message[name].as_str().unwrap_or_else(|| panic!("no {name}")).to_owned();
        assert_eq!(field("version"), VERSION);
        assert_eq!(field("host"), host);
        assert_eq!(field("action"), "kafka-cluster:Connect");
        assert_eq!(field("x-amz-algorithm"), "AWS4-HMAC-SHA256");
        assert!(field("x-amz-credential").starts_with("AKIDEXAMPLE/20"));
        assert!(field("x-amz-credential").ends_with("/eu-central-1/kafka-cluster/aws4_request"));
        assert_eq!(field("x-amz-security-token"), "tok/en=");
        assert_eq!(field("x-amz-signedheaders"), "host");
        assert_eq!(field("x-amz-expires"), "900");
        assert_eq!((field("x-amz-date").len(), field("x-amz-signature").len()), (16, 64));
        assert!(!message.to_string().contains("hush"));
        assert_eq!(exchange.respond(Some(b"{\"version\":\"2020_10_22\"}")).unwrap(), Reply::Done);
    }

    #[test]
    fn the_token_is_a_presigned_url() {
        let provider = MskTokenProvider { aws: aws(Some("us-west-2")), clock: Clock::system() };
        let token = provider.token().unwrap();
        let url = URL_SAFE_NO_PAD.decode(token.value.reveal()).unwrap();
        let url = String::from_utf8(url).unwrap();
        assert!(
            url.starts_with("https://kafka.us-west-2.amazonaws.com/?Action=kafka-cluster%3AConnect&"),
            "{url}"
        );
        assert!(
            url.contains("&X-Amz-Security-Token=tok%2Fen%3D&") && url.contains("User-Agent=kavka%2F"),
            "{url}"
        );
        assert_eq!(token.lifetime, Some(Duration::from_secs(900)));
    }

    #[test]
    fn the_region_follows_from_the_broker() {
        for (host, expected) in [
            ("b-1.demo.abc.c2.kafka.eu-central-1.amazonaws.com", "eu-central-1"),
            ("boot-x.c1.kafka-serverless.us-east-1.amazonaws.com", "us-east-1"),
            ("b-2.x.kafka.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ] {
            assert_eq!(region(&Aws::default(), Some(host)).unwrap(), expected);
        }
        assert_eq!(region(&aws(Some("mars-1")), Some("x.kafka.eu-west-1.amazonaws.com")).unwrap(), "mars-1");
    }

    #[test]
    fn profiles() {
        let text = "[default]\naws_access_key_id = A\naws_secret_access_key=B\n\n[ other ]\n# c\n\
                    AWS_ACCESS_KEY_ID=C\naws_secret_access_key = D=\naws_session_token=E\n[half]\naws_access_key_id=F";
        assert_eq!(from_profile(text, "default"), Some(AwsCredentials::new("A", "B")));
        assert_eq!(from_profile(text, "other"), Some(AwsCredentials::new("C", "D=").session_token("E")));
        assert_eq!(from_profile(text, "half"), None);
        assert_eq!(from_profile(text, "none"), None);
    }
}
