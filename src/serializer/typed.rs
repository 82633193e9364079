//! Values of one type in both directions, in the form that Kafka's own serializers give them.

use std::any::type_name;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;

use super::{Deserializer, Serializer, ToBytes};
use crate::types::Headers;
use crate::{Error, ErrorKind, Result};

/// One type in both directions: numbers, booleans, text, bytes, and with the feature `uuid` UUIDs.
///
/// | `T` | Kafka's own (de)serializer | bytes |
/// |---|---|---|
/// | `i16`, `i32`, `i64`, `f32`, `f64` | `Short`, `Integer`, `Long`, `Float`, `Double` | big-endian |
/// | `bool` | `Boolean` | one, 0 or 1 |
/// | `String` | `String` | UTF-8 |
/// | `Bytes`, `Vec<u8>` | `Bytes`, `ByteArray` | as they are |
/// | `uuid::Uuid` | `UUID` | its text: 36 lower-case letters |
///
/// A producer takes `T` and `Option<T>`, a consumer gets `Option<T>`; `None` is null.
///
/// ```
/// use kavka::serializer::{Deserializer, Serializer, Typed};
///
/// let number = Typed::<i64>::new();
/// let headers = Default::default();
/// let bytes = number.serialize("orders", &headers, &258)?;
/// assert_eq!(bytes.as_deref(), Some(&[0, 0, 0, 0, 0, 0, 1, 2][..]));
/// assert_eq!(number.deserialize("orders", &headers, Some(bytes.unwrap().into_owned().into()))?, Some(258));
/// let error = number.deserialize("orders", &headers, Some("258".into())).unwrap_err();
/// assert_eq!(error.to_string(), "the bytes are no i64: it takes 8 of them, not 3 (topic orders)");
/// # Ok::<(), kavka::Error>(())
/// ```
// The pointer to a function keeps it `Send` and `Sync` whatever `T` is: it holds none.
pub struct Typed<T>(PhantomData<fn(T) -> T>);

impl<T> Typed<T> {
    /// A serializer and deserializer of `T`.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

/// What can be read from the bytes that [`ToBytes`] makes of it.
pub trait FromBytes: Sized {
    /// The value, or what is wrong with the bytes: "it takes 8 of them".
    ///
    /// # Errors
    /// The words that the error ends with.
    fn from_bytes(bytes: Bytes) -> Result<Self, String>;
}

macro_rules! numbers {
    ($($number:ty),+) => {$(
        impl FromBytes for $number {
            fn from_bytes(bytes: Bytes) -> Result<Self, String> {
                let wrong = |_| {
                    format!("it takes {} of them, not {}", size_of::<$number>(), bytes.len())
                };
                bytes.as_ref().try_into().map(<$number>::from_be_bytes).map_err(wrong)
            }
        }
    )+};
}
numbers!(i16, i32, i64, f32, f64);

impl FromBytes for bool {
    fn from_bytes(bytes: Bytes) -> Result<Self, String> {
        match bytes.as_ref() {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(format!("it is 0 or 1, not {other}")),
            _ => Err(format!("it takes 1 of them, not {}", bytes.len())),
        }
    }
}

impl FromBytes for String {
    fn from_bytes(bytes: Bytes) -> Result<Self, String> {
        std::str::from_utf8(&bytes).map(str::to_owned).map_err(|cause| cause.to_string())
    }
}

impl FromBytes for Bytes {
    fn from_bytes(bytes: Bytes) -> Result<Self, String> {
        Ok(bytes)
    }
}

impl FromBytes for Vec<u8> {
    fn from_bytes(bytes: Bytes) -> Result<Self, String> {
        Ok(bytes.into())
    }
}

#[cfg(feature = "uuid")]
impl ToBytes for uuid::Uuid {
    fn to_bytes(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Owned(self.hyphenated().to_string().into_bytes()))
    }
}

#[cfg(feature = "uuid")]
impl FromBytes for uuid::Uuid {
    fn from_bytes(bytes: Bytes) -> Result<Self, String> {
        // The 16 bytes themselves, and forms without hyphens, are what Kafka's own deserializer refuses, too.
        if bytes.len() != uuid::fmt::Hyphenated::LENGTH {
            return Err(format!(
                "its text takes {} of them, not {}",
                uuid::fmt::Hyphenated::LENGTH,
                bytes.len()
            ));
        }
        uuid::Uuid::try_parse_ascii(&bytes).map_err(|cause| cause.to_string())
    }
}

impl<T: ToBytes> Serializer<T> for Typed<T> {
    #[inline]
    fn serialize<'a>(&self, _: &str, _: &Headers, data: &'a T) -> Result<Option<Cow<'a, [u8]>>> {
        Ok(data.to_bytes())
    }
}

impl<T: ToBytes> Serializer<Option<T>> for Typed<T> {
    #[inline]
    fn serialize<'a>(&self, _: &str, _: &Headers, data: &'a Option<T>) -> Result<Option<Cow<'a, [u8]>>> {
        Ok(data.to_bytes())
    }
}

impl<T: FromBytes> Deserializer for Typed<T> {
    type Output = Option<T>;

    fn deserialize(&self, topic: &str, _: &Headers, data: Option<Bytes>) -> Result<Option<T>> {
        data.map(T::from_bytes).transpose().map_err(|fault| {
            let text = format!("the bytes are no {}: {fault}", type_name::<T>());
            Error::new(ErrorKind::Deserialization, text).with_topic(topic)
        })
    }

    #[inline]
    fn reads_headers(&self) -> bool {
        false
    }
}

impl<T> Clone for Typed<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Typed<T> {}

impl<T> Default for Typed<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Typed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Typed<{}>", type_name::<T>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write<T: ToBytes>(value: &T) -> Vec<u8> {
        let bytes = Serializer::<T>::serialize(&Typed::<T>::new(), "t", &Headers::new(), value);
        bytes.expect("it never fails").expect("not null").into_owned()
    }

    fn read<T: FromBytes>(bytes: &[u8]) -> Result<T> {
        let read = Typed::<T>::new().deserialize("t", &Headers::new(), Some(Bytes::copy_from_slice(bytes)));
        read.map(|value| value.expect("not null"))
    }

    fn round<T: ToBytes + FromBytes + PartialEq + fmt::Debug>(value: T, bytes: &[u8]) {
        assert_eq!(write(&value), bytes);
        assert_eq!(read::<T>(bytes).expect("its own bytes"), value);
    }

    /// The bytes are those of Kafka's serializers of the same names (4.3.1).
    #[test]
    fn each_type_has_the_bytes_of_kafkas_own_serializer() {
        round(-2i16, &[0xff, 0xfe]);
        round(i32::MIN, &[0x80, 0, 0, 0]);
        round(258i64, &[0, 0, 0, 0, 0, 0, 1, 2]);
        round(1.0f32, &[0x3f, 0x80, 0, 0]);
        round(-2.0f64, &[0xc0, 0, 0, 0, 0, 0, 0, 0]);
        round(true, &[1]);
        round(false, &[0]);
        round("ż".to_owned(), &[0xc5, 0xbc]);
        round(Bytes::from_static(b"xy"), b"xy");
        round(vec![1u8, 2], &[1, 2]);
    }

    #[cfg(feature = "uuid")]
    #[test]
    fn a_uuid_is_its_text() {
        let uuid = uuid::Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        round(uuid, b"01234567-89ab-cdef-0123-456789abcdef");
        assert_eq!(read::<uuid::Uuid>(b"01234567-89AB-CDEF-0123-456789ABCDEF").expect("either case"), uuid);
        let error = read::<uuid::Uuid>(&[7; 16]).expect_err("not the text");
        assert!(error.to_string().contains("its text takes 36 of them, not 16"), "{error}");
        assert!(read::<uuid::Uuid>(b"01234567-89ab-cdef-0123-456789abcdeg").is_err());
    }

    #[test]
    fn what_is_not_of_the_type_is_refused_by_name() {
        for (error, text) in [
            (
                read::<i16>(&[1]).expect_err("short"),
                "the bytes are no i16: it takes 2 of them, not 1 (topic t)",
            ),
            (
                read::<f64>(&[]).expect_err("empty"),
                "the bytes are no f64: it takes 8 of them, not 0 (topic t)",
            ),
            (read::<bool>(&[2]).expect_err("2"), "the bytes are no bool: it is 0 or 1, not 2 (topic t)"),
            (
                read::<bool>(&[1, 1]).expect_err("two"),
                "the bytes are no bool: it takes 1 of them, not 2 (topic t)",
            ),
        ] {
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Deserialization, text));
        }
        assert!(read::<String>(&[0xff]).expect_err("not UTF-8").to_string().contains("index 0"));
    }

    #[test]
    fn null_is_none_both_ways() {
        let (number, headers) = (Typed::<i32>::new(), Headers::new());
        assert_eq!(number.serialize("t", &headers, &None::<i32>).expect("null"), None);
        assert_eq!(
            number.serialize("t", &headers, &Some(1)).expect("some").as_deref(),
            Some(&[0, 0, 0, 1][..])
        );
        assert_eq!(number.deserialize("t", &headers, None).expect("null"), None);
    }
}
