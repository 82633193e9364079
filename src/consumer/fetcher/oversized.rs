//! An answer that is larger than the client takes: which partition's batch makes it so.

use std::collections::VecDeque;

use super::super::event::{Event, FetchFailure, Slot};
use super::Fetcher;
use crate::error::{Error, ErrorKind};
use crate::net::transport::FrameTooLarge;

/// Partitions one of which has a batch too large for any answer. They are asked for one by one.
#[derive(Default)]
pub(super) struct Suspects(VecDeque<Slot>);

impl Suspects {
    pub(super) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// The one to ask for alone, if it can be asked for.
    pub(super) fn next(&mut self, can_ask: impl Fn(Slot) -> bool) -> Option<Slot> {
        while let Some(slot) = self.0.front().copied() {
            if can_ask(slot) {
                return Some(slot);
            }
            self.0.pop_front();
        }
        None
    }

    /// These are not to blame.
    pub(super) fn clear(&mut self, slots: &[Slot]) {
        self.0.retain(|suspect| !slots.contains(suspect));
    }
}

impl Fetcher {
    /// Looks for the partition to blame for an answer that was refused for its size, and reports it.
    pub(super) fn too_large(&self, error: &Error, slots: Vec<Slot>, suspects: &mut Suspects) {
        let source = std::error::Error::source(error);
        let Some(frame) = source.and_then(|source| source.downcast_ref::<FrameTooLarge>()) else { return };
        let alone = match slots.as_slice() {
            [slot] => Some(*slot),
            _ => None,
        };
        let Some(slot) = alone.filter(|_| suspects.any()) else {
            // With a limit of one batch for the whole answer it is clear whose fault it is.
            return suspects.0 = slots.into();
        };
        suspects.clear(&[slot]);
        let mut partitions = self.0.partitions.borrow_mut();
        let Some(partition) = partitions.get_mut(&slot.index).filter(|partition| partition.slot == slot)
        else {
            return;
        };
        partition.resting = true;
        let text = format!(
            "the batch at this offset makes an answer of {} bytes, above receive.message.max.bytes ({}); raise the \
             limit, or seek past the batch",
            frame.length, frame.limit
        );
        let error = self.at(partition, Error::new(ErrorKind::RecordTooLarge, text));
        self.0.events.send(Event::FetchFailed(slot, FetchFailure::Hopeless(error)));
    }
}
