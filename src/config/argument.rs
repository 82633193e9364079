//! What the builders' methods take.

use std::path::{Path, PathBuf};

use super::{BrokerVersion, HostnameCheck, OptionValue, Secret, SecretBytes};

/// What can be given for an option of type `T`: the value itself, or something that stands for it.
///
/// So `group_id` takes `"billing"` where the option is an `Option<String>`, and `bootstrap_servers` takes one
/// string with commas, an array, a slice or a vector.
pub trait Argument<T> {
    /// The option's value.
    fn into_value(self) -> T;
}

impl<T> Argument<T> for T {
    fn into_value(self) -> T {
        self
    }
}

impl<T> Argument<Option<T>> for T {
    fn into_value(self) -> Option<T> {
        Some(self)
    }
}

impl Argument<String> for &str {
    fn into_value(self) -> String {
        self.to_owned()
    }
}

impl Argument<String> for &String {
    fn into_value(self) -> String {
        self.clone()
    }
}

impl Argument<Option<String>> for &str {
    fn into_value(self) -> Option<String> {
        Some(self.to_owned())
    }
}

impl Argument<Option<String>> for &String {
    fn into_value(self) -> Option<String> {
        Some(self.clone())
    }
}

impl Argument<Secret> for &str {
    fn into_value(self) -> Secret {
        Secret::new(self)
    }
}

impl Argument<Option<Secret>> for &str {
    fn into_value(self) -> Option<Secret> {
        Some(Secret::new(self))
    }
}

impl Argument<Option<Secret>> for String {
    fn into_value(self) -> Option<Secret> {
        Some(Secret::new(self))
    }
}

macro_rules! paths {
    ($($text:ty),+) => {$(
        impl Argument<Option<PathBuf>> for $text {
            fn into_value(self) -> Option<PathBuf> {
                Some(PathBuf::from(self))
            }
        }
    )+};
}
paths!(&str, &String, String, &Path, &PathBuf);

macro_rules! secret_bytes {
    ($($bytes:ty),+) => {$(
        impl Argument<Option<SecretBytes>> for $bytes {
            fn into_value(self) -> Option<SecretBytes> {
                Some(SecretBytes::new(self))
            }
        }
    )+};
}
secret_bytes!(&str, String, &[u8], Vec<u8>);

impl<const N: usize> Argument<Option<SecretBytes>> for &[u8; N] {
    fn into_value(self) -> Option<SecretBytes> {
        Some(SecretBytes::new(self.as_slice()))
    }
}

impl Argument<HostnameCheck> for bool {
    fn into_value(self) -> HostnameCheck {
        if self { HostnameCheck::Https } else { HostnameCheck::None }
    }
}

impl Argument<Vec<String>> for &str {
    fn into_value(self) -> Vec<String> {
        OptionValue::parse(self).unwrap_or_default()
    }
}

impl Argument<Vec<String>> for String {
    fn into_value(self) -> Vec<String> {
        self.as_str().into_value()
    }
}

impl Argument<Vec<String>> for &String {
    fn into_value(self) -> Vec<String> {
        self.as_str().into_value()
    }
}

impl<const N: usize> Argument<Vec<String>> for [&str; N] {
    fn into_value(self) -> Vec<String> {
        self.map(str::to_owned).into()
    }
}

impl Argument<Vec<String>> for Vec<&str> {
    fn into_value(self) -> Vec<String> {
        self.into_iter().map(str::to_owned).collect()
    }
}

impl Argument<Vec<String>> for &[&str] {
    fn into_value(self) -> Vec<String> {
        self.iter().map(|&item| item.to_owned()).collect()
    }
}

impl<T: Clone> Argument<Vec<T>> for &[T] {
    fn into_value(self) -> Vec<T> {
        self.to_vec()
    }
}

impl<T, const N: usize> Argument<Vec<T>> for [T; N] {
    fn into_value(self) -> Vec<T> {
        self.into()
    }
}

impl Argument<Option<BrokerVersion>> for (u8, u8) {
    fn into_value(self) -> Option<BrokerVersion> {
        Some(self.into())
    }
}

impl Argument<Option<BrokerVersion>> for (u8, u8, u8) {
    fn into_value(self) -> Option<BrokerVersion> {
        Some(self.into())
    }
}
