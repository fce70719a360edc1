//! The method of measuring: arms in turn, several rounds, median with minimum and maximum.
//!
//! A machine is never idle. Each round runs every arm, so that a noisy second affects all of them.
//! Every second round has the reverse order, so that no arm always follows the same one. Each arm
//! runs once before the first round, so that caches are warm for all.

use serde::{Deserialize, Serialize};

use crate::Result;

/// The figures of one run of one arm. Unknown figures are absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The seconds from the request until the complete answer is in the memory of the client.
    pub seconds: f64,
    /// The seconds until the first record is in the memory of the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seconds: Option<f64>,
    /// The part of `seconds` for fetching, if it is separate from filtering.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetch_seconds: Option<f64>,
    /// The number of records of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// The number of records that the server scanned or skipped: all records of the file, unless it
    /// stopped early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records_seen: Option<u64>,
    /// The bytes of the selected records as Arrow, if the server told them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrow_bytes: Option<u64>,
    /// The narrow bytes of the selected records, or the bytes of the fetched file: both before
    /// they were compressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub narrow_bytes: Option<u64>,
    /// The bytes that the server gave to its channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_sent: Option<u64>,
    /// The bytes on the wire to the client, with TCP and IP headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_wire: Option<u64>,
    /// The CPU time of the server's process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_cpu_seconds: Option<f64>,
    /// The CPU time of the client's process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_cpu_seconds: Option<f64>,
    /// The maximal resident memory of the server's process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_bytes_max: Option<u64>,
    /// The maximal resident memory of the client's process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_bytes_max: Option<u64>,
}

/// The median, minimum and maximum of one quantity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The middle value, or the lower one of two middle values.
    pub median: f64,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
}

impl Spread {
    /// Computes the spread of `values`; `None` without values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let median = *values.get(values.len().saturating_sub(1) / 2)?;
        Some(Self { median, min: *values.first()?, max: *values.last()? })
    }

    /// Computes the mean of `values`; `None` without values. For values in coarse steps, such as
    /// CPU time, it says more than their median.
    #[expect(clippy::cast_precision_loss, reason = "a number of runs")]
    pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
        let values: Vec<f64> = values.into_iter().collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }

    /// Computes the spread of the seconds of `runs`.
    pub fn seconds(runs: &[Run]) -> Option<Self> {
        Self::of(runs.iter().map(|run| run.seconds))
    }
}

/// One side of a comparison: a name and a function that runs it once.
pub struct Arm<'a> {
    name: String,
    run: Box<dyn FnMut() -> Result<Run> + 'a>,
}

impl<'a> Arm<'a> {
    /// Makes an arm that `run` runs once.
    pub fn new(name: impl Into<String>, run: impl FnMut() -> Result<Run> + 'a) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }
}

/// The runs of one arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// The name of the arm.
    pub arm: String,
    /// The runs in their order, without the warm-up.
    pub runs: Vec<Run>,
}

/// Runs all `arms` in turn, `rounds` times after a warm-up.
///
/// # Errors
/// The first error of an arm. The earlier runs are lost.
pub fn interleave(rounds: usize, arms: &mut [Arm<'_>]) -> Result<Vec<Series>> {
    let mut series: Vec<Series> =
        arms.iter().map(|arm| Series { arm: arm.name.clone(), runs: Vec::new() }).collect();
    for arm in arms.iter_mut() {
        (arm.run)()?;
    }
    for round in 0..rounds {
        let mut turn: Vec<usize> = (0..arms.len()).collect();
        if round % 2 == 1 {
            turn.reverse();
        }
        for index in turn {
            series[index].runs.push((arms[index].run)()?);
        }
    }
    Ok(series)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn the_median_is_a_value_that_was_measured() {
        let spread = Spread::of([3.0, 1.0, 2.0, 10.0]).unwrap();
        assert_eq!((spread.median, spread.min, spread.max), (2.0, 1.0, 10.0));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn arms_take_turns_and_turns_change_direction() {
        let order = RefCell::new(String::new());
        let arm = |name: &'static str| {
            let order = &order;
            Arm::new(name, move || {
                order.borrow_mut().push_str(name);
                Ok(Run::default())
            })
        };
        let series = interleave(2, &mut [arm("a"), arm("b")]).unwrap();
        assert_eq!(*order.borrow(), "ababba");
        assert!(series.iter().all(|series| series.runs.len() == 2));
    }
}
