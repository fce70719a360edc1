//! Relations between answers that hold whatever the data and the predicate.

use std::sync::Arc;

use sift_select::Source;

use crate::engine::{self, Answer, QUICK_RUNS};
use crate::generate::{self, Generator};
use crate::table::Format;

const RECORDS: i64 = 300;

/// Calls `check` with sources, generators and every way to run, and prints the seed of a failure.
fn for_seeds(first_seed: u64, cases: u64, check: impl Fn(&mut Generator, &dyn Fn(&str) -> Answer)) {
    let table = generate::table(first_seed, RECORDS);
    let scratch = tempfile::tempdir().expect("a folder");
    let sources = Format::ALL.iter().flat_map(|format| table.open_each(scratch.path(), *format));
    let sources: Vec<Arc<Source>> = sources.collect();
    for seed in first_seed..first_seed + cases {
        let turn = usize::try_from(seed - first_seed).expect("small");
        let source = &sources[turn % sources.len()];
        let run = QUICK_RUNS[turn / sources.len() % QUICK_RUNS.len()];
        let select = |sql: &str| {
            engine::select(source, sql, &[], run)
                .unwrap_or_else(|error| panic!("seed {seed}, {run:?}: {error}\n{sql}"))
        };
        check(&mut Generator::new(seed), &select);
    }
}

fn count(answer: &Answer) -> u64 {
    let [row] = answer.rows.as_slice() else { panic!("{answer:?} is not one row") };
    row.parse().expect("a count")
}

/// For each record a predicate is true, false or NULL.
#[test]
fn three_truth_values_part_the_records() {
    for_seeds(10_000, 100, |generator, select| {
        let p = generator.predicate(5).ours;
        let part =
            |filter: String| count(&select(&format!("SELECT count(*) FROM 'rows' WHERE {filter}")));
        let parts = [part(p.clone()), part(format!("NOT ({p})")), part(format!("({p}) IS NULL"))];
        assert_eq!(parts.iter().sum::<u64>(), RECORDS.unsigned_abs(), "{parts:?}: {p}");
    });
}

#[test]
fn a_limit_is_a_prefix() {
    for_seeds(20_000, 100, |generator, select| {
        let p = generator.predicate(3).ours;
        let whole = select(&format!("SELECT id, s FROM 'rows' WHERE {p}")).rows;
        let (limit, offset) = (generator.random.usize(0..100), generator.random.usize(0..100));
        let sql = format!("SELECT id, s FROM 'rows' WHERE {p} LIMIT {limit} OFFSET {offset}");
        let expected: Vec<_> = whole.into_iter().skip(offset).take(limit).collect();
        assert_eq!(select(&sql).rows, expected, "{sql}");
    });
}

#[test]
fn a_projection_does_not_change_the_records() {
    for_seeds(30_000, 100, |generator, select| {
        let p = generator.predicate(4).ours;
        let narrow = select(&format!("SELECT id FROM 'rows' WHERE {p}")).rows;
        let all = select(&format!("SELECT id, * FROM 'rows' WHERE {p}")).rows;
        let computed = generator.value(4).0.ours;
        let wide = select(&format!("SELECT id, {computed} FROM 'rows' WHERE {p}")).rows;
        let ids = |rows: &[String]| -> Vec<String> {
            let id = |row: &String| row.split(", ").next().unwrap_or_default().to_owned();
            rows.iter().map(id).collect()
        };
        assert_eq!(ids(&all), narrow, "{p}");
        assert_eq!(ids(&wide), narrow, "{computed}: {p}");
        let counted = count(&select(&format!("SELECT count(*) FROM 'rows' WHERE {p}")));
        assert_eq!(counted, narrow.len() as u64, "{p}");
    });
}

#[test]
fn the_order_of_terms_does_not_matter() {
    for_seeds(40_000, 100, |generator, select| {
        let mut terms: Vec<_> =
            (0..4).map(|_| format!("({})", generator.predicate(2).ours)).collect();
        for word in [" AND ", " OR "] {
            let sql =
                |terms: &[String]| format!("SELECT id FROM 'rows' WHERE {}", terms.join(word));
            let before = sql(&terms);
            generator.random.shuffle(&mut terms);
            let after = sql(&terms);
            assert_eq!(select(&before), select(&after), "{before}\n{after}");
        }
    });
}

/// A predicate selects the same records as a filter and as a value.
#[test]
fn a_predicate_is_a_value() {
    for_seeds(50_000, 100, |generator, select| {
        let p = generator.predicate(5).ours;
        let kept = select(&format!("SELECT id FROM 'rows' WHERE {p}")).rows;
        let valued = select(&format!("SELECT id, {p} FROM 'rows'")).rows;
        let true_ids = valued.iter().filter_map(|row| row.strip_suffix(", true"));
        assert_eq!(kept, true_ids.collect::<Vec<_>>(), "{p}");
    });
}
