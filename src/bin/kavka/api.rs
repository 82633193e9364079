//! `kavka api`: any request of Kafka's protocol, as JSON.

use std::io::{Read, Write, stdin, stdout};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use kavka::cluster::{Cluster, ClusterMetadata};
use kavka::config::{AdminConfig, Faults};
use kavka::net::bridge::IoThread;
use kavka::net::clock::Clock;
use kavka::net::connection::Connection;
use kavka::net::manager::{Manager, NodeId};
use kavka::protocol::schema::MessageKind;
use kavka::protocol::{ApiKey, Schema, VersionRange, json, messages};
use serde_json::Value;

use crate::common::{Common, Failure, Outcome};

/// Sends any request of Kafka's protocol, written as JSON, and prints the answer as JSON; without a name it lists the
/// APIs, and the versions of both sides.
///
/// Fields have the names of Kafka's schemas; those that are left out have their defaults. Bytes are base64.
///
///   kavka api -b localhost:9092 Metadata '{"Topics": null}'
#[derive(Args)]
pub(crate) struct Api {
    /// The API's name, such as Metadata, or its number.
    name: Option<String>,

    /// The request; "-" reads it from stdin.
    #[arg(value_name = "JSON", default_value = "{}")]
    request: String,

    /// The version of the request; without it the newest that both sides know.
    #[arg(long, value_name = "N")]
    version: Option<i16>,

    /// The broker to ask, by its id; without it any.
    #[arg(long, value_name = "ID")]
    node: Option<i32>,

    /// Prints the request's fields, with types, versions and defaults, instead of sending it.
    #[arg(long, requires = "name")]
    schema: bool,

    #[command(flatten)]
    common: Common,
}

impl Api {
    pub(crate) fn run(self) -> Outcome {
        self.common.logging.start();
        let schemas = self.name.as_deref().map(find).transpose()?;
        let mut out = stdout().lock();
        if let (Some((request, _)), true) = (schemas, self.schema) {
            describe(&mut out, request)?;
            return Ok(ExitCode::SUCCESS);
        }
        let text = if self.request == "-" {
            let mut text = String::new();
            stdin().lock().read_to_string(&mut text)?;
            text
        } else {
            self.request.clone()
        };
        let request: Value = serde_json::from_str(&text)
            .map_err(|error| Failure::Usage(format!("the request is not JSON: {error}")))?;
        let client = self.connect()?;
        let Some((schema, answer)) = schemas else {
            let versions = client.run(self.node, |connection, _| async move { Ok(connection.versions()) })?;
            let mut rows: Vec<(ApiKey, VersionRange)> = versions.iter().collect();
            rows.sort_unstable_by_key(|(key, _)| *key);
            writeln!(out, "{:>4}  {:<42} {:>8} {:>8}", "key", "API", "broker", "kavka")?;
            for (key, theirs) in rows {
                let ours = messages::ALL.iter().find(|schema| is_request_of(schema, key));
                let ours = ours.map_or_else(|| "-".to_owned(), |schema| stable(schema).to_string());
                writeln!(out, "{:>4}  {:<42} {:>8} {ours:>8}", key.0, key.name(), theirs.to_string())?;
            }
            return Ok(ExitCode::SUCCESS);
        };
        let asked = self.version;
        let (version, body) = client.run(self.node, move |connection, timeout| async move {
            let version = match asked {
                Some(version) => version,
                None => pick(schema, &connection)?,
            };
            let body = json::encode(schema, &request, version)?;
            let answer = connection.send_bytes(schema, body, version, timeout).await?;
            Ok((version, answer))
        })?;
        let told = json::decode(answer, body, version).map_err(kavka::Error::from)?;
        serde_json::to_writer_pretty(&mut out, &told)
            .map_err(|error| Failure::from(std::io::Error::from(error)))?;
        writeln!(out)?;
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }

    fn connect(&self) -> Outcome<Client> {
        let mut config = AdminConfig::default();
        let mut faults = Faults::new();
        for property in &self.common.properties {
            faults.collect(config.set(&property.key, &property.value));
        }
        config.common.bootstrap_servers = self.common.bootstrap.clone();
        let config = config.finish(faults)?.common;
        let (clock, timeout) = (Clock::system(), config.request_timeout);
        let whole = config.default_api_timeout;
        let io = IoThread::start("kavka-api", clock, move |net| {
            let manager = Manager::new(net, &config, &config.client_id)?;
            Cluster::new(manager, &config, false, ClusterMetadata::default())
        })?;
        Ok(Client { io, clock, timeout, whole })
    }
}

struct Client {
    io: IoThread<Cluster>,
    clock: Clock,
    timeout: Duration,
    whole: Duration,
}

impl Client {
    /// Does something with a connection to a node, or to any.
    fn run<T, F, Fut>(&self, node: Option<i32>, work: F) -> Outcome<T>
    where
        T: Send + 'static,
        F: FnOnce(Connection, Duration) -> Fut + Send + 'static,
        Fut: Future<Output = kavka::Result<T>> + 'static,
    {
        let timeout = self.timeout;
        let deadline = self.clock.deadline(self.whole);
        let call = self.io.run(deadline + Duration::from_millis(500), "api", move |cluster| async move {
            let work = async {
                cluster.bootstrap().await?;
                let manager = cluster.manager();
                let id = match node {
                    Some(node) => NodeId::Broker(node),
                    None => manager.least_loaded_node().unwrap_or(NodeId::Bootstrap(0)),
                };
                work(manager.connection(id).await?, timeout).await
            };
            cluster.within(deadline, "api", work).await
        });
        Ok(call?)
    }
}

/// The schemas of an API's request and answer.
fn find(name: &str) -> Outcome<(&'static Schema, &'static Schema)> {
    let plain = name.to_ascii_lowercase();
    let plain = plain.strip_suffix("request").unwrap_or(&plain);
    let is_meant = |schema: &&&Schema| {
        let key = schema.api_key.unwrap_or(-1);
        schema.kind == MessageKind::Request
            && (ApiKey(key).name().eq_ignore_ascii_case(plain) || key.to_string() == plain)
    };
    let Some(request) = messages::ALL.iter().find(is_meant) else {
        let names: Vec<String> = messages::ALL
            .iter()
            .filter(|schema| schema.kind == MessageKind::Request)
            .map(|schema| ApiKey(schema.api_key.unwrap_or(-1)).name().into_owned())
            .collect();
        let text = format!("there is no API {name:?}; there are {}", names.join(", "));
        return Err(Failure::Usage(text));
    };
    let is_answer =
        |schema: &&&Schema| schema.kind == MessageKind::Response && schema.api_key == request.api_key;
    let answer = messages::ALL.iter().find(is_answer);
    let answer = answer.ok_or_else(|| Failure::because(format!("{} has no answer", request.name)))?;
    Ok((request, answer))
}

fn is_request_of(schema: &&&'static Schema, key: ApiKey) -> bool {
    schema.kind == MessageKind::Request && schema.api_key == Some(key.0)
}

/// The versions that Kafka calls stable.
fn stable(schema: &Schema) -> VersionRange {
    VersionRange::new(schema.versions.min, schema.max_stable)
}

/// The newest stable version that both sides know.
fn pick(schema: &'static Schema, connection: &Connection) -> kavka::Result<i16> {
    let key = ApiKey(schema.api_key.unwrap_or(-1));
    let ours = stable(schema);
    let theirs = connection.versions().get(key);
    theirs.and_then(|theirs| ours.intersect(theirs)).map(|both| both.max).ok_or_else(|| {
        let theirs = theirs.map_or_else(|| "none".to_owned(), |theirs| theirs.to_string());
        let text = format!("no version of {key} in common: kavka has {ours}, the broker {theirs}");
        kavka::Error::new(kavka::ErrorKind::UnsupportedVersion, text)
    })
}

fn describe(out: &mut impl Write, schema: &Schema) -> Outcome<()> {
    writeln!(out, "{} versions {}, stable {}", schema.name, schema.versions, stable(schema))?;
    fields(out, schema.body, 1)
}

fn fields(out: &mut impl Write, body: &kavka::protocol::schema::StructSchema, depth: usize) -> Outcome<()> {
    use kavka::protocol::schema::Type;

    for field in body.fields {
        let nullable = field.nullable.map(|versions| format!(", null in {versions}")).unwrap_or_default();
        let tag = field.tag.map(|tag| format!(", tag {tag}")).unwrap_or_default();
        let indent = "  ".repeat(depth);
        writeln!(out, "{indent}{}: {} versions {}{nullable}{tag}", field.name(), field.ty, field.versions)?;
        let inner = match field.ty {
            Type::Struct(inner) => Some(inner),
            Type::Array(Type::Struct(inner)) => Some(*inner),
            _ => None,
        };
        if let Some(inner) = inner {
            fields(out, inner, depth + 1)?;
        }
    }
    Ok(())
}
