//! `[defaults]` and `[[protect]]`: the protection in the configuration.

use serde::Deserialize;
use sift_server::{ProtectRule, Protection, Requirement};

use super::error::ValueFault;

/// The section `[defaults]`: the requirement of all files.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Defaults {
    network_encrypt: Option<bool>,
    scl_min: Option<u8>,
}

/// A section `[[protect]]`: the requirement of some files, or of columns of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    files: Vec<String>,
    #[serde(default)]
    columns: Vec<String>,
    network_encrypt: Option<bool>,
    scl_min: Option<u8>,
}

pub(super) fn checked(defaults: &Defaults, rules: &[Rule]) -> Result<Protection, ValueFault> {
    let rules = rules.iter().zip(1..).map(|(rule, number)| {
        let demand = requirement(&format!("protect {number}"), rule.network_encrypt, rule.scl_min)?;
        if rule.files.is_empty() || demand == Requirement::None {
            return Err(ValueFault::ProtectsNothing { number });
        }
        ProtectRule::new(&rule.files, rule.columns.clone(), demand)
            .map_err(|error| ValueFault::Glob { number, error })
    });
    let rules = rules.collect::<Result<_, _>>()?;
    let defaults = requirement("defaults", defaults.network_encrypt, defaults.scl_min)?;
    Ok(Protection { defaults, rules })
}

fn requirement(
    place: &str,
    network_encrypt: Option<bool>,
    scl_min: Option<u8>,
) -> Result<Requirement, ValueFault> {
    Requirement::new(network_encrypt.unwrap_or(false), scl_min).ok_or_else(|| ValueFault::SclMin {
        place: place.to_owned(),
        got: scl_min.unwrap_or_default(),
    })
}
