//! Names of topics that the coordinator speaks of by id, and that this client has not asked for by name.

use std::collections::HashMap;
use std::sync::Arc;

use super::coordinator::Coordinator;
use crate::error::Result;
use crate::protocol::Uuid;
use crate::protocol::messages::MetadataRequest;
use crate::protocol::messages::metadata::MetadataRequestTopic;

impl Coordinator {
    /// The names of these topics, as far as a broker knows them by now. What is missing is asked for again with
    /// the next heartbeat.
    pub(super) async fn names_of(&self, ids: Vec<Uuid>) -> HashMap<Uuid, Arc<str>> {
        match self.ask_names(ids).await {
            Ok(names) => names,
            Err(error) => {
                log::debug!("group {}: names of topics: {error}", self.0.group_id);
                HashMap::new()
            }
        }
    }

    async fn ask_names(&self, ids: Vec<Uuid>) -> Result<HashMap<Uuid, Arc<str>>> {
        let connection = self.connection().await?;
        let version = connection.pick_version::<MetadataRequest>(i16::MAX)?;
        let topics = ids.into_iter().map(|topic_id| MetadataRequestTopic { topic_id, name: None });
        let request = MetadataRequest {
            topics: Some(topics.collect()),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let timeout = self.0.config.common.request_timeout;
        let response = connection.send_at(&request, version, timeout).await?;
        let known = response.topics.into_iter().filter(|topic| topic.error_code.is_ok());
        Ok(known.filter_map(|topic| Some((topic.topic_id, Arc::from(topic.name?)))).collect())
    }
}
