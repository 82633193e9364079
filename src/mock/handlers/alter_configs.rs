//! IncrementalAlterConfigs and AlterConfigs, for topics: what they set is kept and told, and heeded where the mock
//! knows the option.

use std::collections::BTreeMap;

use super::{Cx, Handled, Handler};
use crate::error_code::ErrorCode;
use crate::protocol::messages::incremental_alter_configs::{AlterConfigsResourceResponse, AlterableConfig};
use crate::protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, alter_configs,
};

const TOPIC: i8 = 2;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

type Configs = BTreeMap<String, String>;
type Outcome = Result<(), (ErrorCode, String)>;

impl Handler for IncrementalAlterConfigsRequest {
    async fn handle(self, cx: &Cx) -> Handled<IncrementalAlterConfigsResponse> {
        let mut response = IncrementalAlterConfigsResponse::default();
        for resource in self.resources {
            let change =
                |configs: &mut Configs| resource.configs.iter().try_for_each(|one| apply(configs, one));
            let outcome =
                alter(cx, resource.resource_type, &resource.resource_name, self.validate_only, change);
            let (error_code, error_message) = told(outcome);
            response.responses.push(AlterConfigsResourceResponse {
                error_code,
                error_message,
                resource_type: resource.resource_type,
                resource_name: resource.resource_name,
            });
        }
        Handled::Answer(response)
    }
}

impl Handler for AlterConfigsRequest {
    async fn handle(self, cx: &Cx) -> Handled<AlterConfigsResponse> {
        let mut response = AlterConfigsResponse::default();
        for resource in self.resources {
            let whole = resource.configs.into_iter().filter_map(|config| Some((config.name, config.value?)));
            let change = |configs: &mut Configs| {
                *configs = whole.collect();
                Ok(())
            };
            let outcome =
                alter(cx, resource.resource_type, &resource.resource_name, self.validate_only, change);
            let (error_code, error_message) = told(outcome);
            response.responses.push(alter_configs::AlterConfigsResourceResponse {
                error_code,
                error_message,
                resource_type: resource.resource_type,
                resource_name: resource.resource_name,
            });
        }
        Handled::Answer(response)
    }
}

fn alter(
    cx: &Cx,
    resource_type: i8,
    name: &str,
    validate_only: bool,
    change: impl FnOnce(&mut Configs) -> Outcome,
) -> Outcome {
    cx.check().map_err(|code| (code, code.message().to_owned()))?;
    if resource_type != TOPIC {
        return Err((ErrorCode::INVALID_REQUEST, "the mock changes options of topics alone".to_owned()));
    }
    let mut state = cx.state();
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let topic = state.topics.get_mut(name).ok_or_else(|| (unknown, unknown.message().to_owned()))?;
    let mut configs = topic.configs.clone();
    change(&mut configs)?;
    if !validate_only {
        topic.configs = configs;
    }
    Ok(())
}

fn apply(configs: &mut Configs, change: &AlterableConfig) -> Outcome {
    let name = change.name.clone();
    let Some(value) = change.value.clone().filter(|_| change.config_operation != DELETE) else {
        configs.remove(&name);
        return match change.config_operation {
            DELETE => Ok(()),
            _ => Err((ErrorCode::INVALID_REQUEST, format!("{name} has no value"))),
        };
    };
    let words = configs.get(&name).into_iter().flat_map(|list| list.split(','));
    let kept = words.filter(|word| !word.is_empty() && !value.split(',').any(|other| other == *word));
    let value = match change.config_operation {
        SET => value,
        APPEND => kept.chain(value.split(',')).collect::<Vec<_>>().join(","),
        SUBTRACT => kept.collect::<Vec<_>>().join(","),
        other => return Err((ErrorCode::INVALID_REQUEST, format!("no operation has the number {other}"))),
    };
    configs.insert(name, value);
    Ok(())
}

fn told(outcome: Outcome) -> (ErrorCode, Option<String>) {
    match outcome {
        Ok(()) => (ErrorCode::NONE, None),
        Err((code, message)) => (code, Some(message)),
    }
}
