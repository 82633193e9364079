//! AddRaftVoter, key 80.

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// Adds a voter to the controller quorum (KIP-853).
    request AddRaftVoterRequest(80, 0-1, flexible 0+) -> AddRaftVoterResponse {
        /// The id of the cluster.
        cluster_id: Option<String> = empty,
        /// How long the broker may take, in milliseconds.
        timeout_ms: i32,
        voter_id: i32,
        voter_directory_id: Uuid,
        listeners: Vec<Listener>,
        ack_when_committed: bool [1+] = true,
    }

    /// An item of [`AddRaftVoterRequest::listeners`].
    struct Listener {
        name: String,
        host: String,
        port: u16,
    }

    /// The answer to [`AddRaftVoterRequest`].
    response AddRaftVoterResponse(80, 0-1, flexible 0+) {
        /// How long the broker held the request back because of a quota, in milliseconds.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        /// More words on the error, if the broker has any.
        error_message: Option<String> = empty,
    }
}
