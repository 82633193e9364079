//! Zstandard, with one context per thread and direction.

use std::cell::RefCell;

use zstd::zstd_safe::{
    self, CCtx, CParameter, DCtx, InBuffer, OutBuffer, ResetDirective, get_frame_content_size,
};

use super::{CodecError, grow, with_state};

const DEFAULT_LEVEL: i32 = 3;
/// A context that had to grow beyond this for one batch is not kept.
const KEEP: usize = 8 << 20;

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Compressor(Option<(i32, CCtx<'static>)>);

#[derive(Default)]
struct Decompressor(Option<DCtx<'static>>);

pub(super) fn compress(input: &[u8], level: Option<i32>, out: &mut Vec<u8>) -> Result<(), CodecError> {
    const FAILED: CodecError = CodecError::Corrupt("zstd failed");
    let level = level.unwrap_or(DEFAULT_LEVEL);
    with_state(&COMPRESSOR, |Compressor(state)| {
        if !matches!(state, Some((last, _)) if *last == level) {
            let mut context = CCtx::try_create().ok_or(FAILED)?;
            context.set_parameter(CParameter::CompressionLevel(level)).map_err(|_| FAILED)?;
            *state = Some((level, context));
        }
        let Some((_, context)) = state else { return Err(FAILED) };
        out.reserve(zstd_safe::compress_bound(input.len()));
        let done = context.compress2(out, input).map(|_| ()).map_err(|_| FAILED);
        if done.is_err() || context.sizeof() > KEEP {
            *state = None;
        }
        done
    })
}

pub(super) fn decompress(input: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    with_state(&DECOMPRESSOR, |Decompressor(state)| {
        if state.is_none() {
            *state = DCtx::try_create();
        }
        let Some(context) = state else { return Err(CodecError::Corrupt("zstd: out of memory")) };
        let done = context
            .reset(ResetDirective::SessionOnly)
            .map_err(|_| CodecError::Corrupt("zstd: damaged data"))
            .and_then(|_| frames(context, input, limit, out));
        if done.is_err() || context.sizeof() > KEEP {
            *state = None;
        }
        done
    })
}

fn frames(context: &mut DCtx<'_>, input: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    // A frame that says its size is decoded in one go when that much room is there. The claim is believed up
    // to what a batch of this size plausibly holds.
    let plausible = input.len().saturating_mul(16).clamp(1024, 4 << 20);
    let first = match get_frame_content_size(input) {
        Ok(Some(size)) if size > limit as u64 => return Err(CodecError::TooLarge),
        Ok(Some(size)) => usize::try_from(size).unwrap_or(usize::MAX).clamp(1, plausible),
        _ => input.len().saturating_mul(4).clamp(512, plausible),
    };
    let mut source = InBuffer::around(input);
    loop {
        if out.len() == out.capacity() {
            grow(out, first, limit)?;
        }
        let (read, written) = (source.pos(), out.len());
        let hint = context
            .decompress_stream(&mut OutBuffer::around_pos(out, written), &mut source)
            .map_err(|_| CodecError::Corrupt("zstd: damaged data"))?;
        if out.len() > limit {
            return Err(CodecError::TooLarge);
        }
        if hint == 0 && source.pos() == input.len() {
            return Ok(());
        }
        if (read, written) == (source.pos(), out.len()) && out.len() < out.capacity() {
            return Err(CodecError::Corrupt("zstd: data ends early"));
        }
    }
}
