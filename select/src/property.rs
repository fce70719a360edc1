//! Properties of any text and any file, for fuzz targets and for tests with seeded input.
//!
//! Each function panics if its property does not hold.

use std::sync::Arc;

use arrow::compute::concat_batches;
use arrow::record_batch::RecordBatch;

use crate::Result;
use crate::explain::explain;
use crate::index::{Entry, KeyRange, decode_body, decode_page, encode_page};
use crate::plan::Plan;
use crate::scan::{Scan, ScanOptions, Step};
use crate::source::Source;
use crate::sql::Select;

/// Checks that a text is refused, or has one answer however its scan is divided and whatever an
/// index prunes: the same records, then the same end, success or error. A text mentions every
/// column that its plan uses.
///
/// # Panics
/// If the property does not hold.
pub fn answers_ignore_morsels(source: &Arc<Source>, sql: &str) {
    let Ok(select) = Select::parse(sql) else { return };
    let Ok(plan) = Plan::new(&select, Arc::clone(source), &[]) else { return };
    assert!(explain(&plan, &ScanOptions::default()).is_ok(), "EXPLAIN fails");
    let mentions = select.mentions();
    for column in plan.columns() {
        let name = source.schema().field(column).name();
        assert!(mentions.column(name), "`{name}` is touched but not mentioned");
    }
    let whole = run(&plan, ScanOptions { pruning: false, ..ScanOptions::default() });
    for morsel_bytes in [1, 100, 4096, ScanOptions::default().morsel_bytes] {
        for apart_bytes in [0, u64::MAX] {
            let got =
                run(&plan, ScanOptions { morsel_bytes, apart_bytes, ..ScanOptions::default() });
            assert_eq!(got, whole, "in morsels of {morsel_bytes} bytes, apart for {apart_bytes}");
        }
    }
}

/// Checks that bytes are refused as a page of a key or are one. As the body of an index, they are
/// refused, or are an index of a file with the columns of `source` whose counts match its zones.
///
/// # Panics
/// If the property does not hold.
pub fn any_index(source: &Source, body: &[u8]) {
    if let Some(entries) = entries(body) {
        let again = encode_page(&entries).ok().and_then(|page| self::entries(&page));
        assert_eq!(again, Some(entries), "a page");
    }
    let Ok(stored) = decode_body(body) else { return };
    let Some(index) = stored.index(source.schema()) else { return };
    assert_eq!(index.zones().count(), index.zone_count(), "zones");
    let records: u64 = index.zones().map(|(records, _)| records).sum();
    assert_eq!(records, index.record_count(), "records");
    for (_, extent) in index.zones() {
        assert!(extent.byte_len() > 0, "an empty zone");
    }
}

/// Returns the entries of a page of a key; `None` if the bytes are not a page.
fn entries(page: &[u8]) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    let all = KeyRange { low: Vec::new(), high: None };
    decode_page(page, &all, &mut |key, record, bytes| {
        entries.push(Entry { key: key.to_vec(), record, bytes });
    })?;
    Some(entries)
}

/// Returns the records of a plan as one batch, and the result at the end.
fn run(
    plan: &Plan,
    options: ScanOptions,
) -> (Option<RecordBatch>, std::result::Result<(), String>) {
    let mut scan = Scan::new(plan.clone(), ScanOptions { morsels_in_flight_max: 1, ..options });
    let mut batches = Vec::new();
    let end = drive(&mut scan, &mut batches).map_err(|error| error.to_string());
    (concat_batches(plan.schema(), &batches).ok(), end)
}

fn drive(scan: &mut Scan, batches: &mut Vec<RecordBatch>) -> Result<()> {
    loop {
        match scan.step()? {
            Step::Run(morsel) => scan.accept(morsel.run()),
            Step::Batch(batch) => batches.push(batch),
            Step::Done => return Ok(()),
            Step::Wait => unreachable!("nothing is under way"),
        }
    }
}
