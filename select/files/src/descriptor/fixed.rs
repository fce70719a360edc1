//! The descriptor of fixed-length records: the record and the positions of its fields. `storage.rs`
//! reads how a field stores its value.

mod storage;

use std::collections::HashSet;

use super::keys::Keys;
use super::{Requirements, parse_fields, parse_name, parse_requirement};
use crate::fixed::{ByteOrder, Encoding, NullWhen, Terminator};
use crate::problem::descriptor::DescriptorProblem;
use crate::requirement::Requirement;
use crate::{Result, fixed};

/// The keys of the file.
pub(super) const KEYS: &[&str] =
    &["record_length", "terminator", "byte_order", "encoding", "century_pivot"];

/// The keys of a field.
const FIELD: &[&str] = &[
    "name",
    "type",
    "offset",
    "length",
    "byte_order",
    "encoding",
    "scale",
    "sign",
    "coding",
    "format",
    "century_pivot",
    "true_when",
    "false_when",
    "null_when",
    "network_encrypt",
    "scl_min",
];

/// The properties of all fields that do not have their own.
#[derive(Clone, Copy)]
struct Defaults {
    order: Option<ByteOrder>,
    encoding: Encoding,
    pivot: Option<u8>,
}

pub(super) fn parse(
    keys: &Keys<'_>,
    requirements: &mut Requirements,
) -> Result<fixed::FixedLayout> {
    let bounds = 1..fixed::RECORD_BYTES_MAX + 1;
    let length = keys.number("record_length", bounds)?;
    let length = keys.required("record_length", length)?;
    let terminators = [
        ("none", Terminator::None),
        ("lf", Terminator::Lf),
        ("crlf", Terminator::CrLf),
        ("nl", Terminator::Nl),
    ];
    let terminator = keys.choice("terminator", &terminators)?.unwrap_or(Terminator::None);
    let defaults = Defaults {
        order: parse_order(keys)?,
        encoding: keys.choice("encoding", &Encoding::WORDS)?.unwrap_or_default(),
        pivot: parse_pivot(keys)?,
    };
    let mut fields: Vec<fixed::FixedField> = Vec::new();
    let mut names = HashSet::new();
    for keys in parse_fields(keys, FIELD)? {
        let field = parse_field(&keys, length, defaults)?;
        if !names.insert(field.name.clone()) {
            let problem = DescriptorProblem::SameName { tables: "fields", name: field.name };
            return Err(keys.error("name", problem));
        }
        requirements.push((field.name.clone(), parse_requirement(&keys)?));
        fields.push(field);
    }
    if fields.is_empty() {
        return Err(keys.error("field", DescriptorProblem::NoFields));
    }
    share(&fields, requirements);
    Ok(fixed::FixedLayout::new(length, terminator, fields))
}

/// Fields that have bytes in common demand the same: they are ways to read one another.
fn share(fields: &[fixed::FixedField], requirements: &mut Requirements) {
    let protected: Vec<(std::ops::Range<usize>, Requirement)> = fields
        .iter()
        .zip(&*requirements)
        .filter(|(_, (_, requirement))| *requirement != Requirement::None)
        .map(|(field, (_, requirement))| (field.offset..field.offset + field.length, *requirement))
        .collect();
    for (field, (_, requirement)) in fields.iter().zip(requirements) {
        let end = field.offset + field.length;
        let overlapping =
            protected.iter().filter(|(bytes, _)| bytes.start < end && field.offset < bytes.end);
        *requirement = overlapping.map(|(_, other)| *other).fold(*requirement, Requirement::max);
    }
}

fn parse_field(
    keys: &Keys<'_>,
    record_length: u32,
    defaults: Defaults,
) -> Result<fixed::FixedField> {
    let name = parse_name(keys)?;
    let offset = keys.number("offset", 0..record_length)?;
    let offset = keys.required("offset", offset)?;
    let length = keys.number("length", 1..fixed::RECORD_BYTES_MAX + 1)?;
    let length = keys.required("length", length)?;
    if length > record_length - offset {
        let end = u64::from(offset) + u64::from(length);
        let problem = DescriptorProblem::FieldEnd { name, end, record_length };
        return Err(keys.error("length", problem));
    }
    let encoding = keys.choice("encoding", &Encoding::WORDS)?.unwrap_or(defaults.encoding);
    let defaults = Defaults { encoding, ..defaults };
    let storage = storage::parse(keys, &name, length as usize, defaults)?;
    let null_when = keys.choices("null_when", &NullWhen::WORDS)?;
    Ok(fixed::FixedField {
        name,
        offset: offset as usize,
        length: length as usize,
        storage,
        encoding,
        null_when,
    })
}

fn parse_order(keys: &Keys<'_>) -> Result<Option<ByteOrder>> {
    keys.choice("byte_order", &[("little", ByteOrder::Little), ("big", ByteOrder::Big)])
}

fn parse_pivot(keys: &Keys<'_>) -> Result<Option<u8>> {
    let pivot = keys.number("century_pivot", 0..101)?;
    Ok(pivot.and_then(|pivot| u8::try_from(pivot).ok()))
}

#[cfg(test)]
mod tests;
