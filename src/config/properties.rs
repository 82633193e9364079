//! Java's properties files.

use std::iter::Peekable;
use std::path::Path;
use std::str::Chars;

use crate::{Error, ErrorKind, Result};

/// Keys and values of a properties file, as Kafka's own tools and clients read them.
///
/// One `key=value` a line; also `key: value` and `key value`. Lines that begin with `#` or `!` are comments. A
/// backslash at the end of a line goes on with the next one; elsewhere it begins `\t`, `\n`, `\r`, `\f`, `\uXXXX`,
/// or keeps the next character as it is. When a key comes twice, the last one counts. Files are UTF-8.
///
/// ```
/// let properties = kavka::config::Properties::parse("bootstrap.servers = a:9092,\\\n    b:9092\nlinger.ms=5")?;
/// assert_eq!(properties.get("bootstrap.servers"), Some("a:9092,b:9092"));
/// # Ok::<(), kavka::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties(Vec<(String, String)>);

impl Properties {
    /// Reads the text of a file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] for a `\u` without four hexadecimal digits, or with half of a pair of
    /// surrogates. The text names the line.
    pub fn parse(text: &str) -> Result<Self> {
        let mut properties = Self::default();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let text = text.replace("\r\n", "\n");
        let mut lines = text.split(['\n', '\r']);
        let mut number = 0;
        while let Some(line) = lines.next() {
            number += 1;
            let first = number;
            let line = line.trim_start_matches(BLANKS);
            if line.is_empty() || line.starts_with(['#', '!']) {
                continue;
            }
            let mut logical = line.to_owned();
            while is_continued(&logical) {
                logical.pop();
                let Some(line) = lines.next() else { break };
                number += 1;
                logical.push_str(line.trim_start_matches(BLANKS));
            }
            let (key, value) = split(&logical).map_err(|fault| {
                Error::new(ErrorKind::Configuration, format!("line {first} of the properties: {fault}"))
            })?;
            properties.insert(key, value);
        }
        Ok(properties)
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Configuration`] when the file cannot be read, is not UTF-8, or as
    /// [`parse`](Properties::parse) says. The text names the file.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|cause| {
            Error::new(ErrorKind::Configuration, format!("cannot read {}", path.display())).with_source(cause)
        })?;
        Self::parse(&text).map_err(|error| error.context(path.display()))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// Sets a key, in the place of an earlier value of it.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<String>) {
        let (key, value) = (key.into(), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some(entry) => entry.1 = value,
            None => self.0.push((key, value)),
        }
    }

    /// Takes a key out, for instance one that is for another program.
    pub fn remove(&mut self, key: &str) -> Option<String> {
        let index = self.0.iter().position(|(known, _)| known == key)?;
        Some(self.0.remove(index).1)
    }

    /// Keys and values, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// Shows the keys alone: values may be secrets.
impl std::fmt::Debug for Properties {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(key, _)| key)).finish()
    }
}

/// An odd number of backslashes at the end: the last one is not itself escaped.
fn is_continued(line: &str) -> bool {
    line.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 1
}

/// Splits a logical line at the first separator that is not escaped.
fn split(line: &str) -> Result<(String, String), String> {
    let mut chars = line.chars().peekable();
    let mut key = String::new();
    while let Some(c) = chars.next_if(|c| !BLANKS.contains(c) && !SEPARATORS.contains(c)) {
        unescape(c, &mut chars, &mut key)?;
    }
    while chars.next_if(|c| BLANKS.contains(c)).is_some() {}
    if chars.next_if(|c| SEPARATORS.contains(c)).is_some() {
        while chars.next_if(|c| BLANKS.contains(c)).is_some() {}
    }
    let mut value = String::new();
    while let Some(c) = chars.next() {
        unescape(c, &mut chars, &mut value)?;
    }
    Ok((key, value))
}

fn unescape(c: char, chars: &mut Peekable<Chars<'_>>, into: &mut String) -> Result<(), String> {
    if c != '\\' {
        into.push(c);
        return Ok(());
    }
    match chars.next() {
        Some('t') => into.push('\t'),
        Some('n') => into.push('\n'),
        Some('r') => into.push('\r'),
        Some('f') => into.push('\u{c}'),
        Some('u') => {
            let first = code_unit(chars)?;
            let mut units = vec![first];
            // Java's characters are UTF-16: one beyond the first plane is written as two escapes.
            if (0xd800..0xdc00).contains(&first) && chars.next_if_eq(&'\\').is_some() {
                if chars.next() != Some('u') {
                    return Err(LONE_SURROGATE.to_owned());
                }
                units.push(code_unit(chars)?);
            }
            into.push_str(&String::from_utf16(&units).map_err(|_| LONE_SURROGATE)?);
        }
        Some(other) => into.push(other),
        None => {}
    }
    Ok(())
}

fn code_unit(chars: &mut Peekable<Chars<'_>>) -> Result<u16, String> {
    let digits: String = chars.take(4).collect();
    if digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        if let Ok(unit) = u16::from_str_radix(&digits, 16) {
            return Ok(unit);
        }
    }
    Err("\\u needs four hexadecimal digits".to_owned())
}

const BLANKS: [char; 3] = [' ', '\t', '\u{c}'];
const SEPARATORS: [char; 2] = ['=', ':'];
const LONE_SURROGATE: &str = "\\u names one half of a pair of surrogates";

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        match Properties::parse(text) {
            Ok(properties) => properties.0,
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn lines_are_read_as_java_reads_them() {
        let table = [
            ("a=b", "a", "b"),
            ("a:b", "a", "b"),
            ("a b", "a", "b"),
            ("  a \t=  b ", "a", "b "),
            ("a = : b", "a", ": b"),
            ("a", "a", ""),
            ("a=", "a", ""),
            ("=b", "", "b"),
            ("a=b=c:d", "a", "b=c:d"),
            ("a\\ b\\:c\\=d=e", "a b:c=d", "e"),
            ("a=\\ b", "a", " b"),
            ("a=#b!", "a", "#b!"),
            ("a=b\\tc\\nd\\re\\ff", "a", "b\tc\nd\re\u{c}f"),
            ("a=C:\\\\dir\\x", "a", "C:\\dirx"),
            ("a=b,\\\n    c", "a", "b,c"),
            ("a=b,\\\r\n    c\r\n", "a", "b,c"),
            ("a=b\\\\\n", "a", "b\\"),
            ("a=b\\", "a", "b"),
            ("a=b\\\n#c", "a", "b#c"),
            ("\\u0061=\\u017C\\u00f3\\u0142w", "a", "żółw"),
            ("a=\\uD83E\\uDD80", "a", "🦀"),
            ("ż=ó", "ż", "ó"),
            ("\u{feff}a=b", "a", "b"),
        ];
        for (text, key, value) in table {
            assert_eq!(pairs(text), [(key.to_owned(), value.to_owned())], "{text:?}");
        }
        let two = [("a", "b"), ("c", "d")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        for text in ["a=b\rc=d", "a=b\r\nc=d", "a=b\\\n\nc=d", "a=b\\\n   \nc=d", "a=b\n#x\\\nc=d"] {
            assert_eq!(pairs(text), two, "{text:?}");
        }
        assert!(pairs("# a=b\n  ! c=d\n\n   \n#x\\\n").is_empty());
    }

    #[test]
    fn the_last_value_of_a_key_counts() {
        let mut properties = Properties::parse("a=1\nb=2\n#\na=3").expect("valid");
        assert_eq!(properties.iter().collect::<Vec<_>>(), [("a", "3"), ("b", "2")]);
        assert_eq!((properties.get("a"), properties.get("c")), (Some("3"), None));
        assert_eq!(properties.remove("a").as_deref(), Some("3"));
        assert_eq!(properties.remove("a"), None);
        assert_eq!(format!("{properties:?}"), "[\"b\"]", "values may be secrets");
    }

    #[test]
    fn bad_escapes_name_their_line() {
        for text in [
            "a=\\u12",
            "a=\\u12g4",
            "a=\\u+123",
            "a=\\ud83e",
            "a=\\ud83e\\n",
            "a=\\ud83e\\u0041",
            "a=\\udd80",
        ] {
            let error = Properties::parse(&format!("x=1\\\n2\n{text}\ny=3")).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(error.to_string().starts_with("line 3 of the properties: \\u "), "{error}");
        }
    }

    #[test]
    fn files_are_loaded() {
        let path = std::env::temp_dir().join(format!("kavka-properties-{}", std::process::id()));
        std::fs::write(&path, "a=1\n").expect("a file in the temporary directory");
        let loaded = Properties::load(&path);
        std::fs::write(&path, [b'a', b'=', 0xff]).expect("a file in the temporary directory");
        let garbled = Properties::load(&path);
        std::fs::remove_file(&path).expect("the file is there");
        let absent = Properties::load(&path);
        assert_eq!(loaded.expect("valid").get("a"), Some("1"));
        for error in [garbled.expect_err("not UTF-8"), absent.expect_err("gone")] {
            assert_eq!(error.kind(), ErrorKind::Configuration);
            assert!(error.to_string().contains("kavka-properties-"), "{error}");
            assert!(std::error::Error::source(&error).is_some());
        }
    }
}
