//! Logins: one file a SASL mechanism.
//!
//! A [`Mechanism`] is what a client is configured with; all its connections share it. For each authentication of a
//! connection, and there are several in its life when the broker limits sessions (KIP-368), it begins an
//! [`Exchange`] with fresh credentials. Both run on helper threads, so they may block. What an exchange says goes to
//! the broker in SaslAuthenticate requests, or in bare frames to brokers before Kafka 1.0.

mod aws_msk_iam;
mod credentials;
#[cfg(feature = "gssapi")]
mod gssapi;
#[cfg(feature = "oidc")]
mod jwt;
mod oauthbearer;
#[cfg(feature = "oidc")]
mod oidc;
mod plain;
mod scram;
mod sigv4;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::clock::Clock;
use crate::config::{CommonConfig, Login};
use crate::error::{Error, ErrorKind, Result};

pub use crate::config::{
    AwsCredentials, AwsCredentialsProvider, Credentials, CredentialsProvider, OAuthToken, OAuthTokenProvider,
};
pub use aws_msk_iam::MskTokenProvider;
pub(crate) use scram::Hash as ScramHash;
#[cfg(any(fuzzing, test))]
pub(crate) use scram::fuzz as fuzz_scram;

/// A way to log in, shared by all connections of a client.
pub trait Mechanism: Send + Sync {
    /// Kafka's name of it, such as `SCRAM-SHA-256`.
    fn name(&self) -> &str;

    /// Begins an authentication, with the credentials that are valid now. Called on a helper thread.
    ///
    /// # Errors
    /// Why there are no credentials. Errors that are retriable are tried again in the background; others fail the
    /// calls that wait.
    fn begin(&self, peer: &Peer) -> Result<Box<dyn Exchange>>;

    /// Is told when a broker has refused the credentials. Called on the IO thread.
    fn refused(&self) {}
}

/// One authentication, from its first message to its end. Runs on helper threads.
pub trait Exchange: Send {
    /// What to say to a message of the broker; the first call has none, for the client begins.
    ///
    /// # Errors
    /// [`ErrorKind::Authentication`] when the broker's message is not what it should be.
    fn respond(&mut self, challenge: Option<&[u8]>) -> Result<Reply>;
}

/// What the client says in an [`Exchange`].
#[derive(Clone, PartialEq, Eq)]
pub enum Reply {
    /// A message to the broker, and its answer is waited for.
    Send(Bytes),
    /// Nothing more: the broker is satisfied, and so is the client.
    Done,
}

/// Messages are secret.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Send(_) => "Send([hidden])",
            Self::Done => "Done",
        })
    }
}

/// Whom the client logs in to.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The broker's host, as the address list or the metadata names it.
    pub host: String,
    /// The clocks.
    pub clock: Clock,
}

/// The mechanism that the options ask for; `None` when `security_protocol` has no login.
///
/// # Errors
/// [`ErrorKind::Configuration`] with every fault of the options.
pub fn from_config(config: &CommonConfig) -> Result<Option<Arc<dyn Mechanism>>> {
    let login = match config.login() {
        Ok(None) => return Ok(None),
        Ok(Some(login)) => login,
        Err(faults) => {
            faults.into_result()?;
            return Ok(None);
        }
    };
    Ok(Some(match login {
        Login::Plain(user) => Arc::new(plain::Plain::new(user)),
        Login::Scram { sha512, user, token_auth } => Arc::new(scram::Scram::new(sha512, user, token_auth)),
        Login::OAuthBearer { source, refresh } => {
            Arc::new(oauthbearer::OAuthBearer::new(oauthbearer::provider(source)?, refresh))
        }
        #[cfg(feature = "gssapi")]
        Login::Gssapi(kerberos) => Arc::new(gssapi::Gssapi::new(kerberos)),
        #[cfg(not(feature = "gssapi"))]
        Login::Gssapi(_) => {
            let text = "sasl.mechanism=GSSAPI needs kavka's feature \"gssapi\"";
            return Err(Error::new(ErrorKind::Configuration, text));
        }
        Login::AwsMskIam(aws) => Arc::new(aws_msk_iam::AwsMskIam::new(aws)),
    }))
}

/// An error of an exchange: the broker's message is not what the mechanism wants.
fn unexpected(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Authentication, text)
}
