use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array,
    StringArray, TimestampMicrosecondArray, UInt32Array, new_null_array,
};
use arrow::compute::{concat, sort_to_indices, take};
use arrow::datatypes::{DataType, Field, Schema};
use fastrand::Rng;

use super::*;
use crate::expr::eval::Input;
use crate::expr::{eval, numeric};
use crate::plan::Plan;
use crate::source::Source;
use crate::sql::Select;
use sift_files::statistics::ColumnStatistics;
use sift_files::types::TIMESTAMP;

/// Columns of some containers in memory, and the statistics of them.
struct Containers {
    source: Arc<Source>,
    /// The values by container, then by column.
    values: Vec<Vec<ArrayRef>>,
    records: Vec<u64>,
    columns: Vec<Option<ColumnStatistics>>,
}

impl PruningStatistics for Containers {
    fn records(&self) -> &[u64] {
        &self.records
    }

    fn column(&self, column: usize) -> Option<ColumnStatistics> {
        self.columns[column].clone()
    }
}

impl Containers {
    fn new(fields: Vec<Field>, values: Vec<Vec<ArrayRef>>) -> Self {
        let columns = (0..fields.len()).map(|column| {
            let values: Vec<ArrayRef> = values.iter().map(|c| Arc::clone(&c[column])).collect();
            Some(statistics(&values))
        });
        let columns = columns.collect();
        let records = values.iter().map(|columns| columns[0].len() as u64).collect();
        let path = Field::new("_file", DataType::Utf8, false);
        let schema = Schema::new(fields.into_iter().chain([path]).collect::<Vec<_>>());
        let source = Arc::new(Source::of_parts("t", Arc::new(schema), Vec::new(), 1));
        Self { source, values, records, columns }
    }

    fn plan(&self, filter: &str) -> Plan {
        let select = Select::parse(&format!("SELECT * FROM 't' WHERE {filter}")).unwrap();
        Plan::new(&select, Arc::clone(&self.source), &[])
            .unwrap_or_else(|error| panic!("{filter}: {error}"))
    }

    /// Returns the containers that are not pruned.
    fn left(&self, filter: &str) -> Vec<usize> {
        may_match(&self.plan(filter).bound().conjuncts, self).set_indices().collect()
    }

    /// Returns whether a container has a record that all conjuncts keep, or for which one of them
    /// fails.
    fn has_any(&self, container: usize, conjuncts: &[Conjunct]) -> bool {
        let values = &self.values[container];
        (0..values[0].len()).any(|row| {
            let columns: Vec<_> = values.iter().map(|column| Some(column.slice(row, 1))).collect();
            let input = Input { columns: &columns, rows: 1 };
            let outcome = |conjunct: &Conjunct| match eval::evaluate_boolean(&conjunct.expr, input)
            {
                Err(_) => Some(true),
                Ok(mask) if mask.is_valid(0) && mask.value(0) => None,
                Ok(_) => Some(false),
            };
            conjuncts.iter().find_map(outcome).unwrap_or(true)
        })
    }
}

/// Returns for each container whether it is not pruned.
fn may_match(conjuncts: &[Conjunct], statistics: &dyn PruningStatistics) -> BooleanBuffer {
    first_excluding(conjuncts, statistics).iter().map(Option::is_none).collect()
}

/// Returns statistics with exact bounds.
fn statistics(containers: &[ArrayRef]) -> ColumnStatistics {
    let bound = |values: &ArrayRef, last: bool| {
        let order = sort_to_indices(&numeric::comparable(Arc::clone(values)), None, None).unwrap();
        let valid = values.len() - values.null_count();
        if valid == 0 {
            return new_null_array(values.data_type(), 1);
        }
        let at = values.null_count() + if last { valid - 1 } else { 0 };
        take(values, &UInt32Array::from(vec![order.value(at)]), None).unwrap()
    };
    let all = |last| {
        let bounds: Vec<ArrayRef> = containers.iter().map(|values| bound(values, last)).collect();
        concat(&bounds.iter().map(AsRef::as_ref).collect::<Vec<_>>()).unwrap()
    };
    ColumnStatistics {
        min: all(false),
        max: all(true),
        null_counts: containers.iter().map(|values| Some(values.null_count() as u64)).collect(),
        decodes: BooleanBuffer::new_set(containers.len()),
    }
}

/// Makes three containers: 1 to 3, 10 to 12 and NULL, all NULL.
fn numbers() -> Containers {
    let column = |values: [Option<i32>; 3]| vec![Arc::new(Int32Array::from(values.to_vec())) as _];
    Containers::new(
        vec![Field::new("n", DataType::Int32, true)],
        vec![
            column([Some(3), Some(1), Some(2)]),
            column([Some(12), None, Some(10)]),
            column([None; 3]),
        ],
    )
}

#[test]
fn comparisons_rule_out_by_bounds() {
    let numbers = numbers();
    for (filter, left) in [
        ("n = 2", &[0][..]),
        ("2 = n", &[0]),
        ("n = 5", &[]),
        ("n = 1e30", &[]),
        ("n < 10", &[0]),
        ("10 > n", &[0]),
        ("n <= 10", &[0, 1]),
        ("n > 3.5", &[1]),
        ("n >= 3", &[0, 1]),
        ("n <> 7", &[0, 1]),
        ("n BETWEEN 4 AND 9", &[]),
        ("n NOT BETWEEN 1 AND 3", &[1]),
        ("n BETWEEN 11 AND n + 0", &[0, 1, 2]),
        ("n IN (4, 11)", &[1]),
        ("n IN (4, 5)", &[]),
        ("n NOT IN (4, 5)", &[0, 1]),
        ("n NOT IN (4, NULL)", &[]),
        ("n IN (4, NULL, 2)", &[0]),
        ("n IS NULL", &[1, 2]),
        ("n IS NOT NULL", &[0, 1]),
        ("n = NULL", &[]),
        ("(n = 2) IS NULL", &[1, 2]),
        ("(n = 2) IS NOT TRUE", &[0, 1, 2]),
        ("(n < 5) IS NOT TRUE", &[1, 2]),
        ("n IS DISTINCT FROM 2", &[0, 1, 2]),
        ("n IS NOT DISTINCT FROM 11", &[1]),
        ("n IS NOT DISTINCT FROM NULL", &[1, 2]),
        ("NOT (n < 10)", &[1]),
        ("n < 2 OR n > 11", &[0, 1]),
        ("NOT (n < 2 OR n > 3)", &[0]),
        ("n < 5 AND n > 11", &[]),
        ("CAST(n AS decimal(20,2)) > 3.01", &[1]),
        ("CAST(n AS double precision) > 3.5", &[1]),
        ("CAST(n AS text) > '5'", &[0, 1, 2]),
        ("coalesce(n, 0) > 100", &[0, 1, 2]),
        ("false", &[]),
    ] {
        assert_eq!(numbers.left(filter), left, "{filter}");
    }
}

#[test]
fn what_may_fail_rules_nothing_out_after_it() {
    let mut numbers = numbers();
    assert_eq!(numbers.left("n = 5 AND 1 / n > 0"), [0; 0]);
    assert_eq!(numbers.left("1 / n > 0 AND n = 5"), [0, 1, 2]);
    assert_eq!(numbers.left("(1 / n > 0 OR n = 5) AND n = 5"), [0, 1, 2]);
    numbers.columns[0].as_mut().unwrap().decodes = [false, true, true].into_iter().collect();
    assert_eq!(numbers.left("n = 5"), [0]);
    assert_eq!(numbers.left("false"), [0; 0]);
    assert_eq!(numbers.left("n = 5 AND false"), [0]);
    assert_eq!(numbers.left("false AND n = 5"), [0; 0]);
    numbers.columns[0] = None;
    assert_eq!(numbers.left("n = 5"), [0, 1, 2]);
}

#[test]
fn the_first_conjunct_that_rules_out_is_told() {
    let numbers = numbers();
    let excluded_by =
        |filter: &str| first_excluding(&numbers.plan(filter).bound().conjuncts, &numbers);
    assert_eq!(excluded_by("n < 5 AND n > 1 AND n < 5"), [None, Some(0), Some(0)]);
    assert_eq!(excluded_by("n > 0 AND n > 5"), [Some(1), None, Some(0)]);
}

#[test]
fn texts_rule_out_by_prefix() {
    let column = |values: [&str; 2]| vec![Arc::new(StringArray::from(values.to_vec())) as _];
    let texts = Containers::new(
        vec![Field::new("s", DataType::Utf8, true)],
        vec![column(["", "apple"]), column(["banana", "bandana"]), column(["c", "é"])],
    );
    for (filter, left) in [
        ("s LIKE 'ba%'", &[1][..]),
        ("s LIKE 'bz%'", &[]),
        ("s LIKE 'ban%a'", &[1]),
        ("s LIKE 'd_%'", &[2]),
        ("s LIKE '%a'", &[0, 1, 2]),
        ("s LIKE '_a'", &[0, 1, 2]),
        ("s LIKE ''", &[0, 1, 2]),
        ("s NOT LIKE 'ban%'", &[0, 2]),
        ("s NOT LIKE 'ban%x'", &[0, 1, 2]),
        ("starts_with(s, 'app')", &[0]),
        ("NOT starts_with(s, 'ban')", &[0, 2]),
        ("s = 'e'", &[2]),
        ("s IN ('b', 'banana', 'x')", &[1, 2]),
        ("s > 'zz'", &[2]),
        ("s ILIKE 'ba%'", &[0, 1, 2]),
    ] {
        assert_eq!(texts.left(filter), left, "{filter}");
    }
}

#[test]
fn nan_is_above_all_and_zeros_are_equal() {
    let column = |values: [f64; 2]| vec![Arc::new(Float64Array::from(values.to_vec())) as _];
    let floats = Containers::new(
        vec![Field::new("f", DataType::Float64, true)],
        vec![column([-0.0, 1.0]), column([-f64::NAN, 5.0]), column([f64::NAN, f64::NAN])],
    );
    for (filter, left) in [
        ("f = 0.0", &[0][..]),
        ("f < 0.0", &[]),
        ("f > 5", &[1, 2]),
        ("f = 'NaN'", &[1, 2]),
        ("f <> 'NaN'", &[0, 1]),
        ("f < 'NaN'", &[0, 1]),
    ] {
        assert_eq!(floats.left(filter), left, "{filter}");
    }
}

/// A pruned container has no record that the engine keeps, whatever the predicate and the data.
#[test]
fn random_predicates_over_random_containers() {
    let mut ruled_out = 0;
    for seed in 0..3_000 {
        let mut random = Rng::with_seed(seed);
        let containers = random_containers(&mut random);
        let terms = (0..random.usize(1..4)).map(|_| predicate(&mut random, 3));
        let filter = terms.collect::<Vec<_>>().join(" AND ");
        let plan = containers.plan(&filter);
        let conjuncts = &plan.bound().conjuncts;
        let left = may_match(conjuncts, &containers);
        for container in (0..left.len()).filter(|container| !left.value(*container)) {
            ruled_out += 1;
            let kept = containers.has_any(container, conjuncts);
            assert!(!kept, "seed {seed}: container {container} is ruled out by {filter}");
        }
    }
    assert!(ruled_out > 2_000, "only {ruled_out} containers were ruled out: a weak test");
}

const NAMES: [&str; 6] = ["i", "d", "f", "s", "b", "t"];

fn random_containers(random: &mut Rng) -> Containers {
    let types = [
        DataType::Int32,
        DataType::Decimal128(9, 1),
        DataType::Float64,
        DataType::Utf8,
        DataType::Boolean,
        TIMESTAMP,
    ];
    let fields = NAMES.iter().zip(types).map(|(name, of)| Field::new(*name, of, true)).collect();
    let values = (0..random.usize(1..5)).map(|_| {
        let rows = random.usize(1..5);
        // the values of a container are close to each other
        let base = random.i32(-3..4);
        let column = |random: &mut Rng, make: &dyn Fn(Vec<Option<i32>>) -> ArrayRef| {
            let nulls = random.u8(0..4);
            let value = |random: &mut Rng| {
                let is_null = nulls == 3 || (nulls == 2 && random.bool());
                (!is_null).then(|| base + random.i32(0..2))
            };
            make((0..rows).map(|_| value(random)).collect())
        };
        vec![
            column(random, &|n| Arc::new(Int32Array::from(n))),
            column(random, &|n| {
                let digits = n.iter().map(|n| n.map(|n| i128::from(n) * 10 + i128::from(n % 2)));
                let decimals: Decimal128Array = digits.collect();
                Arc::new(decimals.with_precision_and_scale(9, 1).unwrap())
            }),
            column(random, &|n| Arc::new(n.iter().map(|n| n.map(float)).collect::<Float64Array>())),
            column(random, &|n| Arc::new(n.iter().map(|n| n.map(text)).collect::<StringArray>())),
            column(random, &|n| {
                Arc::new(n.iter().map(|n| n.map(|n| n > 0)).collect::<BooleanArray>())
            }),
            column(random, &|n| {
                let times = n.iter().map(|n| n.map(|n| i64::from(n) * 43_200_000_000));
                Arc::new(times.collect::<TimestampMicrosecondArray>())
            }),
        ]
    });
    let mut containers = Containers::new(fields, values.collect());
    for column in &mut containers.columns {
        match random.u8(0..10) {
            0 => *column = None,
            1 => loosen(column.as_mut().unwrap(), random),
            _ => {}
        }
    }
    containers
}

/// Removes some of the statistics.
fn loosen(known: &mut ColumnStatistics, random: &mut Rng) {
    let forget = |bounds: &ArrayRef, random: &mut Rng| {
        let some: BooleanArray = (0..bounds.len()).map(|_| Some(random.bool())).collect();
        arrow::compute::nullif(bounds, &some).unwrap()
    };
    known.min = forget(&known.min, random);
    known.max = forget(&known.max, random);
    let counts = known.null_counts.iter();
    known.null_counts = counts.map(|count| count.filter(|_| random.bool())).collect();
    known.decodes = (0..known.decodes.len()).map(|_| random.u8(0..4) > 0).collect();
}

fn float(n: i32) -> f64 {
    match n {
        -3 => -f64::NAN,
        4 => f64::NAN,
        0 => -0.0,
        n => f64::from(n) / 2.0,
    }
}

fn text(n: i32) -> String {
    ["", "a", "ab", "abc", "b", "ba", "é", "éa"][usize::try_from(n + 3).unwrap()].to_owned()
}

/// Makes a predicate over the columns of [`random_containers`].
fn predicate(random: &mut Rng, depth: u32) -> String {
    let op = |random: &mut Rng| *random.choice(&["=", "<>", "<", "<=", ">", ">="]).unwrap();
    if depth > 0 && random.u8(0..3) == 0 {
        let left = predicate(random, depth - 1);
        return match random.u8(0..6) {
            0 => format!("NOT ({left})"),
            1 => format!("({left}) IS NULL"),
            2 => format!("({left}) IS NOT TRUE"),
            3 => format!("({left}) IS FALSE"),
            4 => format!("(({left}) AND ({}))", predicate(random, depth - 1)),
            _ => format!("(({left}) OR ({}))", predicate(random, depth - 1)),
        };
    }
    let kind = random.usize(0..NAMES.len());
    let (name, value) = (NAMES[kind], |random: &mut Rng| literal(kind, random));
    match random.u8(0..12) {
        0 => format!("{name} IS NULL"),
        1 => format!("{name} IS NOT NULL"),
        2 => format!("{} {} {name}", value(random), op(random)),
        3 => format!("{name} BETWEEN {} AND {}", value(random), value(random)),
        4 => format!("{name} NOT BETWEEN {} AND {}", value(random), value(random)),
        5 => format!("{name} IN ({}, {}, {})", value(random), value(random), value(random)),
        6 => format!("{name} NOT IN ({}, {})", value(random), value(random)),
        7 => format!("{name} IS DISTINCT FROM {}", value(random)),
        8 => match random.u8(0..8) {
            0 => format!("i {} d", op(random)),
            1 => format!("CAST(i AS double precision) {} f", op(random)),
            2 => format!("CAST(d AS double precision) {} 0.5", op(random)),
            3 => format!("CAST(t AS date) {} DATE '1970-01-02'", op(random)),
            4 => format!("f {} 'NaN'", op(random)),
            5 => format!("d {} CAST(i AS decimal(12,2))", op(random)),
            6 => "b".to_owned(),
            _ => format!("10 / i {} 3", op(random)),
        },
        9 => {
            let not = random.choice(&["", "NOT "]).unwrap();
            let pattern = random.choice(&["a%", "ab%", "%", "b_%", "é%", "ab", "a%c"]).unwrap();
            format!("s {not}LIKE '{pattern}'")
        }
        _ => format!("{name} {} {}", op(random), value(random)),
    }
}

fn literal(kind: usize, random: &mut Rng) -> String {
    let n = random.i32(-4..6);
    match kind {
        _ if random.u8(0..12) == 0 => "NULL".to_owned(),
        0 => random.choice([n.to_string(), format!("{n}.5")]).unwrap(),
        1 => format!("{n}.{}", random.u8(0..2)),
        2 => format!("{}", f64::from(n) / 2.0),
        3 => format!("'{}'", text(random.i32(-3..5))),
        4 => random.bool().to_string(),
        _ => format!("TIMESTAMP '1970-01-0{} {}:00:00'", random.u8(1..4), random.u8(0..24)),
    }
}

#[test]
fn dates_compare_as_timestamps_only_where_that_cannot_fail() {
    let column = |days: [i32; 2]| vec![Arc::new(Date32Array::from(days.to_vec())) as _];
    let fields = vec![Field::new("d", DataType::Date32, true)];
    let dates = Containers::new(fields, vec![column([0, 9]), column([20, 30])]);
    assert_eq!(dates.left("d > DATE '1970-01-15'"), [1]);
    assert_eq!(dates.left("d > TIMESTAMP '1970-01-15 12:00:00'"), [0, 1]);
}
