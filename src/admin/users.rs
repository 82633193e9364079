//! SCRAM credentials of users (KIP-554), which brokers keep themselves.
//!
//! ```
//! use kavka::KafkaAdminClient;
//! use kavka::admin::{ScramMechanism, UserScramCredentialAlteration};
//! # let cluster = kavka::mock::MockCluster::start()?;
//! # let servers = cluster.bootstrap_servers();
//!
//! let admin = KafkaAdminClient::builder().bootstrap_servers(servers).build()?;
//! admin.alter_user_scram_credentials([
//!     UserScramCredentialAlteration::upsert("alice", ScramMechanism::ScramSha512, "s3cret"),
//! ])?;
//! for (user, credentials) in admin.describe_user_scram_credentials(Vec::<String>::new())? {
//!     for credential in credentials? {
//!         println!("{user}: {} with {} iterations", credential.mechanism, credential.iterations);
//!     }
//! }
//! # Ok::<(), kavka::Error>(())
//! ```

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;

use super::words::code_enum;
use super::{At, Item, KafkaAdminClient, Results, Route, unanswered, verdict};
use crate::config::Secret;
use crate::error::{Error, ErrorKind, Result};
use crate::net::sasl::ScramHash;
use crate::protocol::messages::alter_user_scram_credentials::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use crate::protocol::messages::describe_user_scram_credentials::UserName;
use crate::protocol::messages::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
};

code_enum! {
    /// A SCRAM mechanism, as brokers count them.
    ScramMechanism {
        /// `SCRAM-SHA-256`.
        ScramSha256 = 1 "SCRAM-SHA-256",
        /// `SCRAM-SHA-512`.
        ScramSha512 = 2 "SCRAM-SHA-512",
    }
}

impl ScramMechanism {
    fn hash(self) -> Result<ScramHash> {
        match self {
            Self::ScramSha256 => Ok(ScramHash::Sha256),
            Self::ScramSha512 => Ok(ScramHash::Sha512),
            Self::Unknown(_) => Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("{self} is no mechanism to salt a password for"),
            )),
        }
    }
}

/// A credential of a user, as far as brokers tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScramCredentialInfo {
    /// The mechanism that it is for.
    pub mechanism: ScramMechanism,
    /// How often the password was hashed.
    pub iterations: i32,
}

/// What is to become of a user's credential for one mechanism.
///
/// Passwords do not leave the process: they are salted and hashed before they are sent.
///
/// ```
/// use kavka::admin::{ScramMechanism, UserScramCredentialAlteration};
///
/// let new = UserScramCredentialAlteration::upsert("alice", ScramMechanism::ScramSha512, "s3cret");
/// let gone = UserScramCredentialAlteration::delete("bob", ScramMechanism::ScramSha256);
/// assert!(!format!("{new:?}").contains("s3cret"));
/// # drop(gone);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct UserScramCredentialAlteration {
    user: String,
    mechanism: ScramMechanism,
    change: Change,
}

#[derive(Clone, PartialEq, Eq)]
enum Change {
    Delete,
    Upsert { password: Secret, iterations: i32, salt: Option<Bytes> },
}

impl UserScramCredentialAlteration {
    /// Removes a user's credential. kafka-python's `UserScramCredentialDeletion`.
    pub fn delete(user: impl Into<String>, mechanism: ScramMechanism) -> Self {
        Self { user: user.into(), mechanism, change: Change::Delete }
    }

    /// Sets a user's password, with a random salt. kafka-python's `UserScramCredentialUpsertion`.
    pub fn upsert(user: impl Into<String>, mechanism: ScramMechanism, password: impl Into<String>) -> Self {
        let password = Secret::new(password);
        let change = Change::Upsert { password, iterations: ITERATIONS, salt: None };
        Self { user: user.into(), mechanism, change }
    }

    /// How often a password that is set is hashed; brokers take 4096 to 16384. Defaults to 4096.
    #[must_use]
    pub fn iterations(mut self, count: i32) -> Self {
        if let Change::Upsert { iterations, .. } = &mut self.change {
            *iterations = count;
        }
        self
    }

    /// The salt of a password that is set. Defaults to 24 random bytes.
    #[must_use]
    pub fn salt(mut self, bytes: impl Into<Bytes>) -> Self {
        if let Change::Upsert { salt, .. } = &mut self.change {
            *salt = Some(bytes.into());
        }
        self
    }

    /// Hashes the password, which takes milliseconds: on the thread of whoever asks.
    fn prepare(self) -> Result<Prepared> {
        let Self { user, mechanism, change } = self;
        let Change::Upsert { password, iterations, salt } = change else {
            return Ok(Prepared::Delete(ScramCredentialDeletion { name: user, mechanism: mechanism.code() }));
        };
        let invalid =
            |text: String| Error::new(ErrorKind::InvalidArgument, format!("{ALTER} of {user}: {text}"));
        if password.reveal().is_empty() {
            return Err(invalid("the password is empty".to_owned()));
        }
        let count = u32::try_from(iterations).ok().filter(|count| (1..=MOST_ITERATIONS).contains(count));
        let count =
            count.ok_or_else(|| invalid(format!("{iterations} iterations: 4096 to 16384 are possible")))?;
        let salt = match salt {
            Some(salt) => salt,
            None => {
                let mut salt = vec![0; SALT_BYTES];
                getrandom::fill(&mut salt)
                    .map_err(|error| invalid(format!("the system gives no random numbers: {error}")))?;
                salt.into()
            }
        };
        let hash = mechanism.hash().map_err(|error| error.context(format_args!("{ALTER} of {user}")))?;
        let salted_password = hash.pbkdf2(password.reveal().as_bytes(), &salt, count).into();
        let mechanism = mechanism.code();
        Ok(Prepared::Upsert(ScramCredentialUpsertion {
            name: user,
            mechanism,
            iterations,
            salt,
            salted_password,
        }))
    }
}

impl fmt::Debug for UserScramCredentialAlteration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.change == Change::Delete { "delete" } else { "upsert" };
        write!(f, "{what} {} of {}", self.mechanism, self.user)
    }
}

/// A change as it is sent.
#[derive(Clone)]
enum Prepared {
    Delete(ScramCredentialDeletion),
    Upsert(ScramCredentialUpsertion),
}

/// A change of one user.
struct UserChange {
    user: String,
    change: Prepared,
}

/// A user's changes that are still to be made, and what became of those before.
struct Pending {
    user: String,
    changes: VecDeque<Result<Prepared>>,
    result: Result<()>,
}

impl KafkaAdminClient {
    /// Which SCRAM credentials users have; all users, if none are named. Needs Kafka 2.7, with KRaft 3.5.
    ///
    /// # Errors
    /// [`ErrorKind::Authorization`], [`ErrorKind::UnsupportedVersion`]; for a user
    /// [`RESOURCE_NOT_FOUND`](crate::ErrorCode::RESOURCE_NOT_FOUND) when it has no credential.
    pub fn describe_user_scram_credentials(
        &self,
        users: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Results<String, Vec<ScramCredentialInfo>>> {
        let users: Vec<UserName> = users.into_iter().map(|name| UserName { name: name.into() }).collect();
        self.call(DESCRIBE, move |admin, call| async move {
            let users = (!users.is_empty()).then_some(users);
            let request = |_: &At| Ok(DescribeUserScramCredentialsRequest { users: users.clone() });
            let judge = |response: &DescribeUserScramCredentialsResponse| {
                verdict(response.error_code, response.error_message.as_deref(), DESCRIBE)
            };
            let response = admin.ask_one(call, Route::Any, request, judge).await?;
            let mut results: Results<String, Vec<ScramCredentialInfo>> = Vec::new();
            for answer in response.results {
                let what = format!("{DESCRIBE} of {}", answer.user);
                let credentials =
                    verdict(answer.error_code, answer.error_message.as_deref(), &what).map(|()| {
                        let info = answer.credential_infos.iter().map(|info| ScramCredentialInfo {
                            mechanism: ScramMechanism::from_code(info.mechanism),
                            iterations: info.iterations,
                        });
                        let mut info: Vec<_> = info.collect();
                        info.sort_unstable();
                        info
                    });
                results.push((answer.user, credentials));
            }
            let Some(wanted) = users else {
                results.sort_by(|(a, _), (b, _)| a.cmp(b));
                return Ok(results);
            };
            let result = |user: UserName| {
                let answer = results.iter().find(|(known, _)| *known == user.name);
                let answer = answer.map_or_else(|| Err(unanswered(DESCRIBE)), |(_, result)| result.clone());
                (user.name, answer)
            };
            Ok(wanted.into_iter().map(result).collect())
        })
    }

    /// Sets and removes SCRAM credentials. Needs Kafka 2.7, with KRaft 3.5.
    ///
    /// Brokers take one change a user at a time, so several of one user are made one after another, in their
    /// order, until one fails; there is one result a user.
    ///
    /// ```
    /// use kavka::KafkaAdminClient;
    /// use kavka::admin::{ScramMechanism, UserScramCredentialAlteration};
    /// # let cluster = kavka::mock::MockCluster::start()?;
    /// # let servers = cluster.bootstrap_servers();
    ///
    /// let admin = KafkaAdminClient::builder().bootstrap_servers(servers).build()?;
    /// let password =
    ///     UserScramCredentialAlteration::upsert("alice", ScramMechanism::ScramSha256, "s3cret").iterations(8192);
    /// for (user, result) in admin.alter_user_scram_credentials([password])? {
    ///     result?;
    ///     println!("{user} has a new password");
    /// }
    /// let users = admin.describe_user_scram_credentials(["alice"])?;
    /// # let (_, credentials) = users.into_iter().next().expect("one user");
    /// # assert_eq!(credentials?[0].iterations, 8192);
    /// # Ok::<(), kavka::Error>(())
    /// ```
    ///
    /// # Errors
    /// For a user [`ErrorKind::Authorization`], [`ErrorKind::InvalidArgument`],
    /// [`ErrorKind::UnsupportedVersion`]; [`RESOURCE_NOT_FOUND`](crate::ErrorCode::RESOURCE_NOT_FOUND) for a
    /// credential that is to be removed,
    /// [`UNACCEPTABLE_CREDENTIAL`](crate::ErrorCode::UNACCEPTABLE_CREDENTIAL) for a number of iterations that the
    /// brokers do not take.
    pub fn alter_user_scram_credentials(
        &self,
        alterations: impl IntoIterator<Item = UserScramCredentialAlteration>,
    ) -> Result<Results<String, ()>> {
        let mut users: Vec<Pending> = Vec::new();
        for alteration in alterations {
            let user = alteration.user.clone();
            let change = alteration.prepare();
            match users.iter_mut().find(|known| known.user == user) {
                Some(known) => known.changes.push_back(change),
                None => users.push(Pending { user, changes: [change].into(), result: Ok(()) }),
            }
        }
        if users.is_empty() {
            return Ok(Vec::new());
        }
        // A removal that was carried out fails the second time.
        self.call(ALTER, move |admin, call| async move {
            let read = |_: &At, response: AlterUserScramCredentialsResponse, changes: &[&UserChange]| {
                changes.iter().map(|change| altered(&response, &change.user)).collect()
            };
            loop {
                let items: Vec<Item<UserChange>> = users.iter_mut().filter_map(Pending::next).collect();
                if items.is_empty() {
                    break;
                }
                let asked =
                    admin.ask(call.never_twice(), items, |_, changes| Ok(message(changes)), read).await;
                for (change, result) in asked {
                    if let Some(known) = users.iter_mut().find(|known| known.user == change.user) {
                        known.result = result;
                    }
                }
            }
            Ok(users.into_iter().map(|known| (known.user, known.result)).collect())
        })
    }
}

impl Pending {
    /// The next change that is to be made, unless one before has failed.
    fn next(&mut self) -> Option<Item<UserChange>> {
        if self.result.is_err() {
            return None;
        }
        match self.changes.pop_front()? {
            Ok(change) => Some(Item::new(Route::Controller, UserChange { user: self.user.clone(), change })),
            Err(error) => {
                self.result = Err(error);
                None
            }
        }
    }
}

fn message(changes: &[&UserChange]) -> AlterUserScramCredentialsRequest {
    let mut request = AlterUserScramCredentialsRequest::default();
    for change in changes {
        match &change.change {
            Prepared::Delete(deletion) => request.deletions.push(deletion.clone()),
            Prepared::Upsert(upsertion) => request.upsertions.push(upsertion.clone()),
        }
    }
    request
}

fn altered(response: &AlterUserScramCredentialsResponse, user: &str) -> Result<()> {
    let what = format!("{ALTER} of {user}");
    let answer = response.results.iter().find(|answer| answer.user == user);
    let answer = answer.ok_or_else(|| unanswered(&what))?;
    verdict(answer.error_code, answer.error_message.as_deref(), &what)
}

const DESCRIBE: &str = "describe SCRAM credentials";
const ALTER: &str = "alter SCRAM credentials";
/// kafka-python's default, and the least that brokers take.
const ITERATIONS: i32 = 4096;
/// Past what brokers take, and still done in a second.
const MOST_ITERATIONS: u32 = 1_000_000;
const SALT_BYTES: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    fn upserted(alteration: UserScramCredentialAlteration) -> ScramCredentialUpsertion {
        match alteration.prepare().expect("valid") {
            Prepared::Upsert(upsertion) => upsertion,
            Prepared::Delete(_) => panic!("a password was to be set"),
        }
    }

    #[test]
    fn passwords_are_salted_as_rfc_7677_has_it() {
        // The example of RFC 7677: user "user", password "pencil".
        let salt = b"\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81";
        let alteration = UserScramCredentialAlteration::upsert("user", ScramMechanism::ScramSha256, "pencil");
        let upsertion = upserted(alteration.salt(salt.to_vec()));
        assert_eq!((upsertion.mechanism, upsertion.iterations), (1, 4096));
        let hex: String = upsertion.salted_password.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "c4a49510323ab4f952cac1fa99441939e78ea74d6be81ddf7096e87513dc615d");
    }

    #[test]
    fn each_password_has_a_salt_of_its_own() {
        let one = || {
            let alteration = UserScramCredentialAlteration::upsert("u", ScramMechanism::ScramSha512, "p");
            upserted(alteration)
        };
        let (a, b) = (one(), one());
        assert_eq!((a.salt.len(), a.salted_password.len()), (24, 64));
        assert_ne!(a.salt, b.salt);
        assert_ne!(a.salted_password, b.salted_password);
    }

    #[test]
    fn what_cannot_be_sent_is_refused_here() {
        let upsert = |password: &str| {
            UserScramCredentialAlteration::upsert("alice", ScramMechanism::ScramSha256, password)
        };
        for alteration in [
            upsert(""),
            upsert("p").iterations(0),
            upsert("p").iterations(i32::MAX),
            UserScramCredentialAlteration::upsert("alice", ScramMechanism::Unknown(9), "p"),
        ] {
            let Err(error) = alteration.prepare() else { panic!("it was taken") };
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.to_string().contains("alice"), "{error}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let alteration = UserScramCredentialAlteration::upsert("alice", ScramMechanism::ScramSha256, "hush");
        assert_eq!(format!("{alteration:?}"), "upsert SCRAM-SHA-256 of alice");
    }
}
