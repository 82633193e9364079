use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1 << 20;

fn codecs() -> impl Iterator<Item = Codec> {
    Codec::ALL.into_iter().filter(|codec| codec.is_available())
}

fn pack(compression: Compression, input: &[u8], format: Format) -> Vec<u8> {
    let mut out = b"to be replaced".to_vec();
    compression.compress(input, &mut out, format).unwrap();
    out
}

fn text(len: usize) -> Vec<u8> {
    (0..len).map(|n| b"kafka, rust and a record"[(n * n / 7 + n) % 24]).collect()
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..len).map(step).collect()
}

#[test]
fn round_trips_at_every_size() {
    for codec in codecs() {
        for len in [0, 1, 2, 15, 100, 4095, 32_767, 32_768, 32_769, 65_535, 65_536, 65_537, 200_000] {
            for input in [text(len), noise(len), vec![0; len]] {
                for format in [Format::Standard, Format::OldLz4] {
                    let packed = pack(codec.into(), &input, format);
                    assert!(decompress(codec, &packed, format, len).unwrap() == input, "{codec} {len}");
                    if len > 0 {
                        let below = decompress(codec, &packed, format, len - 1);
                        assert_eq!(below, Err(CodecError::TooLarge), "{codec} {len}");
                    }
                }
            }
        }
    }
}

#[test]
fn levels_have_kafkas_bounds() {
    for (codec, good, bad) in [
        (Codec::Gzip, vec![-1, 1, 9], vec![0, 10, -2]),
        (Codec::Lz4, vec![1, 17], vec![0, 18]),
        (Codec::Zstd, vec![-131_072, -1, 1, 22], vec![23, -131_073]),
        (Codec::Snappy, vec![], vec![1]),
        (Codec::None, vec![], vec![1]),
    ] {
        for level in good {
            let compression = Compression::with_level(codec, level).unwrap();
            if codec.is_available() {
                let packed = pack(compression, &text(5000), Format::Standard);
                assert_eq!(decompress(codec, &packed, Format::Standard, LIMIT).unwrap(), text(5000));
            }
        }
        for level in bad {
            let error = Compression::with_level(codec, level).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
            assert!(error.to_string().contains(codec.name()), "{error}");
        }
    }
}

#[test]
fn names_are_kafkas() {
    for codec in Codec::ALL {
        assert_eq!(codec.name().parse::<Compression>().unwrap().codec(), codec);
        assert_eq!(Codec::from_id(codec.id()), Some(codec));
    }
    assert_eq!(Codec::from_id(5), None);
    let error = "brotli".parse::<Codec>().unwrap_err();
    assert!(error.to_string().contains("gzip, snappy, lz4 or zstd"), "{error}");
}

#[test]
fn a_missing_codec_names_its_feature() {
    for codec in Codec::ALL.into_iter().filter(|codec| !codec.is_available()) {
        let error = Compression::new(codec).compress(b"x", &mut Vec::new(), Format::Standard).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnsupportedCodec);
        assert!(error.to_string().contains(&format!("`{codec}`")), "{error}");
        let read = decompress(codec, b"x", Format::Standard, LIMIT);
        assert_eq!(read, Err(CodecError::Missing));
    }
}

/// Nothing that grows into far more than the limit may take much more memory than the limit.
#[test]
fn bombs_are_defused() {
    let zeros = vec![0; 16 << 20];
    for codec in codecs().filter(|codec| *codec != Codec::None) {
        let bomb = pack(codec.into(), &zeros, Format::Standard);
        for limit in [0, 1, 1000, LIMIT] {
            let mut out = Vec::new();
            let read = decompress_into(codec, &bomb, Format::Standard, limit, &mut out);
            assert_eq!(read, Err(CodecError::TooLarge), "{codec} {limit}");
            assert!(out.capacity() <= 2 * limit + 64, "{codec} {limit} took {}", out.capacity());
        }
    }
}

#[test]
fn damage_is_an_error_or_unnoticed_but_never_a_panic() {
    for codec in codecs().filter(|codec| *codec != Codec::None) {
        let input = text(3000);
        let packed = pack(codec.into(), &input, Format::Standard);
        for len in (0..packed.len()).step_by(3) {
            let cut = decompress(codec, &packed[..len], Format::Standard, LIMIT);
            assert_ne!(cut.as_ref(), Ok(&input), "{codec} cut at {len}");
        }
        for at in 0..packed.len() {
            for flip in [1, 0x80, 0xff] {
                let mut damaged = packed.clone();
                damaged[at] ^= flip;
                if let Ok(output) = decompress(codec, &damaged, Format::Standard, LIMIT) {
                    assert!(output.len() <= LIMIT);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn garbage_never_panics(garbage in prop::collection::vec(any::<u8>(), 0..300)) {
        for codec in codecs() {
            for prefix in [&b""[..], &b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01"[..], &b"\x04\x22\x4d\x18\x60\x40\x82"[..],
                &b"\x1f\x8b\x08\0\0\0\0\0\0\0"[..], &b"\x28\xb5\x2f\xfd"[..]]
            {
                let bytes = [prefix, &garbage].concat();
                if let Ok(output) = decompress(codec, &bytes, Format::Standard, LIMIT) {
                    prop_assert!(output.len() <= LIMIT);
                }
            }
        }
    }
}

#[cfg(feature = "gzip")]
#[test]
fn gzip_members_are_joined() {
    let (one, two) = (text(1000), noise(70_000));
    let mut packed = pack(Codec::Gzip.into(), &one, Format::Standard);
    packed.extend(pack(Codec::Gzip.into(), &two, Format::Standard));
    packed.extend(pack(Codec::Gzip.into(), b"", Format::Standard));
    let joined = [one, two].concat();
    assert!(decompress(Codec::Gzip, &packed, Format::Standard, LIMIT).unwrap() == joined);
    // The limit holds for all members together.
    let tight = decompress(Codec::Gzip, &packed, Format::Standard, joined.len() - 1);
    assert_eq!(tight, Err(CodecError::TooLarge));
    packed.extend([0; 20]);
    assert!(decompress(Codec::Gzip, &packed, Format::Standard, LIMIT).unwrap() == joined);
}

#[cfg(feature = "gzip")]
#[test]
fn gzip_headers_may_have_all_fields() {
    let plain = pack(Codec::Gzip.into(), b"content", Format::Standard);
    let mut packed = vec![0x1f, 0x8b, 8, 0x1f, 1, 2, 3, 4, 0, 3];
    packed.extend(b"\x03\0abcname\0comment\0\x12\x34");
    packed.extend(&plain[10..]);
    assert_eq!(decompress(Codec::Gzip, &packed, Format::Standard, LIMIT).unwrap(), b"content");
    for len in 0..packed.len() {
        assert!(decompress(Codec::Gzip, &packed[..len], Format::Standard, LIMIT).is_err(), "{len}");
    }
    packed[3] = 0xff;
    assert!(decompress(Codec::Gzip, &packed, Format::Standard, LIMIT).is_err());
    let sum = plain.len() - 8;
    let mut damaged = plain;
    damaged[sum] ^= 1;
    let read = decompress(Codec::Gzip, &damaged, Format::Standard, LIMIT);
    assert_eq!(read, Err(CodecError::Corrupt("gzip: wrong checksum")));
}

#[cfg(feature = "snappy")]
#[test]
fn snappy_is_read_bare_and_framed_whatever_the_versions() {
    let input = text(40_000);
    let bare = snap::raw::Encoder::new().compress_vec(&input).unwrap();
    assert!(decompress(Codec::Snappy, &bare, Format::Standard, LIMIT).unwrap() == input);
    let framed = pack(Codec::Snappy.into(), &input, Format::Standard);
    for versions in [[0, 0, 0, 1, 0, 0, 0, 1], [1, 0, 0, 0, 1, 0, 0, 0], [0xff; 8]] {
        let mut odd = framed.clone();
        odd[8..16].copy_from_slice(&versions);
        assert!(decompress(Codec::Snappy, &odd, Format::Standard, LIMIT).unwrap() == input);
    }
    let twice = [&framed[..], &framed[..]].concat();
    let joined = [&input[..], &input[..]].concat();
    assert!(decompress(Codec::Snappy, &twice, Format::Standard, LIMIT).unwrap() == joined);
    // A block that claims 4 GiB.
    let read = decompress(Codec::Snappy, &[0xff, 0xff, 0xff, 0xff, 0x0f, 0], Format::Standard, LIMIT);
    assert!(read.is_err());
}

#[cfg(feature = "lz4")]
mod lz4_frames {
    use std::io::Write;

    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

    use super::*;

    fn frame(info: FrameInfo, input: &[u8]) -> Vec<u8> {
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(input).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_option_is_read() {
        let input = [text(300_000), noise(100_000), text(300_000)].concat();
        for mode in [BlockMode::Linked, BlockMode::Independent] {
            for size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max1MB, BlockSize::Max4MB] {
                for flags in 0..8 {
                    let info = FrameInfo::new()
                        .block_mode(mode)
                        .block_size(size)
                        .block_checksums(flags & 1 != 0)
                        .content_checksum(flags & 2 != 0)
                        .content_size((flags & 4 != 0).then_some(input.len() as u64));
                    let packed = frame(info, &input);
                    let read = decompress(Codec::Lz4, &packed, Format::Standard, LIMIT);
                    assert!(read.unwrap() == input, "{mode:?} {size:?} {flags}");
                    let tight = decompress(Codec::Lz4, &packed, Format::Standard, input.len() - 1);
                    assert_eq!(tight, Err(CodecError::TooLarge), "{mode:?} {size:?} {flags}");
                }
            }
        }
    }

    #[test]
    fn frames_are_joined_and_skippable_ones_skipped() {
        let one = pack(Codec::Lz4.into(), &text(1000), Format::Standard);
        let two = frame(FrameInfo::new().block_mode(BlockMode::Linked), &noise(1000));
        let skipped = b"\x52\x2a\x4d\x18\x03\0\0\0abc";
        let packed = [&one[..], &skipped[..], &two[..]].concat();
        let read = decompress(Codec::Lz4, &packed, Format::Standard, LIMIT).unwrap();
        assert_eq!(read, [text(1000), noise(1000)].concat());
    }

    #[test]
    fn checksums_count() {
        let info = FrameInfo::new().block_checksums(true).content_checksum(true);
        let packed = frame(info, &noise(1000));
        for at in 4..packed.len() {
            let mut damaged = packed.clone();
            damaged[at] ^= 1;
            assert!(decompress(Codec::Lz4, &damaged, Format::Standard, LIMIT).is_err(), "{at}");
        }
    }

    #[test]
    fn only_the_oldest_message_sets_have_the_wrong_header_checksum() {
        let right = pack(Codec::Lz4.into(), b"abc", Format::Standard);
        let wrong = pack(Codec::Lz4.into(), b"abc", Format::OldLz4);
        assert_ne!(right[6], wrong[6]);
        let standard = |packed: &[u8]| decompress(Codec::Lz4, packed, Format::Standard, LIMIT);
        let old = |packed: &[u8]| decompress(Codec::Lz4, packed, Format::OldLz4, LIMIT);
        assert_eq!(standard(&right).unwrap(), b"abc");
        assert_eq!(standard(&wrong), Err(CodecError::Corrupt("lz4: wrong header checksum")));
        assert_eq!(old(&right).unwrap(), b"abc");
        assert_eq!(old(&wrong).unwrap(), b"abc");
        // The checksum that Kafka's lz4 has always had, for 64 KiB independent blocks.
        assert_eq!(right[6], 0x82);
    }

    #[test]
    fn ours_is_read_by_the_library_it_is_built_on() {
        let input = [text(100_000), noise(100_000)].concat();
        let packed = pack(Codec::Lz4.into(), &input, Format::Standard);
        let mut output = Vec::new();
        let mut decoder = lz4_flex::frame::FrameDecoder::new(&packed[..]);
        std::io::Read::read_to_end(&mut decoder, &mut output).unwrap();
        assert!(output == input);
    }
}

#[cfg(feature = "zstd")]
#[test]
fn zstd_frames_are_joined_with_or_without_their_size() {
    use std::io::Write;
    let mut unsized_frame = ::zstd::stream::write::Encoder::new(Vec::new(), 19).unwrap();
    unsized_frame.write_all(&text(100_000)).unwrap();
    let unsized_frame = unsized_frame.finish().unwrap();
    let sized = pack(Codec::Zstd.into(), &noise(5000), Format::Standard);
    let skipped = b"\x52\x2a\x4d\x18\x03\0\0\0abc";
    let packed = [&unsized_frame[..], &sized, &skipped[..], &sized].concat();
    let joined = [text(100_000), noise(5000), noise(5000)].concat();
    assert!(decompress(Codec::Zstd, &packed, Format::Standard, LIMIT).unwrap() == joined);
    let tight = decompress(Codec::Zstd, &packed, Format::Standard, joined.len() - 1);
    assert_eq!(tight, Err(CodecError::TooLarge));
}
