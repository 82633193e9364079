//! Enums of what brokers say by numbers or by words; what this version does not know survives as it came.

/// An enum whose values are numbers on the wire, and Kafka's names for people.
macro_rules! code_enum {
    ($(
        $(#[$meta:meta])*
        $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $code:literal $text:literal,)+ }
    )+) => {$(
        $(#[$meta])*
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
            /// A number that this version does not know.
            Unknown(i8),
        }

        impl $name {
            /// Every value that has a name.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The number on the wire.
            pub const fn code(self) -> i8 {
                match self {
                    $(Self::$variant => $code,)+
                    Self::Unknown(code) => code,
                }
            }

            /// The value of a number.
            pub const fn from_code(code: i8) -> Self {
                match code {
                    $($code => Self::$variant,)+
                    code => Self::Unknown(code),
                }
            }
        }

        impl std::fmt::Display for $name {
            /// Kafka's name.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $(Self::$variant => f.pad($text),)+
                    Self::Unknown(code) => f.pad(&format!("UNKNOWN_{code}")),
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Error;

            /// Reads Kafka's name, in any case, with or without `_` and `-` between the words.
            fn from_str(text: &str) -> $crate::Result<Self> {
                $(if $crate::admin::words::is_like($text, text) {
                    return Ok(Self::$variant);
                })+
                Err($crate::admin::words::not_one_of(text, &[$($text),+]))
            }
        }
    )+};
}

/// An enum whose values are words on the wire.
macro_rules! word_enum {
    ($(
        $(#[$meta:meta])*
        $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+ }
    )+) => {$(
        $(#[$meta])*
        #[non_exhaustive]
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
            /// A word that this version does not know.
            Unknown(String),
        }

        impl $name {
            /// Every value that has a name.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Kafka's word for it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Unknown(word) => word,
                }
            }

            /// The value of a word, in any case.
            pub fn from_word(word: &str) -> Self {
                $(if word.eq_ignore_ascii_case($text) {
                    return Self::$variant;
                })+
                Self::Unknown(word.to_owned())
            }
        }

        impl std::fmt::Display for $name {
            /// Kafka's word for it.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Error;

            /// Reads one of the known words, in any case, with or without `_` and `-` between the parts.
            fn from_str(text: &str) -> $crate::Result<Self> {
                $(if $crate::admin::words::is_like($text, text) {
                    return Ok(Self::$variant);
                })+
                Err($crate::admin::words::not_one_of(text, &[$($text),+]))
            }
        }
    )+};
}

pub(crate) use {code_enum, word_enum};

use crate::error::{Error, ErrorKind};

/// Whether somebody who writes `text` means `name`.
pub(crate) fn is_like(name: &str, text: &str) -> bool {
    let plain = |text: &str| -> String {
        text.chars().filter(|c| !matches!(c, '_' | '-')).flat_map(char::to_lowercase).collect()
    };
    plain(name) == plain(text)
}

pub(crate) fn not_one_of(text: &str, names: &[&str]) -> Error {
    let text = format!("{text:?} is not one of {}", names.join(", "));
    Error::new(ErrorKind::InvalidArgument, text)
}

#[cfg(test)]
mod tests {
    use crate::admin::{AclOperation, GroupState};

    #[test]
    fn known_numbers_have_names_and_the_others_survive() {
        for operation in AclOperation::ALL {
            assert_eq!(AclOperation::from_code(operation.code()), *operation);
            assert_eq!(operation.to_string().parse::<AclOperation>().ok(), Some(*operation));
        }
        let unknown = AclOperation::from_code(99);
        assert_eq!((unknown, unknown.code()), (AclOperation::Unknown(99), 99));
        assert_eq!(unknown.to_string(), "UNKNOWN_99");
        assert_eq!("describe-configs".parse::<AclOperation>().ok(), Some(AclOperation::DescribeConfigs));
        let error = "reed".parse::<AclOperation>().expect_err("no such operation");
        assert!(error.to_string().contains("\"reed\" is not one of") && error.to_string().contains("READ"));
    }

    #[test]
    fn known_words_have_values_and_the_others_survive() {
        for state in GroupState::ALL {
            assert_eq!(&GroupState::from_word(state.as_str()), state);
        }
        assert_eq!(GroupState::from_word("stable"), GroupState::Stable);
        let unknown = GroupState::from_word("Sleeping");
        assert_eq!((unknown.as_str(), unknown.to_string().as_str()), ("Sleeping", "Sleeping"));
        assert_eq!("preparing_rebalance".parse::<GroupState>().ok(), Some(GroupState::PreparingRebalance));
        assert!("sleeping".parse::<GroupState>().is_err(), "a slip of the pen, rather than a new word");
    }
}
