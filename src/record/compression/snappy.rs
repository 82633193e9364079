//! Snappy: a bare block, or the framing that Java's library (by xerial) puts around blocks.

use std::cell::RefCell;

use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

use super::{CodecError, with_state};

/// What a framed stream begins with. Two version numbers follow, which some writers put in the wrong byte
/// order; they mean nothing.
const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];
const BLOCK: usize = 32 * 1024;
/// No element of the format makes more than 64 bytes out of three.
const MAX_RATIO: usize = 32;

thread_local! {
    static ENCODER: RefCell<Option<State>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct State(Option<Encoder>);

pub(super) fn compress(input: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
    out.reserve(input.len() / 2 + 64);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSIONS);
    with_state(&ENCODER, |State(encoder)| {
        let encoder = encoder.get_or_insert_with(Encoder::new);
        for block in input.chunks(BLOCK) {
            let start = out.len();
            out.resize(start + 4 + max_compress_len(block.len()), 0);
            let len = encoder
                .compress(block, &mut out[start + 4..])
                .map_err(|_| CodecError::Corrupt("snappy failed"))?;
            out[start..start + 4].copy_from_slice(&(len as u32).to_be_bytes());
            out.truncate(start + 4 + len);
        }
        Ok(())
    })
}

pub(super) fn decompress(input: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    if !input.starts_with(&MAGIC) {
        return block(input, limit, out);
    }
    let mut rest = input;
    while !rest.is_empty() {
        // Streams that were joined have their header in the middle.
        if rest.starts_with(&MAGIC) {
            rest = rest
                .get(MAGIC.len() + VERSIONS.len()..)
                .ok_or(CodecError::Corrupt("snappy: bad stream header"))?;
            continue;
        }
        let (len, behind) =
            rest.split_first_chunk::<4>().ok_or(CodecError::Corrupt("snappy: data ends early"))?;
        let len = u32::from_be_bytes(*len) as usize;
        let (data, behind) =
            behind.split_at_checked(len).ok_or(CodecError::Corrupt("snappy: block longer than the data"))?;
        block(data, limit, out)?;
        rest = behind;
    }
    Ok(())
}

fn block(input: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let len = decompress_len(input).map_err(|_| CodecError::Corrupt("snappy: bad block"))?;
    if len > input.len().saturating_mul(MAX_RATIO) {
        return Err(CodecError::Corrupt("snappy: impossible length"));
    }
    let start = out.len();
    if len > limit - start {
        return Err(CodecError::TooLarge);
    }
    if len == 0 {
        return Ok(());
    }
    out.resize(start + len, 0);
    let written = Decoder::new()
        .decompress(input, &mut out[start..])
        .map_err(|_| CodecError::Corrupt("snappy: damaged data"))?;
    if written != len {
        return Err(CodecError::Corrupt("snappy: damaged data"));
    }
    Ok(())
}
