//! The containers of a Parquet file, by whose statistics a scan leaves out records: row groups, and
//! ranges of their records that the page index determines.
//!
//! There are three levels of detail: the statistics of row groups in the footer, their Bloom
//! filters, and the statistics of pages. Pages of different columns hold different records, so a
//! range begins where a page of any column in WHERE begins. Neighbours are joined until a range has
//! [`RECORDS_MIN`] records, because each range costs a start. Damage in a page that is not read is
//! not found.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::buffer::BooleanBuffer;

use super::schema::Leaf;
use super::statistics::{StoredStatistics, bounds, pages};
use super::{Chunk, ParquetLayout, bloom, records};
use crate::io::extent::Extent;
use crate::io::raw_file::RawFile;
use crate::statistics::{ColumnStatistics, Containers, FileStatistics, PruningStatistics};

/// The least number of records of a range, if its row group has so many.
const RECORDS_MIN: u64 = 4096;

/// Some records of a row group.
#[derive(Clone, Debug)]
struct RowRange {
    group: usize,
    /// Counted from the start of the row group.
    records: Range<u64>,
    /// Records of the file before the row group.
    first: u64,
}

impl RowRange {
    fn len(&self) -> u64 {
        self.records.end - self.records.start
    }
}

/// Ranges of records, and statistics of each.
struct ParquetContainers<'a> {
    layout: &'a ParquetLayout,
    file: &'a RawFile,
    ranges: Vec<RowRange>,
    /// The number of records of each range.
    counts: Vec<u64>,
    detail: Detail,
}

/// The part of a file that has the statistics.
#[derive(Clone, Copy)]
enum Detail {
    /// The statistics of row groups in the footer.
    Footer,
    /// The statistics of row groups in the footer, and their Bloom filters.
    BloomFilters,
    /// The statistics of pages in the page index.
    PageIndex,
}

impl FileStatistics for ParquetLayout {
    fn containers<'a>(&'a self, file: &'a RawFile) -> Box<dyn Containers<'a> + 'a> {
        let mut first = 0;
        let groups = self.metadata.row_groups().iter().enumerate();
        let ranges = groups.map(|(group, metadata)| {
            let records = records(metadata);
            let range = RowRange { group, records: 0..records, first };
            first += records;
            range
        });
        let ranges = ranges.filter(|range| range.len() > 0).collect();
        Box::new(ParquetContainers::new(self, file, ranges, Detail::Footer))
    }
}

impl ParquetLayout {
    /// Divides a row group into ranges that do not begin within a page of any of the columns.
    fn divided(&self, group: &RowRange, columns: &[usize], file_bytes: u64) -> Vec<RowRange> {
        let mut starts = vec![0];
        for column in columns {
            let chunk = self.chunk(group.group, *column, file_bytes);
            let Some(locations) = chunk.and_then(|chunk| chunk.locations) else { continue };
            let mut start = 0;
            for location in locations.iter() {
                start += location.records;
                starts.push(start);
            }
        }
        starts.sort_unstable();
        starts.dedup();
        let end = group.len();
        let mut ranges: Vec<RowRange> = Vec::new();
        for (index, start) in starts.iter().enumerate() {
            let next = starts.get(index + 1).copied().unwrap_or(end).min(end);
            match ranges.last_mut() {
                Some(last) if last.len() < RECORDS_MIN => last.records.end = next,
                _ if *start < next => {
                    ranges.push(RowRange { records: *start..next, ..group.clone() });
                }
                _ => {}
            }
        }
        ranges
    }

    fn chunk(&self, group: usize, column: usize, file_bytes: u64) -> Option<Chunk> {
        let leaf = self.columns.get(column)?.leaf.as_ref()?;
        Chunk::new(&self.metadata, group, leaf.index, file_bytes)
    }

    /// Returns the statistics of a column in each range, by the page index.
    fn range_statistics(
        &self,
        ranges: &[RowRange],
        column: usize,
        file_bytes: u64,
    ) -> Vec<StoredStatistics<'_>> {
        let of_groups = ranges.chunk_by(|left, right| left.group == right.group);
        let statistics = of_groups.flat_map(|ranges| {
            let group = ranges.first().map(|range| range.group);
            let chunk = group.map(|group| self.column_chunk(group, column, file_bytes));
            let leaf = self.columns.get(column).and_then(|column| column.leaf.as_ref());
            ranges.iter().map(move |range| match (&chunk, leaf) {
                (Some(chunk), Some(leaf)) => chunk.of_range(range, leaf),
                _ => StoredStatistics::default(),
            })
        });
        statistics.collect()
    }

    /// Returns the statistics of a column chunk and of its pages; none if they contradict each
    /// other.
    fn column_chunk(
        &self,
        group: usize,
        column: usize,
        file_bytes: u64,
    ) -> ColumnChunkStatistics<'_> {
        let statistics = || {
            let chunk = self.chunk_statistics(group, column, file_bytes)?;
            let leaf = self.columns.get(column)?.leaf.as_ref()?;
            let records = records(self.metadata.row_groups().get(group)?);
            let pages = self.page_statistics(group, leaf, file_bytes).unwrap_or_default();
            Some(ColumnChunkStatistics { records, chunk, pages })
        };
        statistics().unwrap_or_default()
    }

    /// Returns the statistics of a column chunk; `None` if its pages contradict them.
    fn chunk_statistics(
        &self,
        group: usize,
        column: usize,
        file_bytes: u64,
    ) -> Option<StoredStatistics<'_>> {
        let leaf = self.columns.get(column)?.leaf.as_ref()?;
        let row_group = self.metadata.row_groups().get(group)?;
        let (records, file) = (records(row_group), self.metadata.file_metadata());
        let chunk = row_group.columns().get(leaf.index)?;
        let statistics = StoredStatistics::of_chunk(chunk, records, file, leaf);
        let agreement = self.agreements.get(group * row_group.num_columns() + leaf.index)?;
        let agree = agreement.get_or_init(|| {
            let pages = self.page_statistics(group, leaf, file_bytes).unwrap_or_default();
            pages.is_empty() || statistics.agrees(&StoredStatistics::of_all(&pages, leaf), leaf)
        });
        agree.then_some(statistics)
    }

    /// Returns the statistics of each page, and its number of records; `None` without an index of
    /// them.
    fn page_statistics(
        &self,
        group: usize,
        leaf: &Leaf,
        file_bytes: u64,
    ) -> Option<Vec<(StoredStatistics<'_>, u64)>> {
        let index = self.metadata.column_index()?.get(group)?.get(leaf.index)?;
        let locations = Chunk::new(&self.metadata, group, leaf.index, file_bytes)?.locations?;
        if pages(index) != locations.len() as u64 {
            return None;
        }
        let file = self.metadata.file_metadata();
        let statistics = locations.iter().enumerate().map(|(page, location)| {
            let records = location.records;
            (StoredStatistics::of_page(index, page, records, file, leaf), records)
        });
        Some(statistics.collect())
    }
}

/// The statistics of a column chunk and of its pages.
#[derive(Default)]
struct ColumnChunkStatistics<'a> {
    records: u64,
    chunk: StoredStatistics<'a>,
    /// Each with its number of records; empty without an index of them.
    pages: Vec<(StoredStatistics<'a>, u64)>,
}

impl<'a> ColumnChunkStatistics<'a> {
    /// Returns what holds for all pages that have records of the range, or for the whole column
    /// chunk if there is no index of its pages.
    fn of_range(&self, range: &RowRange, leaf: &Leaf) -> StoredStatistics<'a> {
        let mut start = 0;
        let mut pages = Vec::new();
        for (statistics, records) in &self.pages {
            let end = start + records;
            if start < range.records.end && range.records.start < end {
                pages.push((*statistics, *records));
            }
            start = end;
        }
        let (statistics, records) = match pages.as_slice() {
            [] => (self.chunk, self.records),
            pages => {
                let records = pages.iter().map(|(_, records)| records).sum();
                (StoredStatistics::of_all(pages, leaf), records)
            }
        };
        statistics.narrowed(records, range.len())
    }
}

impl<'a> ParquetContainers<'a> {
    fn new(
        layout: &'a ParquetLayout,
        file: &'a RawFile,
        ranges: Vec<RowRange>,
        detail: Detail,
    ) -> Self {
        let counts = ranges.iter().map(RowRange::len).collect();
        Self { layout, file, ranges, counts, detail }
    }

    fn stored(&self, column: usize) -> Vec<StoredStatistics<'a>> {
        let (layout, bytes) = (self.layout, self.file.bytes());
        match self.detail {
            Detail::Footer | Detail::BloomFilters => {
                let stored = |range: &RowRange| layout.chunk_statistics(range.group, column, bytes);
                self.ranges.iter().map(|range| stored(range).unwrap_or_default()).collect()
            }
            Detail::PageIndex => layout.range_statistics(&self.ranges, column, bytes),
        }
    }
}

impl PruningStatistics for ParquetContainers<'_> {
    fn records(&self) -> &[u64] {
        &self.counts
    }

    fn column(&self, column: usize) -> Option<ColumnStatistics> {
        let column_of_file = self.layout.columns.get(column)?;
        let leaf = column_of_file.leaf.as_ref()?;
        let stored = self.stored(column);
        let (min, max): (ArrayRef, ArrayRef) = bounds(&stored, leaf);
        // the statistics of a column that cannot be NULL may lack the number of NULLs
        let required = (!column_of_file.field.is_nullable()).then_some(0);
        let null_counts: UInt64Array =
            stored.iter().map(|stored| stored.nulls.or(required)).collect();
        let always = leaf.decodes_always();
        let between = leaf.decodes_between_bounds();
        let decodes: BooleanBuffer = (0..stored.len())
            .map(|range| {
                let is_null =
                    null_counts.is_valid(range) && null_counts.value(range) == self.counts[range];
                always || is_null || (between && min.is_valid(range) && max.is_valid(range))
            })
            .collect();
        Some(ColumnStatistics { min, max, null_counts, decodes })
    }

    fn excludes(&self, column: usize, value: &ArrayRef) -> Option<BooleanBuffer> {
        let Detail::BloomFilters = self.detail else { return None };
        let leaf = self.layout.columns.get(column)?.leaf.as_ref()?;
        let excludes = self.ranges.iter().map(|range| {
            let group = self.layout.metadata.row_groups().get(range.group);
            let chunk = group.and_then(|group| group.columns().get(leaf.index));
            let cipher = self.layout.cipher(range.group, leaf.index);
            chunk.zip(cipher.ok()).is_some_and(|(chunk, cipher)| {
                bloom::excludes(self.file, chunk, cipher, leaf, value)
            })
        });
        Some(excludes.collect())
    }
}

impl<'a> Containers<'a> for ParquetContainers<'a> {
    fn retained(&self, is_retained: &dyn Fn(usize) -> bool) -> Box<dyn Containers<'a> + 'a> {
        let ranges = self.ranges.iter().enumerate();
        let ranges = ranges.filter(|(index, _)| is_retained(*index));
        let ranges = ranges.map(|(_, range)| range.clone()).collect();
        Box::new(Self::new(self.layout, self.file, ranges, self.detail))
    }

    fn refined(&self, columns: &[usize]) -> Option<Box<dyn Containers<'a> + 'a>> {
        let Self { layout, file, ranges, .. } = self;
        let (ranges, detail) = match self.detail {
            // filters are read when a value is looked up
            Detail::Footer => (ranges.clone(), Detail::BloomFilters),
            Detail::BloomFilters => {
                let divided = |group| layout.divided(group, columns, file.bytes());
                (ranges.iter().flat_map(divided).collect(), Detail::PageIndex)
            }
            Detail::PageIndex => return None,
        };
        Some(Box::new(Self::new(layout, file, ranges, detail)))
    }

    fn extents(&self) -> Vec<Extent> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for RowRange { records, first, .. } in &self.ranges {
            let records = first + records.start..first + records.end;
            match ranges.last_mut() {
                Some(last) if last.end == records.start => last.end = records.end,
                _ => ranges.push(records),
            }
        }
        let extent = |records: Range<u64>| Extent {
            first_record: records.start,
            records: Some(records.end - records.start),
            bytes: records,
        };
        ranges.into_iter().map(extent).collect()
    }
}
