//! The grammar of RFC 8259 over bytes: strings, numbers, literals, and values that nobody asks for.
//!
//! A line feed is not a space here: it ends the record, wherever it stands. All that is looked at is
//! checked. Whether text is UTF-8 is not: that is told of the whole record before.

use fearless_simd::{Level, Simd, SimdBase, SimdMask, dispatch, u8x16};

/// How deep arrays and objects may be in one another.
pub(super) const DEPTH_MAX: usize = 64;

/// A mistake in a text, and its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) at: usize,
    pub(super) what: &'static str,
}

pub(super) type Result<T> = std::result::Result<T, Wrong>;

/// A place in a text. It is not a cursor that takes values: a scan of a string or of spaces goes on
/// in the whole text, by vectors of 16 bytes, and an error has the place in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a [u8], at: usize) -> Self {
        Self { text, at }
    }

    /// The byte that comes next.
    #[inline(always)]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// All that comes next.
    #[inline(always)]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The byte after spaces, which are passed.
    #[inline(always)]
    pub(super) fn peek_after_space(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
        self.peek()
    }

    pub(super) fn wrong<T>(&self, what: &'static str) -> Result<T> {
        Err(Wrong { at: self.at, what })
    }

    /// Passes one byte after spaces.
    #[inline(always)]
    pub(super) fn expect(&mut self, byte: u8, what: &'static str) -> Result<()> {
        if self.peek_after_space() != Some(byte) {
            return self.wrong(what);
        }
        self.at += 1;
        Ok(())
    }

    /// Passes a string, whose opening quote comes next; gives what is between the quotes, escapes
    /// as they are.
    #[inline(always)]
    pub(super) fn string(&mut self) -> Result<&'a [u8]> {
        self.at += 1;
        let start = self.at;
        loop {
            self.at = plain_end(self.text, self.at);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(_) => {
                    return self.wrong("a control character in a string; it has to be escaped");
                }
                None => return self.wrong("a string is not closed"),
            }
        }
        let string = &self.text[start..self.at];
        self.at += 1;
        Ok(string)
    }

    /// Passes an escape, and the second half of a surrogate pair with the first.
    fn escape(&mut self) -> Result<()> {
        let rest = &self.text[self.at..];
        let (_, length) = match unescape(rest) {
            Ok(unescaped) => unescaped,
            Err(what) => return self.wrong(what),
        };
        self.at += length;
        Ok(())
    }

    /// Passes a value of any kind; `depth` says how many arrays and objects it may have around it
    /// still, itself among them.
    pub(super) fn value(&mut self, depth: usize) -> Result<()> {
        match self.peek_after_space() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            _ => self.scalar(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<()> {
        let depth = self.deeper(depth)?;
        self.at += 1;
        if self.peek_after_space() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.name()?;
            self.value(depth)?;
            if self.ends(b'}', OBJECT_GOES_ON)? {
                return Ok(());
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<()> {
        let depth = self.deeper(depth)?;
        self.at += 1;
        if self.peek_after_space() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth)?;
            if self.ends(b']', "expected `,` or `]`")? {
                return Ok(());
            }
        }
    }

    /// Bounds the depth, and so the stack.
    pub(super) fn deeper(&self, depth: usize) -> Result<usize> {
        match depth.checked_sub(1) {
            Some(depth) => Ok(depth),
            None => self
                .wrong("arrays and objects are nested deeper than 64, the most that is accepted"),
        }
    }

    /// Passes a name and its colon; gives the name between its quotes.
    #[inline(always)]
    pub(super) fn name(&mut self) -> Result<&'a [u8]> {
        if self.peek_after_space() != Some(b'"') {
            return self.wrong("expected a name in quotes");
        }
        let name = self.string()?;
        self.expect(b':', "expected `:` after a name")?;
        Ok(name)
    }

    /// Passes a comma or the end of an array or object, and tells which.
    #[inline(always)]
    pub(super) fn ends(&mut self, end: u8, expected: &'static str) -> Result<bool> {
        let byte = self.peek_after_space();
        if byte != Some(b',') && byte != Some(end) {
            return self.wrong(expected);
        }
        self.at += 1;
        Ok(byte == Some(end))
    }

    /// Passes a string, a number or a literal.
    #[inline(always)]
    pub(super) fn scalar(&mut self) -> Result<()> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            _ => self.wrong("expected a value"),
        }
    }

    fn literal(&mut self, literal: &[u8]) -> Result<()> {
        if !self.text[self.at..].starts_with(literal) {
            return self.wrong("expected a value");
        }
        self.at += literal.len();
        Ok(())
    }

    #[inline(always)]
    fn number(&mut self) -> Result<()> {
        match PlainNumber::of(self.rest()) {
            Some(number) => {
                self.at += number.length;
                Ok(())
            }
            None => self.any_number(),
        }
    }

    fn any_number(&mut self) -> Result<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { self.wrong("expected a digit") } else { Ok(()) }
    }
}

/// The lengths of a number without an exponent, and of its digits after the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PlainNumber {
    pub(super) length: usize,
    pub(super) fraction: usize,
}

impl PlainNumber {
    /// The number that `text` starts with, if it is a plain one and ends within 16 bytes, with what
    /// follows it. No branch depends on the number of digits.
    #[inline(always)]
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        let bytes: &[u8; 16] = text.first_chunk()?;
        let others = dispatch!(Level::baseline(), simd => others(simd, bytes));
        let sign = usize::from(bytes[0] == b'-');
        let whole = (others >> sign).trailing_zeros() as usize;
        let point = sign + whole;
        if whole == 0 || whole > 1 && bytes[sign] == b'0' {
            return None;
        }
        let (length, fraction) = match bytes.get(point)? {
            b'.' => {
                let fraction = (others >> (point + 1)).trailing_zeros() as usize;
                (point + 1 + fraction, fraction)
            }
            _ => (point, 0),
        };
        let is_whole = length == point || fraction > 0;
        let ends = !matches!(bytes.get(length)?, b'e' | b'E');
        (is_whole && ends).then_some(Self { length, fraction })
    }
}

/// The tokens that may follow a member of an object.
pub(super) const OBJECT_GOES_ON: &str = "expected `,` or `}`";

/// Returns the position of the first quote, backslash or control character from `at` on.
#[inline(always)]
fn plain_end(text: &[u8], mut at: usize) -> usize {
    while let Some(bytes) = text.get(at..).and_then(<[u8]>::first_chunk) {
        let special = dispatch!(Level::baseline(), simd => special(simd, bytes));
        if special != 0 {
            return at + special.trailing_zeros() as usize;
        }
        at += 16;
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1F);
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(is_special).unwrap_or(rest.len())
}

/// The bytes that are a quote, a backslash or a control character: bit `i` is about byte `i`.
#[inline(always)]
fn special<S: Simd>(simd: S, bytes: &[u8; 16]) -> u64 {
    let bytes = u8x16::from_slice(simd, bytes);
    let control = bytes.min(u8x16::splat(simd, 0x1F)).simd_eq(bytes);
    let quote = bytes.simd_eq(u8x16::splat(simd, b'"'));
    (control | quote | bytes.simd_eq(u8x16::splat(simd, b'\\'))).to_bitmask()
}

/// The bytes that are not digits, and all bits after them.
#[inline(always)]
fn others<S: Simd>(simd: S, bytes: &[u8; 16]) -> u64 {
    let digits = u8x16::from_slice(simd, bytes) - u8x16::splat(simd, b'0');
    !digits.min(u8x16::splat(simd, 9)).simd_eq(digits).to_bitmask()
}

/// The character of the escape that `text` starts with, and its length.
fn unescape(text: &[u8]) -> std::result::Result<(char, usize), &'static str> {
    const HALF: &str = "half of a surrogate pair";
    let char = match text.get(1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{C}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => {
            let unit = code_unit(text).ok_or("`\\u` needs four hexadecimal digits")?;
            if !(0xD800..0xE000).contains(&unit) {
                return Ok((char::from_u32(unit).ok_or(HALF)?, 6));
            }
            let second = code_unit(&text[6..]).filter(|unit| (0xDC00..0xE000).contains(unit));
            let second = second.filter(|_| unit < 0xDC00).ok_or(HALF)?;
            let point = 0x10000 + ((unit - 0xD800) << 10) + (second - 0xDC00);
            return Ok((char::from_u32(point).ok_or(HALF)?, 12));
        }
        _ => return Err("an escape that JSON does not have"),
    };
    Ok((char, 2))
}

/// The number in `\u12ab`, with which `text` has to start.
fn code_unit(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.first_chunk::<4>()?;
    digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))
}

/// Replaces the escapes of a string without its quotes: returns `text` itself if it has none, and
/// otherwise uses `scratch`.
#[inline(always)]
pub(super) fn unescaped<'s>(text: &'s [u8], scratch: &'s mut Vec<u8>) -> &'s [u8] {
    match memchr::memchr(b'\\', text) {
        None => text,
        Some(first) => unescape_all(text, first, scratch),
    }
}

fn unescape_all<'s>(mut text: &[u8], first: usize, scratch: &'s mut Vec<u8>) -> &'s [u8] {
    scratch.clear();
    let mut next = Some(first);
    while let Some(backslash) = next {
        let (before, escape) = text.split_at(backslash);
        scratch.extend_from_slice(before);
        // it was checked when the record was
        let Ok((char, length)) = unescape(escape) else { break };
        scratch.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        text = &escape[length..];
        next = memchr::memchr(b'\\', text);
    }
    scratch.extend_from_slice(text);
    scratch
}
