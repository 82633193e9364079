//! Messages behind two bytes of their version.
//!
//! So go [`ConsumerProtocolSubscription`] and [`ConsumerProtocolAssignment`], which consumers of classic groups put
//! into the opaque bytes of JoinGroup and SyncGroup, and the keys and values of control records. Writers and readers
//! may be of different ages, and no broker translates between them: a newer version only ever adds fields at the
//! end, and a reader takes what it knows.
//!
//! [`ConsumerProtocolSubscription`]: super::messages::ConsumerProtocolSubscription
//! [`ConsumerProtocolAssignment`]: super::messages::ConsumerProtocolAssignment

use bytes::Bytes;

use super::Message;
use super::wire::{DecodeError, DecodeErrorKind, EncodeError, Reader, Writer};

/// The version and the message, in one piece.
///
/// # Errors
/// When the version does not exist, or cannot carry what is set.
pub fn encode_versioned<M: Message>(message: &M, version: i16) -> Result<Bytes, EncodeError> {
    let mut w = Writer::new();
    w.put_i16(version);
    message.encode(&mut w, version)?;
    Ok(w.into_vec().into())
}

/// The message, and the version that its writer used, which may be newer than what kavka knows.
///
/// # Errors
/// When the bytes are not such a message.
pub fn decode_versioned<M: Message>(bytes: Bytes) -> Result<(i16, M), DecodeError> {
    let mut r = Reader::new(bytes);
    r.enter_message(M::SCHEMA.name, M::SCHEMA.versions.max);
    let version = r.take_i16()?;
    if version < M::SCHEMA.versions.min {
        return Err(r.error(DecodeErrorKind::UnknownVersion));
    }
    let message = M::decode(&mut r, version.min(M::SCHEMA.versions.max))?;
    Ok((version, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::messages::{
        ConsumerProtocolAssignment, ConsumerProtocolSubscription, ControlRecordTypeSchema,
    };

    #[test]
    fn a_newer_version_is_read_as_far_as_it_is_known() {
        let subscription = ConsumerProtocolSubscription {
            topics: vec!["orders".into()],
            generation_id: 3,
            rack_id: Some("r1".into()),
            ..Default::default()
        };
        let mut bytes = encode_versioned(&subscription, 3).unwrap().to_vec();
        bytes[1] = 9;
        bytes.extend(b"more");
        let (version, read) = decode_versioned::<ConsumerProtocolSubscription>(bytes.into()).unwrap();
        assert_eq!((version, read), (9, subscription));
    }

    #[test]
    fn the_key_of_a_commit_marker() {
        let (version, key) = decode_versioned(Bytes::from_static(b"\0\0\0\x01")).unwrap();
        assert_eq!((version, key), (0, ControlRecordTypeSchema { type_: 1 }));
    }

    #[test]
    fn a_negative_version_is_refused() {
        let error =
            decode_versioned::<ConsumerProtocolAssignment>(Bytes::from_static(b"\xff\xff")).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::UnknownVersion);
        assert_eq!(error.message(), "ConsumerProtocolAssignment");
    }
}
