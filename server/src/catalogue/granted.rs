//! The grant of a file, and the faults of a file that the user may see only in part.

use std::sync::Arc;

use sift_select::ErrorKind;

use super::FileName;
use crate::access::grant::{Caller, Grant};
use crate::fault::Fault;

/// Returns the caller's grant for a file.
///
/// # Errors
/// `UnknownFile` without a grant, even if there is such a file.
pub(super) fn granted(caller: &Caller, file: &FileName) -> Result<Arc<Grant>, Fault> {
    caller.grant(file.as_str()).ok_or_else(|| Fault::UnknownFile(file.to_string()))
}

/// Replaces the fault of a file that does not open if the user may see only parts of the file: the
/// reason may quote the other parts, so it goes to the log.
pub(super) fn withheld(grant: &Grant, name: &FileName, fault: Fault) -> Fault {
    match fault {
        // nobody waits for cancelled work, and work that would block is done again
        Fault::Select(error)
            if matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::WouldBlock) =>
        {
            Fault::Select(error)
        }
        Fault::Select(_) | Fault::Descriptor(..) | Fault::Withheld { .. } if !grant.is_whole() => {
            let (file, reason) = (name.as_str(), fault.to_string());
            tracing::error!(file, reason, "a file does not open under a grant");
            Fault::Ungranted(name.to_string())
        }
        fault => fault,
    }
}
