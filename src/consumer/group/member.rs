//! What the group knows this consumer as, in either protocol, and what ends its membership.
//!
//! Each time the member begins anew it begins another life, and the tasks of an old one end by themselves.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::consumer_protocol::Reconciliation;
use super::coordinator::Coordinator;
use crate::config::{GroupProtocol, LastAssignment};
use crate::consumer::client::GroupMembership;
use crate::consumer::event::Event;
use crate::error::{Error, ErrorKind, Result};
use crate::types::TopicPartition;

/// The member's part on the IO thread.
#[derive(Debug)]
pub(in crate::consumer) struct Member {
    /// Given by the coordinator, and empty before; made by the member itself in the new protocol.
    pub(super) id: String,
    /// -1 outside of the group. The member's epoch in the new protocol.
    pub(super) generation: i32,
    /// Counts the times that the member has begun anew.
    pub(super) life: u64,
    /// The coordinator may be holding a JoinGroup of this member.
    pub(super) joining: bool,
    /// What it was given last in the classic protocol; sticky assignors want to know.
    pub(super) last: Option<LastAssignment>,
    /// Where it stands in the new protocol.
    pub(super) modern: Reconciliation,
}

impl Default for Member {
    fn default() -> Self {
        Self {
            id: String::new(),
            generation: -1,
            life: 0,
            joining: false,
            last: None,
            modern: Reconciliation::default(),
        }
    }
}

/// What a member joins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::consumer) struct Wanted {
    pub(in crate::consumer) topics: BTreeSet<Arc<str>>,
    /// For the coordinator to find the topics by, in the new protocol.
    pub(in crate::consumer) regex: Option<String>,
    /// What it still has in a cooperative rebalance.
    pub(in crate::consumer) owned: Vec<TopicPartition>,
    /// Since which generation.
    pub(in crate::consumer) owned_generation: i32,
    /// Why it joins (KIP-800).
    pub(in crate::consumer) reason: String,
}

impl Coordinator {
    /// Joins the group, or joins it again; the outcome comes as an event with this number.
    pub(in crate::consumer) fn join(&self, number: u64, wanted: Wanted) {
        let life = self.new_life();
        self.0.member.borrow_mut().joining = true;
        let this = self.clone();
        let net = self.0.cluster.net();
        match self.0.config.group_protocol {
            GroupProtocol::Classic => net.spawn(this.join_classic(number, wanted, life)),
            GroupProtocol::Consumer => {
                // Here and not in the task: the program may want something else before that begins.
                self.begin(wanted);
                net.spawn(this.stay(number, life));
            }
        }
    }

    /// Leaves the group, as far as its options say so. A static member keeps its seat by default, and the
    /// coordinator of the new protocol is told that it will be back.
    ///
    /// # Errors
    /// What became of the request; the member counts as gone in any case.
    pub(in crate::consumer) async fn leave(&self, reason: &str, membership: GroupMembership) -> Result<()> {
        let (joining, inside, id) = {
            let member = self.0.member.borrow();
            (member.joining, member.joining || member.generation >= 0, member.id.clone())
        };
        self.new_life();
        {
            let mut member = self.0.member.borrow_mut();
            (member.generation, member.joining) = (-1, false);
        }
        let fixed = self.0.config.group_instance_id.is_some();
        let stays = match membership {
            GroupMembership::Default => fixed,
            GroupMembership::Leave => false,
            GroupMembership::Remain => true,
        };
        match self.0.config.group_protocol {
            GroupProtocol::Classic => {
                self.0.member.borrow_mut().id.clear();
                if id.is_empty() || stays {
                    return Ok(());
                }
                self.send_leave(id, reason, joining).await
            }
            GroupProtocol::Consumer if !inside || (stays && !fixed) => Ok(()),
            GroupProtocol::Consumer => self.send_last_heartbeat(&id, stays).await,
        }
    }

    /// Waits until the commits that were asked for before have ended.
    pub(in crate::consumer) async fn commits_settled(&self) {
        drop(self.0.commits.take().await);
    }

    /// The member is out of the group. The coordinator gives it a new id when it joins again, unless
    /// `keeps_id`.
    pub(super) fn lost(&self, keeps_id: bool, error: Option<Error>) {
        let life = {
            let mut member = self.0.member.borrow_mut();
            // While it joins, what was sent before says nothing: the answer to the join decides.
            if member.generation < 0 || member.joining {
                return;
            }
            if !keeps_id {
                member.id.clear();
            }
            member.generation = -1;
            member.life
        };
        self.new_life();
        self.0.events.send(Event::MemberLost(life, error));
    }

    pub(super) fn new_life(&self) -> u64 {
        let mut member = self.0.member.borrow_mut();
        member.life += 1;
        member.life
    }

    pub(super) fn lives(&self, life: u64) -> bool {
        self.0.member.borrow().life == life
    }

    /// Leaves the group when the program has had control for too long without asking for more (KIP-62).
    pub(super) async fn watch_polls(self, life: u64) {
        let net = self.0.cluster.net().clone();
        let limit = self.0.config.max_poll_interval;
        let tick = (limit / 8).clamp(MIN_TICK, Duration::from_secs(1));
        let mut seen = 0;
        let mut since = net.now();
        loop {
            net.sleep(tick).await;
            if !self.lives(life) {
                return;
            }
            let activity = self.0.events.shared().activity();
            // An even number: the program is inside of poll(), where waiting does not count.
            if activity != seen || activity % 2 == 0 {
                (seen, since) = (activity, net.now());
                continue;
            }
            if net.now().saturating_duration_since(since) < limit {
                continue;
            }
            let text = format!(
                "more than {limit:?} between two calls of poll(): the member has left group {} and joins again; \
                 raise max.poll.interval.ms, or lower max.poll.records",
                self.0.group_id
            );
            log::warn!("{text}");
            self.0.events.shared().poll_was_due(since + limit);
            let error = Error::new(ErrorKind::MaxPollExceeded, text);
            let patience = net.now() + self.0.config.common.request_timeout;
            if let Some(Err(error)) = net.until(patience, self.leave_late(error)).await {
                log::debug!("{error}");
            }
            return;
        }
    }

    async fn leave_late(&self, error: Error) -> Result<()> {
        let id = self.0.member.borrow().id.clone();
        let fixed = self.0.config.group_instance_id.is_some();
        match self.0.config.group_protocol {
            GroupProtocol::Classic => {
                self.lost(false, Some(error));
                // A static one keeps its seat until its session is over.
                if fixed {
                    Ok(())
                } else {
                    self.send_leave(id, "max.poll.interval.ms has passed", false).await
                }
            }
            GroupProtocol::Consumer => {
                // The member comes back under another id: this may be sent again when it has.
                self.lost(false, Some(error));
                self.send_last_heartbeat(&id, fixed).await
            }
        }
    }
}

/// The time between two polls is looked at no more often than this.
const MIN_TICK: Duration = Duration::from_millis(10);
