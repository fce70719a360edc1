//! One pass over a record: everything in it is checked, and the places of the members that are
//! known are noted, and where the first one is that is not.

use std::ops::Range;

use super::syntax::{Cursor, DEPTH_MAX, OBJECT_GOES_ON, Result, Wrong, unescaped};
use super::tree::{TOP, Tree};

/// A record under way.
pub(super) struct Walk<'a> {
    cursor: Cursor<'a>,
    tree: &'a Tree,
    /// For each member of the tree the place of its value; 0 where it has not come yet.
    places: &'a mut [u32],
    unlisted: Option<Unlisted>,
}

/// A member that the tree does not have, or has with objects alone and none of their members.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unlisted {
    /// The position where its name starts.
    pub(super) at: usize,
    /// The object of the tree that it is in.
    pub(super) object: usize,
}

/// Passes the `record` in the text, after which a line feed comes; notes the places of its members
/// in `places`, which are zeros, and gives the first that is unlisted.
pub(super) fn record(
    text: &[u8],
    record: Range<usize>,
    tree: &Tree,
    places: &mut [u32],
) -> Result<Option<Unlisted>> {
    let cursor = Cursor::new(text, record.start);
    let mut walk = Walk { cursor, tree, places, unlisted: None };
    if walk.cursor.peek_after_space() != Some(b'{') {
        return walk.cursor.wrong("expected an object");
    }
    walk.object(TOP, DEPTH_MAX)?;
    walk.cursor.peek_after_space();
    if walk.cursor.at == record.end {
        Ok(walk.unlisted)
    } else {
        walk.cursor.wrong("expected the end of the record")
    }
}

impl Walk<'_> {
    fn object(&mut self, object: usize, depth: usize) -> Result<()> {
        let depth = self.cursor.deeper(depth)?;
        self.cursor.at += 1;
        if self.cursor.peek_after_space() == Some(b'}') {
            self.cursor.at += 1;
            return Ok(());
        }
        let mut last = None;
        let mut strangers: Vec<(usize, Vec<u8>)> = Vec::new();
        loop {
            self.cursor.peek_after_space();
            let start = self.cursor.at;
            match self.name(object, last)? {
                Ok(member) => {
                    self.member(member, start, depth)?;
                    last = Some(member);
                }
                Err(name) => {
                    self.unlisted.get_or_insert(Unlisted { at: start, object });
                    strangers.push((start, name));
                    self.cursor.value(depth)?;
                }
            }
            if self.cursor.ends(b'}', OBJECT_GOES_ON)? {
                break;
            }
        }
        if strangers.len() > 1 { differ(strangers) } else { Ok(()) }
    }

    /// Passes a name and its colon; gives the member that it means, or the name where none is
    /// known.
    #[inline(always)]
    fn name(
        &mut self,
        object: usize,
        last: Option<usize>,
    ) -> Result<std::result::Result<usize, Vec<u8>>> {
        if let Some((member, quoted)) = self.tree.expected(object, last)
            && self.cursor.text[self.cursor.at..].starts_with(quoted)
        {
            self.cursor.at += quoted.len();
            self.cursor.expect(b':', COLON)?;
            return Ok(Ok(member));
        }
        self.unexpected_name(object)
    }

    fn unexpected_name(&mut self, object: usize) -> Result<std::result::Result<usize, Vec<u8>>> {
        let name = self.cursor.name()?;
        let mut scratch = Vec::new();
        let name = unescaped(name, &mut scratch);
        Ok(self.tree.find(object, name).ok_or_else(|| name.to_vec()))
    }

    /// Passes the value of a member, whose name starts at `start`.
    #[inline(always)]
    fn member(&mut self, member: usize, start: usize, depth: usize) -> Result<()> {
        let next = self.cursor.peek_after_space();
        if self.places[member] != 0 {
            return Err(Wrong { at: start, what: TWICE });
        }
        // a block is far below 4 GiB
        self.places[member] = u32::try_from(self.cursor.at).unwrap_or(u32::MAX);
        match next {
            Some(b'{') => match self.tree.object_of(member) {
                Some(object) => self.object(object, depth),
                None => self.cursor.value(depth),
            },
            _ if self.tree.has_hollow() && next != Some(b'n') => {
                if self.tree.is_hollow(member) {
                    let object = self.tree.within(member);
                    self.unlisted.get_or_insert(Unlisted { at: start, object });
                }
                self.cursor.value(depth)
            }
            Some(b'[') => self.cursor.value(depth),
            _ => self.cursor.scalar(),
        }
    }
}

const COLON: &str = "expected `:` after a name";
const TWICE: &str = "a name that its object has already";

/// Complains of the first name that comes again.
#[cold]
fn differ(mut names: Vec<(usize, Vec<u8>)>) -> Result<()> {
    names.sort_by(|(a, x), (b, y)| x.cmp(y).then(a.cmp(b)));
    let again = names.windows(2).filter(|pair| pair[0].1 == pair[1].1).map(|pair| pair[1].0);
    match again.min() {
        Some(at) => Err(Wrong { at, what: TWICE }),
        None => Ok(()),
    }
}
