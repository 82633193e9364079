//! AddRaftVoter

use crate::error_code::ErrorCode;
use crate::protocol::Uuid;

messages! {
    /// TODO.
    request AddRaftVoterRequest(80, 0-1, flexible 0+) -> AddRaftVoterResponse {
        cluster_id: Option<String> = empty,
        timeout_ms: i32,
        voter_id: i32,
        voter_directory_id: Uuid,
        listeners: Vec<Listener>,
        ack_when_committed: bool [1+] = true,
    }

    /// A part.
    struct Listener {
        name: String,
        host: String,
        port: u16,
    }

    /// TODO.
    response AddRaftVoterResponse(80, 0-1, flexible 0+) {
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<String> = empty,
    }
}
