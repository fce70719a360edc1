//! A record that has no values.

use std::fmt;

use sift_files::Problem as FileProblem;
use sift_files::record::RecordFault;

use crate::expr::problem::Problem;

/// A record that has no values, and the reason.
#[derive(Debug)]
pub(crate) struct RecordProblem {
    pub(crate) fault: RecordFault<Reason>,
}

/// The reason why a record has no value.
#[derive(Clone, Debug)]
pub(crate) enum Reason {
    /// It does not decode.
    Record(FileProblem),
    /// An expression has no value for it.
    Computation { problem: Problem, expr: String },
}

impl RecordProblem {
    /// Takes a record that does not decode.
    pub(crate) fn record(fault: RecordFault) -> Self {
        Self { fault: fault.map(Reason::Record) }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(problem) => problem.fmt(f),
            Self::Computation { problem, expr } => write!(f, "{} in `{expr}`", problem.0),
        }
    }
}
