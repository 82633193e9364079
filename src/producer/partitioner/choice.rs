//! The partition of the moment for records without a key.

/// Chooses one of some partitions, each given with the length of its queue: by chance, the shorter the queue the more
/// likely (KIP-794). `random` returns a number below its argument.
pub(in super::super) fn choose_by_load(
    partitions: &[(u32, u32)],
    random: impl FnOnce(u64) -> u64,
) -> Option<u32> {
    let longest = partitions.iter().map(|(_, queued)| *queued).max()?;
    // The longest queue counts once, an empty one once for each batch in the longest, and once more.
    let weight = |queued: u32| u64::from(longest - queued) + 1;
    let mut ticket = random(partitions.iter().map(|(_, queued)| weight(*queued)).sum());
    for (partition, queued) in partitions {
        match ticket.checked_sub(weight(*queued)) {
            Some(rest) => ticket = rest,
            None => return Some(*partition),
        }
    }
    partitions.last().map(|(partition, _)| *partition)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kafka's own example: queues of 0, 3 and 1 batches have 4, 1 and 3 of 8 tickets.
    #[test]
    fn a_longer_queue_has_fewer_tickets() {
        let partitions = [(10, 0), (11, 3), (12, 1)];
        let chosen: Vec<_> = (0..8)
            .filter_map(|ticket| {
                choose_by_load(&partitions, |tickets| {
                    assert_eq!(tickets, 8);
                    ticket
                })
            })
            .collect();
        assert_eq!(chosen, [10, 10, 10, 10, 11, 12, 12, 12]);
    }

    #[test]
    fn equal_queues_are_equally_likely_and_nothing_to_choose_from_is_no_choice() {
        let even = [(0, 7), (1, 7)];
        assert_eq!((0..2).filter_map(|ticket| choose_by_load(&even, |_| ticket)).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(choose_by_load(&[], |_| 0), None);
        assert_eq!(choose_by_load(&[(3, u32::MAX)], |_| 0), Some(3));
    }
}
