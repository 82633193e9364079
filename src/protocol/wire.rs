//! The primitives of the wire format.

use bytes::Bytes;

use super::wire_error::Place;
pub use super::wire_error::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind};

/// Collects the bytes of a message.
///
/// Large byte fields are not copied: they are kept as they came and handed out as chunks of their own.
#[derive(Debug, Default)]
pub struct Writer {
    /// All bytes but the shared ones.
    own: Vec<u8>,
    /// The shared ones, each with the place in `own` that it comes before.
    shared: Vec<(usize, Bytes)>,
    shared_len: usize,
    place: Place,
}

impl Writer {
    /// The size from which on [`put_shared`](Self::put_shared) does not copy, in bytes.
    pub const SHARED_MIN: usize = 1024;

    /// A writer without bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// A writer with room for `capacity` bytes that are not shared.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { own: Vec::with_capacity(capacity), ..Self::default() }
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.own.len() + self.shared_len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes as chunks, to be written in this order.
    pub fn finish(self) -> Vec<Bytes> {
        let own = Bytes::from(self.own);
        let mut chunks = Vec::with_capacity(2 * self.shared.len() + 1);
        let mut done = 0;
        for (place, bytes) in self.shared {
            if place > done {
                chunks.push(own.slice(done..place));
            }
            chunks.push(bytes);
            done = place;
        }
        if own.len() > done {
            chunks.push(own.slice(done..));
        }
        chunks
    }

    /// The bytes in one piece. This copies the shared ones.
    pub fn into_vec(self) -> Vec<u8> {
        if self.shared.is_empty() {
            return self.own;
        }
        let len = self.len();
        self.finish().into_iter().fold(Vec::with_capacity(len), |mut all, chunk| {
            all.extend_from_slice(&chunk);
            all
        })
    }

    /// Appends bytes by copying them.
    pub fn put_slice(&mut self, bytes: &[u8]) {
        self.own.extend_from_slice(bytes);
    }

    /// Appends bytes without copying them, unless they are few.
    pub fn put_shared(&mut self, bytes: Bytes) {
        if bytes.len() < Self::SHARED_MIN {
            self.put_slice(&bytes);
        } else {
            self.shared_len += bytes.len();
            self.shared.push((self.own.len(), bytes));
        }
    }

    /// Appends what another writer has collected.
    pub fn append(&mut self, other: Self) {
        let offset = self.own.len();
        self.own.extend_from_slice(&other.own);
        self.shared_len += other.shared_len;
        self.shared.extend(other.shared.into_iter().map(|(place, bytes)| (place + offset, bytes)));
    }

    /// Appends a byte.
    pub fn put_i8(&mut self, value: i8) {
        self.own.push(value as u8);
    }

    /// Appends two bytes.
    pub fn put_i16(&mut self, value: i16) {
        self.put_slice(&value.to_be_bytes());
    }

    /// Appends two bytes.
    pub fn put_u16(&mut self, value: u16) {
        self.put_slice(&value.to_be_bytes());
    }

    /// Appends four bytes.
    pub fn put_i32(&mut self, value: i32) {
        self.put_slice(&value.to_be_bytes());
    }

    /// Appends eight bytes.
    pub fn put_i64(&mut self, value: i64) {
        self.put_slice(&value.to_be_bytes());
    }

    /// Appends eight bytes.
    pub fn put_f64(&mut self, value: f64) {
        self.put_slice(&value.to_be_bytes());
    }

    /// Appends a number of one to five bytes, seven bits in each, the lowest first.
    pub fn put_uvarint(&mut self, mut value: u32) {
        while value > 0x7f {
            self.own.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.own.push(value as u8);
    }

    /// Appends a string, or null, behind its length; compact as in flexible versions, or with two bytes.
    ///
    /// # Errors
    /// When it is longer than 32767 bytes.
    pub fn put_string(&mut self, value: Option<&str>, compact: bool) -> Result<(), EncodeError> {
        let Some(text) = value else {
            if compact {
                self.put_uvarint(0);
            } else {
                self.put_i16(-1);
            }
            return Ok(());
        };
        let len = i16::try_from(text.len())
            .map_err(|_| self.error(EncodeErrorKind::TooLong { len: text.len() }))?;
        if compact {
            self.put_uvarint(len as u32 + 1);
        } else {
            self.put_i16(len);
        }
        self.put_slice(text.as_bytes());
        Ok(())
    }

    /// Appends bytes, or null, behind their length.
    ///
    /// # Errors
    /// When there are more than 2 GiB.
    pub fn put_bytes(&mut self, value: Option<&Bytes>, compact: bool) -> Result<(), EncodeError> {
        self.put_len(value.map(Bytes::len), compact)?;
        if let Some(bytes) = value {
            self.put_shared(bytes.clone());
        }
        Ok(())
    }

    /// Appends the length of an array or of bytes, or null.
    ///
    /// # Errors
    /// When it is 2^31 or more.
    pub fn put_len(&mut self, len: Option<usize>, compact: bool) -> Result<(), EncodeError> {
        match len {
            None if compact => self.put_uvarint(0),
            None => self.put_i32(-1),
            Some(len) => {
                let n = i32::try_from(len).map_err(|_| self.error(EncodeErrorKind::TooLong { len }))?;
                if compact {
                    self.put_uvarint(n as u32 + 1);
                } else {
                    self.put_i32(n);
                }
            }
        }
        Ok(())
    }

    /// Writes a number over four bytes that were appended before any shared ones.
    pub(crate) fn patch_i32(&mut self, at: usize, value: i32) {
        if let Some(bytes) = self.own.get_mut(at..at + 4) {
            bytes.copy_from_slice(&value.to_be_bytes());
        }
    }

    /// Appends a byte that [`count`](Self::count) adds to, and returns where it is.
    pub(crate) fn put_counter(&mut self) -> usize {
        self.own.push(0);
        self.own.len() - 1
    }

    /// Adds one to a counter of less than 127.
    pub(crate) fn count(&mut self, counter: usize) {
        if let Some(byte) = self.own.get_mut(counter) {
            *byte += 1;
        }
    }

    /// Notes what is being encoded, for errors.
    pub(crate) fn enter_message(&mut self, message: &'static str, version: i16) {
        self.place = Place { message, version, field: "" };
    }

    /// Notes which field is being encoded, for errors.
    pub(crate) fn enter(&mut self, field: &'static str) {
        self.place.field = field;
    }

    /// A writer for the content of a tagged field.
    pub(crate) fn nested(&self) -> Self {
        Self { place: self.place, ..Self::default() }
    }

    /// An error at the present place.
    #[cold]
    pub(crate) fn error(&self, kind: EncodeErrorKind) -> EncodeError {
        EncodeError { kind, place: self.place }
    }
}

/// Takes the bytes of a message apart.
///
/// Byte fields come out as slices that share the memory of the message. Nothing is allocated on the word of a
/// length alone: the bytes have to be there.
#[derive(Debug)]
pub struct Reader {
    bytes: Bytes,
    at: usize,
    place: Place,
    /// How much memory arrays have reserved before their items were there, in bytes.
    #[cfg(test)]
    pub(crate) reserved: usize,
}

impl Reader {
    /// A reader of these bytes.
    pub fn new(bytes: Bytes) -> Self {
        Self {
            bytes,
            at: 0,
            place: Place::default(),
            #[cfg(test)]
            reserved: 0,
        }
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// How many bytes have been read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Says that everything has been read.
    ///
    /// # Errors
    /// When bytes are left.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            left => Err(self.error(DecodeErrorKind::LeftOver { left })),
        }
    }

    /// Takes bytes, sharing their memory.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn take_slice(&mut self, len: usize) -> Result<Bytes, DecodeError> {
        let start = self.skip(len)?;
        Ok(self.bytes.slice(start..self.at))
    }

    /// Takes a byte.
    ///
    /// # Errors
    /// When there is none.
    pub fn take_i8(&mut self) -> Result<i8, DecodeError> {
        self.take_array().map(i8::from_be_bytes)
    }

    /// Takes two bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn take_i16(&mut self) -> Result<i16, DecodeError> {
        self.take_array().map(i16::from_be_bytes)
    }

    /// Takes two bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn take_u16(&mut self) -> Result<u16, DecodeError> {
        self.take_array().map(u16::from_be_bytes)
    }

    /// Takes four bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn take_i32(&mut self) -> Result<i32, DecodeError> {
        self.take_array().map(i32::from_be_bytes)
    }

    /// Takes eight bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn take_i64(&mut self) -> Result<i64, DecodeError> {
        self.take_array().map(i64::from_be_bytes)
    }

    /// Takes eight bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn take_f64(&mut self) -> Result<f64, DecodeError> {
        self.take_array().map(f64::from_be_bytes)
    }

    /// Takes `N` bytes.
    ///
    /// # Errors
    /// When there are fewer.
    pub fn take_array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        match self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>()) {
            Some(bytes) => {
                let bytes = *bytes;
                self.at += N;
                Ok(bytes)
            }
            None => Err(self.error(DecodeErrorKind::Truncated { wanted: N, left: self.remaining() })),
        }
    }

    /// Takes a number of one to five bytes, seven bits in each, the lowest first.
    ///
    /// # Errors
    /// When it ends early, or does not fit in 32 bits.
    pub fn take_uvarint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.take_array()?;
            if shift == 28 && byte > 0x0f {
                break;
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.error(DecodeErrorKind::InvalidVarint))
    }

    /// Takes a string, or null, behind its length.
    ///
    /// # Errors
    /// When the length is not one, bytes are missing, or they are not UTF-8.
    pub fn take_string(&mut self, compact: bool) -> Result<Option<String>, DecodeError> {
        let len = if compact { i64::from(self.take_uvarint()?) - 1 } else { i64::from(self.take_i16()?) };
        if len > i64::from(i16::MAX) {
            return Err(self.error(DecodeErrorKind::InvalidLength { len }));
        }
        let Some(len) = self.checked_len(len)? else { return Ok(None) };
        let start = self.skip(len)?;
        match std::str::from_utf8(&self.bytes[start..self.at]) {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(_) => Err(self.error(DecodeErrorKind::InvalidUtf8)),
        }
    }

    /// Takes bytes, or null, behind their length.
    ///
    /// # Errors
    /// When the length is not one, or bytes are missing.
    pub fn take_bytes(&mut self, compact: bool) -> Result<Option<Bytes>, DecodeError> {
        match self.take_len(compact)? {
            Some(len) => self.take_slice(len).map(Some),
            None => Ok(None),
        }
    }

    /// Takes the length of an array or of bytes, or null.
    ///
    /// # Errors
    /// When it is not a length, or larger than the number of bytes that are left.
    pub fn take_len(&mut self, compact: bool) -> Result<Option<usize>, DecodeError> {
        let len = if compact { i64::from(self.take_uvarint()?) - 1 } else { i64::from(self.take_i32()?) };
        self.checked_len(len)
    }

    /// The next tagged field: its tag, and a reader of its content. `left` counts the fields that are to come.
    ///
    /// # Errors
    /// When bytes are missing.
    pub(crate) fn take_tagged(&mut self, left: &mut u32) -> Result<Option<(u32, Self)>, DecodeError> {
        if *left == 0 {
            return Ok(None);
        }
        *left -= 1;
        let tag = self.take_uvarint()?;
        let len = self.take_uvarint()?;
        let bytes = self.take_slice(len as usize)?;
        let mut content = Self::new(bytes);
        content.place = self.place;
        Ok(Some((tag, content)))
    }

    /// Notes what is being decoded, for errors.
    pub(crate) fn enter_message(&mut self, message: &'static str, version: i16) {
        self.place = Place { message, version, field: "" };
    }

    /// Notes which field is being decoded, for errors.
    pub(crate) fn enter(&mut self, field: &'static str) {
        self.place.field = field;
    }

    /// An error at the present place.
    #[cold]
    pub(crate) fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError { kind, place: self.place }
    }

    fn skip(&mut self, len: usize) -> Result<usize, DecodeError> {
        if len > self.remaining() {
            return Err(self.error(DecodeErrorKind::Truncated { wanted: len, left: self.remaining() }));
        }
        let start = self.at;
        self.at += len;
        Ok(start)
    }

    /// Everything with a length takes at least one byte an item, so that a length of more than is left is a lie.
    fn checked_len(&self, len: i64) -> Result<Option<usize>, DecodeError> {
        if len == -1 {
            return Ok(None);
        }
        let left = self.remaining();
        match usize::try_from(len) {
            Ok(len) if len <= left => Ok(Some(len)),
            Ok(len) => Err(self.error(DecodeErrorKind::Truncated { wanted: len, left })),
            Err(_) => Err(self.error(DecodeErrorKind::InvalidLength { len })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bytes_are_not_copied() {
        let large = Bytes::from(vec![7; Writer::SHARED_MIN]);
        let small = Bytes::from_static(b"small");
        let mut w = Writer::new();
        w.put_i32(0);
        w.put_bytes(Some(&large), false).unwrap();
        w.put_bytes(Some(&small), true).unwrap();
        w.put_shared(large.clone());
        assert_eq!(w.len(), 4 + 4 + 1024 + 6 + 1024);
        w.patch_i32(0, 1);
        let chunks = w.finish();
        assert_eq!(chunks.len(), 4);
        assert_eq!(&chunks[0][..], [0, 0, 0, 1, 0, 0, 4, 0]);
        assert_eq!(chunks[1].as_ptr(), large.as_ptr());
        assert_eq!(&chunks[2][..], b"\x06small");
        assert_eq!(chunks[3].as_ptr(), large.as_ptr());
    }

    #[test]
    fn one_piece_and_chunks_agree() {
        let fill = |w: &mut Writer| {
            w.put_shared(Bytes::from(vec![1; 2000]));
            w.put_i8(2);
            let mut inner = w.nested();
            inner.put_i64(3);
            inner.put_shared(Bytes::from(vec![4; 3000]));
            inner.put_u16(5);
            w.append(inner);
        };
        let (mut a, mut b) = (Writer::new(), Writer::with_capacity(10));
        fill(&mut a);
        fill(&mut b);
        let len = a.len();
        let whole = a.into_vec();
        assert_eq!(whole.len(), len);
        assert_eq!(whole, b.finish().concat());
        assert!(Writer::new().finish().is_empty());
    }

    #[test]
    fn byte_fields_share_the_memory_of_the_message() {
        let bytes = Bytes::from_static(b"\0\0\0\x03abc");
        let mut r = Reader::new(bytes.clone());
        let field = r.take_bytes(false).unwrap().unwrap();
        assert_eq!(field.as_ptr(), bytes[4..].as_ptr());
        r.finish().unwrap();
    }

    #[test]
    fn varints() {
        for (value, bytes) in [
            (0, &[0][..]),
            (127, &[0x7f]),
            (128, &[0x80, 1]),
            (300, &[0xac, 2]),
            (u32::MAX, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ] {
            let mut w = Writer::new();
            w.put_uvarint(value);
            assert_eq!(w.into_vec(), bytes);
            assert_eq!(Reader::new(Bytes::copy_from_slice(bytes)).take_uvarint().unwrap(), value);
        }
        for bytes in [&[0xff, 0xff, 0xff, 0xff, 0x1f][..], &[0x80, 0x80, 0x80, 0x80, 0x80, 0]] {
            let error = Reader::new(Bytes::copy_from_slice(bytes)).take_uvarint().unwrap_err();
            assert_eq!(error.kind(), DecodeErrorKind::InvalidVarint);
        }
    }

    #[test]
    fn lengths_must_be_backed_by_bytes() {
        let error = Reader::new(Bytes::from_static(b"\x7f\xff\xff\xff12")).take_len(false).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::Truncated { wanted: 0x7fff_ffff, left: 2 });
        let error = Reader::new(Bytes::from_static(b"\xff\xff\xff\xfe")).take_len(false).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::InvalidLength { len: -2 });
        assert_eq!(Reader::new(Bytes::from_static(b"\xff\xff\xff\xff")).take_len(false).unwrap(), None);
        let error = Reader::new(Bytes::from_static(b"\x81\x80\x02")).take_string(true).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::InvalidLength { len: 0x8000 });
    }

    #[test]
    fn long_and_broken_strings() {
        let mut w = Writer::new();
        let kind = EncodeErrorKind::TooLong { len: 0x8000 };
        for compact in [false, true] {
            assert_eq!(w.put_string(Some(&"x".repeat(0x8000)), compact).unwrap_err().kind(), kind);
            w.put_string(Some(&"x".repeat(0x7fff)), compact).unwrap();
        }
        let error = Reader::new(Bytes::from_static(b"\0\x01\xff")).take_string(false).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::InvalidUtf8);
    }
}
