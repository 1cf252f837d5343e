//! How a server is set up.

use crate::limits::Limits;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use trackway::StoreOptions;

/// Bytes at which a log of a server's store is left.
const LOG_BYTES: u64 = 512 << 10;

/// How the store of a server is best opened: with short logs. Hundreds of runs are logged to at a time, and a search or a chart
/// reads the log of each of them that it asks, whole.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # let folder = dir.path().join("s");
/// let store = trackway_server::store_options().open(&folder).unwrap();
/// ```
pub fn store_options() -> StoreOptions {
    StoreOptions::new().log_bytes(LOG_BYTES)
}

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
    /// Names by which clients may call this server beside `localhost` and its addresses, with or without a port; `*` for
    /// any. A page of another site can make a browser call this machine, but by a name of its own.
    pub allowed_hosts: Vec<String>,
    /// File with the token that clients have to show, at least 16 characters; nobody has to without one.
    pub token_file: Option<PathBuf>,
    /// Whether an address that others can reach may be listened on without a token: everybody who can reach it reads and
    /// changes the store.
    pub insecure_no_token: bool,
    /// Files of the certificate chain and of its private key, as PEM: with them, it speaks HTTPS only.
    pub tls: Option<TlsFiles>,
    /// Folder of an installed `mlflow` package, or of the pages in it: MLflow's own pages are served under `/mlflow/`.
    pub mlflow_ui: Option<PathBuf>,
    /// How long clients may take.
    pub limits: Limits,
}

/// Files for TLS.
///
/// ```
/// use trackway_server::{ServerOptions, TlsFiles};
/// let tls = TlsFiles { cert: "server.pem".into(), key: "server.key".into() };
/// let options = ServerOptions { tls: Some(tls), ..ServerOptions::default() };
/// ```
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate, and those that vouch for it, as PEM.
    pub cert: PathBuf,
    /// Its private key, as PEM.
    pub key: PathBuf,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 5000,
            allowed_hosts: Vec::new(),
            token_file: None,
            insecure_no_token: false,
            tls: None,
            mlflow_ui: None,
            limits: Limits::default(),
        }
    }
}
