//! `[defaults]` and `[[protect]]`: what the configuration protects.

use serde::Deserialize;
use sift_server::{ProtectRule, Protection, Requirement};

use super::Fault;

/// What all files demand.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Defaults {
    network_encrypt: Option<bool>,
    scl_min: Option<u8>,
}

/// What some files demand, or columns of theirs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    files: Vec<String>,
    #[serde(default)]
    columns: Vec<String>,
    network_encrypt: Option<bool>,
    scl_min: Option<u8>,
}

pub(super) fn checked(defaults: &Defaults, rules: &[Rule]) -> Result<Protection, Fault> {
    let rules = rules.iter().zip(1..).map(|(rule, number)| {
        let demand = requirement(&format!("protect {number}"), rule.network_encrypt, rule.scl_min)?;
        if rule.files.is_empty() || demand == Requirement::None {
            return Err(Fault::ProtectsNothing { number });
        }
        ProtectRule::new(&rule.files, rule.columns.clone(), demand)
            .map_err(|error| Fault::Glob { number, error: error.to_string() })
    });
    let rules = rules.collect::<Result<_, _>>()?;
    let defaults = requirement("defaults", defaults.network_encrypt, defaults.scl_min)?;
    Ok(Protection { defaults, rules })
}

fn requirement(
    place: &str,
    network_encrypt: Option<bool>,
    scl_min: Option<u8>,
) -> Result<Requirement, Fault> {
    Requirement::new(network_encrypt.unwrap_or(false), scl_min)
        .ok_or_else(|| Fault::SclMin { place: place.to_owned(), got: scl_min.unwrap_or_default() })
}
