//! The notation in which messages are declared.
//!
//! ```text
//! messages! {
//!     /// What it is for.
//!     request FooRequest(99, 0-4, unstable 5, flexible 3+) -> FooResponse {
//!         name: String,                                       // in every version
//!         group: Option<String> [2+],                         // from version 2 on, may be null
//!         topics: Option<Vec<FooTopic>> [0-3, null 1+],       // may be null from version 1 on
//!         timeout_ms: i32 [1+, ignorable] = 60000,            // dropped in silence by version 0
//!         cluster_id: Option<String> [3+, tag 0],             // a tagged field
//!         filter: Option<String> = empty,                     // may be null, but is the empty string by default
//!     }
//!
//!     struct FooTopic { … }                                   // a part of messages of this file
//!
//!     response FooResponse(99, 0-5, flexible 3+) { … }
//!
//!     data FooMetadata(0-1) { … }                             // carried inside of something else
//! }
//! ```
//!
//! The order within the brackets is: versions, `null` with the versions that allow it (all, when nothing is
//! said), `tag`, then `ignorable`, `secret` (kept out of `Debug`), `records` (bytes that are record batches).
//! Versions are counted within those of the struct that has the field: what a struct's only user sends from
//! version 3 on is not marked `[3+]` again. A version that lacks a field gives its default, and refuses to
//! encode another value unless the field is `ignorable`; so does Kafka. A default that is not said is zero,
//! false, empty, or null where the type is an `Option`.

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

/// See the top of this file.
macro_rules! messages {
    ($(
        $(#[$doc:meta])*
        $kind:ident $name:ident $(($($head:tt)*))? $(-> $response:ident)? { $($body:tt)* }
    )*) => {$(
        define_struct! { [$(#[$doc])*] $name { $($body)* } }
        define_message! { $kind $name [$($($head)*)?] [$($response)?] { $($body)* } }
    )*};
}

macro_rules! define_struct {
    ([$(#[$doc:meta])*] $name:ident {$(
        $(#[$field_doc:meta])*
        $field:ident: $ty:ty $([$($spec:tt)*])? $(= $sign:tt $($number:literal)?)?
    ),* $(,)?}) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $ty,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: default_of!($($sign $($number)?)?),)* }
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut d = f.debug_struct(stringify!($name));
                $(debug_field! { d self $field; $($($spec)*)? })*
                d.finish()
            }
        }

        impl $name {
            const BODY: &'static $crate::protocol::schema::StructSchema = &$crate::protocol::schema::StructSchema {
                name: stringify!($name),
                fields: &[$($crate::protocol::schema::FieldSchema {
                    rust_name: stringify!($field),
                    ty: type_of!($ty; $($($spec)*)?),
                    versions: versions_of!($($($spec)*)?),
                    nullable: if <$ty as $crate::protocol::dsl::Field>::NULLABLE {
                        Some(null_versions_of!($($($spec)*)?))
                    } else {
                        None
                    },
                    tag: tag_of!($($($spec)*)?),
                    default: default_value_of!($ty; $($sign $($number)?)?),
                    ignorable: has_ignorable!($($($spec)*)?),
                    secret: has_secret!($($($spec)*)?),
                },)*],
            };
        }

        impl $crate::protocol::dsl::Field for $name {
            const TYPE: $crate::protocol::schema::Type = $crate::protocol::schema::Type::Struct(Self::BODY);

            fn put(
                &self,
                w: &mut $crate::protocol::Writer,
                l: $crate::protocol::dsl::Layout,
                _: bool,
            ) -> Result<(), $crate::protocol::EncodeError> {
                $(put_field! {
                    w l (self.$field) (concat!(stringify!($name), ".", stringify!($field)))
                    [$($sign $($number)?)?] [$($($spec)*)?]; $($($spec)*)?
                })*
                if l.flexible {
                    // No struct has more than 127 tagged fields, most have none.
                    let _counter = w.put_counter();
                    $(put_tagged! {
                        w l (self.$field) (concat!(stringify!($name), ".", stringify!($field))) _counter
                        [$($sign $($number)?)?] [$($($spec)*)?]; $($($spec)*)?
                    })*
                }
                Ok(())
            }

            fn take(
                r: &mut $crate::protocol::Reader,
                l: $crate::protocol::dsl::Layout,
                _: bool,
            ) -> Result<Self, $crate::protocol::DecodeError> {
                #[allow(unused_mut, reason = "only tagged fields come later")]
                let mut this = Self {
                    $($field: take_field! {
                        r l (concat!(stringify!($name), ".", stringify!($field)))
                        [$($sign $($number)?)?] [$($($spec)*)?]; $($($spec)*)?
                    },)*
                };
                if l.flexible {
                    let mut left = r.take_uvarint()?;
                    while let Some((_tag, mut _content)) = r.take_tagged(&mut left)? {
                        $(take_tagged! {
                            _content l (this.$field) (concat!(stringify!($name), ".", stringify!($field))) _tag
                            [$($($spec)*)?]; $($($spec)*)?
                        })*
                    }
                }
                Ok(this)
            }

            fn is_zero(&self) -> bool {
                *self == Self::default()
            }

            #[cfg(test)]
            fn arbitrary(
                g: &mut $crate::protocol::arbitrary::Gen,
                l: $crate::protocol::dsl::Layout,
                _: bool,
            ) -> Self {
                let _ = (&g, l);
                Self {
                    $($field: in_versions! {
                        (l.version)
                        ({
                            g.enter(stringify!($field));
                            $crate::protocol::dsl::Field::arbitrary(g, l, is_nullable!(l.version; $($($spec)*)?))
                        })
                        (default_of!($($sign $($number)?)?))
                        $($($spec)*)?
                    },)*
                }
            }
        }
    };
}

macro_rules! define_message {
    (struct $name:ident [] [] { $($body:tt)* }) => {};
    (request $name:ident [$key:literal, $($head:tt)*] [$response:ident] { $($body:tt)* }) => {
        implement_message! { $name Request (Some($key)) $($head)* }

        impl $crate::protocol::Request for $name {
            type Response = $response;
            const API_KEY: $crate::protocol::ApiKey = $crate::protocol::ApiKey($key);
            const VERSIONS: $crate::protocol::VersionRange = $crate::protocol::VersionRange::new(
                <Self as $crate::protocol::Message>::SCHEMA.versions.min,
                <Self as $crate::protocol::Message>::SCHEMA.max_stable,
            );
            const MAX_UNSTABLE_VERSION: i16 = <Self as $crate::protocol::Message>::SCHEMA.versions.max;
        }
    };
    (response $name:ident [$key:literal, $($head:tt)*] [] {
        $($(#[$doc:meta])* $field:ident: $ty:ty $([$($spec:tt)*])? $(= $sign:tt $($number:literal)?)?),* $(,)?
    }) => {
        implement_message! { $name Response (Some($key)) $($head)* }

        impl $crate::protocol::Response for $name {
            throttle_time! { $($field)* }
        }
    };
    (data $name:ident [$($head:tt)*] [] { $($body:tt)* }) => {
        implement_message! { $name Data (None) $($head)* }
    };
}

macro_rules! implement_message {
    ($name:ident $kind:ident ($key:expr)
        $min:literal $(- $max:literal)? $(, unstable $unstable:literal)? $(, flexible $flexible:literal +)?
    ) => {
        impl $crate::protocol::Message for $name {
            const SCHEMA: &'static $crate::protocol::Schema = &$crate::protocol::Schema {
                name: stringify!($name),
                kind: $crate::protocol::schema::MessageKind::$kind,
                api_key: $key,
                versions: $crate::protocol::VersionRange::new($min, last!($min $($max)? $($unstable)?)),
                max_stable: last!($min $($max)?),
                flexible_since: optional!($($flexible)?),
                body: Self::BODY,
            };

            fn encode(
                &self,
                w: &mut $crate::protocol::Writer,
                version: i16,
            ) -> Result<(), $crate::protocol::EncodeError> {
                $crate::protocol::dsl::encode(Self::SCHEMA, self, w, version)
            }

            fn decode(
                r: &mut $crate::protocol::Reader,
                version: i16,
            ) -> Result<Self, $crate::protocol::DecodeError> {
                $crate::protocol::dsl::decode(Self::SCHEMA, r, version)
            }
        }
    };
}

// What follows takes single facts out of a field's brackets or default, or does one thing for one field.

macro_rules! last {
    ($last:literal) => { $last };
    ($first:literal $($rest:literal)+) => { last!($($rest)+) };
}

macro_rules! optional {
    () => {
        None
    };
    ($value:literal) => {
        Some($value)
    };
}

macro_rules! throttle_time {
    () => {};
    (throttle_time_ms $($rest:ident)*) => {
        fn throttle_time_ms(&self) -> i32 {
            self.throttle_time_ms
        }
    };
    ($other:ident $($rest:ident)*) => { throttle_time! { $($rest)* } };
}

macro_rules! default_of {
    () => { Default::default() };
    (empty) => { Some(Default::default()) };
    ($($value:tt)+) => { $($value)+ };
}

macro_rules! default_value_of {
    ($ty:ty;) => {
        if <$ty as $crate::protocol::dsl::Field>::NULLABLE {
            $crate::protocol::schema::DefaultValue::Null
        } else {
            $crate::protocol::schema::DefaultValue::Zero
        }
    };
    ($ty:ty; empty) => { $crate::protocol::schema::DefaultValue::Zero };
    ($ty:ty; true) => { $crate::protocol::schema::DefaultValue::True };
    ($ty:ty; $($number:tt)+) => { $crate::protocol::schema::DefaultValue::Number($($number)+) };
}

macro_rules! is_default {
    (($value:expr)) => { $crate::protocol::dsl::Field::is_zero(&$value) };
    (($value:expr) empty) => { matches!(&$value, Some(value) if $crate::protocol::dsl::Field::is_zero(value)) };
    (($value:expr) true) => { $value };
    (($value:expr) $($number:tt)+) => { $value == $($number)+ };
}

macro_rules! versions_of {
    ($min:literal + $($rest:tt)*) => {
        $crate::protocol::VersionRange::new($min, i16::MAX)
    };
    ($min:literal - $max:literal $($rest:tt)*) => {
        $crate::protocol::VersionRange::new($min, $max)
    };
    ($only:literal $($rest:tt)*) => {
        $crate::protocol::VersionRange::new($only, $only)
    };
    ($($rest:tt)*) => {
        $crate::protocol::VersionRange::ALL
    };
}

macro_rules! null_versions_of {
    () => { $crate::protocol::VersionRange::ALL };
    (null $($rest:tt)*) => { versions_of!($($rest)*) };
    ($other:tt $($rest:tt)*) => { null_versions_of!($($rest)*) };
}

macro_rules! is_nullable {
    ($version:expr;) => { true };
    ($version:expr; null $($rest:tt)*) => { versions_of!($($rest)*).contains($version) };
    ($version:expr; $other:tt $($rest:tt)*) => { is_nullable!($version; $($rest)*) };
}

macro_rules! in_versions {
    (($version:expr) ($yes:expr) ($no:expr) $min:literal $($rest:tt)*) => {
        if versions_of!($min $($rest)*).contains($version) { $yes } else { $no }
    };
    (($version:expr) ($yes:expr) ($no:expr) $($rest:tt)*) => { $yes };
}

macro_rules! tag_of {
    () => { None };
    (tag $tag:literal $($rest:tt)*) => { Some($tag) };
    ($other:tt $($rest:tt)*) => { tag_of!($($rest)*) };
}

macro_rules! has_ignorable {
    () => { false };
    (ignorable $($rest:tt)*) => { true };
    ($other:tt $($rest:tt)*) => { has_ignorable!($($rest)*) };
}

macro_rules! has_secret {
    () => { false };
    (secret $($rest:tt)*) => { true };
    ($other:tt $($rest:tt)*) => { has_secret!($($rest)*) };
}

macro_rules! type_of {
    ($ty:ty;) => { <$ty as $crate::protocol::dsl::Field>::TYPE };
    ($ty:ty; records $($rest:tt)*) => { $crate::protocol::schema::Type::Records };
    ($ty:ty; $other:tt $($rest:tt)*) => { type_of!($ty; $($rest)*) };
}

macro_rules! debug_field {
    ($d:ident $this:ident $field:ident;) => { $d.field(stringify!($field), &$this.$field); };
    ($d:ident $this:ident $field:ident; secret $($rest:tt)*) => {
        $d.field(stringify!($field), &format_args!("***"));
    };
    ($d:ident $this:ident $field:ident; records $($rest:tt)*) => {
        $d.field(stringify!($field), &$crate::protocol::dsl::Summary(&$this.$field));
    };
    ($d:ident $this:ident $field:ident; $other:tt $($rest:tt)*) => {
        debug_field! { $d $this $field; $($rest)* }
    };
}

macro_rules! refuse_unless_default {
    ($w:ident ($value:expr) ($place:expr) [$($default:tt)*]; ignorable $($rest:tt)*) => { {} };
    ($w:ident ($value:expr) ($place:expr) [$($default:tt)*];) => {
        if !is_default!(($value) $($default)*) {
            $w.enter($place);
            return Err($w.error($crate::protocol::EncodeErrorKind::UnsupportedField));
        }
    };
    ($w:ident ($value:expr) ($place:expr) [$($default:tt)*]; $other:tt $($rest:tt)*) => {
        refuse_unless_default! { $w ($value) ($place) [$($default)*]; $($rest)* }
    };
}

macro_rules! put_field {
    ($w:ident $l:ident ($value:expr) ($place:expr) [$($default:tt)*] [$($spec:tt)*]; tag $($rest:tt)*) => {
        in_versions! {
            ($l.version) ({})
            ({ refuse_unless_default! { $w ($value) ($place) [$($default)*]; $($spec)* } })
            $($spec)*
        }
    };
    ($w:ident $l:ident ($value:expr) ($place:expr) [$($default:tt)*] [$($spec:tt)*];) => {
        in_versions! {
            ($l.version)
            ({
                $w.enter($place);
                $crate::protocol::dsl::Field::put(&$value, $w, $l, is_nullable!($l.version; $($spec)*))?;
            })
            ({ refuse_unless_default! { $w ($value) ($place) [$($default)*]; $($spec)* } })
            $($spec)*
        }
    };
    ($w:ident $l:ident ($value:expr) ($place:expr) [$($default:tt)*] [$($spec:tt)*]; $other:tt $($rest:tt)*) => {
        put_field! { $w $l ($value) ($place) [$($default)*] [$($spec)*]; $($rest)* }
    };
}

macro_rules! put_tagged {
    ($w:ident $l:ident ($value:expr) ($place:expr) $counter:ident [$($default:tt)*] [$($spec:tt)*]; tag $tag:literal $($rest:tt)*) => {
        if versions_of!($($spec)*).contains($l.version) && !is_default!(($value) $($default)*) {
            $w.enter($place);
            let nullable = is_nullable!($l.version; $($spec)*);
            $crate::protocol::dsl::put_tagged($w, $counter, $tag, &$value, $l, nullable)?;
        }
    };
    ($w:ident $l:ident ($value:expr) ($place:expr) $counter:ident [$($default:tt)*] [$($spec:tt)*];) => {};
    ($w:ident $l:ident ($value:expr) ($place:expr) $counter:ident [$($default:tt)*] [$($spec:tt)*]; $other:tt $($rest:tt)*) => {
        put_tagged! { $w $l ($value) ($place) $counter [$($default)*] [$($spec)*]; $($rest)* }
    };
}

macro_rules! take_field {
    ($r:ident $l:ident ($place:expr) [$($default:tt)*] [$($spec:tt)*]; tag $($rest:tt)*) => {
        default_of!($($default)*)
    };
    ($r:ident $l:ident ($place:expr) [$($default:tt)*] [$($spec:tt)*];) => {
        in_versions! {
            ($l.version)
            ({
                $r.enter($place);
                $crate::protocol::dsl::Field::take($r, $l, is_nullable!($l.version; $($spec)*))?
            })
            (default_of!($($default)*))
            $($spec)*
        }
    };
    ($r:ident $l:ident ($place:expr) [$($default:tt)*] [$($spec:tt)*]; $other:tt $($rest:tt)*) => {
        take_field! { $r $l ($place) [$($default)*] [$($spec)*]; $($rest)* }
    };
}

macro_rules! take_tagged {
    ($r:ident $l:ident ($value:expr) ($place:expr) $found:ident [$($spec:tt)*]; tag $tag:literal $($rest:tt)*) => {
        if $found == $tag && versions_of!($($spec)*).contains($l.version) {
            $r.enter($place);
            $value = $crate::protocol::dsl::Field::take(&mut $r, $l, is_nullable!($l.version; $($spec)*))?;
            $r.finish()?;
        }
    };
    ($r:ident $l:ident ($value:expr) ($place:expr) $found:ident [$($spec:tt)*];) => {};
    ($r:ident $l:ident ($value:expr) ($place:expr) $found:ident [$($spec:tt)*]; $other:tt $($rest:tt)*) => {
        take_tagged! { $r $l ($value) ($place) $found [$($spec)*]; $($rest)* }
    };
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
