//! The signals that end the server.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::warn;

/// Ready at the first SIGINT or SIGTERM; the second ends the process at once.
///
/// # Errors
/// The operating system's, if it does not let the signals be caught.
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

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => (),
        _ = terminate.recv() => (),
    }
}
