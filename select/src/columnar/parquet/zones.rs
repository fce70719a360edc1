//! Which records of a file WHERE may be true for, by what the file claims of its row groups, then
//! of the pages of those that are left; where values are looked up, by the Bloom filters of row
//! groups.
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
use crate::data_file::DataFile;
use crate::plan::Conjunct;
use crate::prune::{self, ColumnStatistics, Statistics};

/// Records of a zone at least, if its row group has so many.
const RECORDS_MIN: u64 = 4096;

/// What is left of a file, and what ruled out the rest.
pub(crate) struct Kept {
    /// Records of the file, in order.
    pub(crate) records: Vec<Range<u64>>,
    /// Records that each conjunct ruled out.
    pub(crate) pruned_by: Vec<u64>,
    /// Row groups, or zones within those that were left.
    pub(crate) zones: usize,
    pub(crate) zones_read: usize,
}

/// Some records of a row group.
#[derive(Clone, Debug)]
struct Zone {
    group: usize,
    /// Of the row group.
    records: Range<u64>,
    /// Of the file, before the row group.
    first: u64,
}

impl Layout {
    /// The records that all `conjuncts` may be true for; `constant` tells what is known of columns
    /// that the file does not have.
    pub(crate) fn kept<'a>(
        &'a self,
        conjuncts: &[Conjunct],
        file: &DataFile,
        constant: &dyn Fn(usize, &[u64]) -> Option<ColumnStatistics>,
    ) -> Kept {
        let file_bytes = file.identity().bytes;
        let mut pruned_by = vec![0; conjuncts.len()];
        let mut keep = |zones: Vec<Zone>, filters, claims: &Claims<'a, '_>| {
            let counts: Vec<u64> = zones.iter().map(Zone::len).collect();
            let known =
                Known { layout: self, zones: &zones, counts: &counts, claims, constant, filters };
            let rulings = prune::rulings(conjuncts, &known);
            for (zone, ruling) in zones.iter().zip(&rulings) {
                if let Some(pruned) = ruling.and_then(|by| pruned_by.get_mut(by)) {
                    *pruned += zone.len();
                }
            }
            zones
                .into_iter()
                .zip(rulings)
                .filter(|(_, by)| by.is_none())
                .map(|(zone, _)| zone)
                .collect::<Vec<Zone>>()
        };
        let groups = self.groups();
        let groups_count = groups.len();
        let of_group = |zones: &[Zone], column: usize| {
            let claim = |zone: &Zone| self.claim_of_chunk(zone.group, column, file_bytes);
            zones.iter().map(|zone| claim(zone).unwrap_or_default()).collect()
        };
        let groups_left = keep(groups, None, &of_group);
        // only of those that are left are filters read
        let groups_left = keep(groups_left, Some(file), &of_group);
        let groups_pruned = groups_count - groups_left.len();
        let columns: Vec<usize> =
            conjuncts.iter().flat_map(|conjunct| conjunct.columns.iter().copied()).collect();
        let zones: Vec<Zone> = groups_left
            .iter()
            .flat_map(|group| self.zones_of(group, &columns, file_bytes))
            .collect();
        let zones_count = zones.len();
        let zones_left =
            keep(zones, None, &|zones, column| self.claims_of_zones(zones, column, file_bytes));
        Kept {
            zones: groups_pruned + zones_count,
            zones_read: zones_left.len(),
            records: joined(&zones_left),
            pruned_by,
        }
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

/// As ranges of records of the file, neighbours in one.
fn joined(zones: &[Zone]) -> Vec<Range<u64>> {
    let mut joined: Vec<Range<u64>> = Vec::new();
    for zone in zones {
        let (start, end) = (zone.first + zone.records.start, zone.first + zone.records.end);
        match joined.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => joined.push(start..end),
        }
    }
    joined
}

/// Tells what is claimed of a column in each of some zones.
type Claims<'m, 'k> = dyn Fn(&[Zone], usize) -> Vec<Claim<'m>> + 'k;

/// What is known of zones.
struct Known<'m, 'a> {
    layout: &'a Layout,
    zones: &'a [Zone],
    counts: &'a [u64],
    claims: &'a Claims<'m, 'a>,
    constant: &'a dyn Fn(usize, &[u64]) -> Option<ColumnStatistics>,
    /// Whose filters are asked, of zones that are row groups.
    filters: Option<&'a DataFile>,
}

impl Statistics for Known<'_, '_> {
    fn records(&self) -> &[u64] {
        self.counts
    }

    fn column(&self, column: usize) -> Option<ColumnStatistics> {
        let Some(of_file) = self.layout.columns.get(column) else {
            return (self.constant)(column, self.counts);
        };
        let leaf = of_file.leaf.as_ref()?;
        let claims = (self.claims)(self.zones, column);
        let (min, max): (ArrayRef, ArrayRef) = bounds(&claims, leaf);
        // a column that cannot be NULL may claim nothing
        let required = (!of_file.field.is_nullable()).then_some(0);
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
        let (file, leaf) = (self.filters?, self.layout.columns.get(column)?.leaf.as_ref()?);
        let lacks = self.zones.iter().map(|zone| {
            let group = self.layout.metadata.row_groups().get(zone.group);
            let chunk = group.and_then(|group| group.columns().get(leaf.index));
            let cipher = self.layout.cipher(zone.group, leaf.index);
            chunk
                .zip(cipher.ok())
                .is_some_and(|(chunk, cipher)| bloom::lacks(file, chunk, cipher, leaf, value))
        });
        Some(lacks.collect())
    }
}
