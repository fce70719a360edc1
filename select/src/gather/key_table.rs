//! Numbers for distinct keys: the first key is 0, the next distinct key is 1, and so on.
//!
//! Keys are equal if `IS NOT DISTINCT FROM` is true for them: NULL is a key like any other. Keys
//! whose values fit into a few words are stored as these words ([`packed`]), others as bytes in
//! Arrow's row format ([`rows`]).

mod packed;
mod rows;

use std::fmt;

use ahash::RandomState;
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::expr::numeric;
use packed::PackedKeys;
use rows::RowKeys;

/// The keys seen so far.
#[derive(Debug)]
pub(crate) struct KeyTable {
    store: Box<dyn KeyStore>,
    /// The number of values of a key.
    width: usize,
}

/// Keys of one representation.
trait KeyStore: fmt::Debug + Send {
    fn len(&self) -> usize;

    fn intern(&mut self, columns: &[ArrayRef], numbers: &mut Vec<u32>) -> Result<(), ArrowError>;

    fn columns(&self, keys: &[u32]) -> Result<Vec<ArrayRef>, ArrowError>;

    fn memory_bytes(&self) -> usize;
}

impl KeyTable {
    /// Makes an empty table for keys with values of these types.
    pub(crate) fn new(types: impl IntoIterator<Item = DataType>) -> Result<Self, ArrowError> {
        let types: Vec<DataType> = types.into_iter().collect();
        let width = types.len();
        let store: Box<dyn KeyStore> = match packed::words_of(&types) {
            Some(1) => Box::new(PackedKeys::<1>::new(types)),
            Some(2) => Box::new(PackedKeys::<2>::new(types)),
            Some(3) => Box::new(PackedKeys::<3>::new(types)),
            Some(4) => Box::new(PackedKeys::<4>::new(types)),
            _ => Box::new(RowKeys::new(types)?),
        };
        Ok(Self { store, width })
    }

    /// Returns the number of values of a key.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Returns the number of keys.
    pub(crate) fn len(&self) -> usize {
        self.store.len()
    }

    /// Adds to `numbers` the number of each row's key; a key that was not there gets the next one.
    ///
    /// # Errors
    /// More than 2³² keys, or a type that has no rows.
    pub(crate) fn intern(
        &mut self,
        columns: Vec<ArrayRef>,
        numbers: &mut Vec<u32>,
    ) -> Result<(), ArrowError> {
        let columns: Vec<_> = columns.into_iter().map(numeric::comparable).collect();
        self.store.intern(&columns, numbers)
    }

    /// Returns the values of some keys, one array for each column.
    pub(crate) fn columns(&self, keys: &[u32]) -> Result<Vec<ArrayRef>, ArrowError> {
        self.store.columns(keys)
    }

    /// Returns the bytes of memory that its keys take, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.store.memory_bytes()
    }
}

/// A hash table of the numbers of keys. It is divided into shards of different sizes, which double
/// one after the other, so that no key has to wait until all others were moved.
#[derive(Debug, Default)]
struct Slots {
    shards: [HashTable<Slot>; SHARDS],
    hasher: RandomState,
}

const SHARDS: usize = 32;

/// The shard of each highest byte of a hash: the largest shard has twice as many as the smallest
/// one, and the sizes between are spread evenly over this doubling.
const SHARD_OF: [u8; 256] = {
    // 2 to the power of 1/32
    let ratio = 1.021_897_148_654_116_6;
    let (mut shards, mut byte, mut shard, mut next) = ([0; 256], 0, 0, ratio);
    while byte < shards.len() {
        while 1.0 + byte as f64 / 256.0 >= next {
            (shard, next) = (shard + 1, next * ratio);
        }
        shards[byte] = shard;
        byte += 1;
    }
    shards
};

/// A key's number and half of its hash, which distinguishes most keys without comparing them and is
/// enough to move slots.
#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    number: u32,
}

impl Slot {
    fn spread(hash: u32) -> u64 {
        // multiplies by the golden ratio, which spreads neighbouring hashes
        u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
}

impl Slots {
    /// Returns the number of a key, by its hash and by a function that compares it with the key of
    /// a number; `next` for a new key.
    #[inline]
    fn number(
        &mut self,
        hash: u64,
        next: usize,
        is_same: impl Fn(usize) -> bool,
    ) -> Result<u32, ArrowError> {
        let hash = (hash >> 32) as u32;
        let is_same = |slot: &Slot| slot.hash == hash && is_same(slot.number as usize);
        let shard = &mut self.shards[usize::from(SHARD_OF[(hash >> 24) as usize]) % SHARDS];
        match shard.entry(Slot::spread(hash), is_same, |slot| Slot::spread(slot.hash)) {
            Entry::Occupied(slot) => Ok(slot.get().number),
            Entry::Vacant(vacant) => {
                let number = u32::try_from(next).map_err(|_too_many| {
                    ArrowError::ComputeError("more than 2^32 keys".to_owned())
                })?;
                vacant.insert(Slot { hash, number });
                Ok(number)
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        self.shards.iter().map(HashTable::allocation_size).sum()
    }
}

/// Distinct byte strings, one after another in one buffer.
#[derive(Debug, Default)]
struct Strings {
    slots: Slots,
    bytes: Vec<u8>,
    /// The end of each string in the buffer.
    ends: Vec<usize>,
}

impl Strings {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn intern(&mut self, string: &[u8]) -> Result<u32, ArrowError> {
        let Self { slots, bytes, ends } = self;
        let hash = slots.hasher.hash_one(string);
        let number = slots.number(hash, ends.len(), |number| at(bytes, ends, number) == string)?;
        if number as usize == ends.len() {
            bytes.extend_from_slice(string);
            ends.push(bytes.len());
        }
        Ok(number)
    }

    fn at(&self, number: u32) -> &[u8] {
        at(&self.bytes, &self.ends, number as usize)
    }

    fn memory_bytes(&self) -> usize {
        self.slots.memory_bytes()
            + self.bytes.capacity()
            + self.ends.capacity() * size_of::<usize>()
    }
}

fn at<'b>(bytes: &'b [u8], ends: &[usize], number: usize) -> &'b [u8] {
    let start = if number == 0 { 0 } else { ends[number - 1] };
    &bytes[start..ends[number]]
}

#[cfg(test)]
mod tests;
