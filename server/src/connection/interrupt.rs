//! What the client may say while its answer is under way.
//!
//! An answer cannot be dropped in the middle of a frame if the client is to understand what
//! follows. So it is told, and ends itself at the next border of a frame.

use std::sync::OnceLock;

use sift_proto::frame::{Frame, FrameError, Kind};
use tokio::sync::Notify;

use crate::fault::Fault;

/// Raised at most once in an answer.
#[derive(Debug, Default)]
pub(crate) struct Interrupt {
    reason: OnceLock<Reason>,
    raised: Notify,
}

#[derive(Clone, Copy, Debug)]
enum Reason {
    Cancelled,
    Unexpected(Kind),
    Broken(FrameError),
}

impl Interrupt {
    /// Takes what came from the client.
    pub(crate) fn raise(&self, heard: Result<Frame, FrameError>) {
        let reason = match heard {
            Ok(frame) if frame.kind == Kind::Cancel => Reason::Cancelled,
            Ok(frame) => Reason::Unexpected(frame.kind),
            Err(error) => Reason::Broken(error),
        };
        // nothing is heard after the first
        let _ = self.reason.set(reason);
        self.raised.notify_one();
    }

    /// The answer's question between two frames.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        self.reason.get().map_or(Ok(()), |reason| Err(reason.fault()))
    }

    /// Waits for `work` or for an interruption.
    pub(crate) async fn or<T>(
        &self,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        self.check()?;
        tokio::select! {
            done = work => done,
            () = self.raised.notified() => {
                // the notification is consumed, the reason stays
                Err(self.reason.get().map_or(Fault::Cancelled, |reason| reason.fault()))
            }
        }
    }
}

impl Reason {
    fn fault(self) -> Fault {
        match self {
            Self::Cancelled => Fault::Cancelled,
            Self::Unexpected(kind) => Fault::WhileAnswering(kind),
            Self::Broken(error) => Fault::Frame(error),
        }
    }
}
