//! The failures of a scan, and the errors that a reader gets for them. An error is made here, from
//! what the view shows. If the view hides something, the rest is only in the details for the log.

use std::fmt;

use crate::gather::record_problem::{Reason, RecordProblem};
use crate::plan::Plan;
use crate::plan::view::View;
use crate::{Error, ErrorKind};
use sift_files::ErrorKind as FileErrorKind;
use sift_files::turns::Origin;

/// The failure that ends an answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A record without values; its index counts the records in the view from the start of the
    /// turn.
    Record(RecordProblem),
    /// A record whose end cannot be found; its index counts as above.
    Delimiting(RecordProblem),
    /// A part of the file that could not be read.
    File(sift_files::Error),
    /// The query exceeded a limit, or its gathered rows could not be kept.
    Query(Error),
}

impl Failure {
    /// Returns the error for the reader of a plan's view. Records count from `origin`.
    pub(crate) fn into_error(self, plan: &Plan, origin: &Origin) -> Error {
        let (view, file) = (plan.view(), plan.source().name_of(origin.file));
        match self {
            Self::Record(problem) => record_error(view, file, problem, origin),
            Self::Delimiting(problem) => delimiting_error(view, file, problem, origin),
            Self::File(error) => file_error(view, file, error),
            Self::Query(error) => error,
        }
    }
}

fn record_error(view: &View, file: &str, problem: RecordProblem, origin: &Origin) -> Error {
    let (fault, records_before) = match &origin.gathered {
        Some(gathered) => (gathered.placed(problem.fault), 0),
        None => (problem.fault, origin.records_before),
    };
    let kind = match fault.problem {
        Reason::Record(_) => ErrorKind::Record,
        Reason::Computation { .. } => ErrorKind::Computation,
    };
    if view.is_whole() {
        return Error::new(kind, fault.to_error(file, records_before).to_string());
    }
    if let (ErrorKind::Record, Some(text)) = (kind, view.fault_text()) {
        return Error::new(kind, text);
    }
    let visible = VisibleRecord {
        file,
        record: records_before + fault.record as u64,
        hides_records: !view.has_all_records(),
        field: fault.field.as_deref(),
        reason: &fault.problem,
    };
    Error::new(kind, visible.to_string())
}

/// It is unknown which record and which columns the bytes of such a record belong to.
fn delimiting_error(view: &View, file: &str, problem: RecordProblem, origin: &Origin) -> Error {
    if let Some(text) = view.fault_text() {
        return Error::new(ErrorKind::Record, text);
    }
    let error = record_error(view, file, problem, origin);
    if view.is_whole() {
        return error;
    }
    let message = format!("{file}: a record cannot be told from the next");
    Error::new(ErrorKind::Record, message).withholding(error)
}

/// Returns the error for the reader of a view if a file, or a part of it, could not be read.
/// Messages about damage contain lengths.
pub(super) fn file_error(view: &View, file: &str, error: sift_files::Error) -> Error {
    if view.is_whole() {
        return error.into();
    }
    match (error.kind(), view.fault_text()) {
        (FileErrorKind::Record(_) | FileErrorKind::Damaged { .. }, text) => match text {
            Some(text) => Error::new(ErrorKind::Record, text),
            None => {
                let message = format!("{file}: a part of the file is damaged");
                Error::new(ErrorKind::Record, message).withholding(error)
            }
        },
        (FileErrorKind::Descriptor { .. }, Some(text)) => Error::new(ErrorKind::Descriptor, text),
        _ => error.into(),
    }
}

/// A record that has no value, for readers who may not see all of the file. It does not tell where
/// the record is in the file, because that would tell the lengths of hidden parts.
struct VisibleRecord<'a> {
    file: &'a str,
    /// Records of the view before this one.
    record: u64,
    /// True if the view hides records.
    hides_records: bool,
    field: Option<&'a str>,
    reason: &'a Reason,
}

impl fmt::Display for VisibleRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, record, hides_records, field, reason } = self;
        let which = if *hides_records { " of those that you may see" } else { "" };
        write!(f, "{file}: record {}{which}", record + 1)?;
        if let Some(field) = field {
            write!(f, ", field `{field}`")?;
        }
        write!(f, ": {reason}")
    }
}
