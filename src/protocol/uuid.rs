//! Kafka's ids of topics, members and directories.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind};

/// A 128-bit id, printed as Kafka prints it: 22 letters of URL-safe base64.
///
/// ```
/// let id: kavka::protocol::Uuid = "AAECAwQFBgcICQoLDA0ODw".parse()?;
/// assert_eq!(id.0[15], 15);
/// assert_eq!(id.to_string(), "AAECAwQFBgcICQoLDA0ODw");
/// # Ok::<(), kavka::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// The id that stands for "none".
    pub const ZERO: Self = Self([0; 16]);

    /// The id that stands for the topic of cluster metadata, and for the first directory.
    pub const ONE: Self = Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

    /// A random (version 4) id, made of 16 random bytes of the caller's. As Kafka's own, its text does not begin
    /// with `-`, which command lines would take for an option.
    pub const fn random(mut bytes: [u8; 16]) -> Self {
        if bytes[0] >> 2 == DASH {
            bytes[0] ^= 0x80;
        }
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }

    /// Whether this is [`Uuid::ZERO`].
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = u128::from_be_bytes(self.0);
        let mut text = [0; LETTERS];
        for (i, letter) in text.iter_mut().enumerate() {
            // 21 letters of 6 bits, and one of the last 2 bits with 4 zeros behind them.
            let six = if i < 21 { value >> (122 - 6 * i) } else { value << 4 };
            *letter = ALPHABET[(six & 0x3f) as usize];
        }
        f.pad(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Uuid {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::new(
                ErrorKind::InvalidArgument,
                format!("{text:?} is not a Kafka uuid: 22 letters of URL-safe base64 are"),
            )
        };
        let letters = text.trim_end_matches('=').as_bytes();
        if letters.len() != LETTERS {
            return Err(wrong());
        }
        let mut value = 0;
        for (i, letter) in letters.iter().enumerate() {
            let six = ALPHABET.iter().position(|l| l == letter).ok_or_else(wrong)? as u128;
            if i < 21 {
                value = value << 6 | six;
            } else if six & 0x0f == 0 {
                value = value << 2 | six >> 4;
            } else {
                return Err(wrong());
            }
        }
        Ok(Self(value.to_be_bytes()))
    }
}

const LETTERS: usize = 22;
/// The place of `-` in the alphabet.
const DASH: u8 = 62;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(Uuid::ONE.to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        assert_eq!(Uuid([0xff; 16]).to_string(), "_____________________w");
        for seed in 0..200u8 {
            let id = Uuid::random(std::array::from_fn(|i| seed.wrapping_mul(31).wrapping_add(i as u8 * 7)));
            assert_eq!(id.to_string().parse::<Uuid>().unwrap(), id);
            assert_eq!((id.0[6] >> 4, id.0[8] >> 6), (4, 2));
        }
    }

    #[test]
    fn random_ids_do_not_look_like_options() {
        for first in 0..=255u8 {
            let text = Uuid::random([first; 16]).to_string();
            assert!(!text.starts_with('-'), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "AAAA",
            "AAAAAAAAAAAAAAAAAAAAAB",
            "AAAAAAAAAAAAAAAAAAAA+A",
            "AAAAAAAAAAAAAAAAAAAAAAA",
            "äAAAAAAAAAAAAAAAAAAAA",
        ] {
            let error = text.parse::<Uuid>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{text}");
        }
    }
}
