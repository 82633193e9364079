//! RemoveRaftVoter

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// TODO.
    request RemoveRaftVoterRequest(81, 0, flexible 0+) -> RemoveRaftVoterResponse {
        cluster_id: Option<String> = empty,
        voter_id: i32,
        voter_directory_id: Uuid,
    }

    /// TODO.
    response RemoveRaftVoterResponse(81, 0, flexible 0+) {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<String> = empty,
    }
}
