//! Random messages, from a seed.

use bytes::Bytes;

use super::Message;
use super::dsl::{Field, Layout};

/// A source of random values. The same seed gives the same ones.
pub(crate) struct Gen {
    state: u64,
    /// How many more items arrays may get, so that nested ones stay small.
    budget: usize,
}

impl Gen {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed, budget: 60 }
    }

    /// 64 random bits, but small numbers and the ends of the ranges more often than by chance.
    pub(crate) fn bits(&mut self) -> u64 {
        match self.next() % 8 {
            0 => 0,
            1 => u64::MAX,
            2 => 0x7fff_ffff_7fff_7f7f,
            3 => self.next() % 200,
            _ => self.next(),
        }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next() as u8)
    }

    pub(crate) fn items(&mut self) -> usize {
        let items = (self.next() % 4) as usize;
        let items = items.min(self.budget);
        self.budget -= items;
        items
    }

    pub(crate) fn string(&mut self) -> String {
        let len = match self.next() % 16 {
            0 => 200,
            other => other % 6,
        };
        (0..len).map(|_| ['a', 'Z', '.', '-', 'ß', '漢', '😀', '\0'][(self.next() % 8) as usize]).collect()
    }

    pub(crate) fn bytes(&mut self) -> Bytes {
        let len = match self.next() % 32 {
            0 => 1500,
            other => other % 9,
        };
        (0..len).map(|_| self.next() as u8).collect()
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A message that the version can carry.
pub(crate) fn message<M: Message + Field>(seed: u64, version: i16) -> M {
    M::arbitrary(&mut Gen::new(seed), Layout { version, flexible: M::SCHEMA.is_flexible(version) }, false)
}
