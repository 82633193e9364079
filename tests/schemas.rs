//! Compares the messages with the schemas that Kafka ships in its `kafka-clients` jar.
//!
//! `KAVKA_KAFKA_SCHEMAS` names a folder with the content of `common/message` of two jars: `4.4.0/*.json`, and
//! `3.9.1/*.json` for versions that Kafka 4 has removed. `scripts/test` fetches them and sets the variable.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kavka::protocol::messages;
use kavka::protocol::schema::{DefaultValue, FieldSchema, MessageKind, Schema, StructSchema};
use kavka::protocol::{ApiKey, VersionRange};
use serde_json::Value;

const NEW: &str = "4.4.0";
const OLD: &str = "3.9.1";

/// The schemas that kavka does without, each with the reason. Requests stand for their responses too.
const LEFT_OUT: &[(&str, &str)] = &[
    // Requests that only brokers and controllers send to each other.
    ("LeaderAndIsrRequest", "from the ZooKeeper controller to brokers"),
    ("StopReplicaRequest", "from the ZooKeeper controller to brokers"),
    ("UpdateMetadataRequest", "from the ZooKeeper controller to brokers"),
    ("ControlledShutdownRequest", "from a broker to the controller"),
    ("AlterPartitionRequest", "from a broker to the controller"),
    ("AllocateProducerIdsRequest", "from a broker to the controller"),
    ("EnvelopeRequest", "from a broker to the controller"),
    ("BrokerRegistrationRequest", "from a broker to the controller"),
    ("BrokerHeartbeatRequest", "from a broker to the controller"),
    ("AssignReplicasToDirsRequest", "from a broker to the controller"),
    ("ControllerRegistrationRequest", "between controllers"),
    ("VoteRequest", "between controllers"),
    ("BeginQuorumEpochRequest", "between controllers"),
    ("EndQuorumEpochRequest", "between controllers"),
    ("FetchSnapshotRequest", "between controllers"),
    ("UpdateRaftVoterRequest", "between controllers"),
    ("InitializeShareGroupStateRequest", "from a group coordinator to a share coordinator"),
    ("ReadShareGroupStateRequest", "from a partition's leader to a share coordinator"),
    ("WriteShareGroupStateRequest", "from a partition's leader to a share coordinator"),
    ("DeleteShareGroupStateRequest", "from a group coordinator to a share coordinator"),
    ("ReadShareGroupStateSummaryRequest", "from a group coordinator to a share coordinator"),
    ("ListClientMetricsResourcesRequest", "the old name of ListConfigResources, whose version 0 it is"),
    // Data that clients never see.
    ("AbortedTxn", "in files of brokers"),
    ("DefaultPrincipalData", "in Envelope requests"),
    ("KRaftVersionRecord", "in the log of the controllers"),
    ("LeaderChangeMessage", "in the log of the controllers"),
    ("SnapshotFooterRecord", "in the log of the controllers"),
    ("SnapshotHeaderRecord", "in the log of the controllers"),
    ("VotersRecord", "in the log of the controllers"),
    // Not in a table.
    ("RequestHeader", "written by hand, as its client id is never compact"),
    ("ResponseHeader", "written by hand"),
];

#[test]
fn no_message_is_missing() {
    let kafka = Kafka::load();
    let ours: BTreeSet<&str> = messages::ALL.iter().map(|schema| schema.name).collect();
    assert_eq!(ours.len(), messages::ALL.len(), "a message is listed twice");
    let left_out: BTreeSet<&str> = LEFT_OUT.iter().map(|(name, _)| *name).collect();
    for name in kafka.new.keys().chain(kafka.old.keys()) {
        let listed = name.strip_suffix("Response").map_or(name.clone(), |api| format!("{api}Request"));
        assert!(
            ours.contains(name.as_str()) != left_out.contains(listed.as_str()),
            "{name} has to be either a message of kavka, or left out with a reason"
        );
    }
    for name in ours.iter().chain(&left_out) {
        assert!(kafka.new.contains_key(*name) || kafka.old.contains_key(*name), "Kafka does not know {name}");
    }
}

#[test]
fn no_message_differs() {
    let kafka = Kafka::load();
    let mut differences = Vec::new();
    let mut compared = 0;
    for schema in messages::ALL {
        compare_message(&kafka, schema, &mut differences, &mut compared);
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    // Guards against a comparison that looks at nothing.
    assert!(compared > 5000, "only {compared} fields were compared");
}

#[test]
fn every_api_key_has_kafkas_name() {
    let kafka = Kafka::load();
    let mut names = BTreeMap::new();
    for message in kafka.old.values().chain(kafka.new.values()) {
        if message["type"] == "request" {
            let name = message["name"].as_str().unwrap().strip_suffix("Request").unwrap();
            names.insert(message["apiKey"].as_i64().unwrap() as i16, name);
        }
    }
    let ours: BTreeMap<_, _> = ApiKey::ALL.iter().map(|key| (key.0, key.known_name().unwrap())).collect();
    assert_eq!(ours, names);
}

fn compare_message(kafka: &Kafka, ours: &Schema, differences: &mut Vec<String>, compared: &mut usize) {
    let name = ours.name;
    let new = &kafka.new[name];
    let mut differ = |what: String| differences.push(format!("{name}: {what}"));

    let kind = match ours.kind {
        MessageKind::Request => "request",
        MessageKind::Response => "response",
        MessageKind::Data => "data",
    };
    if new["type"] != kind {
        differ(format!("is a {}", new["type"]));
    }
    if new["apiKey"].as_i64() != ours.api_key.map(i64::from) {
        differ(format!("has key {}", new["apiKey"]));
    }
    if versions(&new["flexibleVersions"]).map(|range| range.min) != ours.flexible_since {
        differ(format!("is flexible in {}", new["flexibleVersions"]));
    }

    // A version that Kafka once removed was a real one only when it had been stable.
    let new_versions = versions(&new["validVersions"]).unwrap();
    let old_versions = kafka
        .old
        .get(name)
        .filter(|_| !kafka.is_unstable(&kafka.old, name))
        .map(|old| versions(&old["validVersions"]).unwrap());
    let min = old_versions.map_or(new_versions.min, |old| old.min.min(new_versions.min));
    if ours.versions != VersionRange::new(min, new_versions.max) {
        differ(format!("has the versions {min}-{}, not {}", new_versions.max, ours.versions));
    }
    let max_stable = new_versions.max - i16::from(kafka.is_unstable(&kafka.new, name));
    if ours.max_stable != max_stable {
        differ(format!("is stable up to version {max_stable}, not {}", ours.max_stable));
    }

    for version in ours.versions.min..=ours.versions.max {
        let theirs = if new_versions.contains(version) {
            new
        } else if let Some(old) =
            kafka.old.get(name).filter(|_| old_versions.is_some_and(|v| v.contains(version)))
        {
            old
        } else {
            differences.push(format!("{name}: Kafka does not have version {version}"));
            continue;
        };
        let mut comparison = Comparison { message: theirs, version, differences, compared };
        comparison.compare_struct(name, ours.body, &theirs["fields"]);
    }
}

struct Comparison<'a> {
    /// Kafka's schema.
    message: &'a Value,
    version: i16,
    differences: &'a mut Vec<String>,
    compared: &'a mut usize,
}

impl Comparison<'_> {
    fn compare_struct(&mut self, path: &str, ours: &StructSchema, theirs: &Value) {
        let theirs = theirs.as_array().unwrap();
        let our_names: Vec<_> =
            ours.fields.iter().filter(|f| f.versions.contains(self.version)).map(FieldSchema::name).collect();
        let their_names: Vec<_> = theirs
            .iter()
            .filter(|f| versions(&f["versions"]).is_some_and(|v| v.contains(self.version)))
            .map(field_name)
            .collect();
        if our_names != their_names {
            self.differ(path, format!("has the fields {their_names:?}, not {our_names:?}"));
        }
        for our_field in ours.fields {
            let name = our_field.name();
            let path = format!("{path}.{name}");
            match theirs.iter().find(|f| field_name(f) == name) {
                Some(their_field) => self.compare_field(&path, our_field, their_field),
                // The field of another version, which the other schema has.
                None if !our_field.versions.contains(self.version) => {}
                None => self.differ(&path, "is not known to Kafka".into()),
            }
        }
    }

    fn compare_field(&mut self, path: &str, ours: &FieldSchema, theirs: &Value) {
        *self.compared += 1;
        if default_of(theirs) != ours.default {
            self.differ(path, format!("has the default {}, not {:?}", theirs["default"], ours.default));
        }
        if !ours.versions.contains(self.version) {
            let ignorable = theirs["ignorable"].as_bool().unwrap_or(false);
            if ignorable != ours.ignorable {
                self.differ(path, format!("is ignorable: {ignorable}, not {}", ours.ignorable));
            }
            return;
        }
        let nullable = |range: Option<VersionRange>| range.is_some_and(|range| range.contains(self.version));
        let (our_null, their_null) =
            (nullable(ours.nullable), nullable(versions(&theirs["nullableVersions"])));
        if our_null != their_null {
            self.differ(path, format!("may be null: {their_null}, not {our_null}"));
        }
        let tag = versions(&theirs["taggedVersions"])
            .filter(|tagged| tagged.contains(self.version))
            .and_then(|_| theirs["tag"].as_u64());
        if tag != ours.tag.map(u64::from) {
            self.differ(path, format!("has the tag {tag:?}, not {:?}", ours.tag));
        }
        self.compare_type(path, ours, theirs);
    }

    fn compare_type(&mut self, path: &str, ours: &FieldSchema, theirs: &Value) {
        use kavka::protocol::schema::Type;
        let theirs_name = theirs["type"].as_str().unwrap();
        let (body, element) = match (ours.ty, theirs_name.strip_prefix("[]")) {
            (Type::Array(&Type::Struct(body)), Some(element)) => (body, element),
            (Type::Struct(body), None) => (body, theirs_name),
            (other, _) => {
                if other.to_string() != theirs_name {
                    self.differ(path, format!("is of type {theirs_name}, not {other}"));
                }
                return;
            }
        };
        // Where a request and its response use the same name, ours has the message's in front.
        let message = self.message["name"].as_str().unwrap();
        if body.name.strip_prefix(message).unwrap_or(body.name) != element && body.name != element {
            self.differ(path, format!("is of type {element}, not {}", body.name));
        }
        let fields = if theirs["fields"].is_array() {
            &theirs["fields"]
        } else {
            let common = self.message["commonStructs"].as_array().unwrap();
            &common.iter().find(|s| s["name"] == element).unwrap()["fields"]
        };
        self.compare_struct(path, body, fields);
    }

    fn differ(&mut self, path: &str, what: String) {
        self.differences.push(format!("{path} in version {}: {what}", self.version));
    }
}

/// Kafka's own code generator raises the first letter too: two fields are spelled `timeoutMs`, `validateOnly`.
fn field_name(field: &Value) -> String {
    let name = field["name"].as_str().unwrap();
    name[..1].to_uppercase() + &name[1..]
}

fn default_of(field: &Value) -> DefaultValue {
    let text = match &field["default"] {
        Value::Null => return DefaultValue::Zero,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.as_str() {
        "" | "false" => DefaultValue::Zero,
        "true" => DefaultValue::True,
        "null" => DefaultValue::Null,
        text => {
            let number = match text.strip_prefix("0x") {
                Some(hex) => i64::from_str_radix(hex, 16).unwrap(),
                None => text.parse().unwrap(),
            };
            if number == 0 { DefaultValue::Zero } else { DefaultValue::Number(number) }
        }
    }
}

/// `3+`, `3-5`, `3` or `none`.
fn versions(text: &Value) -> Option<VersionRange> {
    let text = text.as_str().filter(|text| *text != "none")?;
    let number = |text: &str| text.parse().unwrap();
    Some(match (text.strip_suffix('+'), text.split_once('-')) {
        (Some(min), _) => VersionRange::new(number(min), i16::MAX),
        (None, Some((min, max))) => VersionRange::new(number(min), number(max)),
        (None, None) => VersionRange::new(number(text), number(text)),
    })
}

struct Kafka {
    new: BTreeMap<String, Value>,
    old: BTreeMap<String, Value>,
}

impl Kafka {
    fn load() -> Self {
        let folder = std::env::var_os("KAVKA_KAFKA_SCHEMAS").expect(
            "KAVKA_KAFKA_SCHEMAS is not set: run scripts/test, or unpack common/message/*.json of the kafka-clients \
             jars into folders 4.4.0 and 3.9.1 and set it to the folder above",
        );
        let folder = Path::new(&folder);
        let kafka = Self { new: load(&folder.join(NEW)), old: load(&folder.join(OLD)) };
        assert!(
            kafka.new.len() > 150 && kafka.old.len() > 150,
            "schemas are missing in {}",
            folder.display()
        );
        kafka
    }

    /// Whether the newest version is only there for those who try it out. Requests say so, for their responses
    /// too.
    fn is_unstable(&self, schemas: &BTreeMap<String, Value>, name: &str) -> bool {
        let request = name.strip_suffix("Response").map_or(name.to_owned(), |api| format!("{api}Request"));
        schemas.get(&request).is_some_and(|s| s["latestVersionUnstable"].as_bool() == Some(true))
    }
}

fn load(folder: &Path) -> BTreeMap<String, Value> {
    let files = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut schemas = BTreeMap::new();
    for file in files {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = std::fs::read_to_string(&path).unwrap();
            let schema: Value = serde_json::from_str(&without_comments(&text))
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            // Messages that are gone for good have no versions and no fields.
            if schema["validVersions"] != "none" {
                schemas.insert(schema["name"].as_str().unwrap().to_owned(), schema);
            }
        }
    }
    schemas
}

/// Takes `//` comments out, where they are not within a string.
fn without_comments(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for line in text.lines() {
        let mut quoted = false;
        let end = line.char_indices().find(|&(at, letter)| {
            quoted ^= letter == '"';
            !quoted && line[at..].starts_with("//")
        });
        clean.push_str(end.map_or(line, |(at, _)| &line[..at]));
        clean.push('\n');
    }
    clean
}
