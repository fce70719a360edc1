//! Records of the caller's types: exact numbers, NULL, streams, and what does not fit.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sift_client::arrow::array::{
    Array, ArrayRef, BinaryArray, Date32Array, Decimal128Array, Float32Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray, UInt8Array,
};
use sift_client::{BatchStream, Connection, Decimal, Error, ErrorKind, Result};

use crate::fake::{Fake, orders, run};

/// Asks a server for batches, and hands the answer to `take`.
async fn answered<T>(batches: Vec<RecordBatch>, take: impl AsyncFnOnce(BatchStream<'_>) -> T) -> T {
    let fake = Fake::plain(move |mut peer| {
        let batches = batches.clone();
        async move {
            peer.selected().await;
            peer.batches(&batches).await;
            peer.finish(0).await;
            peer.gone().await;
        }
    })
    .await;
    let mut connection = Connection::connect(&fake.options()).await.unwrap();
    let stream = connection.select("SELECT").await.unwrap();
    take(stream).await
}

/// Returns the records of one batch as a `T`.
async fn records<T: DeserializeOwned>(batch: RecordBatch) -> Result<Vec<T>> {
    answered(vec![batch], async |batches| batches.records().try_collect().await).await
}

fn column(name: &str, array: impl Array + 'static) -> RecordBatch {
    let array: ArrayRef = Arc::new(array);
    RecordBatch::try_from_iter_with_nullable([(name, array, true)]).unwrap()
}

fn decimals(values: Vec<Option<i128>>, scale: i8) -> Decimal128Array {
    Decimal128Array::from(values).with_precision_and_scale(38, scale).unwrap()
}

#[derive(Debug, Deserialize, PartialEq)]
struct Float {
    x: f64,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Exact {
    x: Decimal,
}

#[test]
fn exact_numbers_are_floats_for_a_type_that_asks_for_floats() {
    type Tuple = (f64, Option<String>, Option<f64>, Option<String>);
    #[derive(Debug, Deserialize, PartialEq)]
    struct Metres(f64);
    #[derive(Debug, Deserialize, PartialEq)]
    struct Order {
        // not in the order of the columns
        price: Option<f64>,
        id: Metres,
    }
    run(async {
        let got: Vec<Order> = records(orders(1)).await.unwrap();
        let prices: Vec<_> = got.iter().map(|order| order.price).collect();
        assert_eq!(prices, [Some(12.5), None, Some(-0.05), Some(1.0)]);
        assert_eq!(got[3].id, Metres(4.0));
        // the nearest float, if there is none with the exact value
        let got: Vec<Float> =
            records(column("x", Int64Array::from(vec![i64::MAX, (1 << 53) + 1]))).await.unwrap();
        assert_eq!(
            got,
            [Float { x: 9_223_372_036_854_775_807.0 }, Float { x: 9_007_199_254_740_992.0 }]
        );
        let many = 99_999_999_999_999_999_999_999_999_999_999_999_999;
        let got: Vec<Float> =
            records(column("x", decimals(vec![Some(many), Some(-1)], 37))).await.unwrap();
        assert_eq!(got, [Float { x: 10.0 }, Float { x: -1e-37 }]);
        let got: Vec<Float> = records(column("x", UInt8Array::from(vec![255]))).await.unwrap();
        assert_eq!(got, [Float { x: 255.0 }]);
        let tuple: Vec<Tuple> = records(orders(1)).await.unwrap();
        assert_eq!(
            tuple[0],
            (1.0, Some("Ann, \"A\"".into()), Some(12.5), Some("1970-01-01".into()))
        );
    });
}

#[test]
fn bytes_dates_and_timestamps_have_the_documented_types() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Bytes {
        x: Vec<u8>,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    struct Text {
        x: String,
    }
    run(async {
        let bytes: Vec<Bytes> =
            records(column("x", BinaryArray::from(vec![&b"\0\xff"[..]]))).await.unwrap();
        assert_eq!(bytes, [Bytes { x: vec![0, 255] }]);
        let days: Vec<Text> = records(column("x", Date32Array::from(vec![19782]))).await.unwrap();
        assert_eq!(days[0].x, "2024-02-29");
        let times = TimestampMicrosecondArray::from(vec![0, 1_500_000]);
        let times: Vec<Text> = records(column("x", times)).await.unwrap();
        assert_eq!(times[0].x, "1970-01-01T00:00:00");
        assert_eq!(times[1].x, "1970-01-01T00:00:01.500");
    });
}

#[test]
fn nothing_else_becomes_a_float() {
    run(async {
        for batch in [
            column("x", StringArray::from(vec!["12.5"])),
            column("x", Date32Array::from(vec![1])),
            column("x", BinaryArray::from(vec![&b"1"[..]])),
            column("x", Int64Array::from(vec![None])),
            column("x", decimals(vec![None], 2)),
        ] {
            let error = records::<Float>(batch.clone()).await.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Record { first: 1, last: 1, .. }), "{error}");
            assert!(error.to_string().contains("$.x"), "{error}");
        }
        #[derive(Debug, Deserialize)]
        struct Integer {
            #[expect(dead_code, reason = "never made")]
            x: i64,
        }
        assert!(records::<Integer>(column("x", decimals(vec![Some(100)], 2))).await.is_err());
        let float = records::<Float>(column("x", Float32Array::from(vec![0.5]))).await.unwrap();
        assert_eq!(float, [Float { x: 0.5 }]);
    });
}

#[test]
fn a_decimal_keeps_its_digits() {
    run(async {
        let got: Vec<Exact> =
            records(column("x", decimals(vec![Some(i128::from(i64::MAX) * 10), Some(-5)], 2)))
                .await
                .unwrap();
        let digits: Vec<_> = got.iter().map(|exact| exact.x.to_string()).collect();
        assert_eq!(digits, ["922337203685477580.70", "-0.05"]);
        #[derive(Debug, Deserialize)]
        struct Order {
            price: Option<Decimal>,
        }
        let got: Vec<Order> = records(orders(1)).await.unwrap();
        assert_eq!(got[0].price, Some("12.50".parse().unwrap()));
        assert_eq!(got[1].price, None);
        let error =
            records::<Exact>(column("x", StringArray::from(vec!["many"]))).await.unwrap_err();
        assert!(error.to_string().contains("`many` is not a decimal"), "{error}");
        assert!(records::<Exact>(column("x", Date32Array::from(vec![1]))).await.is_err());
    });
}

#[test]
fn records_are_a_stream_that_ends_after_an_error() {
    #[derive(Debug, Deserialize)]
    struct Order {
        id: i64,
    }
    run(async {
        let ids = answered(vec![orders(1), orders(5)], async |batches| {
            batches.records::<Order>().map_ok(|order| order.id).try_collect::<Vec<_>>().await
        })
        .await
        .unwrap();
        assert_eq!(ids, [1, 2, 3, 4, 5, 6, 7, 8]);
        #[derive(Debug, Deserialize)]
        struct Named {
            #[expect(dead_code, reason = "read by nobody")]
            customer: String,
        }
        answered(vec![orders(1), orders(5)], async |batches| {
            let results: Vec<Result<Named>> = batches.records().collect().await;
            assert_eq!(results.len(), 1);
            assert!(results[0].is_err());
        })
        .await;
    });
}

/// Checks that a type that is not `Unpin` can be the item of a stream, too.
#[test]
fn a_record_need_not_be_unpin() {
    fn is_unpin<T: Unpin>(_: &T) {}
    #[derive(Debug, Deserialize)]
    struct Pinned {
        #[serde(skip)]
        _pinned: std::marker::PhantomPinned,
    }
    run(answered(vec![orders(1)], async |batches| {
        let mut records = batches.records::<Pinned>();
        is_unpin(&records);
        assert_eq!(StreamExt::by_ref(&mut records).count().await, 4);
    }));
}

#[test]
fn an_error_is_readable_where_main_returns_it() {
    run(async {
        let error: Error =
            records::<Float>(column("x", StringArray::from(vec!["a"]))).await.unwrap_err();
        // what `fn main() -> Result<(), Error>` prints
        assert_eq!(format!("{error:?}"), error.to_string());
        for text in [format!("{error:?}"), format!("{:?}", error.kind())] {
            assert!(!text.to_lowercase().contains("backtrace"), "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    });
}
