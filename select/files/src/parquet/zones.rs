//! The statistics that a file has of its row groups and of their pages, and the Bloom filters of
//! its row groups.
//!
//! Pages of different columns hold different records, so where the pages of any column in WHERE
//! begin, a zone begins; neighbours are joined until a zone has [`RECORDS_MIN`], for each that is
//! left costs a start. Damage in a page that is not read is not found.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::buffer::BooleanBuffer;

use super::claims::{Claim, bounds};
use super::schema::Leaf;
use super::{Chunk, Layout, bloom, records};
use crate::io::raw_file::RawFile;
use crate::statistics::{ColumnStatistics, PruningStatistics};

/// Records of a zone at least, if its row group has so many.
const RECORDS_MIN: u64 = 4096;

/// Some records of a row group.
#[derive(Clone, Debug)]
struct Zone {
    group: usize,
    /// Of the row group.
    records: Range<u64>,
    /// Of the file, before the row group.
    first: u64,
}

/// Zones of a file, and statistics of each: row groups, or parts of them that pages determine.
pub struct Zones<'a> {
    layout: &'a Layout,
    file: &'a RawFile,
    zones: Vec<Zone>,
    /// The number of records of each zone.
    counts: Vec<u64>,
    source: StatisticsSource,
}

/// The part of a file that has the statistics.
#[derive(Clone, Copy)]
enum StatisticsSource {
    /// Those of row groups in the footer.
    Footer,
    /// Those of row groups in the footer, and their Bloom filters.
    BloomFilters,
    /// Those of pages in the page index.
    PageIndex,
}

impl Layout {
    /// Returns the row groups that have records, with the statistics of the footer.
    pub fn row_groups<'a>(&'a self, file: &'a RawFile) -> Zones<'a> {
        Zones::new(self, file, self.groups(), StatisticsSource::Footer)
    }

    fn groups(&self) -> Vec<Zone> {
        let mut first = 0;
        let groups = self.metadata.row_groups().iter().enumerate();
        let zones = groups.map(|(group, metadata)| {
            let records = records(metadata);
            let zone = Zone { group, records: 0..records, first };
            first += records;
            zone
        });
        zones.filter(|zone| zone.len() > 0).collect()
    }

    /// The row group in zones, none of which is within a page of any of the columns.
    fn zones_of(&self, group: &Zone, columns: &[usize], file_bytes: u64) -> Vec<Zone> {
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
        let mut zones: Vec<Zone> = Vec::new();
        for (index, start) in starts.iter().enumerate() {
            let next = starts.get(index + 1).copied().unwrap_or(end).min(end);
            match zones.last_mut() {
                Some(last) if last.len() < RECORDS_MIN => last.records.end = next,
                _ if *start < next => zones.push(Zone { records: *start..next, ..group.clone() }),
                _ => {}
            }
        }
        zones
    }

    fn chunk(&self, group: usize, column: usize, file_bytes: u64) -> Option<Chunk> {
        let leaf = self.columns.get(column)?.leaf.as_ref()?;
        Chunk::new(&self.metadata, group, leaf.index, file_bytes)
    }

    /// Returns what is claimed of each zone.
    fn claims_of_zones(&self, zones: &[Zone], column: usize, file_bytes: u64) -> Vec<Claim<'_>> {
        let of_groups = zones.chunk_by(|left, right| left.group == right.group);
        let claims = of_groups.flat_map(|zones| {
            let claims = zones.first().map(|zone| self.claims_of(zone.group, column, file_bytes));
            let leaf = self.columns.get(column).and_then(|column| column.leaf.as_ref());
            zones.iter().map(move |zone| match (&claims, leaf) {
                (Some(claims), Some(leaf)) => claims.of_zone(zone, leaf),
                _ => Claim::default(),
            })
        });
        claims.collect()
    }

    /// Returns what is claimed of a column of a row group and of its pages; nothing where these
    /// contradict each other.
    fn claims_of(&self, group: usize, column: usize, file_bytes: u64) -> ChunkClaims<'_> {
        let claims = || {
            let chunk = self.claim_of_chunk(group, column, file_bytes)?;
            let leaf = self.columns.get(column)?.leaf.as_ref()?;
            let records = records(self.metadata.row_groups().get(group)?);
            let pages = self.claims_of_pages(group, leaf, file_bytes).unwrap_or_default();
            Some(ChunkClaims { records, chunk, pages })
        };
        claims().unwrap_or_default()
    }

    /// Returns what is claimed of all of a column of a row group; `None` where its pages contradict
    /// that.
    fn claim_of_chunk(&self, group: usize, column: usize, file_bytes: u64) -> Option<Claim<'_>> {
        let leaf = self.columns.get(column)?.leaf.as_ref()?;
        let row_group = self.metadata.row_groups().get(group)?;
        let (records, file) = (records(row_group), self.metadata.file_metadata());
        let claim = Claim::of_chunk(row_group.columns().get(leaf.index)?, records, file, leaf);
        let agreement = self.agreements.get(group * row_group.num_columns() + leaf.index)?;
        let agree = agreement.get_or_init(|| {
            let pages = self.claims_of_pages(group, leaf, file_bytes).unwrap_or_default();
            pages.is_empty() || claim.agrees(&Claim::of_all(&pages, leaf), leaf)
        });
        agree.then_some(claim)
    }

    /// Returns what is claimed of each page, and its number of records; `None` without an index of
    /// them.
    fn claims_of_pages(
        &self,
        group: usize,
        leaf: &Leaf,
        file_bytes: u64,
    ) -> Option<Vec<(Claim<'_>, u64)>> {
        let index = self.metadata.column_index()?.get(group)?.get(leaf.index)?;
        let locations = Chunk::new(&self.metadata, group, leaf.index, file_bytes)?.locations?;
        if super::claims::pages(index) != locations.len() as u64 {
            return None;
        }
        let file = self.metadata.file_metadata();
        let claims = locations.iter().enumerate().map(|(page, location)| {
            (Claim::of_page(index, page, location.records, file, leaf), location.records)
        });
        Some(claims.collect())
    }
}

/// What a file claims of a column of a row group.
#[derive(Default)]
struct ChunkClaims<'a> {
    records: u64,
    chunk: Claim<'a>,
    /// Each with its number of records; empty without an index of them.
    pages: Vec<(Claim<'a>, u64)>,
}

impl<'a> ChunkClaims<'a> {
    /// What holds for all pages that have records of the zone; what is claimed of the whole column
    /// chunk where there is no index of its pages.
    fn of_zone(&self, zone: &Zone, leaf: &Leaf) -> Claim<'a> {
        let mut start = 0;
        let mut pages = Vec::new();
        for (claim, records) in &self.pages {
            let end = start + records;
            if start < zone.records.end && zone.records.start < end {
                pages.push((*claim, *records));
            }
            start = end;
        }
        let (claim, records) = match pages.as_slice() {
            [] => (self.chunk, self.records),
            pages => (Claim::of_all(pages, leaf), pages.iter().map(|(_, records)| records).sum()),
        };
        claim.narrowed(records, zone.len())
    }
}

impl Zone {
    fn len(&self) -> u64 {
        self.records.end - self.records.start
    }
}

impl<'a> Zones<'a> {
    fn new(
        layout: &'a Layout,
        file: &'a RawFile,
        zones: Vec<Zone>,
        source: StatisticsSource,
    ) -> Self {
        let counts = zones.iter().map(Zone::len).collect();
        Self { layout, file, zones, counts, source }
    }

    /// Returns the zones whose index `is_kept`.
    pub fn retained(self, is_kept: impl Fn(usize) -> bool) -> Self {
        let zones = self.zones.into_iter().enumerate();
        let zones = zones.filter(|(index, _)| is_kept(*index)).map(|(_, zone)| zone).collect();
        Self::new(self.layout, self.file, zones, self.source)
    }

    /// Returns the same row groups, with their Bloom filters too. Filters are read when a value is
    /// looked up.
    pub fn with_bloom_filters(self) -> Self {
        Self { source: StatisticsSource::BloomFilters, ..self }
    }

    /// Divides row groups where pages of some columns begin, with the statistics of these pages.
    pub fn divided(self, columns: &[usize]) -> Self {
        let Self { layout, file, zones: groups, .. } = self;
        let zones = groups.iter().flat_map(|group| layout.zones_of(group, columns, file.bytes()));
        Self::new(layout, file, zones.collect(), StatisticsSource::PageIndex)
    }

    /// Returns the records of the file in the zones, as ranges; neighbours are in one.
    pub fn ranges(&self) -> Vec<Range<u64>> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for zone in &self.zones {
            let (start, end) = (zone.first + zone.records.start, zone.first + zone.records.end);
            match ranges.last_mut() {
                Some(last) if last.end == start => last.end = end,
                _ => ranges.push(start..end),
            }
        }
        ranges
    }

    fn claims(&self, column: usize) -> Vec<Claim<'a>> {
        let (layout, bytes) = (self.layout, self.file.bytes());
        match self.source {
            StatisticsSource::Footer | StatisticsSource::BloomFilters => {
                let claim = |zone: &Zone| layout.claim_of_chunk(zone.group, column, bytes);
                self.zones.iter().map(|zone| claim(zone).unwrap_or_default()).collect()
            }
            StatisticsSource::PageIndex => layout.claims_of_zones(&self.zones, column, bytes),
        }
    }
}

impl PruningStatistics for Zones<'_> {
    fn records(&self) -> &[u64] {
        &self.counts
    }

    fn column(&self, column: usize) -> Option<ColumnStatistics> {
        let column_of_file = self.layout.columns.get(column)?;
        let leaf = column_of_file.leaf.as_ref()?;
        let claims = self.claims(column);
        let (min, max): (ArrayRef, ArrayRef) = bounds(&claims, leaf);
        // a column that cannot be NULL may claim nothing
        let required = (!column_of_file.field.is_nullable()).then_some(0);
        let null_counts: UInt64Array =
            claims.iter().map(|claim| claim.nulls.or(required)).collect();
        let always = leaf.decodes_always();
        let between = leaf.decodes_between_bounds();
        let decodes: BooleanBuffer = (0..claims.len())
            .map(|zone| {
                let is_null =
                    null_counts.is_valid(zone) && null_counts.value(zone) == self.counts[zone];
                always || is_null || (between && min.is_valid(zone) && max.is_valid(zone))
            })
            .collect();
        Some(ColumnStatistics { min, max, null_counts, decodes })
    }

    fn lacks(&self, column: usize, value: &ArrayRef) -> Option<BooleanBuffer> {
        let StatisticsSource::BloomFilters = self.source else { return None };
        let leaf = self.layout.columns.get(column)?.leaf.as_ref()?;
        let lacks = self.zones.iter().map(|zone| {
            let group = self.layout.metadata.row_groups().get(zone.group);
            let chunk = group.and_then(|group| group.columns().get(leaf.index));
            let cipher = self.layout.cipher(zone.group, leaf.index);
            chunk
                .zip(cipher.ok())
                .is_some_and(|(chunk, cipher)| bloom::lacks(self.file, chunk, cipher, leaf, value))
        });
        Some(lacks.collect())
    }
}
