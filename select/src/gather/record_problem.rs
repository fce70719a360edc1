//! A record that has no values.

use sift_files::record::RecordFault;

use crate::ErrorKind;

/// A record that has no values, and the reason.
#[derive(Debug)]
pub(crate) struct RecordProblem {
    pub(crate) kind: ErrorKind,
    pub(crate) fault: RecordFault,
}
