//! Limits on the result of a load, for use in CI: `p99<50ms`, `rate>1000`, `failures<1`,
//! `missed<1`.

use std::fmt;
use std::str::FromStr;

use super::{Outcome, PERCENTILES};

/// A limit on one quantity of an outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct Assertion {
    text: String,
    quantity: Quantity,
    bound: f64,
    below: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Quantity {
    /// The microseconds at a percentile.
    Latency(&'static str),
    Rate,
    Failures,
    Missed,
}

impl FromStr for Assertion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            let known = PERCENTILES.map(|(name, _)| format!("p{name}")).join(", ");
            format!(
                "`{text}` is not QUANTITY<BOUND or QUANTITY>BOUND; quantities are {known}, \
                     as in p99<50ms, and rate, failures, missed"
            )
        };
        let (below, parts) = match text.split_once('<') {
            Some(parts) => (true, parts),
            None => (false, text.split_once('>').ok_or_else(wrong)?),
        };
        let (name, bound) = parts;
        let quantity = match name {
            "rate" => Quantity::Rate,
            "failures" => Quantity::Failures,
            "missed" => Quantity::Missed,
            name => {
                let wanted = name.strip_prefix('p').ok_or_else(wrong)?;
                let found = PERCENTILES.iter().find(|(name, _)| *name == wanted);
                Quantity::Latency(found.ok_or_else(wrong)?.0)
            }
        };
        let bound = match quantity {
            Quantity::Latency(_) => micros(bound),
            _ => bound.parse().ok(),
        };
        Ok(Self { text: text.to_owned(), quantity, bound: bound.ok_or_else(wrong)?, below })
    }
}

impl Assertion {
    /// Returns whether it holds. A limit on a latency does not hold without answers.
    #[expect(clippy::cast_precision_loss, reason = "compared with a bound that people wrote")]
    pub fn holds(&self, outcome: &Outcome) -> bool {
        let value = match self.quantity {
            Quantity::Latency(_) if outcome.answers == 0 => return false,
            Quantity::Latency(percentile) => outcome.percentile(percentile).map(|at| at as f64),
            Quantity::Rate => Some(outcome.rate()),
            Quantity::Failures => Some(outcome.failures.values().sum::<u64>() as f64),
            Quantity::Missed => Some(outcome.missed as f64),
        };
        value.is_some_and(|value| if self.below { value < self.bound } else { value > self.bound })
    }
}

impl fmt::Display for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn micros(text: &str) -> Option<f64> {
    let units = [("us", 1.0), ("µs", 1.0), ("ms", 1e3), ("s", 1e6)];
    let (number, unit) =
        units.iter().find_map(|(unit, micros)| Some((text.strip_suffix(unit)?, micros)))?;
    Some(number.parse::<f64>().ok()? * unit)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn outcome() -> Outcome {
        Outcome {
            sessions: 1,
            rate_intended: None,
            seconds: 2.0,
            answers: 100,
            failures: BTreeMap::from([("SERVER_BUSY".to_owned(), 3)]),
            missed: 0,
            latency_micros: BTreeMap::from([("99".to_owned(), 49_999)]),
        }
    }

    #[test]
    fn bounds_hold_or_do_not() {
        for (text, holds) in [
            ("p99<50ms", true),
            ("p99<0.05s", true),
            ("p99<49999us", false),
            ("p99>1ms", true),
            ("rate>49", true),
            ("rate>50", false),
            ("failures<4", true),
            ("failures<1", false),
            ("missed<1", true),
        ] {
            assert_eq!(text.parse::<Assertion>().unwrap().holds(&outcome()), holds, "{text}");
        }
        let nothing = Outcome { answers: 0, ..outcome() };
        assert!(!"p99<1s".parse::<Assertion>().unwrap().holds(&nothing));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in ["", "p99", "p98<1ms", "p99<50", "speed>1", "rate>fast", "p99=1ms"] {
            assert!(text.parse::<Assertion>().is_err(), "{text}");
        }
    }
}
