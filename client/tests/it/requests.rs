//! The small requests: files, describe, explain, report.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Waker};

use sift_client::{
    ChannelReport, Connection, Description, ErrorKind, FileEntry, Kind, Query, Reason, Status,
};
use sift_proto::message::{
    ChannelRequest, DescribeRequest, ExplainRequest, Explanation, FileList, ListRequest,
};

use tokio::sync::Notify;

use crate::fake::{Fake, run};

#[test]
fn files_describe_explain() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.greet().await;
            let list: ListRequest = peer.expect(Kind::List).await;
            let files = vec![FileEntry { path: list.pattern, ..FileEntry::default() }];
            peer.send(Kind::FileList, &FileList { files }).await;
            let describe: DescribeRequest = peer.expect(Kind::Describe).await;
            let description = Description { file: describe.file, ..Description::default() };
            peer.send(Kind::Description, &description).await;
            let explain: ExplainRequest = peer.expect(Kind::Explain).await;
            assert_eq!(explain.parameters.len(), 1);
            peer.send(Kind::Explanation, &Explanation { text: explain.sql }).await;
            peer.gone().await;
        })
        .await;
        let mut connection = Connection::connect(&fake.options()).await.unwrap();
        assert_eq!(connection.files("*.csv").await.unwrap()[0].path, "*.csv");
        assert_eq!(connection.describe("a").await.unwrap().file, "a");
        let query = Query::new("SELECT $1").parameter(5);
        assert_eq!(connection.explain(query).await.unwrap(), "SELECT $1");
    });
}

#[test]
fn a_refusal_leaves_the_connection_usable() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.greet().await;
            peer.frame().await;
            peer.fail(Status::UnknownFile, "unknown file `x`").await;
            peer.frame().await;
            peer.send(Kind::FileList, &FileList::default()).await;
            peer.gone().await;
        })
        .await;
        let mut connection = Connection::connect(&fake.options()).await.unwrap();
        let error = connection.describe("x").await.unwrap_err();
        assert_eq!(error.status(), Some(Status::UnknownFile));
        assert_eq!(error.to_string(), "unknown file `x`");
        assert!(connection.files("").await.unwrap().is_empty());
    });
}

#[test]
fn an_answer_out_of_order_ends_the_connection() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.greet().await;
            peer.frame().await;
            peer.send(Kind::Explanation, &Explanation::default()).await;
            peer.gone().await;
        })
        .await;
        let mut connection = Connection::connect(&fake.options()).await.unwrap();
        let error = connection.files("").await.unwrap_err().to_string();
        let expected = "breaks the protocol: got a Explanation frame, expected FileList";
        assert!(error.ends_with(expected), "{error}");
        let error = connection.files("").await.unwrap_err().to_string();
        assert!(error.ends_with(": the server closed the connection"), "{error}");
    });
}

#[test]
fn a_request_whose_future_was_dropped_is_settled() {
    run(async {
        let dropped = Arc::new(Notify::new());
        let waited = dropped.clone();
        let fake = Fake::plain(move |mut peer| {
            let waited = waited.clone();
            async move {
                peer.greet().await;
                waited.notified().await;
                for _ in 0..2 {
                    let list: ListRequest = peer.expect(Kind::List).await;
                    let files = vec![FileEntry { path: list.pattern, ..FileEntry::default() }];
                    peer.send(Kind::FileList, &FileList { files }).await;
                }
                peer.gone().await;
            }
        })
        .await;
        let mut connection = Connection::connect(&fake.options()).await.unwrap();
        {
            let mut first = Box::pin(connection.files("first"));
            let polled = first.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
        }
        dropped.notify_one();
        assert_eq!(connection.files("second").await.unwrap()[0].path, "second");
    });
}

#[test]
fn the_report_is_held_against_this_end() {
    run(async {
        let fake = Fake::plain(|mut peer| async move {
            peer.greet().await;
            let _: ChannelRequest = peer.expect(Kind::Channel).await;
            peer.send(Kind::ChannelReport, &ChannelReport::default()).await;
            let _: ChannelRequest = peer.expect(Kind::Channel).await;
            let report = ChannelReport { encrypted: true, ..ChannelReport::default() };
            peer.send(Kind::ChannelReport, &report).await;
            peer.gone().await;
        })
        .await;
        let mut connection = Connection::connect(&fake.options()).await.unwrap();
        assert!(!connection.report().await.unwrap().encrypted);
        let error = connection.report().await.unwrap_err();
        assert!(matches!(
            error.kind(),
            ErrorKind::ClientServer { reason: Reason::ChannelDiffers(_), .. }
        ));
    });
}
