//! JSON, through serde.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Deserializer, Serializer};
use crate::types::Headers;
use crate::{Error, ErrorKind, Result};

/// JSON text, written and read with serde.
///
/// A producer takes `T` and `Option<T>`. A consumer gets `Option<T>`. `None` is a null key or value (a tombstone)
/// and never the text `null`, as in kafka-python; a received text `null` is `None` as well.
///
/// ```
/// use kavka::serializer::{Deserializer, JsonSerializer, Serializer};
///
/// #[derive(serde::Serialize, serde::Deserialize, Debug, PartialEq)]
/// struct Order { id: u32 }
///
/// let json = JsonSerializer::<Order>::new();
/// let headers = Default::default();
/// let bytes = json.serialize("orders", &headers, &Order { id: 42 })?;
/// assert_eq!(bytes.as_deref(), Some(&br#"{"id":42}"#[..]));
/// let order = json.deserialize("orders", &headers, Some(bytes.unwrap().into_owned().into()))?;
/// assert_eq!(order, Some(Order { id: 42 }));
/// # Ok::<(), kavka::Error>(())
/// ```
// The pointer to a function keeps the serializer `Send` and `Sync` whatever `T` is: it holds none.
pub struct JsonSerializer<T>(PhantomData<fn(T) -> T>);

impl<T> JsonSerializer<T> {
    /// A serializer and deserializer of `T`.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: Serialize> Serializer<T> for JsonSerializer<T> {
    fn serialize<'a>(&self, topic: &str, _: &Headers, data: &'a T) -> Result<Option<Cow<'a, [u8]>>> {
        write(topic, data)
    }
}

impl<T: Serialize> Serializer<Option<T>> for JsonSerializer<T> {
    fn serialize<'a>(&self, topic: &str, _: &Headers, data: &'a Option<T>) -> Result<Option<Cow<'a, [u8]>>> {
        data.as_ref().map_or(Ok(None), |data| write(topic, data))
    }
}

impl<T: DeserializeOwned> Deserializer for JsonSerializer<T> {
    type Output = Option<T>;

    fn deserialize(&self, topic: &str, _: &Headers, data: Option<Bytes>) -> Result<Option<T>> {
        let Some(data) = data else { return Ok(None) };
        serde_json::from_slice(&data).map_err(|cause| {
            let text = format!("the bytes are not JSON of a {}", std::any::type_name::<T>());
            Error::new(ErrorKind::Deserialization, text).with_topic(topic).with_source(cause)
        })
    }

    #[inline]
    fn reads_headers(&self) -> bool {
        false
    }
}

fn write<'a, T: Serialize>(topic: &str, data: &T) -> Result<Option<Cow<'a, [u8]>>> {
    match serde_json::to_vec(data) {
        Ok(text) if text == b"null" => Ok(None),
        Ok(text) => Ok(Some(Cow::Owned(text))),
        Err(cause) => {
            let text = format!("a {} cannot be written as JSON", std::any::type_name::<T>());
            Err(Error::new(ErrorKind::Serialization, text).with_topic(topic).with_source(cause))
        }
    }
}

impl<T> Clone for JsonSerializer<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for JsonSerializer<T> {}

impl<T> Default for JsonSerializer<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for JsonSerializer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonSerializer<{}>", std::any::type_name::<T>())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[derive(serde::Serialize, serde::Deserialize, Debug, PartialEq)]
    struct Order {
        id: u32,
        note: Option<String>,
    }

    const JSON: JsonSerializer<Order> = JsonSerializer::new();

    fn bytes<T>(data: &T) -> Option<Vec<u8>>
    where
        JsonSerializer<Order>: Serializer<T>,
    {
        JSON.serialize("t", &Headers::new(), data).expect("it can be written").map(Cow::into_owned)
    }

    #[test]
    fn values_survive_the_round_trip() {
        let order = Order { id: 42, note: Some("ż".to_owned()) };
        let sent = bytes(&order).expect("not null");
        assert_eq!(sent, r#"{"id":42,"note":"ż"}"#.as_bytes());
        let read = JSON.deserialize("t", &Headers::new(), Some(sent.into())).expect("its own text");
        assert_eq!(read, Some(order));
    }

    #[test]
    fn none_is_null_and_not_the_text() {
        assert_eq!(bytes(&None::<Order>), None);
        assert_eq!(bytes(&Some(Order { id: 1, note: None })), Some(br#"{"id":1,"note":null}"#.to_vec()));
        let optional = JsonSerializer::<Option<u8>>::new();
        let sent = Serializer::<Option<u8>>::serialize(&optional, "t", &Headers::new(), &None);
        assert_eq!(sent.expect("it can be written"), None);
        for null in [None, Some(Bytes::from_static(b"null"))] {
            assert_eq!(JSON.deserialize("t", &Headers::new(), null).expect("null"), None);
        }
    }

    #[test]
    fn errors_name_topic_type_and_cause() {
        for text in ["", "{", "{\"id\":-1}", "{\"id\":1} x", "\u{0}"] {
            let data = Some(Bytes::copy_from_slice(text.as_bytes()));
            let error = JSON.deserialize("orders", &Headers::new(), data).expect_err(text);
            assert_eq!((error.kind(), error.topic()), (ErrorKind::Deserialization, Some("orders")));
            assert!(error.to_string().contains("Order") && error.to_string().contains("column"), "{error}");
        }
        let pairs = HashMap::from([((1, 2), 3)]);
        let json = JsonSerializer::<HashMap<(u8, u8), u8>>::new();
        let error = json.serialize("orders", &Headers::new(), &pairs).expect_err("keys must be text");
        assert_eq!((error.kind(), error.topic()), (ErrorKind::Serialization, Some("orders")));
        assert!(error.to_string().contains("key must be a string"), "{error}");
    }
}
