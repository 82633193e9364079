//! What reads bytes of peers, as functions of bytes alone: for the fuzz targets in `fuzz/`, and for the tests below,
//! which feed the same functions with damaged versions of what is valid.
//!
//! None of them may panic, hang, or take memory out of proportion.

use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use futures_util::FutureExt;

use crate::net::transport::{FrameReader, Stream, Transport};
use crate::net::{http_connect, sasl, socks5};
use crate::protocol::messages;
use crate::protocol::{Message, Reader, RequestHeader, ResponseHeader, Writer};
use crate::record::{Batches, DecompressLimits};

/// The bytes as a stream of frames.
pub fn frames(data: &[u8]) {
    let transport = Transport::new(Box::new(Input(Bytes::copy_from_slice(data))));
    let mut frames = FrameReader::new(1 << 20);
    while let Some(Ok(frame)) = frames.next(&transport).now_or_never() {
        assert!(frame.len() <= data.len());
        let _ = ResponseHeader::decode(&mut Reader::new(frame.clone()), 1);
        let _ = RequestHeader::decode(&mut Reader::new(frame), 2);
    }
}

/// The first two bytes choose a message and its version, the others are it.
pub fn messages(data: &[u8]) {
    let &[message, version, ref body @ ..] = data else { return };
    let body = Bytes::copy_from_slice(body);
    macro_rules! decoders {
        ($($($name:ident),*;)*) => {
            &[$($(decode::<messages::$name> as fn(i16, Bytes),)*)*]
        };
    }
    let decoders: &[fn(i16, Bytes)] = messages::with_all_messages!(decoders);
    if let Some(decode) = decoders.get(usize::from(message) % decoders.len()) {
        decode(i16::from(version), body);
    }
}

/// What can be read can be written, and read again.
fn decode<M: Message>(version: i16, body: Bytes) {
    let versions = M::SCHEMA.versions;
    let version = versions.min + version % (versions.max - versions.min + 1);
    let Ok(message) = M::decode(&mut Reader::new(body.clone()), version) else { return };
    let mut w = Writer::new();
    assert!(message.encode(&mut w, version).is_ok(), "{message:?}");
    let again = M::decode(&mut Reader::new(w.into_vec().into()), version);
    // As text, because there may be a NaN in it.
    assert_eq!(again.map(|again| format!("{again:?}")).ok(), Some(format!("{message:?}")));
    #[cfg(feature = "json")]
    if let Ok(value) = crate::protocol::json::decode(M::SCHEMA, body, version) {
        // Null stands for numbers that JSON does not have.
        let _ = crate::protocol::json::encode(M::SCHEMA, &value, version);
    }
}

/// The bytes as record batches, of any format and codec. The checksum is checked by half of them only: it would keep
/// all damage from what comes behind.
pub fn records(data: &[u8]) {
    let limits = DecompressLimits { max_bytes: 4 << 20 };
    for check_crc in [false, true] {
        for batch in Batches::new(Bytes::copy_from_slice(data)) {
            let Ok(batch) = batch else { continue };
            let _ = batch.control_type();
            let Ok(records) = batch.records(check_crc, &limits) else { continue };
            for record in records.clone() {
                let Ok(record) = record else { break };
                let _ = (records.headers(&record).count(), format!("{record:?}"));
            }
        }
    }
}

/// The bytes up to the first NUL as SCRAM's first message of a broker, the others as its last.
pub fn scram(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    sasl::fuzz_scram(parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
}

/// The bytes as a SOCKS proxy's answer.
pub fn socks(data: &[u8]) {
    if let Ok(length) = socks5::reply_length(data) {
        assert!(length <= 5 + 255 + 2);
    }
    let _ = socks5::check_reply(data);
}

/// The bytes as an HTTP proxy's answer.
pub fn http(data: &[u8]) {
    for with_login in [false, true] {
        if let Ok(Some(length)) = http_connect::check_answer(data, with_login) {
            assert!(length <= data.len());
        }
    }
}

/// A stream that gives what it has.
struct Input(Bytes);

impl Stream for Input {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let count = buf.len().min(self.0.len());
        if let Some(front) = buf.get_mut(..count) {
            self.0.copy_to_slice(front);
        }
        Poll::Ready(Ok(count))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn describe(&self) -> String {
        "input".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    use super::*;
    use crate::protocol::encode_request;
    use crate::protocol::messages::MetadataRequest;
    use crate::record::{BatchBuilder, Codec, Compression, Header, ProducerState};

    /// How often each target is tried; `KAVKA_FUZZ_CASES` asks for more.
    fn cases() -> ProptestConfig {
        let cases = std::env::var("KAVKA_FUZZ_CASES").ok().and_then(|text| text.parse().ok());
        ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases.unwrap_or(2_000)) }
    }

    /// Changes of bytes: at a place, to a value, or cut off there.
    fn damage() -> impl Strategy<Value = Vec<(Index, u8, bool)>> {
        vec((any::<Index>(), any::<u8>(), proptest::bool::weighted(0.1)), 0..6)
    }

    fn damaged(mut bytes: Vec<u8>, damage: &[(Index, u8, bool)]) -> Vec<u8> {
        for (place, value, cut) in damage {
            if bytes.is_empty() {
                break;
            }
            let place = place.index(bytes.len());
            if *cut {
                bytes.truncate(place);
            } else {
                bytes[place] = *value;
            }
        }
        bytes
    }

    fn batch(codec: Codec, magic: i8) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Vec::new(), 10_000);
        for number in 0..20i64 {
            let headers: &[Header<'_>] = if magic == 2 { &[Header::new("h", b"x")] } else { &[] };
            let value = format!("value {number}");
            let _ =
                builder.try_append(1_700_000_000_000 + number, Some(b"key"), Some(value.as_bytes()), headers);
        }
        let sealed = builder.seal(&Compression::new(codec), magic).expect("a batch");
        sealed.stamp(ProducerState::NONE).to_vec()
    }

    proptest! {
        #![proptest_config(cases())]

        #[test]
        fn frames_of_any_bytes(tail in vec(any::<u8>(), 0..200), damage in damage()) {
            let mut bytes = encode_request(1, Some("me"), &MetadataRequest::default(), 12).unwrap().concat();
            bytes.extend_from_slice(&(tail.len() as u32).to_be_bytes());
            bytes.extend(tail);
            frames(&damaged(bytes, &damage));
        }

        #[test]
        fn messages_of_any_bytes(bytes in vec(any::<u8>(), 0..120)) {
            messages(&bytes);
        }

        #[test]
        fn records_of_damaged_batches(
            codec in select(vec![Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd]),
            magic in 0i8..=2,
            damage in damage(),
        ) {
            // The format before version 2 never had zstd.
            let is_known = magic == 2 || codec != Codec::Zstd;
            if is_known && Compression::new(codec).check_available().is_ok() {
                records(&damaged(batch(codec, magic), &damage));
            }
        }

        #[test]
        fn scram_of_damaged_messages(damage in damage()) {
            let valid = b"r=nonceXYZ,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096\0v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
            scram(&damaged(valid.to_vec(), &damage));
        }

        #[test]
        fn socks_and_http_of_damaged_answers(damage in damage(), bytes in vec(any::<u8>(), 0..30)) {
            socks(&bytes);
            socks(&damaged(vec![5, 0, 0, 1, 127, 0, 0, 1, 35, 132], &damage));
            http(&bytes);
            http(&damaged(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\n\r\nbody".to_vec(), &damage));
            http(&damaged(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n".to_vec(), &damage));
        }
    }
}
