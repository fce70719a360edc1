//! Values that come from outside a file: literals of the text and parameters.

/// One typed value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// NULL, of whatever type the place needs.
    Null,
    /// true or false
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A binary floating-point number.
    Float(f64),
    /// An exact decimal: `digits` divided by 10 to the power of `scale`.
    Decimal {
        /// All digits, with the sign.
        digits: i128,
        /// Digits after the point, 0 to 38.
        scale: u8,
    },
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01T00:00:00, without a time zone.
    Timestamp(i64),
}
