//! `kavka admin tokens`.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use kavka::admin::{DelegationToken, KafkaPrincipal, NewDelegationToken};

use super::arguments::Pause;
use super::report::{Item, Report};
use super::session::Session;
use crate::common::Outcome;

/// Delegation tokens: short-lived credentials for other programs.
#[derive(Subcommand)]
pub(crate) enum Tokens {
    /// Make a token, and print its secret.
    Create(Create),
    /// Tokens that this user may see, with their secrets.
    Describe(Describe),
    /// Make a token last longer.
    Renew(Change),
    /// Have a token end earlier.
    Expire(Change),
}

#[derive(Args)]
pub(crate) struct Create {
    /// Whose rights it gives, such as User:alice; those of the user who asks, if it is left out.
    #[arg(long, value_name = "PRINCIPAL")]
    owner: Option<KafkaPrincipal>,

    /// Who may renew it, beside of its owner; several with commas, or by repeating the option.
    #[arg(long = "renewer", value_name = "PRINCIPAL", value_delimiter = ',')]
    renewers: Vec<KafkaPrincipal>,

    /// How long it lives at most: 12h, 7d.
    #[arg(long, value_name = "TIME")]
    max_lifetime: Option<Pause>,
}

#[derive(Args)]
pub(crate) struct Describe {
    /// Tokens that this principal owns or may renew alone, such as User:alice; several with commas, or by repeating the option.
    #[arg(long = "owner", value_name = "PRINCIPAL", value_delimiter = ',')]
    owners: Vec<KafkaPrincipal>,
}

#[derive(Args)]
pub(crate) struct Change {
    /// The token's secret, in Base64 as it is printed.
    #[arg(long, value_name = "BASE64")]
    hmac: Hmac,

    /// From now on so long: 12h, 7d. The brokers' default if it is left out; for expire at once.
    #[arg(long, value_name = "TIME")]
    period: Option<Pause>,
}

#[derive(Clone)]
struct Hmac(Vec<u8>);

impl FromStr for Hmac {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        STANDARD.decode(text).map(Self).map_err(|error| format!("it has to be Base64: {error}"))
    }
}

impl Tokens {
    pub(super) fn run(self, session: &Session) -> Outcome<Report> {
        match self {
            Self::Create(create) => create.run(session),
            Self::Describe(describe) => describe.run(session),
            Self::Renew(change) => {
                let period = change.period.map(|Pause(period)| period);
                let expiry =
                    session.wait("renewing", |admin| admin.renew_delegation_token(&change.hmac.0, period))?;
                Ok(expires(expiry))
            }
            Self::Expire(change) => {
                session.confirm("have the token end")?;
                let period = change.period.map(|Pause(period)| period);
                let expiry = session
                    .wait("expiring", |admin| admin.expire_delegation_token(&change.hmac.0, period))?;
                Ok(expires(expiry))
            }
        }
    }
}

impl Create {
    fn run(self, session: &Session) -> Outcome<Report> {
        let mut token = NewDelegationToken::new();
        if let Some(owner) = self.owner {
            token = token.owner(owner);
        }
        token = self.renewers.into_iter().fold(token, NewDelegationToken::renewer);
        if let Some(Pause(lifetime)) = self.max_lifetime {
            token = token.max_lifetime(lifetime);
        }
        let made = session.wait("making the token", |admin| admin.create_delegation_token(&token))?;
        Ok(Report::one(item(&made)))
    }
}

impl Describe {
    fn run(self, session: &Session) -> Outcome<Report> {
        let tokens =
            session.wait("describing tokens", |admin| admin.describe_delegation_tokens(self.owners))?;
        Ok(Report::list(tokens.iter().map(item)))
    }
}

fn item(token: &DelegationToken) -> Item {
    Item::new()
        .with("token_id", token.token_id.as_str())
        .with("hmac", STANDARD.encode(token.hmac()))
        .with("owner", token.owner.to_string())
        .with("requester", token.requester.to_string())
        .with("renewers", token.renewers.iter().map(ToString::to_string).collect::<Vec<_>>())
        .with("issue_timestamp_ms", token.issue_timestamp)
        .with("expiry_timestamp_ms", token.expiry_timestamp)
        .with("max_timestamp_ms", token.max_timestamp)
}

fn expires(timestamp: i64) -> Report {
    Report::one(Item::new().with("expiry_timestamp_ms", timestamp))
}
