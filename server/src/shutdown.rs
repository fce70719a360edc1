//! The signal by which a server tells its tasks to end.

use tokio::sync::watch;

/// Begins the shutdown; dropping it does the same.
#[derive(Debug)]
pub(crate) struct Trigger(watch::Sender<bool>);

/// A task's view of the shutdown. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Shutdown(watch::Receiver<bool>);

/// Makes a shutdown that has not begun.
pub(crate) fn shutdown() -> (Trigger, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (Trigger(sender), Shutdown(receiver))
}

impl Trigger {
    /// Tells all tasks that have a [`Shutdown`] to end.
    pub(crate) fn begin(&self) {
        // it fails if no task is left
        let _ = self.0.send(true);
    }
}

impl Shutdown {
    /// Waits for the shutdown. Dropping the future loses nothing.
    pub(crate) async fn begun(&mut self) {
        // an error means that the trigger was dropped
        let _ = self.0.wait_for(|has_begun| *has_begun).await;
    }

    /// Returns whether the shutdown has begun.
    pub(crate) fn has_begun(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_shutdown_begins_by_its_trigger_or_with_its_end() {
        let (trigger, mut told) = shutdown();
        assert!(!told.has_begun());
        trigger.begin();
        assert!(told.has_begun());
        told.begun().await;

        let (trigger, mut told) = shutdown();
        drop(trigger);
        assert!(told.has_begun());
        told.begun().await;
    }
}
