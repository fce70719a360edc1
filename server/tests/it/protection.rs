//! Protected files and columns leave only on channels that meet their requirements.

use sift_proto::frame::Kind;
use sift_proto::message::{
    DescribeRequest, Description, ExplainRequest, FetchRequest, FetchStart, FileList, ListRequest,
    Status,
};

use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::fixture::{Fixture, Served, write_unseen};
use crate::peer::{self, Peer, sql};

fn fixture() -> Fixture {
    let fixture = Fixture::with_files();
    fixture.write("pay.csv", "name,pay\nann,1\n");
    fixture.write("pay.csv.toml", "network_encrypt = true\n");
    fixture.write("broken.csv", "a\n1\n");
    fixture.write("broken.csv.toml", "network_encrypt = maybe\n");
    fixture.write("odd.csv", "a\n1\n");
    fixture.write("odd.csv.toml", [0xff, 0xfe]);
    fixture.write("huge.csv", "a\n1\n");
    fixture.write("huge.csv.toml", "#".repeat(2 << 20));
    fixture
}

#[tokio::test]
async fn a_protected_file_does_not_leave_on_a_plain_channel() {
    let served = fixture().serve().await;
    let mut plain = peer::plain(&served).await;
    let text = "pay.csv: file requires network encryption".to_owned();
    let refusal = (Status::NetworkEncryptRequired, text);
    let select = sql("SELECT count(*) FROM 'pay.csv'");
    assert_eq!(plain.select_refused(&select).await, refusal);
    let explain =
        ExplainRequest { sql: select.sql.clone(), parameters: Vec::new(), analyze: false };
    assert_eq!(plain.refused(Kind::Explain, &explain).await, refusal);
    let fetch = FetchRequest { file: "pay.csv".into(), ..Default::default() };
    assert_eq!(plain.refused(Kind::Fetch, &fetch).await, refusal);
    // the protection is not a secret
    plain.send(Kind::Describe, &DescribeRequest { file: "pay.csv".into() }).await;
    assert!(plain.message::<Description>(Kind::Description).await.network_encrypt);

    let mut tls = peer::tls(&served).await;
    assert_eq!(tls.select(&select).await.batch.num_rows(), 1);
    tls.send(Kind::Fetch, &fetch).await;
    let _: FetchStart = tls.message(Kind::FetchStart).await;
    // what the encrypted channel opened does not become open to the plain one
    assert_eq!(plain.select_refused(&select).await, refusal);
}

#[tokio::test]
async fn a_descriptor_that_is_written_in_place_is_obeyed() {
    let fixture = fixture();
    let descriptor = fixture.write("pay.csv.toml", "network_encrypt = false\n");
    let served = fixture.serve().await;
    let mut plain = peer::plain(&served).await;
    let select = sql("SELECT name FROM 'pay.csv'");
    for _ in 0..3 {
        assert_eq!(plain.select(&select).await.batch.num_rows(), 1);
        write_unseen(&descriptor, b"true \n", 18);
        let (status, _) = plain.select_refused(&select).await;
        assert_eq!(status, Status::NetworkEncryptRequired);
        write_unseen(&descriptor, b"false\n", 18);
    }
}

/// A cached source belongs to the file as it was when it was opened.
#[tokio::test]
async fn a_file_that_is_written_in_place_is_looked_at_again() {
    let served = fixture().serve().await;
    let path = served.fixture.write("types.csv", "a,b\n1,2\n");
    let mut plain = peer::plain(&served).await;
    for (header, column) in [("a,b", "b"), ("a,c", "c"), ("a,b", "b")] {
        write_unseen(&path, header.as_bytes(), 0);
        for _ in 0..3 {
            let select = sql(format!("SELECT {column} FROM 'types.csv'"));
            assert_eq!(plain.select(&select).await.batch.num_rows(), 1);
        }
    }
}

/// A channel whose protocol keeps it at level 3, whatever its listener would take.
async fn tls12(served: &Served) -> Peer<TlsStream<TcpStream>> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let config = peer::client_with(&served.fixture, provider, &[&rustls::version::TLS12]);
    let mut peer = peer::tls_channel(served, config).await.unwrap();
    peer.welcome(peer::hello(3)).await;
    peer
}

#[tokio::test]
async fn a_protected_column_needs_a_good_channel_and_the_others_do_not() {
    let fixture = fixture();
    fixture.write("orders.csv", "id,card,city\n1,4111,Oslo\n");
    fixture.write("orders.csv.toml", "[[field]]\nname = \"card\"\nscl_min = 4\n");
    let served = fixture.serve().await;
    let (mut plain, mut low) = (peer::plain(&served).await, tls12(&served).await);
    let card = sql("SELECT id FROM 'orders.csv' WHERE Card = '4111'");
    let (status, text) = plain.select_refused(&card).await;
    assert_eq!(status, Status::LevelRequired);
    let requires = "orders.csv: column `card` requires level 4 or higher; this channel is";
    assert_eq!(text, format!("{requires} not encrypted"));
    let (status, text) = low.select_refused(&card).await;
    assert_eq!(status, Status::LevelRequired);
    assert_eq!(text, format!("{requires} TLSv1.2 at level 3"));
    assert_eq!(served.activity.files_opened(), 0);
    assert_eq!(peer::tls(&served).await.select(&card).await.batch.num_rows(), 1);

    let city = sql("SELECT city FROM 'orders.csv' WHERE id = 1");
    assert_eq!(plain.select(&city).await.batch.num_rows(), 1);
    plain.send(Kind::Describe, &DescribeRequest { file: "orders.csv".into() }).await;
    let description: Description = plain.message(Kind::Description).await;
    assert!(!description.network_encrypt);
    let told: Vec<_> =
        description.fields.iter().map(|f| (&f.name[..], f.network_encrypt, f.scl_min)).collect();
    assert_eq!(told, [("id", false, 0), ("card", true, 4), ("city", false, 0)]);
}

#[tokio::test]
async fn a_protected_file_of_a_level_tells_nothing_of_its_columns() {
    let fixture = fixture();
    fixture.write("pay.csv.toml", "scl_min = 4\n");
    let served = fixture.serve().await;
    let mut low = tls12(&served).await;
    let (status, text) = low.select_refused(&sql("SELECT count(*) FROM 'pay.csv'")).await;
    assert_eq!(status, Status::LevelRequired);
    let expected = "pay.csv: file requires level 4 or higher; this channel is TLSv1.2 at level 3";
    assert_eq!(text, expected);
    let describe = DescribeRequest { file: "pay.csv".into() };
    low.send(Kind::Describe, &describe).await;
    let description: Description = low.message(Kind::Description).await;
    assert!(description.network_encrypt && description.fields.is_empty());
    assert_eq!((description.scl_min, description.bytes), (4, None));
    assert_eq!(served.activity.files_opened(), 0);
    let mut high = peer::tls(&served).await;
    high.send(Kind::Describe, &describe).await;
    assert_eq!(high.message::<Description>(Kind::Description).await.fields.len(), 2);
    low.send(Kind::List, &ListRequest { pattern: "pay.*".to_owned() }).await;
    let list: FileList = low.message(Kind::FileList).await;
    assert_eq!((list.files[0].network_encrypt, list.files[0].scl_min), (true, 4));
}

#[tokio::test]
async fn a_link_is_as_protected_as_what_it_leads_to() {
    let fixture = fixture();
    std::os::unix::fs::symlink("pay.csv", fixture.data().join("open.csv")).unwrap();
    let served = fixture.serve().await;
    let select = sql("SELECT count(*) FROM 'open.csv'");
    let (status, text) = peer::plain(&served).await.select_refused(&select).await;
    assert_eq!(status, Status::NetworkEncryptRequired);
    assert_eq!(text, "open.csv: file requires network encryption");
}

/// A file without its header: the first record looks like one.
#[tokio::test]
async fn what_is_wrong_with_a_file_is_told_on_a_good_channel_only() {
    let fixture = fixture();
    fixture.write("raw.csv", "1,4111\n2,4222\n");
    fixture.write("raw.csv.toml", "[[field]]\nname = \"card\"\nnetwork_encrypt = true\n");
    let served = fixture.serve().await;
    let select = sql("SELECT id FROM 'raw.csv'");
    let (status, text) = peer::plain(&served).await.select_refused(&select).await;
    assert_eq!(status, Status::DescriptorInvalid);
    assert!(text.starts_with("raw.csv: the file does not match its description"), "{text}");
    let (status, text) = peer::tls(&served).await.select_refused(&select).await;
    assert_eq!(status, Status::DescriptorInvalid);
    assert!(text.contains("no field `card`") && text.contains("4111"), "{text}");
}

#[tokio::test]
async fn protection_begins_with_the_next_request() {
    let served = fixture().serve().await;
    let mut plain = peer::plain(&served).await;
    let select = sql("SELECT count(*) FROM 'cities.csv'");
    plain.select(&select).await;
    served.fixture.write("cities.csv.toml", "network_encrypt = true\n");
    assert_eq!(plain.select_refused(&select).await.0, Status::NetworkEncryptRequired);
}

#[tokio::test]
async fn a_descriptor_that_cannot_be_read_protects_everything() {
    let served = fixture().serve().await;
    let mut plain = peer::plain(&served).await;
    let mut tls = peer::tls(&served).await;
    for name in ["broken.csv", "odd.csv", "huge.csv"] {
        let fetch = FetchRequest { file: name.to_owned(), ..Default::default() };
        let describe = DescribeRequest { file: name.to_owned() };
        let select = sql(format!("SELECT * FROM '{name}'"));
        for (status, text) in [
            plain.refused(Kind::Fetch, &fetch).await,
            plain.refused(Kind::Describe, &describe).await,
            plain.select_refused(&select).await,
        ] {
            assert_eq!(status, Status::NetworkEncryptRequired);
            assert!(
                text.starts_with(&format!("{name}: file requires network encryption")),
                "{text}"
            );
        }
        for (status, text) in [
            tls.refused(Kind::Fetch, &fetch).await,
            tls.refused(Kind::Describe, &describe).await,
            tls.select_refused(&select).await,
        ] {
            assert_eq!(status, Status::DescriptorInvalid, "{text}");
            assert!(text.starts_with(&format!("{name}.toml")), "{text}");
        }
    }
    let list = ListRequest { pattern: "*.csv".to_owned() };
    plain.send(Kind::List, &list).await;
    assert_eq!(plain.message::<FileList>(Kind::FileList).await.files.len(), 2);
    tls.send(Kind::List, &list).await;
    assert_eq!(tls.message::<FileList>(Kind::FileList).await.files.len(), 5);
}

#[tokio::test]
async fn a_descriptor_through_a_link_out_of_the_root_is_none_that_can_be_read() {
    let fixture = fixture();
    std::fs::write(fixture.outside("open.toml"), "").unwrap();
    std::os::unix::fs::symlink("../open.toml", fixture.data().join("cities.csv.toml")).unwrap();
    let served = fixture.serve().await;
    let select = sql("SELECT count(*) FROM 'cities.csv'");
    let (status, _) = peer::plain(&served).await.select_refused(&select).await;
    assert_eq!(status, Status::NetworkEncryptRequired);
    let (status, text) = peer::tls(&served).await.select_refused(&select).await;
    assert_eq!(status, Status::DescriptorInvalid);
    assert_eq!(text, "cities.csv.toml: leads out of the data root");
}
