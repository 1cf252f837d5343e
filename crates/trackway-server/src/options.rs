//! How a server is set up.

use std::net::{IpAddr, Ipv4Addr};

/// How a server is set up. The default is reachable from this machine only, at MLflow's usual port.
///
/// ```
/// use trackway_server::ServerOptions;
/// let options = ServerOptions { port: 0, ..ServerOptions::default() };
/// assert!(options.host.is_loopback());
/// ```
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Address to listen on.
    pub host: IpAddr,
    /// Port to listen on; 0 for any that is free.
    pub port: u16,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self { host: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 5000 }
    }
}
