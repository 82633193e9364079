//! The chain of connectors that a client's options ask for: TCP, then a proxy, then TLS.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::LocalBoxFuture;

use super::event_loop::Net;
use super::inet::{Address, Connector, Resolver, SocketOptions, SystemResolver, TcpConnector};
use super::proxy::{Below, Proxies};
use super::tls::{self, TlsConnector};
use super::transport::BoxStream;
use crate::config::{CommonConfig, Faults};
use crate::error::{Error, ErrorKind, Result};

/// A resolver of the program's own, as [`Hooks`](crate::config::Hooks) keep it.
#[derive(Clone)]
pub(crate) struct ResolverHook(pub(crate) Arc<dyn Resolver>);

/// A connector of the program's own, in place of TCP.
#[derive(Clone)]
pub(crate) struct ConnectorHook(pub(crate) Arc<dyn Connector>);

/// The resolver that the options ask for.
pub(crate) fn resolver(config: &CommonConfig) -> Arc<dyn Resolver> {
    config
        .hooks
        .get::<ResolverHook>()
        .map_or_else(|| Arc::new(SystemResolver) as _, |hook| Arc::clone(&hook.0))
}

/// The connector that the options ask for. Certificates are read here.
///
/// # Errors
/// [`ErrorKind::Configuration`] with every fault of the proxy's and TLS's options at once.
pub fn connector(config: &CommonConfig) -> Result<Arc<dyn Connector>> {
    let mut faults = Faults::new();
    let connector = prepare(config, &mut faults);
    faults.into_result()?;
    Ok(connector)
}

/// As [`connector`], but adds to the faults that a builder reports; where there are some the connector makes no
/// connections.
pub(crate) fn prepare(config: &CommonConfig, faults: &mut Faults) -> Arc<dyn Connector> {
    let resolver = resolver(config);
    let mut chain: Arc<dyn Connector> = match config.hooks.get::<ConnectorHook>() {
        Some(hook) => Arc::clone(&hook.0),
        None => Arc::new(TcpConnector {
            resolver: Arc::clone(&resolver),
            options: SocketOptions {
                send_buffer_bytes: config.send_buffer_bytes,
                receive_buffer_bytes: config.receive_buffer_bytes,
            },
        }),
    };
    if let Some(url) = &config.proxy_url {
        let proxies = config.hooks.get::<Proxies>().cloned().unwrap_or_default();
        match proxies.connector(url, &Below { connector: Arc::clone(&chain), resolver }) {
            Ok(connector) => chain = connector,
            Err(error) => {
                faults.push(error.to_string());
                chain = Arc::new(Unusable);
            }
        }
    }
    if config.security_protocol.uses_tls() {
        chain = match tls::source(config, faults) {
            Some(source) => {
                Arc::new(TlsConnector::with_source(chain, source, config.ssl_server_name.clone()))
            }
            None => Arc::new(Unusable),
        };
    }
    chain
}

/// In place of a connector whose options have faults, so that nothing is ever sent without what they asked for.
struct Unusable;

impl Connector for Unusable {
    fn connect<'a>(
        &'a self,
        _: &'a Net,
        _: &'a Address,
        _: Instant,
    ) -> LocalBoxFuture<'a, Result<BoxStream>> {
        let error = Error::new(ErrorKind::Configuration, "the options of the connection have faults");
        Box::pin(async move { Err(error) })
    }
}

/// The methods of a builder with a field `config` that take what is no value.
macro_rules! network_methods {
    () => {
        /// Looks host names up in a way of the program's own. Defaults to the system's resolver.
        pub fn resolver(mut self, resolver: impl $crate::net::inet::Resolver + 'static) -> Self {
            let config: &mut $crate::config::CommonConfig = self.config.as_mut();
            config.hooks.set($crate::net::chain::ResolverHook(::std::sync::Arc::new(resolver)));
            self
        }

        /// Makes connections in a way of the program's own; a proxy and TLS go on top of it. Defaults to TCP.
        pub fn connector(mut self, connector: impl $crate::net::inet::Connector + 'static) -> Self {
            let config: &mut $crate::config::CommonConfig = self.config.as_mut();
            config.hooks.set($crate::net::chain::ConnectorHook(::std::sync::Arc::new(connector)));
            self
        }

        /// Adds a scheme for `proxy_url`, or replaces one; see [`net::proxy`](crate::net::proxy).
        pub fn register_proxy(
            mut self,
            scheme: &str,
            make: impl Fn(
                &$crate::net::proxy::ProxyUrl,
                &$crate::net::proxy::Below,
            ) -> $crate::Result<::std::sync::Arc<dyn $crate::net::inet::Connector>>
            + Send
            + Sync
            + 'static,
        ) -> Self {
            let config: &mut $crate::config::CommonConfig = self.config.as_mut();
            let mut proxies = config.hooks.get::<$crate::net::proxy::Proxies>().cloned().unwrap_or_default();
            proxies.register(scheme, make);
            config.hooks.set(proxies);
            self
        }

        /// Uses a ready TLS context: a `native_tls::TlsConnector`, an `Arc<rustls::ClientConfig>`, or a
        /// [`TlsContext`](crate::net::tls::TlsContext) of the program's own. The other `ssl_*` options are ignored
        /// then, save `ssl_server_name`. Defaults to what they say.
        pub fn ssl_context(mut self, context: impl Into<$crate::net::tls::SslContext>) -> Self {
            let config: &mut $crate::config::CommonConfig = self.config.as_mut();
            config.hooks.set::<$crate::net::tls::SslContext>(context.into());
            self
        }
    };
}
pub(crate) use network_methods;
