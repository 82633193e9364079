//! What a field of a message can hold, and how it goes to the wire and back.

use std::fmt;

use bytes::Bytes;

use super::schema::Type;
use super::wire::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind, Reader, Writer};
use super::{Schema, Uuid};
use crate::error_code::ErrorCode;

#[cfg(test)]
use super::arbitrary::Gen;

/// How a version lays its fields out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) version: i16,
    /// Compact lengths and tagged fields.
    pub(crate) flexible: bool,
}

/// Something that a field can hold.
pub(crate) trait Field: Sized {
    const TYPE: Type;
    const NULLABLE: bool = false;

    /// `nullable` says whether this version lets the field be null.
    fn put(&self, w: &mut Writer, l: Layout, nullable: bool) -> Result<(), EncodeError>;
    fn take(r: &mut Reader, l: Layout, nullable: bool) -> Result<Self, DecodeError>;

    /// Whether it is zero, false, empty, null, or a struct of defaults.
    fn is_zero(&self) -> bool;

    /// What an `Option` of it does. Structs have a byte in front; all else overrides this.
    fn put_option(this: Option<&Self>, w: &mut Writer, l: Layout) -> Result<(), EncodeError> {
        match this {
            None => w.put_i8(-1),
            Some(body) => {
                w.put_i8(1);
                body.put(w, l, false)?;
            }
        }
        Ok(())
    }

    fn take_option(r: &mut Reader, l: Layout) -> Result<Option<Self>, DecodeError> {
        if r.take_i8()? < 0 { Ok(None) } else { Self::take(r, l, false).map(Some) }
    }

    /// A value that the version can carry.
    #[cfg(test)]
    fn arbitrary(g: &mut Gen, l: Layout, nullable: bool) -> Self;
}

/// Declares the types of fixed size.
macro_rules! fixed_size {
    ($($ty:ty, $variant:ident, |$w:ident, $value:ident| $put:expr, |$r:ident| $take:expr, |$g:ident| $arbitrary:expr;)*) => {$(
        impl Field for $ty {
            const TYPE: Type = Type::$variant;

            fn put(&self, $w: &mut Writer, _: Layout, _: bool) -> Result<(), EncodeError> {
                let $value = *self;
                $put;
                Ok(())
            }

            fn take($r: &mut Reader, _: Layout, _: bool) -> Result<Self, DecodeError> {
                $take
            }

            fn is_zero(&self) -> bool {
                *self == Self::default()
            }

            #[cfg(test)]
            fn arbitrary($g: &mut Gen, _: Layout, _: bool) -> Self {
                $arbitrary
            }
        }
    )*};
}

fixed_size! {
    bool, Bool, |w, value| w.put_i8(i8::from(value)), |r| Ok(r.take_i8()? != 0), |g| g.bits() & 1 == 1;
    i8, Int8, |w, value| w.put_i8(value), |r| r.take_i8(), |g| g.bits() as i8;
    i16, Int16, |w, value| w.put_i16(value), |r| r.take_i16(), |g| g.bits() as i16;
    u16, Uint16, |w, value| w.put_u16(value), |r| r.take_u16(), |g| g.bits() as u16;
    i32, Int32, |w, value| w.put_i32(value), |r| r.take_i32(), |g| g.bits() as i32;
    i64, Int64, |w, value| w.put_i64(value), |r| r.take_i64(), |g| g.bits() as i64;
    f64, Float64, |w, value| w.put_f64(value), |r| r.take_f64(), |g| f64::from(g.bits() as i32) / 8.0;
    ErrorCode, Int16, |w, value| w.put_i16(value.0), |r| r.take_i16().map(ErrorCode), |g| ErrorCode(g.bits() as i16);
    Uuid, Uuid, |w, value| w.put_slice(&value.0), |r| r.take_array().map(Uuid), |g| g.uuid();
}

impl Field for String {
    const TYPE: Type = Type::String;

    fn put(&self, w: &mut Writer, l: Layout, _: bool) -> Result<(), EncodeError> {
        w.put_string(Some(self), l.flexible)
    }

    fn take(r: &mut Reader, l: Layout, _: bool) -> Result<Self, DecodeError> {
        not_null(r.take_string(l.flexible)?, r)
    }

    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn put_option(this: Option<&Self>, w: &mut Writer, l: Layout) -> Result<(), EncodeError> {
        w.put_string(this.map(String::as_str), l.flexible)
    }

    fn take_option(r: &mut Reader, l: Layout) -> Result<Option<Self>, DecodeError> {
        r.take_string(l.flexible)
    }

    #[cfg(test)]
    fn arbitrary(g: &mut Gen, _: Layout, _: bool) -> Self {
        g.string()
    }
}

impl Field for Bytes {
    const TYPE: Type = Type::Bytes;

    fn put(&self, w: &mut Writer, l: Layout, _: bool) -> Result<(), EncodeError> {
        w.put_bytes(Some(self), l.flexible)
    }

    fn take(r: &mut Reader, l: Layout, _: bool) -> Result<Self, DecodeError> {
        not_null(r.take_bytes(l.flexible)?, r)
    }

    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn put_option(this: Option<&Self>, w: &mut Writer, l: Layout) -> Result<(), EncodeError> {
        w.put_bytes(this, l.flexible)
    }

    fn take_option(r: &mut Reader, l: Layout) -> Result<Option<Self>, DecodeError> {
        r.take_bytes(l.flexible)
    }

    #[cfg(test)]
    fn arbitrary(g: &mut Gen, _: Layout, _: bool) -> Self {
        g.bytes()
    }
}

impl<T: Field> Field for Vec<T> {
    const TYPE: Type = Type::Array(&T::TYPE);

    fn put(&self, w: &mut Writer, l: Layout, _: bool) -> Result<(), EncodeError> {
        w.put_len(Some(self.len()), l.flexible)?;
        self.iter().try_for_each(|item| item.put(w, l, false))
    }

    fn take(r: &mut Reader, l: Layout, _: bool) -> Result<Self, DecodeError> {
        not_null(Self::take_option(r, l)?, r)
    }

    fn is_zero(&self) -> bool {
        self.is_empty()
    }

    fn put_option(this: Option<&Self>, w: &mut Writer, l: Layout) -> Result<(), EncodeError> {
        match this {
            Some(items) => items.put(w, l, false),
            None => w.put_len(None, l.flexible),
        }
    }

    fn take_option(r: &mut Reader, l: Layout) -> Result<Option<Self>, DecodeError> {
        let Some(len) = r.take_len(l.flexible)? else { return Ok(None) };
        let mut items = Self::with_capacity(reserve::<T>(len, r.remaining()));
        #[cfg(test)]
        {
            r.reserved += items.capacity() * size_of::<T>();
        }
        for _ in 0..len {
            items.push(T::take(r, l, false)?);
        }
        Ok(Some(items))
    }

    #[cfg(test)]
    fn arbitrary(g: &mut Gen, l: Layout, _: bool) -> Self {
        (0..g.items()).map(|_| T::arbitrary(g, l, false)).collect()
    }
}

impl<T: Field> Field for Option<T> {
    const TYPE: Type = T::TYPE;
    const NULLABLE: bool = true;

    fn put(&self, w: &mut Writer, l: Layout, nullable: bool) -> Result<(), EncodeError> {
        match self {
            Some(value) if !nullable => value.put(w, l, false),
            None if !nullable => Err(w.error(EncodeErrorKind::UnexpectedNull)),
            value => T::put_option(value.as_ref(), w, l),
        }
    }

    fn take(r: &mut Reader, l: Layout, nullable: bool) -> Result<Self, DecodeError> {
        if nullable { T::take_option(r, l) } else { T::take(r, l, false).map(Some) }
    }

    fn is_zero(&self) -> bool {
        self.is_none()
    }

    #[cfg(test)]
    fn arbitrary(g: &mut Gen, l: Layout, nullable: bool) -> Self {
        if nullable && g.null() { None } else { Some(T::arbitrary(g, l, false)) }
    }
}

/// For how many items to make room at once.
///
/// An item may be far larger in memory than on the wire. What is reserved stays near the size of the message; more
/// has to be earned by items that are really there.
fn reserve<T>(len: usize, bytes_left: usize) -> usize {
    len.min(bytes_left.saturating_mul(4) / size_of::<T>().max(1))
}

fn not_null<T>(value: Option<T>, r: &Reader) -> Result<T, DecodeError> {
    value.ok_or_else(|| r.error(DecodeErrorKind::UnexpectedNull))
}

/// Record batches in `Debug` output: their size, as they may be megabytes of other people's data.
pub(crate) struct Summary<'a, T>(pub(crate) &'a T);

impl fmt::Debug for Summary<'_, Bytes> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl fmt::Debug for Summary<'_, Option<Bytes>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map(Summary).fmt(f)
    }
}

/// Encodes a whole message.
pub(crate) fn encode(
    schema: &'static Schema,
    body: &impl Field,
    w: &mut Writer,
    version: i16,
) -> Result<(), EncodeError> {
    w.enter_message(schema.name, version);
    if !schema.versions.contains(version) {
        return Err(w.error(EncodeErrorKind::UnknownVersion));
    }
    body.put(w, Layout { version, flexible: schema.is_flexible(version) }, false)
}

/// Decodes a whole message.
pub(crate) fn decode<T: Field>(
    schema: &'static Schema,
    r: &mut Reader,
    version: i16,
) -> Result<T, DecodeError> {
    r.enter_message(schema.name, version);
    if !schema.versions.contains(version) {
        return Err(r.error(DecodeErrorKind::UnknownVersion));
    }
    T::take(r, Layout { version, flexible: schema.is_flexible(version) }, false)
}

/// Appends one tagged field and counts it.
pub(crate) fn put_tagged(
    w: &mut Writer,
    counter: usize,
    tag: u32,
    value: &impl Field,
    l: Layout,
    nullable: bool,
) -> Result<(), EncodeError> {
    let mut content = w.nested();
    value.put(&mut content, l, nullable)?;
    w.count(counter);
    w.put_uvarint(tag);
    // The plain length, without the one that compact lengths add.
    let len = content.len();
    w.put_uvarint(u32::try_from(len).map_err(|_| w.error(EncodeErrorKind::TooLong { len }))?);
    w.append(content);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_alone_reserves_no_more_than_the_message_is_worth() {
        assert_eq!(reserve::<i32>(10, 40), 10);
        assert_eq!(reserve::<[u8; 400]>(usize::MAX, 1_000_000), 10_000);
        assert_eq!(reserve::<[u8; 400]>(5, 5), 0);
    }
}
