//! Selecting: complete answers, broken ones, hostile ones, and abandoned ones.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, RecordBatch};
use futures_util::StreamExt;
use serde::Deserialize;
use sift_client::{Connection, Error, ErrorKind, Kind, Query, Reason, Result, Select, Status};
use sift_proto::frame::{BODY_BYTES_MAX, Header};
use sift_proto::message::{Cancel, SelectRequest, Statistics, Value, value};
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;

use crate::fake::{Authority, Fake, Peer, encode, orders, run};

/// The time-out for a silent server: longer than a busy machine needs.
const STILL_MAX: Duration = Duration::from_secs(1);

/// Runs a script after the Select has come, and collects the answer.
async fn answer<F>(script: impl Fn(Peer) -> F + Send + Sync + Copy + 'static) -> Result<Answer>
where
    F: Future<Output = ()> + Send + 'static,
{
    answer_within(Duration::from_secs(10), script).await
}

async fn answer_within<F>(
    idle_timeout: Duration,
    script: impl Fn(Peer) -> F + Send + Sync + Copy + 'static,
) -> Result<Answer>
where
    F: Future<Output = ()> + Send + 'static,
{
    let fake = Fake::plain(move |mut peer| async move {
        peer.selected().await;
        script(peer).await;
    })
    .await;
    let options = fake.options().idle_timeout(idle_timeout);
    let mut connection = Connection::connect(&options).await?;
    let mut stream = connection.select("SELECT").await?;
    let mut batches = Vec::new();
    while let Some(batch) = stream.next().await? {
        batches.push(batch);
    }
    Ok((batches, stream.statistics().copied().unwrap()))
}

type Answer = (Vec<RecordBatch>, Statistics);

fn broken(error: &Error) -> (u64, String) {
    match error.kind() {
        ErrorKind::BrokenStream { records, reason, .. } => (*records, reason.to_string()),
        other => panic!("{other}"),
    }
}

#[test]
fn batches_and_statistics() {
    run(async {
        let (batches, statistics) = answer(|mut peer| async move {
            peer.batches(&[orders(1), orders(5)]).await;
            peer.finish(8).await;
        })
        .await
        .unwrap();
        assert_eq!(batches, [orders(1), orders(5)]);
        assert_eq!(statistics.records_selected, 8);
    });
}

#[test]
fn the_same_through_tls() {
    run(async {
        let authority = Authority::new();
        let fake = Fake::tls(authority.ordinary(), |mut peer| async move {
            peer.selected().await;
            peer.batches(&[orders(1)]).await;
            peer.finish(4).await;
            peer.gone().await;
        })
        .await;
        let options = fake.options().encrypt(true).roots(authority.roots());
        let mut connection = Connection::connect(&options).await.unwrap();
        let mut stream = connection.select("SELECT").await.unwrap();
        assert_eq!(stream.schema(), &orders(1).schema());
        assert!(stream.statistics().is_none());
        assert_eq!(stream.next().await.unwrap(), Some(orders(1)));
        assert!(stream.statistics().is_none());
        assert_eq!(stream.next().await.unwrap(), None);
        assert_eq!(stream.next().await.unwrap(), None);
        assert!(stream.statistics().is_some());
    });
}

#[test]
fn the_request_carries_text_and_parameters() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            let request = peer.selected().await;
            let kind = |kind| Value { kind: Some(kind) };
            let expected = SelectRequest {
                sql: "SELECT a FROM 'it''s.csv' WHERE (a > $1) AND (b = $2)".to_owned(),
                parameters: vec![
                    kind(value::Kind::Decimal("12.50".to_owned())),
                    kind(value::Kind::Null(true)),
                ],
                schema_kept: 0,
            };
            assert_eq!(request, expected);
            peer.batches(&[orders(1)]).await;
            peer.finish(4).await;
            peer.gone().await;
        })
        .await;
        let mut connection = Connection::connect(&fake.options()).await.unwrap();
        let select = Select::from("it's.csv")
            .columns(["a"])
            .filter("a > $1")
            .filter("b = $2")
            .parameter(sift_client::Value::decimal("12.50").unwrap())
            .parameter(None::<i64>);
        let mut stream = connection.select(select).await.unwrap();
        while stream.next().await.unwrap().is_some() {}
    });
}

#[test]
fn columns_point_into_the_frame() {
    run(async {
        let (batches, _) = answer(|mut peer| async move {
            peer.batches(&[orders(1)]).await;
            peer.finish(4).await;
        })
        .await
        .unwrap();
        let (_, bodies) = encode(&[orders(1)]);
        let frame_bytes = bodies[0].len();
        let mut addresses = Vec::new();
        for column in batches[0].columns() {
            for buffer in column.to_data().buffers() {
                // every buffer is a slice of the one allocation of the frame, 16-byte decimals too
                assert!(buffer.capacity() >= frame_bytes, "{}", column.data_type());
                addresses.push(buffer.data_ptr().as_ptr() as usize);
            }
        }
        assert_eq!(addresses.len(), 5);
        assert!(addresses.iter().all(|address| *address == addresses[0]), "{addresses:?}");
    });
}

#[test]
fn records_of_a_type() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Order {
        id: i64,
        customer: Option<String>,
        price: Option<String>,
    }
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.selected().await;
            peer.batches(&[orders(1), orders(5)]).await;
            peer.finish(8).await;
            peer.gone().await;
        })
        .await;
        let mut connection = Connection::connect(&fake.options()).await.unwrap();
        let mut orders = connection.select("SELECT").await.unwrap().records::<Order>();
        let first = orders.next().await.unwrap().unwrap();
        let expected =
            Order { id: 1, customer: Some("Ann, \"A\"".into()), price: Some("12.50".into()) };
        assert_eq!(first, expected);
        let mut ids = vec![first.id];
        while let Some(order) = orders.next().await.unwrap() {
            ids.push(order.id);
        }
        assert_eq!(ids, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(orders.statistics().unwrap().records_selected, 8);
    });
}

#[test]
fn records_that_do_not_fit_say_which() {
    #[derive(Debug, Deserialize)]
    struct Order {
        #[expect(dead_code, reason = "never made")]
        customer: String,
    }
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.selected().await;
            peer.batches(&[orders(1)]).await;
            peer.finish(4).await;
            peer.gone().await;
        })
        .await;
        let mut connection = Connection::connect(&fake.options()).await.unwrap();
        let mut orders = connection.select("SELECT").await.unwrap().records::<Order>();
        let error = orders.next().await.unwrap_err().to_string();
        assert!(error.starts_with("records 1 to 4 of the answer do not fit the type"), "{error}");
    });
}

#[test]
fn without_its_end_marker_an_answer_is_an_error() {
    run(async {
        let error = answer(|mut peer| async move {
            peer.batches(&[orders(1), orders(5)]).await;
        })
        .await
        .unwrap_err();
        assert_eq!(broken(&error), (8, "the server closed the connection".to_owned()));
        assert!(error.to_string().contains("broke off after 8 records and "), "{error}");
    });
}

#[test]
fn half_a_frame_is_an_error() {
    run(async {
        let error = answer(|mut peer| async move {
            peer.batches(&[orders(1)]).await;
            let (_, bodies) = encode(&[orders(5)]);
            let header = Header { kind: Kind::Batch, body_bytes: bodies[0].len() as u32 };
            peer.bytes(&header.encode()).await;
            peer.bytes(&bodies[0][..20]).await;
        })
        .await
        .unwrap_err();
        assert_eq!(broken(&error), (4, "the server closed the connection".to_owned()));
    });
}

#[test]
fn every_call_after_an_error_is_an_error() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.selected().await;
            peer.batches(&[orders(1)]).await;
        })
        .await;
        let mut connection = Connection::connect(&fake.options()).await.unwrap();
        let mut stream = connection.select("SELECT").await.unwrap();
        assert!(stream.next().await.unwrap().is_some());
        assert!(stream.next().await.is_err());
        assert!(stream.next().await.is_err());
        assert!(stream.statistics().is_none());
        drop(stream);
        assert!(connection.select("SELECT").await.is_err());
    });
}

#[test]
fn as_a_futures_stream_it_ends_with_the_error() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.selected().await;
            peer.batches(&[orders(1)]).await;
        })
        .await;
        let mut connection = Connection::connect(&fake.options()).await.unwrap();
        let stream = connection.select("SELECT").await.unwrap();
        let items: Vec<_> = stream.map(|batch| batch.is_ok()).collect().await;
        assert_eq!(items, [true, false]);
    });
}

#[test]
fn a_failure_keeps_its_status_and_the_connection() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.selected().await;
            peer.fail(Status::UnknownColumn, "unknown column `x`").await;
            let _: SelectRequest = peer.expect(Kind::Select).await;
            peer.batches(&[orders(1)]).await;
            peer.fail(Status::Computation, "division by zero").await;
            let _: SelectRequest = peer.expect(Kind::Select).await;
            peer.batches(&[orders(1)]).await;
            peer.finish(4).await;
            peer.gone().await;
        })
        .await;
        let mut connection = Connection::connect(&fake.options()).await.unwrap();
        let error = connection.select("SELECT").await.err().unwrap();
        assert_eq!(error.status(), Some(Status::UnknownColumn));
        let mut stream = connection.select("SELECT").await.unwrap();
        assert!(stream.next().await.unwrap().is_some());
        let error = stream.next().await.unwrap_err();
        assert_eq!(error.status(), Some(Status::Computation));
        assert_eq!(error.to_string(), "division by zero");
        assert!(stream.next().await.is_err(), "must not look whole");
        drop(stream);
        let mut stream = connection.select("SELECT").await.unwrap();
        assert!(stream.next().await.unwrap().is_some());
        assert!(stream.next().await.unwrap().is_none());
    });
}

#[test]
fn frames_out_of_order_are_violations() {
    run(async {
        let error = answer(|mut peer| async move { peer.finish(0).await }).await.unwrap_err();
        let expected = "the server breaks the protocol: got a Finished frame, expected Schema";
        assert_eq!(broken(&error), (0, expected.to_owned()));

        let error = answer(|mut peer| async move {
            let (schema, bodies) = encode(&[orders(1)]);
            peer.body(Kind::Batch, &bodies[0]).await;
            peer.body(Kind::Schema, &schema).await;
        })
        .await
        .unwrap_err();
        let expected = "the server breaks the protocol: got a Batch frame, expected Schema";
        assert_eq!(broken(&error).1, expected);

        let error = answer(|mut peer| async move {
            let (schema, _) = encode(&[orders(1)]);
            peer.body(Kind::Schema, &schema).await;
            peer.body(Kind::Schema, &schema).await;
        })
        .await
        .unwrap_err();
        let expected =
            "the server breaks the protocol: got a Schema frame, expected Batch or Finished";
        assert_eq!(broken(&error).1, expected);
    });
}

#[test]
fn what_is_no_frame_is_a_violation() {
    run(async {
        let error = answer(|mut peer| async move {
            peer.batches(&[orders(1)]).await;
            let header = Header { kind: Kind::Batch, body_bytes: BODY_BYTES_MAX + 1 };
            peer.bytes(&header.encode()).await;
            peer.gone().await;
        })
        .await
        .unwrap_err();
        let (records, reason) = broken(&error);
        assert_eq!(records, 4);
        assert!(
            reason.contains("frame of 8388609 bytes, at most 8388608 are accepted"),
            "{reason}"
        );

        let error = answer(|mut peer| async move {
            peer.batches(&[orders(1)]).await;
            peer.bytes(&[99; 100]).await;
            peer.gone().await;
        })
        .await
        .unwrap_err();
        assert!(broken(&error).1.contains("unknown frame kind 99"), "{error}");
    });
}

#[test]
fn garbage_instead_of_arrow_is_a_violation() {
    run(async {
        let error = answer(|mut peer| async move {
            let (schema, _) = encode(&[orders(1)]);
            peer.body(Kind::Schema, &schema).await;
            peer.body(Kind::Batch, &[7; 1000]).await;
            peer.gone().await;
        })
        .await
        .unwrap_err();
        let expected = "not an Arrow message that Sift sends: no continuation marker at its start";
        assert!(broken(&error).1.ends_with(expected), "{error}");
    });
}

#[test]
fn a_server_that_stands_still_is_given_up() {
    run(async {
        let error = answer_within(STILL_MAX, |mut peer| async move {
            peer.batches(&[orders(1)]).await;
            peer.gone().await;
        })
        .await
        .unwrap_err();
        let expected = "nothing came from the server for 1s while answering";
        assert_eq!(broken(&error), (4, expected.to_owned()));
    });
}

#[test]
fn a_slow_server_is_not_given_up() {
    run(async {
        // one byte at a time, over longer than the time-out, but never still
        let fake = Fake::plain(|mut peer| async move {
            peer.selected().await;
            let (schema, bodies) = encode(&[orders(1)]);
            peer.body(Kind::Schema, &schema).await;
            let header = Header { kind: Kind::Batch, body_bytes: bodies[0].len() as u32 };
            for byte in [header.encode().as_slice(), &bodies[0]].concat() {
                peer.bytes(&[byte]).await;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            peer.finish(4).await;
            peer.gone().await;
        })
        .await;
        let options = fake.options().idle_timeout(STILL_MAX);
        let mut connection = Connection::connect(&options).await.unwrap();
        let mut stream = connection.select("SELECT").await.unwrap();
        assert_eq!(stream.next().await.unwrap(), Some(orders(1)));
        assert_eq!(stream.next().await.unwrap(), None);
    });
}

#[test]
fn a_dropped_future_loses_nothing() {
    run(async {
        let more = Arc::new(Notify::new());
        let wanted = more.clone();
        let fake = Fake::plain(move |mut peer| {
            let wanted = wanted.clone();
            async move {
                peer.selected().await;
                let (schema, bodies) = encode(&[orders(1)]);
                peer.body(Kind::Schema, &schema).await;
                let header = Header { kind: Kind::Batch, body_bytes: bodies[0].len() as u32 };
                peer.bytes(&[header.encode().as_slice(), &bodies[0][..100]].concat()).await;
                wanted.notified().await;
                peer.bytes(&bodies[0][100..]).await;
                peer.finish(4).await;
                peer.gone().await;
            }
        })
        .await;
        let mut connection = Connection::connect(&fake.options()).await.unwrap();
        let mut stream = connection.select("SELECT").await.unwrap();
        for _ in 0..3 {
            assert!(tokio::time::timeout(Duration::from_millis(10), stream.next()).await.is_err());
        }
        more.notify_one();
        assert_eq!(stream.next().await.unwrap(), Some(orders(1)));
        assert_eq!(stream.next().await.unwrap(), None);
    });
}

#[test]
fn a_dropped_stream_cancels_and_the_connection_goes_on() {
    run(async {
        let cancelled = Arc::new(Notify::new());
        let seen = cancelled.clone();
        let fake = Fake::plain(move |mut peer| {
            let seen = seen.clone();
            async move {
                peer.selected().await;
                peer.batches(&[orders(1), orders(5), orders(9)]).await;
                let _: Cancel = peer.expect(Kind::Cancel).await;
                seen.notify_one();
                // what was on its way, then the end
                let (_, bodies) = encode(&[orders(13)]);
                peer.body(Kind::Batch, &bodies[0]).await;
                peer.fail(Status::Cancelled, "cancelled").await;
                let _: SelectRequest = peer.expect(Kind::Select).await;
                peer.batches(&[orders(100)]).await;
                peer.finish(4).await;
                peer.gone().await;
            }
        })
        .await;
        let mut connection = Connection::connect(&fake.options()).await.unwrap();
        let mut stream = connection.select("SELECT").await.unwrap();
        assert_eq!(stream.next().await.unwrap(), Some(orders(1)));
        drop(stream);
        // Cancel leaves with the drop, not with the next request
        cancelled.notified().await;
        let mut stream = connection.select("SELECT").await.unwrap();
        assert_eq!(stream.next().await.unwrap(), Some(orders(100)));
        assert_eq!(stream.next().await.unwrap(), None);
    });
}

#[test]
fn a_server_that_ignores_cancel_costs_the_connection() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.selected().await;
            peer.batches(&[orders(1)]).await;
            let chunk = [
                Header { kind: Kind::Batch, body_bytes: 1 << 20 }.encode().as_slice(),
                &[0; 1 << 20],
            ]
            .concat();
            while peer.stream.write_all(&chunk).await.is_ok() {}
        })
        .await;
        let mut connection = Connection::connect(&fake.options()).await.unwrap();
        drop(connection.select("SELECT").await.unwrap());
        let error = connection.files("").await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::ClientServer { reason: Reason::Abandoned, .. }),
            "{error}"
        );
        assert!(connection.files("").await.is_err());
    });
}

#[test]
fn a_text_that_is_too_long_is_not_sent() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.greet().await;
            peer.gone().await;
        })
        .await;
        let mut connection = Connection::connect(&fake.options()).await.unwrap();
        let error = connection.select(Query::new("x".repeat(65537))).await.err().unwrap();
        let expected = "the Select is 65537 bytes long, the server takes at most 65536";
        assert_eq!(error.to_string(), expected);
    });
}
