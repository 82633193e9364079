//! Codecs: what compresses the records of a batch, and what makes them records again.
//!
//! Each codec keeps its working state (tables, windows, contexts) per thread, for building it costs more than a
//! small batch. Decompression writes into one growing buffer that never passes the caller's limit, whatever
//! size the data claims to have.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};

#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "lz4")]
mod lz4;
#[cfg(feature = "snappy")]
mod snappy;
#[cfg(feature = "zstd")]
mod zstd;

/// A compression format, as a batch names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Not compressed.
    #[default]
    None,
    /// gzip, RFC 1952.
    Gzip,
    /// Snappy, in the framing of Java's snappy (xerial) library.
    Snappy,
    /// The LZ4 frame format.
    Lz4,
    /// Zstandard (KIP-110); brokers know it since 2.1.
    Zstd,
}

impl Codec {
    /// Every codec, in the order of their ids.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec of an id in a batch's attributes.
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.get(usize::from(id)).copied()
    }

    /// The id in a batch's attributes.
    pub const fn id(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// Kafka's name, as in `compression.type`. The cargo feature has the same name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Whether this build can compress and decompress it.
    pub const fn is_available(self) -> bool {
        match self {
            Self::None => true,
            Self::Gzip => cfg!(feature = "gzip"),
            Self::Snappy => cfg!(feature = "snappy"),
            Self::Lz4 => cfg!(feature = "lz4"),
            Self::Zstd => cfg!(feature = "zstd"),
        }
    }

    /// The levels that may be chosen, both ends included, and `None` where there are none (KIP-390).
    const fn levels(self) -> Option<(i32, i32)> {
        match self {
            Self::None | Self::Snappy => None,
            Self::Gzip => Some((1, 9)),
            Self::Lz4 => Some((1, 17)),
            Self::Zstd => Some((-131_072, 22)),
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Codec {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name).ok_or_else(|| {
            Error::new(
                ErrorKind::Configuration,
                format!("unknown compression type {name:?}: use none, gzip, snappy, lz4 or zstd"),
            )
        })
    }
}

/// A codec with its level: how a producer compresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Compression {
    codec: Codec,
    level: Option<i32>,
}

impl Compression {
    /// No compression, the default.
    pub const NONE: Self = Self::new(Codec::None);

    /// A codec at its default level: 6 for gzip, 9 for lz4, 3 for zstd.
    pub const fn new(codec: Codec) -> Self {
        Self { codec, level: None }
    }

    /// A codec at a level (KIP-390): gzip 1 to 9, or -1 for the default; lz4 1 to 17; zstd -131072 to 22.
    ///
    /// lz4's level is checked and has no effect: this crate always writes LZ4's fast form.
    ///
    /// # Errors
    ///
    /// `Configuration`, when the level is out of bounds or the codec has none.
    pub fn with_level(codec: Codec, level: i32) -> Result<Self> {
        if codec == Codec::Gzip && level == -1 {
            return Ok(Self::new(codec));
        }
        match codec.levels() {
            Some((min, max)) if (min..=max).contains(&level) => Ok(Self { codec, level: Some(level) }),
            Some((min, max)) => Err(Error::new(
                ErrorKind::Configuration,
                format!("compression level {level} of {codec} is out of bounds: use {min} to {max}"),
            )),
            None => Err(Error::new(
                ErrorKind::Configuration,
                format!("compression type {codec} has no levels, but level {level} was given"),
            )),
        }
    }

    /// The codec.
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// The level, if one was chosen.
    pub const fn level(&self) -> Option<i32> {
        self.level
    }

    /// Makes sure that this build has the codec.
    ///
    /// # Errors
    ///
    /// `UnsupportedCodec`, naming the cargo feature to enable.
    pub fn check_available(&self) -> Result<()> {
        if self.codec.is_available() {
            return Ok(());
        }
        let codec = self.codec;
        Err(Error::new(
            ErrorKind::UnsupportedCodec,
            format!("this build lacks {codec} compression: enable the feature `{codec}` of kavka"),
        ))
    }

    /// Compresses `input` into `out`, whose contents are replaced.
    pub(super) fn compress(&self, input: &[u8], out: &mut Vec<u8>, format: Format) -> Result<()> {
        out.clear();
        let done: Result<(), CodecError> = match self.codec {
            Codec::None => {
                out.extend_from_slice(input);
                Ok(())
            }
            #[cfg(feature = "gzip")]
            Codec::Gzip => gzip::compress(input, self.level, out),
            #[cfg(feature = "snappy")]
            Codec::Snappy => snappy::compress(input, out),
            #[cfg(feature = "lz4")]
            Codec::Lz4 => lz4::compress(input, format, out),
            #[cfg(feature = "zstd")]
            Codec::Zstd => zstd::compress(input, self.level, out),
            #[allow(unreachable_patterns, reason = "unreachable only while every codec is enabled")]
            _ => Err(CodecError::Missing),
        };
        let _ = format;
        match done {
            Ok(()) => Ok(()),
            Err(CodecError::Missing) => self.check_available(),
            Err(error) => Err(Error::new(
                ErrorKind::Serialization,
                format!("{} bytes could not be compressed: {}", input.len(), error.reason()),
            )),
        }
    }
}

impl From<Codec> for Compression {
    fn from(codec: Codec) -> Self {
        Self::new(codec)
    }
}

impl FromStr for Compression {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        name.parse().map(Self::new)
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Some(level) => write!(f, "{} level {level}", self.codec),
            None => self.codec.fmt(f),
        }
    }
}

/// How much a batch may grow when it is decompressed. What comes without compression takes no memory of its
/// own and is not limited here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecompressLimits {
    /// The most bytes that one batch may have once decompressed. Defaults to 128 MiB.
    pub max_bytes: usize,
}

impl Default for DecompressLimits {
    fn default() -> Self {
        Self { max_bytes: 128 << 20 }
    }
}

/// The two flavours of LZ4's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// As LZ4 defines it.
    Standard,
    /// As message sets of magic 0 have it: the header checksum covers the magic number, too (KIP-57).
    OldLz4,
}

/// Why a codec gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CodecError {
    /// The data is damaged.
    #[cfg_attr(
        not(any(feature = "gzip", feature = "snappy", feature = "lz4", feature = "zstd")),
        allow(dead_code, reason = "only codecs find damage")
    )]
    Corrupt(&'static str),
    /// More bytes than the limit allows.
    TooLarge,
    /// Not part of this build.
    Missing,
}

impl CodecError {
    const fn reason(self) -> &'static str {
        match self {
            Self::Corrupt(reason) => reason,
            Self::TooLarge => "too large",
            Self::Missing => "the codec is not part of this build",
        }
    }
}

/// Decompresses `input` into a new buffer of at most `limit` bytes.
pub(super) fn decompress(
    codec: Codec,
    input: &[u8],
    format: Format,
    limit: usize,
) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    decompress_into(codec, input, format, limit, &mut out)?;
    Ok(out)
}

fn decompress_into(
    codec: Codec,
    input: &[u8],
    format: Format,
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    // Positions in a batch are kept in 32 bits.
    let limit = limit.min(i32::MAX as usize);
    let _ = format;
    match codec {
        Codec::None if input.len() > limit => Err(CodecError::TooLarge),
        Codec::None => {
            out.extend_from_slice(input);
            Ok(())
        }
        #[cfg(feature = "gzip")]
        Codec::Gzip => gzip::decompress(input, limit, out),
        #[cfg(feature = "snappy")]
        Codec::Snappy => snappy::decompress(input, limit, out),
        #[cfg(feature = "lz4")]
        Codec::Lz4 => lz4::decompress(input, format, limit, out),
        #[cfg(feature = "zstd")]
        Codec::Zstd => zstd::decompress(input, limit, out),
        #[allow(unreachable_patterns, reason = "unreachable only while every codec is enabled")]
        _ => Err(CodecError::Missing),
    }
}

/// Makes room for more output: doubling, never past one byte above the limit, so that output beyond the limit
/// is noticed and not cut off.
#[cfg(any(feature = "gzip", feature = "zstd"))]
fn grow(out: &mut Vec<u8>, first: usize, limit: usize) -> Result<(), CodecError> {
    if out.len() > limit {
        return Err(CodecError::TooLarge);
    }
    let room = limit + 1 - out.len();
    out.reserve_exact(out.len().max(first).max(64).min(room));
    Ok(())
}

/// Runs `work` with this thread's instance of a codec's state, or a fresh one where the thread is ending.
#[cfg(any(feature = "gzip", feature = "snappy", feature = "lz4", feature = "zstd"))]
fn with_state<S: Default + 'static, R>(
    key: &'static std::thread::LocalKey<std::cell::RefCell<Option<S>>>,
    work: impl FnOnce(&mut S) -> R,
) -> R {
    let mut state = key.try_with(|cell| cell.take()).ok().flatten().unwrap_or_default();
    let result = work(&mut state);
    // A thread that is ending has no place for it any more.
    let _ = key.try_with(|cell| cell.replace(Some(state)));
    result
}

#[cfg(test)]
mod tests;
