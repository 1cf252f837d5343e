//! Listening, accepting, and stopping without cutting answers short.

use crate::compress::compressed;
use crate::error::{Error, Result};
use crate::guard::Guard;
use crate::limits::Limits;
use crate::mlflow;
use crate::options::ServerOptions;
use crate::state::App;
use crate::tls;
use crate::token::Token;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::fmt;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use trackway::Store;

/// Threads that serve connections, and those that may wait for the engine, of which there are as many as are busy.
const ASYNC_THREADS: usize = 2;
const BLOCKING_THREADS: usize = 64;

/// Connections at a time; who comes later waits to be accepted.
const CONNECTIONS: usize = 1024;

/// How long a run is not logged to before its writer is left, and how often that is looked for.
const IDLE: Duration = Duration::from_secs(600);
const LOOK_FOR_IDLE: Duration = Duration::from_secs(60);

/// Largest head of a request, in bytes: search_runs sends long filters in bodies, get-history-bulk 100 run ids in its path.
const HEAD_BYTES: usize = 64 << 10;

/// How long requests that are being answered may take when the server stops.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// A server that has its address.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// use trackway_server::{Server, ServerOptions};
///
/// let store = trackway::Store::open(dir.path()).unwrap();
/// let server = Server::bind(store, ServerOptions { port: 0, ..ServerOptions::default() })?;
/// let (addr, stopper) = (server.addr(), server.stopper());
/// let thread = std::thread::spawn(move || server.run());
/// println!("MLFLOW_TRACKING_URI=http://{addr}");
/// stopper.stop();
/// thread.join().unwrap()?;
/// # Ok::<(), trackway_server::Error>(())
/// ```
pub struct Server {
    listener: TcpListener,
    addr: SocketAddr,
    app: Arc<App>,
    guard: Arc<Guard>,
    tls: Option<TlsAcceptor>,
    /// The folder of MLflow's pages.
    pages: Option<PathBuf>,
    stop: watch::Sender<bool>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("addr", &self.addr).field("guard", &self.guard).finish_non_exhaustive()
    }
}

/// Stops a server from another thread.
///
/// ```
/// # let dir = tempfile::tempdir().unwrap();
/// # use trackway_server::{Server, ServerOptions};
/// # let store = trackway::Store::open(dir.path()).unwrap();
/// let server = Server::bind(store, ServerOptions { port: 0, ..ServerOptions::default() })?;
/// server.stopper().stop();
/// server.run()?; // returns at once
/// # Ok::<(), trackway_server::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Stopper(watch::Sender<bool>);

impl Stopper {
    /// Accepts no more requests; [`Server::run`] returns when those that are being answered are answered, after ten
    /// seconds at the latest.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # use trackway_server::{Server, ServerOptions};
    /// # let store = trackway::Store::open(dir.path()).unwrap();
    /// # let server = Server::bind(store, ServerOptions { port: 0, ..ServerOptions::default() })?;
    /// let stopper = server.stopper();
    /// std::thread::scope(|scope| {
    ///     let running = scope.spawn(|| server.run());
    ///     stopper.stop();
    ///     running.join().unwrap()
    /// })?;
    /// # Ok::<(), trackway_server::Error>(())
    /// ```
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Server {
    /// Takes the address. From now on clients can connect; they are answered when [`Self::run`] is called.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # use trackway_server::{Server, ServerOptions};
    /// # let store = trackway::Store::open(dir.path()).unwrap();
    /// let server = Server::bind(store, ServerOptions { port: 0, ..ServerOptions::default() })?;
    /// assert!(server.addr().ip().is_loopback());
    /// # Ok::<(), trackway_server::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Unprotected`] when others can reach the address and nothing keeps them off; [`Error::File`] when a named
    /// file cannot be used; [`Error::Bind`] when the address is taken or none of this machine's.
    pub fn bind(store: Store, options: ServerOptions) -> Result<Self> {
        let wanted = SocketAddr::new(options.host, options.port);
        if !options.host.is_loopback() && options.token_file.is_none() && !options.insecure_no_token {
            return Err(Error::Unprotected { addr: wanted });
        }
        let token = options.token_file.as_deref().map(Token::read).transpose()?;
        let tls = options.tls.as_ref().map(tls::acceptor).transpose()?;
        let pages = options.mlflow_ui.as_deref().map(|given| {
            mlflow::find_pages(given)
                .ok_or_else(|| Error::file(given, "MLflow's pages are not in it (mlflow-skinny has none)"))
        });
        let pages = pages.transpose()?;
        let guard = Guard::new(options.host, &options.allowed_hosts, token, tls.is_some(), options.limits);
        raise_file_limit();
        let bound = |source| Error::Bind { addr: wanted, source };
        let listener = TcpListener::bind(wanted).map_err(bound)?;
        listener.set_nonblocking(true).map_err(bound)?;
        let addr = listener.local_addr().map_err(bound)?;
        let (app, guard) = (Arc::new(App::new(store, options.limits)), Arc::new(guard));
        Ok(Self { listener, addr, app, guard, tls, pages, stop: watch::Sender::new(false) })
    }

    /// Where it listens, with the port that was chosen.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # use trackway_server::{Server, ServerOptions};
    /// # let store = trackway::Store::open(dir.path()).unwrap();
    /// let server = Server::bind(store, ServerOptions { port: 0, ..ServerOptions::default() })?;
    /// assert_ne!(server.addr().port(), 0);
    /// # Ok::<(), trackway_server::Error>(())
    /// ```
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What stops it.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # use trackway_server::{Server, ServerOptions};
    /// # let store = trackway::Store::open(dir.path()).unwrap();
    /// # let server = Server::bind(store, ServerOptions { port: 0, ..ServerOptions::default() })?;
    /// let stopper = server.stopper(); // for a signal handler
    /// # Ok::<(), trackway_server::Error>(())
    /// ```
    pub fn stopper(&self) -> Stopper {
        Stopper(self.stop.clone())
    }

    /// Serves until it is stopped. Runs that are being logged to stay `RUNNING`: their clients go on when a server is there
    /// again.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # use trackway_server::{Server, ServerOptions};
    /// # let store = trackway::Store::open(dir.path()).unwrap();
    /// # let server = Server::bind(store, ServerOptions { port: 0, ..ServerOptions::default() })?;
    /// # server.stopper().stop();
    /// server.run()?;
    /// # Ok::<(), trackway_server::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Start`] when the system gives no threads.
    pub fn run(self) -> Result<()> {
        let runtime = runtime()?;
        let Self { listener, app, guard, tls, pages, stop, .. } = self;
        let router = crate::router(Arc::clone(&app), guard, pages.as_deref());
        let services = Services {
            elsewhere: TowerToHyperService::new(compressed(router.clone())),
            here: TowerToHyperService::new(router),
        };
        let served = runtime.block_on(async {
            let tidy = tokio::spawn(leave_idle_writers(Arc::clone(&app)));
            let served = serve(listener, services, tls, app.limits, stop.subscribe()).await;
            tidy.abort();
            served
        });
        // What still waits for a client is given up; engine calls end by themselves.
        runtime.shutdown_timeout(STOP_PATIENCE);
        app.writers.leave_all();
        served
    }

    /// From now on SIGINT and SIGTERM, which else end the process at once, stop this server in order: call it before the
    /// address is told to anyone.
    ///
    /// ```no_run
    /// # use trackway_server::{Server, ServerOptions};
    /// let store = trackway::Store::open("trackway")?;
    /// let server = Server::bind(store, ServerOptions::default())?;
    /// server.stop_at_signals()?;
    /// println!("http://{}", server.addr());
    /// server.run()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Start`] when the system gives no thread, or the signals cannot be waited for.
    pub fn stop_at_signals(&self) -> Result<()> {
        let waiting = Builder::new_current_thread().enable_io().build().map_err(Error::Start)?;
        let (mut interrupt, mut terminate) = {
            let _inside = waiting.enter();
            let of = |kind| signal(kind).map_err(Error::Start);
            (of(SignalKind::interrupt())?, of(SignalKind::terminate())?)
        };
        let stopper = self.stopper();
        let wait = move || {
            waiting.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            });
            stopper.stop();
        };
        std::thread::Builder::new().name("trackway-signals".to_owned()).spawn(wait).map_err(Error::Start)?;
        Ok(())
    }
}

fn runtime() -> Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(ASYNC_THREADS).max_blocking_threads(BLOCKING_THREADS).thread_name("trackway-server");
    builder.enable_all().build().map_err(Error::Start)
}

/// A run may be open in some thousands of files with its connections: as many as the system lets this process have.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let known = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: known.maximum, maximum: known.maximum }) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

async fn leave_idle_writers(app: Arc<App>) {
    let mut every = tokio::time::interval(LOOK_FOR_IDLE);
    loop {
        every.tick().await;
        let app = Arc::clone(&app);
        let left = tokio::task::spawn_blocking(move || app.writers.leave_idle(IDLE)).await;
        if let Err(error) = left {
            tracing::error!(%error, "idle writers could not be left");
        }
    }
}

type Service = TowerToHyperService<axum::Router>;

/// The same for clients on this machine and elsewhere, but for how it is sent.
struct Services {
    here: Service,
    elsewhere: Service,
}

impl Services {
    fn of(&self, client: IpAddr) -> Service {
        if client.to_canonical().is_loopback() { self.here.clone() } else { self.elsewhere.clone() }
    }
}

async fn serve(
    listener: TcpListener,
    services: Services,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
) -> Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener).map_err(Error::Start)?;
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(HEAD_BYTES);
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &room) => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Some((stream, client, place)) = accepted else { continue };
        let (http, service, tls, watcher) = (http.clone(), services.of(client), tls.clone(), graceful.watcher());
        tokio::spawn(async move {
            let ended = match tls {
                None => watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await,
                Some(tls) => match timeout(limits.handshake, tls.accept(stream)).await {
                    Ok(Ok(stream)) => watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await,
                    Ok(Err(error)) => return tracing::debug!(%error, "no TLS"),
                    Err(_) => return tracing::debug!("no TLS in time"),
                },
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
    drop(listener);
    tracing::info!("stopping");
    let _ = timeout(STOP_PATIENCE, graceful.shutdown()).await;
    Ok(())
}

/// The next connection, when there is room for one.
async fn accept(
    listener: &tokio::net::TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(tokio::net::TcpStream, IpAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, client)) => {
            // Answers are small and whole: waiting for more of them to send at once only delays them.
            let _ = stream.set_nodelay(true);
            Some((stream, client.ip(), place))
        }
        Err(error) => {
            // Out of file descriptors, or a client that was gone before it was accepted.
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}
