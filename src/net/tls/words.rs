//! What TLS errors mean and what helps, the same for both backends.

use std::fmt::Display;

pub(super) fn not_trusted(why: impl Display) -> String {
    format!(
        "the broker's certificate is signed by no CA that is trusted ({why}): name its CA in ssl.truststore.location \
         (ssl_cafile)"
    )
}

pub(super) fn wrong_name(why: impl Display) -> String {
    format!(
        "the broker's certificate is for another name ({why}): connect by a name that it is for, set ssl.server.name, \
         or set ssl.endpoint.identification.algorithm (ssl_check_hostname) to none"
    )
}

pub(super) fn expired(why: impl Display) -> String {
    format!(
        "the broker's certificate is not valid at this time ({why}): have it renewed, and compare the clocks"
    )
}

#[cfg(feature = "rustls")]
pub(super) fn revoked(why: impl Display) -> String {
    format!("the broker's certificate does not pass ssl.crl.location (ssl_crlfile): {why}")
}

#[cfg(feature = "rustls")]
pub(super) fn bad_certificate(why: impl Display) -> String {
    format!("the broker's certificate cannot be accepted: {why}")
}

pub(super) fn client_certificate_refused(why: impl Display) -> String {
    format!(
        "the broker refused the client's certificate, or misses one ({why}): set ssl.keystore.location (ssl_certfile) \
         to one that a CA of the broker's has signed"
    )
}

pub(super) fn no_common_version(why: impl Display) -> String {
    format!(
        "client and broker have no version of TLS in common ({why}): see ssl.enabled.protocols and ssl.protocol"
    )
}

pub(super) fn handshake_refused(why: impl Display) -> String {
    format!(
        "the broker refused the handshake ({why}): there may be no cipher suite in common, or it does not know the \
         name that was asked for (ssl.server.name)"
    )
}

pub(super) fn ended(why: impl Display) -> String {
    format!("the peer ended the TLS session ({why})")
}

/// What came was altered on its way.
pub(super) fn broke(why: impl Display) -> String {
    format!("the TLS session broke ({why})")
}
