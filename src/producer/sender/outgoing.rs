//! What goes to one node in one round.

use super::super::batch::Batch;
use crate::net::connection::Connection;

/// What goes to one node in this round.
pub(super) struct Outgoing {
    pub(super) connection: Connection,
    pub(super) slots: usize,
    pub(super) requests: Vec<Vec<Batch>>,
    pub(super) sizes: Vec<usize>,
}

impl Outgoing {
    pub(super) fn new(connection: Connection, slots: usize) -> Self {
        Self { connection, slots, requests: Vec::new(), sizes: Vec::new() }
    }

    pub(super) fn has_room(&self) -> bool {
        self.requests.len() < self.slots
    }

    /// The first request from `from` on that has room for `size` bytes.
    pub(super) fn place(&self, from: usize, size: usize, max_request_size: usize) -> Option<usize> {
        let fits = |used: &usize| used + size <= max_request_size;
        let known = self.sizes.iter().skip(from).position(fits).map(|place| place + from);
        known.or_else(|| self.has_room().then_some(self.requests.len()))
    }

    pub(super) fn add(&mut self, place: usize, batch: Batch) {
        if place == self.requests.len() {
            self.requests.push(Vec::new());
            self.sizes.push(0);
        }
        if let (Some(request), Some(size)) = (self.requests.get_mut(place), self.sizes.get_mut(place)) {
            *size += batch.bytes.len();
            request.push(batch);
        }
    }
}
