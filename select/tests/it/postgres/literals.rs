//! Random texts of each type: as a constant, as a typed literal, in a column, and compared.

use super::forms::{Case, Forms, setup};
use super::psql::Postgres;
use super::report::{Relation, Report};
use super::texts::Texts;
use super::{cases, first_seed};

/// The number of texts that are asked about at a time.
const BATCH: usize = 500;

#[test]
fn random_texts_have_the_same_values() {
    let postgres = Postgres::from_environment();
    let first_seed = first_seed();
    let seeds: Vec<_> = (first_seed..first_seed + cases(&postgres)).collect();
    let scratch = tempfile::tempdir().expect("a folder");
    let mut report = Report::default();
    for seeds in seeds.chunks(BATCH) {
        let case = |seed: &u64| {
            let (of, text) = Texts::new(*seed).of_any_type();
            Case { id: *seed, of, text }
        };
        let cases: Vec<_> = seeds.iter().map(case).collect();
        let forms = Forms::new(&cases, scratch.path());
        match &postgres {
            Some(postgres) => compare(postgres, &cases, &forms, &mut report),
            None => cases.iter().for_each(|case| check_alike(case, &forms)),
        }
    }
    report.finish();
}

/// Compares the values and the comparisons with PostgreSQL's.
fn compare(postgres: &Postgres, cases: &[Case], forms: &Forms, report: &mut Report) {
    let values: Vec<_> = cases.iter().map(Case::value).collect();
    let values = postgres.ask("", &values);
    let comparisons: Vec<_> = cases.iter().map(Case::comparison).collect();
    let comparisons = postgres.ask(&setup(), &comparisons);
    for (case, (value, comparison)) in cases.iter().zip(values.iter().zip(&comparisons)) {
        let (kind, shape) = (format!("{:?}", case.of), case.shape());
        let question = format!("SIFT_POSTGRES_SEED={} {:?}", case.id, case.text);
        let ours = forms.values(case);
        if case.is_of_the_moment() {
            for (form, ours) in ours {
                if let Ok(rows) = ours {
                    let kind = format!("{kind}: {form} depends on when it is asked");
                    report.add(Relation::NoError, &kind, &shape, format!("{question} {rows:?}"));
                }
            }
            continue;
        }
        report.compare(value, &ours, &kind, &question, &shape);
        let compared = [("comparison", forms.compared(case))];
        report.compare(comparison, &compared, &kind, &question, &shape);
    }
}

/// Checks without PostgreSQL that no two forms have different values.
fn check_alike(case: &Case, forms: &Forms) {
    let values = forms.values(case);
    let mut good = values.iter().filter_map(|(form, rows)| Some((form, rows.as_ref().ok()?)));
    if let Some((form, first)) = good.next() {
        for (other, rows) in good {
            assert_eq!(first, rows, "{form} and {other} of {case:?}");
        }
    }
}
