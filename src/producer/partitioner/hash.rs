//! The choices of librdkafka, and of the clients built on it, for programs that share topics with them.

use super::{PartitionInput, PartitionView, Partitioner, murmur2};
use crate::record::crc32;

/// Partitions by a hash of the key, as librdkafka's partitioner of the same name does.
///
/// ```
/// use kavka::producer::partitioner::HashPartitioner;
/// # let cluster = kavka::mock::MockCluster::builder().topic("orders", 3).start()?;
/// # let servers = cluster.bootstrap_servers();
///
/// let producer = kavka::KafkaProducer::builder()
///     .bootstrap_servers(servers)
///     .partitioner(HashPartitioner::consistent_random())
///     .build()?;
/// # Ok::<(), kavka::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct HashPartitioner {
    hash: Hash,
    keyless: Keyless,
}

#[derive(Clone, Copy, Debug)]
enum Hash {
    Crc32,
    Murmur2,
    Fnv1a,
}

/// Which records are left to the producer's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keyless {
    /// None: a null key hashes as the empty one.
    None,
    /// Those with a null key.
    Null,
    /// Those with a null key or an empty one.
    NullOrEmpty,
    All,
}

impl HashPartitioner {
    /// `consistent`: CRC-32 of the key. Records without a key are all in one partition.
    pub const fn consistent() -> Self {
        Self { hash: Hash::Crc32, keyless: Keyless::None }
    }

    /// `consistent_random`, librdkafka's default: CRC-32 of the key; the producer's choice for records with a null
    /// key or an empty one.
    pub const fn consistent_random() -> Self {
        Self { hash: Hash::Crc32, keyless: Keyless::NullOrEmpty }
    }

    /// `murmur2`: Java's hash of the key. Records without a key are all in one partition.
    pub const fn murmur2() -> Self {
        Self { hash: Hash::Murmur2, keyless: Keyless::None }
    }

    /// `murmur2_random`: what Kafka's own default does.
    pub const fn murmur2_random() -> Self {
        Self { hash: Hash::Murmur2, keyless: Keyless::Null }
    }

    /// `fnv1a`: FNV-1a of the key, as Sarama. Records without a key are all in one partition.
    pub const fn fnv1a() -> Self {
        Self { hash: Hash::Fnv1a, keyless: Keyless::None }
    }

    /// `fnv1a_random`: FNV-1a of the key, as Sarama; the producer's choice for records without one.
    pub const fn fnv1a_random() -> Self {
        Self { hash: Hash::Fnv1a, keyless: Keyless::Null }
    }

    /// `random`: the producer's choice for all records.
    pub const fn random() -> Self {
        Self { hash: Hash::Crc32, keyless: Keyless::All }
    }
}

impl Partitioner for HashPartitioner {
    fn partition(&self, record: &PartitionInput<'_>, topic: &PartitionView<'_>) -> Option<i32> {
        let key = match (self.keyless, record.key) {
            (Keyless::All, _) | (Keyless::Null | Keyless::NullOrEmpty, None) => return None,
            (Keyless::NullOrEmpty, Some([])) => return None,
            (_, key) => key.unwrap_or_default(),
        };
        let hash = match self.hash {
            Hash::Crc32 => crc32(key),
            Hash::Murmur2 => murmur2(key) as u32 & 0x7fff_ffff,
            // Sarama takes the hash as a signed number, without its sign.
            Hash::Fnv1a => (fnv1a(key) as i32).unsigned_abs(),
        };
        let partition = hash.checked_rem(u32::try_from(topic.partitions()).ok()?)?;
        i32::try_from(partition).ok()
    }
}

/// 32-bit FNV-1a.
fn fnv1a(key: &[u8]) -> u32 {
    key.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(by: HashPartitioner, key: Option<&[u8]>, partitions: i32) -> Option<i32> {
        by.partition(&PartitionInput { topic: "t", key, value: None }, &PartitionView::new(partitions, &[]))
    }

    /// The hash values are those that the authors of the hashes publish.
    #[test]
    fn keys_are_hashed_as_published() {
        for (key, hash) in [(&b""[..], 0x811c_9dc5), (b"a", 0xe40c_292c), (b"foobar", 0xbf9c_f968)] {
            assert_eq!(fnv1a(key), hash);
            let expected = (hash as i32).unsigned_abs() % 1000;
            assert_eq!(partition(HashPartitioner::fnv1a(), Some(key), 1000), i32::try_from(expected).ok());
        }
        assert_eq!(partition(HashPartitioner::consistent(), Some(b"123456789"), 1000), Some(262));
        assert_eq!(partition(HashPartitioner::murmur2(), Some(b"abc"), 6), Some(3));
    }

    #[test]
    fn null_and_empty_keys_are_told_apart_as_librdkafka_does() {
        for by in [HashPartitioner::consistent(), HashPartitioner::murmur2(), HashPartitioner::fnv1a()] {
            assert!(partition(by, None, 7).is_some());
            assert_eq!(partition(by, None, 7), partition(by, Some(b""), 7));
        }
        for by in [HashPartitioner::murmur2_random(), HashPartitioner::fnv1a_random()] {
            assert_eq!(partition(by, None, 7), None);
            assert!(partition(by, Some(b""), 7).is_some());
        }
        let by = HashPartitioner::consistent_random();
        assert_eq!((partition(by, None, 7), partition(by, Some(b""), 7)), (None, None));
        assert!(partition(by, Some(b"k"), 7).is_some());
        assert_eq!(partition(HashPartitioner::random(), Some(b"k"), 7), None);
        assert_eq!(
            partition(HashPartitioner::consistent(), Some(b"k"), 0),
            None,
            "a topic without partitions"
        );
    }
}
