//! Delegation tokens (KIP-48): short-lived credentials that one user has made for another program.
//!
//! Tokens are asked for over connections that are authenticated by SASL or by a TLS certificate, and not by a token
//! themselves. The brokers need `delegation.token.secret.key`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;

use super::{KafkaAdminClient, Route, verdict};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::messages::create_delegation_token::CreatableRenewers;
use crate::protocol::messages::describe_delegation_token::{
    DescribeDelegationTokenOwner, DescribedDelegationToken,
};
use crate::protocol::messages::{
    CreateDelegationTokenRequest, CreateDelegationTokenResponse, DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse, ExpireDelegationTokenRequest, ExpireDelegationTokenResponse,
    RenewDelegationTokenRequest, RenewDelegationTokenResponse,
};

/// Somebody whom brokers know, such as `User:alice`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KafkaPrincipal {
    /// The kind; `User` unless the brokers are set up otherwise.
    pub principal_type: String,
    /// The name.
    pub name: String,
}

impl KafkaPrincipal {
    /// A user.
    pub fn user(name: impl Into<String>) -> Self {
        Self { principal_type: "User".to_owned(), name: name.into() }
    }

    fn new(principal_type: String, name: String) -> Self {
        Self { principal_type, name }
    }
}

impl fmt::Display for KafkaPrincipal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.principal_type, self.name)
    }
}

impl FromStr for KafkaPrincipal {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            Some((kind, name)) if !kind.is_empty() && !name.is_empty() => {
                Ok(Self::new(kind.to_owned(), name.to_owned()))
            }
            _ => {
                let text = format!("{text:?} is no principal: it has to be like User:alice");
                Err(Error::new(ErrorKind::InvalidArgument, text))
            }
        }
    }
}

/// A delegation token. Its HMAC is a password: `Debug` does not show it.
#[non_exhaustive]
#[derive(Clone, PartialEq, Eq)]
pub struct DelegationToken {
    /// The id, which is the user name of a login with SCRAM by this token.
    pub token_id: String,
    /// Whose rights it gives.
    pub owner: KafkaPrincipal,
    /// Who has made it (KIP-373); the owner, on brokers before 3.3.
    pub requester: KafkaPrincipal,
    /// When it was made, in milliseconds since 1970.
    pub issue_timestamp: i64,
    /// When it ends unless it is renewed, in milliseconds since 1970.
    pub expiry_timestamp: i64,
    /// When it ends for good, in milliseconds since 1970.
    pub max_timestamp: i64,
    /// Who may renew it, beside of the owner.
    pub renewers: Vec<KafkaPrincipal>,
    hmac: Bytes,
}

impl DelegationToken {
    /// The secret; in Base64 it is the password of a login with SCRAM by this token.
    pub fn hmac(&self) -> &[u8] {
        &self.hmac
    }
}

impl fmt::Debug for DelegationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DelegationToken")
            .field("token_id", &self.token_id)
            .field("owner", &self.owner)
            .field("requester", &self.requester)
            .field("issue_timestamp", &self.issue_timestamp)
            .field("expiry_timestamp", &self.expiry_timestamp)
            .field("max_timestamp", &self.max_timestamp)
            .field("renewers", &self.renewers)
            .finish_non_exhaustive()
    }
}

/// A token to be made: for the user that asks, with the brokers' longest life, unless something is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewDelegationToken {
    owner: Option<KafkaPrincipal>,
    renewers: Vec<KafkaPrincipal>,
    max_lifetime: Option<Duration>,
}

impl NewDelegationToken {
    /// For the user that asks, with the brokers' defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// With the rights of another user (KIP-373). Needs Kafka 3.3, and the right `CREATE_TOKENS` for that user.
    #[must_use]
    pub fn owner(mut self, owner: KafkaPrincipal) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Lets somebody renew it; can be repeated.
    #[must_use]
    pub fn renewer(mut self, renewer: KafkaPrincipal) -> Self {
        self.renewers.push(renewer);
        self
    }

    /// How long it lives at most, however often it is renewed. The brokers' `delegation.token.max.lifetime.ms` by
    /// default, and at most that.
    #[must_use]
    pub fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.max_lifetime = Some(lifetime);
        self
    }

    fn message(&self) -> CreateDelegationTokenRequest {
        let renewer = |renewer: &KafkaPrincipal| CreatableRenewers {
            principal_type: renewer.principal_type.clone(),
            principal_name: renewer.name.clone(),
        };
        CreateDelegationTokenRequest {
            owner_principal_type: self.owner.as_ref().map(|owner| owner.principal_type.clone()),
            owner_principal_name: self.owner.as_ref().map(|owner| owner.name.clone()),
            renewers: self.renewers.iter().map(renewer).collect(),
            max_lifetime_ms: self.max_lifetime.map_or(-1, millis),
        }
    }
}

impl KafkaAdminClient {
    /// Makes a delegation token. Needs Kafka 1.1, with KRaft 3.6. Java's `createDelegationToken`.
    ///
    /// ```no_run
    /// use kavka::KafkaAdminClient;
    /// use kavka::admin::{KafkaPrincipal, NewDelegationToken};
    ///
    /// let admin = KafkaAdminClient::builder().bootstrap_servers("localhost:9093").build()?;
    /// let renewer = KafkaPrincipal::user("scheduler");
    /// let token = admin.create_delegation_token(&NewDelegationToken::new().renewer(renewer))?;
    /// println!("{} ends at {}", token.token_id, token.expiry_timestamp);
    /// admin.renew_delegation_token(token.hmac(), None)?;
    /// admin.expire_delegation_token(token.hmac(), None)?;
    /// # Ok::<(), kavka::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`DELEGATION_TOKEN_REQUEST_NOT_ALLOWED`](crate::ErrorCode::DELEGATION_TOKEN_REQUEST_NOT_ALLOWED) over a
    /// connection without authentication or with one by a token,
    /// [`DELEGATION_TOKEN_AUTH_DISABLED`](crate::ErrorCode::DELEGATION_TOKEN_AUTH_DISABLED),
    /// [`INVALID_PRINCIPAL_TYPE`](crate::ErrorCode::INVALID_PRINCIPAL_TYPE), [`ErrorKind::Authorization`],
    /// [`ErrorKind::UnsupportedVersion`]. After [`ErrorKind::Connection`] a token may have been made.
    pub fn create_delegation_token(&self, token: &NewDelegationToken) -> Result<DelegationToken> {
        let message = token.message();
        let renewers = token.renewers.clone();
        self.call(CREATE, move |admin, call| async move {
            let request = |at: &super::At| {
                if message.owner_principal_name.is_some() {
                    at.need(OWNERS_SINCE, "a token for another user")?;
                }
                Ok(message.clone())
            };
            let judge = |response: &CreateDelegationTokenResponse| verdict(response.error_code, None, CREATE);
            let made = admin.ask_one(call.never_twice(), Route::Any, request, judge).await?;
            let owner = KafkaPrincipal::new(made.principal_type, made.principal_name);
            let requester = (made.token_requester_principal_type, made.token_requester_principal_name);
            Ok(DelegationToken {
                token_id: made.token_id,
                requester: requester_or(requester, &owner),
                owner,
                issue_timestamp: made.issue_timestamp_ms,
                expiry_timestamp: made.expiry_timestamp_ms,
                max_timestamp: made.max_timestamp_ms,
                renewers,
                hmac: made.hmac,
            })
        })
    }

    /// Makes a delegation token last longer: by `period`, or by the brokers' `delegation.token.expiry.time.ms`.
    /// Returns when it ends now, in milliseconds since 1970. Java's `renewDelegationToken`.
    ///
    /// # Errors
    /// [`DELEGATION_TOKEN_NOT_FOUND`](crate::ErrorCode::DELEGATION_TOKEN_NOT_FOUND),
    /// [`DELEGATION_TOKEN_OWNER_MISMATCH`](crate::ErrorCode::DELEGATION_TOKEN_OWNER_MISMATCH) for one that is
    /// neither owner nor renewer, [`DELEGATION_TOKEN_EXPIRED`](crate::ErrorCode::DELEGATION_TOKEN_EXPIRED), and as
    /// [`create_delegation_token`](Self::create_delegation_token).
    pub fn renew_delegation_token(&self, hmac: &[u8], period: Option<Duration>) -> Result<i64> {
        let request = RenewDelegationTokenRequest {
            hmac: Bytes::copy_from_slice(hmac),
            renew_period_ms: period.map_or(-1, millis),
        };
        self.call(RENEW, move |admin, call| async move {
            let judge = |response: &RenewDelegationTokenResponse| verdict(response.error_code, None, RENEW);
            let renewed = admin.ask_one(call, Route::Any, |_| Ok(request.clone()), judge).await?;
            Ok(renewed.expiry_timestamp_ms)
        })
    }

    /// Has a delegation token end after `period`, or at once. Returns when it ends now, in milliseconds since
    /// 1970. Java's `expireDelegationToken`.
    ///
    /// # Errors
    /// As [`renew_delegation_token`](Self::renew_delegation_token).
    pub fn expire_delegation_token(&self, hmac: &[u8], period: Option<Duration>) -> Result<i64> {
        let request = ExpireDelegationTokenRequest {
            hmac: Bytes::copy_from_slice(hmac),
            expiry_time_period_ms: period.map_or(-1, millis),
        };
        // Ended once, it is not found the second time.
        self.call(EXPIRE, move |admin, call| async move {
            let judge = |response: &ExpireDelegationTokenResponse| verdict(response.error_code, None, EXPIRE);
            let request = |_: &super::At| Ok(request.clone());
            let expired = admin.ask_one(call.never_twice(), Route::Any, request, judge).await?;
            Ok(expired.expiry_timestamp_ms)
        })
    }

    /// The delegation tokens that these principals own or may renew, or with none all that this client may see:
    /// its own, those that it may renew, and those that it has the right to describe. Java's
    /// `describeDelegationToken`.
    ///
    /// # Errors
    /// As [`create_delegation_token`](Self::create_delegation_token).
    pub fn describe_delegation_tokens(
        &self,
        owners: impl IntoIterator<Item = KafkaPrincipal>,
    ) -> Result<Vec<DelegationToken>> {
        let owner = |owner: KafkaPrincipal| DescribeDelegationTokenOwner {
            principal_type: owner.principal_type,
            principal_name: owner.name,
        };
        let owners: Vec<_> = owners.into_iter().map(owner).collect();
        self.call(DESCRIBE, move |admin, call| async move {
            let owners = (!owners.is_empty()).then_some(owners);
            let request = |_: &super::At| Ok(DescribeDelegationTokenRequest { owners: owners.clone() });
            let judge =
                |response: &DescribeDelegationTokenResponse| verdict(response.error_code, None, DESCRIBE);
            let response = admin.ask_one(call, Route::Any, request, judge).await?;
            let mut tokens: Vec<DelegationToken> = response.tokens.into_iter().map(token).collect();
            tokens.sort_by(|a, b| a.token_id.cmp(&b.token_id));
            Ok(tokens)
        })
    }
}

fn token(token: DescribedDelegationToken) -> DelegationToken {
    let owner = KafkaPrincipal::new(token.principal_type, token.principal_name);
    let requester = (token.token_requester_principal_type, token.token_requester_principal_name);
    let renewers = token.renewers.into_iter();
    DelegationToken {
        token_id: token.token_id,
        requester: requester_or(requester, &owner),
        owner,
        issue_timestamp: token.issue_timestamp,
        expiry_timestamp: token.expiry_timestamp,
        max_timestamp: token.max_timestamp,
        renewers: renewers.map(|one| KafkaPrincipal::new(one.principal_type, one.principal_name)).collect(),
        hmac: token.hmac,
    }
}

/// The requester, which old brokers do not tell.
fn requester_or((kind, name): (String, String), owner: &KafkaPrincipal) -> KafkaPrincipal {
    if name.is_empty() { owner.clone() } else { KafkaPrincipal::new(kind, name) }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

const CREATE: &str = "create delegation token";
const RENEW: &str = "renew delegation token";
const EXPIRE: &str = "expire delegation token";
const DESCRIBE: &str = "describe delegation tokens";
/// The version of CreateDelegationToken that knows another owner (KIP-373).
const OWNERS_SINCE: i16 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_are_read() {
        let alice: KafkaPrincipal = "User:CN=alice:x".parse().expect("a principal");
        assert_eq!(alice, KafkaPrincipal::user("CN=alice:x"));
        assert_eq!(alice.to_string(), "User:CN=alice:x");
        for text in ["alice", ":alice", "User:", ""] {
            assert!(text.parse::<KafkaPrincipal>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_secret_is_not_shown() {
        let token = token(DescribedDelegationToken {
            token_id: "t1".to_owned(),
            principal_type: "User".to_owned(),
            principal_name: "alice".to_owned(),
            hmac: Bytes::from_static(b"secretsecret"),
            ..Default::default()
        });
        let text = format!("{token:?}");
        assert!(text.contains("t1") && !text.contains("secret"), "{text}");
        assert_eq!((token.hmac(), &token.requester), (&b"secretsecret"[..], &token.owner));
    }

    #[test]
    fn times_end_somewhere() {
        assert_eq!((millis(Duration::from_secs(2)), millis(Duration::MAX)), (2000, i64::MAX));
    }
}
