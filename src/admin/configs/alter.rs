//! Changing single options (KIP-339).

use std::fmt;

use super::{ConfigResource, of_resource};
use crate::admin::words::code_enum;
use crate::admin::{At, KafkaAdminClient, Results, unanswered, verdict};
use crate::error::{ErrorKind, Result};
use crate::protocol::messages::incremental_alter_configs::{AlterConfigsResource, AlterableConfig};
use crate::protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

code_enum! {
    /// What is done with an option.
    AlterConfigOp {
        /// It gets a value.
        Set = 0 "SET",
        /// Its value is taken back: what counts from then on is what is set at another level, or the default.
        Delete = 1 "DELETE",
        /// Words are added to its list.
        Append = 2 "APPEND",
        /// Words are taken from its list.
        Subtract = 3 "SUBTRACT",
    }
}

/// Changes of the options of one resource. Made by [`ConfigResource::set`] and its like.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigChanges {
    pub(super) resource: ConfigResource,
    pub(super) changes: Vec<Change>,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) key: String,
    pub(super) op: AlterConfigOp,
    /// May be a secret.
    pub(super) value: Option<String>,
}

impl ConfigChanges {
    /// No changes yet.
    pub fn new(resource: ConfigResource) -> Self {
        Self { resource, changes: Vec::new() }
    }

    /// Sets an option.
    #[must_use]
    pub fn set(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.with(AlterConfigOp::Set, key, Some(value.into()))
    }

    /// Takes the value of an option back.
    #[must_use]
    pub fn delete(self, key: impl Into<String>) -> Self {
        self.with(AlterConfigOp::Delete, key, None)
    }

    /// Adds words to an option that is a list; several with commas.
    #[must_use]
    pub fn append(self, key: impl Into<String>, words: impl Into<String>) -> Self {
        self.with(AlterConfigOp::Append, key, Some(words.into()))
    }

    /// Takes words from an option that is a list; several with commas.
    #[must_use]
    pub fn subtract(self, key: impl Into<String>, words: impl Into<String>) -> Self {
        self.with(AlterConfigOp::Subtract, key, Some(words.into()))
    }

    /// Any of these.
    #[must_use]
    pub fn with(mut self, op: AlterConfigOp, key: impl Into<String>, value: Option<String>) -> Self {
        self.changes.push(Change { key: key.into(), op, value });
        self
    }
}

impl fmt::Debug for ConfigChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets.
        let changes = self.changes.iter().map(|change| (change.op, &change.key));
        f.debug_struct("ConfigChanges")
            .field("resource", &self.resource)
            .field("changes", &changes.collect::<Vec<_>>())
            .finish()
    }
}

impl KafkaAdminClient {
    /// Changes options of resources, and leaves the others as they are (KIP-339).
    ///
    /// Brokers before Kafka 2.3 can only replace all options of a resource at once. There, as in kafka-python,
    /// what is set is read first and sent along; a change that somebody else makes in that moment is lost, and a
    /// resource with a secret among its options is refused, because brokers do not tell secrets.
    ///
    /// # Errors
    /// As [`describe_configs`](Self::describe_configs); for a resource also
    /// [`INVALID_CONFIG`](crate::ErrorCode::INVALID_CONFIG),
    /// [`INVALID_REQUEST`](crate::ErrorCode::INVALID_REQUEST) and
    /// [`POLICY_VIOLATION`](crate::ErrorCode::POLICY_VIOLATION).
    pub fn alter_configs(
        &self,
        changes: impl IntoIterator<Item = ConfigChanges>,
    ) -> Result<Results<ConfigResource, ()>> {
        self.change(changes.into_iter().collect(), false)
    }

    /// Has the brokers check changes of options, without making them.
    ///
    /// # Errors
    /// As [`alter_configs`](Self::alter_configs).
    pub fn validate_configs(
        &self,
        changes: impl IntoIterator<Item = ConfigChanges>,
    ) -> Result<Results<ConfigResource, ()>> {
        self.change(changes.into_iter().collect(), true)
    }

    fn change(
        &self,
        changes: Vec<ConfigChanges>,
        validate_only: bool,
    ) -> Result<Results<ConfigResource, ()>> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        self.call(ALTER, move |admin, call| async move {
            Ok(admin.alter_configs(call, changes, validate_only).await)
        })
    }
}

impl crate::admin::Admin {
    pub(super) async fn alter_configs(
        &self,
        call: crate::admin::Call,
        changes: Vec<ConfigChanges>,
        validate_only: bool,
    ) -> Results<ConfigResource, ()> {
        let request = |_: &At, changes: &[&ConfigChanges]| {
            let config = |change: &Change| AlterableConfig {
                name: change.key.clone(),
                config_operation: change.op.code(),
                value: change.value.clone(),
            };
            let resource = |changes: &&ConfigChanges| AlterConfigsResource {
                resource_type: changes.resource.resource_type.code(),
                resource_name: changes.resource.name.clone(),
                configs: changes.changes.iter().map(config).collect(),
            };
            Ok(IncrementalAlterConfigsRequest {
                resources: changes.iter().map(resource).collect(),
                validate_only,
            })
        };
        let read = |_: &At, response: IncrementalAlterConfigsResponse, changes: &[&ConfigChanges]| {
            changes.iter().map(|changes| altered(&response, &changes.resource)).collect()
        };
        let results = self.ask_resources(call, changes, |changes| &changes.resource, request, read).await;
        let mut outcomes = Vec::new();
        for (changes, result) in results {
            let result = match result {
                Err(error) if error.kind() == ErrorKind::UnsupportedVersion && error.code().is_none() => {
                    log::warn!("{error}; replacing all options of {} instead", changes.resource);
                    let done = self.alter_configs_of_old(call, &changes, validate_only).await;
                    done.map_err(|error| of_resource(error, &changes.resource))
                }
                result => result,
            };
            outcomes.push((changes.resource, result));
        }
        outcomes
    }
}

fn altered(response: &IncrementalAlterConfigsResponse, resource: &ConfigResource) -> Result<()> {
    let answer = response.responses.iter().find(|answer| {
        answer.resource_type == resource.resource_type.code() && answer.resource_name == resource.name
    });
    let answer = answer.ok_or_else(|| unanswered(ALTER))?;
    verdict(answer.error_code, answer.error_message.as_deref(), ALTER)
}

const ALTER: &str = "alter configs";
