//! The error codes of brokers.

use std::borrow::Cow;
use std::fmt;

/// A broker's error code. Codes that this version does not know survive as they came.
///
/// ```
/// use kavka::ErrorCode;
///
/// assert_eq!(ErrorCode(6), ErrorCode::NOT_LEADER_OR_FOLLOWER);
/// assert!(ErrorCode(6).is_retriable());
/// assert_eq!(ErrorCode(999).to_string(), "UNKNOWN_CODE_999");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ErrorCode(pub i16);

impl ErrorCode {
    /// Kafka's name, such as `NOT_LEADER_OR_FOLLOWER`; `UNKNOWN_CODE_999` when the code is not known.
    pub fn name(self) -> Cow<'static, str> {
        match self.row() {
            Some(row) => row.name.into(),
            None => format!("UNKNOWN_CODE_{}", self.0).into(),
        }
    }

    /// What the code means, in a few words.
    pub fn message(self) -> &'static str {
        self.row().map_or("a code that this version does not know", |row| row.message)
    }

    /// Whether Kafka says that the same request may succeed when it is made again.
    pub fn is_retriable(self) -> bool {
        self.row().is_some_and(|row| row.advice != Advice::Final)
    }

    /// Whether Kafka says that the client's metadata are out of date.
    pub fn refreshes_metadata(self) -> bool {
        self.row().is_some_and(|row| row.advice == Advice::Refresh)
    }

    /// Whether it is no error.
    pub fn is_ok(self) -> bool {
        self == Self::NONE
    }

    /// The code as an error, unless it is none.
    ///
    /// # Errors
    /// The code itself.
    pub fn ok(self) -> Result<(), Self> {
        if self.is_ok() { Ok(()) } else { Err(self) }
    }

    fn row(self) -> Option<&'static Row> {
        let first = ROWS.first()?.code;
        ROWS.get(usize::try_from(i32::from(self.0) - i32::from(first)).ok()?)
    }
}

impl From<i16> for ErrorCode {
    fn from(code: i16) -> Self {
        Self(code)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

struct Row {
    code: i16,
    name: &'static str,
    advice: Advice,
    message: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Advice {
    /// Another try will not help.
    Final,
    /// Another try may help.
    Retry,
    /// Another try may help, with new metadata.
    Refresh,
}

macro_rules! error_codes {
    ($($code:literal $name:ident $advice:ident $message:literal;)*) => {
        impl ErrorCode {
            $(
                #[doc = concat!("Code ", $code, ": ", $message, ".")]
                pub const $name: Self = Self($code);
            )*

            /// All codes that this version knows, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }

        /// In order and without gaps.
        static ROWS: &[Row] =
            &[$(Row { code: $code, name: stringify!($name), advice: Advice::$advice, message: $message },)*];
    };
}

error_codes! {
    -1 UNKNOWN_SERVER_ERROR Final "the broker failed in a way that it has no code for; its log tells more";
    0 NONE Final "no error";
    1 OFFSET_OUT_OF_RANGE Final "the offset is not in the partition's log";
    2 CORRUPT_MESSAGE Retry "the batch does not match its checksum, or is not valid otherwise";
    3 UNKNOWN_TOPIC_OR_PARTITION Refresh "the broker does not have the topic or partition";
    4 INVALID_FETCH_SIZE Final "the fetch size is not valid";
    5 LEADER_NOT_AVAILABLE Refresh "the partition has no leader at the moment";
    6 NOT_LEADER_OR_FOLLOWER Refresh "the broker is not the partition's leader, or not one of its replicas";
    7 REQUEST_TIMED_OUT Retry "the broker ran out of time";
    8 BROKER_NOT_AVAILABLE Final "the broker is not available";
    9 REPLICA_NOT_AVAILABLE Refresh "the replica is not available";
    10 MESSAGE_TOO_LARGE Final "a batch is larger than the broker or the topic allows";
    11 STALE_CONTROLLER_EPOCH Final "the controller has been replaced";
    12 OFFSET_METADATA_TOO_LARGE Final "the metadata of a committed offset is too large";
    13 NETWORK_EXCEPTION Refresh "the connection was lost before the response came";
    14 COORDINATOR_LOAD_IN_PROGRESS Retry "the coordinator is still loading its state";
    15 COORDINATOR_NOT_AVAILABLE Retry "the coordinator is not available";
    16 NOT_COORDINATOR Retry "the broker is not the coordinator";
    17 INVALID_TOPIC_EXCEPTION Final "the topic's name is not valid, or the topic is reserved";
    18 RECORD_LIST_TOO_LARGE Final "the batch is larger than a segment of the log";
    19 NOT_ENOUGH_REPLICAS Retry "too few replicas are in sync";
    20 NOT_ENOUGH_REPLICAS_AFTER_APPEND Retry "the batch was written, but too few replicas are in sync";
    21 INVALID_REQUIRED_ACKS Final "the number of required acknowledgements is not valid";
    22 ILLEGAL_GENERATION Final "the generation is not the group's present one";
    23 INCONSISTENT_GROUP_PROTOCOL Final "the member's protocols do not go with those of the group";
    24 INVALID_GROUP_ID Final "the group id is not valid";
    25 UNKNOWN_MEMBER_ID Final "the group does not know the member";
    26 INVALID_SESSION_TIMEOUT Final "the session timeout is out of the broker's bounds";
    27 REBALANCE_IN_PROGRESS Final "the group is rebalancing";
    28 INVALID_COMMIT_OFFSET_SIZE Final "the size of the committed offset's data is not valid";
    29 TOPIC_AUTHORIZATION_FAILED Final "no permission for the topic";
    30 GROUP_AUTHORIZATION_FAILED Final "no permission for the group";
    31 CLUSTER_AUTHORIZATION_FAILED Final "no permission for the cluster";
    32 INVALID_TIMESTAMP Final "the timestamp is out of the broker's bounds";
    33 UNSUPPORTED_SASL_MECHANISM Final "the broker does not offer this SASL mechanism";
    34 ILLEGAL_SASL_STATE Final "the request does not fit the state of authentication";
    35 UNSUPPORTED_VERSION Final "the broker does not support this version of the API, or an option in it";
    36 TOPIC_ALREADY_EXISTS Final "the topic exists already";
    37 INVALID_PARTITIONS Final "the number of partitions is not valid";
    38 INVALID_REPLICATION_FACTOR Final "the replication factor is not valid, or larger than the number of brokers";
    39 INVALID_REPLICA_ASSIGNMENT Final "the assignment of replicas is not valid";
    40 INVALID_CONFIG Final "the configuration is not valid";
    41 NOT_CONTROLLER Retry "the broker is not the controller";
    42 INVALID_REQUEST Final "the request is not valid";
    43 UNSUPPORTED_FOR_MESSAGE_FORMAT Final "the format of the topic's messages does not support this";
    44 POLICY_VIOLATION Final "a policy of the cluster forbids this";
    45 OUT_OF_ORDER_SEQUENCE_NUMBER Final "the producer's sequence number is out of order";
    46 DUPLICATE_SEQUENCE_NUMBER Final "the batch has been written before";
    47 INVALID_PRODUCER_EPOCH Final "another producer with a newer epoch has taken over";
    48 INVALID_TXN_STATE Final "the transaction is not in a state that allows this";
    49 INVALID_PRODUCER_ID_MAPPING Final "the producer id does not belong to the transactional id";
    50 INVALID_TRANSACTION_TIMEOUT Final "the transaction timeout is larger than the broker allows";
    51 CONCURRENT_TRANSACTIONS Retry "another operation on the transaction is still under way";
    52 TRANSACTION_COORDINATOR_FENCED Final "the transaction coordinator has been replaced";
    53 TRANSACTIONAL_ID_AUTHORIZATION_FAILED Final "no permission for the transactional id";
    54 SECURITY_DISABLED Final "the cluster has no authorizer or no such security feature";
    55 OPERATION_NOT_ATTEMPTED Final "it was not tried, because something else in the request failed";
    56 KAFKA_STORAGE_ERROR Refresh "the broker's disk failed";
    57 LOG_DIR_NOT_FOUND Final "the broker does not have the log directory";
    58 SASL_AUTHENTICATION_FAILED Final "authentication failed";
    59 UNKNOWN_PRODUCER_ID Final "the broker has no state of the producer any more";
    60 REASSIGNMENT_IN_PROGRESS Final "the partition is being reassigned";
    61 DELEGATION_TOKEN_AUTH_DISABLED Final "delegation tokens are not enabled";
    62 DELEGATION_TOKEN_NOT_FOUND Final "the broker does not know the delegation token";
    63 DELEGATION_TOKEN_OWNER_MISMATCH Final "the delegation token belongs to somebody else";
    64 DELEGATION_TOKEN_REQUEST_NOT_ALLOWED Final "delegation tokens cannot be used or asked for on this connection";
    65 DELEGATION_TOKEN_AUTHORIZATION_FAILED Final "no permission for the delegation token";
    66 DELEGATION_TOKEN_EXPIRED Final "the delegation token has expired";
    67 INVALID_PRINCIPAL_TYPE Final "the type of the principal is not supported";
    68 NON_EMPTY_GROUP Final "the group has members";
    69 GROUP_ID_NOT_FOUND Final "the group does not exist";
    70 FETCH_SESSION_ID_NOT_FOUND Retry "the broker does not know the fetch session any more";
    71 INVALID_FETCH_SESSION_EPOCH Retry "the epoch of the fetch session is not the expected one";
    72 LISTENER_NOT_FOUND Refresh "the leader has no listener of the name that this connection uses";
    73 TOPIC_DELETION_DISABLED Final "the cluster does not allow deleting topics";
    74 FENCED_LEADER_EPOCH Refresh "the leader epoch is older than the broker's";
    75 UNKNOWN_LEADER_EPOCH Retry "the leader epoch is newer than the broker's";
    76 UNSUPPORTED_COMPRESSION_TYPE Final "the broker or the version does not support the compression codec";
    77 STALE_BROKER_EPOCH Final "the broker has been restarted since";
    78 OFFSET_NOT_AVAILABLE Retry "the leader does not know its high watermark yet";
    79 MEMBER_ID_REQUIRED Final "the group wants the member to join again with the member id that it was given";
    80 PREFERRED_LEADER_NOT_AVAILABLE Refresh "the preferred leader is not available";
    81 GROUP_MAX_SIZE_REACHED Final "the group has as many members as it may have";
    82 FENCED_INSTANCE_ID Final "another member uses the same static id";
    83 ELIGIBLE_LEADERS_NOT_AVAILABLE Refresh "no replica that may become leader is available";
    84 ELECTION_NOT_NEEDED Refresh "the leader is the wanted one already";
    85 NO_REASSIGNMENT_IN_PROGRESS Final "no reassignment is under way";
    86 GROUP_SUBSCRIBED_TO_TOPIC Final "the group is subscribed to the topic";
    87 INVALID_RECORD Final "the broker refused a record";
    88 UNSTABLE_OFFSET_COMMIT Retry "offsets of open transactions have yet to be decided";
    89 THROTTLING_QUOTA_EXCEEDED Retry "a quota is exhausted for now";
    90 PRODUCER_FENCED Final "another producer with the same transactional id has taken over";
    91 RESOURCE_NOT_FOUND Final "the resource does not exist";
    92 DUPLICATE_RESOURCE Final "the resource exists already, or is named twice";
    93 UNACCEPTABLE_CREDENTIAL Final "the new credential is not acceptable";
    94 INCONSISTENT_VOTER_SET Final "the voters differ from the expected ones";
    95 INVALID_UPDATE_VERSION Final "the version to update to is not valid";
    96 FEATURE_UPDATE_FAILED Final "the feature could not be updated";
    97 PRINCIPAL_DESERIALIZATION_FAILURE Final "the principal in a forwarded request cannot be read";
    98 SNAPSHOT_NOT_FOUND Final "the snapshot does not exist";
    99 POSITION_OUT_OF_RANGE Final "the position is outside of the snapshot";
    100 UNKNOWN_TOPIC_ID Refresh "the broker does not have a topic with this id";
    101 DUPLICATE_BROKER_REGISTRATION Final "a broker with this id is registered already";
    102 BROKER_ID_NOT_REGISTERED Final "no broker with this id is registered";
    103 INCONSISTENT_TOPIC_ID Refresh "the topic id does not match the one in the log";
    104 INCONSISTENT_CLUSTER_ID Final "the cluster id is not that of this cluster";
    105 TRANSACTIONAL_ID_NOT_FOUND Final "the transactional id does not exist";
    106 FETCH_SESSION_TOPIC_ID_ERROR Retry "the fetch session mixes topic ids with topics that have none";
    107 INELIGIBLE_REPLICA Final "the replica must not join the replicas in sync";
    108 NEW_LEADER_ELECTED Final "the leadership has moved on because of this request";
    109 OFFSET_MOVED_TO_TIERED_STORAGE Final "the offset is in tiered storage";
    110 FENCED_MEMBER_EPOCH Final "the member's epoch is not the coordinator's: it has been fenced";
    111 UNRELEASED_INSTANCE_ID Final "the static id is still in use by a member that has not left";
    112 UNSUPPORTED_ASSIGNOR Final "the broker does not have the assignor";
    113 STALE_MEMBER_EPOCH Final "the member's epoch is out of date";
    114 MISMATCHED_ENDPOINT_TYPE Final "the request went to a controller where a broker was meant, or the other way round";
    115 UNSUPPORTED_ENDPOINT_TYPE Final "the type of endpoint is not known";
    116 UNKNOWN_CONTROLLER_ID Final "the controller's id is not known";
    117 UNKNOWN_SUBSCRIPTION_ID Final "the subscription to client metrics is out of date";
    118 TELEMETRY_TOO_LARGE Final "the client metrics are too large";
    119 INVALID_REGISTRATION Final "the controller refused the broker's registration";
    120 TRANSACTION_ABORTABLE Final "the transaction has to be aborted";
    121 INVALID_RECORD_STATE Final "the record is not in a state that allows this acknowledgement";
    122 SHARE_SESSION_NOT_FOUND Retry "the broker does not know the share session any more";
    123 INVALID_SHARE_SESSION_EPOCH Retry "the epoch of the share session is not the expected one";
    124 FENCED_STATE_EPOCH Final "the share coordinator has been given a newer state epoch";
    125 INVALID_VOTER_KEY Final "the voter's key does not match";
    126 DUPLICATE_VOTER Final "the voter is one already";
    127 VOTER_NOT_FOUND Final "the voter does not exist";
    128 INVALID_REGULAR_EXPRESSION Final "the regular expression is not valid";
    129 REBOOTSTRAP_REQUIRED Final "the client has to start again from its bootstrap servers";
    130 STREAMS_INVALID_TOPOLOGY Final "the topology of the streams application is not valid";
    131 STREAMS_INVALID_TOPOLOGY_EPOCH Final "the epoch of the streams topology is not valid";
    132 STREAMS_TOPOLOGY_FENCED Final "another topology has taken over the streams group";
    133 SHARE_SESSION_LIMIT_REACHED Retry "the broker has as many share sessions as it may have";
    134 GROUP_DELETION_FAILED Final "the group could not be deleted";
    135 STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED Final "the description of the streams topology could not be stored";
    136 CONTROLLER_ID_NOT_REGISTERED Final "no controller with this id is registered";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `org.apache.kafka.common.protocol.Errors` of Kafka 4.4.0 says: code, name, whether its exception is
    /// a `RetriableException`, whether it is an `InvalidMetadataException`. Made by `tests/golden/Codes.java`.
    const FACTS: &str = include_str!("../tests/data/error-codes.tsv");

    #[test]
    fn the_table_states_kafkas_facts() {
        let facts: Vec<_> = FACTS.lines().collect();
        assert_eq!(facts.len(), ErrorCode::ALL.len());
        for (line, code) in facts.iter().zip(ErrorCode::ALL) {
            let ours =
                format!("{}\t{}\t{}\t{}", code.0, code, code.is_retriable(), code.refreshes_metadata());
            assert_eq!(*line, ours);
        }
    }

    #[test]
    fn unknown_codes_survive() {
        for code in [ErrorCode(-2), ErrorCode(i16::MIN), ErrorCode(i16::MAX), ErrorCode(ROWS.len() as i16)] {
            assert_eq!(format!("{code:?}"), format!("UNKNOWN_CODE_{}", code.0));
            assert!(!code.is_retriable() && !code.refreshes_metadata());
            assert_eq!(code.ok(), Err(code));
        }
        assert_eq!(ErrorCode::default().ok(), Ok(()));
    }
}
