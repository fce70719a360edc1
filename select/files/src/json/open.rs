//! The layout of a file of JSON Lines: the members of its first records, and those that a
//! descriptor declares.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use super::block::Scratch;
use super::infer::JsonSample;
use super::syntax::{Cursor, DEPTH_MAX};
use super::tree::{MEMBERS_MAX, TOP, Tree};
use super::{Declared, JsonField, JsonLayout, RECORD_BYTES_MAX};
use crate::block::Block;
use crate::field_type::FieldType;
use crate::problem::descriptor::DescriptorProblem;
use crate::record::{RecordFault, TurnBytes};
use crate::text::RECORDS_MAX;
use crate::{Error, Result};

/// Bytes of the sample, or more where the first record alone is longer.
const SAMPLE_BYTES: usize = 1 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

impl JsonLayout {
    /// Reads the first records of the file that errors call `name`: `read` gives as many of its
    /// first bytes as it is asked for, or all.
    ///
    /// # Errors
    /// `Descriptor` when the declared fields do not fit the records, or the members of these cannot
    /// be columns; those of `read`.
    pub(crate) fn open(
        name: &str,
        declared: Vec<Declared>,
        read: impl FnMut(usize) -> Result<Vec<u8>>,
    ) -> Result<Self> {
        let (mut bytes, start) = first_bytes(read)?;
        let mut sample = sample(&bytes);
        let descriptor = format!("{name}.toml");
        let is_complete = declared.iter().any(|field| field.kind.is_some() || field.path.is_some());
        let fields = match is_complete {
            true => the_declared(&descriptor, declared, &mut sample)?,
            false => {
                let fields = the_inferred(name, &descriptor, &sample, &|_| true)?;
                // of a file without records nobody knows the members yet
                if !bytes.trim_ascii().is_empty() {
                    check_protected(&descriptor, &declared, &fields)?;
                }
                fields
            }
        };
        let mut tree = sample.tree;
        if !is_complete {
            tree.note_columns(fields.iter().map(|field| field.member));
        }
        let (start, is_inferred) = (start as u64, !is_complete);
        let compression = None;
        let layout = Self { descriptor, start, compression, fields, is_inferred, tree };
        if layout.fields.is_empty() {
            bytes.push(b'\n');
            layout.check_first(name, &bytes)?;
        }
        Ok(layout)
    }

    /// Returns whether the first record of `bytes` is sound. That no column is known may be its
    /// fault alone.
    fn check_first(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let piece = TurnBytes { start: self.start, whole: bytes.len(), used: bytes.len() };
        let mut fault = None;
        self.blocks(&piece, bytes, bytes.len(), &mut Scratch::default(), &mut |block| {
            fault = block.fault().filter(|fault| fault.record == 0).cloned();
            ControlFlow::Break(())
        });
        fault.map_or(Ok(()), |fault: RecordFault| Err(fault.to_error(name, 0).into()))
    }
}

impl JsonLayout {
    /// Returns the same layout with columns and types from a sample. Declared columns and
    /// `unchanged` columns stay. A member with a name that `shows` refuses is not a column, and of
    /// a declared one the type is text. Errors use `name` as the name of the file.
    ///
    /// # Errors
    /// `Descriptor` when the members of the sample cannot be columns.
    pub(super) fn with_types(
        &self,
        name: &str,
        mut sample: JsonSample,
        unchanged: &[usize],
        shows: &dyn Fn(&str) -> bool,
    ) -> Result<Self> {
        if !self.is_inferred {
            let mut layout = self.clone();
            for (column, field) in layout.fields.iter_mut().enumerate() {
                if !field.declared && !unchanged.contains(&column) {
                    let member = insert(&mut sample.tree, &self.names(field));
                    let member = member.filter(|_| shows(&field.name));
                    field.kind = member.map_or(FieldType::Text, |member| sample.kind(member));
                }
            }
            return Ok(layout);
        }
        let unchanged: Vec<&JsonField> =
            unchanged.iter().filter_map(|column| self.fields.get(*column)).collect();
        let members: Vec<_> =
            unchanged.iter().map(|field| insert(&mut sample.tree, &self.names(field))).collect();
        let mut fields = the_inferred(name, &self.descriptor, &sample, shows)?;
        for (field, member) in unchanged.into_iter().zip(members) {
            match (fields.iter_mut().find(|found| found.name == field.name), member) {
                (Some(found), _) => found.kind = field.kind,
                (None, Some(member)) => fields.push(JsonField { member, ..field.clone() }),
                // the sample already has the maximal number of members
                (None, None) => {}
            }
        }
        let mut tree = sample.tree;
        tree.note_columns(fields.iter().map(|field| field.member));
        Ok(Self { descriptor: self.descriptor.clone(), fields, tree, ..*self })
    }

    /// Returns the names on the path to a field.
    fn names(&self, field: &JsonField) -> Vec<String> {
        let path = self.tree.path(field.member);
        // the names come from records in UTF-8
        path.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
    }
}

/// Whole records, and the bytes before the first.
fn first_bytes(mut read: impl FnMut(usize) -> Result<Vec<u8>>) -> Result<(Vec<u8>, usize)> {
    let mut bytes = read(SAMPLE_BYTES)?;
    if bytes.len() == SAMPLE_BYTES && !bytes.contains(&b'\n') {
        bytes = read(RECORD_BYTES_MAX + 1)?;
    }
    if bytes.len() >= SAMPLE_BYTES {
        // the last record may go on
        bytes.truncate(memchr::memrchr(b'\n', &bytes).map_or(0, |line_feed| line_feed + 1));
    }
    let skipped = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    bytes.drain(..skipped);
    Ok((bytes, skipped))
}

/// The records up to the first fault count: the fault itself is told when a scan comes to it.
fn sample(bytes: &[u8]) -> JsonSample {
    let mut sample = JsonSample::default();
    let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    for line in lines.take(RECORDS_MAX) {
        if std::str::from_utf8(line).is_err() || !is_json(line) || sample.record(line).is_err() {
            break;
        }
    }
    sample
}

/// Returns whether a line is one value: half a record does not tell types.
fn is_json(line: &[u8]) -> bool {
    let mut cursor = Cursor::new(line, 0);
    cursor.value(DEPTH_MAX).is_ok() && cursor.peek_after_space().is_none()
}

/// The leaves of the first records.
fn the_inferred(
    name: &str,
    descriptor: &str,
    sample: &JsonSample,
    shows: &dyn Fn(&str) -> bool,
) -> Result<Vec<JsonField>> {
    let refuse = |problem| Err(Error::descriptor(name, problem));
    let descriptor = descriptor.to_owned();
    if sample.too_many {
        let members_max = MEMBERS_MAX;
        return refuse(DescriptorProblem::TooManyMembers { members_max, descriptor });
    }
    let members = sample.tree.in_order().into_iter().filter(|&member| sample.is_leaf(member));
    let fields = members.map(|member| JsonField {
        name: dotted(&sample.tree, member),
        kind: sample.kind(member),
        declared: false,
        member,
    });
    let fields: Vec<JsonField> = fields.filter(|field| shows(&field.name)).collect();
    let mut names = HashSet::new();
    match fields.iter().find(|field| !names.insert(&field.name)) {
        None => Ok(fields),
        Some(JsonField { name, .. }) => {
            refuse(DescriptorProblem::SameMember { name: name.clone(), descriptor })
        }
    }
}

/// Fields without a type are there for their protection: each has to be a column, or hold some.
fn check_protected(descriptor: &str, declared: &[Declared], fields: &[JsonField]) -> Result<()> {
    let is_known = |name: &str| {
        let below = |field: &JsonField| {
            field
                .name
                .strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        fields.iter().any(below)
    };
    match declared.iter().find(|declared| !is_known(&declared.name)) {
        None => Ok(()),
        Some(Declared { name, .. }) => {
            let problem = DescriptorProblem::UnknownMember { name: name.clone() };
            Err(Error::descriptor(descriptor, problem))
        }
    }
}

/// The fields of the descriptor, which are all that there are.
fn the_declared(
    descriptor: &str,
    declared: Vec<Declared>,
    sample: &mut JsonSample,
) -> Result<Vec<JsonField>> {
    let refuse = |problem| Err(Error::descriptor(descriptor, problem));
    let paths: Vec<Vec<String>> = declared.iter().map(Declared::names).collect();
    let in_order = sample.tree.in_order().into_iter();
    let known: HashMap<String, usize> =
        in_order.map(|member| (dotted(&sample.tree, member), member)).collect();
    let mut fields = Vec::with_capacity(declared.len());
    for (Declared { name, kind, path: told }, path) in declared.into_iter().zip(&paths) {
        let is_below = |other: &Vec<String>| other.len() > path.len() && other.starts_with(path);
        if kind.is_none() && paths.iter().any(is_below) {
            // it is there for the protection of what it holds
            continue;
        }
        // a dotted name may be that of one member, too
        let known = known.get(&name).filter(|_| told.is_none()).copied();
        let Some(member) = known.or_else(|| insert(&mut sample.tree, path)) else {
            let members_max = MEMBERS_MAX;
            return refuse(DescriptorProblem::TooManyMembersWith { name, members_max });
        };
        if kind.is_none() && !sample.is_leaf(member) {
            return refuse(DescriptorProblem::UntypedObject { name });
        }
        let declared = kind.is_some();
        let kind = kind.unwrap_or_else(|| sample.kind(member));
        fields.push(JsonField { name, kind, declared, member });
    }
    Ok(fields)
}

/// The member at the end of the path.
fn insert(tree: &mut Tree, path: &[String]) -> Option<usize> {
    let (last, above) = path.split_last()?;
    let mut object = TOP;
    for name in above {
        let member = tree.insert(object, name.as_bytes())?;
        object = tree.insert_object(member);
    }
    tree.insert(object, last.as_bytes())
}

fn dotted(tree: &Tree, member: usize) -> String {
    let path = tree.path(member);
    // names are from records that are UTF-8
    let path: Vec<_> = path.iter().map(|name| String::from_utf8_lossy(name)).collect();
    path.join(".")
}
