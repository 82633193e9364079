//! What TLS errors mean and what helps, the same for both backends.

use std::fmt::Display;

use crate::error::printable;

pub(super) fn not_trusted(why: impl Display) -> String {
    format!(
        "the broker's certificate is signed by no CA that is trusted ({}): name its CA in ssl.truststore.location \
         (ssl_cafile)",
        printable(why)
    )
}

pub(super) fn wrong_name(why: impl Display) -> String {
    format!(
        "the broker's certificate is for another name ({}): connect by a name that it is for, set ssl.server.name, \
         or set ssl.endpoint.identification.algorithm (ssl_check_hostname) to none",
        printable(why)
    )
}

pub(super) fn expired(why: impl Display) -> String {
    format!(
        "the broker's certificate is not valid at this time ({}): have it renewed, and compare the clocks",
        printable(why)
    )
}

#[cfg(feature = "rustls")]
pub(super) fn revoked(why: impl Display) -> String {
    format!("the broker's certificate does not pass ssl.crl.location (ssl_crlfile): {}", printable(why))
}

#[cfg(feature = "rustls")]
pub(super) fn bad_certificate(why: impl Display) -> String {
    format!("the broker's certificate cannot be accepted: {}", printable(why))
}

pub(super) fn client_certificate_refused(why: impl Display) -> String {
    format!(
        "the broker refused the client's certificate, or misses one ({}): set ssl.keystore.location (ssl_certfile) \
         to one that a CA of the broker's has signed",
        printable(why)
    )
}

pub(super) fn no_common_version(why: impl Display) -> String {
    format!(
        "client and broker have no version of TLS in common ({}): see ssl.enabled.protocols and ssl.protocol",
        printable(why)
    )
}

pub(super) fn handshake_refused(why: impl Display) -> String {
    format!(
        "the broker refused the handshake ({}): there may be no cipher suite in common, or it does not know the \
         name that was asked for (ssl.server.name)",
        printable(why)
    )
}

pub(super) fn ended(why: impl Display) -> String {
    format!("the peer ended the TLS session ({})", printable(why))
}

/// What came was altered on its way.
pub(super) fn broke(why: impl Display) -> String {
    format!("the TLS session broke ({})", printable(why))
}
