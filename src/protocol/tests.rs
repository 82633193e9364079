//! Every message, at every version.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use proptest::prelude::*;

use super::arbitrary::{named, random};
use super::field::Field;
use super::messages::produce::PartitionProduceData;
use super::messages::{
    ApiVersionsResponse, HeartbeatRequest, HeartbeatResponse, InitProducerIdRequest, MetadataRequest,
    ProduceRequest, SaslAuthenticateRequest,
};
use super::schema::{StructSchema, Type};
use super::{
    DecodeErrorKind, EncodeError, EncodeErrorKind, Message, Reader, Request, Response, Schema, Writer,
};

/// A message type without its type.
struct Case {
    schema: &'static Schema,
    /// Encodes a random message and checks that decoding gives it back. Returns the bytes.
    round_trip: fn(u64, i16) -> Bytes,
    /// Decodes bytes and encodes what comes out.
    decode: fn(Bytes, i16),
    /// Compares with the bytes that Kafka's classes made, in both directions.
    golden: fn(bool, i16, Bytes),
}

fn case<M: Message + Field>() -> Case {
    Case { schema: M::SCHEMA, round_trip: round_trip::<M>, decode: decode::<M>, golden: golden::<M> }
}

fn round_trip<M: Message + Field>(seed: u64, version: i16) -> Bytes {
    let name = M::SCHEMA.name;
    let message = random::<M>(seed, version);
    let mut w = Writer::new();
    message.encode(&mut w, version).unwrap_or_else(|e| panic!("{e}: {message:#?}"));
    let len = w.len();
    let bytes = Bytes::from(w.into_vec());
    assert_eq!(bytes.len(), len, "{name} v{version}");
    let mut r = Reader::new(bytes.clone());
    let decoded = M::decode(&mut r, version).unwrap_or_else(|e| panic!("{e}: {message:#?}"));
    assert_eq!(decoded, message, "{name} v{version}");
    assert_eq!(r.remaining(), 0, "{name} v{version}");
    bytes
}

/// What can be decoded can be encoded again. The bytes may differ, because unknown tags, defaults behind tags and
/// needlessly long varints are not kept; but they say the same.
fn decode<M: Message + Field>(bytes: Bytes, version: i16) {
    let len = bytes.len();
    let mut r = Reader::new(bytes);
    let result = M::decode(&mut r, version);
    assert!(r.reserved <= 40 * len + 500, "{} v{version}: {} of {len}", M::SCHEMA.name, r.reserved);
    let Ok(message) = result else { return };
    let mut w = Writer::new();
    message.encode(&mut w, version).unwrap_or_else(|e| panic!("{e}: {message:#?}"));
    let again = M::decode(&mut Reader::new(w.into_vec().into()), version).unwrap();
    // As text, because a flipped bit may have made a NaN.
    assert_eq!(format!("{again:?}"), format!("{message:?}"));
}

fn golden<M: Message + Field>(bare: bool, version: i16, bytes: Bytes) {
    let message = named::<M>(bare, version);
    let mut w = Writer::new();
    message.encode(&mut w, version).unwrap_or_else(|e| panic!("{e}: {message:#?}"));
    assert_eq!(w.into_vec(), bytes, "{} v{version}: {message:#?}", M::SCHEMA.name);
    let mut r = Reader::new(bytes);
    assert_eq!(M::decode(&mut r, version).unwrap(), message, "{} v{version}", M::SCHEMA.name);
    assert_eq!(r.remaining(), 0);
}

macro_rules! cases {
    ($($($name:ident),*;)*) => {
        const CASES: &[fn() -> Case] = &[$($(case::<super::messages::$name>,)*)*];
    };
}

super::messages::with_all_messages!(cases);

fn for_each_version(mut check: impl FnMut(&Case, i16)) {
    for case in CASES {
        let case = case();
        for version in case.schema.versions.min..=case.schema.versions.max {
            check(&case, version);
        }
    }
}

#[test]
fn every_message_comes_back_at_every_version() {
    for_each_version(|case, version| {
        for seed in 0..40 {
            (case.round_trip)(seed, version);
        }
    });
}

#[test]
fn truncated_messages_give_an_error_or_a_value() {
    for_each_version(|case, version| {
        for seed in 0..2 {
            let bytes = (case.round_trip)(seed, version);
            for len in 0..bytes.len().min(400) {
                guarded(case, version, bytes.slice(..len));
            }
        }
    });
}

#[test]
fn flipped_bits_give_an_error_or_a_value() {
    for_each_version(|case, version| {
        let bytes = (case.round_trip)(1, version);
        for at in 0..bytes.len().min(250) {
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = bytes.to_vec();
                damaged[at] ^= flip;
                guarded(case, version, damaged.into());
            }
        }
    });
}

/// Made by Kafka's own classes; see `tests/golden/README.md`.
const GOLDEN: &str = include_str!("../../tests/data/golden/messages.txt");

#[test]
fn kafkas_own_classes_make_the_same_bytes() {
    let mut lines = HashMap::new();
    for line in GOLDEN.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let &[name, version, variant, hex] = words.as_slice() else { panic!("{line}") };
        assert!(["full", "bare"].contains(&variant), "{line}");
        let digits = hex.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).unwrap());
        let bytes: Bytes = digits.map(|two| u8::from_str_radix(two, 16).unwrap()).collect();
        lines.insert((name, version.parse::<i16>().unwrap(), variant == "bare"), bytes);
    }
    for_each_version(|case, version| {
        for bare in [false, true] {
            let bytes = lines.remove(&(case.schema.name, version, bare));
            let bytes = bytes.unwrap_or_else(|| panic!("no golden bytes of {} v{version}", case.schema.name));
            (case.golden)(bare, version, bytes);
        }
    });
    assert!(lines.is_empty(), "golden bytes of messages that are not known: {:?}", lines.keys());
}

/// Messages of which nearly every length says that all of the rest belongs to it.
#[test]
fn lying_lengths_reserve_no_more_than_the_message_is_worth() {
    for_each_version(|case, version| {
        for len in [2, 10, 100, 5000] {
            for byte in [0, 1, 0x7f, 0xff] {
                guarded(case, version, vec![byte; len].into());
                let compact = [(len / 2) as u8 | 0x80, 0x01, byte, byte];
                guarded(case, version, compact.into_iter().cycle().take(len).collect());
                let plain = (len as u32 / 2).to_be_bytes();
                guarded(case, version, plain.into_iter().cycle().take(len).collect());
                guarded(
                    case,
                    version,
                    [byte].into_iter().chain(plain.into_iter().cycle()).take(len).collect(),
                );
            }
        }
    });
}

fn guarded(case: &Case, version: i16, bytes: Bytes) {
    let result = catch_unwind(AssertUnwindSafe(|| (case.decode)(bytes.clone(), version)));
    assert!(result.is_ok(), "{} v{version} panics on {bytes:02x?}", case.schema.name);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn any_message(which in 0..CASES.len(), version in 0..i16::MAX, seed: u64) {
        let case = CASES[which]();
        let versions = case.schema.versions;
        (case.round_trip)(seed, versions.min + version % (versions.max - versions.min + 1));
    }

    #[test]
    fn any_bytes(which in 0..CASES.len(), version in 0..i16::MAX, bytes: Vec<u8>) {
        let case = CASES[which]();
        let versions = case.schema.versions;
        (case.decode)(bytes.into(), versions.min + version % (versions.max - versions.min + 1));
    }
}

fn encoded<M: Message>(message: &M, version: i16) -> Result<Vec<u8>, EncodeError> {
    let mut w = Writer::new();
    message.encode(&mut w, version)?;
    Ok(w.into_vec())
}

#[test]
fn a_version_refuses_what_it_cannot_carry() {
    let request = HeartbeatRequest { group_instance_id: Some("static".into()), ..Default::default() };
    let error = encoded(&request, 2).unwrap_err();
    assert_eq!(error.kind(), EncodeErrorKind::UnsupportedField);
    assert_eq!((error.message(), error.field()), ("HeartbeatRequest", "HeartbeatRequest.group_instance_id"));
    assert_eq!(crate::Error::from(error).kind(), crate::ErrorKind::UnsupportedVersion);
    encoded(&request, 3).unwrap();

    let all_topics = MetadataRequest { topics: None, ..Default::default() };
    assert_eq!(encoded(&all_topics, 0).unwrap_err().kind(), EncodeErrorKind::UnexpectedNull);
    assert_eq!(encoded(&all_topics, 1).unwrap()[..], [0xff, 0xff, 0xff, 0xff]);

    for version in [-1, HeartbeatRequest::VERSIONS.max + 1] {
        assert_eq!(encoded(&request, version).unwrap_err().kind(), EncodeErrorKind::UnknownVersion);
        let error = HeartbeatRequest::decode(&mut Reader::new(Bytes::new()), version).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::UnknownVersion);
    }
}

#[test]
fn a_version_drops_what_may_be_ignored() {
    let response = HeartbeatResponse { throttle_time_ms: 5, ..Default::default() };
    assert_eq!(encoded(&response, 0).unwrap(), [0, 0]);
    assert_eq!(response.throttle_time_ms(), 5);
}

#[test]
fn errors_name_the_field() {
    let error =
        HeartbeatRequest::decode(&mut Reader::new(Bytes::from_static(b"\0\x01g\0\0")), 1).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::Truncated { wanted: 4, left: 2 });
    assert_eq!((error.message(), error.field()), ("HeartbeatRequest", "HeartbeatRequest.generation_id"));
    assert_eq!(crate::Error::from(error).kind(), crate::ErrorKind::Protocol);
}

#[test]
fn unknown_tagged_fields_are_skipped() {
    let mut bytes = encoded(&HeartbeatResponse::default(), 4).unwrap();
    assert_eq!(bytes.pop(), Some(0));
    bytes.extend([2, 0, 1, 7, 99, 3, 1, 2, 3]);
    let mut r = Reader::new(bytes.into());
    assert_eq!(HeartbeatResponse::decode(&mut r, 4).unwrap(), HeartbeatResponse::default());
    r.finish().unwrap();
}

#[test]
fn a_tagged_field_has_to_fill_its_length() {
    let response = ApiVersionsResponse { finalized_features_epoch: 1, ..Default::default() };
    let mut bytes = encoded(&response, 3).unwrap();
    // Count, tag, length and eight bytes.
    let at = bytes.len() - 9;
    assert_eq!(bytes[at - 2..=at], [1, 1, 8]);
    bytes[at] = 9;
    bytes.push(0);
    let error = ApiVersionsResponse::decode(&mut Reader::new(bytes.into()), 3).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::LeftOver { left: 1 });
}

#[test]
fn secrets_and_records_stay_out_of_debug_output() {
    let request = SaslAuthenticateRequest { auth_bytes: "hunter2".into() };
    assert_eq!(format!("{request:?}"), "SaslAuthenticateRequest { auth_bytes: *** }");
    let data = PartitionProduceData { index: 1, records: Some("payload".into()) };
    assert_eq!(format!("{data:?}"), "PartitionProduceData { index: 1, records: Some(7 bytes) }");
}

#[test]
fn tags_ascend_as_the_wire_wants_them() {
    fn check(body: &StructSchema) {
        let tags: Vec<_> = body.fields.iter().filter_map(|field| field.tag).collect();
        assert!(tags.windows(2).all(|pair| pair[0] < pair[1]), "{}", body.name);
        for field in body.fields {
            match field.ty {
                Type::Struct(body) | Type::Array(&Type::Struct(body)) => check(body),
                _ => {}
            }
        }
    }
    super::messages::ALL.iter().for_each(|schema| check(schema.body));
}

#[test]
fn unstable_versions_are_not_for_negotiation() {
    assert_eq!(InitProducerIdRequest::VERSIONS.max, 5);
    assert_eq!(InitProducerIdRequest::MAX_UNSTABLE_VERSION, 6);
    assert_eq!(ProduceRequest::VERSIONS.max, ProduceRequest::MAX_UNSTABLE_VERSION);
}
