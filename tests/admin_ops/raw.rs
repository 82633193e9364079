//! Members of groups that this crate has no client for, by single requests: share consumers, Kafka Streams.

use std::time::Duration;

use kavka::config::CommonConfig;
use kavka::net::bridge::IoThread;
use kavka::net::clock::Clock;
use kavka::net::manager::{Manager, NodeId};
use kavka::protocol::Request;
use kavka::protocol::messages::FindCoordinatorRequest;

use crate::PATIENCE;
use crate::support::kafka::Cluster;

/// A connection to a broker, for requests of all kinds.
pub(crate) struct Raw {
    io: IoThread<Manager>,
    clock: Clock,
}

impl Raw {
    /// To the first broker.
    pub(crate) fn any(cluster: &Cluster) -> Self {
        Self::to(cluster.bootstrap().split(',').next().expect("an address").to_owned())
    }

    /// To the coordinator of a group.
    pub(crate) fn coordinator(cluster: &Cluster, group: &str) -> Self {
        let request =
            FindCoordinatorRequest { coordinator_keys: vec![group.to_owned()], ..Default::default() };
        let any = Self::any(cluster);
        let mut found = None;
        crate::support::kafka::wait_until("the group has a coordinator", PATIENCE, || {
            let answer = any.send(request.clone(), i16::MAX);
            found = answer.coordinators.into_iter().find(|one| one.node_id >= 0);
            found.is_some()
        });
        let found = found.expect("awaited");
        Self::to(format!("{}:{}", found.host, found.port))
    }

    fn to(address: String) -> Self {
        let clock = Clock::system();
        let io = IoThread::start("test-io", clock, move |net| {
            let manager = Manager::new(net, &CommonConfig::default(), "test")?;
            manager.set_node(NodeId::Bootstrap(0), address.parse()?);
            Ok(manager)
        });
        Self { io: io.expect("an IO thread"), clock }
    }

    /// Sends a request in the newest version that both sides know, up to `cap`.
    pub(crate) fn send<R: Request + Send + 'static>(&self, request: R, cap: i16) -> R::Response
    where
        R::Response: Send,
    {
        let deadline = self.clock.deadline(PATIENCE);
        let answer = self.io.run(deadline, "a request of the test", move |manager| async move {
            let connection = manager.connection(NodeId::Bootstrap(0)).await?;
            let version = connection.pick_version::<R>(cap)?;
            connection.send_at(&request, version, Duration::from_secs(30)).await
        });
        answer.expect("an answer")
    }
}
