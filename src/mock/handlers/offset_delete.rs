//! OffsetDelete.

use super::{Cx, Handled, Handler};
use crate::error_code::ErrorCode;
use crate::protocol::messages::offset_delete::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use crate::protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

impl Handler for OffsetDeleteRequest {
    async fn handle(self, cx: &Cx) -> Handled<OffsetDeleteResponse> {
        let mut response = OffsetDeleteResponse::default();
        if let Err(code) = cx.check_group(&self.group_id) {
            response.error_code = code;
            return Handled::Answer(response);
        }
        let mut state = cx.state();
        let exists = |topic: &str, index: i32| state.partition(topic, index).is_some();
        let known: Vec<Vec<bool>> = self
            .topics
            .iter()
            .map(|topic| {
                topic.partitions.iter().map(|one| exists(&topic.name, one.partition_index)).collect()
            })
            .collect();
        let Some(group) = state.groups.get_mut(&self.group_id) else {
            response.error_code = ErrorCode::GROUP_ID_NOT_FOUND;
            return Handled::Answer(response);
        };
        for (topic, known) in self.topics.into_iter().zip(known) {
            let subscribed = group.is_subscribed_to(&topic.name);
            let partitions = topic.partitions.into_iter().zip(known).map(|(one, exists)| {
                let partition_index = one.partition_index;
                let error_code = match () {
                    () if subscribed => ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
                    () if !exists => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                    () => {
                        group.offsets.remove(&(topic.name.clone(), partition_index));
                        ErrorCode::NONE
                    }
                };
                OffsetDeleteResponsePartition { partition_index, error_code }
            });
            let partitions = partitions.collect();
            response.topics.push(OffsetDeleteResponseTopic { partitions, name: topic.name });
        }
        Handled::Answer(response)
    }
}
