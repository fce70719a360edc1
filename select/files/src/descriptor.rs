//! The descriptor of a data file: the TOML file beside it that tells its layout and its protection.
//!
//! ```toml
//! format = "fixed"
//! record_length = 160          # bytes, without the terminator
//! terminator = "lf"            # "none" (the default), "lf", "crlf", or "nl" (0x15)
//! byte_order = "big"           # for all binary fields that do not say otherwise
//! encoding = "cp037"           # of characters: "utf-8" (the default), "latin-1", "cp037", "cp1047"
//! century_pivot = 50           # years of two digits below it are 20YY, the others 19YY
//! network_encrypt = true       # the file leaves the machine on encrypted channels only
//! scl_min = 3                  # and of this security level at least, from 2 to 5; implies encryption
//!
//! [[field]]
//! name = "price"
//! type = "zoned"               # or another of the table below
//! offset = 32                  # bytes before the field; fields may overlap
//! length = 11                  # bytes
//! scale = 2                    # digits after the implied point
//! sign = "separate"
//! null_when = ["spaces", "zeros"]   # or "low-values", "high-values": the field is NULL
//! scl_min = 4                  # of this field alone; `network_encrypt`, too
//! ```
//!
//! | type | bytes | keys of its own |
//! | --- | --- | --- |
//! | `text` | padded with spaces | |
//! | `digits` | unsigned decimal digits, up to 38 | `scale` |
//! | `zoned` | decimal digits and a sign | `scale`; `sign` |
//! | `packed` | COMP-3, up to 19 bytes; signs A, C, E, F are plus, B and D minus | `scale`; `sign = "none"` for COMP-6 |
//! | `integer`, `unsigned` | binary, 1 to 8 bytes | `byte_order`; `scale` |
//! | `float` | 4 or 8 bytes, IEEE 754 or `coding = "ibm"` (hexadecimal) | `byte_order`, big by default for IBM's |
//! | `date` | `format`: YYYYMMDD (the default), YYMMDD, CYYMMDD, YYYYDDD, YYDDD, DDMMYYYY, MM/DD/YYYY, … | `coding`; `century_pivot` where the year is YY |
//! | `timestamp` | `format`: YYYYMMDDHHMMSS (the default), YYYY-MM-DD-HH.MM.SS.ffffff, … | as `date` |
//! | `boolean` | one character | `true_when`, `false_when`: the characters |
//!
//! `sign` is "overpunch" (the default: the last digit, negative as 'p' to 'y' in ASCII and with
//! zone D in EBCDIC), "ebcdic-overpunch" (in ASCII '{', 'A' to 'I' and '}', 'J' to 'R'), "separate"
//! ('+' or '-' after the digits), or "leading-overpunch", "leading-ebcdic-overpunch",
//! "leading-separate". `coding` of a date is "digits" (the default: characters), "packed",
//! "unsigned-packed" or "integer": the number that the digits make. `encoding` may be a field's,
//! too; it is of text, digits, zoned decimals, booleans and dates in digits.
//!
//! The strictest demand holds: a field never leaves where its file may not, and a field that shares
//! bytes with another demands what that one does.
//!
//! A CSV file needs a descriptor only for what its header and values do not tell:
//!
//! ```toml
//! format = "csv"               # or "tsv"; told by the file's name when left out
//! compression = "gzip"         # or "zstd", "none"; told by the name, .gz or .zst, when left out
//!
//! [csv]
//! delimiter = "|"
//! header = false               # then every field is named here, in order
//! null = ["NA", "-"]           # these texts, or one, are NULL; the empty field always is
//!
//! [[field]]
//! name = "price"
//! type = "decimal(12,2)"       # boolean, int64, float64, decimal(p,s), date, timestamp, text
//! scl_min = 4                  # a field may be here for its protection alone, without a type
//! ```
//!
//! A Parquet or Arrow file needs one only for its protection; nested fields are named as their
//! columns are:
//!
//! ```toml
//! format = "parquet"           # or "arrow"
//!
//! [[field]]
//! name = "person.salary"
//! scl_min = 4
//! ```
//!
//! JSON Lines need one only where the types of the first records are not those of all. If any field
//! has a type or a path, the fields here are the columns, and other members are none:
//!
//! ```toml
//! format = "jsonl"             # told by the file's name when left out; `compression`, too
//!
//! [[field]]
//! name = "city"
//! type = "text"                # as of CSV, or "json": the text of any value
//! path = "address.city"        # or ["address", "city"]; the dotted name when left out
//! ```
//!
//! A field that holds another, by their paths, demands of a channel what that one does.
//!
//! Files of fixed-length records, CSV and JSON Lines that are not compressed may have keys, which
//! `siftd index build` sorts:
//!
//! ```toml
//! append_only = true           # records are only ever added at the end: an index stays good for the others
//!
//! [[key]]
//! name = "by_customer"         # its columns when left out
//! columns = ["customer", "day"]
//! descending = "day"           # or several of them
//! unique = true                # no two records may have the same, NULLs aside
//! ```

mod columnar;
mod csv;
mod fixed;
mod json;
mod key;
mod keys;

use crate::io::compressed::Compression;
use crate::problem::descriptor::DescriptorProblem;
use crate::requirement::{LEVELS, Requirement};
use crate::{Error, Result};
pub(crate) use key::Key;
use keys::{Keys, Text};

/// The longest text of a descriptor, in bytes; a field takes about 100.
const TEXT_BYTES_MAX: usize = 4 << 20;

/// The most fields of a descriptor.
const FIELDS_MAX: usize = 16 << 10;

/// The keys of every format; `field`, too.
const COMMON: &[&str] = &["format", "network_encrypt", "scl_min"];

/// The keys of formats whose files may have sort keys.
const RECORDS: &[&str] = &["key", "append_only"];

/// The keys of text formats.
const TEXT: &[&str] = &["compression"];

/// A parsed descriptor.
#[derive(Clone, Debug)]
pub struct Descriptor {
    pub(crate) layout: DeclaredLayout,
    /// Told by the file's name when `None`.
    pub(crate) compression: Option<Option<Compression>>,
    requirement: Requirement,
    /// The requirements of the fields that have one.
    fields: Vec<(String, Requirement)>,
    pub(crate) keys: Vec<Key>,
    pub(crate) append_only: bool,
}

/// The format and the layout of the records, as a descriptor declares them.
#[derive(Clone, Debug)]
pub(crate) enum DeclaredLayout {
    Fixed(crate::fixed::FixedLayout),
    Csv(crate::csv::CsvOptions),
    Json(Vec<crate::json::Declared>),
    /// The names of the fields that it protects.
    Parquet(Vec<String>),
    /// The names of the fields that it protects.
    Arrow(Vec<String>),
    /// The name of the file tells the format.
    ByName(Vec<crate::json::Declared>),
}

#[derive(Clone, Copy, PartialEq)]
enum Format {
    Fixed,
    Csv,
    Tsv,
    Json,
    Parquet,
    Arrow,
}

impl Descriptor {
    /// Parses the text of `<file>.toml`; `name` is what errors call it.
    ///
    /// # Errors
    /// `Descriptor`, with line and column.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        if text.len() > TEXT_BYTES_MAX {
            let (count, unit, max) = (text.len(), "bytes", TEXT_BYTES_MAX);
            return Err(Error::descriptor(name, DescriptorProblem::TooMany { count, unit, max }));
        }
        let text = Text { name, text };
        let table = toml::de::DeTable::parse(text.text).map_err(|error| {
            let message = error.message().trim().to_owned();
            text.error(
                error.span().map_or(0, |span| span.start),
                DescriptorProblem::Toml { message },
            )
        })?;
        parse_file(text, table.as_ref())
    }

    /// The format that it says, unless it leaves that to the file's name.
    pub(crate) fn format(&self) -> Option<&'static str> {
        match self.layout {
            DeclaredLayout::Fixed(_) => Some("fixed"),
            DeclaredLayout::Csv(_) => Some("csv"),
            DeclaredLayout::Json(_) => Some("jsonl"),
            DeclaredLayout::Parquet(_) => Some("parquet"),
            DeclaredLayout::Arrow(_) => Some("arrow"),
            DeclaredLayout::ByName(_) => None,
        }
    }

    /// Returns the requirement of the file as a whole.
    pub fn requirement(&self) -> Requirement {
        self.requirement
    }

    /// The fields that demand something of their own, and what: by their names in the file.
    pub fn fields_protected(&self) -> impl Iterator<Item = (&str, Requirement)> {
        self.fields.iter().map(|(name, requirement)| (name.as_str(), *requirement))
    }
}

impl DeclaredLayout {
    /// The same for a file whose name tells the format `by_name`, which counts where the descriptor
    /// does not tell one.
    ///
    /// # Errors
    /// `Descriptor` when there is something that is not for this format.
    pub(crate) fn resolved(self, file: &str, by_name: &str) -> Result<Self> {
        match (self, by_name) {
            (Self::ByName(fields), "jsonl") => Ok(Self::Json(fields)),
            (Self::ByName(fields), "parquet") => json::names_alone(file, fields).map(Self::Parquet),
            (Self::ByName(fields), "arrow") => json::names_alone(file, fields).map(Self::Arrow),
            (Self::ByName(fields), _) => json::csv_options(file, fields).map(Self::Csv),
            (layout, _) => Ok(layout),
        }
    }
}

fn parse_file(text: Text<'_>, table: &toml::de::DeTable<'_>) -> Result<Descriptor> {
    let known: Vec<&str> = keys_of(&[fixed::KEYS, csv::KEYS, TEXT, RECORDS].concat());
    let keys = Keys::new(text, 0, table, &known)?;
    let words = [
        ("fixed", Format::Fixed),
        ("csv", Format::Csv),
        ("tsv", Format::Tsv),
        ("jsonl", Format::Json),
        ("parquet", Format::Parquet),
        ("arrow", Format::Arrow),
    ];
    let format = keys.choice("format", &words)?;
    let requirement = parse_requirement(&keys)?;
    let mut fields = Vec::new();
    let layout = match format {
        Some(Format::Fixed) => {
            let keys = Keys::new(text, 0, table, &keys_of(&[fixed::KEYS, RECORDS].concat()))?;
            DeclaredLayout::Fixed(fixed::parse(&keys, &mut fields)?)
        }
        Some(Format::Parquet) => {
            let keys = Keys::new(text, 0, table, &keys_of(columnar::KEYS))?;
            DeclaredLayout::Parquet(columnar::parse(&keys, &mut fields)?)
        }
        Some(Format::Arrow) => {
            let keys = Keys::new(text, 0, table, &keys_of(columnar::KEYS))?;
            DeclaredLayout::Arrow(columnar::parse(&keys, &mut fields)?)
        }
        None if keys.has("record_length") => {
            return Err(keys.error("format", DescriptorProblem::FormatMissing));
        }
        Some(Format::Json) => {
            let keys = Keys::new(text, 0, table, &keys_of(&[TEXT, RECORDS].concat()))?;
            DeclaredLayout::Json(json::parse(&keys, &mut fields)?)
        }
        None if !keys.has("csv") => {
            let keys = Keys::new(text, 0, table, &keys_of(&[TEXT, RECORDS].concat()))?;
            DeclaredLayout::ByName(json::parse(&keys, &mut fields)?)
        }
        _ => {
            let keys = Keys::new(text, 0, table, &keys_of(&[csv::KEYS, TEXT, RECORDS].concat()))?;
            DeclaredLayout::Csv(csv::parse(&keys, format == Some(Format::Tsv), &mut fields)?)
        }
    };
    fields.retain(|(_, requirement)| *requirement != Requirement::None);
    let compression = parse_compression(&keys)?;
    Ok(Descriptor {
        layout,
        compression,
        requirement,
        fields,
        keys: key::parse(&keys)?,
        append_only: keys.boolean("append_only")?.unwrap_or(false),
    })
}

/// Returns the keys that every format has, with its own between them.
fn keys_of(own: &[&'static str]) -> Vec<&'static str> {
    [COMMON, own, &["field"]].concat()
}

fn parse_compression(keys: &Keys<'_>) -> Result<Option<Option<Compression>>> {
    let words =
        [("none", None), ("gzip", Some(Compression::Gzip)), ("zstd", Some(Compression::Zstd))];
    keys.choice("compression", &words)
}

fn parse_requirement(keys: &Keys<'_>) -> Result<Requirement> {
    let network_encrypt = keys.boolean("network_encrypt")?.unwrap_or(false);
    let scl_min =
        keys.number("scl_min", u32::from(*LEVELS.start())..u32::from(*LEVELS.end()) + 1)?;
    let scl_min = scl_min.and_then(|level| u8::try_from(level).ok());
    // the level is in its bounds
    Ok(Requirement::new(network_encrypt, scl_min).unwrap_or(Requirement::Level(*LEVELS.end())))
}

/// The requirements of fields, by name.
type Requirements = Vec<(String, Requirement)>;

fn parse_fields<'t>(keys: &Keys<'t>, known: &[&str]) -> Result<Vec<Keys<'t>>> {
    let tables = keys.tables("field")?;
    if tables.len() > FIELDS_MAX {
        let (count, unit, max) = (tables.len(), "fields", FIELDS_MAX);
        return Err(keys.error("field", DescriptorProblem::TooMany { count, unit, max }));
    }
    tables.into_iter().map(|(at, table)| Keys::new(keys.text, at, table, known)).collect()
}

fn parse_name(keys: &Keys<'_>) -> Result<String> {
    let name = keys.required("name", keys.string("name")?)?;
    if name.is_empty() {
        return Err(keys.error("name", DescriptorProblem::Empty { key: "name" }));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests;
