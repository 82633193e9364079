//! The consumer's part in its group. The classic protocol is [`classic`]; another one has its place beside it.

pub(super) mod classic;
pub(super) mod commit;
pub(super) mod coordinator;
mod turn;
