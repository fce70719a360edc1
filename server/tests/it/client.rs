//! The ordinary paths, with the client that people use.

use arrow::array::{Int64Array, StringArray};
use sift_client::{ConnectOptions, Connection, Connector, Roots, Select, Status};
use sift_proto::cipher::suite_name;
use sift_proto::level::{Level, Protocol};
use sift_server::Limits;

use crate::fixture::{Fixture, Served};

fn options(served: &Served, level: Level) -> ConnectOptions {
    ConnectOptions::new(served.tls.to_string())
        .roots(Roots::File(served.fixture.outside("authority.pem")))
        .level(level)
}

async fn connect(served: &Served, level: Level) -> Connection {
    Connection::connect(&options(served, level)).await.unwrap()
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
async fn a_suite_that_alone_is_offered_is_the_channels() {
    let served = Fixture::new().serve().await;
    for protocol in [Protocol::Tls12, Protocol::Tls13] {
        for name in Level::Three.suites(protocol).iter().map(|suite| suite_name(*suite).unwrap()) {
            let options = options(&served, Level::Three).suites([name]);
            let connected = Connection::connect(&options).await;
            if name.contains("-RSA-") {
                // the certificate has an ECDSA key
                let error = connected.err().unwrap().to_string();
                let told = format!("this end asks for level 3 (TLSv1.2 with {name})");
                assert!(error.contains(&told), "{error}");
                continue;
            }
            let mut connection = connected.unwrap();
            let report = connection.report().await.unwrap();
            assert_eq!(report.protocol, protocol.to_string(), "{name}");
            assert_eq!(report.cipher.split(' ').next(), Some(name));
        }
    }
}

#[tokio::test]
async fn statistics_tell_the_sizes_of_an_answer() {
    let fixture = Fixture::new();
    fixture.numbers("numbers.dat", 0..10_000);
    let served = fixture.serve().await;
    let options = options(&served, Level::Three);
    for narrow in [true, false] {
        let mut connection = Connection::connect(&options.clone().narrow(narrow)).await.unwrap();
        let mut stream = connection.select("SELECT n FROM 'numbers.dat'").await.unwrap();
        while stream.next().await.unwrap().is_some() {}
        let told = *stream.statistics().unwrap();
        drop(stream);
        assert_eq!(told.file_bytes, Some(80_000));
        if narrow {
            assert!((80_000..82_000).contains(&told.arrow_bytes), "{told:?}");
            assert!((1..40_000).contains(&told.narrow_bytes), "{told:?}");
            assert!((1..40_000).contains(&told.bytes_sent), "{told:?}");
        } else {
            assert_eq!((told.arrow_bytes, told.narrow_bytes), (0, 0));
            assert!(told.bytes_sent > 80_000, "{told:?}");
        }

        let mut chunks = connection.fetch("numbers.dat").range(800..1600).chunks().await.unwrap();
        while chunks.next().await.unwrap().is_some() {}
        let told = *chunks.statistics().unwrap();
        assert_eq!((told.file_bytes, told.narrow_bytes), (Some(80_000), 800));
    }
}

#[tokio::test]
async fn a_connector_resumes_sessions_unless_told_not_to() {
    let served = Fixture::with_files().serve().await;
    let suites = ["TLS_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"];
    for (suite, resume) in suites.into_iter().flat_map(|suite| [(suite, false), (suite, true)]) {
        let options = options(&served, Level::Three).suites([suite]).resume(resume);
        let connector = Connector::new(options).unwrap();
        for expected in [false, resume, resume] {
            let mut connection = connector.connect().await.unwrap();
            assert_eq!(connection.channel().resumed(), expected, "{suite}");
            assert_eq!(connection.channel().peer_names()[0], "dns:localhost");
            connection.report().await.unwrap();
            assert_eq!(connection.files("*.csv").await.unwrap().len(), 1);
        }
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
    assert_eq!(stream.statistics().unwrap().records_scanned(), 3);
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
