//! The layout of a CSV file: its header, and types by its first records.

use std::collections::HashMap;

use super::cursor::{Scratch, is_blank, misplaced};
use super::{CsvField, CsvLayout, CsvOptions, infer, without_line_end};
use crate::damage::Damage;
use crate::field_type::FieldType;
use crate::problem::descriptor::DescriptorProblem;
use crate::record::RECORD_BYTES_MAX;
use crate::{Error, Result};

/// Bytes of the sample, or more where the header alone is longer.
const SAMPLE_BYTES: usize = 1 << 20;

/// The most fields of a record.
const FIELDS_MAX: usize = 16 << 10;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

impl CsvLayout {
    /// Reads the header and the first records of the file that errors call `name`: `read` gives as
    /// many of its first bytes as it is asked for, or all.
    ///
    /// # Errors
    /// `Record` when there is no usable header, `Descriptor` when the options do not fit it; those
    /// of `read`.
    pub(crate) fn open(
        name: &str,
        options: CsvOptions,
        read: impl FnMut(usize) -> Result<Vec<u8>>,
    ) -> Result<Self> {
        let mut layout = Self {
            descriptor: format!("{name}.toml"),
            start: 0,
            delimiter: options.delimiter.unwrap_or(b','),
            header: options.header,
            null: options.null,
            fields: Vec::new(),
            compression: None,
        };
        let mut scratch = Scratch::default();
        let sample = Sample::read(read, &mut scratch, &layout)?;
        let records = if layout.header {
            let (names, used) = header(name, &sample, &scratch, &layout)?;
            layout.fields = declared(&layout.descriptor, names, &options.fields)?;
            // the line feed of the header may be one that the file lacks
            layout.start = (sample.skipped + used).min(sample.length) as u64;
            &sample.bytes[used..]
        } else {
            layout.start = sample.skipped as u64;
            let fields = options.fields.into_iter();
            layout.fields = fields.map(|(name, kind)| CsvField::new(name, kind)).collect();
            &sample.bytes[..]
        };
        layout.infer(records, &mut scratch);
        Ok(layout)
    }

    /// Gives a type to the fields that have none declared. The records up to the first fault
    /// count: the fault itself is told when a scan comes to it.
    fn infer(&mut self, records: &[u8], scratch: &mut Scratch) {
        scratch.structure.scan(records, self.delimiter);
        let sample = scratch.block(self, records, 0);
        let kinds: Vec<FieldType> = (0..self.fields.len())
            .map(|column| match &self.fields[column] {
                field if field.declared => field.kind,
                _ => infer::kind(&sample, column),
            })
            .collect();
        for (field, kind) in self.fields.iter_mut().zip(kinds) {
            field.kind = kind;
        }
    }
}

impl CsvField {
    fn new(name: String, kind: Option<FieldType>) -> Self {
        Self { name, kind: kind.unwrap_or(FieldType::Text), declared: kind.is_some() }
    }
}

/// The first bytes of the file after a byte order mark and, where there is a header, after the
/// blank lines before it. They hold a whole record unless that is too long.
struct Sample {
    bytes: Vec<u8>,
    /// Bytes before them.
    skipped: usize,
    /// Bytes that were read.
    length: usize,
}

impl Sample {
    /// Their structure is in `scratch` then.
    fn read(
        mut read: impl FnMut(usize) -> Result<Vec<u8>>,
        scratch: &mut Scratch,
        layout: &CsvLayout,
    ) -> Result<Self> {
        let mut bytes_max = SAMPLE_BYTES;
        loop {
            let mut bytes = read(bytes_max)?;
            let length = bytes.len();
            let all = length < bytes_max;
            if all && bytes.last().is_some_and(|&byte| byte != b'\n') {
                bytes.push(b'\n');
            }
            let mut skipped =
                if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
            if layout.header {
                skipped += blank_lines(&bytes[skipped..]);
            }
            bytes.drain(..skipped);
            scratch.structure.scan(&bytes, layout.delimiter);
            let found = !scratch.structure.records().is_empty();
            if found || scratch.structure.misplaced().is_some() || all || bytes_max > SAMPLE_BYTES {
                return Ok(Self { bytes, skipped, length });
            }
            bytes_max = RECORD_BYTES_MAX + 1;
        }
    }
}

/// Bytes of the blank lines at the start.
fn blank_lines(bytes: &[u8]) -> usize {
    let lines = bytes.split_inclusive(|&byte| byte == b'\n');
    let blank = lines.take_while(|line| line.strip_suffix(b"\n").is_some_and(is_blank));
    blank.map(<[u8]>::len).sum()
}

/// The names of the first record and its bytes, the line end included.
fn header(
    name: &str,
    sample: &Sample,
    scratch: &Scratch,
    layout: &CsvLayout,
) -> Result<(Vec<String>, usize)> {
    let error = |damage: Damage| Error::damaged(name, damage);
    let Sample { bytes, skipped, .. } = sample;
    if bytes.is_empty() {
        let (has_blank_lines, descriptor) = (*skipped > 0, layout.descriptor.clone());
        return Err(error(Damage::NoHeader { has_blank_lines, descriptor }));
    }
    let structure = &scratch.structure;
    let Some(&end) = structure.records().first() else {
        return Err(error(match structure.misplaced() {
            Some(at) => Damage::Header { byte: skipped + at, problem: misplaced(bytes, at) },
            None => Damage::HeaderWithoutEnd { bytes: bytes.len() },
        }));
    };
    let fields = structure.fields().partition_point(|&field| field <= end);
    if fields > FIELDS_MAX {
        return Err(error(Damage::HeaderFields { fields, fields_max: FIELDS_MAX }));
    }
    let mut names: Vec<String> = Vec::with_capacity(fields);
    let mut start = 0;
    for (column, &end) in structure.fields()[..fields].iter().enumerate() {
        let end = end as usize;
        let mut text = &bytes[start..end];
        if column + 1 == fields {
            text = without_line_end(text);
        }
        start = end + 1;
        let mut unquoted = text.to_vec();
        if let [b'"', text @ .., b'"'] = text {
            super::unquote(text, &mut unquoted);
        }
        let text = String::from_utf8(unquoted)
            .map_err(|_invalid| error(Damage::HeaderNotUtf8 { field: column + 1 }))?;
        names.push(if text.is_empty() { format!("column{}", column + 1) } else { text });
    }
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    if let Some(name) = sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]) {
        return Err(error(Damage::HeaderTwice { name: name.clone() }));
    }
    Ok((names, end as usize + 1))
}

/// The fields of the header with the types that the descriptor gives.
fn declared(
    descriptor: &str,
    names: Vec<String>,
    types: &[(String, Option<FieldType>)],
) -> Result<Vec<CsvField>> {
    let mut types: HashMap<&str, Option<FieldType>> =
        types.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
    let fields: Vec<CsvField> = names
        .into_iter()
        .map(|name| {
            let kind = types.remove(name.as_str()).flatten();
            CsvField::new(name, kind)
        })
        .collect();
    let Some(unknown) = types.keys().min() else { return Ok(fields) };
    let known = fields.iter().take(20).map(|field| field.name.clone()).collect();
    let field = (*unknown).to_owned();
    let problem = DescriptorProblem::UnknownField { field, place: "header", known };
    Err(Error::descriptor(descriptor, problem))
}
