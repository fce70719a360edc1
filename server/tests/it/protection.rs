//! What is encrypted or refused because its descriptor says so.

use sift_proto::frame::Kind;
use sift_proto::message::{
    DescribeRequest, Description, ExplainRequest, FetchRequest, FetchStart, FileList, ListRequest,
    Status,
};

use crate::fixture::Fixture;
use crate::peer::{self, sql};

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
    let explain = ExplainRequest { sql: select.sql.clone(), parameters: Vec::new() };
    assert_eq!(plain.refused(Kind::Explain, &explain).await, refusal);
    let fetch = FetchRequest { file: "pay.csv".into(), ..Default::default() };
    assert_eq!(plain.refused(Kind::Fetch, &fetch).await, refusal);
    // that it is protected is no secret
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
