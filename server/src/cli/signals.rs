//! The signals that end the server, and the one that has it read its configuration again.

use std::io;

use sift_server::ControlOrder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
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

/// Reloads at each SIGHUP, and at each order through the control socket. One reload follows the
/// other.
pub(super) fn reload_at(
    mut hangup: Signal,
    mut orders: Option<mpsc::Receiver<ControlOrder>>,
    mut running: Running,
    systemd: Systemd,
) {
    tokio::spawn(async move {
        loop {
            let order = async {
                match &mut orders {
                    Some(orders) => orders.recv().await,
                    None => None,
                }
            };
            tokio::select! {
                Some(order) = order => match order {
                    ControlOrder::Reload(answer) => {
                        systemd.reloading();
                        let outcome = running.reload().await.map_err(|error| error.to_string());
                        systemd.ready();
                        // who has asked may have gone
                        let _ = answer.send(outcome);
                    }
                    ControlOrder::Settings(answer) => {
                        let _ = answer.send(running.report());
                    }
                },
                Some(()) = hangup.recv() => {
                    // the log tells the outcome
                    systemd.reloading();
                    let _ = running.reload().await;
                    systemd.ready();
                }
                else => break,
            }
        }
    });
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => (),
        _ = terminate.recv() => (),
    }
}
