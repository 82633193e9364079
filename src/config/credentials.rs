//! Where a login's secrets come from.
//!
//! A provider is asked whenever a connection authenticates, so what was rotated meanwhile is used with the next
//! one, and a client whose password was wrong heals without being built anew. Providers are called on a helper
//! thread, never on the IO thread: they may block, within the time that making a connection may take.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use super::value::OptionValue;
use super::{Argument, Secret};
use crate::Result;

/// A user's name and password, for PLAIN and SCRAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user; for a delegation token (KIP-48) its id.
    pub username: String,
    /// The password; for a delegation token its HMAC in base64.
    pub password: Secret,
}

impl Credentials {
    /// A user and a password.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), password: Secret::new(password) }
    }
}

/// Gives the user and the password of each login. Closures are providers, too.
///
/// ```
/// use kavka::config::Credentials;
/// # let cluster = kavka::mock::MockCluster::start()?;
/// # let servers = cluster.bootstrap_servers();
///
/// let read = || -> kavka::Result<Credentials> {
///     // A file that is replaced now and then, a vault, an environment variable…
///     Ok(Credentials::new("alice", "secret"))
/// };
/// let producer = kavka::KafkaProducer::builder()
///     .bootstrap_servers(servers)
///     .set("security.protocol", "SASL_PLAINTEXT")
///     .set("sasl.mechanism", "SCRAM-SHA-512")
///     .sasl_credentials_provider(read)
///     .build()?;
/// # Ok::<(), kavka::Error>(())
/// ```
pub trait CredentialsProvider: Send + Sync + 'static {
    /// The user and the password that are valid now.
    ///
    /// # Errors
    /// Why there are none. A retriable error (a server that cannot be reached) is tried again in the background;
    /// any other fails the calls that wait, with [`ErrorKind::Authentication`](crate::ErrorKind::Authentication)
    /// and this error's text.
    fn credentials(&self) -> Result<Credentials>;
}

impl<F: Fn() -> Result<Credentials> + Send + Sync + 'static> CredentialsProvider for F {
    fn credentials(&self) -> Result<Credentials> {
        self()
    }
}

/// A bearer token, for OAUTHBEARER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthToken {
    /// The token as it is sent.
    pub value: Secret,
    /// How long it is valid from now on. It is asked for anew after 80 % of this (see
    /// `sasl_login_refresh_window_factor`); without it, for each login.
    pub lifetime: Option<Duration>,
    /// SASL extensions (KIP-342): names of letters, and printable values.
    pub extensions: Vec<(String, String)>,
}

impl OAuthToken {
    /// A token whose lifetime is not known.
    pub fn new(value: impl Into<String>) -> Self {
        Self { value: Secret::new(value), lifetime: None, extensions: Vec::new() }
    }

    /// Says how long the token is valid from now on.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Adds a SASL extension (KIP-342).
    #[must_use]
    pub fn extension(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.extensions.push((name.into(), value.into()));
        self
    }
}

/// Gives the token of each OAUTHBEARER login. Closures are providers, too.
pub trait OAuthTokenProvider: Send + Sync + 'static {
    /// A token that is valid now.
    ///
    /// # Errors
    /// As [`CredentialsProvider::credentials`].
    fn token(&self) -> Result<OAuthToken>;
}

impl<F: Fn() -> Result<OAuthToken> + Send + Sync + 'static> OAuthTokenProvider for F {
    fn token(&self) -> Result<OAuthToken> {
        self()
    }
}

/// An AWS access key, for AWS_MSK_IAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsCredentials {
    /// The key's id.
    pub access_key_id: String,
    /// The key.
    pub secret_access_key: Secret,
    /// The token of a temporary key.
    pub session_token: Option<Secret>,
}

impl AwsCredentials {
    /// A key that does not expire.
    pub fn new(access_key_id: impl Into<String>, secret_access_key: impl Into<String>) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key: Secret::new(secret_access_key),
            session_token: None,
        }
    }

    /// Adds the token of a temporary key.
    #[must_use]
    pub fn session_token(mut self, token: impl Into<String>) -> Self {
        self.session_token = Some(Secret::new(token));
        self
    }
}

/// Gives the access key of each AWS_MSK_IAM login. Closures are providers, too.
pub trait AwsCredentialsProvider: Send + Sync + 'static {
    /// The access key that is valid now.
    ///
    /// # Errors
    /// As [`CredentialsProvider::credentials`].
    fn aws_credentials(&self) -> Result<AwsCredentials>;
}

impl<F: Fn() -> Result<AwsCredentials> + Send + Sync + 'static> AwsCredentialsProvider for F {
    fn aws_credentials(&self) -> Result<AwsCredentials> {
        self()
    }
}

/// Something of the program's own that all connections of a client share: a provider, as an option's value.
pub struct Provider<T: ?Sized>(Arc<T>);

impl<T: ?Sized> Deref for Provider<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: ?Sized> Clone for Provider<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: ?Sized> fmt::Debug for Provider<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[provider]")
    }
}

impl<T: ?Sized> From<Arc<T>> for Provider<T> {
    fn from(shared: Arc<T>) -> Self {
        Self(shared)
    }
}

impl<T: ?Sized> OptionValue for Provider<T> {
    fn parse(_: &str) -> Result<Self, String> {
        Err("cannot be given as a string; use the builder's method".to_owned())
    }

    fn show(&self) -> String {
        format!("{self:?}")
    }
}

macro_rules! providers_are_arguments {
    ($($provider:ident),+) => {$(
        impl<P: $provider> Argument<Option<Provider<dyn $provider>>> for P {
            fn into_value(self) -> Option<Provider<dyn $provider>> {
                Some(Provider(Arc::new(self)))
            }
        }
    )+};
}
providers_are_arguments!(CredentialsProvider, OAuthTokenProvider, AwsCredentialsProvider);
