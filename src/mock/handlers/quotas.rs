//! DescribeClientQuotas and AlterClientQuotas: quotas are kept, and not acted on.

use super::{Cx, Handled, Handler};
use crate::error_code::ErrorCode;
use crate::mock::access::Entity;
use crate::protocol::messages::alter_client_quotas::{
    AlterClientQuotasRequestEntryData, AlterClientQuotasResponseEntityData,
    AlterClientQuotasResponseEntryData,
};
use crate::protocol::messages::describe_client_quotas::{ComponentData, EntityData, EntryData, ValueData};
use crate::protocol::messages::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
};

const ENTITY_TYPES: [&str; 3] = ["user", "client-id", "ip"];
const KEYS: [&str; 5] = [
    "producer_byte_rate",
    "consumer_byte_rate",
    "request_percentage",
    "controller_mutation_rate",
    "connection_creation_rate",
];

impl Handler for DescribeClientQuotasRequest {
    async fn handle(self, cx: &Cx) -> Handled<DescribeClientQuotasResponse> {
        let mut response = DescribeClientQuotasResponse { error_message: None, ..Default::default() };
        let types: Vec<&str> = self.components.iter().map(|one| one.entity_type.as_str()).collect();
        let fine = (0..types.len()).all(|at| {
            types.get(at).is_some_and(|name| {
                ENTITY_TYPES.contains(name) && !types.iter().skip(at + 1).any(|other| other == name)
            })
        });
        let checked = cx.check().and(if fine { Ok(()) } else { Err(ErrorCode::INVALID_REQUEST) });
        if let Err(code) = checked {
            response.error_code = code;
            response.entries = None;
            return Handled::Answer(response);
        }
        let state = cx.state();
        let wanted = state.access.quotas.iter().filter(|(entity, _)| self.has(entity));
        let entries = wanted.map(|(entity, quotas)| EntryData {
            entity: entity
                .iter()
                .map(|(kind, name)| EntityData { entity_type: kind.clone(), entity_name: name.clone() })
                .collect(),
            values: quotas.iter().map(|(key, value)| ValueData { key: key.clone(), value: *value }).collect(),
        });
        response.entries = Some(entries.collect());
        Handled::Answer(response)
    }
}

impl DescribeClientQuotasRequest {
    fn has(&self, entity: &Entity) -> bool {
        let one = |component: &ComponentData| match (entity.get(&component.entity_type), component.match_type)
        {
            (None, _) => false,
            (Some(name), 0) => *name == component.match_,
            (Some(name), 1) => name.is_none(),
            // As in Kafka: any name, and the default.
            (Some(_), _) => true,
        };
        self.components.iter().all(one) && !(self.strict && entity.len() > self.components.len())
    }
}

impl Handler for AlterClientQuotasRequest {
    async fn handle(self, cx: &Cx) -> Handled<AlterClientQuotasResponse> {
        let validate_only = self.validate_only;
        let entries = self.entries.into_iter().map(|entry| {
            let entity: Entity = entry
                .entity
                .iter()
                .map(|part| (part.entity_type.clone(), part.entity_name.clone()))
                .collect();
            let altered = cx.check().and_then(|()| check(&entry, &entity));
            if altered.is_ok() && !validate_only {
                let mut state = cx.state();
                let quotas = state.access.quotas.entry(entity.clone()).or_default();
                for op in entry.ops {
                    match op.remove {
                        true => drop(quotas.remove(&op.key)),
                        false => drop(quotas.insert(op.key, op.value)),
                    }
                }
                if quotas.is_empty() {
                    state.access.quotas.remove(&entity);
                }
            }
            AlterClientQuotasResponseEntryData {
                error_code: altered.err().unwrap_or_default(),
                error_message: None,
                entity: entity
                    .into_iter()
                    .map(|(entity_type, entity_name)| AlterClientQuotasResponseEntityData {
                        entity_type,
                        entity_name,
                    })
                    .collect(),
            }
        });
        Handled::Answer(AlterClientQuotasResponse { entries: entries.collect(), ..Default::default() })
    }
}

fn check(entry: &AlterClientQuotasRequestEntryData, entity: &Entity) -> Result<(), ErrorCode> {
    let kinds_known = entity.keys().all(|kind| ENTITY_TYPES.contains(&kind.as_str()));
    let keys_known = entry.ops.iter().all(|op| KEYS.contains(&op.key.as_str()));
    let together = !(entity.contains_key("ip") && entity.len() > 1);
    if entity.is_empty() || !kinds_known || !keys_known || !together {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    Ok(())
}
