//! The problems of a copybook. Only this file makes their sentences.

/// The reason why a copybook does not tell the layout of a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say it")]
pub enum CopybookProblem {
    // the lines
    #[error("`{found}` stands in the indicator column; is the source format fixed?")]
    Indicator { found: char },
    #[error("a literal goes on here, so {quote} has to come first")]
    Continuation { quote: char },
    #[error("a literal has no end")]
    OpenLiteral,

    // the entries
    #[error("more than {entries_max} entries")]
    TooManyEntries { entries_max: usize },
    #[error("{word} is not followed; give the text that it makes")]
    NotFollowed { word: String },
    #[error("{expected} is missing")]
    Missing { expected: &'static str },
    #[error("a period is missing at the end")]
    PeriodMissing,
    #[error("`{word}`: {expected} is a number from 1 to {max}")]
    WrongNumber { word: String, expected: &'static str, max: u32 },
    #[error("`{word}` is not a level number; an entry begins with 01 to 49, 66, 77 or 88")]
    NotLevel { word: String },
    #[error("`{word}` is not a name of letters, digits, - and _")]
    NotName { word: String },
    #[error("a name has at most {chars_max} characters")]
    LongName { chars_max: usize },
    #[error("PICTURE {string}: {problem}")]
    Picture { string: String, problem: PictureProblem },
    #[error("OCCURS … TO … is not supported: records have one length")]
    OccursTo,
    #[error("OCCURS DEPENDING ON is not supported: records have one length")]
    OccursDepending,
    #[error("SYNCHRONIZED is not supported: it moves what follows")]
    Synchronized,
    #[error("`{word}` is not supported here; is a period missing?")]
    Unsupported { word: String },

    // PICTURE, USAGE and SIGN together
    #[error("an elementary item needs a PICTURE")]
    NoPicture,
    #[error("a group has no PICTURE")]
    PictureOfGroup,
    #[error("this USAGE has no PICTURE")]
    PictureOfUsage,
    #[error("this USAGE is for numbers")]
    UsageOfText,
    #[error("COMP-6 has no sign")]
    SignOfComp6,
    #[error("{digits} digits, a packed decimal has {digits_max} at most")]
    PackedDigits { digits: u8, digits_max: u8 },
    #[error("{digits} digits, a binary number has {digits_max} at most")]
    BinaryDigits { digits: u8, digits_max: u8 },

    // the layout
    #[error("there is no item with a name")]
    NoFields,
    #[error("level {level:02} after items of no record")]
    LateRecord { level: u8 },
    #[error("level {level:02}, the items before it in this group have {level_before:02}")]
    Level { level: u8, level_before: u8 },
    #[error("{bytes} bytes, a record has at most {bytes_max}")]
    RecordBytes { bytes: u64, bytes_max: u32 },
    #[error("more than {fields_max} fields, elements included")]
    TooManyFields { fields_max: usize },
    #[error("there are two items `{name}`")]
    SameName { name: String },
    #[error("names of {bytes} bytes, elements included; at most {bytes_max}")]
    NameBytes { bytes: usize, bytes_max: usize },
    #[error("`{name}` is not the item before this one")]
    RedefinesOther { name: String },
    #[error("{bytes} bytes redefine `{name}`, which has {name_bytes}")]
    RedefinesShorter { bytes: u32, name: String, name_bytes: u32 },
    #[error("`{name}` redefines nothing; nothing here does")]
    NoRedefinition { name: String },
    #[error("`{name}` is not a definition of this copybook; it has {}", .known.join(", "))]
    UnknownDefinition { name: String, known: Vec<String> },
}

/// The reason why a string of PICTURE has no meaning here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say it")]
pub enum PictureProblem {
    #[error("a parenthesis has no end")]
    OpenParenthesis,
    #[error("`({number})` is not a number from 1 to {max}")]
    Repetition { number: String, max: u32 },
    #[error("`S` stands once, and first")]
    Sign,
    #[error("`V` stands there twice")]
    PointTwice,
    #[error("`P` (scaling positions) is not supported")]
    Scaling,
    #[error("`{symbol}` (national characters) is not supported")]
    National { symbol: char },
    #[error("`{symbol}` is not a symbol of a PICTURE")]
    UnknownSymbol { symbol: char },
    #[error("more than {chars_max} characters")]
    TooLong { chars_max: u32 },
    #[error("it has no characters")]
    Empty,
    #[error("`S` is for numbers, of 9 and V")]
    SignOfText,
    #[error("{digits} digits, at most {digits_max} are accepted")]
    TooManyDigits { digits: u32, digits_max: u32 },
}
