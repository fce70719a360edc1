//! The signals that end the server, and the one that has it read its configuration again.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::warn;

use super::reload::Running;
use super::systemd::Systemd;

/// Returns a future that is ready at the first SIGINT or SIGTERM. The second signal ends the
/// process at once.
///
/// # Errors
/// An error of the operating system, if it does not let the signals be caught.
pub(super) fn shutdown() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        either(&mut interrupt, &mut terminate).await;
        tokio::spawn(async move {
            either(&mut interrupt, &mut terminate).await;
            warn!("second signal: answers under way are cut off");
            std::process::exit(2);
        });
    })
}

/// Catches SIGHUP, which no longer ends the process after that.
///
/// # Errors
/// An error of the operating system, if it does not let the signal be caught.
pub(super) fn hangup() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Reloads at each SIGHUP.
pub(super) fn reload_at(mut hangup: Signal, running: Running, systemd: Systemd) {
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            // it reads files, and opening a key with a passphrase takes time
            systemd.reloading();
            tokio::task::block_in_place(|| running.reload());
            systemd.ready();
        }
    });
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => (),
        _ = terminate.recv() => (),
    }
}
