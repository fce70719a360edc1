//! The grant of a file, and the faults of its contents, made from what the caller may know of them.

use std::sync::Arc;

use sift_select::ErrorKind;

use super::FileName;
use crate::access::grant::{Caller, Grant};
use crate::access::protect::Protected;
use crate::access::transport::Transport;
use crate::fault::Fault;

/// Returns the caller's grant for a file.
///
/// # Errors
/// `UnknownFile` without a grant, even if there is such a file.
pub(super) fn granted(caller: &Caller, file: &FileName) -> Result<Arc<Grant>, Fault> {
    caller.grant(file.as_str()).ok_or_else(|| Fault::UnknownFile(file.to_string()))
}

/// The part of a file's faults that a caller may know, for the file or the pattern `name`.
#[derive(Clone, Copy)]
pub(super) struct Disclosure<'a> {
    name: &'a str,
    grant: &'a Grant,
    /// True if some columns may not be sent on the caller's channel. A fault quotes bytes of the
    /// file, and after a missing header, quote or terminator they may be of any column.
    withholds: bool,
}

impl<'a> Disclosure<'a> {
    /// Returns the disclosure for `name`, which has the protection of all `files`.
    pub(super) fn new(
        name: &'a str,
        grant: &'a Grant,
        files: &[Protected],
        transport: Transport,
    ) -> Self {
        let withholds = files.iter().any(|file| file.withholds(transport));
        Self { name, grant, withholds }
    }

    /// Returns the fault of a file that does not open.
    pub(super) fn fault(self, error: sift_select::Error) -> Fault {
        let fault = match error.kind() {
            // nobody waits for cancelled work, and work that would block is done again
            ErrorKind::Cancelled | ErrorKind::WouldBlock => return Fault::Select(error),
            kind @ (ErrorKind::Record | ErrorKind::Descriptor) if self.withholds => {
                Fault::Withheld { name: self.name.to_owned(), kind }
            }
            _ => Fault::Select(error),
        };
        told(self.name, self.grant, fault)
    }
}

/// Returns the fault of a file that does not open, for the user of a grant. If he may see only
/// a part of the file, the reason may quote the rest, so it goes to the log.
pub(super) fn told(file: &str, grant: &Grant, fault: Fault) -> Fault {
    if grant.is_whole() {
        return fault;
    }
    let reason = fault.to_string();
    tracing::error!(file, reason, "a file does not open under a grant");
    Fault::Ungranted(file.to_owned())
}
