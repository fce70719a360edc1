//! The problems of a record: one variant for each complaint. Only this file makes their sentences.

pub(crate) mod column;
pub(crate) mod copybook;
pub(crate) mod descriptor;
pub(crate) mod thrift;

use crate::excerpt::Excerpt;
use crate::field_type::FieldType;
use column::ColumnProblem;

/// The reason why a record, or a field of it, cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The record is too long.
    #[error("longer than {bytes_max} bytes, the most that is accepted")]
    TooLong {
        /// The most bytes that are accepted.
        bytes_max: usize,
    },
    /// The record is too long, which a quote that is not closed may cause.
    #[error("longer than {bytes_max} bytes, the most that is accepted; is a quote not closed?")]
    TooLongQuoted {
        /// The most bytes that are accepted.
        bytes_max: usize,
    },
    /// A quoted field goes on to the end of the file.
    #[error("a quote is not closed before the end of the file")]
    UnclosedQuote,
    /// A quote in a field without quotes.
    #[error("a quote within a field that does not start with one")]
    StrayQuote,
    /// A carriage return that is not part of a line end.
    #[error(
        "a carriage return that no line feed follows; a field that has one needs quotes, and lines \
         that end with it alone need line feeds, as `tr '\\r' '\\n'` makes them"
    )]
    StrayCarriageReturn,
    /// Something follows a quoted field.
    #[error("{found} follows a closing quote, expected a delimiter or the end of the record")]
    AfterQuote {
        /// The text after the quote.
        found: Excerpt,
    },
    /// The record has another number of fields.
    #[error("{found} {}, {expected_by} has {expected}", fields(*.found))]
    FieldCount {
        /// The fields of the record.
        found: usize,
        /// The fields that it should have.
        expected: usize,
        /// The source of the number: the header or the descriptor.
        expected_by: Box<str>,
    },
    /// A fixed-length record does not end with its terminator.
    #[error(
        "{found} stands where the terminator {expected} should; is record_length {record_length} \
         right?"
    )]
    WrongTerminator {
        /// The bytes that the record ends with.
        found: Excerpt,
        /// The terminator.
        expected: Excerpt,
        /// The record length of the descriptor.
        record_length: usize,
    },
    /// The record is not text in UTF-8.
    #[error("not UTF-8 at byte {byte} of the record")]
    RecordNotUtf8 {
        /// Counted from the start of the record.
        byte: usize,
    },
    /// The record is not JSON.
    #[error(
        "{expected}, got {} at byte {byte} of the record",
        text_or_end(.found.as_ref())
    )]
    Json {
        /// The rule of the grammar that is broken.
        expected: &'static str,
        /// The text there; `None` at the end of the record.
        found: Option<Excerpt>,
        /// Counted from the start of the record.
        byte: usize,
    },
    /// A member that is not a column, though `*` asks for all.
    #[error(
        "not in the first records, so it is not a column of `*`; name the columns that are wanted, or \
         declare all with their types in {descriptor}"
    )]
    UnlistedMember {
        /// The name of the descriptor.
        descriptor: Box<str>,
    },
    /// A value that should hold a member is not an object.
    #[error("`{name}` is not an object; declare it as \"json\" in {descriptor}")]
    NotObject {
        /// The dotted path of the value.
        name: Box<str>,
        /// The name of the descriptor.
        descriptor: Box<str>,
    },
    /// A text that is not UTF-8.
    #[error("{value} is not UTF-8")]
    NotUtf8 {
        /// The bytes of the value.
        value: Excerpt,
    },
    /// A value of a text file that does not have the type of its field.
    #[error("{value} is not {field_type}, {}", type_origin(*.origin, .descriptor))]
    NotOfType {
        /// The text of the value.
        value: Excerpt,
        /// The type of the field.
        field_type: FieldType,
        /// The source of the type.
        origin: TypeOrigin,
        /// The name of the descriptor.
        descriptor: Box<str>,
    },
    /// A value of a fixed-length record that is not what its field stores.
    #[error("{value} is not {expected}{}", null_hint(*.null_when))]
    NotStored {
        /// The bytes of the value.
        value: Excerpt,
        /// The form in which the field stores values: `a packed decimal`.
        expected: Box<str>,
        /// The `null_when` constant that the value is, if the field has none.
        null_when: Option<&'static str>,
    },
    /// A value, page or buffer of a file that stores columns.
    #[error(transparent)]
    Column(#[from] ColumnProblem),
}

/// The source of a field's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeOrigin {
    /// The descriptor declares it.
    Declared,
    /// The first records have it.
    Inferred,
    /// The first records have it, and only the type "json" takes all values.
    InferredFromJson,
}

fn fields(count: usize) -> &'static str {
    if count == 1 { "field" } else { "fields" }
}

fn text_or_end(text: Option<&Excerpt>) -> String {
    text.map_or_else(|| "the end of the record".to_owned(), Excerpt::to_string)
}

fn type_origin(origin: TypeOrigin, descriptor: &str) -> String {
    match origin {
        TypeOrigin::Declared => format!("the type in {descriptor}"),
        TypeOrigin::Inferred => {
            format!("the type by the first records; declare the field's type in {descriptor}")
        }
        TypeOrigin::InferredFromJson => {
            format!("the type by the first records; declare the field as \"json\" in {descriptor}")
        }
    }
}

fn null_hint(constant: Option<&'static str>) -> String {
    let hint = |constant| format!("; if that means NULL, say null_when = \"{constant}\"");
    constant.map(hint).unwrap_or_default()
}
