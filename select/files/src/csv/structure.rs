//! The structural pass: where fields and records end, 64 bytes at a time.
//!
//! The method is that of simdjson (Langdale and Lemire, "Parsing gigabytes of JSON per second",
//! 2019). Each 64 bytes become bit masks of quotes, delimiters, line feeds and carriage returns;
//! the prefix XOR of the quotes tells what is inside of them, and the bits that remain become
//! positions. Whether every quote and every carriage return stands where the strict rule allows one
//! is decided on the same masks, so a field that nobody asks for is checked as well.

use fearless_simd::{Level, Simd, SimdBase, SimdMask, dispatch, u8x64};

/// The ends of the fields and records of some bytes. Reused from block to block.
#[derive(Debug)]
pub struct Structure {
    /// The vectors to use.
    level: Level,
    fields: Positions,
    records: Positions,
    misplaced: Option<u32>,
    inside: bool,
}

/// The widest vectors that the processor has and that pay.
pub(super) fn level() -> Level {
    let level = Level::new();
    // AVX-512 compares into mask registers, where the steps of `prefix_xor` are slow
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    let level = level.as_avx2().map_or(level, Level::Avx2);
    level
}

impl Default for Structure {
    fn default() -> Self {
        Self::at(level())
    }
}

impl Structure {
    pub(super) fn at(level: Level) -> Self {
        let (fields, records) = (Positions::default(), Positions::default());
        Self { level, fields, records, misplaced: None, inside: false }
    }

    /// Looks through `bytes`, which start with a record.
    pub fn scan(&mut self, bytes: &[u8], delimiter: u8) {
        dispatch!(self.level, simd => self.pass(simd, bytes, delimiter));
    }

    /// Looks through `bytes` with the instructions of a level: all that it calls is inlined.
    #[inline(always)]
    fn pass<S: Simd>(&mut self, simd: S, bytes: &[u8], delimiter: u8) {
        self.fields.used = 0;
        self.records.used = 0;
        self.misplaced = None;
        let mut pass = Pass::default();
        let (words, rest) = bytes.as_chunks::<64>();
        let mut base = 0;
        for word in words {
            if self.word(&mut pass, base, Masks::of(simd, word, delimiter)) {
                return;
            }
            base += 64;
        }
        if !rest.is_empty() {
            let mut word = [0; 64];
            word[..rest.len()].copy_from_slice(rest);
            let masks = Masks::of(simd, &word, delimiter).within((1 << rest.len()) - 1);
            if self.word(&mut pass, base, masks) {
                return;
            }
        }
        self.inside = pass.inside != 0;
    }

    /// Positions of the delimiters and line feeds that end a field.
    pub fn fields(&self) -> &[u32] {
        self.fields.get()
    }

    /// Positions of the line feeds that end a record.
    pub(super) fn records(&self) -> &[u32] {
        self.records.get()
    }

    /// Returns where the first byte stands that makes a quote or a carriage return misplaced: a
    /// quote that opens within a field, what follows one that closes, or what follows a carriage
    /// return outside of quotes and is not a line end. Nothing after it is looked at.
    pub(super) fn misplaced(&self) -> Option<usize> {
        self.misplaced.map(|at| at as usize)
    }

    /// Takes in 64 bytes that start at `base`; whether one in them is misplaced.
    #[inline(always)]
    fn word(&mut self, pass: &mut Pass, base: u32, masks: Masks) -> bool {
        let Masks { quotes, delimiters, line_feeds, carriage_returns, all } = masks;
        let after_return = carriage_returns << 1 | pass.returned;
        let stray = after_return & !(line_feeds | carriage_returns) & all;
        if quotes | pass.inside | pass.closed | stray == 0 {
            let fields = delimiters | line_feeds;
            pass.ended = fields >> 63;
            pass.returned = carriage_returns >> 63;
            self.fields.push(base, fields);
            self.records.push_few(base, line_feeds);
            return false;
        }
        self.quoted_word(pass, base, masks)
    }

    #[inline(always)]
    fn quoted_word(&mut self, pass: &mut Pass, base: u32, masks: Masks) -> bool {
        // an opening quote is inside, a closing one is not
        let inside = prefix_xor(masks.quotes) ^ pass.inside;
        let fields = (masks.delimiters | masks.line_feeds) & !inside;
        let line_feeds = masks.line_feeds & !inside;
        let carriage_returns = masks.carriage_returns & !inside;
        let (opening, closing) = (masks.quotes & inside, masks.quotes & !inside);
        let after_end = fields << 1 | pass.ended;
        let after_closing = closing << 1 | pass.closed;
        let after_return = carriage_returns << 1 | pass.returned;
        pass.inside = if inside >> 63 == 1 { u64::MAX } else { 0 };
        pass.ended = fields >> 63;
        pass.closed = closing >> 63;
        pass.returned = carriage_returns >> 63;
        // two quotes in a row inside of a field are one that closes and one that opens again
        let quotes = opening & !(after_end | after_closing)
            | after_closing & !(fields | masks.quotes | carriage_returns);
        // what follows the last byte of all is told by whoever gets both
        let misplaced = (quotes | after_return & !(line_feeds | carriage_returns)) & masks.all;
        if misplaced == 0 {
            self.fields.push(base, fields);
            self.records.push_few(base, line_feeds);
            return false;
        }
        let before = (1 << misplaced.trailing_zeros()) - 1;
        self.fields.push(base, fields & before);
        self.records.push_few(base, line_feeds & before);
        self.misplaced = Some(base + misplaced.trailing_zeros());
        true
    }
}

/// The state that one word hands to the next: all ones or zeros, and the lowest bit.
struct Pass {
    inside: u64,
    /// The byte before ended a field, or there is none.
    ended: u64,
    /// The byte before was a closing quote.
    closed: u64,
    /// The byte before was a carriage return outside of quotes.
    returned: u64,
}

impl Default for Pass {
    fn default() -> Self {
        Self { inside: 0, ended: 1, closed: 0, returned: 0 }
    }
}

/// Bit `i` is about byte `i`.
#[derive(Clone, Copy)]
struct Masks {
    quotes: u64,
    delimiters: u64,
    line_feeds: u64,
    carriage_returns: u64,
    /// The bytes that there are.
    all: u64,
}

impl Masks {
    #[inline(always)]
    fn of<S: Simd>(simd: S, word: &[u8; 64], delimiter: u8) -> Self {
        let word = u8x64::from_slice(simd, word);
        let mask = |byte: u8| word.simd_eq(u8x64::splat(simd, byte)).to_bitmask();
        Self {
            quotes: mask(b'"'),
            delimiters: mask(delimiter),
            line_feeds: mask(b'\n'),
            carriage_returns: mask(b'\r'),
            all: u64::MAX,
        }
    }

    fn within(self, mask: u64) -> Self {
        Self {
            quotes: self.quotes & mask,
            delimiters: self.delimiters & mask,
            line_feeds: self.line_feeds & mask,
            carriage_returns: self.carriage_returns & mask,
            all: mask,
        }
    }
}

/// Bit `i` is the parity of the bits up to and with `i`.
#[inline(always)]
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// A list of positions that grows by whole words.
#[derive(Debug, Default)]
struct Positions {
    slots: Vec<u32>,
    used: usize,
}

impl Positions {
    fn get(&self) -> &[u32] {
        &self.slots[..self.used]
    }

    #[inline(always)]
    fn word(&mut self) -> Option<&mut [u32; 64]> {
        if self.slots.len() < self.used + 64 {
            self.grow();
        }
        self.slots[self.used..].first_chunk_mut()
    }

    #[cold]
    fn grow(&mut self) {
        self.slots.resize(2 * self.slots.len() + 1024, 0);
    }

    /// Adds the positions of many bits: those of eight bits are looked up and written at once. A
    /// loop of exactly as many would be mispredicted at almost every word.
    #[inline(always)]
    fn push(&mut self, base: u32, bits: u64) {
        let Some(slots) = self.word() else { return };
        let (mut used, mut base) = (0, base);
        for bits in bits.to_le_bytes() {
            let Some(eight) = slots[used..].first_chunk_mut::<8>() else { return };
            *eight = BITS[usize::from(bits)].map(|bit| base + bit);
            used += usize::from(COUNTS[usize::from(bits)]);
            base += 8;
        }
        self.used += used;
    }

    /// Adds the positions of bits of which there is mostly one or none.
    #[inline(always)]
    fn push_few(&mut self, base: u32, mut bits: u64) {
        let Some(slots) = self.word() else { return };
        slots[0] = base + bits.trailing_zeros();
        let mut count = usize::from(bits != 0);
        bits &= bits.wrapping_sub(1);
        while bits != 0 {
            slots[count % 64] = base + bits.trailing_zeros();
            count += 1;
            bits &= bits - 1;
        }
        self.used += count;
    }
}

/// The number of bits that are set. The instruction for it is not in the baseline of x86-64.
static COUNTS: [u8; 256] = {
    let mut table = [0; 256];
    let mut bits = 1;
    while bits < 256 {
        table[bits] = table[bits / 2] + if bits % 2 == 1 { 1 } else { 0 };
        bits += 1;
    }
    table
};

/// For each eight bits the places of those that are set, then zeros.
static BITS: [[u32; 8]; 256] = {
    let mut table = [[0; 8]; 256];
    let mut bits = 0;
    while bits < 256 {
        let (mut bit, mut count) = (0, 0);
        while bit < 8 {
            if bits >> bit & 1 == 1 {
                table[bits][count] = bit;
                count += 1;
            }
            bit += 1;
        }
        bits += 1;
    }
    table
};
