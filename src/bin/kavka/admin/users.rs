//! `kavka admin users`.

use std::str::FromStr;

use clap::{Args, Subcommand};
use kavka::admin::{ScramMechanism, UserScramCredentialAlteration};

use super::arguments::enumerate;
use super::report::{Item, Report};
use super::session::Session;
use crate::common::Outcome;

/// Passwords of users for SCRAM.
#[derive(Subcommand)]
pub(crate) enum Users {
    /// Which credentials users have.
    DescribeScramCredentials(Describe),
    /// Set and remove passwords.
    AlterScramCredentials(Alter),
}

#[derive(Args)]
pub(crate) struct Describe {
    /// A user; several with commas, or by repeating the option. All, if it is left out.
    #[arg(long = "user", value_name = "USER", value_delimiter = ',')]
    users: Vec<String>,
}

#[derive(Args)]
pub(crate) struct Alter {
    /// A credential that is to go; can be repeated.
    #[arg(long = "delete", value_name = "USER:MECHANISM")]
    deletions: Vec<Deletion>,

    /// A password that is to be set; can be repeated. MECHANISM is SCRAM-SHA-256 or SCRAM-SHA-512. Other users of
    /// this machine may see the command line: leave the password out, and it is read from a line of stdin.
    #[arg(long = "upsert", value_name = "USER:MECHANISM[:PASSWORD]", required_unless_present = "deletions")]
    upsertions: Vec<Upsertion>,

    /// How often passwords are hashed; brokers take 4096 to 16384.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    iterations: Option<i32>,
}

#[derive(Clone)]
struct Deletion {
    user: String,
    mechanism: ScramMechanism,
}

#[derive(Clone)]
struct Upsertion {
    user: String,
    mechanism: ScramMechanism,
    password: Option<String>,
}

impl FromStr for Deletion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.rsplit_once(':').filter(|(user, _)| !user.is_empty());
        let (user, mechanism) = parts.ok_or("it has to be USER:MECHANISM, such as alice:SCRAM-SHA-512")?;
        let mechanism = mechanism.parse().map_err(|error: kavka::Error| error.to_string())?;
        Ok(Self { user: user.to_owned(), mechanism })
    }
}

impl FromStr for Upsertion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The password may have colons in it.
        let mut parts = text.splitn(3, ':');
        let user = parts.next().filter(|user| !user.is_empty());
        let (Some(user), Some(mechanism)) = (user, parts.next()) else {
            return Err("it has to be USER:MECHANISM[:PASSWORD], such as alice:SCRAM-SHA-512".to_owned());
        };
        let mechanism = mechanism.parse().map_err(|error: kavka::Error| error.to_string())?;
        Ok(Self { user: user.to_owned(), mechanism, password: parts.next().map(str::to_owned) })
    }
}

impl Users {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        match self {
            Self::DescribeScramCredentials(describe) => describe.run(session),
            Self::AlterScramCredentials(alter) => alter.run(session),
        }
    }
}

impl Describe {
    fn run(self, session: &Session) -> Outcome<Report> {
        let described =
            session.wait("describing users", |admin| admin.describe_user_scram_credentials(self.users))?;
        let mut report = Report::list([]);
        for (user, result) in described {
            match result {
                Err(error) => report.add(Item::new().with("user", user), Err(error)),
                Ok(credentials) => {
                    for one in credentials {
                        let item = Item::new()
                            .with("mechanism", one.mechanism.to_string())
                            .with("iterations", one.iterations);
                        report.add(Item::new().with("user", user.as_str()), Ok(item));
                    }
                }
            }
        }
        Ok(report)
    }
}

impl Alter {
    fn run(self, session: &Session) -> Outcome<Report> {
        if !self.deletions.is_empty() {
            let users = enumerate(self.deletions.iter().map(|deletion| &deletion.user));
            session.confirm(&format!("remove credentials of {users}"))?;
        }
        let mut alterations = Vec::new();
        for Deletion { user, mechanism } in self.deletions {
            alterations.push(UserScramCredentialAlteration::delete(user, mechanism));
        }
        for Upsertion { user, mechanism, password } in self.upsertions {
            let password = match password {
                Some(password) => password,
                None => session.ask_line(&format!("Password of {user}"))?,
            };
            let alteration = UserScramCredentialAlteration::upsert(user, mechanism, password);
            alterations.push(match self.iterations {
                Some(count) => alteration.iterations(count),
                None => alteration,
            });
        }
        let altered =
            session.wait("setting credentials", |admin| admin.alter_user_scram_credentials(alterations))?;
        Ok(Report::results(altered.into_iter().map(|(user, result)| {
            (Item::new().with("user", user), result.map(|()| Item::new().with("status", "altered")))
        })))
    }
}
