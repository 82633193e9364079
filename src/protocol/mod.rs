//! Kafka's wire messages: bytes in, bytes out, no IO.
//!
//! Every message is declared once, in a table under [`messages`]. From the table come the struct, its defaults,
//! both directions of the wire format in all versions, and a constant [`Schema`] which tools can read.
//!
//! ```
//! use kavka::protocol::messages::{HeartbeatRequest, HeartbeatResponse};
//! use kavka::protocol::{Message, Reader, Request, Writer};
//!
//! let request = HeartbeatRequest { group_id: "billing".into(), generation_id: 7, ..Default::default() };
//! let mut writer = Writer::new();
//! request.encode(&mut writer, HeartbeatRequest::VERSIONS.max)?;
//!
//! let mut reader = Reader::new(writer.into_vec().into());
//! assert_eq!(HeartbeatRequest::decode(&mut reader, HeartbeatRequest::VERSIONS.max)?, request);
//! # Ok::<(), kavka::Error>(())
//! ```
//!
//! Tagged fields that a message does not know (KIP-482) are skipped; they are not kept for the way back.

#[macro_use]
mod dsl;

pub mod api_key;
mod field;
pub mod frame;
pub mod header;
#[cfg(feature = "json")]
pub mod json;
pub mod messages;
pub mod schema;
mod uuid;
mod versioned;
pub mod wire;
mod wire_error;

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod tests;

pub use api_key::ApiKey;
pub use frame::{decode_request, decode_response, encode_request, encode_response};
pub use header::{RequestHeader, ResponseHeader};
pub use schema::{Schema, VersionRange};
pub use uuid::Uuid;
pub use versioned::{decode_versioned, encode_versioned};
pub use wire::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind, Reader, Writer};

/// A message with a wire format.
pub trait Message: Default + Clone + std::fmt::Debug + PartialEq + Send + Sync + 'static {
    /// What the message looks like on the wire, in every version.
    const SCHEMA: &'static Schema;

    /// Appends the message as `version` lays it out.
    ///
    /// # Errors
    /// When the version does not exist, or cannot carry what is set.
    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError>;

    /// Reads a message that was laid out as `version` says. Bytes behind it stay in the reader.
    ///
    /// # Errors
    /// When the version does not exist, or the bytes are not such a message.
    fn decode(r: &mut Reader, version: i16) -> Result<Self, DecodeError>;
}

/// A message from a client to a broker.
pub trait Request: Message {
    /// What the broker answers with.
    type Response: Response;

    /// The API.
    const API_KEY: ApiKey;

    /// The versions that kavka speaks, from the oldest of Kafka 0.10.0 to the newest stable one.
    const VERSIONS: VersionRange;

    /// The newest version, be it stable or not. Brokers accept an unstable one only when they are told to, so
    /// a client must not pick it by itself.
    const MAX_UNSTABLE_VERSION: i16;

    /// Whether the version has compact lengths and tagged fields (KIP-482).
    fn is_flexible(version: i16) -> bool {
        Self::SCHEMA.is_flexible(version)
    }

    /// The version of the request's header.
    fn header_version(version: i16) -> i16 {
        if Self::is_flexible(version) { 2 } else { 1 }
    }

    /// The version of the response's header.
    ///
    /// That of ApiVersions is 0 for ever: a client must be able to read it before it knows the broker.
    fn response_header_version(version: i16) -> i16 {
        if Self::is_flexible(version) && Self::API_KEY != ApiKey::API_VERSIONS { 1 } else { 0 }
    }
}

/// A message from a broker to a client.
pub trait Response: Message {
    /// How long the broker held the request back because of a quota, in milliseconds; 0 where the message does
    /// not tell.
    fn throttle_time_ms(&self) -> i32 {
        0
    }
}
