//! What is made from the rows of an option table.
//!
//! A table is a macro that hands its rows to another macro: `producer_options!(emit_struct!(…))`. A row reads
//!
//! ```text
//! /// What it does. Defaults to …
//! field: Type = default, "kafka.property", "kafka_python_name", lowest => highest;
//! ```
//!
//! with the bounds left out where there are none. Bounds count milliseconds for times.

/// The config struct, its default, its string setter, its checks of bounds, and its list of options.
macro_rules! emit_struct {
    (
        [$(#[$meta:meta])* $config:ident $(, $(#[$part_meta:meta])* $part:ident: $part_type:ty)?]
        $(
            $(#[doc = $doc:literal])+
            $name:ident: $type:ty = $default:expr, $property:literal, $python:literal
            $(, $low:expr => $high:expr)?;
        )+
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        pub struct $config {
            $($(#[$part_meta])* pub $part: $part_type,)?
            $(
                $(#[doc = $doc])+
                #[doc = concat!("\n\nIn strings: `", $property, "` or `", $python, "`.")]
                pub $name: $type,
            )+
            /// The fields that the program has set, for the options whose default gives way to others.
            explicit: Vec<&'static str>,
        }

        impl Default for $config {
            fn default() -> Self {
                Self {
                    $($part: <$part_type>::default(),)?
                    $($name: $default,)+
                    explicit: Vec::new(),
                }
            }
        }

        impl AsMut<$config> for $config {
            fn as_mut(&mut self) -> &mut $config {
                self
            }
        }

        impl $config {
            /// The options of this table, in the order of their declaration.
            pub const OPTIONS: &'static [$crate::config::OptionInfo] = &[$(
                $crate::config::OptionInfo {
                    name: stringify!($name),
                    python_name: $python,
                    property: $property,
                    doc: concat!($($doc, "\n"),+),
                    bounds: emit_bounds!($($low => $high)?),
                    default: || {
                        let default: $type = $default;
                        $crate::config::OptionValue::show(&default)
                    },
                },
            )+];

            /// Whether the field of this name was set by a builder or from a string, rather than left alone.
            pub fn is_explicit(&self, name: &str) -> bool {
                self.explicit.contains(&name)
            }

            pub(crate) fn mark_explicit(&mut self, name: &'static str) {
                if !self.is_explicit(name) {
                    self.explicit.push(name);
                }
            }

            /// Sets an option of this table from a string; `None` when no option has this key.
            pub(super) fn set_own(&mut self, key: &str, value: &str) -> Option<Result<(), String>> {
                $(
                    if [$property, $python].contains(&key) {
                        let parsed = $crate::config::value::parse_option::<$type>(key, value);
                        return Some(parsed.map(|value| {
                            self.$name = value;
                            self.mark_explicit(stringify!($name));
                        }));
                    }
                )+
                None
            }

            /// Reports the values that are out of their bounds.
            fn check_bounds(&self, faults: &mut $crate::config::Faults) {
                for (info, measure) in Self::OPTIONS
                    .iter()
                    .zip([$($crate::config::OptionValue::measure(&self.$name)),+])
                {
                    if let Some(measure) = measure {
                        info.check(measure, faults);
                    }
                }
            }
        }
    };
}

/// The bounds of a row, if it has any.
macro_rules! emit_bounds {
    () => {
        None
    };
    ($low:expr => $high:expr) => {
        Some(($low, $high))
    };
}

/// What a client's config can do beyond its own table: strings for the common options too, and the last step of
/// `build()`.
macro_rules! client_config {
    ($config:ident, $client:expr) => {
        impl AsMut<$crate::config::CommonConfig> for $config {
            fn as_mut(&mut self) -> &mut $crate::config::CommonConfig {
                &mut self.common
            }
        }

        impl $config {
            /// Sets an option by Kafka's property name or by kafka-python's name.
            ///
            /// # Errors
            ///
            /// [`Configuration`](crate::ErrorKind::Configuration) for a key that this client does not have (the text
            /// names the nearest one), and for a value of the wrong type. Bounds are looked at by `check`.
            pub fn set(&mut self, key: &str, value: &str) -> $crate::Result<()> {
                let outcome = self.set_own(key, value).or_else(|| self.common.set_own(key, value));
                outcome
                    .unwrap_or_else(|| Err($crate::config::known::why_unknown($client, key)))
                    .map_err(|text| $crate::Error::new($crate::ErrorKind::Configuration, text))
            }

            /// The last step of a builder: reports every fault at once, or settles what depends on other options,
            /// such as the client id.
            ///
            /// # Errors
            ///
            /// [`Configuration`](crate::ErrorKind::Configuration) that names all of `faults` and all that `check`
            /// finds.
            pub fn finish(mut self, mut faults: $crate::config::Faults) -> $crate::Result<Self> {
                self.check(&mut faults);
                faults.into_result()?;
                self.settle();
                Ok(self)
            }
        }
    };
}

/// A method an option, for a builder that has a field `config`. The argument names the struct that holds the
/// options: `common_options!(builder_methods!(CommonConfig))`.
#[allow(unused_macros, reason = "for the clients' builders")]
macro_rules! builder_methods {
    (
        [$config:ident]
        $(
            $(#[doc = $doc:literal])+
            $name:ident: $type:ty = $default:expr, $property:literal, $python:literal
            $(, $low:expr => $high:expr)?;
        )+
    ) => {
        $(
            $(#[doc = $doc])+
            #[doc = concat!("\n\nIn strings: `", $property, "` or `", $python, "`.")]
            pub fn $name(mut self, value: impl $crate::config::Argument<$type>) -> Self {
                let config: &mut $crate::config::$config = self.config.as_mut();
                config.$name = value.into_value();
                config.mark_explicit(stringify!($name));
                self
            }
        )+
    };
}
pub(crate) use builder_methods;

/// The string methods of a builder that has the fields `config` and `faults`.
#[allow(unused_macros, reason = "for the clients' builders")]
macro_rules! string_methods {
    () => {
        /// Sets an option by Kafka's property name or by kafka-python's name, such as `.set("linger.ms", "5")`.
        ///
        /// An unknown key or a value of the wrong type is reported by `build()`, with all other faults.
        pub fn set(mut self, key: &str, value: &str) -> Self {
            self.faults.collect(self.config.set(key, value));
            self
        }

        /// Sets every option of a properties file; see [`Properties`](crate::config::Properties).
        ///
        /// Faults are reported by `build()`, with all others.
        pub fn properties(mut self, properties: &$crate::config::Properties) -> Self {
            for (key, value) in properties.iter() {
                self.faults.collect(self.config.set(key, value));
            }
            self
        }
    };
}
pub(crate) use string_methods;
