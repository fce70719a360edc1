//! The port for monitors, in the clear: the metrics for Prometheus at `/metrics`, and whether the
//! server lives (`/live`) and takes requests (`/ready`).

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::warn;

use crate::error::Error;
use crate::metrics::{Metrics, Now};
use crate::open_files::Explained;
use crate::shared::Shared;
use crate::shutdown::Shutdown;

/// The most monitors that are answered at once. Others wait.
const CONNECTIONS_MAX: usize = 16;

/// The time for one request and its answer. A connection ends after it.
const TIME_MAX: Duration = Duration::from_secs(5);

/// The wait after a failure to accept.
const BACK_OFF: Duration = Duration::from_millis(100);

/// A port for monitors.
#[derive(Debug)]
pub struct Monitor {
    tcp: TcpListener,
    address: SocketAddr,
    pub(crate) metrics: Arc<Metrics>,
}

impl Monitor {
    /// Listens for monitors. Port 0 means any free port.
    ///
    /// # Errors
    /// `Listen`, `Metrics`.
    pub async fn bind(address: SocketAddr) -> Result<Self, Error> {
        let listen = |source| Error::Listen { address, source };
        let tcp = TcpListener::bind(address).await.map_err(listen)?;
        let address = tcp.local_addr().map_err(listen)?;
        let metrics = Metrics::new().map_err(|error| Error::Metrics(error.to_string()))?;
        Ok(Self { tcp, address, metrics: Arc::new(metrics) })
    }

    /// Returns the address, with the actual port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The state of the server that monitors see.
#[derive(Debug)]
struct Observed {
    metrics: Arc<Metrics>,
    shared: Arc<Shared>,
    shutdown: Shutdown,
}

/// Answers monitors until the future is dropped.
pub(crate) async fn answer_all(monitor: Monitor, shared: Arc<Shared>, shutdown: Shutdown) {
    let Monitor { tcp, metrics, .. } = monitor;
    let observed = Arc::new(Observed { metrics, shared, shutdown });
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
        // the results of those that have ended
        while connections.try_join_next().is_some() {}
        match tcp.accept().await {
            Ok((stream, _)) => {
                let observed = Arc::clone(&observed);
                connections.spawn(async move {
                    // a monitor that is slow or gone is not answered
                    let _ = timeout(TIME_MAX, answer_one(stream, &observed)).await;
                    drop(permit);
                });
            }
            Err(error) => {
                warn!(error = %Explained(&error), "cannot accept a monitor");
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}

async fn answer_one(stream: TcpStream, observed: &Observed) -> hyper::Result<()> {
    let answer = service_fn(|request: Request<Incoming>| async move {
        Ok::<_, Infallible>(observed.answer(request.method(), request.uri().path()))
    });
    http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), answer).await
}

impl Observed {
    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if !matches!(path, "/metrics" | "/live" | "/ready") {
            return text(StatusCode::NOT_FOUND, "there are /metrics, /live and /ready\n");
        }
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match path {
            "/metrics" => self.metrics(),
            "/ready" if self.shutdown.has_begun() => {
                text(StatusCode::SERVICE_UNAVAILABLE, "shutting down\n")
            }
            _ => text(StatusCode::OK, "ok\n"),
        }
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        let now = Now {
            query_bytes: self.shared.rules().memory_bytes(),
            answer_bytes: self.shared.answer_bytes(),
            pool: self.shared.pool.jobs(),
            certificate_ends: self.shared.certificate_ends(),
        };
        match self.metrics.text(now) {
            Ok(metrics) => text(StatusCode::OK, metrics),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        }
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    // with the version of Prometheus' text format
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}
