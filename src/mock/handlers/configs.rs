//! DescribeConfigs, for the few options that the mock heeds.

use super::{Cx, Handled, Handler};
use crate::error_code::ErrorCode;
use crate::mock::state::State;
use crate::protocol::messages::describe_configs::{
    DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResult,
};
use crate::protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

const TOPIC_CONFIG: i8 = 1;
const STATIC_BROKER_CONFIG: i8 = 4;
const DEFAULT_CONFIG: i8 = 5;

impl Handler for DescribeConfigsRequest {
    async fn handle(self, cx: &Cx) -> Handled<DescribeConfigsResponse> {
        let state = cx.state();
        let results = self.resources.into_iter().map(|resource| {
            let described = cx.check().and_then(|()| describe(&state, cx, &resource));
            let mut result = DescribeConfigsResult {
                resource_type: resource.resource_type,
                resource_name: resource.resource_name,
                error_code: described.as_ref().err().copied().unwrap_or_default(),
                ..Default::default()
            };
            result.error_message = None;
            result.configs = described.unwrap_or_default();
            if let Some(wanted) = resource.configuration_keys.filter(|wanted| !wanted.is_empty()) {
                result.configs.retain(|config| wanted.contains(&config.name));
            }
            result
        });
        Handled::Answer(DescribeConfigsResponse { results: results.collect(), ..Default::default() })
    }
}

fn describe(
    state: &State,
    cx: &Cx,
    resource: &DescribeConfigsResource,
) -> Result<Vec<DescribeConfigsResourceResult>, ErrorCode> {
    let settings = &state.settings;
    let line = |name: &str, value: String, source: i8| DescribeConfigsResourceResult {
        name: name.to_owned(),
        value: Some(value),
        is_default: cx.version == 0 && source == DEFAULT_CONFIG,
        config_source: source,
        read_only: source == STATIC_BROKER_CONFIG,
        documentation: None,
        ..Default::default()
    };
    match resource.resource_type {
        TOPIC => {
            let topic =
                state.topics.get(&resource.resource_name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
            let defaults = [
                ("cleanup.policy", "delete".to_owned()),
                ("max.message.bytes", settings.message_max_bytes.to_string()),
                ("message.timestamp.type", "CreateTime".to_owned()),
                ("min.insync.replicas", "1".to_owned()),
                ("retention.ms", "604800000".to_owned()),
            ];
            let mut lines: Vec<_> =
                topic.configs.iter().map(|(name, value)| line(name, value.clone(), TOPIC_CONFIG)).collect();
            for (name, value) in defaults {
                if !topic.configs.contains_key(name) {
                    lines.push(line(name, value, DEFAULT_CONFIG));
                }
            }
            Ok(lines)
        }
        BROKER => {
            let id = resource.resource_name.parse().unwrap_or(cx.broker);
            if !state.brokers.contains_key(&id) {
                return Err(ErrorCode::INVALID_REQUEST);
            }
            Ok(vec![
                line(
                    "auto.create.topics.enable",
                    settings.auto_create_topics.to_string(),
                    STATIC_BROKER_CONFIG,
                ),
                line("broker.id", id.to_string(), STATIC_BROKER_CONFIG),
                line("message.max.bytes", settings.message_max_bytes.to_string(), STATIC_BROKER_CONFIG),
                line("num.partitions", settings.default_partitions.to_string(), STATIC_BROKER_CONFIG),
            ])
        }
        _ => Err(ErrorCode::INVALID_REQUEST),
    }
}
