//! gzip: members of raw deflate data, each with its own header and checksum (RFC 1952).
//!
//! The members are framed here and not by the deflate library, so that its state can be kept and the output
//! goes straight into the caller's buffer.

use std::cell::RefCell;

use flate2::{Compress, Crc, Decompress, FlushCompress, FlushDecompress, Status};

use super::{CodecError, grow, with_state};

const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
const TRAILER: usize = 8;
const DEFAULT_LEVEL: i32 = 6;

// Bits of a member's flags.
const HEADER_CRC: u8 = 0x02;
const EXTRA: u8 = 0x04;
const NAME: u8 = 0x08;
const COMMENT: u8 = 0x10;
const RESERVED: u8 = 0xe0;

thread_local! {
    static DEFLATE: RefCell<Option<Deflate>> = const { RefCell::new(None) };
    static INFLATE: RefCell<Option<Inflate>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Deflate(Option<(i32, Compress)>);

struct Inflate(Decompress);

impl Default for Inflate {
    fn default() -> Self {
        Self(Decompress::new(false))
    }
}

pub(super) fn compress(input: &[u8], level: Option<i32>, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let level = level.unwrap_or(DEFAULT_LEVEL);
    out.reserve(input.len() / 2 + 128);
    out.extend_from_slice(&HEADER);
    with_state(&DEFLATE, |Deflate(state)| {
        let deflate = match state {
            Some((last, deflate)) if *last == level => {
                deflate.reset();
                deflate
            }
            _ => {
                let speed = flate2::Compression::new(level.unsigned_abs());
                &mut state.insert((level, Compress::new(speed, false))).1
            }
        };
        loop {
            let read = usize::try_from(deflate.total_in()).unwrap_or(usize::MAX);
            let rest = input.get(read..).unwrap_or_default();
            match deflate.compress_vec(rest, out, FlushCompress::Finish) {
                Ok(Status::StreamEnd) => return Ok(()),
                Ok(_) => out.reserve(out.len().max(256)),
                Err(_) => return Err(CodecError::Corrupt("deflate failed")),
            }
        }
    })?;
    let mut crc = Crc::new();
    crc.update(input);
    out.extend_from_slice(&crc.sum().to_le_bytes());
    out.extend_from_slice(&crc.amount().to_le_bytes());
    Ok(())
}

pub(super) fn decompress(input: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    with_state(&INFLATE, |Inflate(inflate)| {
        let mut rest = member_body(input)?;
        loop {
            let start = out.len();
            rest = inflate_member(inflate, rest, limit, out)?;
            let Some((trailer, behind)) = rest.split_first_chunk::<TRAILER>() else {
                return Err(CodecError::Corrupt("gzip: no trailer"));
            };
            let mut crc = Crc::new();
            crc.update(&out[start..]);
            let [sum, amount] = [crc.sum().to_le_bytes(), crc.amount().to_le_bytes()];
            if trailer[..4] != sum || trailer[4..] != amount {
                return Err(CodecError::Corrupt("gzip: wrong checksum"));
            }
            // What follows and is no member is padding, as for Java.
            if !behind.starts_with(&HEADER[..2]) {
                return Ok(());
            }
            rest = member_body(behind)?;
        }
    })
}

/// One member's deflate data; gives what follows it.
fn inflate_member<'a>(
    inflate: &mut Decompress,
    input: &'a [u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<&'a [u8], CodecError> {
    inflate.reset(false);
    let first = input.len().saturating_mul(3).clamp(512, 1 << 20);
    loop {
        if out.len() == out.capacity() {
            grow(out, first, limit)?;
        }
        let read = usize::try_from(inflate.total_in()).unwrap_or(usize::MAX);
        let rest = input.get(read..).unwrap_or_default();
        let before = (inflate.total_in(), out.len());
        let status = inflate
            .decompress_vec(rest, out, FlushDecompress::None)
            .map_err(|_| CodecError::Corrupt("gzip: damaged data"))?;
        if out.len() > limit {
            return Err(CodecError::TooLarge);
        }
        if status == Status::StreamEnd {
            let read = usize::try_from(inflate.total_in()).unwrap_or(usize::MAX);
            return Ok(input.get(read..).unwrap_or_default());
        }
        if before == (inflate.total_in(), out.len()) && out.len() < out.capacity() {
            return Err(CodecError::Corrupt("gzip: data ends early"));
        }
    }
}

/// Passes over a member's header.
fn member_body(input: &[u8]) -> Result<&[u8], CodecError> {
    header(input).ok_or(CodecError::Corrupt("gzip: bad header"))
}

fn header(input: &[u8]) -> Option<&[u8]> {
    let (fixed, mut rest) = input.split_first_chunk::<10>()?;
    let flags = fixed[3];
    if fixed[..3] != HEADER[..3] || flags & RESERVED != 0 {
        return None;
    }
    if flags & EXTRA != 0 {
        let (len, behind) = rest.split_first_chunk::<2>()?;
        rest = behind.get(usize::from(u16::from_le_bytes(*len))..)?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let end = rest.iter().position(|&byte| byte == 0)?;
            rest = rest.get(end + 1..)?;
        }
    }
    if flags & HEADER_CRC != 0 {
        rest = rest.get(2..)?;
    }
    Some(rest)
}
