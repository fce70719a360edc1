//! The problems of a descriptor: of its text, and of a file that it does not fit. Only this file
//! makes their sentences.

use std::ops::RangeInclusive;

use super::copybook::CopybookProblem;

/// The reason why a descriptor or a copybook cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say it")]
pub enum DescriptorProblem {
    // the text
    #[error("{count} {unit}, at most {max} are accepted")]
    TooMany { count: usize, unit: &'static str, max: usize },
    /// The crate that parses TOML made the message.
    #[error("{message}")]
    Toml { message: String },

    // keys and their values
    #[error("unknown key `{key}`; {}", key_hint(.nearest.as_deref(), .known))]
    UnknownKey { key: String, nearest: Option<String>, known: String },
    #[error("`{key}` is missing")]
    Missing { key: String },
    #[error("`format` is missing; `record_length` is for \"fixed\"")]
    FormatMissing,
    #[error("`{key}` is empty")]
    Empty { key: &'static str },
    #[error("`{key}` has to be {expected}")]
    WrongValue { key: String, expected: &'static str },
    #[error("`{key}` has to be a whole number from {min} to {max}")]
    WrongNumber { key: String, min: u32, max: u32 },
    #[error("`{key}` cannot be \"{word}\"; {}", word_hint(.nearest.as_deref(), .known))]
    WrongWord { key: String, word: String, nearest: Option<String>, known: String },
    #[error("`{key}` has \"{word}\" twice")]
    Twice { key: String, word: String },
    #[error("expected tables, `[[field]]`")]
    NotTables,

    // the tables of fields and keys
    #[error("there are two {tables} `{name}`")]
    SameName { tables: &'static str, name: String },
    #[error("a fixed-length file needs at least one `[[field]]`")]
    NoFields,
    #[error("without a header, every field needs a `[[field]]`")]
    NoHeaderNoFields,
    #[error("field `{name}` ends at byte {end}, the record has {record_length}")]
    FieldEnd { name: String, end: u64, record_length: u32 },
    #[error("field `{name}`: {problem}")]
    Field { name: String, problem: FieldProblem },
    #[error("`columns` has {found}, expected 1 to {columns_max}")]
    KeyColumns { found: usize, columns_max: usize },
    #[error("\"{column}\" is not in `columns`")]
    Descending { column: String },

    // the file
    #[error(
        "no descriptor {file}.toml, and its name has none of the endings {}",
        list_endings(.endings)
    )]
    NoDescriptor { file: String, endings: Vec<&'static str> },
    #[error("{file} is Parquet by its name, which has types of its own; say `format` if it is not")]
    OwnTypes { file: String },
    #[error("field `{field}`: `path` and the type \"json\" are for `format = \"jsonl\"`")]
    FieldOfJson { field: String },
    #[error("no field `{field}` in the {place}, which has {}", quoted(.known))]
    UnknownField { field: String, place: &'static str, known: Vec<String> },
    /// The names of the fields are encrypted in the file.
    #[error("a field of it is not in the file")]
    UnknownFieldHidden,
    #[error(
        "{bytes} bytes are {} records of {stride} bytes (terminator included) and {} bytes more",
        .bytes / .stride,
        .bytes % .stride
    )]
    PartOfRecord { bytes: u64, stride: u64 },
    #[error("a compressed file has no `[[key]]`")]
    CompressedKey,
    #[error("key `{key}`: no field `{column}` in the file")]
    KeyColumnUnknown { key: String, column: String },
    #[error("key `{key}`: several fields in the file are called `{column}`")]
    KeyColumnTwice { key: String, column: String },
    #[error("key `{key}`: a column of it has values without an order")]
    KeyColumnUnordered { key: String },

    // the members of JSON Lines
    #[error(
        "more than {members_max} members in the first records; declare in {descriptor} those that \
         are wanted"
    )]
    TooManyMembers { members_max: usize, descriptor: String },
    #[error("two members have the name `{name}`; tell them apart in {descriptor} by `path`")]
    SameMember { name: String, descriptor: String },
    #[error("no member `{name}` in the first records; give its `type` if it comes later")]
    UnknownMember { name: String },
    #[error("field `{name}`: more than {members_max} members in it and in the first records")]
    TooManyMembersWith { name: String, members_max: usize },
    #[error(
        "field `{name}` is an object in the first records; give it the type \"json\", or name its \
         members"
    )]
    UntypedObject { name: String },

    /// A copybook, from which a descriptor would be made.
    #[error(transparent)]
    Copybook(#[from] CopybookProblem),
}

/// The reason why a field of a fixed-length record cannot be read as its keys say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say it")]
pub enum FieldProblem {
    #[error("`{key}` is for {uses}")]
    UnusedKey { key: &'static str, uses: &'static str },
    #[error("{bytes} bytes, this type has {expected}")]
    Length { bytes: usize, expected: FieldLength },
    #[error("scale {scale}, the field has {digits} digits")]
    Scale { scale: u8, digits: u8 },
    #[error("`byte_order` is missing: \"little\" or \"big\"")]
    ByteOrderMissing,
    #[error("in an EBCDIC field the sign is \"overpunch\" or \"leading-overpunch\"")]
    EbcdicSign,
    #[error("`{key}` has to be one ASCII character")]
    NotCharacter { key: &'static str },
    #[error("`true_when` and `false_when` are the same")]
    SameBooleans,

    // dates
    #[error(transparent)]
    Format(#[from] FormatProblem),
    #[error("{format} has a time, so `type` is \"timestamp\"")]
    HasTime { format: String },
    #[error("{format} has no time, so `type` is \"date\"")]
    HasNoTime { format: String },
    #[error("{format} has separators, which only `coding = \"digits\"` has")]
    Separators { format: String },
    #[error("{format} has {digits} digits, an integer 19 at most")]
    TooManyDigits { format: String, digits: usize },
    #[error("`century_pivot` is for years of two digits, not {format}")]
    PivotUnused { format: String },
    #[error("`century_pivot` is missing: years below it are 20YY, others 19YY")]
    PivotMissing,
}

/// The reason why a text is not a format of dates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say it")]
pub enum FormatProblem {
    #[error("{chars} characters, at most {chars_max} are accepted")]
    TooLong { chars: usize, chars_max: usize },
    #[error("`{part}` is none of YYYY, YY, CYY, MM, DD, DDD, HH, SS, f to ffffff and - / . : T")]
    UnknownPart { part: String },
    #[error("`{part}` stands there twice")]
    PartTwice { part: String },
    #[error("too many parts")]
    TooManyParts,
    #[error("a date has one year: YYYY, YY or CYY")]
    Year,
    #[error("a date has MM and DD, or DDD")]
    Day,
    #[error("a time has HH, then MM, SS and f")]
    Time,
}

/// The lengths that a type of a fixed-length record may have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say it")]
pub enum FieldLength {
    #[error("{}", byte_count(.0))]
    Range(RangeInclusive<usize>),
    #[error("4 or 8 bytes")]
    Float,
    /// `stored` is `" packed"`, `" in binary"` or empty.
    #[error("{}, {format}{stored}", byte_count(.bytes))]
    Date { bytes: RangeInclusive<usize>, format: String, stored: &'static str },
}

fn byte_count(bytes: &RangeInclusive<usize>) -> String {
    match (bytes.start(), bytes.end()) {
        (1, 1) => "1 byte".to_owned(),
        (min, max) if min == max => format!("{min} bytes"),
        (min, max) => format!("{min} to {max} bytes"),
    }
}

fn key_hint(nearest: Option<&str>, known: &str) -> String {
    nearest.map_or_else(
        || format!("the keys here are {known}"),
        |nearest| format!("did you mean `{nearest}`?"),
    )
}

fn word_hint(nearest: Option<&str>, known: &str) -> String {
    nearest.map_or_else(
        || format!("it is one of {known}"),
        |nearest| format!("did you mean \"{nearest}\"?"),
    )
}

fn list_endings(endings: &[&str]) -> String {
    endings.iter().map(|ending| format!(".{ending}")).collect::<Vec<_>>().join(", ")
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
