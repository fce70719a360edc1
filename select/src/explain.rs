//! EXPLAIN: a plan as text, one line for each operator, the last to run first.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use crate::Result;
use crate::expr::Item;
use crate::gather::group::Grouping;
use crate::gather::sort_order::SortOrder;
use crate::plan::{BoundPlan, OutputRows, Plan};
use crate::scan::access::{AccessPath, KeyAccess};
use crate::scan::{ScanOptions, ScanStatistics};
use crate::source::Source;

/// Returns the text of EXPLAIN for a plan and a scan with these options. It reads the statistics of
/// the files.
///
/// # Errors
/// `WouldBlock` if the plan may not wait for statistics or keys.
pub fn explain(plan: &Plan, options: &ScanOptions) -> Result<String> {
    let access = plan.view().is_whole().then(|| AccessPath::new(plan.bound(), options));
    let access = access.transpose()?;
    Ok(Explained { plan: plan.bound(), access }.to_string())
}

/// A plan and its access path, as text.
struct Explained<'a> {
    plan: &'a BoundPlan,
    /// `None` for a view that hides something.
    access: Option<AccessPath>,
}

impl Display for Explained<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let BoundPlan { view, conjuncts, rows, offset, limit, .. } = self.plan;
        let source = view.source();
        match (limit, offset) {
            (None, 0) => {}
            (Some(limit), 0) => writeln!(f, "limit: {limit} records")?,
            (None, offset) => writeln!(f, "limit: all records after {offset}")?,
            (Some(limit), offset) => writeln!(f, "limit: {limit} records after {offset}")?,
        }
        rows.fmt(f)?;
        for conjunct in conjuncts {
            writeln!(f, "filter: {}", conjunct.text)?;
        }
        write!(f, "scan: {} ({}", source.name(), source.format())?;
        if let (parts, files @ 2..) | (parts @ 0, files) = source.file_counts() {
            write!(f, ", {parts} of {files} files")?;
        }
        // the size of hidden parts is hidden, too
        if view.is_whole() {
            write!(f, ", {} bytes", source.bytes())?;
        }
        if view.has_all_records()
            && let Some(records) = source.records()
        {
            write!(f, ", {records} records")?;
        }
        writeln!(f, ")")?;
        if let Some(access) = &self.access {
            describe_access(access, self.plan, f)?;
        }
        let mut early: BTreeSet<usize> = self.plan.filter_columns().collect();
        let late = |early: &BTreeSet<usize>| -> Vec<usize> {
            rows.columns.iter().copied().filter(|column| !early.contains(column)).collect()
        };
        writeln!(f, "  decodes for every record: {}", names(source, early.iter().copied()))?;
        if let Some(order) = rows.order.as_ref().filter(|order| order.is_late()) {
            let keys = order.columns.iter().copied().filter(|column| !early.contains(column));
            let keys: Vec<usize> = keys.collect();
            writeln!(f, "  decodes for selected records: {}", names(source, keys.iter().copied()))?;
            early.extend(keys);
            writeln!(f, "  decodes for records in the top: {}", names(source, late(&early)))
        } else {
            writeln!(f, "  decodes for selected records: {}", names(source, late(&early)))
        }
    }
}

impl Plan {
    /// Returns the lines that EXPLAIN ANALYZE adds to the plan: the work of its scan, the maximal
    /// number of threads, and the time. In a view that is not whole, nothing in them depends on
    /// hidden parts.
    pub fn analysis(&self, did: &ScanStatistics, threads: usize, time: Duration) -> String {
        let ScanStatistics { records_scanned, records_selected, .. } = did;
        let millis = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
        if !self.view().is_whole() {
            return format!("ran: {records_selected} records selected\n  in {}\n", millis(time));
        }
        format!(
            "ran: {records_scanned} records scanned, {records_selected} selected\n  \
             {} records pruned, {} of {} bytes read\n  \
             in {}: {} of work on {threads} threads at most\n",
            did.records_pruned,
            did.bytes_scanned,
            self.source().bytes(),
            millis(time),
            millis(did.scan_time),
        )
    }
}

/// Writes how much is pruned by statistics, without the values in them.
fn describe_access(path: &AccessPath, plan: &BoundPlan, f: &mut Formatter<'_>) -> fmt::Result {
    if let (Some((walk, _)), Some(order)) = (&path.walk, &plan.rows.order)
        && let (Some(name), Some(rows)) = (walk.name(plan), order.rows_max)
    {
        let until = format!("until {rows} records are selected; if that costs more, a scan");
        writeln!(f, "  key: {name}, in the order wanted, {until}")?;
    }
    for KeyAccess { name, pruned, head, tail, ordered } in &path.key_accesses {
        let ends = match (head, tail) {
            (true, true) => ", optimized at head and tail",
            (true, false) => ", optimized at the head",
            (false, true) => ", optimized at the tail",
            (false, false) => "",
        };
        let order = if *ordered { ", in the order wanted" } else { "" };
        writeln!(f, "  key: {name}{ends}{order}; {pruned} records are not read")?;
    }
    if path.zones == 0 {
        return Ok(());
    }
    writeln!(f, "  reads {} of {} zones", path.zones_read, path.zones)?;
    if let Some(choice) = path.copies.iter().flatten().next() {
        let columns = names(plan.source(), choice.columns.iter().copied());
        writeln!(f, "  reads column copies: {columns}")?;
    }
    for (conjunct, records) in plan.conjuncts.iter().zip(&path.pruned_by) {
        if *records > 0 {
            writeln!(f, "  prunes {records} records: {}", conjunct.text)?;
        }
    }
    match path.skipped {
        0 => Ok(()),
        records => writeln!(f, "  passes over {records} records: OFFSET {}", plan.offset),
    }
}

impl Display for OutputRows {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(order) = &self.order {
            order.describe(&self.items, f)?;
        }
        if self.distinct {
            writeln!(f, "distinct: all columns")?;
        }
        let items = texts(&self.items[..self.visible]);
        let Some(Grouping { keys, aggregates, clause, .. }) = self.grouping.as_deref() else {
            return writeln!(f, "project: {items}");
        };
        if *clause == "DISTINCT" {
            return writeln!(f, "distinct: {items}");
        }
        if aggregates.is_empty() || !keys.is_empty() {
            writeln!(f, "project: {items}")?;
        }
        if let Some(having) = &self.having {
            writeln!(f, "having: {}", having.text)?;
        }
        let aggregates: Vec<&str> =
            aggregates.iter().map(|aggregate| aggregate.text.as_str()).collect();
        if !keys.is_empty() {
            writeln!(f, "group: {}", texts(keys))?;
        }
        match aggregates.as_slice() {
            [] => Ok(()),
            _ if keys.is_empty() => writeln!(f, "aggregate: {items}"),
            aggregates => writeln!(f, "aggregate: {}", aggregates.join(", ")),
        }
    }
}

impl SortOrder {
    fn describe(&self, items: &[Item], f: &mut Formatter<'_>) -> fmt::Result {
        let keys = self.keys.iter().map(|key| {
            let direction = if key.options.descending { " DESC" } else { "" };
            let nulls = match (key.options.descending, key.options.nulls_first) {
                (true, false) => " NULLS LAST",
                (false, true) => " NULLS FIRST",
                _ => "",
            };
            format!("{}{direction}{nulls}", items[key.item].text)
        });
        let keys: Vec<String> = keys.collect();
        match self.rows_max {
            Some(rows) => writeln!(f, "sort: {}; the first {rows} records", keys.join(", "))?,
            None => writeln!(f, "sort: {}", keys.join(", "))?,
        }
        match self.distinct {
            0 => Ok(()),
            distinct => writeln!(f, "  keeps the first for each: {}", keys[..distinct].join(", ")),
        }
    }
}

fn texts(items: &[Item]) -> String {
    let texts: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
    texts.join(", ")
}

fn names(source: &Source, columns: impl IntoIterator<Item = usize>) -> String {
    let schema = source.schema();
    let names: Vec<_> =
        columns.into_iter().map(|column| schema.field(column).name().as_str()).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}
