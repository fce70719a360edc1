//! The members of objects that are known by name: those of the first records, and those that a
//! descriptor names.
//!
//! Members of one writer come in one order, so each remembers which came after it: a record that
//! is like those before costs a comparison a name, any other one a look into a table.

use std::collections::HashMap;

/// The most members that are known, and so the most fields.
pub(super) const MEMBERS_MAX: usize = 16 << 10;

/// The top object of a record.
pub(super) const TOP: usize = 0;

/// The members of a record's objects.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    objects: Vec<Object>,
    members: Vec<Member>,
    /// By member; empty where there is none.
    hollow: Vec<bool>,
}

/// An object that every record has at most once.
#[derive(Clone, Debug, Default)]
struct Object {
    /// The member that it is the value of; `None` for the top one.
    of: Option<usize>,
    /// Members by their names, escapes resolved.
    names: HashMap<Box<[u8]>, usize>,
    /// The member that came first.
    first: Option<usize>,
}

#[derive(Clone, Debug)]
struct Member {
    name: Box<[u8]>,
    /// The name in its quotes, as the first records write it.
    quoted: Box<[u8]>,
    /// The object that it is a member of.
    within: usize,
    /// The object that is its value, where it has known members.
    object: Option<usize>,
    /// The member that came after it.
    next: Option<usize>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { objects: vec![Object::default()], members: Vec::new(), hollow: Vec::new() }
    }
}

impl Tree {
    /// Number of members; each has an index below.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// The member of `object` that is expected after `last`, with its name in quotes.
    #[inline(always)]
    pub(super) fn expected(&self, object: usize, last: Option<usize>) -> Option<(usize, &[u8])> {
        let member = match last {
            None => self.objects[object].first?,
            Some(last) => self.members[last].next?,
        };
        Some((member, &self.members[member].quoted))
    }

    /// The member of `object` with that name.
    pub(super) fn find(&self, object: usize, name: &[u8]) -> Option<usize> {
        self.objects[object].names.get(name).copied()
    }

    /// The known object that is the value of a member.
    #[inline(always)]
    pub(super) fn object_of(&self, member: usize) -> Option<usize> {
        self.members[member].object
    }

    /// The object that a member is in.
    pub(super) fn within(&self, member: usize) -> usize {
        self.members[member].within
    }

    /// The member that the object around a member is the value of.
    pub(super) fn around(&self, member: usize) -> Option<usize> {
        self.objects[self.within(member)].of
    }

    /// Notes which members are neither a column nor have some below them: another value than an
    /// object of theirs is not a value of any column.
    pub(super) fn note_columns(&mut self, columns: impl Iterator<Item = usize>) {
        let mut hollow = vec![true; self.members.len()];
        for column in columns {
            let mut member = Some(column);
            while let Some(full) = member {
                hollow[full] = false;
                member = self.around(full);
            }
        }
        self.hollow = if hollow.contains(&true) { hollow } else { Vec::new() };
    }

    /// Returns whether there are members that are no columns and have none below them.
    #[inline(always)]
    pub(super) fn has_hollow(&self) -> bool {
        !self.hollow.is_empty()
    }

    /// Returns whether a member is not a column and has none below it.
    pub(super) fn is_hollow(&self, member: usize) -> bool {
        self.hollow.get(member).is_some_and(|hollow| *hollow)
    }

    /// The member with that name, which is made if it is not there; `None` when there are too many.
    pub(super) fn insert(&mut self, object: usize, name: &[u8]) -> Option<usize> {
        if let Some(member) = self.find(object, name) {
            return Some(member);
        }
        let member = self.members.len();
        if member == MEMBERS_MAX {
            return None;
        }
        let quoted = Box::default();
        let new = Member { name: name.into(), quoted, within: object, object: None, next: None };
        self.members.push(new);
        self.objects[object].names.insert(name.into(), member);
        Some(member)
    }

    /// The object that is the value of a member, which is made if it is not there.
    pub(super) fn insert_object(&mut self, member: usize) -> usize {
        let next = self.objects.len();
        let object = *self.members[member].object.get_or_insert(next);
        if object == next {
            self.objects.push(Object { of: Some(member), ..Object::default() });
        }
        object
    }

    /// Notes that a member came after `last`, and how its name was written, which was checked.
    pub(super) fn note_order(&mut self, last: Option<usize>, member: usize, written: &[u8]) {
        self.members[member].quoted = [b"\"", written, b"\""].concat().into();
        match last {
            None => self.objects[self.members[member].within].first = Some(member),
            Some(last) => self.members[last].next = Some(member),
        }
    }

    /// The names that lead to a member, from the top.
    pub(super) fn path(&self, member: usize) -> Vec<&[u8]> {
        let mut path = self.path_into(self.within(member));
        path.push(&self.members[member].name);
        path
    }

    /// The names that lead into an object, from the top.
    pub(super) fn path_into(&self, object: usize) -> Vec<&[u8]> {
        match self.objects[object].of {
            Some(member) => self.path(member),
            None => Vec::new(),
        }
    }

    /// All members, those of an object in the place of the member that it is the value of.
    pub(super) fn in_order(&self) -> Vec<usize> {
        let mut within: Vec<Vec<usize>> = vec![Vec::new(); self.objects.len()];
        for (index, member) in self.members.iter().enumerate().rev() {
            within[member.within].push(index);
        }
        let mut order = Vec::with_capacity(self.members.len());
        let mut left = std::mem::take(&mut within[TOP]);
        while let Some(member) = left.pop() {
            order.push(member);
            if let Some(object) = self.members[member].object {
                left.append(&mut within[object]);
            }
        }
        order
    }
}
