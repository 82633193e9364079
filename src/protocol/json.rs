//! Messages as JSON, for tools and people: any message, by its [`Schema`] alone.
//!
//! Fields have Kafka's names (`ThrottleTimeMs`); other spellings of the same words are read, too (`throttleTimeMs`,
//! `throttle_time_ms`). Bytes and records are base64, ids are text as Kafka prints them. A field that is left out has
//! its default.
//!
//! ```
//! use kavka::protocol::json;
//! use kavka::protocol::messages::MetadataRequest;
//! use kavka::protocol::Message;
//!
//! let asked = serde_json::json!({ "topics": [{ "name": "orders" }], "AllowAutoTopicCreation": false });
//! let bytes = json::encode(MetadataRequest::SCHEMA, &asked, 12)?;
//! let told = json::decode(MetadataRequest::SCHEMA, bytes, 12)?;
//! assert_eq!(told["Topics"][0]["Name"], "orders");
//!
//! let slip = serde_json::json!({ "topcs": null });
//! let error = json::encode(MetadataRequest::SCHEMA, &slip, 12).unwrap_err();
//! assert!(error.to_string().contains("did you mean Topics?"), "{error}");
//! # Ok::<(), kavka::Error>(())
//! ```

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value};

use super::field::Layout;
use super::schema::{DefaultValue, FieldSchema, StructSchema, Type};
use super::wire::{DecodeError, DecodeErrorKind, Reader, Writer};
use super::{Schema, Uuid};
use crate::error::{Error, ErrorKind, Result};

/// The bytes of a message in a version, without a header.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`], naming the field: it does not exist (the text names the nearest that does), its
/// value is of another type, or the version cannot carry it.
pub fn encode(schema: &'static Schema, message: &Value, version: i16) -> Result<Bytes> {
    if !schema.versions.contains(version) {
        let text = format!("{} has versions {}, not {version}", schema.name, schema.versions);
        return Err(Error::new(ErrorKind::InvalidArgument, text));
    }
    let mut w = Writer::new();
    w.enter_message(schema.name, version);
    let layout = Layout { version, flexible: schema.is_flexible(version) };
    put_struct(&mut w, layout, schema.body, message, &mut Place::new(schema.name))?;
    Ok(w.into_vec().into())
}

/// A message from its bytes in a version, without a header.
///
/// # Errors
/// When the bytes are not that message, or more than it.
pub fn decode(schema: &'static Schema, bytes: Bytes, version: i16) -> Result<Value, DecodeError> {
    let mut r = Reader::new(bytes);
    r.enter_message(schema.name, version);
    if !schema.versions.contains(version) {
        return Err(r.error(DecodeErrorKind::UnknownVersion));
    }
    let layout = Layout { version, flexible: schema.is_flexible(version) };
    let message = take_struct(&mut r, layout, schema.body)?;
    r.finish()?;
    Ok(message)
}

/// Where in the message one is, for errors: `MetadataRequest.Topics[0].Name`.
struct Place(Vec<String>);

impl Place {
    fn new(message: &str) -> Self {
        Self(vec![message.to_owned()])
    }

    fn within<T>(&mut self, part: String, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.0.push(part);
        let result = work(self);
        self.0.pop();
        result
    }

    fn refuse(&self, why: impl std::fmt::Display) -> Error {
        Error::new(ErrorKind::InvalidArgument, format!("{}: {why}", self.0.concat()))
    }
}

fn put_struct(
    w: &mut Writer,
    l: Layout,
    body: &'static StructSchema,
    value: &Value,
    place: &mut Place,
) -> Result<()> {
    let Value::Object(given) = value else { return Err(place.refuse("is not an object")) };
    for name in given.keys() {
        if !body.fields.iter().any(|field| is_called(field, name)) {
            return Err(place.refuse(unknown(body, name)));
        }
    }
    let find =
        |field: &FieldSchema| given.iter().find_map(|(name, value)| is_called(field, name).then_some(value));
    let mut tagged = Vec::new();
    for field in body.fields {
        let given = find(field);
        let is_here = field.versions.contains(l.version);
        match (given, field.tag) {
            (Some(value), _) if !is_here => {
                if !field.ignorable && !is_default(field, value) {
                    let text = format!("needs version {}, and this is {}", field.versions, l.version);
                    return place.within(format!(".{}", field.name()), |place| Err(place.refuse(text)));
                }
            }
            (_, _) if !is_here => {}
            (Some(value), Some(tag)) if !is_default(field, value) => tagged.push((tag, field, value)),
            (_, Some(_)) => {}
            (given, None) => {
                let default = default_of(field);
                let value = given.unwrap_or(&default);
                place.within(format!(".{}", field.name()), |place| put_field(w, l, field, value, place))?;
            }
        }
    }
    if l.flexible {
        let counter = w.put_counter();
        for (tag, field, value) in tagged {
            let mut content = w.nested();
            place.within(format!(".{}", field.name()), |place| {
                put_field(&mut content, l, field, value, place)
            })?;
            w.count(counter);
            w.put_uvarint(tag);
            let length = u32::try_from(content.len()).map_err(|_| place.refuse("is too long"))?;
            w.put_uvarint(length);
            w.append(content);
        }
    }
    Ok(())
}

fn put_field(
    w: &mut Writer,
    l: Layout,
    field: &'static FieldSchema,
    value: &Value,
    place: &mut Place,
) -> Result<()> {
    let nullable = field.nullable.is_some_and(|versions| versions.contains(l.version));
    if value.is_null() && !nullable {
        return Err(place.refuse("may not be null"));
    }
    match field.ty {
        Type::Struct(body) if nullable => {
            if value.is_null() {
                w.put_i8(-1);
                return Ok(());
            }
            w.put_i8(1);
            put_struct(w, l, body, value, place)
        }
        ty => put_value(w, l, ty, value, place),
    }
}

fn put_value(w: &mut Writer, l: Layout, ty: Type, value: &Value, place: &mut Place) -> Result<()> {
    macro_rules! whole {
        ($number:ty, $put:ident) => {{
            let number = value.as_i64().and_then(|number| <$number>::try_from(number).ok());
            let range = (<$number>::MIN, <$number>::MAX);
            w.$put(
                number.ok_or_else(|| {
                    place.refuse(format_args!("is not a number {} to {}", range.0, range.1))
                })?,
            );
        }};
    }
    let text = |place: &Place| value.as_str().ok_or_else(|| place.refuse("is not a text"));
    let too_long = |place: &Place, error: super::EncodeError| place.refuse(error);
    match ty {
        Type::Bool => {
            w.put_i8(i8::from(value.as_bool().ok_or_else(|| place.refuse("is not true or false"))?))
        }
        Type::Int8 => whole!(i8, put_i8),
        Type::Int16 => whole!(i16, put_i16),
        Type::Uint16 => whole!(u16, put_u16),
        Type::Int32 => whole!(i32, put_i32),
        Type::Int64 => whole!(i64, put_i64),
        Type::Float64 => w.put_f64(value.as_f64().ok_or_else(|| place.refuse("is not a number"))?),
        Type::String => {
            let text = if value.is_null() { None } else { Some(text(place)?) };
            w.put_string(text, l.flexible).map_err(|error| too_long(place, error))?;
        }
        Type::Bytes | Type::Records => {
            let bytes = if value.is_null() {
                None
            } else {
                let bytes = STANDARD.decode(text(place)?).map_err(|_| place.refuse("is not base64"))?;
                Some(Bytes::from(bytes))
            };
            w.put_bytes(bytes.as_ref(), l.flexible).map_err(|error| too_long(place, error))?;
        }
        Type::Uuid => {
            let id: Uuid = text(place)?.parse().map_err(|_| place.refuse("is not an id of 22 letters"))?;
            w.put_slice(&id.0);
        }
        Type::Array(item) => {
            let items = match value {
                Value::Null => None,
                Value::Array(items) => Some(items),
                _ => return Err(place.refuse("is not an array")),
            };
            w.put_len(items.map(Vec::len), l.flexible).map_err(|error| too_long(place, error))?;
            for (number, value) in items.into_iter().flatten().enumerate() {
                place.within(format!("[{number}]"), |place| put_value(w, l, *item, value, place))?;
            }
        }
        Type::Struct(body) => put_struct(w, l, body, value, place)?,
    }
    Ok(())
}

fn take_struct(r: &mut Reader, l: Layout, body: &'static StructSchema) -> Result<Value, DecodeError> {
    let mut fields = Map::new();
    for field in body.fields.iter().filter(|field| field.versions.contains(l.version)) {
        let value = if field.tag.is_some() {
            default_of(field)
        } else {
            r.enter(field.rust_name);
            take_field(r, l, field)?
        };
        fields.insert(field.name(), value);
    }
    if l.flexible {
        let mut left = r.take_uvarint()?;
        while let Some((tag, mut content)) = r.take_tagged(&mut left)? {
            let known =
                body.fields.iter().find(|field| field.tag == Some(tag) && field.versions.contains(l.version));
            if let Some(field) = known {
                content.enter(field.rust_name);
                fields.insert(field.name(), take_field(&mut content, l, field)?);
                content.finish()?;
            }
        }
    }
    Ok(Value::Object(fields))
}

fn take_field(r: &mut Reader, l: Layout, field: &'static FieldSchema) -> Result<Value, DecodeError> {
    let nullable = field.nullable.is_some_and(|versions| versions.contains(l.version));
    if let (Type::Struct(body), true) = (field.ty, nullable) {
        return if r.take_i8()? < 0 { Ok(Value::Null) } else { take_struct(r, l, body) };
    }
    let value = take_value(r, l, field.ty)?;
    if value.is_null() && !nullable {
        return Err(r.error(DecodeErrorKind::UnexpectedNull));
    }
    Ok(value)
}

fn take_value(r: &mut Reader, l: Layout, ty: Type) -> Result<Value, DecodeError> {
    Ok(match ty {
        Type::Bool => (r.take_i8()? != 0).into(),
        Type::Int8 => r.take_i8()?.into(),
        Type::Int16 => r.take_i16()?.into(),
        Type::Uint16 => r.take_u16()?.into(),
        Type::Int32 => r.take_i32()?.into(),
        Type::Int64 => r.take_i64()?.into(),
        Type::Float64 => r.take_f64()?.into(),
        Type::String => r.take_string(l.flexible)?.into(),
        Type::Bytes | Type::Records => r.take_bytes(l.flexible)?.map(|bytes| STANDARD.encode(bytes)).into(),
        Type::Uuid => Uuid(r.take_array()?).to_string().into(),
        Type::Array(item) => match r.take_len(l.flexible)? {
            None => Value::Null,
            Some(len) => {
                // Room is made for what is there, not for what is promised.
                let mut items = Vec::new();
                for _ in 0..len {
                    let value = take_value(r, l, *item)?;
                    if value.is_null() {
                        return Err(r.error(DecodeErrorKind::UnexpectedNull));
                    }
                    items.push(value);
                }
                Value::Array(items)
            }
        },
        Type::Struct(body) => take_struct(r, l, body)?,
    })
}

/// What a field has when nothing is said.
fn default_of(field: &FieldSchema) -> Value {
    match (field.default, field.ty) {
        (DefaultValue::Null, _) => Value::Null,
        (DefaultValue::True, _) => true.into(),
        (DefaultValue::Number(number), Type::Float64) => (number as f64).into(),
        (DefaultValue::Number(number), _) => number.into(),
        (DefaultValue::Zero, ty) => zero(ty),
    }
}

fn zero(ty: Type) -> Value {
    match ty {
        Type::Bool => false.into(),
        Type::Float64 => 0.0.into(),
        Type::Int8 | Type::Int16 | Type::Uint16 | Type::Int32 | Type::Int64 => 0.into(),
        Type::String | Type::Bytes | Type::Records => "".into(),
        Type::Uuid => Uuid::ZERO.to_string().into(),
        Type::Array(_) => Value::Array(Vec::new()),
        Type::Struct(body) => {
            body.fields.iter().map(|field| (field.name(), default_of(field))).collect::<Map<_, _>>().into()
        }
    }
}

/// Whether a value is what the field has anyway; parts of a struct that are left out are.
fn is_default(field: &FieldSchema, value: &Value) -> bool {
    match (field.ty, value) {
        (Type::Struct(body), Value::Object(given)) => {
            field.default == DefaultValue::Zero
                && given.iter().all(|(name, value)| {
                    body.fields.iter().any(|part| is_called(part, name) && is_default(part, value))
                })
        }
        (Type::Float64, Value::Number(number)) => number.as_f64() == default_of(field).as_f64(),
        _ => *value == default_of(field),
    }
}

/// Whether a name in JSON means the field.
fn is_called(field: &FieldSchema, name: &str) -> bool {
    let letters = |text: &str| -> Vec<char> {
        text.chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()).collect()
    };
    letters(field.rust_name) == letters(name)
}

fn unknown(body: &StructSchema, name: &str) -> String {
    let names: Vec<String> = body.fields.iter().map(FieldSchema::name).collect();
    match crate::config::nearest(name, names.iter().map(String::as_str)) {
        Some(nearest) => format!("has no field {name:?}; did you mean {nearest}?"),
        None if names.is_empty() => format!("has no field {name:?}; it has none at all"),
        None => format!("has no field {name:?}; it has {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::arbitrary::random;
    use crate::protocol::field::Field;
    use crate::protocol::messages::{MetadataRequest, ProduceRequest};
    use crate::protocol::{Message, messages};

    fn round_trips<M: Message + Field>() {
        for version in M::SCHEMA.versions.min..=M::SCHEMA.versions.max {
            for seed in 0..6 {
                let mut w = Writer::new();
                random::<M>(seed, version).encode(&mut w, version).unwrap();
                let bytes = Bytes::from(w.into_vec());
                let name = M::SCHEMA.name;
                let value = decode(M::SCHEMA, bytes.clone(), version).unwrap();
                let text = value.to_string();
                let read: Value = serde_json::from_str(&text).unwrap();
                let again = encode(M::SCHEMA, &read, version)
                    .unwrap_or_else(|error| panic!("{name} v{version}: {error}: {text}"));
                assert_eq!(again, bytes, "{name} v{version}: {text}");
            }
            // Everything may be left out, save where null is the default and the version forbids it.
            if let Ok(bytes) = encode(M::SCHEMA, &json!({}), version) {
                let mut r = Reader::new(bytes);
                let message = M::decode(&mut r, version).unwrap();
                assert_eq!((message, r.remaining()), (M::default(), 0), "{} v{version}", M::SCHEMA.name);
            }
        }
    }

    macro_rules! all_round_trips {
        ($($($name:ident),*;)*) => {
            #[test]
            fn every_message_comes_back_from_json_at_every_version() {
                $($(round_trips::<messages::$name>();)*)*
            }
        };
    }
    messages::with_all_messages!(all_round_trips);

    #[test]
    fn faults_name_the_place() {
        for (message, version, fault) in [
            (json!(5), 12, "MetadataRequest: is not an object"),
            (json!({"Topics": 5}), 12, "MetadataRequest.Topics: is not an array"),
            (json!({"topics": [{"name": 5}]}), 12, "MetadataRequest.Topics[0].Name: is not a text"),
            (
                json!({"topics": [{"nam": "x"}]}),
                12,
                "MetadataRequest.Topics[0]: has no field \"nam\"; did you mean Name?",
            ),
            (json!({"topics": [{"topic_id": "x"}]}), 12, "TopicId: is not an id of 22 letters"),
            (json!({"zzzzzzzz": 1}), 12, "has no field \"zzzzzzzz\"; it has Topics, "),
            (json!({"allowAutoTopicCreation": 1}), 12, "is not true or false"),
            (json!({"allowAutoTopicCreation": false}), 1, "needs version 4+, and this is 1"),
            (json!({"topics": null}), 0, "MetadataRequest.Topics: may not be null"),
            (json!({}), 99, "MetadataRequest has versions 0-13, not 99"),
        ] {
            let error = encode(MetadataRequest::SCHEMA, &message, version).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.to_string().contains(fault), "{message}: {error}");
        }
        for (message, fault) in [
            (json!({"acks": 40000}), "ProduceRequest.Acks: is not a number -32768 to 32767"),
            (json!({"acks": 1.5}), "is not a number -32768"),
            (
                json!({"topicData": [{"partitionData": [{"records": "!"}]}]}),
                "PartitionData[0].Records: is not base64",
            ),
        ] {
            let error = encode(ProduceRequest::SCHEMA, &message, 9).unwrap_err();
            assert!(error.to_string().contains(fault), "{message}: {error}");
        }
    }
}
