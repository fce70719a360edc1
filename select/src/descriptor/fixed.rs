//! What a descriptor says about fixed-length records.

use std::collections::HashSet;

use crate::fixed::{self, ByteOrder, NullWhen, Sign, Storage, Terminator};
use crate::{Requirement, Result};

use super::keys::Keys;
use super::{Requirements, parse_fields, parse_name, parse_requirement};

/// The keys of the file.
pub(super) const KEYS: &[&str] = &["record_length", "terminator", "byte_order"];

pub(super) fn parse(keys: &Keys<'_>, requirements: &mut Requirements) -> Result<fixed::Layout> {
    let bounds = 1..fixed::RECORD_BYTES_MAX + 1;
    let length = keys.number("record_length", bounds)?;
    let length = keys.required("record_length", length)?;
    let terminators =
        [("none", Terminator::None), ("lf", Terminator::Lf), ("crlf", Terminator::CrLf)];
    let terminator = keys.choice("terminator", &terminators)?.unwrap_or(Terminator::None);
    let order = parse_order(keys)?;
    let mut fields: Vec<fixed::Field> = Vec::new();
    let mut names = HashSet::new();
    for keys in parse_fields(keys, FIELD)? {
        let field = parse_field(&keys, length, order)?;
        if !names.insert(field.name.clone()) {
            return Err(keys.error("name", format_args!("there are two fields `{}`", field.name)));
        }
        requirements.push((field.name.clone(), parse_requirement(&keys)?));
        fields.push(field);
    }
    if fields.is_empty() {
        return Err(keys.error("field", "a fixed-length file needs at least one `[[field]]`"));
    }
    share(&fields, requirements);
    Ok(fixed::Layout::new(length, terminator, fields))
}

/// Fields that have bytes in common demand the same: they are ways to read one another.
fn share(fields: &[fixed::Field], requirements: &mut Requirements) {
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

const FIELD: &[&str] = &[
    "name",
    "type",
    "offset",
    "length",
    "byte_order",
    "scale",
    "sign",
    "null_when",
    "network_encrypt",
    "scl_min",
];

fn parse_field(
    keys: &Keys<'_>,
    record_length: u32,
    default_order: Option<ByteOrder>,
) -> Result<fixed::Field> {
    let name = parse_name(keys)?;
    let offset = keys.number("offset", 0..record_length)?;
    let offset = keys.required("offset", offset)?;
    let length = keys.number("length", 1..fixed::RECORD_BYTES_MAX + 1)?;
    let length = keys.required("length", length)?;
    if length > record_length - offset {
        let message = format!(
            "field `{name}` ends at byte {}, the record has {record_length}",
            u64::from(offset) + u64::from(length)
        );
        return Err(keys.error("length", message));
    }
    let storage = parse_storage(keys, &name, length, default_order)?;
    let null_when = keys.choice(
        "null_when",
        &[
            ("spaces", NullWhen::Spaces),
            ("zeros", NullWhen::Zeros),
            ("low-values", NullWhen::LowValues),
            ("high-values", NullWhen::HighValues),
        ],
    )?;
    Ok(fixed::Field { name, offset: offset as usize, length: length as usize, storage, null_when })
}

#[derive(Clone, Copy, PartialEq)]
enum StorageWord {
    Text,
    Digits,
    Zoned,
    Packed,
    Integer,
    Unsigned,
    Float,
    Date,
}

fn parse_storage(
    keys: &Keys<'_>,
    name: &str,
    length: u32,
    default_order: Option<ByteOrder>,
) -> Result<Storage> {
    let words = [
        ("text", StorageWord::Text),
        ("digits", StorageWord::Digits),
        ("zoned", StorageWord::Zoned),
        ("packed", StorageWord::Packed),
        ("integer", StorageWord::Integer),
        ("unsigned", StorageWord::Unsigned),
        ("float", StorageWord::Float),
        ("date", StorageWord::Date),
    ];
    let word = keys.required("type", keys.choice("type", &words)?)?;
    let binary = matches!(word, StorageWord::Integer | StorageWord::Unsigned | StorageWord::Float);
    let scaled = !matches!(word, StorageWord::Text | StorageWord::Float | StorageWord::Date);
    let fits = [
        ("byte_order", binary, "integer, unsigned and float"),
        ("scale", scaled, "digits, zoned, packed, integer and unsigned"),
        ("sign", word == StorageWord::Zoned, "zoned"),
    ];
    if let Some((key, _, types)) = fits.iter().find(|(key, fits, _)| !fits && keys.has(key)) {
        return Err(keys.error(key, format_args!("field `{name}`: `{key}` is for {types}")));
    }
    let lengths = match word {
        StorageWord::Text => 1..=fixed::RECORD_BYTES_MAX,
        StorageWord::Digits | StorageWord::Zoned => 1..=38,
        StorageWord::Packed => 1..=19,
        StorageWord::Integer | StorageWord::Unsigned => 1..=8,
        StorageWord::Float => 4..=8,
        StorageWord::Date => 8..=8,
    };
    if !lengths.contains(&length) || (word == StorageWord::Float && !matches!(length, 4 | 8)) {
        let expected = match word {
            StorageWord::Date => "8 bytes, YYYYMMDD".to_owned(),
            StorageWord::Float => "4 or 8 bytes".to_owned(),
            _ => format!("{} to {} bytes", lengths.start(), lengths.end()),
        };
        let message = format!("field `{name}`: {length} bytes, this type has {expected}");
        return Err(keys.error("length", message));
    }
    let scale = keys.number("scale", 0..39)?.unwrap_or(0);
    let scale = u8::try_from(scale).unwrap_or(u8::MAX);
    let order = || match parse_order(keys)?.or(default_order) {
        Some(order) => Ok(order),
        None if length == 1 => Ok(ByteOrder::Little),
        None => Err(keys.error(
            "type",
            format_args!("field `{name}`: `byte_order` is missing: \"little\" or \"big\""),
        )),
    };
    let storage = match word {
        StorageWord::Text => Storage::Text,
        StorageWord::Date => Storage::Date,
        StorageWord::Digits => Storage::Digits { scale },
        StorageWord::Packed => Storage::Packed { scale },
        StorageWord::Integer => Storage::Integer { order: order()?, scale },
        StorageWord::Unsigned => Storage::Unsigned { order: order()?, scale },
        StorageWord::Float => Storage::Float { order: order()? },
        StorageWord::Zoned => {
            let signs =
                [("overpunch", Sign::Overpunch), ("ebcdic-overpunch", Sign::EbcdicOverpunch)];
            Storage::Zoned { sign: keys.choice("sign", &signs)?.unwrap_or(Sign::Overpunch), scale }
        }
    };
    let digits = storage.digits(length as usize);
    if scale > digits {
        let message = format!("field `{name}`: scale {scale}, the field has {digits} digits");
        return Err(keys.error("scale", message));
    }
    Ok(storage)
}

fn parse_order(keys: &Keys<'_>) -> Result<Option<ByteOrder>> {
    keys.choice("byte_order", &[("little", ByteOrder::Little), ("big", ByteOrder::Big)])
}
