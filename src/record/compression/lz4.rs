//! LZ4's frame format, around the block codec of `lz4_flex`.
//!
//! Written as Java's producer does: independent blocks of 64 KiB, no checksums but the header's. Read with all
//! of the format's options except dictionaries.

use std::cell::RefCell;

use lz4_flex::block::{
    CompressTable, DecompressError, compress_into_with_table, decompress_into, decompress_into_with_dict,
    get_maximum_output_size,
};
use twox_hash::XxHash32;

use super::{CodecError, Format, with_state};

const MAGIC: [u8; 4] = 0x184d_2204_u32.to_le_bytes();
const SKIPPABLE: u32 = 0x184d_2a50;
const BLOCK: usize = 64 * 1024;
/// How far back a block may refer.
const WINDOW: usize = 64 * 1024;
/// One byte of input makes at most this many of output.
const MAX_RATIO: usize = 255;
const STORED: u32 = 1 << 31;

// The frame's flags.
const VERSION: u8 = 0x40;
const VERSION_MASK: u8 = 0xc0;
const INDEPENDENT: u8 = 0x20;
const BLOCK_SUMS: u8 = 0x10;
const CONTENT_SIZE: u8 = 0x08;
const CONTENT_SUM: u8 = 0x04;
const RESERVED: u8 = 0x02;
const DICTIONARY: u8 = 0x01;
/// The block size code of 64 KiB, in its place.
const SIZE_64_KIB: u8 = 4 << 4;

thread_local! {
    static TABLES: RefCell<Option<Tables>> = const { RefCell::new(None) };
    static OUTPUT: RefCell<Option<Output>> = const { RefCell::new(None) };
}

/// Where a block is decompressed: at most as large as the largest block, 4 MiB. To make the room for it in the
/// result would mean to clear it each time.
#[derive(Default)]
struct Output(Vec<u8>);

/// One hash table for blocks below 64 KiB, a larger one for full blocks.
struct Tables {
    small: CompressTable,
    large: CompressTable,
}

impl Default for Tables {
    fn default() -> Self {
        Self { small: CompressTable::small(), large: CompressTable::large() }
    }
}

pub(super) fn compress(input: &[u8], format: Format, out: &mut Vec<u8>) -> Result<(), CodecError> {
    out.reserve(input.len() / 2 + 64);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[VERSION | INDEPENDENT, SIZE_64_KIB]);
    let sum = match format {
        Format::Standard => header_sum(&out[4..]),
        Format::OldLz4 => header_sum(out),
    };
    out.push(sum);
    with_state(&TABLES, |tables| {
        for block in input.chunks(BLOCK) {
            let table =
                if block.len() < usize::from(u16::MAX) { &mut tables.small } else { &mut tables.large };
            let start = out.len();
            out.resize(start + 4 + get_maximum_output_size(block.len()), 0);
            let len = compress_into_with_table(block, &mut out[start + 4..], table)
                .map_err(|_| CodecError::Corrupt("lz4 failed"))?;
            let size = if len < block.len() {
                out.truncate(start + 4 + len);
                len as u32
            } else {
                out.truncate(start + 4);
                out.extend_from_slice(block);
                block.len() as u32 | STORED
            };
            out[start..start + 4].copy_from_slice(&size.to_le_bytes());
        }
        Ok(())
    })?;
    out.extend_from_slice(&[0; 4]);
    Ok(())
}

pub(super) fn decompress(
    input: &[u8],
    format: Format,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let mut rest = frame(input, format, limit, out)?;
    while !rest.is_empty() {
        rest = frame(rest, format, limit, out)?;
    }
    Ok(())
}

const SHORT: CodecError = CodecError::Corrupt("lz4: data ends early");

/// One frame; gives what follows it.
fn frame<'a>(
    input: &'a [u8],
    format: Format,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<&'a [u8], CodecError> {
    let (magic, rest) = input.split_first_chunk::<4>().ok_or(SHORT)?;
    if *magic != MAGIC {
        if u32::from_le_bytes(*magic) & !0xf != SKIPPABLE {
            return Err(CodecError::Corrupt("lz4: no frame"));
        }
        let (len, rest) = rest.split_first_chunk::<4>().ok_or(SHORT)?;
        return rest.get(u32::from_le_bytes(*len) as usize..).ok_or(SHORT);
    }
    let header = Header::read(input, format)?;
    let mut rest = input.get(header.len..).ok_or(SHORT)?;
    let start = out.len();
    if let Some(size) = header.content_size {
        if size > (limit - start) as u64 {
            return Err(CodecError::TooLarge);
        }
    }
    loop {
        let (size, behind) = rest.split_first_chunk::<4>().ok_or(SHORT)?;
        let size = u32::from_le_bytes(*size);
        if size == 0 {
            rest = behind;
            break;
        }
        let (data, behind) = behind.split_at_checked((size & !STORED) as usize).ok_or(SHORT)?;
        rest = behind;
        if header.flags & BLOCK_SUMS != 0 {
            rest = check_sum(data, rest, "lz4: wrong block checksum")?;
        }
        if size & STORED == 0 {
            let history = if header.flags & INDEPENDENT != 0 { out.len() } else { start };
            block(data, header.block_size, history, limit, out)?;
        } else {
            if data.len() > header.block_size {
                return Err(CodecError::Corrupt("lz4: block above the frame's block size"));
            }
            if data.len() > limit - out.len() {
                return Err(CodecError::TooLarge);
            }
            out.extend_from_slice(data);
        }
    }
    let content = &out[start..];
    if header.content_size.is_some_and(|size| size != content.len() as u64) {
        return Err(CodecError::Corrupt("lz4: wrong content size"));
    }
    if header.flags & CONTENT_SUM != 0 {
        rest = check_sum(content, rest, "lz4: wrong content checksum")?;
    }
    Ok(rest)
}

/// One compressed block, which may refer to the output from `history` on.
fn block(
    data: &[u8],
    block_size: usize,
    history: usize,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let most = block_size.min(data.len().saturating_mul(MAX_RATIO));
    let room = most.min(limit - out.len());
    with_state(&OUTPUT, |Output(buffer)| {
        if buffer.len() < room {
            buffer.resize(room, 0);
        }
        let output = buffer.get_mut(..room).unwrap_or_default();
        let dictionary = &out[history.max(out.len().saturating_sub(WINDOW)).min(out.len())..];
        let done = if dictionary.is_empty() {
            decompress_into(data, output)
        } else {
            decompress_into_with_dict(data, output, dictionary)
        };
        match done {
            Ok(len) => {
                out.extend_from_slice(output.get(..len).unwrap_or_default());
                Ok(())
            }
            Err(DecompressError::OutputTooSmall { .. }) if room < most => Err(CodecError::TooLarge),
            Err(_) => Err(CodecError::Corrupt("lz4: damaged data")),
        }
    })
}

struct Header {
    flags: u8,
    block_size: usize,
    content_size: Option<u64>,
    /// With the magic number and the checksum.
    len: usize,
}

impl Header {
    fn read(input: &[u8], format: Format) -> Result<Self, CodecError> {
        let [flags, sizes] = *input.get(4..).and_then(|rest| rest.first_chunk::<2>()).ok_or(SHORT)?;
        if flags & VERSION_MASK != VERSION || flags & RESERVED != 0 || sizes & 0x8f != 0 {
            return Err(CodecError::Corrupt("lz4: unknown kind of frame"));
        }
        if flags & DICTIONARY != 0 {
            return Err(CodecError::Corrupt("lz4: frame with a dictionary"));
        }
        let block_size = match sizes >> 4 {
            code @ 4..=7 => 1 << (8 + 2 * u32::from(code)),
            _ => return Err(CodecError::Corrupt("lz4: unknown block size")),
        };
        let mut len = 6;
        let mut content_size = None;
        if flags & CONTENT_SIZE != 0 {
            let size = input.get(len..).and_then(|rest| rest.first_chunk::<8>()).ok_or(SHORT)?;
            content_size = Some(u64::from_le_bytes(*size));
            len += 8;
        }
        let sum = *input.get(len).ok_or(SHORT)?;
        let header = &input[..len];
        let right = header_sum(&header[4..]) == sum;
        if !right && (format != Format::OldLz4 || header_sum(header) != sum) {
            return Err(CodecError::Corrupt("lz4: wrong header checksum"));
        }
        Ok(Self { flags, block_size, content_size, len: len + 1 })
    }
}

fn header_sum(header: &[u8]) -> u8 {
    (XxHash32::oneshot(0, header) >> 8) as u8
}

/// Compares `data` with the checksum that `rest` begins with; gives what follows that.
fn check_sum<'a>(data: &[u8], rest: &'a [u8], reason: &'static str) -> Result<&'a [u8], CodecError> {
    let (sum, rest) = rest.split_first_chunk::<4>().ok_or(SHORT)?;
    if u32::from_le_bytes(*sum) != XxHash32::oneshot(0, data) {
        return Err(CodecError::Corrupt(reason));
    }
    Ok(rest)
}
