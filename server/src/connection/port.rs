//! The requirements of a listener, as they were when a client connected.

use crate::access::Admission;
use crate::channel::Security;
use crate::config::{ListenerHandle, Terms};

/// The requirements of a listener for its clients.
#[derive(Clone, Debug)]
pub(crate) struct Port {
    pub(super) security: Security,
    pub(super) admission: Admission,
    listener: ListenerHandle,
}

impl Port {
    /// Returns the requirements of this moment. `admission` is for a listener that sets none.
    pub(crate) fn of(listener: &ListenerHandle, admission: &Admission) -> Self {
        let Terms { security, admission: own } = listener.terms();
        let admission = own.unwrap_or_else(|| admission.clone());
        Self { security, admission, listener: listener.clone() }
    }

    /// Returns whether everybody is still the user that everybody was.
    pub(super) fn admits_everybody_still(&self) -> bool {
        let now = self.listener.terms().admission;
        self.admission == Admission::LogIn || now.is_none_or(|now| now == self.admission)
    }
}
