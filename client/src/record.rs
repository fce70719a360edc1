//! From a batch to records of a serde type.
//!
//! serde_arrow has a deserializer for each record. It gives an integer only to a type that asks for
//! an integer, and a decimal only as a text. [`Exact`] lies around it, and also gives both as an
//! f64 to a type that asks for one.

use std::fmt;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor,
};

/// Returns the records of a batch.
///
/// # Errors
/// The first value that does not fit `T`, as a text.
pub(crate) fn of_batch<T: DeserializeOwned>(batch: &RecordBatch) -> Result<Vec<T>, String> {
    let schema = batch.schema();
    let exact: Vec<bool> =
        schema.fields().iter().map(|field| is_exact(field.data_type())).collect();
    let records = serde_arrow::Deserializer::from_record_batch(batch).map_err(text)?;
    let records = records.iter().map(|inner| T::deserialize(Exact { inner, columns: &exact }));
    records.collect::<Result<_, _>>().map_err(text)
}

fn is_exact(data_type: &DataType) -> bool {
    data_type.is_integer() || matches!(data_type, DataType::Decimal128(..))
}

/// Leaves out the word that serde_arrow begins every message with, and its back trace.
fn text(error: serde_arrow::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("Error: ").unwrap_or(&text);
    crate::error::printable(text)
}

/// A deserializer of a record or of a value, which gives exact numbers as an f64, too.
struct Exact<'e, D> {
    inner: D,
    /// Says for each column whether its values are exact numbers; for a value, of its column alone.
    columns: &'e [bool],
}

/// Passes a call on. Values that are within the result are deserialized by [`Exact`], too, if
/// `within` is given.
macro_rules! pass_on {
    ($($method:ident($($argument:ident: $type:ty),*);)*) => {$(
        fn $method<V: Visitor<'de>>(
            self,
            $($argument: $type,)*
            visitor: V,
        ) -> Result<V::Value, D::Error> {
            self.inner.$method($($argument,)* visitor)
        }
    )*};
    (within: $($method:ident($($argument:ident: $type:ty),*);)*) => {$(
        fn $method<V: Visitor<'de>>(
            self,
            $($argument: $type,)*
            visitor: V,
        ) -> Result<V::Value, D::Error> {
            self.inner.$method($($argument,)* Within { inner: visitor, columns: self.columns })
        }
    )*};
}

type Names = &'static [&'static str];

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Exact<'_, D> {
    type Error = D::Error;

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        match self.columns {
            [true] => self.inner.deserialize_any(ToFloat(visitor)),
            _ => self.inner.deserialize_f64(visitor),
        }
    }

    pass_on! {
        within:
        deserialize_option();
        deserialize_newtype_struct(name: &'static str);
        deserialize_map();
        deserialize_struct(name: &'static str, fields: Names);
        deserialize_seq();
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
    }

    pass_on! {
        deserialize_any();
        deserialize_ignored_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_f32();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_enum(name: &'static str, variants: Names);
        deserialize_identifier();
    }
}

/// A visitor or an access whose parts are deserialized by [`Exact`].
struct Within<'e, T> {
    inner: T,
    columns: &'e [bool],
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Within<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Exact { inner, columns: self.columns })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(Exact { inner, columns: self.columns })
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(Within { inner, columns: self.columns })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(Within { inner, columns: self.columns })
    }
}

impl<'e, T> Within<'e, T> {
    /// Wraps what deserializes the value of the next column.
    fn next<S>(&mut self, inner: S) -> Exact<'e, S> {
        let (column, rest) = self.columns.split_at_checked(1).unwrap_or_default();
        self.columns = rest;
        Exact { inner, columns: column }
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Within<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let seed = self.next(seed);
        self.inner.next_value_seed(seed)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Within<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let seed = self.next(seed);
        self.inner.next_element_seed(seed)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Exact<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Exact { inner, columns: self.columns })
    }
}

/// Gives an exact number to a visitor as the nearest f64.
struct ToFloat<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for ToFloat<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    #[expect(clippy::cast_precision_loss, reason = "documented at `RecordStream`")]
    fn visit_i64<E: Error>(self, integer: i64) -> Result<V::Value, E> {
        self.0.visit_f64(integer as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "documented at `RecordStream`")]
    fn visit_u64<E: Error>(self, integer: u64) -> Result<V::Value, E> {
        self.0.visit_f64(integer as f64)
    }

    fn visit_str<E: Error>(self, decimal: &str) -> Result<V::Value, E> {
        let float = decimal.parse().map_err(E::custom)?;
        self.0.visit_f64(float)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        Err(E::custom("a value is NULL, and the field is not an Option"))
    }
}
