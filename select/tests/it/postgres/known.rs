//! The differences from PostgreSQL that docs/sql.md documents, and what no engine promises.

use sift_select::Error;

use super::psql::{Failure, Rows};

/// How far numbers may be from one another that neither side computes exactly, of the larger one.
const NEAR: f64 = 1e-9;

/// How far two quotients may be from one another: both have 16 digits after the point.
const QUOTIENT_NEAR: f64 = 1e-16;

/// How a column of an answer is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// The same text.
    Exactly,
    /// The same number. All values of one of Sift's expressions have one scale, so zeros at the end
    /// differ.
    AsDecimal,
    /// Nearly the same number. A quotient or an average has other digits, and PostgreSQL rounds
    /// a sum of floats after each.
    Nearly,
    /// The same number, zeros of either sign alike: any one value of a group stands for it.
    AsGroup,
}

impl Compared {
    /// The field, so that equal texts are equal values.
    pub(super) fn normal(self, field: &str) -> String {
        match self {
            Self::AsDecimal if field.contains('.') => {
                let trimmed = field.trim_end_matches('0').trim_end_matches('.');
                if trimmed == "-0" { "0".to_owned() } else { trimmed.to_owned() }
            }
            Self::AsGroup if field == "-0" => "0".to_owned(),
            _ => field.to_owned(),
        }
    }

    fn agrees(self, left: &str, right: &str) -> bool {
        if self == Self::Nearly
            && let (Ok(left), Ok(right)) = (left.parse::<f64>(), right.parse::<f64>())
        {
            let near = (left.abs().max(right.abs()) * NEAR).max(QUOTIENT_NEAR);
            return left == right
                || (left.is_nan() && right.is_nan())
                || (left - right).abs() <= near;
        }
        self.normal(left) == self.normal(right)
    }
}

/// Returns whether two answers have the same rows, each column compared in its way.
pub(super) fn agree(columns: &[Compared], theirs: &Rows, ours: &Rows) -> bool {
    theirs.len() == ours.len()
        && theirs.iter().zip(ours).all(|(theirs, ours)| {
            let fields = theirs.iter().zip(ours).zip(columns);
            fields.into_iter().all(|((theirs, ours), compared)| match (theirs, ours) {
                (Some(theirs), Some(ours)) => compared.agrees(theirs, ours),
                (theirs, ours) => theirs == ours,
            })
        })
}

/// Why Sift may have a value where PostgreSQL fails, if it may.
pub(super) fn excuse(
    sql: &str,
    theirs: &Result<Rows, Failure>,
    ours: &Result<Rows, Error>,
) -> Option<&'static str> {
    let (Err(theirs), Ok(ours)) = (theirs, ours) else { return None };
    let message = &theirs.message;
    let is_narrow = match theirs.sqlstate.as_str() {
        "22003" => {
            message.ends_with("integer out of range") || message.ends_with("smallint out of range")
        }
        // a function that takes `integer` alone
        "42883" => message.contains(", bigint"),
        "42846" => {
            message.ends_with("bigint to boolean") || message.ends_with("smallint to boolean")
        }
        _ => false,
    };
    if is_narrow {
        return Some("whole numbers of any width compute in 64 bits and are cast as `integer` is");
    }
    if message == "value out of range: overflow" && (sql.contains("avg(") || sql.contains("sum(")) {
        return Some("sums of floats are exact before they are rounded once");
    }
    // a constant text that its type does not take fails whether its value is needed or not
    let is_of_text = ["22P02", "22007", "22008"].contains(&theirs.sqlstate.as_str())
        && theirs.message.contains(": \"");
    let columns = ["t::", "tb::", "ti::", "tn::", "tf::", "td::", "tt::", "ts::"];
    if is_of_text && !columns.iter().any(|column| sql.contains(column)) {
        return None;
    }
    // PostgreSQL computes constants even where no record needs them
    if theirs.sqlstate.starts_with("22") && ours.is_empty() {
        return Some("what no record needs is not evaluated");
    }
    // both may leave out what the value does not need, and do not leave out the same
    let lazy = [" AND ", " OR ", " IN (", "CASE", "coalesce", "LIMIT", "FETCH", "FILTER"];
    if theirs.sqlstate.starts_with("22") && lazy.iter().any(|word| sql.contains(word)) {
        return Some("what a value does not need is not evaluated");
    }
    None
}
