//! PLAIN (RFC 4616): user and password as they are.

use bytes::Bytes;

use super::{Exchange, Mechanism, Peer, Reply};
use crate::config::{Credentials, UserPassword};
use crate::error::{Error, ErrorKind, Result};

pub(super) struct Plain(UserPassword);

impl Plain {
    pub(super) fn new(user: UserPassword) -> Self {
        Self(user)
    }
}

impl Mechanism for Plain {
    fn name(&self) -> &str {
        "PLAIN"
    }

    fn begin(&self, _: &Peer) -> Result<Box<dyn Exchange>> {
        Ok(Box::new(Sending(self.0.get()?)))
    }
}

struct Sending(Credentials);

impl Exchange for Sending {
    fn respond(&mut self, challenge: Option<&[u8]>) -> Result<Reply> {
        if challenge.is_some() {
            return Ok(Reply::Done);
        }
        let (user, password) = (&self.0.username, self.0.password.reveal());
        if user.contains('\0') || password.contains('\0') {
            let text = "user or password has a NUL in it, which PLAIN cannot carry";
            return Err(Error::new(ErrorKind::Authentication, text));
        }
        // Nobody is acted for: brokers take an empty name for the user's own.
        Ok(Reply::Send(Bytes::from(format!("\0{user}\0{password}"))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message() {
        let mut exchange = Sending(Credentials::new("alice", "s3cret"));
        assert_eq!(exchange.respond(None).unwrap(), Reply::Send(Bytes::from_static(b"\0alice\0s3cret")));
        assert_eq!(exchange.respond(Some(b"")).unwrap(), Reply::Done);
        let error = Sending(Credentials::new("al\0ice", "s3cret")).respond(None).unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
}
