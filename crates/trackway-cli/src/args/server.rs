//! Arguments of `server` and `ui`.

use clap::{Args, ValueHint};
use std::path::PathBuf;

const SERVER_HELP: &str = "\
Examples:
  trackway server
      then, elsewhere: MLFLOW_TRACKING_URI=http://127.0.0.1:5000 python train.py
  trackway server --host 0.0.0.0 --token-file token --tls-cert cert.pem --tls-key key.pem
      for others too; clients set MLFLOW_TRACKING_TOKEN
  head -c 24 /dev/urandom | base64 > token
      makes a token

The store is created when it is missing. SIGINT and SIGTERM stop the server when
it has answered what it was asked; runs that are being logged to go on later.";

/// Arguments of `server` and `ui`.
#[derive(Clone, Debug, Args)]
#[command(after_help = SERVER_HELP)]
pub struct ServerArgs {
    /// Address to listen on; beyond this machine only with --token-file
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub host: String,
    /// Port to listen on; 0 for any that is free
    #[arg(long, default_value_t = 5000)]
    pub port: u16,
    /// File with a token that clients have to show, as MLFLOW_TRACKING_TOKEN, and browsers once
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub token_file: Option<PathBuf>,
    /// Listen beyond this machine without a token: everybody who can reach it reads and changes the store
    #[arg(long)]
    pub insecure_no_token: bool,
    /// Further names by which browsers and clients call this server, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub allowed_hosts: Vec<String>,
    /// Speak HTTPS with this certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key", value_hint = ValueHint::FilePath)]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert", value_hint = ValueHint::FilePath)]
    pub tls_key: Option<PathBuf>,
    /// Serve MLflow's own pages under /mlflow/, from this folder of an installed mlflow package
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub mlflow_ui: Option<PathBuf>,
    /// Say more of what happens; twice for each connection
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}
