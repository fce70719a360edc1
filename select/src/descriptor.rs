//! The descriptor of a data file: the TOML file beside it that tells its layout and its protection.
//!
//! ```toml
//! format = "fixed"
//! record_length = 160          # bytes, without the terminator
//! terminator = "lf"            # "none" (the default), "lf" or "crlf"
//! byte_order = "big"           # for all binary fields that do not say otherwise
//! network_encrypt = true       # the file leaves the machine on encrypted channels only
//! scl_min = 3                  # and of this security level at least, from 2 to 5; implies encryption
//!
//! [[field]]
//! name = "price"
//! type = "zoned"               # text, digits, zoned, packed, integer, unsigned, float, date
//! offset = 32                  # bytes before the field; fields may overlap
//! length = 11                  # bytes
//! scale = 2                    # digits after the implied point
//! sign = "ebcdic-overpunch"    # of zoned: "overpunch" (the default) has 'p' to 'y' for -0 to -9
//! null_when = "spaces"         # or "zeros", "low-values", "high-values": the field is NULL
//! scl_min = 4                  # of this field alone; `network_encrypt`, too
//! ```
//!
//! The strictest demand holds: a field never leaves where its file may not, and a field that shares
//! bytes with another demands what that one does.
//!
//! A CSV file needs a descriptor only for what its header and values do not tell:
//!
//! ```toml
//! format = "csv"               # or "tsv"; told by the file's name when left out
//!
//! [csv]
//! delimiter = "|"
//! header = false               # then every field is named here, in order
//! null = "NA"                  # this text is NULL, and the empty field always is
//!
//! [[field]]
//! name = "price"
//! type = "decimal(12,2)"       # boolean, int64, float64, decimal(p,s), date, timestamp, text
//! scl_min = 4                  # a field may be here for its protection alone, without a type
//! ```

mod keys;

use std::collections::HashSet;

use crate::csv::{self, Kind};
use crate::fixed::{self, ByteOrder, NullWhen, Sign, Storage, Terminator};
use crate::requirement::LEVELS;
use crate::{Error, ErrorKind, Requirement, Result};
use keys::{Keys, Text};

/// The longest text of a descriptor, in bytes; a field takes about 100.
const TEXT_BYTES_MAX: usize = 4 << 20;

/// The most fields of a descriptor.
const FIELDS_MAX: usize = 16 << 10;

/// A parsed descriptor.
#[derive(Clone, Debug)]
pub struct Descriptor {
    pub(crate) layout: Layout,
    requirement: Requirement,
    /// Those of the fields that have one.
    fields: Vec<(String, Requirement)>,
}

/// What a descriptor says about the records.
#[derive(Clone, Debug)]
pub(crate) enum Layout {
    Fixed(fixed::Layout),
    Csv(csv::Options),
}

#[derive(Clone, Copy, PartialEq)]
enum Format {
    Fixed,
    Csv,
    Tsv,
}

impl Descriptor {
    /// Parses the text of `<file>.toml`; `name` is what errors call it.
    ///
    /// # Errors
    /// `Descriptor`, with line and column.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        if text.len() > TEXT_BYTES_MAX {
            let message =
                format!("{name}: {} bytes, at most {TEXT_BYTES_MAX} are accepted", text.len());
            return Err(Error::new(ErrorKind::Descriptor, message));
        }
        let text = Text { name, text };
        let table = toml::de::DeTable::parse(text.text).map_err(|error| {
            text.error(error.span().map_or(0, |span| span.start), error.message().trim())
        })?;
        parse_file(text, table.as_ref())
    }

    /// What the file as a whole demands of a channel.
    pub fn requirement(&self) -> Requirement {
        self.requirement
    }

    /// The fields that demand something of their own, and what: by their names in the file.
    pub fn fields_protected(&self) -> impl Iterator<Item = (&str, Requirement)> {
        self.fields.iter().map(|(name, requirement)| (name.as_str(), *requirement))
    }
}

fn parse_file(text: Text<'_>, table: &toml::de::DeTable<'_>) -> Result<Descriptor> {
    const FIXED: &[&str] = &[
        "format",
        "network_encrypt",
        "scl_min",
        "record_length",
        "terminator",
        "byte_order",
        "field",
    ];
    const CSV: &[&str] = &["format", "network_encrypt", "scl_min", "csv", "field"];
    const ANY: &[&str] = &[
        "format",
        "network_encrypt",
        "scl_min",
        "record_length",
        "terminator",
        "byte_order",
        "csv",
        "field",
    ];
    let keys = Keys::new(text, 0, table, ANY)?;
    let words = [("fixed", Format::Fixed), ("csv", Format::Csv), ("tsv", Format::Tsv)];
    let format = keys.choice("format", &words)?;
    let requirement = parse_requirement(&keys)?;
    let mut fields = Vec::new();
    let layout = match format {
        Some(Format::Fixed) => {
            let keys = Keys::new(text, 0, table, FIXED)?;
            Layout::Fixed(parse_fixed(&keys, &mut fields)?)
        }
        None if keys.has("record_length") => {
            return Err(
                keys.error("format", "`format` is missing; `record_length` is for \"fixed\"")
            );
        }
        _ => {
            let keys = Keys::new(text, 0, table, CSV)?;
            Layout::Csv(parse_csv(&keys, format == Some(Format::Tsv), &mut fields)?)
        }
    };
    fields.retain(|(_, requirement)| *requirement != Requirement::None);
    Ok(Descriptor { layout, requirement, fields })
}

fn parse_requirement(keys: &Keys<'_>) -> Result<Requirement> {
    let network_encrypt = keys.boolean("network_encrypt")?.unwrap_or(false);
    let scl_min =
        keys.number("scl_min", u32::from(*LEVELS.start())..u32::from(*LEVELS.end()) + 1)?;
    let scl_min = scl_min.and_then(|level| u8::try_from(level).ok());
    // the level is in its bounds
    Ok(Requirement::new(network_encrypt, scl_min).unwrap_or(Requirement::Level(*LEVELS.end())))
}

/// What fields demand, by name.
type Requirements = Vec<(String, Requirement)>;

fn parse_fixed(keys: &Keys<'_>, requirements: &mut Requirements) -> Result<fixed::Layout> {
    let bounds = 1..fixed::RECORD_BYTES_MAX + 1;
    let length = keys.number("record_length", bounds)?;
    let length = keys.required("record_length", length)?;
    let terminators =
        [("none", Terminator::None), ("lf", Terminator::Lf), ("crlf", Terminator::CrLf)];
    let terminator = keys.choice("terminator", &terminators)?.unwrap_or(Terminator::None);
    let order = parse_order(keys)?;
    let mut fields: Vec<fixed::Field> = Vec::new();
    let mut names = HashSet::new();
    for keys in parse_fields(keys, FIXED_FIELD)? {
        let field = parse_fixed_field(&keys, length, order)?;
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

const FIXED_FIELD: &[&str] = &[
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

fn parse_fields<'t>(keys: &Keys<'t>, known: &[&str]) -> Result<Vec<Keys<'t>>> {
    let tables = keys.tables("field")?;
    if tables.len() > FIELDS_MAX {
        let message = format!("{} fields, at most {FIELDS_MAX} are accepted", tables.len());
        return Err(keys.error("field", message));
    }
    tables.into_iter().map(|(at, table)| Keys::new(keys.text, at, table, known)).collect()
}

fn parse_name(keys: &Keys<'_>) -> Result<String> {
    let name = keys.required("name", keys.string("name")?)?;
    if name.is_empty() {
        return Err(keys.error("name", "`name` is empty"));
    }
    Ok(name.to_owned())
}

fn parse_order(keys: &Keys<'_>) -> Result<Option<ByteOrder>> {
    keys.choice("byte_order", &[("little", ByteOrder::Little), ("big", ByteOrder::Big)])
}

fn parse_fixed_field(
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

fn parse_csv(keys: &Keys<'_>, tsv: bool, requirements: &mut Requirements) -> Result<csv::Options> {
    let mut options = csv::Options::default();
    if tsv {
        options.delimiter = Some(b'\t');
    }
    if let Some((at, table)) = keys.table("csv")? {
        let keys = Keys::new(keys.text, at, table, &["delimiter", "header", "null"])?;
        if let Some(delimiter) = keys.string("delimiter")? {
            match *delimiter.as_bytes() {
                [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n') => {
                    options.delimiter = Some(byte);
                }
                _ => {
                    let message = "`delimiter` has to be one ASCII character, no quote or line end";
                    return Err(keys.error("delimiter", message));
                }
            }
        }
        options.header = keys.boolean("header")?.unwrap_or(true);
        options.null = keys.string("null")?.map(str::to_owned);
    }
    let mut names = HashSet::new();
    for keys in parse_fields(keys, &["name", "type", "network_encrypt", "scl_min"])? {
        let name = parse_name(&keys)?;
        if !names.insert(name.clone()) {
            return Err(keys.error("name", format_args!("there are two fields `{name}`")));
        }
        let kind = match keys.string("type")? {
            None => None,
            Some(word) => Some(Kind::parse(word).ok_or_else(|| {
                keys.error(
                    "type",
                    format_args!("`type` cannot be \"{word}\"; it is one of {}", Kind::WORDS),
                )
            })?),
        };
        requirements.push((name.clone(), parse_requirement(&keys)?));
        options.fields.push((name, kind));
    }
    if !options.header && options.fields.is_empty() {
        return Err(keys.error("field", "without a header, every field needs a `[[field]]`"));
    }
    Ok(options)
}

#[cfg(test)]
mod tests;
