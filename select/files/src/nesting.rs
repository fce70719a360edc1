//! The parts of a column's name: `a.b` may be the column `b` in the group `a`, or a column whose
//! own name has a point. The field of a nested column notes the lengths of the parts.

use std::collections::HashMap;

use arrow::datatypes::Field;

/// The key of the note in the metadata of a field.
const LENGTHS: &str = "name_lengths";

/// Notes the bytes of each part of a field's name: those of the groups that it is in, then its own.
pub(crate) fn noted(field: Field, lengths: &[usize]) -> Field {
    match lengths {
        [] | [_] => field,
        lengths => field.with_metadata(HashMap::from([(LENGTHS.to_owned(), text(lengths))])),
    }
}

/// Takes the note from a field that leaves as one of an answer.
pub fn without_note(field: &Field) -> Option<Field> {
    let has_note = !field.metadata().is_empty();
    has_note.then(|| field.clone().with_metadata(HashMap::new()))
}

/// Returns whether the parts of a field's name have these lengths, in bytes.
pub fn has_parts(field: &Field, lengths: &[usize]) -> bool {
    match field.metadata().get(LENGTHS) {
        None => lengths.len() == 1,
        Some(noted) => *noted == text(lengths),
    }
}

/// A column's name as it is written to mean no other: `"a"."b"`.
pub fn quoted(field: &Field) -> String {
    let quote = |part: &str| format!("\"{}\"", part.replace('"', "\"\""));
    let Some(lengths) = field.metadata().get(LENGTHS) else { return quote(field.name()) };
    let mut rest = field.name().as_str();
    let parts = lengths.split(',').filter_map(|length| {
        let (part, after) = rest.split_at_checked(length.parse().ok()?)?;
        rest = after.strip_prefix('.').unwrap_or(after);
        Some(quote(part))
    });
    parts.collect::<Vec<_>>().join(".")
}

fn text(lengths: &[usize]) -> String {
    lengths.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}
