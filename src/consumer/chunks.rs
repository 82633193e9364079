//! What was fetched and waits for the program, and the order in which it is read.

use std::collections::VecDeque;

use super::event::Slot;
use super::reader::Reader;
use super::subscription::{PartitionState, SubscriptionState};

#[derive(Default)]
pub(super) struct Chunks {
    ready: VecDeque<Reader>,
    current: Option<Reader>,
}

impl Chunks {
    pub(super) fn push(&mut self, reader: Reader) {
        self.ready.push_back(reader);
    }

    /// The chunk to read from and its partition, if nothing speaks against reading on.
    #[inline]
    pub(super) fn reading<'a>(
        &'a mut self,
        subscription: &'a mut SubscriptionState,
    ) -> Option<(&'a mut Reader, &'a mut PartitionState)> {
        let reader = self.current.as_mut()?;
        let partition = subscription.at(reader.slot).filter(|partition| !partition.paused)?;
        Some((reader, partition))
    }

    /// Chooses the chunk to read from. Those of earlier lives are dropped, those of paused partitions wait.
    pub(super) fn pick(&mut self, subscription: &mut SubscriptionState) -> bool {
        if let Some(reader) = self.current.take() {
            match subscription.at(reader.slot) {
                Some(partition) if !partition.paused => {
                    self.current = Some(reader);
                    return true;
                }
                Some(_) => self.ready.push_front(reader),
                None => {}
            }
        }
        let mut place = 0;
        while let Some(reader) = self.ready.get_mut(place) {
            match subscription.at(reader.slot) {
                Some(partition) if !partition.paused => {
                    self.current = self.ready.remove(place);
                    return true;
                }
                Some(_) => {
                    reader.reservation.park();
                    place += 1;
                }
                None => drop(self.ready.remove(place)),
            }
        }
        false
    }

    /// The current chunk is used up, or not to be read on.
    pub(super) fn finish(&mut self) -> Option<Reader> {
        self.current.take()
    }

    /// Whether something of a partition's present life waits.
    pub(super) fn has(&self, slot: Slot) -> bool {
        self.current.iter().chain(&self.ready).any(|reader| reader.slot == slot)
    }
}
