//! How records come out of a consumer: `poll()` and iteration.

use std::time::{Duration, Instant};

use super::client::KafkaConsumer;
use super::reader::Undone;
use super::record::{ConsumerRecord, ConsumerRecords};
use crate::error::{Error, ErrorKind, Result};
use crate::net::clock::FAR;
use crate::record::RecordError;
use crate::serializer::{DefaultSerializer, Deserializer};

impl<K: Deserializer, V: Deserializer> KafkaConsumer<K, V> {
    /// Waits at most `timeout` for records, and returns up to `max_poll_records` of them.
    ///
    /// Joins the group, runs listeners and commits, as it is time for it. An empty result means that the time
    /// was over, be it because there is nothing new or because no broker can be reached. A record is counted as
    /// worked on with the next call, or with `close()`.
    ///
    /// # Errors
    /// Each is returned once, and the consumer stays usable: [`ErrorKind::Woken`],
    /// [`ErrorKind::MaxPollExceeded`], [`ErrorKind::NoOffsetForPartition`], [`ErrorKind::OffsetOutOfRange`],
    /// [`ErrorKind::CorruptBatch`] (with the offset to seek to), [`ErrorKind::LogTruncation`],
    /// [`ErrorKind::TopicRecreated`], [`ErrorKind::Authorization`], what a listener returned, and others. With
    /// [`ErrorKind::Deserialization`] the position stays at that record, as in Kafka's own consumer, so that the
    /// next call returns the same error: seek past it, with what [`DeserializationFailure`](super::DeserializationFailure)
    /// says of it.
    pub fn poll(&mut self, timeout: Duration) -> Result<ConsumerRecords<K::Output, V::Output>> {
        self.poll_max(timeout, self.core.config.max_poll_records)
    }

    /// As [`poll`](Self::poll), returning up to `max_records` instead of `max_poll_records`.
    ///
    /// # Errors
    /// As [`poll`](Self::poll), and [`ErrorKind::InvalidArgument`] for a maximum of none.
    pub fn poll_max(
        &mut self,
        timeout: Duration,
        max_records: usize,
    ) -> Result<ConsumerRecords<K::Output, V::Output>> {
        if max_records == 0 {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                "a poll for at most 0 records returns nothing",
            ));
        }
        self.check_selection()?;
        self.core.enter();
        self.core.subscription.settle();
        (self.core.iterated, self.core.straight_on) = (false, false);
        self.core.poll_times.entered(self.core.clock.now());
        let deadline = self.core.clock.deadline(timeout);
        let outcome = self.poll_until(deadline, max_records);
        self.core.poll_times.left(self.core.clock.now());
        self.core.leave();
        outcome
    }

    fn poll_until(
        &mut self,
        deadline: Instant,
        most: usize,
    ) -> Result<ConsumerRecords<K::Output, V::Output>> {
        let mut records = ConsumerRecords::new();
        while self.core.fill(deadline)? {
            self.collect(&mut records, most);
            if !records.is_empty() {
                break;
            }
        }
        Ok(records)
    }

    /// Takes records from what is there, without waiting.
    fn collect(&mut self, records: &mut ConsumerRecords<K::Output, V::Output>, most: usize) {
        let straight_on = self.core.interceptors.is_empty();
        while let Some((reader, _)) = self.core.reading() {
            if records.is_closed_for(&reader.tp) {
                return;
            }
            let tp = reader.tp.clone();
            let mut failure = None;
            while records.len() < most {
                let next = if straight_on { self.read() } else { self.read_intercepted() };
                match next {
                    Some(Ok(record)) => records.push(record),
                    Some(Err(error)) => {
                        failure = Some(error);
                        break;
                    }
                    None => break,
                }
            }
            if let Ok(partition) = self.core.subscription.get(&tp) {
                let next = partition.next();
                records.end_part(&tp, next.offset, next.leader_epoch);
            }
            match failure {
                // What was read before it comes first. The position is at that record: the next poll finds it.
                Some(error) if error.kind() == ErrorKind::Deserialization && !records.is_empty() => return,
                Some(error) => return self.core.put_off(error),
                None => {}
            }
            if records.len() >= most || !self.core.next_chunk() {
                return;
            }
        }
    }

    /// Iterates over records, one by one and without building batches of them.
    ///
    /// Blocks while there are none, and ends when there was none for `consumer_timeout`, when a
    /// [`ConsumerWaker`](super::ConsumerWaker) says so, and when the consumer is closed; it can be taken up again. Errors are those of
    /// [`poll`](Self::poll). A record is counted as worked on when the next one is asked for: after a `break` or
    /// an early return its offset is not committed automatically.
    pub fn iter(&mut self) -> Iter<'_, K, V> {
        Iter { consumer: self }
    }

    #[inline]
    fn next_record(&mut self) -> Option<Result<ConsumerRecord<K::Output, V::Output>>> {
        if !self.core.shared.needs_attention() && self.core.straight_on {
            if let Some((_, partition)) = self.core.reading() {
                partition.settle();
                if let Some(record) = self.read() {
                    self.core.leave();
                    return Some(record);
                }
            }
        }
        self.wait_for_record()
    }

    #[cold]
    #[inline(never)]
    fn wait_for_record(&mut self) -> Option<Result<ConsumerRecord<K::Output, V::Output>>> {
        if self.core.closed {
            return None;
        }
        if let Err(error) = self.check_selection() {
            return Some(Err(error));
        }
        self.core.enter();
        self.core.subscription.settle();
        (self.core.iterated, self.core.straight_on) = (true, self.core.interceptors.is_empty());
        let timeout = self.core.config.consumer_timeout.unwrap_or(FAR);
        let deadline = self.core.clock.deadline(timeout);
        let record = loop {
            match self.core.fill(deadline) {
                Ok(true) => {
                    let straight_on = self.core.straight_on;
                    let next = if straight_on { self.read() } else { self.read_intercepted() };
                    if let Some(record) = next {
                        break Some(record);
                    }
                }
                Ok(false) => break None,
                Err(error) if error.kind() == ErrorKind::Woken => break None,
                Err(error) => break Some(Err(error)),
            }
        };
        self.core.leave();
        record
    }

    /// The next record of the current chunk; at its end the chunk is given up.
    #[inline]
    fn read(&mut self) -> Option<Result<ConsumerRecord<K::Output, V::Output>>> {
        let (reader, partition) = self.core.reading()?;
        match reader.next(partition) {
            Some(Ok(raw)) => match reader.build(&raw, &self.key_deserializer, &self.value_deserializer) {
                Ok(record) => Some(Ok(record)),
                Err(why) => Some(Err(reader.undone(partition, &raw, why))),
            },
            Some(Err(error)) => self.unreadable(error).map(Err),
            None => {
                self.core.finish_chunk();
                None
            }
        }
    }

    /// As [`read`](Self::read), by way of the interceptors.
    #[cold]
    fn read_intercepted(&mut self) -> Option<Result<ConsumerRecord<K::Output, V::Output>>> {
        loop {
            let (reader, partition) = self.core.chunks.reading(&mut self.core.subscription)?;
            let raw = match reader.next(partition) {
                Some(Ok(raw)) => raw,
                Some(Err(error)) => return self.unreadable(error).map(Err),
                None => {
                    self.core.finish_chunk();
                    return None;
                }
            };
            let record = match reader.build(&raw, &DefaultSerializer, &DefaultSerializer) {
                Ok(record) => record,
                Err(why) => return Some(Err(reader.undone(partition, &raw, why))),
            };
            let Some(record) = self.core.interceptors.consume(record) else { continue };
            let record = record.deserialize(&self.key_deserializer, &self.value_deserializer);
            return Some(
                record.map_err(|(part, cause)| {
                    reader.undone(partition, &raw, Undone::Deserializer(part, cause))
                }),
            );
        }
    }

    #[cold]
    fn unreadable(&mut self, error: RecordError) -> Option<Error> {
        let (reader, _) = self.core.reading()?;
        let (slot, tp) = (reader.slot, reader.tp.clone());
        self.core.unreadable(slot, &tp, error)
    }
}

/// Records one by one; see [`KafkaConsumer::iter`].
#[derive(Debug)]
pub struct Iter<'a, K = DefaultSerializer, V = DefaultSerializer> {
    consumer: &'a mut KafkaConsumer<K, V>,
}

impl<K: Deserializer, V: Deserializer> Iterator for Iter<'_, K, V> {
    type Item = Result<ConsumerRecord<K::Output, V::Output>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.consumer.next_record()
    }
}

impl<'a, K: Deserializer, V: Deserializer> IntoIterator for &'a mut KafkaConsumer<K, V> {
    type Item = Result<ConsumerRecord<K::Output, V::Output>>;
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
