//! The ordinary paths, with the client that people use.

use arrow::array::{Int64Array, StringArray};
use sift_client::{ConnectOptions, Connection, Roots, Select, Status};
use sift_proto::level::Level;
use sift_server::Limits;

use crate::fixture::{Fixture, Served};

async fn connect(served: &Served, level: Level) -> Connection {
    let options = ConnectOptions::new(served.tls.to_string())
        .roots(Roots::File(served.fixture.outside("authority.pem")))
        .level(level);
    Connection::connect(&options).await.unwrap()
}

#[tokio::test]
async fn both_ends_agree_about_the_channel_at_each_level() {
    for level in [Level::Three, Level::Four, Level::Five] {
        let served = Fixture::new().serve_with(level, Limits::default()).await;
        let mut connection = connect(&served, level).await;
        let report = connection.report().await.unwrap();
        let channel = connection.channel();
        assert!(channel.encrypted() && report.encrypted);
        assert_eq!(report.cipher, channel.cipher());
        assert_eq!(report.key_exchange, channel.key_exchange());
        assert_eq!(report.level, u32::from(level.number()));
    }
}

#[tokio::test]
async fn a_select_comes_back_as_batches() {
    let served = Fixture::with_files().serve().await;
    let mut connection = connect(&served, Level::Three).await;
    let select =
        Select::from("cities.csv").columns(["city", "pop"]).filter("pop > $1").parameter(1_000_000);
    let mut stream = connection.select(select).await.unwrap();
    let batch = stream.next().await.unwrap().unwrap();
    let cities = batch.column(0).as_any().downcast_ref::<StringArray>().unwrap();
    let pops = batch.column(1).as_any().downcast_ref::<Int64Array>().unwrap();
    assert_eq!((cities.value(0), pops.value(0), batch.num_rows()), ("Rome", 2_748_109, 1));
    assert!(stream.next().await.unwrap().is_none());
    assert_eq!(stream.statistics().unwrap().records_scanned, 3);
}

#[tokio::test]
async fn a_dropped_stream_leaves_the_connection_usable() {
    let fixture = Fixture::with_files();
    fixture.zeros("zeros.dat", 1 << 30);
    let served = fixture.serve().await;
    let mut connection = connect(&served, Level::Three).await;
    for _ in 0..3 {
        let mut stream = connection.select("SELECT n FROM 'zeros.dat'").await.unwrap();
        assert!(stream.next().await.unwrap().is_some());
    }
    let error = connection.describe("none.csv").await.unwrap_err();
    assert_eq!(error.status(), Some(Status::UnknownFile));
    assert_eq!(connection.files("*.csv").await.unwrap().len(), 1);
    assert_eq!(served.activity.connections(), 1);
}

#[tokio::test]
async fn a_fetch_ends_in_an_equal_file() {
    let served = Fixture::with_files().serve().await;
    let mut connection = connect(&served, Level::Three).await;
    let copy = served.fixture.outside("copy.dat");
    connection.fetch("sales/numbers.dat").to_file(copy.clone()).await.unwrap();
    let original = std::fs::read(served.fixture.data().join("sales/numbers.dat")).unwrap();
    assert!(std::fs::read(copy).unwrap() == original);
}
