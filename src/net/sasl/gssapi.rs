//! GSSAPI (RFC 4752), which is Kerberos: through the system's library, with its configuration and ticket cache.

use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use libgssapi::context::{ClientCtx, CtxFlags, SecurityContext};
use libgssapi::credential::{Cred, CredUsage};
use libgssapi::name::Name;
use libgssapi::oid::{GSS_MECH_KRB5, GSS_NT_HOSTBASED_SERVICE, GSS_NT_KRB5_PRINCIPAL, OidSet};
use parking_lot::Mutex;

use super::{Exchange, Mechanism, Peer, Reply, unexpected};
use crate::config::Kerberos;
use crate::error::{Error, ErrorKind, Result, printable};

pub(super) struct Gssapi {
    kerberos: Kerberos,
    /// Held while a ticket is fetched, so that many connections fetch one.
    fetching: Mutex<()>,
}

impl Gssapi {
    pub(super) fn new(kerberos: Kerberos) -> Self {
        Self { kerberos, fetching: Mutex::new(()) }
    }

    fn credentials(&self) -> Result<Cred> {
        let acquire = || -> Result<Cred, libgssapi::error::Error> {
            let name = self.kerberos.principal.as_ref();
            let name =
                name.map(|name| Name::new(name.as_bytes(), Some(GSS_NT_KRB5_PRINCIPAL))).transpose()?;
            let mut mechanisms = OidSet::new();
            mechanisms.add(GSS_MECH_KRB5)?;
            Cred::acquire(name.as_ref(), None, CredUsage::Initiate, Some(&mechanisms))
        };
        let Some(keytab) = &self.kerberos.keytab else {
            return acquire().map_err(|error| failed("ticket", &error));
        };
        // One that hangs does not hold up the others for ever.
        let _fetching = self.fetching.try_lock_for(PATIENCE);
        if let Ok(credentials) = acquire() {
            if credentials.lifetime().is_ok_and(|left| left > SHORTEST_TICKET) {
                return Ok(credentials);
            }
        }
        let principal = self.kerberos.principal.as_deref().unwrap_or_default();
        let output = Command::new(&self.kerberos.kinit)
            .arg("-k")
            .arg("-t")
            .arg(keytab)
            .arg(principal)
            .output()
            .map_err(|cause| {
                let text = format!("{} could not be run", self.kerberos.kinit);
                Error::new(ErrorKind::Authentication, text).with_source(cause)
            })?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            let words = printable(words.trim());
            let text = format!("no ticket for {principal}: {}: {words}", self.kerberos.kinit);
            return Err(Error::new(ErrorKind::Authentication, text));
        }
        acquire().map_err(|error| failed("ticket", &error))
    }

    fn target(&self, host: &str) -> Result<Name> {
        let (name, kind) = match &self.kerberos.name {
            Some(name) if name.contains('/') => (name.clone(), GSS_NT_KRB5_PRINCIPAL),
            Some(name) => (name.clone(), GSS_NT_HOSTBASED_SERVICE),
            None => {
                let host = self.kerberos.domain.as_deref().unwrap_or(host);
                (format!("{}@{host}", self.kerberos.service), GSS_NT_HOSTBASED_SERVICE)
            }
        };
        Name::new(name.as_bytes(), Some(kind))
            .map_err(|error| failed(&format!("the principal {name}"), &error))
    }
}

impl Mechanism for Gssapi {
    fn name(&self) -> &str {
        "GSSAPI"
    }

    fn begin(&self, peer: &Peer) -> Result<Box<dyn Exchange>> {
        let flags = CtxFlags::GSS_C_MUTUAL_FLAG | CtxFlags::GSS_C_INTEG_FLAG | CtxFlags::GSS_C_SEQUENCE_FLAG;
        let context =
            ClientCtx::new(Some(self.credentials()?), self.target(&peer.host)?, flags, Some(GSS_MECH_KRB5));
        Ok(Box::new(Negotiating { context, state: State::Context }))
    }
}

struct Negotiating {
    context: ClientCtx,
    state: State,
}

enum State {
    /// Both sides prove who they are.
    Context,
    /// The broker offers layers of security on top of the connection.
    Layers,
    Done,
}

impl Exchange for Negotiating {
    fn respond(&mut self, challenge: Option<&[u8]>) -> Result<Reply> {
        match self.state {
            State::Context => {
                let token = self.context.step(challenge, None).map_err(|error| failed("Kerberos", &error))?;
                if self.context.is_complete() {
                    self.state = State::Layers;
                }
                Ok(Reply::Send(token.map_or_else(Bytes::new, |token| Bytes::copy_from_slice(&token))))
            }
            State::Layers => {
                let offer = self
                    .context
                    .unwrap(challenge.unwrap_or_default())
                    .map_err(|error| failed("the broker's offer of security layers", &error))?;
                // One byte of layers, three of the largest message.
                if offer.len() != 4 || offer.first().is_none_or(|layers| layers & NO_LAYER == 0) {
                    return Err(unexpected(
                        "the broker wants a security layer of Kerberos, which Kafka does not have",
                    ));
                }
                // No layer, hence no message, and nobody is acted for.
                let choice = self
                    .context
                    .wrap(false, &[NO_LAYER, 0, 0, 0])
                    .map_err(|error| failed("the choice of a security layer", &error))?;
                self.state = State::Done;
                Ok(Reply::Send(Bytes::copy_from_slice(&choice)))
            }
            State::Done => Ok(Reply::Done),
        }
    }
}

fn failed(what: &str, error: &libgssapi::error::Error) -> Error {
    Error::new(ErrorKind::Authentication, format!("{what}: {error}"))
}

const NO_LAYER: u8 = 1;

/// How long a ticket that another connection fetches is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A ticket that is nearer to its end than this is got anew, if there is a keytab to do so.
const SHORTEST_TICKET: Duration = Duration::from_secs(300);
