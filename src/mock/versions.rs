//! Which versions of which APIs a broker offers: the mock's own, and those of brokers one meets.

use std::collections::BTreeMap;

use crate::protocol::{ApiKey, VersionRange};

use super::handlers::SERVED;

/// The versions of the APIs that a mock broker offers.
///
/// A table can only offer what the mock serves: APIs and versions beyond are left out.
///
/// ```
/// use kavka::mock::VersionTable;
/// use kavka::protocol::ApiKey;
///
/// let table = VersionTable::kafka_2_1().without(ApiKey::INIT_PRODUCER_ID).with(ApiKey::FETCH, 4, 9);
/// assert_eq!(table.range(ApiKey::FETCH).map(|range| range.max), Some(9));
/// assert_eq!(table.range(ApiKey::INIT_PRODUCER_ID), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionTable(BTreeMap<ApiKey, VersionRange>);

impl VersionTable {
    /// All that the mock serves.
    pub fn newest() -> Self {
        Self(SERVED.iter().copied().collect())
    }

    /// Changes the versions of one API.
    #[must_use]
    pub fn with(mut self, api: ApiKey, min: i16, max: i16) -> Self {
        let served = SERVED.iter().find(|(key, _)| *key == api);
        match served.and_then(|(_, range)| range.intersect(VersionRange::new(min, max))) {
            Some(range) => self.0.insert(api, range),
            None => self.0.remove(&api),
        };
        self
    }

    /// Takes an API away.
    #[must_use]
    pub fn without(mut self, api: ApiKey) -> Self {
        self.0.remove(&api);
        self
    }

    /// The versions of an API; `None` when the broker does not have it.
    pub fn range(&self, api: ApiKey) -> Option<VersionRange> {
        self.0.get(&api).copied()
    }

    /// All APIs, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (ApiKey, VersionRange)> + '_ {
        self.0.iter().map(|(key, range)| (*key, *range))
    }

    /// The table of a name: `newest`, `0.10.0`, `0.11`, `1.1`, `2.1`, `2.8`, `3.9`, `4.3`, `msk-serverless`,
    /// `event-hubs` or `redpanda`.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "newest" => Self::newest(),
            "0.10.0" => Self::kafka_0_10_0(),
            "0.11" => Self::kafka_0_11(),
            "1.1" => Self::kafka_1_1(),
            "2.1" => Self::kafka_2_1(),
            "2.8" => Self::kafka_2_8(),
            "3.9" => Self::kafka_3_9(),
            "4.3" => Self::kafka_4_3(),
            "msk-serverless" => Self::msk_serverless(),
            "event-hubs" => Self::event_hubs(),
            "redpanda" => Self::redpanda(),
            _ => return None,
        })
    }

    fn of(rows: &[(ApiKey, i16, i16)]) -> Self {
        rows.iter().fold(Self(BTreeMap::new()), |table, (key, min, max)| table.with(*key, *min, *max))
    }
}

impl Default for VersionTable {
    fn default() -> Self {
        Self::newest()
    }
}

impl VersionTable {
    /// As Kafka 0.10.0.
    pub fn kafka_0_10_0() -> Self {
        Self::of(&[
            (ApiKey::PRODUCE, 0, 2),
            (ApiKey::FETCH, 0, 2),
            (ApiKey::LIST_OFFSETS, 0, 0),
            (ApiKey::METADATA, 0, 1),
            (ApiKey::OFFSET_COMMIT, 0, 2),
            (ApiKey::OFFSET_FETCH, 0, 1),
            (ApiKey::FIND_COORDINATOR, 0, 0),
            (ApiKey::JOIN_GROUP, 0, 0),
            (ApiKey::HEARTBEAT, 0, 0),
            (ApiKey::LEAVE_GROUP, 0, 0),
            (ApiKey::SYNC_GROUP, 0, 0),
            (ApiKey::DESCRIBE_GROUPS, 0, 0),
            (ApiKey::LIST_GROUPS, 0, 0),
            (ApiKey::API_VERSIONS, 0, 0),
            (ApiKey::SASL_HANDSHAKE, 0, 0),
        ])
    }

    /// As Kafka 0.11.0.
    pub fn kafka_0_11() -> Self {
        Self::of(&[
            (ApiKey::PRODUCE, 0, 3),
            (ApiKey::FETCH, 0, 5),
            (ApiKey::LIST_OFFSETS, 0, 2),
            (ApiKey::METADATA, 0, 4),
            (ApiKey::OFFSET_COMMIT, 0, 3),
            (ApiKey::OFFSET_FETCH, 0, 3),
            (ApiKey::FIND_COORDINATOR, 0, 1),
            (ApiKey::JOIN_GROUP, 0, 2),
            (ApiKey::HEARTBEAT, 0, 1),
            (ApiKey::LEAVE_GROUP, 0, 1),
            (ApiKey::SYNC_GROUP, 0, 1),
            (ApiKey::DESCRIBE_GROUPS, 0, 1),
            (ApiKey::LIST_GROUPS, 0, 1),
            (ApiKey::API_VERSIONS, 0, 1),
            (ApiKey::SASL_HANDSHAKE, 0, 0),
            (ApiKey::CREATE_TOPICS, 0, 2),
            (ApiKey::DELETE_TOPICS, 0, 1),
            (ApiKey::DELETE_RECORDS, 0, 0),
            (ApiKey::INIT_PRODUCER_ID, 0, 0),
            (ApiKey::ADD_PARTITIONS_TO_TXN, 0, 0),
            (ApiKey::ADD_OFFSETS_TO_TXN, 0, 0),
            (ApiKey::END_TXN, 0, 0),
            (ApiKey::WRITE_TXN_MARKERS, 0, 0),
            (ApiKey::TXN_OFFSET_COMMIT, 0, 0),
            (ApiKey::OFFSET_FOR_LEADER_EPOCH, 0, 0),
            (ApiKey::DESCRIBE_CONFIGS, 0, 0),
            (ApiKey::ALTER_CONFIGS, 0, 0),
            (ApiKey::DESCRIBE_ACLS, 0, 0),
            (ApiKey::CREATE_ACLS, 0, 0),
            (ApiKey::DELETE_ACLS, 0, 0),
        ])
    }

    /// As Kafka 1.1.
    pub fn kafka_1_1() -> Self {
        Self::of(&[
            (ApiKey::PRODUCE, 0, 5),
            (ApiKey::FETCH, 0, 7),
            (ApiKey::LIST_OFFSETS, 0, 2),
            (ApiKey::METADATA, 0, 5),
            (ApiKey::OFFSET_COMMIT, 0, 3),
            (ApiKey::OFFSET_FETCH, 0, 3),
            (ApiKey::FIND_COORDINATOR, 0, 1),
            (ApiKey::JOIN_GROUP, 0, 2),
            (ApiKey::HEARTBEAT, 0, 1),
            (ApiKey::LEAVE_GROUP, 0, 1),
            (ApiKey::SYNC_GROUP, 0, 1),
            (ApiKey::DESCRIBE_GROUPS, 0, 1),
            (ApiKey::LIST_GROUPS, 0, 1),
            (ApiKey::API_VERSIONS, 0, 1),
            (ApiKey::SASL_HANDSHAKE, 0, 1),
            (ApiKey::SASL_AUTHENTICATE, 0, 0),
            (ApiKey::CREATE_TOPICS, 0, 2),
            (ApiKey::DELETE_TOPICS, 0, 1),
            (ApiKey::DELETE_RECORDS, 0, 0),
            (ApiKey::INIT_PRODUCER_ID, 0, 0),
            (ApiKey::ADD_PARTITIONS_TO_TXN, 0, 0),
            (ApiKey::ADD_OFFSETS_TO_TXN, 0, 0),
            (ApiKey::END_TXN, 0, 0),
            (ApiKey::WRITE_TXN_MARKERS, 0, 0),
            (ApiKey::TXN_OFFSET_COMMIT, 0, 0),
            (ApiKey::OFFSET_FOR_LEADER_EPOCH, 0, 0),
            (ApiKey::DESCRIBE_CONFIGS, 0, 1),
            (ApiKey::CREATE_PARTITIONS, 0, 0),
            (ApiKey::DELETE_GROUPS, 0, 0),
            (ApiKey::ALTER_CONFIGS, 0, 0),
            (ApiKey::DESCRIBE_ACLS, 0, 0),
            (ApiKey::CREATE_ACLS, 0, 0),
            (ApiKey::DELETE_ACLS, 0, 0),
        ])
    }

    /// As Kafka 2.1.
    pub fn kafka_2_1() -> Self {
        Self::of(&[
            (ApiKey::PRODUCE, 0, 7),
            (ApiKey::FETCH, 0, 10),
            (ApiKey::LIST_OFFSETS, 0, 4),
            (ApiKey::METADATA, 0, 7),
            (ApiKey::OFFSET_COMMIT, 0, 6),
            (ApiKey::OFFSET_FETCH, 0, 5),
            (ApiKey::FIND_COORDINATOR, 0, 2),
            (ApiKey::JOIN_GROUP, 0, 3),
            (ApiKey::HEARTBEAT, 0, 2),
            (ApiKey::LEAVE_GROUP, 0, 2),
            (ApiKey::SYNC_GROUP, 0, 2),
            (ApiKey::DESCRIBE_GROUPS, 0, 2),
            (ApiKey::LIST_GROUPS, 0, 2),
            (ApiKey::API_VERSIONS, 0, 2),
            (ApiKey::SASL_HANDSHAKE, 0, 1),
            (ApiKey::SASL_AUTHENTICATE, 0, 0),
            (ApiKey::CREATE_TOPICS, 0, 3),
            (ApiKey::DELETE_TOPICS, 0, 3),
            (ApiKey::DELETE_RECORDS, 0, 1),
            (ApiKey::INIT_PRODUCER_ID, 0, 1),
            (ApiKey::ADD_PARTITIONS_TO_TXN, 0, 1),
            (ApiKey::ADD_OFFSETS_TO_TXN, 0, 1),
            (ApiKey::END_TXN, 0, 1),
            (ApiKey::WRITE_TXN_MARKERS, 0, 0),
            (ApiKey::TXN_OFFSET_COMMIT, 0, 2),
            (ApiKey::OFFSET_FOR_LEADER_EPOCH, 0, 2),
            (ApiKey::DESCRIBE_CONFIGS, 0, 2),
            (ApiKey::CREATE_PARTITIONS, 0, 1),
            (ApiKey::DELETE_GROUPS, 0, 1),
            (ApiKey::ALTER_CONFIGS, 0, 1),
            (ApiKey::DESCRIBE_ACLS, 0, 1),
            (ApiKey::CREATE_ACLS, 0, 1),
            (ApiKey::DELETE_ACLS, 0, 1),
        ])
    }

    /// As Kafka 2.8.
    pub fn kafka_2_8() -> Self {
        Self::of(&[
            (ApiKey::PRODUCE, 0, 9),
            (ApiKey::FETCH, 0, 12),
            (ApiKey::LIST_OFFSETS, 0, 6),
            (ApiKey::METADATA, 0, 11),
            (ApiKey::OFFSET_COMMIT, 0, 8),
            (ApiKey::OFFSET_FETCH, 0, 7),
            (ApiKey::FIND_COORDINATOR, 0, 3),
            (ApiKey::JOIN_GROUP, 0, 7),
            (ApiKey::HEARTBEAT, 0, 4),
            (ApiKey::LEAVE_GROUP, 0, 4),
            (ApiKey::SYNC_GROUP, 0, 5),
            (ApiKey::DESCRIBE_GROUPS, 0, 5),
            (ApiKey::LIST_GROUPS, 0, 4),
            (ApiKey::API_VERSIONS, 0, 3),
            (ApiKey::SASL_HANDSHAKE, 0, 1),
            (ApiKey::SASL_AUTHENTICATE, 0, 2),
            (ApiKey::CREATE_TOPICS, 0, 7),
            (ApiKey::DELETE_TOPICS, 0, 6),
            (ApiKey::DELETE_RECORDS, 0, 2),
            (ApiKey::INIT_PRODUCER_ID, 0, 4),
            (ApiKey::ADD_PARTITIONS_TO_TXN, 0, 3),
            (ApiKey::ADD_OFFSETS_TO_TXN, 0, 3),
            (ApiKey::END_TXN, 0, 3),
            (ApiKey::WRITE_TXN_MARKERS, 0, 1),
            (ApiKey::TXN_OFFSET_COMMIT, 0, 3),
            (ApiKey::DESCRIBE_PRODUCERS, 0, 0),
            (ApiKey::OFFSET_FOR_LEADER_EPOCH, 0, 4),
            (ApiKey::DESCRIBE_CONFIGS, 0, 4),
            (ApiKey::CREATE_PARTITIONS, 0, 3),
            (ApiKey::DELETE_GROUPS, 0, 2),
            (ApiKey::DESCRIBE_CLUSTER, 0, 0),
            (ApiKey::ALTER_CONFIGS, 0, 2),
            (ApiKey::ELECT_LEADERS, 0, 2),
            (ApiKey::INCREMENTAL_ALTER_CONFIGS, 0, 1),
            (ApiKey::ALTER_PARTITION_REASSIGNMENTS, 0, 0),
            (ApiKey::LIST_PARTITION_REASSIGNMENTS, 0, 0),
            (ApiKey::DESCRIBE_ACLS, 0, 2),
            (ApiKey::CREATE_ACLS, 0, 2),
            (ApiKey::DELETE_ACLS, 0, 2),
            (ApiKey::OFFSET_DELETE, 0, 0),
            (ApiKey::DESCRIBE_CLIENT_QUOTAS, 0, 1),
            (ApiKey::ALTER_CLIENT_QUOTAS, 0, 1),
            (ApiKey::DESCRIBE_USER_SCRAM_CREDENTIALS, 0, 0),
            (ApiKey::ALTER_USER_SCRAM_CREDENTIALS, 0, 0),
        ])
    }

    /// As Kafka 3.9.
    pub fn kafka_3_9() -> Self {
        Self::of(&[
            (ApiKey::PRODUCE, 0, 11),
            (ApiKey::FETCH, 0, 17),
            (ApiKey::LIST_OFFSETS, 0, 9),
            (ApiKey::METADATA, 0, 12),
            (ApiKey::OFFSET_COMMIT, 0, 9),
            (ApiKey::OFFSET_FETCH, 0, 9),
            (ApiKey::FIND_COORDINATOR, 0, 6),
            (ApiKey::JOIN_GROUP, 0, 9),
            (ApiKey::HEARTBEAT, 0, 4),
            (ApiKey::LEAVE_GROUP, 0, 5),
            (ApiKey::SYNC_GROUP, 0, 5),
            (ApiKey::DESCRIBE_GROUPS, 0, 5),
            (ApiKey::LIST_GROUPS, 0, 5),
            (ApiKey::API_VERSIONS, 0, 4),
            (ApiKey::SASL_HANDSHAKE, 0, 1),
            (ApiKey::SASL_AUTHENTICATE, 0, 2),
            (ApiKey::CREATE_TOPICS, 0, 7),
            (ApiKey::DELETE_TOPICS, 0, 6),
            (ApiKey::DELETE_RECORDS, 0, 2),
            (ApiKey::INIT_PRODUCER_ID, 0, 5),
            (ApiKey::ADD_PARTITIONS_TO_TXN, 0, 5),
            (ApiKey::ADD_OFFSETS_TO_TXN, 0, 4),
            (ApiKey::END_TXN, 0, 4),
            (ApiKey::WRITE_TXN_MARKERS, 0, 1),
            (ApiKey::TXN_OFFSET_COMMIT, 0, 4),
            (ApiKey::DESCRIBE_PRODUCERS, 0, 0),
            (ApiKey::DESCRIBE_TRANSACTIONS, 0, 0),
            (ApiKey::LIST_TRANSACTIONS, 0, 1),
            (ApiKey::OFFSET_FOR_LEADER_EPOCH, 0, 4),
            (ApiKey::DESCRIBE_CONFIGS, 0, 4),
            (ApiKey::CREATE_PARTITIONS, 0, 3),
            (ApiKey::DELETE_GROUPS, 0, 2),
            (ApiKey::DESCRIBE_CLUSTER, 0, 1),
            (ApiKey::DESCRIBE_TOPIC_PARTITIONS, 0, 0),
            (ApiKey::ALTER_CONFIGS, 0, 2),
            (ApiKey::ELECT_LEADERS, 0, 2),
            (ApiKey::INCREMENTAL_ALTER_CONFIGS, 0, 1),
            (ApiKey::ALTER_PARTITION_REASSIGNMENTS, 0, 0),
            (ApiKey::LIST_PARTITION_REASSIGNMENTS, 0, 0),
            (ApiKey::DESCRIBE_ACLS, 0, 3),
            (ApiKey::CREATE_ACLS, 0, 3),
            (ApiKey::DELETE_ACLS, 0, 3),
            (ApiKey::OFFSET_DELETE, 0, 0),
            (ApiKey::DESCRIBE_CLIENT_QUOTAS, 0, 1),
            (ApiKey::ALTER_CLIENT_QUOTAS, 0, 1),
            (ApiKey::DESCRIBE_USER_SCRAM_CREDENTIALS, 0, 0),
            (ApiKey::ALTER_USER_SCRAM_CREDENTIALS, 0, 0),
            (ApiKey::GET_TELEMETRY_SUBSCRIPTIONS, 0, 0),
        ])
    }

    /// As Kafka 4.3, which offers old versions of Produce that it does not serve, for the sake of old clients.
    pub fn kafka_4_3() -> Self {
        Self::of(&[
            (ApiKey::PRODUCE, 0, 13),
            (ApiKey::FETCH, 4, 18),
            (ApiKey::LIST_OFFSETS, 1, 11),
            (ApiKey::METADATA, 0, 13),
            (ApiKey::OFFSET_COMMIT, 2, 10),
            (ApiKey::OFFSET_FETCH, 1, 10),
            (ApiKey::FIND_COORDINATOR, 0, 6),
            (ApiKey::JOIN_GROUP, 0, 9),
            (ApiKey::HEARTBEAT, 0, 4),
            (ApiKey::LEAVE_GROUP, 0, 5),
            (ApiKey::SYNC_GROUP, 0, 5),
            (ApiKey::DESCRIBE_GROUPS, 0, 6),
            (ApiKey::LIST_GROUPS, 0, 5),
            (ApiKey::API_VERSIONS, 0, 4),
            (ApiKey::SASL_HANDSHAKE, 0, 1),
            (ApiKey::SASL_AUTHENTICATE, 0, 2),
            (ApiKey::CREATE_TOPICS, 2, 7),
            (ApiKey::DELETE_TOPICS, 1, 6),
            (ApiKey::DELETE_RECORDS, 0, 2),
            (ApiKey::INIT_PRODUCER_ID, 0, 5),
            (ApiKey::ADD_PARTITIONS_TO_TXN, 0, 5),
            (ApiKey::ADD_OFFSETS_TO_TXN, 0, 4),
            (ApiKey::END_TXN, 0, 5),
            (ApiKey::WRITE_TXN_MARKERS, 1, 2),
            (ApiKey::TXN_OFFSET_COMMIT, 0, 5),
            (ApiKey::DESCRIBE_PRODUCERS, 0, 0),
            (ApiKey::DESCRIBE_TRANSACTIONS, 0, 0),
            (ApiKey::LIST_TRANSACTIONS, 0, 2),
            (ApiKey::OFFSET_FOR_LEADER_EPOCH, 2, 4),
            (ApiKey::DESCRIBE_CONFIGS, 1, 4),
            (ApiKey::CREATE_PARTITIONS, 0, 3),
            (ApiKey::DELETE_GROUPS, 0, 2),
            (ApiKey::DESCRIBE_CLUSTER, 0, 2),
            (ApiKey::CONSUMER_GROUP_HEARTBEAT, 0, 1),
            (ApiKey::CONSUMER_GROUP_DESCRIBE, 0, 1),
            (ApiKey::DESCRIBE_TOPIC_PARTITIONS, 0, 0),
            (ApiKey::ALTER_CONFIGS, 0, 2),
            (ApiKey::ELECT_LEADERS, 0, 2),
            (ApiKey::INCREMENTAL_ALTER_CONFIGS, 0, 1),
            (ApiKey::ALTER_PARTITION_REASSIGNMENTS, 0, 1),
            (ApiKey::LIST_PARTITION_REASSIGNMENTS, 0, 0),
            (ApiKey::DESCRIBE_ACLS, 1, 3),
            (ApiKey::CREATE_ACLS, 1, 3),
            (ApiKey::DELETE_ACLS, 1, 3),
            (ApiKey::OFFSET_DELETE, 0, 0),
            (ApiKey::DESCRIBE_CLIENT_QUOTAS, 0, 1),
            (ApiKey::ALTER_CLIENT_QUOTAS, 0, 1),
            (ApiKey::DESCRIBE_USER_SCRAM_CREDENTIALS, 0, 0),
            (ApiKey::ALTER_USER_SCRAM_CREDENTIALS, 0, 0),
            (ApiKey::GET_TELEMETRY_SUBSCRIPTIONS, 0, 0),
        ])
    }

    /// As a service like Amazon MSK Serverless: Produce and Fetch with raised and narrow ranges, so no topic ids,
    /// and no DeleteRecords. That much is known of it; the rest is that of Kafka 2.8.
    pub fn msk_serverless() -> Self {
        Self::kafka_2_8()
            .with(ApiKey::PRODUCE, 7, 9)
            .with(ApiKey::FETCH, 10, 12)
            .without(ApiKey::DELETE_RECORDS)
    }

    /// As a service like Azure Event Hubs by its documentation: no idempotence and no zstd. That much is known of
    /// it; the rest is that of Kafka 2.1.
    pub fn event_hubs() -> Self {
        Self::kafka_2_1()
            .with(ApiKey::FETCH, 0, 9)
            .without(ApiKey::INIT_PRODUCER_ID)
            .without(ApiKey::ADD_PARTITIONS_TO_TXN)
            .without(ApiKey::ADD_OFFSETS_TO_TXN)
            .without(ApiKey::END_TXN)
            .without(ApiKey::TXN_OFFSET_COMMIT)
            .without(ApiKey::WRITE_TXN_MARKERS)
            .without(ApiKey::DELETE_RECORDS)
    }

    /// As Redpanda by its sources: Produce up to 7 and Fetch from 4 to 11, so no topic ids, and old versions of what
    /// transactions take. That much is known of it; the rest is that of Kafka 2.8.
    pub fn redpanda() -> Self {
        Self::kafka_2_8()
            .with(ApiKey::PRODUCE, 0, 7)
            .with(ApiKey::FETCH, 4, 11)
            .with(ApiKey::METADATA, 0, 8)
            .with(ApiKey::LIST_OFFSETS, 0, 3)
            .with(ApiKey::OFFSET_COMMIT, 1, 8)
            .with(ApiKey::OFFSET_FETCH, 1, 4)
            .with(ApiKey::FIND_COORDINATOR, 0, 2)
            .with(ApiKey::JOIN_GROUP, 0, 5)
            .with(ApiKey::API_VERSIONS, 0, 3)
            .with(ApiKey::INIT_PRODUCER_ID, 0, 1)
            .with(ApiKey::ADD_PARTITIONS_TO_TXN, 0, 2)
            .with(ApiKey::ADD_OFFSETS_TO_TXN, 0, 1)
            .with(ApiKey::END_TXN, 0, 3)
            .with(ApiKey::TXN_OFFSET_COMMIT, 0, 3)
            .with(ApiKey::OFFSET_FOR_LEADER_EPOCH, 0, 3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_names_and_hold_what_is_served() {
        let newest = VersionTable::newest();
        for name in
            ["0.10.0", "0.11", "1.1", "2.1", "2.8", "3.9", "4.3", "msk-serverless", "event-hubs", "redpanda"]
        {
            let table = VersionTable::named(name).expect(name);
            for (key, range) in table.iter() {
                let served = newest.range(key).expect("served");
                assert!(served.contains(range.min) && served.contains(range.max), "{name} {key} {range}");
            }
            assert!(
                table.range(ApiKey::API_VERSIONS).is_some() && table.range(ApiKey::PRODUCE).is_some(),
                "{name}"
            );
        }
        assert_eq!(VersionTable::named("5.0"), None);
        assert_eq!(newest.clone().with(ApiKey::FETCH, 30, 40).range(ApiKey::FETCH), None);
        assert_eq!(newest.with(ApiKey::VOTE, 0, 1).range(ApiKey::VOTE), None, "not served at all");
    }
}
