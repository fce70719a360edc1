//! The types that texts are read as.

/// A type that a text is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Type {
    Boolean,
    Smallint,
    Integer,
    Bigint,
    Numeric,
    /// A decimal with few digits.
    Amount,
    Real,
    Double,
    Date,
    Timestamp,
    Interval,
}

impl Type {
    pub(super) const ALL: &[Self] = &[
        Self::Boolean,
        Self::Smallint,
        Self::Integer,
        Self::Bigint,
        Self::Numeric,
        Self::Amount,
        Self::Real,
        Self::Double,
        Self::Date,
        Self::Timestamp,
        Self::Interval,
    ];

    /// Returns the type in SQL.
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Smallint => "smallint",
            Self::Integer => "integer",
            Self::Bigint => "bigint",
            Self::Numeric => "numeric",
            Self::Amount => "numeric(7,3)",
            Self::Real => "real",
            Self::Double => "double precision",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Interval => "interval",
        }
    }

    /// Parses the text of [`sql`](Self::sql).
    pub(super) fn parse(sql: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|of| of.sql() == sql)
    }
}
