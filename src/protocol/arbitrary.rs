//! Messages for tests: random ones from a seed, and those that `tests/golden/Golden.java` makes.

use bytes::Bytes;

use super::field::{Field, Layout};
use super::{Message, Uuid};

/// A source of values for fields.
pub(crate) struct Gen(Source);

enum Source {
    /// The same seed gives the same values.
    Random {
        state: u64,
        /// How many more items arrays may get, so that nested ones stay small.
        budget: usize,
    },
    /// Values that follow from the names of the fields.
    Named {
        /// Whether what may be null is null, and arrays are empty.
        bare: bool,
        number: u32,
    },
}

impl Gen {
    fn random(seed: u64) -> Self {
        Self(Source::Random { state: seed, budget: 60 })
    }

    fn named(bare: bool) -> Self {
        Self(Source::Named { bare, number: 0 })
    }

    /// Begins a field.
    pub(crate) fn enter(&mut self, field: &str) {
        if let Source::Named { number, .. } = &mut self.0 {
            *number =
                field.bytes().filter(|&b| b != b'_').zip(1..).map(|(b, place)| u32::from(b) * place).sum();
        }
    }

    /// 64 random bits, but small numbers and the ends of the ranges more often than by chance.
    pub(crate) fn bits(&mut self) -> u64 {
        if let Source::Named { number, .. } = self.0 {
            return number.into();
        }
        match self.next() % 8 {
            0 => 0,
            1 => u64::MAX,
            2 => 0x7fff_ffff_7fff_7f7f,
            3 => self.next() % 200,
            _ => self.next(),
        }
    }

    pub(crate) fn null(&mut self) -> bool {
        match self.0 {
            Source::Random { .. } => self.next() % 3 == 0,
            Source::Named { bare, .. } => bare,
        }
    }

    /// How many items an array shall have.
    pub(crate) fn items(&mut self) -> usize {
        let wanted = (self.next() % 4) as usize;
        match &mut self.0 {
            Source::Random { budget, .. } => {
                let items = wanted.min(*budget);
                *budget -= items;
                items
            }
            Source::Named { bare, .. } => {
                if *bare {
                    0
                } else {
                    2
                }
            }
        }
    }

    pub(crate) fn uuid(&mut self) -> Uuid {
        let (high, low) = (self.bits(), self.bits());
        Uuid((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
    }

    pub(crate) fn string(&mut self) -> String {
        if let Source::Named { number, .. } = self.0 {
            return format!("s{number}");
        }
        let len = match self.next() % 16 {
            0 => 200,
            other => other % 6,
        };
        let letters = ['a', 'Z', '.', '-', 'ß', '漢', '😀', '\0'];
        (0..len).map(|_| letters[(self.next() % 8) as usize]).collect()
    }

    pub(crate) fn bytes(&mut self) -> Bytes {
        if let Source::Named { number, .. } = self.0 {
            return format!("b{number}").into();
        }
        let len = match self.next() % 32 {
            0 => 1500,
            other => other % 9,
        };
        (0..len).map(|_| self.next() as u8).collect()
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        let Source::Random { state, .. } = &mut self.0 else { return 0 };
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A random message that the version can carry.
pub(crate) fn random<M: Message + Field>(seed: u64, version: i16) -> M {
    fill(&mut Gen::random(seed), version)
}

/// The message that `Golden.java` makes.
pub(crate) fn named<M: Message + Field>(bare: bool, version: i16) -> M {
    fill(&mut Gen::named(bare), version)
}

fn fill<M: Message + Field>(g: &mut Gen, version: i16) -> M {
    M::arbitrary(g, Layout { version, flexible: M::SCHEMA.is_flexible(version) }, false)
}
