//! Which release brought what, for errors that name it.

use crate::protocol::ApiKey;

/// The first release of Kafka that offers a version of an API; `None` where the table does not know.
pub(super) fn release(api: ApiKey, version: i16) -> Option<&'static str> {
    let rows = RELEASES.iter().filter(|(key, since, _)| *key == api && *since <= version);
    rows.max_by_key(|(_, since, _)| *since).map(|(_, _, release)| *release)
}

/// The versions that errors speak of. From Kafka 2.4 on as the schemas of the releases have them; the release
/// notes tell of older ones, and of APIs that were there before they were of use.
const RELEASES: &[(ApiKey, i16, &str)] = &[
    (ApiKey::LIST_OFFSETS, 0, "0.8"),
    (ApiKey::LIST_OFFSETS, 1, "0.10.1"),
    (ApiKey::LIST_OFFSETS, 2, "0.11"),
    (ApiKey::LIST_OFFSETS, 7, "3.0"),
    (ApiKey::LIST_OFFSETS, 8, "3.5"),
    (ApiKey::LIST_OFFSETS, 9, "3.9"),
    (ApiKey::LIST_OFFSETS, 10, "4.0"),
    (ApiKey::LIST_OFFSETS, 11, "4.2"),
    (ApiKey::METADATA, 0, "0.8"),
    (ApiKey::METADATA, 4, "0.11"),
    (ApiKey::METADATA, 8, "2.3"),
    (ApiKey::METADATA, 12, "3.1"),
    (ApiKey::OFFSET_COMMIT, 0, "0.8.1"),
    (ApiKey::OFFSET_COMMIT, 2, "0.9"),
    (ApiKey::OFFSET_FETCH, 0, "0.8.1"),
    (ApiKey::OFFSET_FETCH, 2, "0.10.2"),
    (ApiKey::OFFSET_FETCH, 7, "2.5"),
    (ApiKey::OFFSET_FETCH, 8, "3.0"),
    (ApiKey::FIND_COORDINATOR, 0, "0.8.2"),
    (ApiKey::FIND_COORDINATOR, 1, "0.11"),
    (ApiKey::FIND_COORDINATOR, 4, "3.0"),
    (ApiKey::LEAVE_GROUP, 0, "0.9"),
    (ApiKey::LEAVE_GROUP, 3, "2.4"),
    (ApiKey::LEAVE_GROUP, 5, "3.2"),
    (ApiKey::DESCRIBE_GROUPS, 0, "0.9"),
    (ApiKey::DESCRIBE_GROUPS, 3, "2.3"),
    (ApiKey::LIST_GROUPS, 0, "0.9"),
    (ApiKey::LIST_GROUPS, 4, "2.6"),
    (ApiKey::LIST_GROUPS, 5, "3.8"),
    (ApiKey::API_VERSIONS, 0, "0.10"),
    (ApiKey::API_VERSIONS, 3, "2.4"),
    (ApiKey::CREATE_TOPICS, 0, "0.10.1"),
    (ApiKey::CREATE_TOPICS, 1, "0.10.2"),
    (ApiKey::CREATE_TOPICS, 4, "2.4"),
    (ApiKey::DELETE_TOPICS, 0, "0.10.1"),
    (ApiKey::DELETE_TOPICS, 6, "2.8"),
    (ApiKey::DELETE_RECORDS, 0, "0.11"),
    (ApiKey::INIT_PRODUCER_ID, 0, "0.11"),
    (ApiKey::INIT_PRODUCER_ID, 3, "2.5"),
    (ApiKey::WRITE_TXN_MARKERS, 0, "0.11"),
    (ApiKey::DESCRIBE_ACLS, 0, "0.11"),
    (ApiKey::DESCRIBE_ACLS, 1, "2.0"),
    (ApiKey::DESCRIBE_ACLS, 3, "3.3"),
    (ApiKey::CREATE_ACLS, 0, "0.11"),
    (ApiKey::CREATE_ACLS, 1, "2.0"),
    (ApiKey::CREATE_ACLS, 3, "3.3"),
    (ApiKey::DELETE_ACLS, 0, "0.11"),
    (ApiKey::DELETE_ACLS, 1, "2.0"),
    (ApiKey::DELETE_ACLS, 3, "3.3"),
    (ApiKey::DESCRIBE_CONFIGS, 0, "0.11"),
    (ApiKey::DESCRIBE_CONFIGS, 1, "1.1"),
    (ApiKey::DESCRIBE_CONFIGS, 3, "2.6"),
    (ApiKey::ALTER_CONFIGS, 0, "0.11"),
    (ApiKey::ALTER_REPLICA_LOG_DIRS, 0, "1.1"),
    (ApiKey::DESCRIBE_LOG_DIRS, 0, "1.0"),
    (ApiKey::DESCRIBE_LOG_DIRS, 4, "3.3"),
    (ApiKey::CREATE_PARTITIONS, 0, "1.0"),
    (ApiKey::CREATE_DELEGATION_TOKEN, 0, "1.1"),
    (ApiKey::CREATE_DELEGATION_TOKEN, 3, "3.3"),
    (ApiKey::RENEW_DELEGATION_TOKEN, 0, "1.1"),
    (ApiKey::EXPIRE_DELEGATION_TOKEN, 0, "1.1"),
    (ApiKey::DESCRIBE_DELEGATION_TOKEN, 0, "1.1"),
    (ApiKey::DELETE_GROUPS, 0, "1.1"),
    (ApiKey::ELECT_LEADERS, 0, "2.2"),
    (ApiKey::ELECT_LEADERS, 1, "2.4"),
    (ApiKey::INCREMENTAL_ALTER_CONFIGS, 0, "2.3"),
    (ApiKey::ALTER_PARTITION_REASSIGNMENTS, 0, "2.4"),
    (ApiKey::ALTER_PARTITION_REASSIGNMENTS, 1, "4.1"),
    (ApiKey::LIST_PARTITION_REASSIGNMENTS, 0, "2.4"),
    (ApiKey::OFFSET_DELETE, 0, "2.4"),
    (ApiKey::DESCRIBE_CLIENT_QUOTAS, 0, "2.6"),
    (ApiKey::ALTER_CLIENT_QUOTAS, 0, "2.6"),
    (ApiKey::DESCRIBE_USER_SCRAM_CREDENTIALS, 0, "2.7"),
    (ApiKey::ALTER_USER_SCRAM_CREDENTIALS, 0, "2.7"),
    // In the schemas since 2.7, answered by brokers of KRaft clusters since 3.3.
    (ApiKey::DESCRIBE_QUORUM, 0, "3.3"),
    (ApiKey::DESCRIBE_QUORUM, 2, "3.9"),
    (ApiKey::UPDATE_FEATURES, 0, "2.7"),
    (ApiKey::UPDATE_FEATURES, 1, "3.3"),
    (ApiKey::DESCRIBE_CLUSTER, 0, "2.8"),
    (ApiKey::DESCRIBE_CLUSTER, 1, "3.7"),
    (ApiKey::DESCRIBE_CLUSTER, 2, "4.0"),
    (ApiKey::DESCRIBE_PRODUCERS, 0, "2.8"),
    (ApiKey::UNREGISTER_BROKER, 0, "2.8"),
    (ApiKey::DESCRIBE_TRANSACTIONS, 0, "3.0"),
    (ApiKey::LIST_TRANSACTIONS, 0, "3.0"),
    (ApiKey::LIST_TRANSACTIONS, 1, "3.8"),
    (ApiKey::LIST_TRANSACTIONS, 2, "4.1"),
    (ApiKey::CONSUMER_GROUP_DESCRIBE, 0, "3.8"),
    (ApiKey::CONSUMER_GROUP_DESCRIBE, 1, "4.0"),
    (ApiKey::GET_TELEMETRY_SUBSCRIPTIONS, 0, "3.7"),
    (ApiKey::LIST_CONFIG_RESOURCES, 0, "3.7"),
    (ApiKey::LIST_CONFIG_RESOURCES, 1, "4.1"),
    (ApiKey::DESCRIBE_TOPIC_PARTITIONS, 0, "3.8"),
    (ApiKey::SHARE_GROUP_DESCRIBE, 0, "4.1"),
    (ApiKey::ADD_RAFT_VOTER, 0, "3.9"),
    (ApiKey::ADD_RAFT_VOTER, 1, "4.2"),
    (ApiKey::REMOVE_RAFT_VOTER, 0, "3.9"),
    (ApiKey::STREAMS_GROUP_DESCRIBE, 0, "4.2"),
    (ApiKey::DESCRIBE_SHARE_GROUP_OFFSETS, 0, "4.1"),
    (ApiKey::ALTER_SHARE_GROUP_OFFSETS, 0, "4.1"),
    (ApiKey::DELETE_SHARE_GROUP_OFFSETS, 0, "4.1"),
    (ApiKey::UNREGISTER_CONTROLLER, 0, "4.4"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Which release was the first whose `kafka-clients` jar has a version of an API in its schemas, as a stable one
    /// that brokers serve: key, version, release. From 2.4 on.
    const FACTS: &str = include_str!("../../../tests/data/api-releases.tsv");

    #[test]
    fn releases_are_those_of_the_schemas() {
        let facts: Vec<(i16, i16, &str)> = FACTS
            .lines()
            .map(|line| {
                let fields: Vec<&str> = line.split('\t').collect();
                (fields[0].parse().expect("a key"), fields[1].parse().expect("a version"), fields[2])
            })
            .collect();
        let mut checked = 0;
        for (api, version, release) in RELEASES {
            let fact = facts.iter().find(|(key, since, _)| (*key, *since) == (api.0, *version));
            match fact {
                // Answered later than described, or newer than the last release whose schemas were looked at.
                _ if *api == ApiKey::DESCRIBE_QUORUM && *version == 0 => {}
                _ if *api == ApiKey::UNREGISTER_CONTROLLER => {}
                Some((_, _, since)) => {
                    assert_eq!(since, release, "{api} version {version}");
                    checked += 1;
                }
                None => {
                    let (major, minor) = release.split_once('.').expect("a release");
                    let old =
                        major == "0" || major == "1" || (major == "2" && minor.as_bytes() <= b"3".as_slice());
                    assert!(old, "{api} version {version}: {release}");
                }
            }
        }
        assert!(checked > 40, "{checked}");
    }

    #[test]
    fn the_newest_row_that_fits_counts() {
        assert_eq!(release(ApiKey::LIST_OFFSETS, 7), Some("3.0"));
        assert_eq!(release(ApiKey::LIST_OFFSETS, 5), Some("0.11"));
        assert_eq!(release(ApiKey::VOTE, 0), None);
    }
}
