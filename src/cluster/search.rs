//! Finding a node that answers: the bootstrap list, several nodes at once, and starting over (KIP-899, KIP-1102).

use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::{Cluster, controllers};
use crate::config::{DnsLookup, RecoveryStrategy};
use crate::error::{Error, ErrorKind, Result};
use crate::net::chain;
use crate::net::inet::{Address, canonical_name, resolve};
use crate::net::manager::NodeId;
use crate::net::versions::ApiVersions;
use crate::protocol::Request;
use crate::protocol::messages::{MetadataRequest, MetadataResponse};

/// What one node said.
pub(super) struct Asked {
    pub(super) node: NodeId,
    pub(super) versions: ApiVersions,
    pub(super) version: i16,
    pub(super) request: MetadataRequest,
    pub(super) response: MetadataResponse,
}

impl Cluster {
    /// Asks one node for metadata, and others beside it when it takes its time.
    pub(super) async fn ask_around(&self, bootstrap_first: bool) -> Result<Asked> {
        self.find_bootstrap_nodes().await?;
        let choose = |tried: &[NodeId]| {
            let node = self.0.manager.choose(tried, self.0.avoid.get(), bootstrap_first)?;
            self.0.avoid.set(Some(node));
            Some(node)
        };
        let none =
            || Error::new(ErrorKind::Configuration, "bootstrap.servers is empty: name a broker as host:port");
        self.ask_several(choose, |node| self.ask(node)).await?.ok_or_else(none)
    }

    /// Asks one node. When it takes its time another one is asked as well, and so on, so that a node that leads
    /// nowhere, or hangs, costs a moment and not its whole timeout. `None` when there is nobody to ask.
    pub(super) async fn ask_several<T, F: Future<Output = Result<T>>>(
        &self,
        choose: impl Fn(&[NodeId]) -> Option<NodeId>,
        ask: impl Fn(NodeId) -> F,
    ) -> Result<Option<T>> {
        let mut tried: Vec<NodeId> = Vec::new();
        let mut asking = FuturesUnordered::new();
        let mut failure = None;
        loop {
            if tried.len() < MOST_AT_ONCE {
                if let Some(node) = choose(&tried) {
                    tried.push(node);
                    asking.push(ask(node));
                }
            }
            let may_grow = tried.len() < MOST_AT_ONCE;
            let next = self.net().now() + if may_grow { NEXT_NODE_AFTER } else { crate::net::clock::FAR };
            match self.net().until(next, asking.next()).await {
                Some(Some(Ok(answer))) => return Ok(Some(answer)),
                // One that failed is followed by the next call, unless others still have a chance here.
                Some(Some(Err(error))) if asking.is_empty() => return Err(error),
                Some(Some(Err(error))) => failure = Some(error),
                Some(None) => return failure.map_or(Ok(None), Err),
                None => {}
            }
        }
    }

    async fn ask(&self, node: NodeId) -> Result<Asked> {
        let connection = self.0.manager.connection(node).await?;
        let timeout = self.0.config.request_timeout;
        let versions = connection.versions();
        if self.0.of_controllers {
            let response = controllers::describe(&connection, timeout).await?;
            let (version, request) = (MetadataRequest::VERSIONS.max, MetadataRequest::default());
            return Ok(Asked { node, versions, version, request, response });
        }
        let version = connection.pick_version::<MetadataRequest>(i16::MAX)?;
        let request = self.request(version);
        let response = connection.send_at(&request, version, timeout).await?;
        Ok(Asked { node, versions, version, request, response })
    }

    /// Has the bootstrap list among the nodes again, if the options want it (KIP-899). Nothing is lost by it: what is
    /// known of the cluster stays until an answer replaces it.
    pub(super) fn search_bootstrap_list(&self) {
        if self.0.config.metadata_recovery_strategy == RecoveryStrategy::Rebootstrap {
            // Names may lead elsewhere by now.
            self.0.canonical.borrow_mut().take();
            self.set_bootstrap_nodes();
        }
    }

    /// Forgets the brokers that were learned and starts from the bootstrap list again (KIP-1102), if the options want it.
    pub(super) fn rebootstrap(&self, why: &str) {
        if self.0.config.metadata_recovery_strategy == RecoveryStrategy::None {
            return;
        }
        log::warn!("{why}; starting from the bootstrap list again");
        for id in self.0.manager.nodes() {
            self.0.manager.remove_node(id);
        }
        self.search_bootstrap_list();
    }

    /// Names the bootstrap servers to the pool; their canonical names have to be looked up first, where they are asked
    /// for.
    pub(super) fn set_bootstrap_nodes(&self) {
        let canonical = self.0.canonical.borrow();
        let servers = match (self.0.config.client_dns_lookup, &*canonical) {
            (DnsLookup::ResolveCanonicalBootstrapServersOnly, Some(servers)) => servers,
            (DnsLookup::ResolveCanonicalBootstrapServersOnly, None) => return,
            _ => &self.0.bootstrap,
        };
        for (place, address) in (0..).zip(servers) {
            self.0.manager.set_node(NodeId::Bootstrap(place), address.clone());
        }
        for id in self.0.manager.nodes() {
            if matches!(id, NodeId::Bootstrap(place) if servers.len() <= place as usize) {
                self.0.manager.remove_node(id);
            }
        }
    }

    /// Looks the canonical names of the bootstrap servers up (KIP-235), if they are asked for and needed now.
    async fn find_bootstrap_nodes(&self) -> Result<()> {
        let is_known = self.0.canonical.borrow().is_some();
        let wants = self.0.config.client_dns_lookup == DnsLookup::ResolveCanonicalBootstrapServersOnly;
        if !wants || is_known {
            return Ok(());
        }
        let resolver = chain::resolver(&self.0.config);
        let deadline = self.net().clock().deadline(self.0.config.socket_connection_setup_timeout);
        let mut found: Vec<Address> = Vec::new();
        let mut failure = None;
        for server in &self.0.bootstrap {
            let looking = async {
                let mut names = Vec::new();
                for address in resolve(&resolver, server).await? {
                    let host = canonical_name(&resolver, address.ip()).await;
                    names.push(Address { host, port: server.port });
                }
                Ok(names)
            };
            let phase = || format!("looking up the canonical names of {server}");
            match self.net().within(deadline, phase, looking).await {
                Ok(names) => names.into_iter().for_each(|name| {
                    if !found.contains(&name) {
                        found.push(name);
                    }
                }),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            // Brokers that are known already can still be asked.
            Some(error) if found.is_empty() && self.0.manager.nodes().is_empty() => Err(error),
            Some(_) if found.is_empty() => Ok(()),
            _ => {
                log::debug!("the canonical bootstrap servers are {found:?}");
                *self.0.canonical.borrow_mut() = Some(found);
                self.set_bootstrap_nodes();
                Ok(())
            }
        }
    }
}

/// Another node is asked when the first has not answered for so long.
const NEXT_NODE_AFTER: Duration = Duration::from_secs(1);

/// So many nodes are asked at the same time.
const MOST_AT_ONCE: usize = 4;
