//! The log and the metrics: each connection and each request is one line, and is counted.

use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::time::Duration;

use sift_proto::frame::Kind;
use sift_proto::message::Status;
use sift_proto::owner::OwnerName;
use sift_select::{ScanOptions, explain};
use tokio::time::timeout;
use tracing::{debug, info, warn};

use super::account::{RequestAccount, micros};
use crate::access::user::User;
use crate::blocking::blocking;
use crate::channel::{ChannelError, Facts};
use crate::fault::{Fault, Stop};
use crate::metrics::{Ended, Held, Metrics};

/// The maximal length of a name in the log that nobody has verified.
const UNVERIFIED_CHARS_MAX: usize = 100;

/// Returns the start of a name that nobody has verified, for the log.
pub(crate) fn abridged(name: &str) -> String {
    name.chars().take(UNVERIFIED_CHARS_MAX).collect()
}

/// Logs a connection after its Hello. `asked` is the level that the client asks for in the Hello.
/// The connection counts as open until the result is dropped.
pub(crate) fn connected(
    metrics: Option<&Metrics>,
    facts: &Facts,
    user: &User,
    client: &str,
    asked: u32,
) -> Option<Held> {
    let client = abridged(client);
    info!(
        peer = %facts.peer,
        scl = facts.level_met(),
        scl_asked = asked,
        scl_served = facts.level_number(),
        protocol = facts.protocol(),
        cipher = facts.cipher(),
        key_exchange = facts.key_exchange(),
        names = ?List(&facts.peer_names),
        serial = facts.peer_serial,
        user = user.name,
        client,
        "connection"
    );
    metrics.map(|metrics| {
        let (protocol, key_exchange) = (facts.protocol(), facts.key_exchange());
        metrics.connected(facts.level_met(), &protocol, facts.cipher(), key_exchange)
    })
}

/// The names in a certificate, which both forms of the log show as a JSON list.
struct List<'a>(&'a [OwnerName]);

impl fmt::Debug for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        write!(f, "{}", serde_json::Value::from(texts))
    }
}

/// Logs a connection that did not become a channel.
pub(crate) fn refused(metrics: Option<&Metrics>, peer: SocketAddr, error: &ChannelError) {
    if let Some(metrics) = metrics {
        metrics.refused(error.reason());
    }
    let reason = error.to_string();
    match error {
        // probably a monitor that checks whether the port is open
        ChannelError::Silent | ChannelError::Mute(_) => info!(%peer, reason, "connection refused"),
        // there may be thousands in a second, and the door logs that there are many
        ChannelError::GaveWay | ChannelError::Crowded => {
            debug!(%peer, reason, "connection refused");
        }
        _ => warn!(%peer, reason, "connection refused"),
    }
}

/// Logs a channel whose Hello was refused. `user` is the name in the Hello.
pub(crate) fn rejected(metrics: Option<&Metrics>, facts: &Facts, user: &str, stop: &Stop) {
    if let Some(metrics) = metrics {
        metrics.refused(&stop.status().to_ascii_lowercase());
    }
    let peer = facts.peer;
    let user = abridged(user);
    match stop {
        Stop::Fault(fault) => {
            let (status, reason) = (stop.status(), fault.to_string());
            let (names, serial) = (List(&facts.peer_names), &facts.peer_serial[..]);
            warn!(%peer, user, ?names, serial, status, reason, "connection refused");
        }
        Stop::Gone(error) => {
            let reason = error.to_string();
            warn!(%peer, reason, "connection refused");
        }
    }
}

/// Logs a connection whose user may not go on.
pub(crate) fn denied(facts: &Facts, fault: &Fault) {
    let reason = fault.to_string();
    warn!(peer = %facts.peer, reason, "connection ended");
}

/// Logs a connection that the client did not end itself.
pub(crate) fn ended(facts: &Facts, reason: &dyn Display) {
    let reason = reason.to_string();
    debug!(peer = %facts.peer, reason, "connection ended");
}

/// The wait for other requests from which on the log tells it.
const WAIT_MIN: Duration = Duration::from_millis(1);

/// Logs a request and its result.
pub(crate) fn answered(
    metrics: Option<&Metrics>,
    facts: &Facts,
    user: &User,
    kind: Kind,
    account: &RequestAccount,
    elapsed: Duration,
    result: &Result<(), Stop>,
) {
    let status = result.as_ref().map_or_else(Stop::status, |()| "OK");
    let reason = match result {
        Ok(()) => String::new(),
        Err(Stop::Fault(fault)) => fault.to_failure().message,
        Err(Stop::Gone(error)) => error.to_string(),
    };
    let statistics = &account.statistics;
    // a figure that the request does not have is not in the line
    let some = |bytes: u64| (bytes > 0).then_some(bytes);
    let records_selected = statistics.records_scanned.map(|_| statistics.records_selected);
    let bytes_saved = account.bytes_saved(kind).filter(|_| result.is_ok());
    if let Some(metrics) = metrics {
        let bytes_stored = account.bytes_stored(kind);
        let queue_time = account.queue_time;
        metrics.ended(Ended {
            kind,
            status,
            elapsed,
            queue_time,
            statistics,
            bytes_stored,
            bytes_saved,
        });
    }
    info!(
        peer = %facts.peer,
        user = user.name,
        %kind,
        file = account.file,
        status,
        reason,
        records_scanned = statistics.records_scanned,
        records_selected,
        file_bytes = statistics.file_bytes,
        bytes_scanned = statistics.bytes_scanned,
        arrow_bytes = some(statistics.arrow_bytes),
        narrow_bytes = some(statistics.narrow_bytes),
        bytes_sent = statistics.bytes_sent,
        bytes_saved,
        queue_micros = (account.queue_time >= WAIT_MIN).then(|| micros(account.queue_time)),
        plan_micros = statistics.plan_micros,
        scan_micros = statistics.scan_micros,
        send_micros = statistics.send_micros,
        total_micros = micros(elapsed),
        "request"
    );
    if account.records_undecided > 0 {
        warn!(
            file = account.file,
            records = account.records_undecided,
            "the row filter of a grant has no value for some records, which are not shown"
        );
    }
    if let Err(Stop::Fault(Fault::Select(error))) = result
        && let Some(withheld) = error.withheld()
    {
        warn!(file = account.file, reason = withheld, "withheld from the user");
    }
    if let Err(Stop::Fault(fault)) = result
        && fault.status() == Status::Internal
        && !matches!(fault, Fault::Unaudited)
    {
        let fault = fault.to_string();
        tracing::error!(%kind, fault, "internal error");
    }
}

/// The time for the plan of a slow Select. Its file may be on a disk that does not answer.
const PLAN_TIME_MAX: Duration = Duration::from_secs(1);

/// Logs the text and the plan of a Select that took long.
pub(crate) async fn slow(facts: &Facts, user: &User, account: &RequestAccount, elapsed: Duration) {
    let (text, plan) = account.asked.text_and_plan();
    if text.is_empty() {
        return;
    }
    let plan = plan.cloned().map(|plan| {
        blocking(move || explain(&plan, &ScanOptions::default()).map_err(Fault::Select))
    });
    let plan = match plan {
        None => "none: planning did not come to its end".to_owned(),
        Some(explained) => match timeout(PLAN_TIME_MAX, explained).await {
            Ok(Ok(plan)) => plan,
            Ok(Err(fault)) => format!("none: {fault}"),
            Err(_elapsed) => "none: the files do not answer in time".to_owned(),
        },
    };
    let seconds = elapsed.as_secs_f64();
    warn!(peer = %facts.peer, user = user.name, seconds, text, plan, "slow Select");
}
