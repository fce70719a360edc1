//! The requests of a load: Selects with weights and random parameters.
//!
//! ```toml
//! [[select]]
//! weight = 9
//! sql = "SELECT * FROM 'lineitem.dat' WHERE l_orderkey = $1"
//! parameters = [{ integer = [1, 6000000] }]
//!
//! [[select]]
//! sql = "SELECT count(*) FROM 'lineitem.dat' WHERE l_shipmode = $1"
//! parameters = [{ text = ["AIR", "RAIL", "SHIP"] }]
//! ```

use std::sync::Arc;

use serde::Deserialize;
use sift_client::{Query, Value};

use crate::Result;

/// A set of Selects with weights. It is cheap to clone.
#[derive(Clone, Debug)]
pub struct Mix {
    selects: Arc<[Select]>,
    weights: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    select: Vec<Select>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Select {
    sql: String,
    #[serde(default = "one")]
    weight: u32,
    #[serde(default)]
    parameters: Vec<Parameter>,
}

/// The values of a parameter, each equally likely.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Parameter {
    /// An integer from the first to the last, both included.
    Integer([i64; 2]),
    /// One of these texts.
    Text(Vec<String>),
    /// One of these dates, as YYYY-MM-DD.
    Date(Vec<String>),
}

fn one() -> u32 {
    1
}

impl Mix {
    /// Parses the text of a mix.
    ///
    /// # Errors
    /// The fault and its place.
    pub fn parse(text: &str) -> Result<Self> {
        let selects = toml::from_str::<File>(text)?.select;
        let weights = selects.iter().map(|select| u64::from(select.weight)).sum();
        if weights == 0 {
            return Err("a mix needs a select with a weight above 0".into());
        }
        for select in &selects {
            select.parameters.iter().try_for_each(Parameter::check)?;
        }
        Ok(Self { selects: selects.into(), weights })
    }

    /// Returns a random Select, by weight.
    pub fn pick(&self, random: &mut fastrand::Rng) -> Query {
        let mut left = random.u64(..self.weights);
        let chosen =
            self.selects.iter().find(|select| match left.checked_sub(select.weight.into()) {
                Some(rest) => {
                    left = rest;
                    false
                }
                None => true,
            });
        chosen.map_or_else(Query::default, |select| {
            let query = Query::new(select.sql.as_str());
            select.parameters.iter().fold(query, |query, one| query.parameter(one.draw(random)))
        })
    }
}

impl Parameter {
    fn check(&self) -> Result<()> {
        match self {
            Self::Integer([first, last]) if first > last => {
                Err(format!("integer = [{first}, {last}] is empty").into())
            }
            Self::Text(values) | Self::Date(values) if values.is_empty() => {
                Err("a parameter needs a value to choose".into())
            }
            Self::Date(values) => {
                Ok(values.iter().try_for_each(|value| Value::date(value).map(drop))?)
            }
            _ => Ok(()),
        }
    }

    fn draw(&self, random: &mut fastrand::Rng) -> Value {
        match self {
            Self::Integer([first, last]) => Value::Integer(random.i64(*first..=*last)),
            Self::Text(values) => {
                random.choice(values).map_or(Value::Null, |value| Value::Text(value.clone()))
            }
            Self::Date(values) => random
                .choice(values)
                .and_then(|value| Value::date(value).ok())
                .unwrap_or(Value::Null),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_kept_and_parameters_drawn() {
        let mix = Mix::parse(
            "[[select]]\nsql = 'a'\nweight = 3\nparameters = [{ integer = [5, 6] }]\n\
             [[select]]\nsql = 'b'\nparameters = [{ text = ['x'] }, { date = ['2024-02-29'] }]",
        )
        .unwrap();
        let mut random = fastrand::Rng::with_seed(7);
        let picked: Vec<Query> = (0..4000).map(|_| mix.pick(&mut random)).collect();
        let first: Vec<_> = picked.iter().filter(|query| query.sql() == "a").collect();
        assert!((2800..3200).contains(&first.len()), "{}", first.len());
        let integers = |value| move |query: &&Query| *query.parameters() == [Value::Integer(value)];
        assert_eq!(
            first.iter().copied().filter(integers(5)).count()
                + first.iter().copied().filter(integers(6)).count(),
            first.len()
        );
        let second = picked.iter().find(|query| query.sql() == "b").unwrap();
        let day = Value::date("2024-02-29").unwrap();
        assert_eq!(second.parameters(), [Value::Text("x".into()), day]);
    }

    #[test]
    fn a_mix_that_cannot_be_asked_is_refused() {
        for text in [
            "",
            "select = []",
            "[[select]]\nsql = 'a'\nweight = 0",
            "[[select]]\nsql = 'a'\nwheight = 1",
            "[[select]]\nsql = 'a'\nparameters = [{ integer = [2, 1] }]",
            "[[select]]\nsql = 'a'\nparameters = [{ text = [] }]",
            "[[select]]\nsql = 'a'\nparameters = [{ date = ['2023-02-29'] }]",
        ] {
            assert!(Mix::parse(text).is_err(), "{text}");
        }
    }
}
