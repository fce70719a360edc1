//! The members of the first records, and their types.
//!
//! A type is told by the [texts](Shape) of numbers, of strings and of booleans. Where values of
//! more than one of these are found, or arrays, it is text, and a value that is not a string is a
//! fault when somebody asks for it: the descriptor's "json" takes them all.

use super::syntax::{Cursor, DEPTH_MAX, OBJECT_GOES_ON, Result, unescaped};
use super::tree::{TOP, Tree};
use crate::field_type::FieldType;
use crate::text::Shape;

/// The members of some records and the types of their values.
#[derive(Debug, Default)]
pub(super) struct JsonSample {
    pub(super) tree: Tree,
    /// By member.
    seen: Vec<Seen>,
    /// Members beyond the most that are accepted are not known.
    pub(super) too_many: bool,
}

/// The values of a member so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Seen {
    #[default]
    Nothing,
    Boolean,
    Number(Shape),
    String(Shape),
    /// Arrays, or values of several kinds.
    Other,
}

impl JsonSample {
    /// Takes in a record.
    ///
    /// # Errors
    /// The mistake in the record. The members before it count.
    pub(super) fn record(&mut self, record: &[u8]) -> Result<()> {
        let mut cursor = Cursor::new(record, 0);
        match cursor.peek_after_space() {
            Some(b'{') => self.object(&mut cursor, TOP, DEPTH_MAX),
            _ => cursor.wrong("expected an object"),
        }
    }

    /// Returns whether a member is a column: it has values that are not objects. NULL counts if the
    /// member has no other values.
    pub(super) fn is_leaf(&self, member: usize) -> bool {
        self.seen_of(member) != Seen::Nothing || self.tree.object_of(member).is_none()
    }

    /// The type of a member's values.
    pub(super) fn kind(&self, member: usize) -> FieldType {
        match self.seen_of(member) {
            Seen::Boolean => FieldType::Boolean,
            Seen::Number(shape) | Seen::String(shape) => shape.kind(),
            Seen::Nothing | Seen::Other => FieldType::Text,
        }
    }

    fn seen_of(&self, member: usize) -> Seen {
        self.seen.get(member).copied().unwrap_or_default()
    }

    fn object(&mut self, cursor: &mut Cursor<'_>, object: usize, depth: usize) -> Result<()> {
        let depth = cursor.deeper(depth)?;
        cursor.at += 1;
        if cursor.peek_after_space() == Some(b'}') {
            cursor.at += 1;
            return Ok(());
        }
        let (mut last, mut scratch) = (None, Vec::new());
        loop {
            let written = cursor.name()?;
            let member = self.tree.insert(object, unescaped(written, &mut scratch));
            self.too_many |= member.is_none();
            match member {
                Some(member) => {
                    self.tree.note_order(last, member, written);
                    last = Some(member);
                    self.value(cursor, member, depth)?;
                }
                None => cursor.value(depth)?,
            }
            if cursor.ends(b'}', OBJECT_GOES_ON)? {
                return Ok(());
            }
        }
    }

    fn value(&mut self, cursor: &mut Cursor<'_>, member: usize, depth: usize) -> Result<()> {
        if cursor.peek_after_space() == Some(b'{') {
            let object = self.tree.insert_object(member);
            return self.object(cursor, object, depth);
        }
        let start = cursor.at;
        cursor.value(depth)?;
        if self.seen.len() <= member {
            self.seen.resize(self.tree.len(), Seen::Nothing);
        }
        self.seen[member] = self.seen[member].and(Seen::of(&cursor.text[start..cursor.at]));
        Ok(())
    }
}

impl Seen {
    /// Classifies a value that is not an object.
    fn of(value: &[u8]) -> Self {
        match value {
            b"null" => Seen::Nothing,
            b"true" | b"false" => Seen::Boolean,
            [b'[', ..] => Seen::Other,
            [b'"', string @ .., b'"'] => {
                Seen::String(Shape::of_string(unescaped(string, &mut Vec::new())))
            }
            number => Seen::Number(Shape::of_number(number).unwrap_or(Shape::Float)),
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Seen::Nothing, seen) | (seen, Seen::Nothing) => seen,
            (Seen::String(a), Seen::String(b)) => Seen::String(a.and(b)),
            (Seen::Number(a), Seen::Number(b)) => Seen::Number(a.and(b)),
            (Seen::Boolean, Seen::Boolean) => Seen::Boolean,
            _ => Seen::Other,
        }
    }
}
