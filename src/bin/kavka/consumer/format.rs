//! How `kavka consumer` prints a record.

use std::io::{self, Write};

use kavka::consumer::ConsumerRecord;
use kavka::types::Header;
use serde::Serialize;

use super::Format;

/// Writes one record.
pub(super) fn write(out: &mut impl Write, format: Format, record: &ConsumerRecord) -> io::Result<()> {
    let value = record.value().as_deref();
    match format {
        Format::Text => match value {
            Some(value) => writeln!(out, "{}", String::from_utf8_lossy(value)),
            None => writeln!(out, "null"),
        },
        Format::Raw => {
            out.write_all(value.unwrap_or_default())?;
            out.write_all(b"\n")
        }
        Format::Json => {
            let object = Object {
                topic: record.topic(),
                partition: record.partition(),
                offset: record.offset(),
                timestamp: record.timestamp(),
                key: record.key().as_deref().map(Content::of),
                value: value.map(Content::of),
                headers: record.headers().iter().map(JsonHeader::of).collect(),
            };
            serde_json::to_writer(&mut *out, &object)?;
            out.write_all(b"\n")
        }
    }
}

#[derive(Serialize)]
struct Object<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    timestamp: i64,
    key: Option<Content<'a>>,
    value: Option<Content<'a>>,
    headers: Vec<JsonHeader<'a>>,
}

/// A list, not a map: several headers may have the same key, and their order counts.
#[derive(Serialize)]
struct JsonHeader<'a> {
    key: &'a str,
    value: Option<Content<'a>>,
}

/// Text where the bytes are text; else nothing is lost.
#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Text(&'a str),
    Bytes { base64: String },
}

impl<'a> JsonHeader<'a> {
    fn of(header: &'a Header) -> Self {
        Self { key: &header.key, value: header.value.as_deref().map(Content::of) }
    }
}

impl<'a> Content<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(_) => Self::Bytes { base64: base64(bytes) },
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = (group >> (18 - 6 * place)) & 63;
            let filled = place <= chunk.len();
            text.push(if filled { ALPHABET.get(digit as usize).map_or('=', |&c| c as char) } else { '=' });
        }
    }
    text
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn bytes_become_base64() {
        let table: [(&[u8], &str); 5] = [
            (b"", ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (&[0xff, 0xfe, 0xfd, 0xfc], "//79/A=="),
        ];
        for (bytes, text) in table {
            assert_eq!(base64(bytes), text, "{bytes:?}");
        }
    }
}
