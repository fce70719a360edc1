//! Tells systemd the state of the server, by the protocol of sd_notify(3): a datagram with lines
//! `NAME=VALUE` to the socket that NOTIFY_SOCKET names. Without the variable nothing is told.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use sift_server::Watchdog;
use tracing::{error, warn};

/// The number of checks in the time after which systemd ends a service that says nothing. A server
/// that does not move in one of them may move in the next.
const CHECKS: u32 = 4;

/// The socket of systemd, if there is one. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Systemd(Option<Arc<(UnixDatagram, SocketAddr)>>);

impl Systemd {
    /// Opens the socket that the environment names. A socket that cannot be used is logged.
    pub(super) fn from_environment() -> Self {
        let Some(name) = env::var_os("NOTIFY_SOCKET") else { return Self(None) };
        let opened = open(&name);
        let opened = opened.inspect_err(|error| warn!(%error, socket = ?name, "NOTIFY_SOCKET"));
        Self(opened.ok().map(Arc::new))
    }

    /// Tells that the server takes connections.
    pub(super) fn ready(&self) {
        self.tell("READY=1");
    }

    /// Tells that a reload begins. [`ready`](Self::ready) tells that it has ended.
    pub(super) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// Tells that the shutdown begins.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// Tells from now on that the server moves, if systemd wants to know.
    pub(super) fn watch(&self, mut server: Watchdog) {
        let Some(period) = watchdog_period() else { return };
        let systemd = self.clone();
        tokio::spawn(async move {
            let mut checks = tokio::time::interval(period / CHECKS);
            loop {
                checks.tick().await;
                match server.check() {
                    Ok(()) => systemd.tell("WATCHDOG=1"),
                    Err(stalled) => error!(reason = %stalled, "the server does not move"),
                }
            }
        });
    }

    fn tell(&self, state: &str) {
        let Some((socket, address)) = self.0.as_deref() else { return };
        if let Err(error) = socket.send_to_addr(state.as_bytes(), address) {
            warn!(%error, state, "systemd cannot be told");
        }
    }
}

fn open(name: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    // no thread waits for systemd
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

/// Returns the time after which systemd ends this process if it hears nothing.
fn watchdog_period() -> Option<Duration> {
    let (micros, process) = (env::var_os("WATCHDOG_USEC"), env::var_os("WATCHDOG_PID"));
    period_of(micros, process, process::id())
}

/// Returns the period if it is one, and if it is for the process `own`.
fn period_of(micros: Option<OsString>, process: Option<OsString>, own: u32) -> Option<Duration> {
    let is_other = process.is_some_and(|process| process != *own.to_string());
    let micros: u64 = micros?.to_str()?.parse().ok()?;
    let period = Duration::from_micros(micros);
    // a check takes some time itself
    (!is_other && period >= Duration::from_millis(1)).then_some(period)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(micros: &str, process: Option<&str>) -> Option<Duration> {
        period_of(Some(micros.into()), process.map(Into::into), 7)
    }

    #[test]
    fn a_period_is_a_number_for_this_process() {
        let minute = Some(Duration::from_secs(60));
        assert_eq!(period("60000000", None), minute);
        assert_eq!(period("60000000", Some("7")), minute);
        assert_eq!(period("60000000", Some("8")), None);
        for wrong in ["", "0", "x", "-1", "99999999999999999999"] {
            assert_eq!(period(wrong, None), None, "{wrong}");
        }
        assert_eq!(period_of(None, None, 7), None);
    }

    #[test]
    fn sockets_have_paths_or_abstract_names() {
        let abstract_name = format!("sift-test-{}", process::id());
        let address = SocketAddr::from_abstract_name(&abstract_name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        let (socket, address) = open(format!("@{abstract_name}").as_ref()).unwrap();
        Systemd(Some(Arc::new((socket, address)))).reloading();
        let mut bytes = [0; 100];
        let length = manager.recv(&mut bytes).unwrap();
        let text = str::from_utf8(&bytes[..length]).unwrap();
        let micros = text.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(micros.parse::<u64>().is_ok(), "{text}");
        assert!(open("x".repeat(200).as_ref()).is_err());
    }
}
