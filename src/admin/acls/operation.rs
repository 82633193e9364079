//! What can be allowed and denied.

use crate::admin::words::code_enum;

code_enum! {
    /// Something that a client may be allowed or denied to do. kafka-python's `ACLOperation`.
    AclOperation {
        /// In filters: every operation.
        Any = 1 "ANY",
        /// All operations at once.
        All = 2 "ALL",
        /// Read records; be a member of a group.
        Read = 3 "READ",
        /// Write records, also in transactions.
        Write = 4 "WRITE",
        /// Create topics.
        Create = 5 "CREATE",
        /// Delete topics, records and groups.
        Delete = 6 "DELETE",
        /// Change partitions, access control and quotas.
        Alter = 7 "ALTER",
        /// Look at the thing.
        Describe = 8 "DESCRIBE",
        /// What brokers do among themselves.
        ClusterAction = 9 "CLUSTER_ACTION",
        /// Look at options.
        DescribeConfigs = 10 "DESCRIBE_CONFIGS",
        /// Change options.
        AlterConfigs = 11 "ALTER_CONFIGS",
        /// Produce with idempotence, on brokers before 2.8.
        IdempotentWrite = 12 "IDEMPOTENT_WRITE",
        /// Create delegation tokens for another user (KIP-373).
        CreateTokens = 13 "CREATE_TOKENS",
        /// Look at the delegation tokens of another user (KIP-373).
        DescribeTokens = 14 "DESCRIBE_TOKENS",
        /// Commit or abort prepared transactions of an outside coordinator (KIP-939).
        TwoPhaseCommit = 15 "TWO_PHASE_COMMIT",
    }
}

/// The operations of a broker's bit field of what the client may do; `None` when it was not asked for.
/// kafka-python's `valid_acl_operations`.
pub fn authorized_operations(bits: i32) -> Option<Vec<AclOperation>> {
    if bits == i32::MIN {
        return None;
    }
    // The lowest three stand for no operation in particular.
    let codes = (3..31_i8).filter(|code| bits >> code & 1 == 1);
    Some(codes.map(AclOperation::from_code).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_become_operations() {
        assert_eq!(authorized_operations(i32::MIN), None);
        assert_eq!(authorized_operations(0), Some(Vec::new()));
        let bits = 1 << 3 | 1 << 8 | 1 << 20 | 1;
        let expected = [AclOperation::Read, AclOperation::Describe, AclOperation::Unknown(20)];
        assert_eq!(authorized_operations(bits).as_deref(), Some(&expected[..]));
    }
}
