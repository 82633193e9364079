//! Groups of all kinds.

mod kind;

pub use kind::{GroupState, GroupType};
