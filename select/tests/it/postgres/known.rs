//! The differences from PostgreSQL that docs/sql.md documents, and results that no engine
//! guarantees.

use sift_select::Error;

use super::psql::{Failure, Rows};

/// The largest relative difference of numbers that neither side computes exactly.
const NEAR: f64 = 1e-9;

/// The largest relative difference of two quotients: both have 16 digits after the point.
const QUOTIENT_NEAR: f64 = 1e-16;

/// The way to compare a column of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compared {
    /// The same text.
    Exactly,
    /// The same number. All values of one Sift expression have one scale, so trailing zeros differ.
    AsDecimal,
    /// Nearly the same number. A quotient or an average has other digits, and PostgreSQL rounds a
    /// sum of floats after each addition.
    Nearly,
    /// The same number, with equal zeros of either sign: any value of a group stands for it.
    AsGroup,
}

impl Compared {
    /// Normalizes the field, so that equal values are equal texts.
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

/// Returns the reason for which Sift may have a value where PostgreSQL fails, if there is one.
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
        // a function that takes only `integer`
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
    // a constant text that is not of its type fails whether or not its value is needed
    let is_of_text = ["22P02", "22007", "22008"].contains(&theirs.sqlstate.as_str())
        && theirs.message.contains(": \"");
    let columns = ["t::", "tb::", "ti::", "tn::", "tf::", "td::", "tt::", "ts::"];
    if is_of_text && !columns.iter().any(|column| sql.contains(column)) {
        return None;
    }
    // PostgreSQL computes constants even if no record needs them
    if theirs.sqlstate.starts_with("22") && ours.is_empty() {
        return Some("what no record needs is not evaluated");
    }
    // both may skip what the value does not need, but they do not skip the same parts
    let lazy = [" AND ", " OR ", " IN (", "CASE", "coalesce", "LIMIT", "FETCH", "FILTER"];
    if theirs.sqlstate.starts_with("22") && lazy.iter().any(|word| sql.contains(word)) {
        return Some("what a value does not need is not evaluated");
    }
    None
}
