//! Every status with which a request can end, and a request that provokes it. The statuses of
//! connections are in `channel`, `limits` and `peers`; the table at the end says where.

use std::os::unix::fs::PermissionsExt;

use sift_proto::message::{SelectRequest, Status};

use crate::fixture::Fixture;
use crate::peer::{self, sql};

#[tokio::test]
async fn each_mistake_has_its_status() {
    let fixture = Fixture::with_files();
    fixture.write("broken.dat", [0; 12]);
    fixture.write("broken.dat.toml", crate::fixture::NUMBERS);
    fixture.write("ragged.csv", "a,b\n1,2\n1,2,3\n");
    let served = fixture.serve().await;
    let mut peer = peer::tls(&served).await;
    let or = format!("SELECT city FROM 'cities.csv' WHERE pop = 1{}", " OR pop=1".repeat(100_000));
    let cases = [
        ("SELECT city FROM", Status::Syntax),
        ("SELECT city FROM 'cities.csv' JOIN 'b.csv' ON true", Status::Unsupported),
        ("SELECT city FROM 'none.csv'", Status::UnknownFile),
        ("SELECT citty FROM 'cities.csv'", Status::UnknownColumn),
        ("SELECT soundex(city) FROM 'cities.csv'", Status::UnknownFunction),
        ("SELECT city FROM 'cities.csv' WHERE city > 1", Status::TypeMismatch),
        ("SELECT city FROM 'cities.csv' WHERE pop = $1", Status::Parameter),
        (&or, Status::LimitExceeded),
        ("SELECT pop / 0 FROM 'cities.csv'", Status::Computation),
        ("SELECT n FROM 'broken.dat'", Status::DescriptorInvalid),
        ("SELECT a FROM 'ragged.csv'", Status::RecordInvalid),
    ];
    for (text, expected) in cases {
        let (status, message) = peer.select_refused(&sql(text)).await;
        assert_eq!(status, expected, "{}: {message}", &text[..text.len().min(80)]);
        assert!(!message.is_empty() && !message.ends_with('.'), "{message}");
    }
    // after all of them the connection is as it was
    assert_eq!(peer.select(&sql("SELECT city FROM 'cities.csv'")).await.batch.num_rows(), 3);
}

#[tokio::test]
async fn a_file_that_may_not_be_read_is_unreadable() {
    let fixture = Fixture::with_files();
    let path = fixture.data().join("cities.csv");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::File::open(&path).is_ok() {
        // the superuser may read everything
        return;
    }
    let served = fixture.serve().await;
    let mut peer = peer::tls(&served).await;
    let (status, _) = peer.select_refused(&sql("SELECT city FROM 'cities.csv'")).await;
    assert_eq!(status, Status::FileUnreadable);
}

#[tokio::test]
async fn a_parameter_without_value_is_refused() {
    let served = Fixture::with_files().serve().await;
    let mut peer = peer::tls(&served).await;
    let request = SelectRequest {
        sql: "SELECT city FROM 'cities.csv' WHERE pop = $1".to_owned(),
        parameters: vec![Default::default()],
        schema_kept: 0,
    };
    let (status, text) = peer.select_refused(&request).await;
    assert_eq!(status, Status::Parameter);
    assert!(text.starts_with("$1: "), "{text}");
    let many = SelectRequest { parameters: vec![Default::default(); 5000], ..request };
    assert_eq!(peer.select_refused(&many).await.0, Status::LimitExceeded);
}

/// A new status does not compile until it is listed here with its test.
#[test]
fn each_status_is_provoked_somewhere() {
    for number in 0..=200 {
        let Ok(status) = Status::try_from(number) else { continue };
        let place = match status {
            Status::Unspecified => "never sent",
            Status::EncryptionRequired
            | Status::EncryptionNotEnabled
            | Status::LevelNotMet
            | Status::VersionUnsupported => "channel",
            Status::ProtocolViolation | Status::Cancelled => "peers",
            Status::ServerBusy | Status::IdleTimeout | Status::ShuttingDown => "limits",
            Status::Ended => "status",
            Status::ClientCertificateRequired => "wrong_peers, with level 2",
            Status::Syntax
            | Status::Unsupported
            | Status::UnknownFile
            | Status::UnknownColumn
            | Status::UnknownFunction
            | Status::TypeMismatch
            | Status::Parameter
            | Status::LimitExceeded
            | Status::Computation
            | Status::DescriptorInvalid
            | Status::RecordInvalid
            | Status::FileUnreadable => "statuses",
            Status::RangeInvalid | Status::FileChanged => "fetch",
            Status::NetworkEncryptRequired | Status::LevelRequired => "protection",
            Status::LoginRejected => "login",
            Status::GrantRequired => "grants",
            Status::Internal => "audit, and unit tests of the schedule",
        };
        assert!(!place.is_empty());
    }
}
