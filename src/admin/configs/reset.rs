//! Taking back what was set.

use super::{ConfigChanges, ConfigKeys, ConfigResource, DescribeConfigsOptions};
use crate::admin::{Admin, Call, KafkaAdminClient, Results};
use crate::error::Result;

impl KafkaAdminClient {
    /// Takes back what was set for resources: for the options that [`ConfigResource::keys`] names, or for all
    /// that were changed. kafka-python's.
    ///
    /// # Errors
    /// As [`alter_configs`](Self::alter_configs).
    pub fn reset_configs(
        &self,
        resources: impl IntoIterator<Item = impl Into<ConfigKeys>>,
    ) -> Result<Results<ConfigResource, ()>> {
        let wanted: Vec<ConfigKeys> = resources.into_iter().map(Into::into).collect();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        self.call("reset configs", move |admin, call| async move {
            let mut outcomes: Vec<Option<(ConfigResource, Result<()>)>> = Vec::new();
            let mut changes = Vec::new();
            for (resource, keys) in admin.keys_to_reset(call, wanted).await {
                match keys {
                    Err(error) => outcomes.push(Some((resource, Err(error)))),
                    Ok(keys) if keys.is_empty() => outcomes.push(Some((resource, Ok(())))),
                    Ok(keys) => {
                        outcomes.push(None);
                        changes
                            .push(keys.into_iter().fold(ConfigChanges::new(resource), ConfigChanges::delete));
                    }
                }
            }
            let mut altered = admin.alter_configs(call, changes, false).await.into_iter();
            Ok(outcomes.into_iter().filter_map(|outcome| outcome.or_else(|| altered.next())).collect())
        })
    }
}

impl Admin {
    /// The options to reset of each resource; looks for those that were changed where none are named.
    async fn keys_to_reset(
        &self,
        call: Call,
        wanted: Vec<ConfigKeys>,
    ) -> Results<ConfigResource, Vec<String>> {
        let all = wanted.iter().filter(|wanted| wanted.keys.is_none()).cloned().collect();
        let mut found = self.describe_configs(call, all, DescribeConfigsOptions::new()).await.into_iter();
        let mut keys = Vec::new();
        for ConfigKeys { resource, keys: named } in wanted {
            let named = match named {
                Some(named) => Ok(named),
                None => found.next().map_or_else(
                    || Ok(Vec::new()),
                    |(_, configs)| {
                        let own = configs?.into_iter().filter(|(_, entry)| resource.has_set(entry.source));
                        Ok(own.map(|(key, _)| key).collect())
                    },
                ),
            };
            keys.push((resource, named));
        }
        keys
    }
}
