//! Selects over all files that match a pattern: those that are granted, each as protected as alone.

use arrow::array::{AsArray, Int64Array};
use arrow::datatypes::Int64Type;
use sift_proto::frame::Kind;
use sift_proto::message::{ExplainRequest, Explanation, Status};
use sift_server::Grant;

use crate::fixture::Fixture;
use crate::peer::{self, sql};

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.write("sales/year=2023/a.csv", "id,price\n1,10\n2,20\n");
    fixture.write("sales/year=2024/a.csv", "id,price\n3,30\n");
    fixture.write("sales/year=2024/b.csv", "id,price\n4,40\n");
    fixture.write("sales/readme.txt", "no data");
    fixture
}

fn grant(user: &str, files: &str, filter: Option<&str>) -> Grant {
    Grant::new(vec![user.to_owned()], Vec::new(), &[files.to_owned()], None, filter).unwrap()
}

#[tokio::test]
async fn the_files_of_a_pattern_are_one() {
    let served = fixture().serve().await;
    let mut peer = peer::tls(&served).await;
    let one = "SELECT count(*) FROM 'sales/**' WHERE year = 2023 AND _file LIKE '%/a.csv'";
    let selected = peer.select(&sql(one)).await;
    assert_eq!(selected.batch.column(0).as_primitive::<Int64Type>().value(0), 2);
    assert_eq!(selected.statistics.records_scanned(), 2);
    assert_eq!(served.activity.files_opened(), 1);
    peer.send(
        Kind::Explain,
        &ExplainRequest { sql: one.to_owned(), parameters: Vec::new(), analyze: false },
    )
    .await;
    let text = peer.message::<Explanation>(Kind::Explanation).await.text;
    assert!(text.contains("scan: sales/** (csv, 1 of 3 files"), "{text}");

    let request = sql("SELECT id, year FROM 'sales/*/*.csv' WHERE price > 10 ORDER BY id DESC");
    let batch = peer.select(&request).await.batch;
    assert_eq!(*batch.column(0).as_primitive::<Int64Type>(), Int64Array::from(vec![4, 3, 2]));
    assert_eq!(
        *batch.column(1).as_primitive::<Int64Type>(),
        Int64Array::from(vec![2024, 2024, 2023])
    );
    // one of them was open
    assert_eq!(served.activity.files_opened(), 3);

    let (status, text) = peer.select_refused(&sql("SELECT * FROM 'sales/*/c*.csv'")).await;
    assert_eq!((status, &*text), (Status::UnknownFile, "`sales/*/c*.csv`: unknown file"));
}

#[tokio::test]
async fn a_protected_file_is_not_left_out_but_refused() {
    let fixture = fixture();
    fixture.write("sales/year=2024/b.csv.toml", "[[field]]\nname = \"price\"\nscl_min = 4\n");
    let served = fixture.serve().await;
    let mut plain = peer::plain(&served).await;
    let prices = "SELECT sum(price) FROM 'sales/*/*.csv'";
    let (status, text) = plain.select_refused(&sql(prices)).await;
    assert_eq!(status, Status::LevelRequired);
    assert!(text.starts_with("sales/year=2024/b.csv: column `price` requires level 4"), "{text}");
    let ids = sql("SELECT count(id) FROM 'sales/*/*.csv'");
    assert_eq!(plain.select(&ids).await.batch.column(0).as_primitive::<Int64Type>().value(0), 4);
    // a file that is not read demands nothing
    let others = sql(format!("{prices} WHERE year = 2023"));
    assert_eq!(plain.select(&others).await.batch.num_rows(), 1);

    served.fixture.write("sales/year=2023/a.csv.toml", "network_encrypt = maybe\n");
    let (status, _) = plain.select_refused(&ids).await;
    assert_eq!(status, Status::NetworkEncryptRequired);
}

#[tokio::test]
async fn a_pattern_shows_what_is_granted_and_no_more() {
    let fixture = fixture();
    let users = fixture.users(&[("ann", &[]), ("bob", &[]), ("eve", &[])]);
    let grants = vec![
        grant("ann", "sales/year=2024/*", Some("id <> 3")),
        grant("bob", "sales/year=2023/*", None),
        grant("bob", "sales/**", Some("price > 30")),
    ];
    let served = fixture.serve_users(users, grants).await;
    let count = sql("SELECT count(*) FROM 'sales/*/*.csv'");
    let mut ann = peer::user(&served, "ann").await;
    assert_eq!(ann.select(&count).await.batch.column(0).as_primitive::<Int64Type>().value(0), 1);
    let mut bob = peer::user(&served, "bob").await;
    let (_, text) = bob.select_refused(&count).await;
    assert_eq!(
        text,
        "sales/*/*.csv: your grants for sales/year=2023/a.csv and sales/year=2024/a.csv differ; \
         select from files with the same grant"
    );
    let (status, text) = peer::user(&served, "eve").await.select_refused(&count).await;
    assert_eq!((status, &*text), (Status::UnknownFile, "`sales/*/*.csv`: unknown file"));
}
