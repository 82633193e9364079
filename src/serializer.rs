//! How keys and values become bytes, and bytes become keys and values.
//!
//! | | takes | gives |
//! |---|---|---|
//! | [`DefaultSerializer`] | text, bytes, numbers, booleans, UUIDs, `Option`s of them | `Option<Bytes>` |
//! | [`Utf8`] | text | `Option<String>` |
//! | [`Typed<T>`](Typed) | one of these types, `Option<T>` | `Option<T>` |
//! | `JsonSerializer<T>` (feature `json`) | `T`, `Option<T>` | `Option<T>` |
//! | [`from_fn`] | what the function takes | what the function gives |
//! | [`from_context_fn`] | the same, with topic and headers | the same |
//!
//! A null key or value is `None` on both sides. Kafka calls a record with a null value a tombstone: in a compacted
//! topic it deletes its key.
//!
//! kafka-python's serializers and deserializers have an `encoding` and a `close`. Here text is UTF-8, as Rust's is: another
//! encoding is a function, [`from_fn`]. What one holds goes with it, when its client is dropped.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::types::Headers;
use crate::{Error, ErrorKind, Result};

#[cfg(feature = "json")]
mod json;
#[cfg(feature = "json")]
pub use json::JsonSerializer;
mod typed;
pub use typed::{FromBytes, Typed};

/// Makes bytes of keys or values. It runs in `send()`, on the thread that calls it. There is no `close()` as in other
/// clients: what a serializer holds goes when it is dropped with its producer.
pub trait Serializer<T: ?Sized>: Send + Sync {
    /// The bytes of `data`, borrowed from it where that is possible; `None` for null.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Serialization`], with the cause; `send()` returns it.
    fn serialize<'a>(&self, topic: &str, headers: &Headers, data: &'a T) -> Result<Option<Cow<'a, [u8]>>>;
}

/// Makes keys or values of bytes. It runs in `poll()`, on the thread that calls it.
pub trait Deserializer: Send {
    /// What the bytes become.
    type Output;

    /// The key or value of these bytes; `None` is null. The bytes are a slice of what the broker sent: keeping them
    /// copies nothing, but keeps the whole batch in memory.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Deserialization`], with the cause; `poll()` returns it.
    fn deserialize(&self, topic: &str, headers: &Headers, data: Option<Bytes>) -> Result<Self::Output>;

    /// Whether [`deserialize`](Self::deserialize) looks at the headers. Where it does not, it is given none, and
    /// they are read only when the program asks the record for them. Defaults to `true`.
    fn reads_headers(&self) -> bool {
        true
    }
}

/// Text and bytes as they are, numbers as Kafka's own serializers write them; received bytes as they came.
///
/// What it can send is whatever is [`ToBytes`].
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultSerializer;

impl<T: ToBytes + ?Sized> Serializer<T> for DefaultSerializer {
    #[inline]
    fn serialize<'a>(&self, _: &str, _: &Headers, data: &'a T) -> Result<Option<Cow<'a, [u8]>>> {
        Ok(data.to_bytes())
    }
}

impl Deserializer for DefaultSerializer {
    type Output = Option<Bytes>;

    #[inline]
    fn deserialize(&self, _: &str, _: &Headers, data: Option<Bytes>) -> Result<Option<Bytes>> {
        Ok(data)
    }

    #[inline]
    fn reads_headers(&self) -> bool {
        false
    }
}

/// What has one obvious form in bytes: text (UTF-8), bytes, numbers (big-endian), booleans (one byte), with the feature
/// `uuid` UUIDs (their text), and `Option`s of them. It is the form that Kafka's own serializers write.
pub trait ToBytes {
    /// The bytes; `None` for null.
    fn to_bytes(&self) -> Option<Cow<'_, [u8]>>;
}

macro_rules! borrowed_bytes {
    ($($type:ty),+) => {$(
        impl ToBytes for $type {
            #[inline]
            fn to_bytes(&self) -> Option<Cow<'_, [u8]>> {
                Some(Cow::Borrowed(self.as_ref()))
            }
        }
    )+};
}
borrowed_bytes!(str, String, [u8], Vec<u8>, Bytes);

impl<const N: usize> ToBytes for [u8; N] {
    #[inline]
    fn to_bytes(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Borrowed(self))
    }
}

macro_rules! number_bytes {
    ($($number:ty),+) => {$(
        impl ToBytes for $number {
            #[inline]
            fn to_bytes(&self) -> Option<Cow<'_, [u8]>> {
                Some(Cow::Owned(self.to_be_bytes().to_vec()))
            }
        }
    )+};
}
number_bytes!(i16, i32, i64, f32, f64);

impl ToBytes for bool {
    #[inline]
    fn to_bytes(&self) -> Option<Cow<'_, [u8]>> {
        Some(Cow::Borrowed(if *self { &[1] } else { &[0] }))
    }
}

/// Nothing is null: the key of records that have none.
impl ToBytes for () {
    #[inline]
    fn to_bytes(&self) -> Option<Cow<'_, [u8]>> {
        None
    }
}

impl<T: ToBytes> ToBytes for Option<T> {
    #[inline]
    fn to_bytes(&self) -> Option<Cow<'_, [u8]>> {
        self.as_ref().and_then(T::to_bytes)
    }
}

macro_rules! bytes_behind {
    ($($pointer:ty),+) => {$(
        impl<T: ToBytes + ?Sized> ToBytes for $pointer {
            #[inline]
            fn to_bytes(&self) -> Option<Cow<'_, [u8]>> {
                (**self).to_bytes()
            }
        }
    )+};
}
bytes_behind!(&T, Box<T>, Arc<T>);

impl<T: ToBytes + ToOwned + ?Sized> ToBytes for Cow<'_, T> {
    #[inline]
    fn to_bytes(&self) -> Option<Cow<'_, [u8]>> {
        (**self).to_bytes()
    }
}

/// Text, in UTF-8. Received bytes that are something else are an error.
#[derive(Clone, Copy, Debug, Default)]
pub struct Utf8;

impl<T: AsRef<str> + ?Sized> Serializer<T> for Utf8 {
    #[inline]
    fn serialize<'a>(&self, _: &str, _: &Headers, data: &'a T) -> Result<Option<Cow<'a, [u8]>>> {
        Ok(Some(Cow::Borrowed(data.as_ref().as_bytes())))
    }
}

impl Deserializer for Utf8 {
    type Output = Option<String>;

    fn deserialize(&self, topic: &str, _: &Headers, data: Option<Bytes>) -> Result<Option<String>> {
        let Some(data) = data else { return Ok(None) };
        match std::str::from_utf8(&data) {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(cause) => Err(Error::new(ErrorKind::Deserialization, "the bytes are not UTF-8")
                .with_topic(topic)
                .with_source(cause)),
        }
    }

    #[inline]
    fn reads_headers(&self) -> bool {
        false
    }
}

/// A serializer or deserializer of a function.
///
/// For a producer it takes `&T` and returns a `Result` of `Vec<u8>`, or of `Option<Vec<u8>>` where `None` is null.
/// For a consumer it takes `Option<Bytes>` and returns a `Result` of anything. An error is reported as
/// [`ErrorKind::Serialization`] or [`ErrorKind::Deserialization`] with the function's own error as its cause.
///
/// ```
/// use kavka::serializer::from_fn;
///
/// let celsius = from_fn(|degrees: &f64| Ok::<_, kavka::Error>(format!("{degrees:.1}").into_bytes()));
/// # use kavka::serializer::Serializer;
/// # let bytes = celsius.serialize("t", &Default::default(), &21.46)?;
/// # assert_eq!(bytes.as_deref(), Some(&b"21.5"[..]));
/// # Ok::<(), kavka::Error>(())
/// ```
pub fn from_fn<F>(function: F) -> FromFn<F> {
    FromFn(function)
}

/// A function as a serializer or deserializer; see [`from_fn`].
#[derive(Clone, Copy)]
pub struct FromFn<F>(F);

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromFn")
    }
}

impl<T: ?Sized, F, B> Serializer<T> for FromFn<F>
where
    F: Fn(&T) -> Result<B> + Send + Sync,
    B: Into<Option<Vec<u8>>>,
{
    fn serialize<'a>(&self, topic: &str, _: &Headers, data: &'a T) -> Result<Option<Cow<'a, [u8]>>> {
        match (self.0)(data) {
            Ok(bytes) => Ok(bytes.into().map(Cow::Owned)),
            Err(cause) => Err(of_function(cause, ErrorKind::Serialization, topic)),
        }
    }
}

impl<F, T> Deserializer for FromFn<F>
where
    F: Fn(Option<Bytes>) -> Result<T> + Send,
{
    type Output = T;

    fn deserialize(&self, topic: &str, _: &Headers, data: Option<Bytes>) -> Result<T> {
        (self.0)(data).map_err(|cause| of_function(cause, ErrorKind::Deserialization, topic))
    }

    #[inline]
    fn reads_headers(&self) -> bool {
        false
    }
}

/// As [`from_fn`], of a function that is also given the topic and the headers: `(&str, &Headers, &T)` for a producer,
/// `(&str, &Headers, Option<Bytes>)` for a consumer.
///
/// ```
/// use kavka::serializer::from_context_fn;
/// use kavka::{Error, Headers};
///
/// let versioned = from_context_fn(|_topic: &str, headers: &Headers, text: &str| {
///     let upper = headers.iter().any(|header| header.key == "upper");
///     Ok::<_, Error>(if upper { text.to_uppercase() } else { text.to_owned() }.into_bytes())
/// });
/// # use kavka::serializer::Serializer;
/// # let mut headers = Headers::new();
/// # headers.push("upper", "");
/// # assert_eq!(versioned.serialize("t", &headers, "x")?.as_deref(), Some(&b"X"[..]));
/// # Ok::<(), kavka::Error>(())
/// ```
pub fn from_context_fn<F>(function: F) -> FromContextFn<F> {
    FromContextFn(function)
}

/// A function of topic, headers and data as a serializer or deserializer; see [`from_context_fn`].
#[derive(Clone, Copy)]
pub struct FromContextFn<F>(F);

impl<F> fmt::Debug for FromContextFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromContextFn")
    }
}

impl<T: ?Sized, F, B> Serializer<T> for FromContextFn<F>
where
    F: Fn(&str, &Headers, &T) -> Result<B> + Send + Sync,
    B: Into<Option<Vec<u8>>>,
{
    fn serialize<'a>(&self, topic: &str, headers: &Headers, data: &'a T) -> Result<Option<Cow<'a, [u8]>>> {
        match (self.0)(topic, headers, data) {
            Ok(bytes) => Ok(bytes.into().map(Cow::Owned)),
            Err(cause) => Err(of_function(cause, ErrorKind::Serialization, topic)),
        }
    }
}

impl<F, T> Deserializer for FromContextFn<F>
where
    F: Fn(&str, &Headers, Option<Bytes>) -> Result<T> + Send,
{
    type Output = T;

    fn deserialize(&self, topic: &str, headers: &Headers, data: Option<Bytes>) -> Result<T> {
        (self.0)(topic, headers, data).map_err(|cause| of_function(cause, ErrorKind::Deserialization, topic))
    }
}

fn of_function(cause: Error, kind: ErrorKind, topic: &str) -> Error {
    if cause.kind() == kind {
        return cause.with_topic(topic);
    }
    let text = match kind {
        ErrorKind::Serialization => "the serializer's function failed",
        _ => "the deserializer's function failed",
    };
    Error::new(kind, text).with_topic(topic).with_source(cause)
}

macro_rules! serializers_behind {
    ($($pointer:ty),+) => {$(
        impl<T: ?Sized, S: Serializer<T> + ?Sized> Serializer<T> for $pointer {
            #[inline]
            fn serialize<'a>(&self, topic: &str, headers: &Headers, data: &'a T) -> Result<Option<Cow<'a, [u8]>>> {
                (**self).serialize(topic, headers, data)
            }
        }
    )+};
}
serializers_behind!(Box<S>, Arc<S>);

impl<D: Deserializer + ?Sized> Deserializer for Box<D> {
    type Output = D::Output;

    #[inline]
    fn deserialize(&self, topic: &str, headers: &Headers, data: Option<Bytes>) -> Result<Self::Output> {
        (**self).deserialize(topic, headers, data)
    }

    fn reads_headers(&self) -> bool {
        (**self).reads_headers()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn default_bytes<T: ToBytes + ?Sized>(data: &T) -> Option<Vec<u8>> {
        let bytes = DefaultSerializer.serialize("t", &Headers::new(), data).expect("it never fails");
        bytes.map(Cow::into_owned)
    }

    fn borrows<T: ToBytes + ?Sized>(data: &T) -> bool {
        matches!(DefaultSerializer.serialize("t", &Headers::new(), data), Ok(Some(Cow::Borrowed(_))))
    }

    #[test]
    fn text_and_bytes_are_borrowed() {
        assert!(borrows("ż") && borrows(&"ż") && borrows(&String::from("ż")) && borrows(&Some("ż")));
        assert!(borrows(&[1u8, 2][..]) && borrows(&[1u8, 2]) && borrows(b"xy") && borrows(&vec![1u8, 2]));
        assert!(
            borrows(&Bytes::from_static(b"xy"))
                && borrows(&Arc::<str>::from("x"))
                && borrows(&Cow::from("x"))
        );
        assert_eq!(default_bytes("ż"), Some(vec![0xc5, 0xbc]));
        assert_eq!(default_bytes(&Some(vec![7u8])), Some(vec![7]));
        assert_eq!(default_bytes(""), Some(vec![]), "empty is not null");
    }

    #[test]
    fn nothing_is_null() {
        assert_eq!(default_bytes(&None::<&str>), None);
        assert_eq!(default_bytes(&None::<Bytes>), None);
        assert_eq!(default_bytes(&Some(None::<i64>)), None);
        assert_eq!(default_bytes(&()), None);
    }

    #[test]
    fn numbers_are_big_endian() {
        assert_eq!(default_bytes(&-2i16), Some(vec![0xff, 0xfe]));
        assert_eq!(default_bytes(&1i32), Some(vec![0, 0, 0, 1]));
        assert_eq!(default_bytes(&Some(258i64)), Some(vec![0, 0, 0, 0, 0, 0, 1, 2]));
        assert_eq!(default_bytes(&1.0f32), Some(vec![0x3f, 0x80, 0, 0]));
        assert_eq!(default_bytes(&-2.0f64), Some(vec![0xc0, 0, 0, 0, 0, 0, 0, 0]));
    }

    #[test]
    fn received_bytes_are_handed_on_without_a_copy() {
        let bytes = Bytes::from(vec![1, 2, 3]);
        let given = DefaultSerializer.deserialize("t", &Headers::new(), Some(bytes.clone()));
        assert_eq!(given.expect("it never fails").map(|given| given.as_ptr()), Some(bytes.as_ptr()));
        assert_eq!(DefaultSerializer.deserialize("t", &Headers::new(), None).expect("it never fails"), None);
    }

    #[test]
    fn text_is_checked() {
        let headers = Headers::new();
        let sent = Utf8.serialize("t", &headers, "ż").expect("it never fails");
        assert!(matches!(sent, Some(Cow::Borrowed([0xc5, 0xbc]))));
        let read =
            |bytes: Option<&'static [u8]>| Utf8.deserialize("t", &headers, bytes.map(Bytes::from_static));
        assert_eq!(read(Some(b"ok")).expect("UTF-8").as_deref(), Some("ok"));
        assert_eq!(read(None).expect("null"), None);
        let error = read(Some(b"a\xff")).expect_err("not UTF-8");
        assert_eq!((error.kind(), error.topic()), (ErrorKind::Deserialization, Some("t")));
        assert!(error.to_string().contains("index 1"), "{error}");
    }

    #[test]
    fn functions_are_serializers() {
        let headers = Headers::new();
        let short = from_fn(|text: &str| match text.len() {
            0 => Ok(None),
            1..4 => Ok(Some(text.as_bytes().to_vec())),
            _ => Err(Error::new(ErrorKind::InvalidArgument, "too long")),
        });
        assert_eq!(short.serialize("t", &headers, "abc").expect("short").as_deref(), Some(&b"abc"[..]));
        assert_eq!(short.serialize("t", &headers, "").expect("null"), None);
        let error = short.serialize("t", &headers, "abcd").expect_err("long");
        assert_eq!((error.kind(), error.topic()), (ErrorKind::Serialization, Some("t")));
        assert!(error.to_string().ends_with(": too long"), "{error}");

        let length = from_fn(|data: Option<Bytes>| match data {
            Some(data) => Ok(data.len()),
            None => Err(Error::new(ErrorKind::Deserialization, "null")),
        });
        assert_eq!(length.deserialize("t", &headers, Some(Bytes::from_static(b"abc"))).expect("bytes"), 3);
        let error = length.deserialize("t", &headers, None).expect_err("null");
        assert_eq!(error.to_string(), "null (topic t)", "an error of the right kind only gets the topic");
    }

    #[test]
    fn serializers_can_be_boxed_and_shared() {
        let boxed: Box<dyn Serializer<str>> = Box::new(DefaultSerializer);
        let shared: Arc<dyn Serializer<str>> = Arc::new(Utf8);
        let headers = Headers::new();
        for serializer in [&boxed as &dyn Serializer<str>, &shared] {
            assert_eq!(serializer.serialize("t", &headers, "x").expect("text").as_deref(), Some(&b"x"[..]));
        }
        let boxed: Box<dyn Deserializer<Output = Option<String>>> = Box::new(Utf8);
        assert_eq!(boxed.deserialize("t", &headers, None).expect("null"), None);
    }
}
