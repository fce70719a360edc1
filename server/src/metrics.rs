//! The metrics of a server, by the [conventions of Prometheus]. No label has the name of a user or
//! of a file.
//!
//! [conventions of Prometheus]: https://prometheus.io/docs/practices/naming/

use std::net::SocketAddr;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    CounterVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, Result, TextEncoder,
};
use sift_proto::frame::Kind;
use sift_proto::message::Statistics;

use crate::pool::LaneJobs;

/// The upper bounds of the seconds that requests and handshakes take.
const SECONDS: [f64; 9] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0, 600.0];

/// The metrics of a server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    connections: IntGauge,
    pending: IntGauge,
    handshake_seconds: Histogram,
    channels: IntCounterVec,
    refused: IntCounterVec,
    active: IntGauge,
    requests: IntCounterVec,
    seconds: HistogramVec,
    phases: CounterVec,
    scanned_records: IntCounter,
    selected_records: IntCounter,
    file_bytes: IntCounter,
    scanned_bytes: IntCounter,
    arrow_bytes: IntCounter,
    narrow_bytes: IntCounter,
    encrypted_bytes: IntCounter,
    saved_bytes: IntGauge,
    memory_bytes: IntGaugeVec,
    pool_jobs: IntGaugeVec,
    queued: IntGauge,
    certificate_end: IntGaugeVec,
}

/// A request that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended<'a> {
    pub(crate) kind: Kind,
    pub(crate) status: &'a str,
    pub(crate) elapsed: Duration,
    /// The wait for other requests of the user.
    pub(crate) queue_time: Duration,
    pub(crate) statistics: &'a Statistics,
    /// The bytes that are stored in the file, or in its fetched part.
    pub(crate) bytes_stored: Option<u64>,
    /// The bytes of a complete answer that were saved.
    pub(crate) bytes_saved: Option<i64>,
}

/// The values that are asked for when somebody reads the metrics.
#[derive(Debug)]
pub(crate) struct Now {
    /// The memory for groups and sorted records.
    pub(crate) query_bytes: usize,
    /// The memory of answers that wait to be sent.
    pub(crate) answer_bytes: usize,
    pub(crate) pool: [LaneJobs; 2],
    /// For each encrypted listener the first end of its certificates, in Unix time.
    pub(crate) certificate_ends: Vec<(SocketAddr, i64)>,
}

/// Counts one more in a gauge until it is dropped.
#[derive(Debug)]
pub(crate) struct Held(IntGauge);

impl Held {
    fn of(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// # Errors
    /// The state of the process cannot be read, or a name is not valid.
    pub(crate) fn new() -> Result<Self> {
        let to = Registrar(Registry::new());
        to.0.register(Box::new(ProcessCollector::for_self()))?;
        let build = Opts::new("sift_build_info", "The version of the server; the value is 1.")
            .const_label("version", env!("CARGO_PKG_VERSION"))
            .const_label("revision", env!("SIFT_REVISION"));
        to.with(IntGauge::with_opts(build)?)?.set(1);
        let seconds = HistogramOpts::new(
            "sift_request_seconds",
            "Seconds from a request to the end of its answer, by the kind of the request.",
        );
        Ok(Self {
            connections: to.gauge("sift_connections", "Connections that are open, after Hello.")?,
            pending: to.gauge(
                "sift_connections_pending",
                "Connections that are open, before the answer to their Hello.",
            )?,
            handshake_seconds: to.with(Histogram::with_opts(
                HistogramOpts::new(
                    "sift_handshake_seconds",
                    "Seconds from a connection to the answer to its Hello, if it is let in.",
                )
                .buckets(SECONDS.to_vec()),
            )?)?,
            channels: to.counters(
                "sift_channels_total",
                "Connections after Hello, by what their channel is.",
                &["level", "protocol", "cipher", "key_exchange"],
            )?,
            refused: to.counters(
                "sift_connections_refused_total",
                "Connections that ended before or with their Hello, by the reason.",
                &["reason"],
            )?,
            active: to.gauge("sift_requests_active", "Requests that are being answered.")?,
            requests: to.counters(
                "sift_requests_total",
                "Requests that have ended, by their kind and status.",
                &["kind", "status"],
            )?,
            seconds: to.with(HistogramVec::new(seconds.buckets(SECONDS.to_vec()), &["kind"])?)?,
            phases: to.with(CounterVec::new(
                Opts::new(
                    "sift_phase_seconds_total",
                    "Seconds of the phases of requests: queue, the wait for others of the user; plan; \
                     scan (of all threads together); and send, the wait for clients.",
                ),
                &["phase"],
            )?)?,
            scanned_records: to.counter("sift_scanned_records_total", "Records looked at.")?,
            selected_records: to.counter("sift_selected_records_total", "Records selected.")?,
            file_bytes: to.counter(
                "sift_file_bytes_total",
                "Bytes stored in the files that Selects were about, and in fetched parts of files.",
            )?,
            scanned_bytes: to.counter("sift_scanned_bytes_total", "Bytes read of files.")?,
            arrow_bytes: to.counter("sift_arrow_bytes_total", "Bytes of records in memory.")?,
            narrow_bytes: to
                .counter("sift_narrow_bytes_total", "Bytes of answers before compression.")?,
            encrypted_bytes: to
                .counter("sift_encrypted_bytes_total", "Bytes of answers as they were sent.")?,
            saved_bytes: to.gauge(
                "sift_saved_bytes",
                "Bytes that are stored less those that were sent, of all complete answers. It falls \
                 with an answer that is larger than its file.",
            )?,
            memory_bytes: to.gauges(
                "sift_memory_bytes",
                "Memory of all Selects: query is for groups and sorted records, answer for records \
                 that wait to be sent.",
                "purpose",
            )?,
            pool_jobs: to.with(IntGaugeVec::new(
                Opts::new("sift_pool_jobs", "Jobs of Selects, by their lane and state."),
                &["lane", "state"],
            )?)?,
            queued: to.gauge(
                "sift_requests_queued",
                "Requests that wait until others of their user have ended.",
            )?,
            certificate_end: to.gauges(
                "sift_certificate_end_timestamp_seconds",
                "The time at which the first certificate of a listener's chain ends.",
                "listener",
            )?,
            registry: to.0,
        })
    }

    /// Counts a connection after its Hello. It is open until the result is dropped.
    pub(crate) fn connected(
        &self,
        level: u8,
        protocol: &str,
        cipher: &str,
        key_exchange: &str,
    ) -> Held {
        // the first word is the name of the suite
        let suite = cipher.split(' ').next().unwrap_or_default();
        let level = level.to_string();
        self.channels.with_label_values(&[&level, protocol, suite, key_exchange]).inc();
        Held::of(&self.connections)
    }

    /// Counts a connection that waits for the answer to its Hello until the result is dropped.
    pub(crate) fn pending(&self) -> Held {
        Held::of(&self.pending)
    }

    /// Counts the time of a connection from its begin to the answer to its Hello.
    pub(crate) fn let_in(&self, elapsed: Duration) {
        self.handshake_seconds.observe(elapsed.as_secs_f64());
    }

    pub(crate) fn refused(&self, reason: &str) {
        self.refused.with_label_values(&[reason]).inc();
    }

    /// Counts a request that is being answered until the result is dropped.
    pub(crate) fn begun(&self) -> Held {
        Held::of(&self.active)
    }

    /// Counts a request that waits for others until the result is dropped.
    pub(crate) fn queued(&self) -> Held {
        Held::of(&self.queued)
    }

    pub(crate) fn ended(&self, request: Ended<'_>) {
        let Ended { kind, status, elapsed, queue_time, statistics, bytes_stored, bytes_saved } =
            request;
        let kind = kind.to_string();
        self.requests.with_label_values(&[&kind, status]).inc();
        self.seconds.with_label_values(&[&kind]).observe(elapsed.as_secs_f64());
        let phases = [
            ("queue", Some(u64::try_from(queue_time.as_micros()).unwrap_or(u64::MAX))),
            ("plan", statistics.plan_micros),
            ("scan", statistics.scan_micros),
            ("send", Some(statistics.send_micros)),
        ];
        for (phase, micros) in phases {
            let time = Duration::from_micros(micros.unwrap_or(0));
            self.phases.with_label_values(&[phase]).inc_by(time.as_secs_f64());
        }
        self.scanned_records.inc_by(statistics.records_scanned.unwrap_or(0));
        self.selected_records.inc_by(statistics.records_selected);
        self.file_bytes.inc_by(bytes_stored.unwrap_or(0));
        self.scanned_bytes.inc_by(statistics.bytes_scanned.unwrap_or(0));
        self.arrow_bytes.inc_by(statistics.arrow_bytes);
        self.narrow_bytes.inc_by(statistics.narrow_bytes);
        self.encrypted_bytes.inc_by(statistics.bytes_sent);
        self.saved_bytes.add(bytes_saved.unwrap_or(0));
    }

    /// Returns all metrics in the text format of Prometheus.
    ///
    /// # Errors
    /// The state of the process cannot be read.
    pub(crate) fn text(&self, now: Now) -> Result<String> {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        for (purpose, bytes) in [("query", now.query_bytes), ("answer", now.answer_bytes)] {
            self.memory_bytes.with_label_values(&[purpose]).set(gauge(bytes));
        }
        for LaneJobs { lane, waiting, running } in now.pool {
            self.pool_jobs.with_label_values(&[lane, "waiting"]).set(gauge(waiting));
            self.pool_jobs.with_label_values(&[lane, "running"]).set(gauge(running));
        }
        // a listener may have been closed
        self.certificate_end.reset();
        for (listener, end) in now.certificate_ends {
            self.certificate_end.with_label_values(&[&listener.to_string()]).set(end);
        }
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// Makes metrics and registers them.
struct Registrar(Registry);

impl Registrar {
    fn with<C: Collector + Clone + 'static>(&self, metric: C) -> Result<C> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge> {
        self.with(IntGauge::new(name, help)?)
    }

    fn gauges(&self, name: &str, help: &str, label: &str) -> Result<IntGaugeVec> {
        self.with(IntGaugeVec::new(Opts::new(name, help), &[label])?)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter> {
        self.with(IntCounter::new(name, help)?)
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec> {
        self.with(IntCounterVec::new(Opts::new(name, help), labels)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Returns the names in the text of a server that has seen something of every kind.
    fn names() -> HashSet<String> {
        let metrics = Metrics::new().unwrap();
        let _connected = metrics.connected(5, "TLSv1.3", "TLS_AES_256_GCM_SHA384", "X25519");
        let (_begun, _queued) = (metrics.begun(), metrics.queued());
        metrics.refused("silent");
        metrics.ended(Ended {
            kind: Kind::Select,
            status: "OK",
            elapsed: Duration::from_millis(1),
            queue_time: Duration::ZERO,
            statistics: &Statistics::default(),
            bytes_stored: None,
            bytes_saved: None,
        });
        let listener = SocketAddr::from(([127, 0, 0, 1], 7330));
        let pool = ["short", "long"].map(|lane| LaneJobs { lane, waiting: 0, running: 0 });
        let certificate_ends = vec![(listener, 0)];
        let now = Now { query_bytes: 0, answer_bytes: 0, pool, certificate_ends };
        let text = metrics.text(now).unwrap();
        let values = text.lines().filter(|line| !line.starts_with('#'));
        values.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
    }

    #[test]
    fn dashboard_and_alerts_name_metrics_that_exist() {
        let names = names();
        let documents = [
            include_str!("../../packaging/grafana/sift.json"),
            include_str!("../../packaging/prometheus/alerts.yml"),
        ];
        for document in documents {
            let words = document.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let used: Vec<_> = words
                .filter(|word| word.starts_with("sift_") || word.starts_with("process_"))
                .collect();
            assert!(used.len() > 5);
            for name in used {
                assert!(names.contains(name), "there is no metric {name}");
            }
        }
    }
}
