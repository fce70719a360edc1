//! Expressions over one column that is a dictionary of texts: evaluated once for each text that a
//! record has, and not once for each record.
//!
//! The dictionary may have texts that no record has, or only hidden records. These are never
//! evaluated: they could fail, and the time that they take would tell of them.

use arrow::array::{Array, ArrayRef, Int32Array, UInt32Array};
use arrow::compute::take;

use super::{Evaluated, Input};
use crate::expr::problem::Problem;
use crate::expr::{Expr, ExprKind};
use sift_files::cancel::spend;
use sift_files::types::{TextDictionary, text_dictionary};

/// Evaluates `expr` if this is less work for the texts of a dictionary than for the records;
/// `None` if it is not, or if there is no value for one of the texts.
pub(super) fn evaluate(expr: &Expr, input: Input<'_>) -> Option<Evaluated> {
    let has_dictionary =
        input.columns.iter().flatten().any(|column| text_dictionary(column).is_some());
    if !has_dictionary || matches!(expr.kind, ExprKind::Column(_)) {
        return None;
    }
    let [column] = expr.columns()[..] else { return None };
    let dictionary = text_dictionary(input.columns.get(column)?.as_ref()?)?;
    if dictionary.values().len() >= input.rows {
        return None;
    }
    // what is wrong is found, and told, record by record
    evaluate_texts(expr, input, column, dictionary).ok()
}

fn evaluate_texts(
    expr: &Expr,
    input: Input<'_>,
    column: usize,
    dictionary: &TextDictionary,
) -> Result<Evaluated, Problem> {
    spend(input.rows)?;
    let (used, places) = used(dictionary);
    let texts: ArrayRef = take(dictionary.values(), &used, None)?;
    let mut columns = vec![None; input.columns.len()];
    columns[column] = Some(texts);
    let rows = used.len();
    let values = super::evaluate(expr, Input { columns: &columns, rows })?;
    Ok(Evaluated::Array(take(&values, &places, None)?))
}

/// Returns the numbers that records have, each once, and NULL if one has that; and for each record
/// the place of its number among them.
fn used(dictionary: &TextDictionary) -> (Int32Array, UInt32Array) {
    const UNUSED: u32 = u32::MAX;
    let mut used = Vec::new();
    // the place of NULL is the last one
    let mut places = vec![UNUSED; dictionary.values().len() + 1];
    let mut place = |number: Option<i32>| {
        let index = number.and_then(|number| usize::try_from(number).ok());
        let last = places.len() - 1;
        let place = &mut places[index.unwrap_or(last)];
        if *place == UNUSED {
            *place = u32::try_from(used.len()).unwrap_or(UNUSED);
            used.push(number);
        }
        *place
    };
    let numbers = dictionary.keys();
    let places: UInt32Array = match numbers.null_count() {
        0 => numbers.values().iter().map(|number| place(Some(*number))).collect(),
        _ => numbers.iter().map(&mut place).collect(),
    };
    (used.into(), places)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, DictionaryArray, StringArray};
    use arrow::datatypes::{DataType, Int64Type};

    use super::*;

    /// Returns the numbers as numbers in the texts 1, x, 2 and 3.
    fn dictionary(numbers: &[Option<i32>]) -> ArrayRef {
        let texts = StringArray::from(vec!["1", "x", "2", "3"]);
        let numbers = Int32Array::from(numbers.to_vec());
        Arc::new(DictionaryArray::try_new(numbers, Arc::new(texts)).expect("a dictionary"))
    }

    fn cast(numbers: &[Option<i32>]) -> Option<Vec<Option<i64>>> {
        let text = Expr { data_type: DataType::Utf8, kind: ExprKind::Column(0) };
        let cast = Expr { data_type: DataType::Int64, kind: ExprKind::Cast(Box::new(text)) };
        let columns = [Some(dictionary(numbers))];
        let values = evaluate(&cast, Input { columns: &columns, rows: numbers.len() })?;
        let values = values.into_array(numbers.len()).expect("values");
        Some(values.as_primitive::<Int64Type>().iter().collect())
    }

    #[test]
    fn only_texts_that_records_have_are_evaluated() {
        let (texts, places) = used(
            text_dictionary(&dictionary(&[Some(3), None, Some(0), Some(3), None]))
                .expect("a dictionary"),
        );
        assert_eq!(texts, Int32Array::from(vec![Some(3), None, Some(0)]));
        assert_eq!(places, UInt32Array::from(vec![0, 1, 2, 0, 1]));
        // `x` is no number, and no record has it
        let values = cast(&[Some(3), None, Some(0), Some(3), None]);
        assert_eq!(values, Some(vec![Some(3), None, Some(1), Some(3), None]));
        assert_eq!(cast(&[Some(2); 5]), Some(vec![Some(2); 5]));
    }

    #[test]
    fn a_text_without_a_value_leaves_it_to_the_records() {
        assert_eq!(cast(&[Some(3), Some(1), Some(0), Some(3), None]), None);
        // no more records than texts
        assert_eq!(cast(&[Some(3), Some(3)]), None);
    }
}
