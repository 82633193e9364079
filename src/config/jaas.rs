//! `sasl.jaas.config`: Java's way to name a login module and its options.
//!
//! `org.apache.kafka.common.security.plain.PlainLoginModule required username="alice" password="secret";`

use super::Secret;

/// One login module with its options.
#[derive(Clone, Debug, Default)]
pub(super) struct Jaas {
    /// The name of the class, without its package.
    pub(super) module: String,
    options: Vec<(String, Secret)>,
}

impl Jaas {
    /// Reads the value of `sasl.jaas.config`. Faults never show a value: it may be a secret.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut words = Words { chars: text.chars().peekable() };
        let class = match words.next()? {
            Some(Word::Text(class)) => class,
            _ => return Err("names no login module".to_owned()),
        };
        let module = class.rsplit('.').next().unwrap_or_default().to_owned();
        match words.next()? {
            Some(Word::Text(flag))
                if ["required", "requisite", "sufficient", "optional"]
                    .iter()
                    .any(|known| flag.eq_ignore_ascii_case(known)) => {}
            _ => return Err("lacks the word \"required\" behind the login module".to_owned()),
        }
        let mut options = Vec::new();
        loop {
            let key = match words.next()? {
                Some(Word::Text(key)) => key,
                Some(Word::End) => break,
                Some(Word::Equals) => return Err("has a \"=\" without a name before it".to_owned()),
                None => return Err("does not end with a \";\"".to_owned()),
            };
            match (words.next()?, words.next()?) {
                (Some(Word::Equals), Some(Word::Text(value))) => options.push((key, Secret::new(value))),
                // What stands in the place of a name may be a part of a password.
                _ if NAMES.contains(&key.as_str()) => {
                    return Err(format!("has no value for {key}: write {key}=\"…\""));
                }
                _ => {
                    let place = options.len() + 1;
                    return Err(format!(
                        "has no value for the option in place {place}: write name=\"…\", with quotation marks around \
                         values that have spaces or one of = ; \" ' in them"
                    ));
                }
            }
        }
        if words.next()?.is_some() {
            return Err("has more than one login module; clients take one".to_owned());
        }
        Ok(Self { module, options })
    }

    /// The value of an option.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.options.iter().rev().find(|(known, _)| known == key).map(|(_, value)| value.reveal())
    }

    /// The value of an option that may be secret.
    pub(super) fn secret(&self, key: &str) -> Option<Secret> {
        self.get(key).map(Secret::new)
    }

    /// The value of an option that is not set to an empty text.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.get(key).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// Whether an option is set to true.
    pub(super) fn is_true(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The options whose names begin so, without that beginning.
    pub(super) fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.options.iter().filter_map(move |(key, value)| Some((key.strip_prefix(prefix)?, value.reveal())))
    }
}

/// Options that may be named when something is wrong with them.
const NAMES: &[&str] = &[
    "username",
    "password",
    "tokenauth",
    "serviceName",
    "keyTab",
    "principal",
    "clientId",
    "clientSecret",
    "scope",
    "awsProfileName",
];

enum Word {
    Text(String),
    Equals,
    End,
}

struct Words<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
}

impl Words<'_> {
    fn next(&mut self) -> Result<Option<Word>, String> {
        while self.chars.next_if(|c| c.is_whitespace()).is_some() {}
        Ok(Some(match self.chars.next() {
            None => return Ok(None),
            Some(';') => Word::End,
            Some('=') => Word::Equals,
            Some(quote @ ('"' | '\'')) => Word::Text(self.quoted(quote)?),
            Some(first) => {
                let mut text = String::from(first);
                while let Some(c) = self.chars.next_if(|c| !c.is_whitespace() && !"=;\"'".contains(*c)) {
                    text.push(c);
                }
                Word::Text(text)
            }
        }))
    }

    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.chars.next() {
                None => return Err("has a quotation mark that is not closed".to_owned()),
                Some('\\') => text.push(match self.chars.next() {
                    None => return Err("has a quotation mark that is not closed".to_owned()),
                    Some('n') => '\n',
                    Some('r') => '\r',
                    Some('t') => '\t',
                    Some(other) => other,
                }),
                Some(c) if c == quote => return Ok(text),
                Some(c) => text.push(c),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_and_options() {
        let jaas = Jaas::parse(
            "org.apache.kafka.common.security.scram.ScramLoginModule REQUIRED\n username=\"al ice\" \
             password=\"s\\\"e;c=ret\\\\\" tokenauth='true' extension_a=b extension_c = \"\" ; ",
        )
        .expect("valid");
        assert_eq!(jaas.module, "ScramLoginModule");
        assert_eq!(jaas.get("username"), Some("al ice"));
        assert_eq!(jaas.get("password"), Some("s\"e;c=ret\\"));
        assert!(jaas.is_true("tokenauth") && !jaas.is_true("username"));
        let extensions: Vec<_> = jaas.with_prefix("extension_").collect();
        assert_eq!(extensions, [("a", "b"), ("c", "")]);
        assert_eq!((jaas.text("extension_c"), jaas.get("none")), (None, None));
        assert!(!format!("{jaas:?}").contains("s\\\"e"), "{jaas:?}");
        assert!(Jaas::parse("Plain required;").is_ok());
    }

    #[test]
    fn faults_are_told_without_values() {
        for (text, fault) in [
            ("", "names no login module"),
            (";", "names no login module"),
            ("Plain", "lacks the word \"required\""),
            ("Plain maybe;", "lacks the word \"required\""),
            ("Plain required", "does not end with a \";\""),
            ("Plain required password=\"hush", "is not closed"),
            ("Plain required password=\"hush\\", "is not closed"),
            ("Plain required password \"hush\";", "no value for password"),
            ("Plain required password=;", "no value for password"),
            ("Plain required username=a password=my hush;", "option in place 3"),
            ("Plain required username=a password=my hush more;", "option in place 3"),
            ("Plain required password=my=hush;", "without a name"),
            ("hush", "lacks the word \"required\""),
            ("user:hush required_not;", "lacks the word \"required\""),
            ("Plain required =\"hush\";", "without a name"),
            ("Plain required a=\"hush\"; Plain required;", "more than one"),
        ] {
            let told = Jaas::parse(text).expect_err(text);
            assert!(told.contains(fault) && !told.contains("hush"), "{text}: {told}");
        }
    }
}
