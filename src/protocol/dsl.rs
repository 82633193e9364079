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
                    nullable: if <$ty as $crate::protocol::field::Field>::NULLABLE {
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

        impl $crate::protocol::field::Field for $name {
            const TYPE: $crate::protocol::schema::Type = $crate::protocol::schema::Type::Struct(Self::BODY);

            fn put(
                &self,
                w: &mut $crate::protocol::Writer,
                l: $crate::protocol::field::Layout,
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
                l: $crate::protocol::field::Layout,
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
                l: $crate::protocol::field::Layout,
                _: bool,
            ) -> Self {
                let _ = (&g, l);
                Self {
                    $($field: in_versions! {
                        (l.version)
                        ({
                            g.enter(stringify!($field));
                            $crate::protocol::field::Field::arbitrary(g, l, is_nullable!(l.version; $($($spec)*)?))
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
                $crate::protocol::field::encode(Self::SCHEMA, self, w, version)
            }

            fn decode(
                r: &mut $crate::protocol::Reader,
                version: i16,
            ) -> Result<Self, $crate::protocol::DecodeError> {
                $crate::protocol::field::decode(Self::SCHEMA, r, version)
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
        if <$ty as $crate::protocol::field::Field>::NULLABLE {
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
    (($value:expr)) => { $crate::protocol::field::Field::is_zero(&$value) };
    (($value:expr) empty) => { matches!(&$value, Some(value) if $crate::protocol::field::Field::is_zero(value)) };
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
    ($ty:ty;) => { <$ty as $crate::protocol::field::Field>::TYPE };
    ($ty:ty; records $($rest:tt)*) => { $crate::protocol::schema::Type::Records };
    ($ty:ty; $other:tt $($rest:tt)*) => { type_of!($ty; $($rest)*) };
}

macro_rules! debug_field {
    ($d:ident $this:ident $field:ident;) => { $d.field(stringify!($field), &$this.$field); };
    ($d:ident $this:ident $field:ident; secret $($rest:tt)*) => {
        $d.field(stringify!($field), &format_args!("***"));
    };
    ($d:ident $this:ident $field:ident; records $($rest:tt)*) => {
        $d.field(stringify!($field), &$crate::protocol::field::Summary(&$this.$field));
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
                $crate::protocol::field::Field::put(&$value, $w, $l, is_nullable!($l.version; $($spec)*))?;
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
            $crate::protocol::field::put_tagged($w, $counter, $tag, &$value, $l, nullable)?;
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
                $crate::protocol::field::Field::take($r, $l, is_nullable!($l.version; $($spec)*))?
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
            $value = $crate::protocol::field::Field::take(&mut $r, $l, is_nullable!($l.version; $($spec)*))?;
            $r.finish()?;
        }
    };
    ($r:ident $l:ident ($value:expr) ($place:expr) $found:ident [$($spec:tt)*];) => {};
    ($r:ident $l:ident ($value:expr) ($place:expr) $found:ident [$($spec:tt)*]; $other:tt $($rest:tt)*) => {
        take_tagged! { $r $l ($value) ($place) $found [$($spec)*]; $($rest)* }
    };
}
