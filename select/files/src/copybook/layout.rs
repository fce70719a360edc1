//! The positions of a copybook's items in the record, and the choice of those that become fields.
//!
//! A group is as long as its items, those that redefine others left out; what occurs takes its
//! bytes that many times. Levels only grow from a group to its items, so groups nest at most 49
//! deep.

use std::collections::{HashMap, HashSet};

use super::entry::{Item, SignClause, Usage};
use super::field::{Coding, Field};
use super::picture::Picture;
use super::{CopybookOptions, Position, Source};
use crate::fixed::RECORD_BYTES_MAX;
use crate::problem::copybook::CopybookProblem;
use crate::{Error, Result};

/// The most fields: as many as a descriptor may have.
const FIELDS_MAX: usize = 16 << 10;

/// The most bytes of all names together, which OCCURS multiplies.
const NAME_BYTES_MAX: usize = 1 << 20;

/// Bytes of the record, and its fields.
pub(super) fn lay_out(
    source: Source<'_>,
    items: &[Item],
    options: &CopybookOptions,
    notes: &mut Vec<String>,
) -> Result<(u32, Vec<Field>)> {
    let chosen = vec![false; options.redefines.len()];
    let mut layout = Layout { source, options, notes, noted: HashSet::new(), chosen };
    let record = layout.record(items)?;
    let mut fields = Vec::new();
    for node in &record {
        layout.emit(node, &mut Vec::new(), &mut String::new(), node.offset, &mut fields)?;
    }
    layout.check_choices(items)?;
    let bytes = record.iter().map(|node| node.offset + node.total()).max().unwrap_or(0);
    match (bytes, fields.is_empty()) {
        (0, _) | (_, true) => {
            Err(source.error(Position { line: 1, column: 1 }, CopybookProblem::NoFields))
        }
        _ => Ok((bytes, named(source, fields)?)),
    }
}

/// An item, with what it consists of.
struct Node<'i> {
    item: &'i Item,
    /// Bytes before it in its group.
    offset: u32,
    /// Bytes of one occurrence.
    bytes: u32,
    content: Content<'i>,
}

enum Content<'i> {
    Group(Vec<Node<'i>>),
    Elementary(Coding),
}

impl Node<'_> {
    /// Bytes of all occurrences; they have been checked to be few.
    fn total(&self) -> u32 {
        self.bytes.saturating_mul(self.item.occurs.unwrap_or(1))
    }
}

/// A field before it has a name of its own.
struct Unnamed {
    at: Position,
    /// Names of its groups and its own, the outermost first.
    path: Vec<String>,
    /// `_1_2` of an element.
    suffix: String,
    offset: u32,
    coding: Coding,
}

/// USAGE and SIGN of the groups around.
#[derive(Clone, Copy)]
struct Inherited {
    usage: Option<Usage>,
    sign: Option<SignClause>,
}

struct Layout<'o> {
    source: Source<'o>,
    options: &'o CopybookOptions,
    notes: &'o mut Vec<String>,
    /// The positions of the items that have a note.
    noted: HashSet<Position>,
    /// True for each name of `options.redefines` that has been found.
    chosen: Vec<bool>,
}

impl Layout<'_> {
    /// The items of the record: of several records of level 01, those of the chosen one.
    fn record<'i>(&mut self, items: &'i [Item]) -> Result<Vec<Node<'i>>> {
        let is_record = |item: &Item| matches!(item.level, 1 | 77);
        let inherited = Inherited { usage: None, sign: None };
        if !items.first().is_some_and(is_record) {
            if let Some(item) = items.iter().find(|item| is_record(item)) {
                let problem = CopybookProblem::LateRecord { level: item.level };
                return Err(self.source.error(item.at, problem));
            }
            return self.group(items, inherited);
        }
        let records: Vec<&[Item]> = items.chunk_by(|_, next| !is_record(next)).collect();
        let is_chosen = |record: &&&[Item]| record.first().is_some_and(|item| self.is_named(item));
        let record = records.iter().find(is_chosen).or(records.first()).copied();
        let record = record.unwrap_or_default();
        for other in records.iter().filter_map(|record| record.first()) {
            if !record.first().is_some_and(|first| std::ptr::eq(first, other)) {
                self.note(other, "another record, which is passed over");
            }
        }
        let Some((first, rest)) = record.split_first() else { return Ok(Vec::new()) };
        self.choose(first);
        Ok(vec![self.node(first, rest, inherited)?])
    }

    /// The items of a group, of which each has the level of the first.
    fn group<'i>(&mut self, items: &'i [Item], inherited: Inherited) -> Result<Vec<Node<'i>>> {
        let Some(level) = items.first().map(|item| item.level) else { return Ok(Vec::new()) };
        let mut nodes: Vec<Node<'i>> = Vec::new();
        let mut end = 0;
        for item in items.chunk_by(|_, next| next.level > level) {
            let Some((first, rest)) = item.split_first() else { continue };
            if first.level != level {
                let problem = CopybookProblem::Level { level: first.level, level_before: level };
                return Err(self.source.error(first.at, problem));
            }
            let mut node = self.node(first, rest, inherited)?;
            match &first.redefines {
                None => {
                    node.offset = end;
                    end = self.sum(first, end, node.total())?;
                }
                Some((at, name)) => node.offset = self.redefined(*at, name, &node, &nodes)?,
            }
            nodes.push(node);
        }
        Ok(nodes)
    }

    fn node<'i>(
        &mut self,
        item: &'i Item,
        rest: &'i [Item],
        inherited: Inherited,
    ) -> Result<Node<'i>> {
        let usage = item.usage.or(inherited.usage);
        let sign = item.sign.or(inherited.sign);
        let (bytes, content) = if rest.is_empty() {
            let picture = item.picture.map(|(at, picture)| (at, shown(item, picture)));
            let at = picture.map_or(item.at, |(at, _)| at);
            let usage = usage.unwrap_or(Usage::Display);
            let coding =
                Coding::new(picture.map(|(_, picture)| picture), usage, sign, self.options)
                    .map_err(|problem| self.source.error(at, problem))?;
            (coding.bytes, Content::Elementary(coding))
        } else {
            if let Some((at, _)) = item.picture {
                return Err(self.source.error(at, CopybookProblem::PictureOfGroup));
            }
            let nodes = self.group(rest, Inherited { usage, sign })?;
            let bytes = nodes.iter().map(|node| node.offset + node.total()).max().unwrap_or(0);
            (bytes, Content::Group(nodes))
        };
        let times = item.occurs.unwrap_or(1);
        let total = u64::from(bytes) * u64::from(times);
        if total > u64::from(RECORD_BYTES_MAX) {
            return Err(self.too_long(item, total));
        }
        Ok(Node { item, offset: 0, bytes, content })
    }

    fn sum(&self, item: &Item, before: u32, bytes: u32) -> Result<u32> {
        let sum = before.saturating_add(bytes);
        if sum > RECORD_BYTES_MAX {
            return Err(self.too_long(item, sum.into()));
        }
        Ok(sum)
    }

    fn too_long(&self, item: &Item, bytes: u64) -> Error {
        let problem = CopybookProblem::RecordBytes { bytes, bytes_max: RECORD_BYTES_MAX };
        self.source.error(item.at, problem)
    }

    /// Finds the item `name`, which comes right before, or before others that redefine it.
    fn redefined(
        &self,
        at: Position,
        name: &str,
        node: &Node<'_>,
        before: &[Node<'_>],
    ) -> Result<u32> {
        let mut others = before.iter().rev();
        let target = loop {
            match others.next() {
                Some(other) if other.item.name.as_deref() == Some(name) => break other,
                Some(other) if other.item.redefines.is_some() => {}
                _ => {
                    let problem = CopybookProblem::RedefinesOther { name: name.to_owned() };
                    return Err(self.source.error(at, problem));
                }
            }
        };
        if node.total() > target.total() {
            let problem = CopybookProblem::RedefinesShorter {
                bytes: node.total(),
                name: name.to_owned(),
                name_bytes: target.total(),
            };
            return Err(self.source.error(at, problem));
        }
        Ok(target.offset)
    }

    /// Adds the fields of a node that begins at `offset`.
    fn emit(
        &mut self,
        node: &Node<'_>,
        path: &mut Vec<String>,
        suffix: &mut String,
        offset: u32,
        fields: &mut Vec<Unnamed>,
    ) -> Result<()> {
        let depth = path.len();
        path.extend(node.item.name.as_deref().map(column_name));
        let length = suffix.len();
        for element in 0..node.item.occurs.unwrap_or(1) {
            if node.item.occurs.is_some() {
                suffix.push_str(&format!("_{}", element + 1));
            }
            // all of it is within the record
            let offset = offset + element * node.bytes;
            match &node.content {
                Content::Group(nodes) => {
                    for taken in self.taken(nodes) {
                        self.emit(taken, path, suffix, offset + taken.offset, fields)?;
                    }
                }
                Content::Elementary(coding) if node.item.name.is_some() => {
                    let (at, coding) = (node.item.at, *coding);
                    let (path, suffix) = (path.clone(), suffix.clone());
                    fields.push(Unnamed { at, path, suffix, offset, coding });
                }
                Content::Elementary(_) => {}
            }
            suffix.truncate(length);
            if fields.len() > FIELDS_MAX {
                let problem = CopybookProblem::TooManyFields { fields_max: FIELDS_MAX };
                return Err(self.source.error(node.item.at, problem));
            }
        }
        path.truncate(depth);
        Ok(())
    }

    /// Chooses one of the items of a group that share their bytes.
    fn taken<'n, 'i>(&mut self, nodes: &'n [Node<'i>]) -> Vec<&'n Node<'i>> {
        let mut taken = Vec::with_capacity(nodes.len());
        for shared in nodes.chunk_by(|_, next| next.item.redefines.is_some()) {
            let chosen = shared.iter().find(|node| self.is_named(node.item));
            let Some(one) = chosen.or(shared.first()) else { continue };
            for node in shared.iter().filter(|node| !std::ptr::eq(*node, one)) {
                self.note(node.item, "shares its bytes with another and is passed over");
            }
            if shared.len() > 1 {
                self.choose(one.item);
            }
            taken.push(one);
        }
        taken
    }

    fn is_named(&self, item: &Item) -> bool {
        let names = &self.options.redefines;
        item.name.as_ref().is_some_and(|name| names.iter().any(|n| n.eq_ignore_ascii_case(name)))
    }

    fn choose(&mut self, item: &Item) {
        let Some(name) = &item.name else { return };
        for (chosen, wanted) in self.chosen.iter_mut().zip(&self.options.redefines) {
            *chosen |= wanted.eq_ignore_ascii_case(name);
        }
    }

    fn check_choices(&self, items: &[Item]) -> Result<()> {
        let mut choices = self.chosen.iter().zip(&self.options.redefines);
        let Some((_, name)) = choices.find(|(chosen, _)| !**chosen) else { return Ok(()) };
        let records = items.iter().filter(|item| item.redefines.is_some() || item.level == 1);
        let known: Vec<_> = records.filter_map(|item| item.name.clone()).take(20).collect();
        let name = name.clone();
        let problem = match known.is_empty() {
            true => CopybookProblem::NoRedefinition { name },
            false => CopybookProblem::UnknownDefinition { name, known },
        };
        Err(self.source.error(Position { line: 1, column: 1 }, problem))
    }

    /// Tells it once, however often the item occurs.
    fn note(&mut self, item: &Item, text: &str) {
        if self.noted.insert(item.at) {
            let name = item.name.as_deref().unwrap_or("FILLER");
            self.notes.push(format!("line {}: {name} {text}", item.at.line));
        }
    }
}

/// The picture, which is edited where zero is shown as spaces.
fn shown(item: &Item, picture: Picture) -> Picture {
    match picture {
        Picture::Number { digits, .. } if item.blank_when_zero => {
            Picture::Text { chars: digits.into() }
        }
        picture => picture,
    }
}

/// `CUSTOMER-NAME` as `customer_name`, which needs no quotes in SQL.
fn column_name(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

/// Fields by their own names, and as many of the groups around as tell them apart.
fn named(source: Source<'_>, fields: Vec<Unnamed>) -> Result<Vec<Field>> {
    let name = |field: &Unnamed, parts: usize| {
        let from = field.path.len().saturating_sub(parts);
        field.path.get(from..).unwrap_or_default().join("_") + &field.suffix
    };
    let mut parts = vec![1; fields.len()];
    loop {
        let mut count: HashMap<String, usize> = HashMap::new();
        for (field, &parts) in fields.iter().zip(&parts) {
            *count.entry(name(field, parts)).or_default() += 1;
        }
        let is_shared = |field, parts| count.get(&name(field, parts)).is_some_and(|&n| n > 1);
        let mut longer = false;
        for (field, parts) in fields.iter().zip(&mut parts) {
            if is_shared(field, *parts) && *parts < field.path.len() {
                *parts += 1;
                longer = true;
            }
        }
        if longer {
            continue;
        }
        if let Some(field) =
            fields.iter().zip(&parts).find_map(|(f, &parts)| is_shared(f, parts).then_some(f))
        {
            let problem = CopybookProblem::SameName { name: name(field, field.path.len()) };
            return Err(source.error(field.at, problem));
        }
        break;
    }
    let name_bytes: usize = fields.iter().zip(&parts).map(|(f, &parts)| name(f, parts).len()).sum();
    if name_bytes > NAME_BYTES_MAX {
        let (bytes, bytes_max) = (name_bytes, NAME_BYTES_MAX);
        let problem = CopybookProblem::NameBytes { bytes, bytes_max };
        return Err(source.error(Position { line: 1, column: 1 }, problem));
    }
    let field = |(field, parts): (Unnamed, usize)| Field {
        name: name(&field, parts),
        offset: field.offset,
        coding: field.coding,
    };
    Ok(fields.into_iter().zip(parts).map(field).collect())
}
