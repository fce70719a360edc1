//! The types of the operands and results of arithmetic.

use arrow::datatypes::{DataType, Field};

use crate::sql::syntax::{ArithmeticOp, Position};
use crate::value::common::{decimal, digits_of, is_number, quotient_scale};
use crate::{Error, ErrorKind};
use sift_files::types::{DECIMAL_DIGITS_MAX, INTERVAL, TIMESTAMP, type_name};

/// Makes the error of a column that Selects do not read.
pub(crate) fn not_selectable(column: &Field, at: Position) -> Error {
    let message = format!(
        "column `{}` is a {}, which Selects do not read",
        column.name(),
        type_name(column.data_type())
    );
    at.error(ErrorKind::Unsupported, message)
}

/// One operand of an arithmetic operation.
#[derive(Clone, Debug)]
pub(crate) struct Operand {
    pub(crate) data_type: DataType,
    /// The number of digits of an integer literal.
    pub(crate) whole_digits: Option<u8>,
}

impl Operand {
    fn digits(&self) -> Option<(u8, u8)> {
        self.whole_digits.map_or_else(|| digits_of(&self.data_type), |digits| Some((digits, 0)))
    }
}

/// Returns the types that both operands are brought to, and the type of the result.
///
/// Integers are computed in 64 bits. Decimals keep every digit of sums and products, up to 38; a
/// quotient has at least 16 digits after the point. With a float on one side, both are floats.
pub(crate) fn arithmetic(
    op: ArithmeticOp,
    left: &Operand,
    right: &Operand,
) -> Option<(DataType, DataType, DataType)> {
    use ArithmeticOp as Op;
    use DataType::{Date32, Float64, Int64, Interval};
    let (l, r) = (&left.data_type, &right.data_type);
    let is_time = |data_type: &DataType| *data_type == Date32 || *data_type == TIMESTAMP;
    match (op, l, r) {
        (_, l, r) if l.is_integer() && r.is_integer() => Some((Int64, Int64, Int64)),
        (Op::Subtract, Date32, Date32) => Some((Date32, Date32, Int64)),
        (Op::Add | Op::Subtract, Date32, r) if r.is_integer() => Some((Date32, Int64, Date32)),
        (Op::Add, l, Date32) if l.is_integer() => Some((Int64, Date32, Date32)),
        (Op::Subtract, l, r) if is_time(l) && is_time(r) => Some((TIMESTAMP, TIMESTAMP, INTERVAL)),
        (Op::Add | Op::Subtract, l, Interval(_)) if is_time(l) => {
            Some((TIMESTAMP, INTERVAL, TIMESTAMP))
        }
        (Op::Add, Interval(_), r) if is_time(r) => Some((INTERVAL, TIMESTAMP, TIMESTAMP)),
        (Op::Add | Op::Subtract, Interval(_), Interval(_)) => Some((INTERVAL, INTERVAL, INTERVAL)),
        (Op::Multiply, Interval(_), r) if r.is_integer() => Some((INTERVAL, Int64, INTERVAL)),
        (Op::Multiply, l, Interval(_)) if l.is_integer() => Some((Int64, INTERVAL, INTERVAL)),
        _ if let (Some(left), Some(right)) = (left.digits(), right.digits()) => {
            let result = decimal_result(op, left, right)?;
            Some((decimal(left.0, left.1), decimal(right.0, right.1), result))
        }
        // PostgreSQL has no remainder of floats
        (op, l, r) if op != Op::Modulo && is_number(l) && is_number(r) => {
            Some((Float64, Float64, Float64))
        }
        _ => None,
    }
}

fn decimal_result(op: ArithmeticOp, (p1, s1): (u8, u8), (p2, s2): (u8, u8)) -> Option<DataType> {
    let (whole, scale) = ((p1 - s1).max(p2 - s2), s1.max(s2));
    Some(match op {
        ArithmeticOp::Add | ArithmeticOp::Subtract => decimal(whole + scale + 1, scale),
        ArithmeticOp::Multiply if s1 + s2 > DECIMAL_DIGITS_MAX => return None,
        ArithmeticOp::Multiply => decimal(p1 + p2 + 1, s1 + s2),
        ArithmeticOp::Divide => decimal(DECIMAL_DIGITS_MAX, quotient_scale(s1, s2)),
        ArithmeticOp::Modulo => decimal(whole + scale, scale),
    })
}
