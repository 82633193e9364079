//! The consumer's part in its group: the classic protocol is [`classic`], that of KIP-848 [`consumer_protocol`].
//! Both are behind the same calls (join, leave, commit) and the same events; see [`member`].

mod classic;
pub(super) mod commit;
mod consumer_protocol;
pub(super) mod coordinator;
mod held;
pub(super) mod member;
pub(super) mod sensors;
mod share_out;
pub(super) mod to_commit;
mod topic_ids;
mod turn;

pub(super) use classic::is_cooperative;
