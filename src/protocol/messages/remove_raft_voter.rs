//! RemoveRaftVoter, key 81.

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// Removes a voter from the controller quorum (KIP-853).
    request RemoveRaftVoterRequest(81, 0, flexible 0+) -> RemoveRaftVoterResponse {
        /// The id of the cluster.
        cluster_id: Option<String> = empty,
        voter_id: i32,
        voter_directory_id: Uuid,
    }

    /// The answer to [`RemoveRaftVoterRequest`].
    response RemoveRaftVoterResponse(81, 0, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
    }
}
