//! Measures each kind of predicate in a whole Select over an Arrow file of one column in the page
//! cache, beside its floor: Arrow's own reader of that file and Arrow's kernel for the predicate,
//! on as many threads. `cargo bench -p sift-select --bench kernels`

#![expect(clippy::unwrap_used, reason = "a benchmark has nobody to tell an error")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Int64Array, StringArray,
};
use arrow::compute::kernels::cmp::{eq, gt, gt_eq, lt, lt_eq};
use arrow::compute::kernels::{boolean, comparison};
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;
use arrow::record_batch::RecordBatch;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sift_select::{Plan, Scan, ScanOptions, Select, Source};

const RECORDS: usize = 1 << 20;
const BATCH_RECORDS: usize = 64 << 10;
const THREADS: usize = 2;

/// A name, the column, Sift's predicate, and Arrow's kernel.
type Predicate = (&'static str, &'static str, &'static str, fn(&ArrayRef) -> BooleanArray);

const PREDICATES: [Predicate; 15] = [
    ("int =", "number", "number = 500", |values| eq(values, &number(500)).unwrap()),
    ("int >", "number", "number > 500", |values| gt(values, &number(500)).unwrap()),
    ("int BETWEEN", "number", "number BETWEEN 100 AND 300", |values| {
        and(gt_eq(values, &number(100)), lt_eq(values, &number(300)))
    }),
    ("int IN 3", "number", "number IN (7, 300, 999)", |values| {
        or([7, 300, 999].map(|value| eq(values, &number(value))))
    }),
    ("int IS NULL", "number", "number IS NULL", |values| boolean::is_null(values).unwrap()),
    ("int AND", "number", "number > 500 AND number < 600", |values| {
        and(gt(values, &number(500)), lt(values, &number(600)))
    }),
    ("int OR", "number", "(number > 900 OR number < 100)", |values| {
        or([gt(values, &number(900)), lt(values, &number(100))])
    }),
    ("decimal <", "price", "price < 300.00", |values| lt(values, &price(30_000)).unwrap()),
    ("date >=", "day", "day >= DATE '1995-01-01'", |values| gt_eq(values, &day(9131)).unwrap()),
    ("text =", "text", "text = 'furiously even accounts'", |values| {
        eq(values, &text("furiously even accounts")).unwrap()
    }),
    ("text <", "text", "text < 'd'", |values| lt(values, &text("d")).unwrap()),
    ("LIKE prefix", "text", "text LIKE 'quick%'", |values| like(values, "quick%")),
    ("LIKE contains", "text", "text LIKE '%special%'", |values| like(values, "%special%")),
    ("LIKE pattern", "text", "text LIKE '%special%re_uests%'", |values| {
        like(values, "%special%re_uests%")
    }),
    ("regex", "text", "text ~ 'special.*(requests|deposits)'", |values| {
        let texts = values.as_string::<i32>();
        let pattern = "special.*(requests|deposits)";
        comparison::regexp_is_match_scalar(texts, pattern, None).unwrap()
    }),
];

fn number(value: i64) -> arrow::array::Scalar<Int64Array> {
    Int64Array::new_scalar(value)
}

fn price(digits: i128) -> arrow::array::Scalar<Decimal128Array> {
    let array = Decimal128Array::from(vec![digits]);
    arrow::array::Scalar::new(array.with_precision_and_scale(12, 2).unwrap())
}

fn day(days: i32) -> arrow::array::Scalar<Date32Array> {
    Date32Array::new_scalar(days)
}

fn text(text: &str) -> arrow::array::Scalar<StringArray> {
    StringArray::new_scalar(text)
}

type Mask = Result<BooleanArray, arrow::error::ArrowError>;

fn and(left: Mask, right: Mask) -> BooleanArray {
    boolean::and_kleene(&left.unwrap(), &right.unwrap()).unwrap()
}

fn or<const N: usize>(masks: [Mask; N]) -> BooleanArray {
    let masks = masks.into_iter().map(Result::unwrap);
    masks.reduce(|left, right| boolean::or_kleene(&left, &right).unwrap()).unwrap()
}

fn like(values: &ArrayRef, pattern: &str) -> BooleanArray {
    comparison::like(values, &text(pattern)).unwrap()
}

fn kernels(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let paths = columns().map(|(name, values)| (name, write(folder.path(), name, &values)));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build().unwrap();
    for (name, column, condition, kernel) in PREDICATES {
        let (_, path) = paths.iter().find(|(name, _)| *name == column).unwrap();
        let sift = || sift(path, condition, &pool);
        assert_eq!(sift(), floor(path, kernel), "{condition}");
        let mut group = criterion.benchmark_group(name);
        group.sample_size(20).throughput(Throughput::Elements(RECORDS as u64));
        group.bench_function("floor", |bencher| bencher.iter(|| floor(path, kernel)));
        group.bench_function("sift", |bencher| bencher.iter(sift));
        group.finish();
    }
}

fn columns() -> [(&'static str, ArrayRef); 4] {
    const WORDS: [&str; 8] =
        ["furiously", "even", "accounts", "quickly", "bold", "deposits", "special", "requests"];
    let mut random = fastrand::Rng::with_seed(3);
    let texts = (0..RECORDS).map(|_| {
        // the last two are rare
        let words = (0..random.usize(3..6)).map(|_| match random.u8(0..40) {
            0 => WORDS[random.usize(6..8)],
            _ => WORDS[random.usize(0..6)],
        });
        words.collect::<Vec<_>>().join(" ")
    });
    let texts: StringArray = texts.map(Some).collect();
    let numbers = (0..RECORDS).map(|_| (random.u8(0..20) > 0).then(|| random.i64(0..1000)));
    let numbers: Int64Array = numbers.collect();
    let prices = (0..RECORDS).map(|_| random.i128(9_000..10_500_000));
    let prices = Decimal128Array::from_iter_values(prices).with_precision_and_scale(12, 2);
    let days: Date32Array = (0..RECORDS).map(|_| Some(random.i32(8035..10561))).collect();
    [
        ("text", Arc::new(texts)),
        ("number", Arc::new(numbers)),
        ("price", Arc::new(prices.unwrap())),
        ("day", Arc::new(days)),
    ]
}

fn write(folder: &Path, name: &str, values: &ArrayRef) -> PathBuf {
    let path = folder.join(name).with_extension("arrow");
    let all = RecordBatch::try_from_iter([(name, Arc::clone(values))]).unwrap();
    let mut writer = FileWriter::try_new(File::create(&path).unwrap(), &all.schema()).unwrap();
    for start in (0..RECORDS).step_by(BATCH_RECORDS) {
        writer.write(&all.slice(start, BATCH_RECORDS)).unwrap();
    }
    writer.finish().unwrap();
    path
}

/// Counts with a Select, including parsing.
fn sift(path: &Path, condition: &str, pool: &rayon::ThreadPool) -> usize {
    let sql = format!("SELECT count(*) FROM 'f.arrow' WHERE {condition}");
    let source = Arc::new(Source::open("f.arrow", File::open(path).unwrap(), None).unwrap());
    let plan = Plan::new(&Select::parse(&sql).unwrap(), source, &[]).unwrap();
    let batches = pool.install(|| Scan::new(plan, ScanOptions::default()).collect()).unwrap();
    let count = batches[0].column(0).as_primitive::<arrow::datatypes::Int64Type>().value(0);
    usize::try_from(count).unwrap()
}

/// Counts with Arrow alone.
fn floor(path: &Path, kernel: fn(&ArrayRef) -> BooleanArray) -> usize {
    let (next, count) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let mut reader = FileReader::try_new(File::open(path).unwrap(), None).unwrap();
                loop {
                    let batch = next.fetch_add(1, Ordering::Relaxed);
                    if batch >= reader.num_batches() {
                        return;
                    }
                    reader.set_index(batch).unwrap();
                    let mask = kernel(reader.next().unwrap().unwrap().column(0));
                    count.fetch_add(mask.true_count(), Ordering::Relaxed);
                }
            });
        }
    });
    count.into_inner()
}

criterion_group!(benches, kernels);
criterion_main!(benches);
