//! The minimum and maximum of an array, and bounds as arrays.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, PrimitiveArray,
    StringArray, new_null_array,
};
use arrow::compute::{max, max_boolean, max_string, min, min_boolean, min_string};
use arrow::datatypes::{
    ArrowNativeType, ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};

use crate::expr::numeric;
use sift_files::types::{integer_at, text_at};

/// Longest text whose bounds are exact, in bytes.
const TEXT_BYTES_MAX: usize = 32;

/// A lower or an upper bound of some values.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Bound {
    /// An integer, or the integer that represents a decimal, a date or a timestamp.
    Integer(i128),
    Float(f64),
    Boolean(bool),
    Text(String),
}

/// The minimum and the maximum of some values, in the order that WHERE compares in.
#[derive(Clone, Debug, Default)]
pub(super) struct Bounds {
    pub(super) min: Option<Bound>,
    pub(super) max: Option<Bound>,
}

/// Calls a generic function with the primitive type of a type that integers represent.
macro_rules! with_integers {
    ($data_type:expr, $call:ident($($argument:expr),*), $other:expr) => {
        match $data_type {
            DataType::Int8 => $call::<Int8Type>($($argument),*),
            DataType::Int16 => $call::<Int16Type>($($argument),*),
            DataType::Int32 => $call::<Int32Type>($($argument),*),
            DataType::Int64 => $call::<Int64Type>($($argument),*),
            DataType::Date32 => $call::<Date32Type>($($argument),*),
            DataType::Timestamp(TimeUnit::Microsecond, None) => {
                $call::<TimestampMicrosecondType>($($argument),*)
            }
            DataType::Decimal128(..) => $call::<Decimal128Type>($($argument),*),
            _ => $other,
        }
    };
}

impl Bounds {
    /// Returns the bounds of the values that are not null.
    pub(super) fn of(values: &ArrayRef) -> Self {
        let comparable = numeric::comparable(Arc::clone(values));
        match values.data_type() {
            DataType::Utf8 => {
                let texts = values.as_string::<i32>();
                Self {
                    min: min_string(texts).map(|text| Bound::Text(prefix(text).to_owned())),
                    max: max_string(texts).and_then(above).map(Bound::Text),
                }
            }
            DataType::Boolean => {
                let booleans = values.as_boolean();
                Self {
                    min: min_boolean(booleans).map(Bound::Boolean),
                    max: max_boolean(booleans).map(Bound::Boolean),
                }
            }
            DataType::Float32 => {
                let floats = comparable.as_primitive::<Float32Type>();
                let bound = |value: Option<f32>| value.map(|value| Bound::Float(value.into()));
                Self { min: bound(min(floats)), max: bound(max(floats)) }
            }
            DataType::Float64 => {
                let floats = comparable.as_primitive::<Float64Type>();
                Self { min: min(floats).map(Bound::Float), max: max(floats).map(Bound::Float) }
            }
            data_type => with_integers!(data_type, of_integers(values), Self::default()),
        }
    }
}

fn of_integers<T: ArrowPrimitiveType>(values: &ArrayRef) -> Bounds
where
    T::Native: ArrowNativeType + Into<i128>,
{
    let values = values.as_primitive::<T>();
    let bound = |value: Option<T::Native>| value.map(|value| Bound::Integer(value.into()));
    Bounds { min: bound(min(values)), max: bound(max(values)) }
}

/// Returns the start of a text, which is its lower bound.
fn prefix(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

/// Returns a short text that is not less; `None` if there is none.
fn above(text: &str) -> Option<String> {
    let start = prefix(text);
    if start.len() == text.len() { Some(text.to_owned()) } else { text_after(start) }
}

/// Returns the smallest text above all that start with `prefix`; `None` if there is none.
pub(crate) fn text_after(prefix: &str) -> Option<String> {
    let mut start = prefix.to_owned();
    while let Some(last) = start.pop() {
        // between D7FF and E000 there are no characters
        let next =
            char::from_u32(u32::from(last) + 1).or((last == '\u{D7FF}').then_some('\u{E000}'));
        if let Some(next) = next {
            start.push(next);
            return Some(start);
        }
    }
    None
}

/// Returns bounds as an array of the column's type; `None` if one is of another type.
pub(super) fn to_array(bounds: &[Option<Bound>], data_type: &DataType) -> Option<ArrayRef> {
    macro_rules! values {
        ($variant:ident) => {
            bounds.iter().map(|bound| match bound {
                None => Some(None),
                Some(Bound::$variant(value)) => Some(Some(value)),
                Some(_) => None,
            })
        };
    }
    Some(match data_type {
        DataType::Utf8 => Arc::new(values!(Text).collect::<Option<StringArray>>()?),
        DataType::Boolean => {
            let values = values!(Boolean).map(|value| value.map(Option::<&bool>::copied));
            Arc::new(values.collect::<Option<BooleanArray>>()?)
        }
        DataType::Float32 => {
            #[expect(clippy::cast_possible_truncation, reason = "it was made of 32 bits")]
            let values = values!(Float).map(|value| value.map(|value| value.map(|v| *v as f32)));
            Arc::new(values.collect::<Option<Float32Array>>()?)
        }
        DataType::Float64 => {
            let values = values!(Float).map(|value| value.map(Option::<&f64>::copied));
            Arc::new(values.collect::<Option<Float64Array>>()?)
        }
        data_type => {
            let values: Vec<Option<i128>> = values!(Integer)
                .map(|value| value.map(Option::<&i128>::copied))
                .collect::<Option<_>>()?;
            let nothing = || {
                values.iter().all(Option::is_none).then(|| new_null_array(data_type, values.len()))
            };
            with_integers!(data_type, to_integers(&values, data_type), nothing())?
        }
    })
}

fn to_integers<T: ArrowPrimitiveType>(
    values: &[Option<i128>],
    data_type: &DataType,
) -> Option<ArrayRef>
where
    T::Native: TryFrom<i128>,
{
    let value = |value: &Option<i128>| match value {
        None => Some(None),
        Some(value) => T::Native::try_from(*value).ok().map(Some),
    };
    let values = values.iter().map(value).collect::<Option<Vec<_>>>()?;
    Some(Arc::new(PrimitiveArray::<T>::from_iter(values).with_data_type(data_type.clone())))
}

/// Returns the bound at an index of an array.
pub(super) fn at(bounds: &ArrayRef, place: usize) -> Option<Bound> {
    if bounds.is_null(place) {
        return None;
    }
    match bounds.data_type() {
        DataType::Utf8 => text_at(bounds, place).map(|text| Bound::Text(text.to_owned())),
        DataType::Boolean => Some(Bound::Boolean(bounds.as_boolean().value(place))),
        DataType::Float32 => {
            Some(Bound::Float(bounds.as_primitive::<Float32Type>().value(place).into()))
        }
        DataType::Float64 => Some(Bound::Float(bounds.as_primitive::<Float64Type>().value(place))),
        _ => integer_at(bounds, place).map(Bound::Integer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: &[&str]) -> Bounds {
        Bounds::of(&(Arc::new(StringArray::from(values.to_vec())) as ArrayRef))
    }

    #[test]
    fn bounds_of_long_texts_are_short_and_hold() {
        let long = |last: &str| format!("{}{last}", "x".repeat(TEXT_BYTES_MAX - 1));
        let text = |text: &str| Some(Bound::Text(text.to_owned()));
        let bounds = texts(&[&long("abc"), &long("b")]);
        assert_eq!(bounds.min, text(&long("a")));
        assert_eq!(bounds.max, text(&long("b")));
        assert_eq!(texts(&[&long("yz")]).max, text(&long("z")));
        // a character that does not fit is not cut
        let wide = texts(&[&long("é!")]);
        assert_eq!((wide.min, wide.max), (text(&long("")), text(&format!("{}y", &long("")[1..]))));
        let last = texts(&[&"\u{10FFFF}".repeat(9)]);
        assert_eq!((last.min, last.max), (text(&"\u{10FFFF}".repeat(8)), None));
        assert_eq!(
            texts(&[&"\u{D7FF}".repeat(11)]).max,
            text(&format!("{}\u{E000}", "\u{D7FF}".repeat(9)))
        );
        assert_eq!(texts(&["", "a"]).min, text(""));
    }

    #[test]
    fn floats_have_the_order_of_comparisons() {
        let floats = |values: &[f64]| {
            Bounds::of(&(Arc::new(Float64Array::from(values.to_vec())) as ArrayRef))
        };
        let bounds = floats(&[-f64::NAN, 1.0, -0.0]);
        assert_eq!(bounds.min, Some(Bound::Float(0.0)));
        assert!(matches!(bounds.max, Some(Bound::Float(value)) if value.is_nan()));
        assert!(matches!(floats(&[f64::NAN]).min, Some(Bound::Float(value)) if value.is_nan()));
    }

    #[test]
    fn arrays_and_back() {
        let decimal = DataType::Decimal128(5, 2);
        let bounds = [Some(Bound::Integer(-150)), None];
        let array = to_array(&bounds, &decimal).unwrap();
        assert_eq!(
            (array.data_type(), at(&array, 0), at(&array, 1)),
            (&decimal, bounds[0].clone(), None)
        );
        assert!(to_array(&[Some(Bound::Integer(128))], &DataType::Int8).is_none());
        assert!(to_array(&[Some(Bound::Boolean(true))], &DataType::Int8).is_none());
        assert!(to_array(&[None], &DataType::Binary).is_some());
        assert!(to_array(&[Some(Bound::Integer(1))], &DataType::Binary).is_none());
    }
}
