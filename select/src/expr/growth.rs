//! Bytes that the values of an expression take, estimated from above. Morsels are cut so small that
//! their results fit into memory, even if functions make long texts of short records.

use arrow::datatypes::DataType;

use super::functions::{Function, TextGrowth, VALUE_BYTES_MAX};
use super::{Expr, ExprKind, Literal};
use crate::value::Value;

/// Bytes of an offset, and of the text of a number or date.
const OFFSET_BYTES: usize = 4;
const SHOWN_BYTES: usize = 48;
/// Bytes of the longest character, and the factor by which another case may be longer.
const CHARACTER_BYTES: usize = 4;
const CASE_FACTOR: usize = 2;

impl Expr {
    /// Returns the bytes that evaluation makes for each record, if the texts of a record take
    /// `record_bytes`.
    pub(crate) fn made_bytes(&self, record_bytes: usize) -> usize {
        let own = match &self.kind {
            ExprKind::Column(_) => 0,
            _ => self.value_bytes(record_bytes),
        };
        self.children().map(|child| child.made_bytes(record_bytes)).fold(own, usize::saturating_add)
    }

    /// Returns the bytes of one value.
    fn value_bytes(&self, record_bytes: usize) -> usize {
        if !matches!(self.data_type, DataType::Utf8 | DataType::Binary) {
            return self.data_type.primitive_width().unwrap_or(1);
        }
        let of_children = || {
            let children = self.children().map(|child| child.value_bytes(record_bytes));
            children.fold(OFFSET_BYTES, usize::saturating_add)
        };
        match &self.kind {
            ExprKind::Column(_) => record_bytes.saturating_add(OFFSET_BYTES),
            ExprKind::Literal(Literal { value: Value::Text(text), .. }) => {
                OFFSET_BYTES + text.len()
            }
            ExprKind::Literal(Literal { value: Value::Binary(bytes), .. }) => {
                OFFSET_BYTES + bytes.len()
            }
            ExprKind::Cast(_) => SHOWN_BYTES,
            ExprKind::Call { function, arguments } => {
                let sizes = arguments.iter().map(|argument| argument.value_bytes(record_bytes));
                let bytes = called_bytes(function, arguments, &sizes.collect::<Vec<_>>());
                bytes.saturating_add(OFFSET_BYTES)
            }
            _ => of_children(),
        }
    }
}

/// Returns the bytes of the text that a function makes of arguments of these sizes.
fn called_bytes(function: &Function, arguments: &[Expr], sizes: &[usize]) -> usize {
    let bytes = sizes.iter().copied().fold(0, usize::saturating_add);
    let text = sizes.first().copied().unwrap_or(0);
    let made = match function.grows {
        TextGrowth::Not => return text,
        TextGrowth::ByCase => return text.saturating_mul(CASE_FACTOR),
        TextGrowth::Sum => bytes,
        TextGrowth::ToLength => constant(arguments.get(1))
            .map_or(VALUE_BYTES_MAX, |length| length.saturating_mul(CHARACTER_BYTES)),
        TextGrowth::Times => {
            constant(arguments.get(1)).map_or(VALUE_BYTES_MAX, |times| text.saturating_mul(times))
        }
        TextGrowth::ByReplacing => {
            let sought = constant_text(arguments.get(1)).map_or(1, |sought| sought.len().max(1));
            match constant_text(arguments.get(2)) {
                Some(new) => text.saturating_mul(new.len().div_ceil(sought).max(1)),
                None => VALUE_BYTES_MAX,
            }
        }
    };
    made.min(VALUE_BYTES_MAX)
}

fn constant(argument: Option<&Expr>) -> Option<usize> {
    match argument?.kind {
        ExprKind::Literal(Literal { value: Value::Integer(value), .. }) => {
            Some(usize::try_from(value).unwrap_or(0))
        }
        _ => None,
    }
}

fn constant_text(argument: Option<&Expr>) -> Option<&str> {
    match &argument?.kind {
        ExprKind::Literal(Literal { value: Value::Text(text), .. }) => Some(text),
        _ => None,
    }
}
