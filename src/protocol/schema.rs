//! What messages look like, as constants that programs can walk through.

use std::fmt;

/// An inclusive range of versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VersionRange {
    /// The oldest version.
    pub min: i16,
    /// The newest version; [`i16::MAX`] for "and all later ones".
    pub max: i16,
}

impl VersionRange {
    /// Every version.
    pub const ALL: Self = Self::new(0, i16::MAX);

    /// From `min` to `max`, both included.
    pub const fn new(min: i16, max: i16) -> Self {
        Self { min, max }
    }

    /// Whether the version is in the range.
    pub const fn contains(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }

    /// The versions that are in both ranges; `None` when there is none.
    pub fn intersect(self, other: Self) -> Option<Self> {
        let both = Self::new(self.min.max(other.min), self.max.min(other.max));
        (both.min <= both.max).then_some(both)
    }
}

/// Kafka's notation: `3`, `3-5`, `3+`.
impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.min, self.max) {
            (min, i16::MAX) => write!(f, "{min}+"),
            (min, max) if min == max => write!(f, "{min}"),
            (min, max) => write!(f, "{min}-{max}"),
        }
    }
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// From a client to a broker.
    Request,
    /// From a broker to a client.
    Response,
    /// Carried inside of another message or of a record.
    Data,
}

/// A message.
#[derive(Debug)]
pub struct Schema {
    /// Kafka's name, such as `FetchRequest`.
    pub name: &'static str,
    /// What it is for.
    pub kind: MessageKind,
    /// The API's key; `None` for [`MessageKind::Data`].
    pub api_key: Option<i16>,
    /// The versions that can be encoded and decoded, unstable ones included.
    pub versions: VersionRange,
    /// The newest version that Kafka calls stable.
    pub max_stable: i16,
    /// The first version with compact lengths and tagged fields, if any.
    pub flexible_since: Option<i16>,
    /// The fields.
    pub body: &'static StructSchema,
}

impl Schema {
    /// Whether the version has compact lengths and tagged fields (KIP-482).
    pub const fn is_flexible(&self, version: i16) -> bool {
        match self.flexible_since {
            Some(since) => version >= since,
            None => false,
        }
    }
}

/// The fields of a message, or of a struct inside of one.
#[derive(Debug)]
pub struct StructSchema {
    /// The name: Kafka's, with the message's in front where a request and its response use the same one.
    pub name: &'static str,
    /// The fields in the order of the wire; tagged ones come last on the wire, wherever they stand here.
    pub fields: &'static [FieldSchema],
}

/// A field.
#[derive(Debug)]
pub struct FieldSchema {
    /// The name in Rust, such as `throttle_time_ms`.
    pub rust_name: &'static str,
    /// The type.
    pub ty: Type,
    /// The versions that have the field, within those that have the struct.
    pub versions: VersionRange,
    /// The versions in which it may be null, within those that have it; `None` for never.
    pub nullable: Option<VersionRange>,
    /// The tag, when it is a tagged field.
    pub tag: Option<u32>,
    /// The value that it has when nothing is said, and in versions that do not have it.
    pub default: DefaultValue,
    /// Whether a version that does not have the field may drop its value in silence.
    pub ignorable: bool,
    /// Whether the value is kept out of `Debug` output.
    pub secret: bool,
}

impl FieldSchema {
    /// Kafka's name, such as `ThrottleTimeMs`.
    pub fn name(&self) -> String {
        let mut name = String::with_capacity(self.rust_name.len());
        for word in self.rust_name.split('_') {
            let mut letters = word.chars();
            name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            name.push_str(letters.as_str());
        }
        name
    }
}

/// The type of a field.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// One byte, 0 or 1.
    Bool,
    /// A signed byte.
    Int8,
    /// Two bytes, signed.
    Int16,
    /// Two bytes, unsigned.
    Uint16,
    /// Four bytes, signed.
    Int32,
    /// Eight bytes, signed.
    Int64,
    /// Eight bytes, IEEE 754.
    Float64,
    /// UTF-8, at most 32767 bytes.
    String,
    /// Bytes.
    Bytes,
    /// Bytes that are record batches.
    Records,
    /// Sixteen bytes.
    Uuid,
    /// Many of one type.
    Array(&'static Type),
    /// Fields of its own.
    Struct(&'static StructSchema),
}

/// Kafka's notation: `int32`, `[]string`, `[]FetchTopic`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "bool",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Uint16 => "uint16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float64 => "float64",
            Self::String => "string",
            Self::Bytes => "bytes",
            Self::Records => "records",
            Self::Uuid => "uuid",
            Self::Array(element) => return write!(f, "[]{element}"),
            Self::Struct(body) => body.name,
        })
    }
}

/// The default of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// Zero, false, the empty string, bytes or array, or a struct of defaults.
    Zero,
    /// Null.
    Null,
    /// True.
    True,
    /// A number.
    Number(i64),
}
