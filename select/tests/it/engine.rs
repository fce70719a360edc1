//! Runs a Select: text and a source in, an answer out. Only this part of the tests uses the API of
//! a scan.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use rayon::{ThreadPool, ThreadPoolBuilder};
use sift_select::{
    MemoryBudget, Plan, Result, Scan, ScanOptions, Select, Source, SpillDirectory, Value, View,
};

/// The way to run a scan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) threads: usize,
    /// `None` for the default.
    pub(crate) morsel_bytes: Option<usize>,
    /// `None` for the default; otherwise groups and rows go to disk, in the shortest steps.
    pub(crate) memory_bytes: Option<usize>,
}

impl Run {
    pub(crate) const fn new(threads: usize, morsel_bytes: Option<usize>) -> Self {
        Self { threads, morsel_bytes, memory_bytes: None }
    }

    const fn in_memory(self, bytes: usize) -> Self {
        Self { memory_bytes: Some(bytes), ..self }
    }
}

/// One and several threads, one record for each morsel and many, and little memory.
pub(crate) const RUNS: &[Run] = &[
    Run::new(1, None),
    Run::new(1, Some(1)),
    Run::new(1, Some(300)).in_memory(8 << 10),
    Run::new(4, None),
    Run::new(4, Some(1)),
    Run::new(4, Some(1)).in_memory(4 << 10),
];

/// The [`RUNS`] with a few records for each morsel, for tests with many Selects.
pub(crate) const QUICK_RUNS: &[Run] = &[
    Run::new(1, None),
    Run::new(1, Some(300)),
    Run::new(4, None),
    Run::new(4, Some(300)),
    Run::new(4, Some(300)).in_memory(8 << 10),
];

/// The answer to a Select, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The columns: `id bigint, name text`.
    pub(crate) columns: String,
    /// The rows: `7, 'Ann', NULL`.
    pub(crate) rows: Vec<String>,
}

/// Answers one Select.
pub(crate) fn select(
    source: &Arc<Source>,
    sql: &str,
    parameters: &[Value],
    run: Run,
) -> Result<Answer> {
    select_in(Arc::clone(source), sql, parameters, run)
}

/// Answers one Select over a view.
pub(crate) fn select_in(
    view: impl Into<View>,
    sql: &str,
    parameters: &[Value],
    run: Run,
) -> Result<Answer> {
    let select = Select::parse(sql)?;
    let plan = Plan::new(&select, view, parameters)?;
    let schema = Arc::clone(plan.schema());
    let batches = collect(plan, run)?;
    Ok(answer(&schema, &batches))
}

/// Runs a plan to its end.
pub(crate) fn collect(plan: Plan, run: Run) -> Result<Vec<RecordBatch>> {
    static POOLS: LazyLock<[ThreadPool; 2]> = LazyLock::new(|| [pool(1), pool(4)]);
    // keys are used whatever they cost
    let mut options = ScanOptions { apart_bytes: 0, ..ScanOptions::default() };
    if let Some(bytes) = run.morsel_bytes {
        options.morsel_bytes = bytes;
    }
    if let Some(bytes) = run.memory_bytes {
        let spill = SpillDirectory::new(std::env::temp_dir(), "spill_bytes_max", 1 << 30);
        options.spill = Some(Arc::new(spill));
        options.memory = Arc::new(MemoryBudget::new("query_memory_bytes_max", bytes));
        options.step_time = Duration::ZERO;
    }
    let pool = &POOLS[usize::from(run.threads > 1)];
    pool.install(|| Scan::new(plan, options).collect())
}

/// Runs a plan to its end with other bounds.
pub(crate) fn collect_with(plan: Plan, options: ScanOptions, threads: usize) -> Result<Answer> {
    let schema = Arc::clone(plan.schema());
    let batches = pool(threads).install(|| Scan::new(plan, options).collect())?;
    Ok(answer(&schema, &batches))
}

fn pool(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(threads).build().expect("threads")
}

fn answer(schema: &SchemaRef, batches: &[RecordBatch]) -> Answer {
    let columns = schema.fields().iter();
    let columns = columns.map(|field| format!("{} {}", field.name(), type_name(field.data_type())));
    let columns: Vec<_> = columns.collect();
    let mut rows = Vec::new();
    for batch in batches {
        assert_eq!(batch.schema().fields(), schema.fields(), "a batch has the schema of its plan");
        assert!(batch.num_rows() > 0, "an empty batch is not worth a frame");
        for row in 0..batch.num_rows() {
            let cells: Vec<_> = batch.columns().iter().map(|array| cell(array, row)).collect();
            rows.push(cells.join(", "));
        }
    }
    Answer { columns: columns.join(", "), rows }
}

fn type_name(data_type: &DataType) -> String {
    let name = match data_type {
        DataType::Int8 => "tinyint",
        DataType::Int16 => "smallint",
        DataType::Int32 => "integer",
        DataType::Int64 => "bigint",
        DataType::Float32 => "real",
        DataType::Float64 => "double precision",
        DataType::Utf8 => "text",
        DataType::Binary => "bytea",
        DataType::Timestamp(TimeUnit::Microsecond, None) => "timestamp",
        DataType::Date32 => "date",
        DataType::Decimal128(precision, scale) => return format!("numeric({precision},{scale})"),
        other => return other.to_string().to_lowercase(),
    };
    name.to_owned()
}

/// Returns a value in the notation of an [`Answer`]'s rows.
pub(crate) fn cell(array: &dyn Array, row: usize) -> String {
    if array.is_null(row) {
        return "NULL".to_owned();
    }
    if let Some(texts) = array.as_string_opt::<i32>() {
        let text = texts.value(row).replace('\'', "''");
        return format!("'{}'", text.replace('\n', "\\n").replace('\r', "\\r"));
    }
    let formatter = ArrayFormatter::try_new(array, &FormatOptions::default()).expect("a formatter");
    formatter.value(row).to_string()
}
