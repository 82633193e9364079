//! What a command has to say: built once, printed as tables for people or as JSON for programs.

use std::fmt::Write as _;
use std::io::{Write as _, stdout};
use std::process::ExitCode;

use kavka::{Error, Result};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::session::Format;
use crate::common::Outcome;

/// One thing, with named fields in an order that means something.
#[derive(Clone, Debug, Default)]
pub(super) struct Item {
    fields: Vec<(&'static str, Field)>,
}

#[derive(Clone, Debug)]
enum Field {
    Value(Value),
    List(Vec<Item>),
}

/// The answer of a command.
pub(super) struct Report {
    items: Vec<Item>,
    /// Whether it is about one thing, so that JSON has no list around it.
    is_one: bool,
    /// What failed, for people.
    failures: Vec<String>,
}

impl Item {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds a field.
    #[must_use]
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.fields.push((name, Field::Value(value.into())));
        self
    }

    /// Adds a field that is a list of things, which becomes a table of its own.
    #[must_use]
    pub(super) fn list(mut self, name: &'static str, items: impl IntoIterator<Item = Item>) -> Self {
        self.fields.push((name, Field::List(items.into_iter().collect())));
        self
    }

    /// Adds the fields of another item.
    #[must_use]
    pub(super) fn and(mut self, other: Item) -> Self {
        self.fields.extend(other.fields);
        self
    }

    fn has_lists(&self) -> bool {
        self.fields.iter().any(|(_, field)| matches!(field, Field::List(_)))
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find_map(|(known, field)| match field {
            Field::Value(value) if *known == name => Some(value),
            _ => None,
        })
    }
}

impl Report {
    /// A report on a list of things.
    pub(super) fn list(items: impl IntoIterator<Item = Item>) -> Self {
        Self { items: items.into_iter().collect(), is_one: false, failures: Vec::new() }
    }

    /// A report on one thing.
    pub(super) fn one(item: Item) -> Self {
        Self { is_one: true, ..Self::list([item]) }
    }

    /// A report on things that may have failed, each on its own: `key` says which, the result what became of it.
    pub(super) fn results(results: impl IntoIterator<Item = (Item, Result<Item>)>) -> Self {
        let mut report = Self::list([]);
        report.extend(results);
        report
    }

    /// Adds things that may have failed.
    pub(super) fn extend(&mut self, results: impl IntoIterator<Item = (Item, Result<Item>)>) {
        for (key, result) in results {
            self.add(key, result);
        }
    }

    /// Adds a thing that may have failed.
    pub(super) fn add(&mut self, key: Item, result: Result<Item>) {
        match result {
            Ok(item) => self.items.push(key.and(item)),
            Err(error) => {
                self.failures.push(describe(&key, &error));
                let code = error.code().map(|code| code.name().into_owned());
                self.items.push(key.with("error", error.to_string()).with("error_code", code));
            }
        }
    }

    /// Prints it; the exit code tells whether something failed.
    pub(super) fn print(self, format: Format) -> Outcome {
        let text = match format {
            Format::Table => self.text(),
            Format::Json => self.json() + "\n",
        };
        let mut out = stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()?;
        for failure in &self.failures {
            eprintln!("kavka: {failure}");
        }
        Ok(if self.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn json(&self) -> String {
        let one = self.items.first().filter(|_| self.is_one);
        let text = match one {
            Some(item) => serde_json::to_string_pretty(item),
            None => serde_json::to_string_pretty(&self.items),
        };
        text.unwrap_or_default()
    }

    fn text(&self) -> String {
        // What failed is told on stderr.
        let done: Vec<&Item> = self.items.iter().filter(|item| item.value("error").is_none()).collect();
        let mut text = String::new();
        if self.is_one || done.iter().any(|item| item.has_lists()) {
            for (index, item) in done.into_iter().enumerate() {
                if index > 0 {
                    text.push('\n');
                }
                sheet(&mut text, item, 0);
            }
        } else {
            table(&mut text, &done, 0);
        }
        text
    }
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len()))?;
        for (name, field) in &self.fields {
            match field {
                Field::Value(value) => map.serialize_entry(name, value)?,
                Field::List(items) => map.serialize_entry(name, items)?,
            }
        }
        map.end()
    }
}

/// A failure in words: "topic orders: …", unless the error names it itself.
fn describe(key: &Item, error: &Error) -> String {
    let text = error.to_string();
    let mut names = String::new();
    for (name, field) in &key.fields {
        if let Field::Value(value) = field {
            let shown = shown(value);
            let words = format!("{} {shown}", name.replace('_', " "));
            // A number alone may be that of anything.
            if !has_words(&text, if value.is_number() { &words } else { &shown }) {
                let _ = write!(names, "{words}: ");
            }
        }
    }
    names + &text
}

/// Whether a text has these words, and not as parts of longer ones: "orders-new" is about another topic than "orders".
fn has_words(text: &str, words: &str) -> bool {
    text.match_indices(words).any(|(at, found)| {
        let (before, rest) = text.split_at(at);
        !goes_on(before.chars().rev()) && !goes_on(rest.chars().skip(found.chars().count()))
    })
}

/// Whether a word goes on here. A full stop ends it unless more follows.
fn goes_on(mut chars: impl Iterator<Item = char>) -> bool {
    chars.find(|c| !matches!(c, '.' | '_' | '-')).is_some_and(char::is_alphanumeric)
}

/// One thing: a line a field, its lists as tables below.
fn sheet(text: &mut String, item: &Item, indent: usize) {
    let width = item.fields.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, field) in &item.fields {
        match field {
            Field::Value(value) => {
                let _ = writeln!(text, "{:indent$}{:<width$}  {}", "", label(name), shown(value));
            }
            Field::List(items) if items.is_empty() => {
                let _ = writeln!(text, "{:indent$}{:<width$}  -", "", label(name));
            }
            Field::List(items) => {
                let _ = writeln!(text, "{:indent$}{}", "", label(name));
                let items: Vec<&Item> = items.iter().collect();
                if items.iter().any(|item| item.has_lists()) {
                    for (index, item) in items.into_iter().enumerate() {
                        if index > 0 {
                            text.push('\n');
                        }
                        sheet(text, item, indent + 2);
                    }
                } else {
                    table(text, &items, indent + 2);
                }
            }
        }
    }
}

/// Things with the same fields: a row each.
fn table(text: &mut String, items: &[&Item], indent: usize) {
    let mut columns: Vec<&'static str> = Vec::new();
    for (name, _) in items.iter().flat_map(|item| &item.fields) {
        if !columns.contains(name) {
            columns.push(name);
        }
    }
    let cell = |item: &Item, column: &str| item.value(column).map_or_else(|| "-".to_owned(), shown);
    let widths: Vec<usize> = columns
        .iter()
        .map(|column| {
            let cells = items.iter().map(|item| cell(item, column).chars().count());
            cells.chain([column.len()]).max().unwrap_or_default()
        })
        .collect();
    let is_number = |column: &str| {
        items.iter().all(|item| item.value(column).is_none_or(|value| value.is_number() || value.is_null()))
    };
    let mut line = |cells: &mut dyn Iterator<Item = (String, &str)>| {
        let mut row = String::new();
        for ((cell, column), width) in cells.zip(&widths) {
            let gap = if row.is_empty() { "" } else { "  " };
            let _ = match is_number(column) {
                true => write!(row, "{gap}{cell:>width$}"),
                false => write!(row, "{gap}{cell:<width$}"),
            };
        }
        let _ = writeln!(text, "{:indent$}{}", "", row.trim_end());
    };
    if items.is_empty() {
        return;
    }
    line(&mut columns.iter().map(|column| (label(column).to_uppercase(), *column)));
    for item in items {
        line(&mut columns.iter().map(|column| (cell(item, column), *column)));
    }
}

fn label(name: &str) -> String {
    name.replace('_', "-")
}

/// A value for people: nothing is a dash, a list has commas, and nothing can move the cursor.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) if text.chars().any(char::is_control) => text.escape_debug().to_string(),
        Value::String(text) => text.clone(),
        Value::Array(values) if values.is_empty() => "-".to_owned(),
        Value::Array(values) => values.iter().map(shown).collect::<Vec<_>>().join(","),
        Value::Object(fields) if fields.is_empty() => "-".to_owned(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| format!("{key}={}", shown(value))).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use kavka::ErrorCode;

    use super::*;

    #[test]
    fn flat_things_become_a_table() {
        let items = [("orders", Some(6)), ("a-longer-name", None)]
            .map(|(name, count)| Item::new().with("topic", name).with("partition_count", count));
        let text = Report::list(items).text();
        assert_eq!(
            text,
            "TOPIC          PARTITION-COUNT\norders                       6\na-longer-name                -\n"
        );
        assert_eq!(Report::list([]).text(), "", "nothing, not even a head");
    }

    #[test]
    fn things_with_lists_become_sheets() {
        let member = Item::new().with("member", "m1").with("partitions", vec![0, 1]);
        let group = Item::new().with("group", "g").with("state", "").list("members", [member]);
        let text = Report::list([group]).text();
        assert_eq!(text, "group    g\nstate    -\nmembers\n  MEMBER  PARTITIONS\n  m1      0,1\n");
    }

    #[test]
    fn failures_are_told_apart() {
        let error = Error::from_code(ErrorCode::GROUP_ID_NOT_FOUND, "delete group");
        let key = |name: &str| Item::new().with("group", name);
        let report =
            Report::results([(key("a"), Ok(Item::new().with("status", "deleted"))), (key("b"), Err(error))]);
        assert_eq!(report.text(), "GROUP  STATUS\na      deleted\n");
        let [failure] = &report.failures[..] else { panic!("one failure") };
        assert!(failure.starts_with("group b: delete group: GROUP_ID_NOT_FOUND"), "{failure}");
        let json: Value = serde_json::from_str(&report.json()).expect("JSON");
        assert_eq!(json[0], serde_json::json!({"group": "a", "status": "deleted"}));
        assert_eq!(json[1]["error_code"], "GROUP_ID_NOT_FOUND");
    }

    #[test]
    fn an_error_names_its_item_with_whole_words_or_not_at_all() {
        let told = |topic: &str, partition: i32, text: &str| {
            let key = Item::new().with("topic", topic).with("partition", partition);
            describe(&key, &Error::new(kavka::ErrorKind::Timeout, text))
        };
        let text = "no answer (topic orders, partition 3)";
        assert_eq!(told("orders", 3, text), text);
        assert_eq!(told("orders", 3, "no partition 3 of orders."), "no partition 3 of orders.");
        assert_eq!(told("or", 3, text), format!("topic or: {text}"));
        for (topic, text) in [("orders", "no answer for orders-new"), ("new", "no answer for orders.new")] {
            assert_eq!(told(topic, 3, text), format!("topic {topic}: partition 3: {text}"));
        }
        assert_eq!(told("orders", 3, "orders: no answer in 3 s"), "partition 3: orders: no answer in 3 s");
    }

    #[test]
    fn json_keeps_the_order_of_fields() {
        let report = Report::one(Item::new().with("zebra", 1).with("ant", true));
        assert_eq!(report.json(), "{\n  \"zebra\": 1,\n  \"ant\": true\n}");
    }

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(shown(&Value::from("a\u{1b}[2Jb")), "a\\u{1b}[2Jb");
    }
}
