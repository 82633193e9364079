//! Seek, pause and resume against answers that come late, in any order: what the program gets is what a small
//! model says.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::buffer::{Budget, Chunk, PartitionShared, Reservation};
use super::chunks::Chunks;
use super::event::Slot;
use super::reader::Reader;
use super::sensors::Sensors;
use super::subscription::{Change, ResetPolicy, SubscriptionState};
use crate::config::AutoOffsetReset;
use crate::metrics::Registry;
use crate::net::clock::Clock;
use crate::net::wakeup::Wakeup;
use crate::record::{BatchBuilder, Compression, DecompressLimits, ProducerState, assign_offsets};
use crate::types::TopicPartition;

const PARTITIONS: i32 = 2;
const BATCHES: i64 = 12;
const IN_BATCH: i64 = 3;
const END: i64 = BATCHES * IN_BATCH;

#[derive(Clone, Debug)]
enum Step {
    Seek(i32, i64),
    Pause(i32),
    Resume(i32),
    /// The program asks for so many records.
    Poll(usize),
    /// A request for a partition leaves, for so many batches.
    Ask(i32, usize),
    /// One of the answers under way arrives on the IO thread.
    Arrive(usize),
    /// The program's thread takes notice of what has arrived.
    Drain,
}

fn step() -> impl Strategy<Value = Step> {
    let partition = || 0..PARTITIONS;
    prop_oneof![
        2 => (partition(), 0..END).prop_map(|(partition, to)| Step::Seek(partition, to)),
        1 => partition().prop_map(Step::Pause),
        2 => partition().prop_map(Step::Resume),
        4 => (1..9_usize).prop_map(Step::Poll),
        5 => (partition(), 1..4_usize).prop_map(|(partition, batches)| Step::Ask(partition, batches)),
        5 => (0..8_usize).prop_map(Step::Arrive),
        3 => Just(Step::Drain),
    ]
}

/// The fetcher's rules, without a network.
struct Fetching {
    slot: Slot,
    offset: i64,
    paused: bool,
    shared: Arc<PartitionShared>,
}

struct World {
    log: Vec<Bytes>,
    subscription: SubscriptionState,
    chunks: Chunks,
    fetching: HashMap<usize, Fetching>,
    under_way: Vec<(Slot, i64, Bytes, i64)>,
    arrived: VecDeque<Chunk>,
    budget: Arc<Budget>,
    sensors: Sensors,
    /// What the program is to get next of each partition, and whether it is paused.
    model: HashMap<i32, (i64, bool)>,
}

fn tp(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

impl World {
    fn new() -> Self {
        let batch = |number: i64| {
            let mut builder = BatchBuilder::new(Vec::new(), 1 << 20);
            for _ in 0..IN_BATCH {
                builder.try_append(0, None, Some(b"v"), &[]).expect("room");
            }
            let bytes = builder.seal(&Compression::NONE, 2).expect("sealed").stamp(ProducerState::NONE);
            assign_offsets(bytes, number * IN_BATCH, 0, None)
        };
        let mut subscription = SubscriptionState::new(ResetPolicy::of(AutoOffsetReset::None));
        subscription.set_partitions((0..PARTITIONS).map(tp));
        let mut world = Self {
            log: (0..BATCHES).map(batch).collect(),
            subscription,
            chunks: Chunks::default(),
            fetching: HashMap::new(),
            under_way: Vec::new(),
            arrived: VecDeque::new(),
            budget: Arc::new(Budget::new(1 << 20, Wakeup::new())),
            sensors: Sensors::new(&Registry::off(), Clock::system()),
            model: HashMap::new(),
        };
        for partition in 0..PARTITIONS {
            world.take(&Step::Seek(partition, 0));
        }
        world
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Seek(partition, to) => {
                self.subscription.seek(&tp(*partition), &(*to).into()).expect("assigned");
                self.model.entry(*partition).or_insert((0, false)).0 = *to;
            }
            Step::Pause(partition) => self.set_paused(*partition, true),
            Step::Resume(partition) => self.set_paused(*partition, false),
            Step::Poll(count) => self.poll(*count),
            Step::Ask(partition, batches) => {
                self.apply();
                let slot =
                    self.subscription.iter().find(|(_, state)| state.tp == tp(*partition)).expect("one").0;
                let Some(fetching) = self.fetching.get(&slot.index).filter(|one| !one.paused) else { return };
                let first = usize::try_from(fetching.offset / IN_BATCH).expect("small");
                let data: Vec<Bytes> = self.log.iter().skip(first).take(*batches).cloned().collect();
                let next = (fetching.offset / IN_BATCH + data.len() as i64) * IN_BATCH;
                if !data.is_empty() {
                    self.under_way.push((fetching.slot, fetching.offset, data.concat().into(), next));
                }
            }
            Step::Arrive(which) => {
                self.apply();
                if self.under_way.is_empty() {
                    return;
                }
                let (slot, offset, data, next) = self.under_way.remove(which % self.under_way.len());
                let fetching = self.fetching.get_mut(&slot.index);
                let Some(fetching) = fetching.filter(|one| one.slot == slot && one.offset == offset) else {
                    return;
                };
                fetching.offset = next;
                let state = self.subscription.iter().find(|(known, _)| known.index == slot.index);
                let tp = state.expect("one").1.tp.clone();
                let reservation = Reservation::new(&self.budget, &fetching.shared, data.len());
                self.arrived.push_back(Chunk { slot, tp, data, aborted: None, reservation });
            }
            Step::Drain => {
                for chunk in self.arrived.drain(..) {
                    self.chunks.push(Reader::new(
                        chunk,
                        true,
                        DecompressLimits::default(),
                        self.sensors.clone(),
                    ));
                }
            }
        }
    }

    fn set_paused(&mut self, partition: i32, paused: bool) {
        self.subscription.set_paused(&tp(partition), paused).expect("assigned");
        self.model.entry(partition).or_insert((0, false)).1 = paused;
    }

    /// The IO thread takes notice of what the program has changed.
    fn apply(&mut self) {
        for change in self.subscription.take_changes() {
            match change {
                Change::Fetch { slot, offset, shared, .. } => {
                    let paused = self.fetching.get(&slot.index).is_some_and(|old| old.paused);
                    self.fetching.insert(slot.index, Fetching { slot, offset, paused, shared });
                }
                Change::Pause(index, paused) => {
                    if let Some(fetching) = self.fetching.get_mut(&index) {
                        fetching.paused = paused;
                    }
                }
                Change::Remove(index) => drop(self.fetching.remove(&index)),
            }
        }
    }

    fn poll(&mut self, count: usize) {
        let mut got = 0;
        while got < count && self.chunks.pick(&mut self.subscription) {
            while got < count {
                let (reader, partition) = self.chunks.reading(&mut self.subscription).expect("picked");
                let number = reader.tp.partition();
                match reader.next(partition) {
                    Some(record) => {
                        let (next, paused) = self.model.get_mut(&number).expect("known");
                        assert!(!*paused, "a record of paused partition {number}");
                        assert_eq!(record.expect("sound").offset, *next, "partition {number}");
                        *next += 1;
                        got += 1;
                    }
                    None => {
                        self.chunks.finish();
                        break;
                    }
                }
            }
        }
        for (partition, (next, _)) in &self.model {
            assert_eq!(self.subscription.get(&tp(*partition)).expect("assigned").position(), *next);
        }
    }

    /// Without further ado everything comes.
    fn finish(&mut self) {
        for partition in 0..PARTITIONS {
            self.take(&Step::Resume(partition));
        }
        for _ in 0..200 {
            for partition in 0..PARTITIONS {
                self.take(&Step::Ask(partition, 2));
            }
            for _ in 0..self.under_way.len() {
                self.take(&Step::Arrive(0));
            }
            self.take(&Step::Drain);
            self.take(&Step::Poll(50));
        }
        assert!(self.model.values().all(|(next, _)| *next == END), "{:?}", self.model);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_program_gets_exactly_what_it_sought(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in &steps {
            world.take(step);
        }
        world.finish();
    }
}
