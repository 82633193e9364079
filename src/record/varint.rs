//! Zig-zag varints, as record batches use them, tuned for the one and two byte lengths that records are made of.

/// Maps a signed number to an unsigned one with small absolute values first.
#[inline(always)]
pub(super) const fn zigzag32(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)) as u32
}

/// As [`zigzag32`], for 64 bits.
#[inline(always)]
pub(super) const fn zigzag64(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[inline(always)]
const fn unzigzag32(value: u32) -> i32 {
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

#[inline(always)]
const fn unzigzag64(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// How many bytes a varint takes: one for each started group of seven bits. No branches.
#[inline(always)]
pub(super) const fn len32(value: u32) -> usize {
    (((31 - (value | 1).leading_zeros()) * 9 + 73) / 64) as usize
}

/// As [`len32`], for 64 bits.
#[inline(always)]
pub(super) const fn len64(value: u64) -> usize {
    (((63 - (value | 1).leading_zeros()) * 9 + 73) / 64) as usize
}

/// Writes into a slice that was measured beforehand.
pub(super) struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    /// A writer at the start of `out`.
    #[inline(always)]
    pub(super) fn new(out: &'a mut [u8]) -> Self {
        Self { out, at: 0 }
    }

    #[inline(always)]
    pub(super) fn byte(&mut self, byte: u8) {
        self.out[self.at] = byte;
        self.at += 1;
    }

    /// A number that is zig-zag mapped already.
    #[inline(always)]
    pub(super) fn varint(&mut self, value: u64) {
        if value < 0x80 {
            self.byte(value as u8);
        } else if value < 0x4000 {
            let pair = &mut self.out[self.at..self.at + 2];
            pair[0] = value as u8 | 0x80;
            pair[1] = (value >> 7) as u8;
            self.at += 2;
        } else {
            self.long_varint(value);
        }
    }

    #[inline(never)]
    fn long_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    #[inline(always)]
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let end = self.at + bytes.len();
        self.out[self.at..end].copy_from_slice(bytes);
        self.at = end;
    }

    /// Whether every byte of the slice was written.
    #[inline(always)]
    pub(super) fn is_full(&self) -> bool {
        self.at == self.out.len()
    }
}

/// Reads from a slice; every method gives `None` when the bytes end too early or make no number.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    buf: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader of `buf` from the position `at`.
    #[inline(always)]
    pub(super) fn new(buf: &'a [u8], at: usize) -> Self {
        Self { buf, at }
    }

    /// The position in the slice.
    #[inline(always)]
    pub(super) fn at(&self) -> usize {
        self.at
    }

    #[inline(always)]
    pub(super) fn byte(&mut self) -> Option<u8> {
        let byte = *self.buf.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// A zig-zag varint of at most 32 bits.
    #[inline(always)]
    pub(super) fn varint(&mut self) -> Option<i32> {
        let first = self.byte()?;
        if first < 0x80 {
            return Some(unzigzag32(u32::from(first)));
        }
        let second = self.byte()?;
        let low = u32::from(first & 0x7f);
        if second < 0x80 {
            return Some(unzigzag32(low | u32::from(second) << 7));
        }
        let rest = self.long(u64::from(low | u32::from(second & 0x7f) << 7), 5)?;
        u32::try_from(rest).ok().map(unzigzag32)
    }

    /// A zig-zag varint of at most 64 bits.
    #[inline(always)]
    pub(super) fn varlong(&mut self) -> Option<i64> {
        let first = self.byte()?;
        if first < 0x80 {
            return Some(unzigzag64(u64::from(first)));
        }
        let second = self.byte()?;
        let low = u64::from(first & 0x7f);
        if second < 0x80 {
            return Some(unzigzag64(low | u64::from(second) << 7));
        }
        self.long(low | u64::from(second & 0x7f) << 7, 10).map(unzigzag64)
    }

    /// What follows the first two bytes of a varint of at most `max_len` bytes.
    #[inline(never)]
    fn long(&mut self, mut value: u64, max_len: u32) -> Option<u64> {
        for index in 2..max_len {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            let shift = 7 * index;
            if shift == 63 && bits > 1 {
                return None;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    /// Passes over `len` bytes and gives the position where they begin.
    #[inline(always)]
    pub(super) fn skip(&mut self, len: usize) -> Option<usize> {
        if len > self.buf.len() - self.at {
            return None;
        }
        let start = self.at;
        self.at += len;
        Some(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(value: i64) {
        let zigzag = zigzag64(value);
        let mut out = vec![0; len64(zigzag)];
        let mut writer = Writer::new(&mut out);
        writer.varint(zigzag);
        assert!(writer.is_full(), "{value}");
        let mut reader = Reader::new(&out, 0);
        assert_eq!(reader.varlong(), Some(value));
        assert_eq!(reader.at(), out.len());
        let narrow = Reader::new(&out, 0).varint();
        assert_eq!(narrow, i32::try_from(value).ok(), "{value}");
        if let Ok(value) = i32::try_from(value) {
            assert_eq!(u64::from(zigzag32(value)), zigzag);
            assert_eq!(len32(zigzag32(value)), out.len());
        }
        for len in 0..out.len() {
            assert_eq!(Reader::new(&out[..len], 0).varlong(), None);
        }
    }

    #[test]
    fn every_length_round_trips() {
        for shift in 0..64 {
            for near in -2..=2 {
                round_trip((1_i64 << shift).wrapping_add(near));
                round_trip((1_i64 << shift).wrapping_neg().wrapping_add(near));
            }
        }
        round_trip(i64::MAX);
        round_trip(i64::MIN);
    }

    #[test]
    fn too_long_is_refused() {
        assert_eq!(Reader::new(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00], 0).varint(), None);
        assert_eq!(Reader::new(&[0xff; 11], 0).varlong(), None);
        let ten = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(Reader::new(&ten, 0).varlong(), None);
    }
}
