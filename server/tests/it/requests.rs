//! The answer to each kind of request.

use arrow::array::{Array, Int64Array, StringArray};
use sift_proto::frame::Kind;
use sift_proto::message::{
    DescribeRequest, Description, ExplainRequest, Explanation, FileList, ListRequest,
    SelectRequest, Status, Value, value,
};

use crate::fixture::Fixture;
use crate::peer::{self, sql};

fn integer(value: i64) -> Value {
    Value { kind: Some(value::Kind::Integer(value)) }
}

#[tokio::test]
async fn select_sends_the_selected_records_only() {
    let served = Fixture::with_files().serve().await;
    let mut peer = peer::tls(&served).await;
    let request = SelectRequest {
        sql: "SELECT n, n * 2 AS twice FROM 'sales/numbers.dat' WHERE n >= $1 AND n < 17".into(),
        parameters: vec![integer(14)],
        schema_kept: 0,
    };
    let selected = peer.select(&request).await;
    assert_eq!(selected.column::<Int64Array>(0).values(), &[14, 15, 16]);
    assert_eq!(selected.column::<Int64Array>(1).values(), &[28, 30, 32]);
    let statistics = selected.statistics;
    assert_eq!((statistics.records_scanned(), statistics.records_selected), (1000, 3));
    assert_eq!((statistics.bytes_scanned(), statistics.file_bytes()), (8000, 8000));
    assert!(statistics.bytes_sent > 0 && statistics.bytes_sent < 4000, "{statistics:?}");
    assert!(statistics.total_micros >= statistics.plan_micros());
}

#[tokio::test]
async fn select_reads_csv_and_an_empty_answer_is_whole() {
    let served = Fixture::with_files().serve().await;
    let mut peer = peer::plain(&served).await;
    let some = peer.select(&sql("SELECT city FROM 'cities.csv' WHERE pop > 1000000")).await;
    assert_eq!(some.column::<StringArray>(0).value(0), "Rome");
    let none = peer.select(&sql("SELECT city, pop FROM 'cities.csv' WHERE pop > 9000000")).await;
    assert_eq!((none.batch.num_rows(), none.batch.num_columns()), (0, 2));
    let count = peer.select(&sql("SELECT count(*), count(pop) FROM 'cities.csv'")).await;
    assert_eq!(count.column::<Int64Array>(0).value(0), 3);
    assert_eq!(count.column::<Int64Array>(1).value(0), 2);
}

#[tokio::test]
async fn a_large_answer_comes_in_order_and_whole() {
    let fixture = Fixture::new();
    fixture.numbers("numbers.dat", 0..3_000_000);
    let served = fixture.serve().await;
    let mut peer = peer::tls(&served).await;
    let all = peer.select(&sql("SELECT n FROM 'numbers.dat'")).await;
    let numbers = all.column::<Int64Array>(0);
    assert_eq!(numbers.len(), 3_000_000);
    assert!(numbers.values().iter().copied().eq(0..3_000_000));
    assert!(all.statistics.bytes_sent > 24_000_000);
}

#[tokio::test]
async fn requests_follow_each_other_on_one_connection() {
    let served = Fixture::with_files().serve().await;
    let mut peer = peer::tls(&served).await;
    for n in 0..50 {
        let text = format!("SELECT n FROM 'sales/numbers.dat' WHERE n = {n}");
        let selected = peer.select(&sql(text)).await;
        assert_eq!(selected.column::<Int64Array>(0).values(), &[n]);
        let (status, _) = peer.select_refused(&sql("SELECT m FROM 'sales/numbers.dat'")).await;
        assert_eq!(status, Status::UnknownColumn);
    }
    assert_eq!(served.activity.connections(), 1);
    assert_eq!(served.activity.requests(), 100);
}

#[tokio::test]
async fn a_changed_file_is_seen_at_the_next_request() {
    let served = Fixture::with_files().serve().await;
    let mut peer = peer::plain(&served).await;
    let request = sql("SELECT count(*) FROM 'cities.csv'");
    assert_eq!(peer.select(&request).await.column::<Int64Array>(0).value(0), 3);
    served.fixture.write("cities.csv", "city,pop\nOslo,1\n");
    assert_eq!(peer.select(&request).await.column::<Int64Array>(0).value(0), 1);
    // the descriptor counts as part of it
    served.fixture.write("cities.csv.toml", "[csv]\nnull = \"Oslo\"\n");
    let nulls = peer.select(&sql("SELECT city FROM 'cities.csv'")).await;
    assert_eq!(nulls.batch.column(0).null_count(), 1);
}

#[tokio::test]
async fn list_tells_path_format_and_length() {
    let served = Fixture::with_files().serve().await;
    served.fixture.write("notes.txt", "no data");
    let mut peer = peer::plain(&served).await;
    peer.send(Kind::List, &ListRequest { pattern: String::new() }).await;
    let list: FileList = peer.message(Kind::FileList).await;
    let told: Vec<_> =
        list.files.iter().map(|file| (&file.path[..], &file.format[..], file.bytes)).collect();
    assert_eq!(told, [("cities.csv", "csv", Some(42)), ("sales/numbers.dat", "fixed", Some(8000))]);
    assert!(list.files.iter().all(|file| file.modified() > 1_700_000_000_000_000));

    let cases = [("*", 1), ("*/*.dat", 1), ("**/*", 2), ("sales/*", 1), ("*.parquet", 0)];
    for (pattern, files) in cases {
        peer.send(Kind::List, &ListRequest { pattern: pattern.to_owned() }).await;
        let list: FileList = peer.message(Kind::FileList).await;
        assert_eq!(list.files.len(), files, "{pattern}");
    }
}

#[tokio::test]
async fn describe_tells_the_columns() {
    let served = Fixture::with_files().serve().await;
    let mut peer = peer::plain(&served).await;
    peer.send(Kind::Describe, &DescribeRequest { file: "sales/numbers.dat".into() }).await;
    let told: Description = peer.message(Kind::Description).await;
    assert_eq!((&told.file[..], &told.format[..]), ("sales/numbers.dat", "fixed"));
    assert_eq!((told.bytes, told.records, told.record_bytes), (Some(8000), Some(1000), Some(8)));
    assert!(!told.network_encrypt);
    let [field] = &told.fields[..] else { panic!("{:?}", told.fields) };
    assert_eq!((&field.name[..], &field.r#type[..]), ("n", "bigint"));
    assert!(field.storage.contains("8 bytes"), "{}", field.storage);
}

#[tokio::test]
async fn explain_reads_no_record() {
    let served = Fixture::with_files().serve().await;
    let mut peer = peer::plain(&served).await;
    let request = ExplainRequest {
        sql: "SELECT n FROM 'sales/numbers.dat' WHERE n = $1".into(),
        parameters: vec![integer(1)],
        analyze: false,
    };
    peer.send(Kind::Explain, &request).await;
    let told: Explanation = peer.message(Kind::Explanation).await;
    assert!(told.text.contains("sales/numbers.dat"), "{}", told.text);
    assert_eq!(served.activity.morsels_run(), 0);
}

#[tokio::test]
async fn records_without_columns_are_answered() {
    let fixture = Fixture::new();
    fixture.write("empty.jsonl", "");
    fixture.write("bare.jsonl", "{}\n{}\n");
    let served = fixture.serve().await;
    let mut peer = peer::tls(&served).await;
    for (from, records) in [("empty.jsonl", 0), ("bare.jsonl", 2)] {
        let batch = peer.select(&sql(format!("SELECT * FROM '{from}'"))).await.batch;
        assert_eq!((batch.num_columns(), batch.num_rows()), (0, records), "{from}");
    }
}

#[tokio::test]
async fn a_select_without_from_has_one_record() {
    let served = Fixture::new().serve().await;
    let mut peer = peer::tls(&served).await;
    let batch = peer.select(&sql("SELECT 1 AS one, current_date IS NULL AS none")).await.batch;
    assert_eq!((batch.num_columns(), batch.num_rows()), (2, 1));
    assert_eq!(batch.schema().field(0).name(), "one");
}

#[tokio::test]
async fn a_file_with_the_name_of_a_pattern_comes_first() {
    let fixture = Fixture::new();
    fixture.write("a[1].csv", "n\n1\n");
    fixture.write("a1.csv", "n\n2\n3\n");
    fixture.write("b*.csv", "n\n4\n");
    fixture.write("bc.csv", "n\n5\n");
    let served = fixture.serve().await;
    let mut peer = peer::tls(&served).await;
    for (from, records) in [("a[1].csv", 1), ("a[12].csv", 2), ("b*.csv", 1), ("b?.csv", 2)] {
        let batch = peer.select(&sql(format!("SELECT n FROM '{from}'"))).await.batch;
        assert_eq!(batch.num_rows(), records, "{from}");
    }
}
