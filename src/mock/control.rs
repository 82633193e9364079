//! What tests do to a running [`MockCluster`]: brokers die, leaders and coordinators move, logs lose records.

use super::{MockCluster, VersionTable, check_broker, no_broker, server};
use crate::error::{Error, ErrorKind, Result};

impl MockCluster {
    /// Takes all faults away, and has brokers read again that were stopped.
    pub fn clear_faults(&self) {
        let _ = self.change(|cluster| {
            let mut state = cluster.state();
            state.faults.clear();
            state.brokers.values().for_each(|broker| broker.gate.open());
            Ok(())
        });
    }

    /// Changes who may log in, from the next login on. See [`MockClusterBuilder::sasl`](super::MockClusterBuilder::sasl).
    pub fn set_sasl(&self, sasl: super::MockSasl) {
        let _ = self.change(|cluster| {
            cluster.state().settings.sasl = Some(sasl);
            Ok(())
        });
    }

    /// Kills a broker: its listener and connections close, and its partitions move to other replicas, in new
    /// leader epochs.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when there is no such broker.
    pub fn kill(&self, broker: i32) -> Result<()> {
        self.change(move |cluster| {
            check_broker(cluster, broker)?;
            cluster.state().give_up_groups(broker);
            server::close(cluster, broker);
            cluster.state().elect();
            Ok(())
        })
    }

    /// As [`kill`](Self::kill), but its partitions keep it as their leader, as in the time before the
    /// controller notices.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when there is no such broker.
    pub fn kill_without_failover(&self, broker: i32) -> Result<()> {
        self.change(move |cluster| {
            check_broker(cluster, broker)?;
            cluster.state().give_up_groups(broker);
            server::close(cluster, broker);
            Ok(())
        })
    }

    /// Starts a killed broker again, on its old port. Partitions without a leader get one.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when there is no such broker,
    /// [`Connection`](crate::ErrorKind::Connection) when its port is taken.
    pub fn restart(&self, broker: i32) -> Result<()> {
        self.change(move |cluster| {
            check_broker(cluster, broker)?;
            if !cluster.state().is_alive(broker) {
                server::listen(cluster, broker)?;
            }
            let mut state = cluster.state();
            if let Some(broker) = state.brokers.get(&broker) {
                broker.gate.open();
            }
            state.elect();
            Ok(())
        })
    }

    /// Closes all connections of a broker, which stays up.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when there is no such broker.
    pub fn disconnect(&self, broker: i32) -> Result<()> {
        self.change(move |cluster| {
            check_broker(cluster, broker)?;
            server::disconnect(cluster, broker);
            Ok(())
        })
    }

    /// Has a broker read no more bytes, while its connections stay open and what it has read is answered.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when there is no such broker.
    pub fn stop_reading(&self, broker: i32) -> Result<()> {
        self.with_broker(broker, |broker| broker.gate.close())
    }

    /// Has a broker read again.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when there is no such broker.
    pub fn resume_reading(&self, broker: i32) -> Result<()> {
        self.with_broker(broker, |broker| broker.gate.open())
    }

    /// Makes a broker the leader of a partition, in a new leader epoch, and a replica if it was none.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when there is no such broker or partition.
    pub fn move_leader(&self, topic: &str, partition: i32, broker: i32) -> Result<()> {
        let known = self.look(move |state| state.brokers.contains_key(&broker));
        if !known {
            return Err(no_broker(broker));
        }
        self.with_partition(topic, partition, move |partition| {
            if !partition.replicas.contains(&broker) {
                partition.replicas.push(broker);
            }
            partition.lead(broker);
        })
    }

    /// Sets the leader epoch of a partition. The leader stays.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when there is no such partition.
    pub fn set_leader_epoch(&self, topic: &str, partition: i32, epoch: i32) -> Result<()> {
        self.with_partition(topic, partition, move |partition| {
            partition.leader_epoch = epoch;
            partition.log.begin_epoch(epoch);
        })
    }

    /// Has a broker name another leader and leader epoch of a partition in its metadata than there are, as one that lags
    /// behind does, until it is told to name the real ones again by `None`. A leader of -1 is none.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when there is no such broker.
    pub fn misinform(
        &self,
        broker: i32,
        topic: &str,
        partition: i32,
        leader_and_epoch: Option<(i32, i32)>,
    ) -> Result<()> {
        let key = (topic.to_owned(), partition);
        self.with_broker(broker, move |broker| match leader_and_epoch {
            Some(told) => drop(broker.misinformed.insert(key, told)),
            None => drop(broker.misinformed.remove(&key)),
        })
    }

    /// Cuts the end off a partition's log in a new leader epoch, as an unclean election does. A batch that
    /// begins below `offset` and ends above goes as a whole.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when there is no such partition.
    pub fn truncate(&self, topic: &str, partition: i32, offset: i64) -> Result<()> {
        self.with_partition(topic, partition, move |partition| {
            partition.log.truncate(offset);
            let leader = partition.leader;
            partition.lead(leader);
        })
    }

    /// Deletes the records before an offset, as retention does.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when there is no such partition.
    pub fn delete_records_before(&self, topic: &str, partition: i32, offset: i64) -> Result<()> {
        self.with_partition(topic, partition, move |partition| {
            let end = partition.log.end_offset();
            // Between 0 and the end it cannot fail.
            let _ = partition.log.delete_before(offset.clamp(0, end));
        })
    }

    /// Raises the number of partitions of a topic.
    ///
    /// # Errors
    /// The broker's error code: there is no such topic, or it has as many partitions already.
    pub fn add_partitions(&self, topic: &str, count: i32) -> Result<()> {
        let topic = topic.to_owned();
        self.change(move |cluster| {
            let added = cluster.state().add_partitions(&topic, count);
            added.map_err(|(code, message)| {
                Error::new(ErrorKind::Broker, message).with_code(code).with_topic(topic)
            })
        })
    }

    /// Has a partition forget its producers, as brokers do with idle ones; those with an open transaction stay.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when there is no such partition.
    pub fn forget_producers(&self, topic: &str, partition: i32) -> Result<()> {
        self.with_partition(topic, partition, |partition| partition.log.forget_producers())
    }

    /// Has a broker forget its fetch sessions, as one with a full cache does.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when there is no such broker.
    pub fn forget_fetch_sessions(&self, broker: i32) -> Result<()> {
        self.with_broker(broker, |broker| broker.sessions.clear())
    }

    /// How many fetch sessions a broker has.
    pub fn fetch_sessions(&self, broker: i32) -> usize {
        self.look(move |state| state.brokers.get(&broker).map_or(0, |broker| broker.sessions.len()))
    }

    /// Makes a broker the coordinator of a group.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when there is no such broker.
    pub fn move_coordinator(&self, group: &str, broker: i32) -> Result<()> {
        let group = group.to_owned();
        self.change(move |cluster| {
            check_broker(cluster, broker)?;
            let mut state = cluster.state();
            let state = &mut *state;
            if let Some(group) = state.groups.get_mut(&group) {
                group.moved();
            }
            state.coordinators.insert(group, broker);
            Ok(())
        })
    }

    /// Makes a broker the coordinator of a transactional id.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when there is no such broker.
    pub fn move_transaction_coordinator(&self, transactional_id: &str, broker: i32) -> Result<()> {
        let id = transactional_id.to_owned();
        self.change(move |cluster| {
            check_broker(cluster, broker)?;
            cluster.state().transaction_coordinators.insert(id, broker);
            Ok(())
        })
    }

    /// Has coordinators write no markers: transactions that are decided stay open in their partitions, and the next
    /// one of the same producer is told to wait. With `false` they write what they have held back.
    pub fn hold_transaction_markers(&self, hold: bool) {
        let _ = self.change(move |cluster| {
            let mut state = cluster.state();
            state.hold_markers = hold;
            state.write_markers(cluster.net.clock().unix_millis());
            Ok(())
        });
    }

    /// Changes the level of the feature `transaction.version`, as an administrator does while clients are connected.
    /// Connections that are made from now on are told of it.
    pub fn set_transaction_version(&self, level: i16) {
        let _ = self.change(move |cluster| {
            cluster.state().settings.transaction_version = level;
            Ok(())
        });
    }

    /// Aborts an open transaction as if its time was over, which fences its producer. Returns whether it was open.
    pub fn expire_transaction(&self, transactional_id: &str) -> bool {
        let id = transactional_id.to_owned();
        let expired = self.change(move |cluster| {
            let mut state = cluster.state();
            let raise_epochs = state.settings.transaction_version >= 2;
            let expired = state.transactions.expire_one(&id, raise_epochs);
            state.write_markers(cluster.net.clock().unix_millis());
            Ok(expired)
        });
        expired.unwrap_or(false)
    }

    /// Sets the epoch of a transactional id that has no open transaction, as many transactions would have: ids have
    /// 32,767 epochs. Returns whether there is one.
    pub fn set_producer_epoch(&self, transactional_id: &str, epoch: i16) -> bool {
        let id = transactional_id.to_owned();
        let set = self.change(move |cluster| Ok(cluster.state().transactions.set_epoch(&id, epoch)));
        set.unwrap_or(false)
    }

    /// Has a group rebalance, if it has members.
    pub fn rebalance(&self, group: &str) {
        let group = group.to_owned();
        let _ = self.change(move |cluster| {
            let now = cluster.net.now();
            if let Some(group) = cluster.state().groups.get_mut(&group) {
                group.force_rebalance(now);
            }
            cluster.group_timers.notify();
            Ok(())
        });
    }

    /// Throws a member out of its group, as if its session had timed out. Returns whether it was there.
    pub fn evict_member(&self, group: &str, member_id: &str) -> bool {
        let (group, member_id) = (group.to_owned(), member_id.to_owned());
        let evicted = self.change(move |cluster| {
            let now = cluster.net.now();
            let evicted =
                cluster.state().groups.get_mut(&group).is_some_and(|group| group.evict(&member_id, now));
            cluster.group_timers.notify();
            Ok(evicted)
        });
        evicted.unwrap_or(false)
    }

    /// Changes what a broker offers to connections from now on.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when there is no such broker.
    pub fn set_versions(&self, broker: i32, versions: VersionTable) -> Result<()> {
        self.with_broker(broker, move |broker| broker.versions = versions)
    }

    /// Changes the address under which metadata and coordinators name a broker, as with a proxy before it.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when there is no such broker.
    pub fn advertise(&self, broker: i32, host: &str, port: u16) -> Result<()> {
        let host = host.to_owned();
        self.with_broker(broker, move |broker| broker.advertised = Some((host, port)))
    }
}
