//! Users read what is granted to them, and learn nothing about the rest: not by a status, a text or
//! a count, and not by an error that a hidden record causes.

use arrow::array::AsArray;
use sift_proto::frame::Kind;
use sift_proto::message::{
    DescribeRequest, Description, ExplainRequest, Explanation, FetchRequest, FetchStart, FileList,
    ListRequest, Status,
};
use sift_server::{Access, Config, DataRoot, Grant, Server};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::fixture::{Fixture, Served};
use crate::peer::{self, Peer, sql};

/// Ann may see the records 1, 4 and 6. All hidden values are odd.
const ORDERS: &str = "\
id,owner,price,note
1,ann,10,a
2,bob,0,secret
3,bob,2,secret
4,ann,40,b
5,,7,secret
6,ann,60,c
";

fn grant(who: &str, files: &[&str], columns: &[&str], filter: Option<&str>) -> Grant {
    let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let (users, groups) = match who.strip_prefix('@') {
        Some(group) => (vec![], vec![group.to_owned()]),
        None => (vec![who.to_owned()], vec![]),
    };
    let columns = (!columns.is_empty()).then(|| list(columns));
    Grant::new(users, groups, &list(files), columns, filter).unwrap()
}

fn grants() -> Vec<Grant> {
    vec![
        grant("ann", &["orders.csv"], &["id", "price", "note"], Some("owner = 'ann'")),
        grant("guest", &["orders.csv"], &["id"], None),
        grant("@staff", &["sales/**"], &[], None),
        grant("bob", &["**"], &[], None),
    ]
}

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fixture.write("orders.csv", ORDERS);
    fixture.write("pay.csv", "id,salary\n1,1000\n");
    fixture.write("hr/pay.csv", "id,salary\n1,1000\n");
    fixture.numbers("sales/numbers.dat", 0..1000);
    fixture
}

async fn served() -> Served {
    let fixture = fixture();
    let users = fixture.users(&[("ann", &["staff"]), ("bob", &[]), ("eve", &[])]);
    fixture.serve_users(users, grants()).await
}

async fn files<S: AsyncRead + AsyncWrite + Unpin>(
    peer: &mut Peer<S>,
    pattern: &str,
) -> Vec<(String, Option<u64>)> {
    peer.send(Kind::List, &ListRequest { pattern: pattern.to_owned() }).await;
    let list: FileList = peer.message(Kind::FileList).await;
    list.files.into_iter().map(|file| (file.path, file.bytes)).collect()
}

/// The rows as CSV.
async fn rows<S: AsyncRead + AsyncWrite + Unpin>(peer: &mut Peer<S>, text: &str) -> Vec<i64> {
    let selected = peer.select(&sql(text)).await;
    let column = selected.batch.column(0);
    let column = arrow::compute::cast(column, &arrow::datatypes::DataType::Int64).unwrap();
    column.as_primitive::<arrow::datatypes::Int64Type>().values().to_vec()
}

#[tokio::test]
async fn what_is_not_granted_is_not_there() {
    let served = served().await;
    let mut ann = peer::user(&served, "ann").await;
    for (there, nowhere) in
        [("pay.csv", "xyz.csv"), ("hr/pay.csv", "hr/xyz.csv"), ("hr/pay.csv/x", "hr/xyz.csv/x")]
    {
        let ask = |name: &str| {
            let select = sql(format!("SELECT count(*) FROM '{name}'"));
            let explain =
                ExplainRequest { sql: select.sql.clone(), parameters: Vec::new(), analyze: false };
            let describe = DescribeRequest { file: name.to_owned() };
            (
                select,
                explain,
                describe,
                FetchRequest { file: name.to_owned(), ..Default::default() },
            )
        };
        let mut answers = Vec::new();
        for name in [there, nowhere] {
            let (select, explain, describe, fetch) = ask(name);
            let all = [
                ann.select_refused(&select).await,
                ann.refused(Kind::Explain, &explain).await,
                ann.refused(Kind::Describe, &describe).await,
                ann.refused(Kind::Fetch, &fetch).await,
            ];
            answers.push(all.map(|(status, text)| (status, text.replace(name, "it"))));
        }
        assert_eq!(answers[0], answers[1], "{there}");
        let unknown = (Status::UnknownFile, "`it`: unknown file".to_owned());
        assert!(answers[0].iter().all(|answer| *answer == unknown), "{:?}", answers[0]);
    }
    // a granted file that does not exist gets the same words
    let (status, text) = ann.select_refused(&sql("SELECT * FROM 'sales/xyz.csv'")).await;
    assert_eq!((status, &text[..]), (Status::UnknownFile, "`sales/xyz.csv`: unknown file"));
    assert_eq!(served.activity.files_opened(), 0);
}

#[tokio::test]
async fn each_lists_what_he_may_read() {
    let served = served().await;
    let numbers = ("sales/numbers.dat".to_owned(), Some(8000));
    let ann = files(&mut peer::user(&served, "ann").await, "").await;
    assert_eq!(ann, [("orders.csv".to_owned(), None), numbers]);
    assert_eq!(files(&mut peer::user(&served, "bob").await, "").await.len(), 4);
    assert_eq!(files(&mut peer::user(&served, "eve").await, "**/*").await, []);
    let guest = files(&mut peer::plain(&served).await, "*").await;
    // the length of the file depends on columns that the guest may not see
    assert_eq!(guest, [("orders.csv".to_owned(), None)]);
}

#[tokio::test]
async fn a_description_is_of_what_may_be_seen() {
    let served = served().await;
    let orders = DescribeRequest { file: "orders.csv".to_owned() };
    let fields = |description: &Description| {
        description.fields.iter().map(|field| field.name.clone()).collect::<Vec<_>>()
    };
    let mut ann = peer::user(&served, "ann").await;
    ann.send(Kind::Describe, &orders).await;
    let told: Description = ann.message(Kind::Description).await;
    assert_eq!(fields(&told), ["id", "price", "note"]);
    assert_eq!((told.bytes, told.records, told.record_bytes), (None, None, None));
    assert!(told.fields.iter().all(|field| field.storage.is_empty()));

    let mut guest = peer::plain(&served).await;
    guest.send(Kind::Describe, &orders).await;
    let told: Description = guest.message(Kind::Description).await;
    assert_eq!((fields(&told), told.bytes), (vec!["id".to_owned()], None));
}

#[tokio::test]
async fn a_fetch_is_of_all_or_nothing() {
    let served = served().await;
    let fetch = |file: &str| FetchRequest { file: file.to_owned(), ..Default::default() };
    let mut ann = peer::user(&served, "ann").await;
    let (status, text) = ann.refused(Kind::Fetch, &fetch("orders.csv")).await;
    assert_eq!(status, Status::GrantRequired);
    assert!(text.starts_with("orders.csv: only parts of the file are granted"), "{text}");
    assert_eq!(served.activity.files_opened(), 0);
    let (status, _) = peer::plain(&served).await.refused(Kind::Fetch, &fetch("orders.csv")).await;
    assert_eq!(status, Status::GrantRequired);
    let mut bob = peer::user(&served, "bob").await;
    bob.send(Kind::Fetch, &fetch("orders.csv")).await;
    assert_eq!(bob.message::<FetchStart>(Kind::FetchStart).await.file_bytes, ORDERS.len() as u64);
}

#[tokio::test]
async fn a_select_sees_the_records_and_columns_of_its_user() {
    let served = served().await;
    let mut ann = peer::user(&served, "ann").await;
    let all = ann.select(&sql("SELECT * FROM 'orders.csv'")).await;
    assert_eq!(all.batch.num_columns(), 3);
    assert_eq!(all.column::<arrow::array::Int64Array>(0).values(), &[1, 4, 6]);
    let told = all.statistics;
    assert_eq!((told.records_scanned, told.records_selected), (None, 3));
    assert_eq!((told.bytes_scanned, told.file_bytes, told.scan_micros), (None, None, None));
    assert!(told.bytes_sent > 0);

    let (status, text) = ann.select_refused(&sql("SELECT owner FROM 'orders.csv'")).await;
    assert_eq!(status, Status::UnknownColumn);
    assert!(
        text.ends_with("unknown column `owner`; this file has `id`, `price`, `note`"),
        "{text}"
    );

    let mut bob = peer::user(&served, "bob").await;
    assert_eq!(rows(&mut bob, "SELECT count(*) FROM 'orders.csv'").await, [6]);
    let mut guest = peer::plain(&served).await;
    assert_eq!(rows(&mut guest, "SELECT count(*) FROM 'orders.csv'").await, [6]);
    assert_eq!(guest.select(&sql("SELECT * FROM 'orders.csv'")).await.batch.num_columns(), 1);
    // a source that Bob has opened does not show more to others
    assert_eq!(rows(&mut ann, "SELECT count(*) FROM 'orders.csv'").await, [3]);
}

#[tokio::test]
async fn no_select_sees_through_a_row_filter() {
    let served = served().await;
    let mut ann = peer::user(&served, "ann").await;
    for (text, expected) in [
        ("SELECT id FROM 'orders.csv' WHERE id = 2 OR id > 0", &[1, 4, 6][..]),
        ("SELECT id FROM 'orders.csv' WHERE note = 'secret'", &[]),
        // bob's 0 does not divide
        ("SELECT 120 / price FROM 'orders.csv'", &[12, 3, 2]),
        ("SELECT id FROM 'orders.csv' WHERE 1 / (price - 2) = 1 OR TRUE", &[1, 4, 6]),
        ("SELECT id FROM 'orders.csv' LIMIT 9 OFFSET 1", &[4, 6]),
        ("SELECT min(price) FROM 'orders.csv'", &[10]),
        ("SELECT count(DISTINCT note) FROM 'orders.csv'", &[3]),
        ("SELECT sum(price) FROM 'orders.csv'", &[110]),
        ("SELECT id FROM 'orders.csv' ORDER BY price DESC LIMIT 2", &[6, 4]),
        ("SELECT count(*) FROM 'orders.csv' GROUP BY note ORDER BY note", &[1, 1, 1]),
        ("SELECT count(*) FROM 'orders.csv' HAVING count(*) > 3", &[]),
    ] {
        assert_eq!(rows(&mut ann, text).await, expected, "{text}");
    }
    let (status, text) = ann.select_refused(&sql("SELECT 1 / (id - 6) FROM 'orders.csv'")).await;
    assert_eq!(status, Status::Computation);
    let expected = "orders.csv: record 3 of those that you may see: division by zero";
    assert!(text.starts_with(expected), "{text}");
}

#[tokio::test]
async fn explain_tells_nothing_of_a_grant() {
    let served = served().await;
    let mut ann = peer::user(&served, "ann").await;
    let explain = |text: &str| ExplainRequest {
        sql: text.to_owned(),
        parameters: Vec::new(),
        analyze: false,
    };
    ann.send(Kind::Explain, &explain("SELECT id FROM 'orders.csv' WHERE price > 1")).await;
    let Explanation { text } = ann.message(Kind::Explanation).await;
    assert!(!text.contains("ann") && !text.contains("owner") && !text.contains("bytes"), "{text}");
    assert!(text.contains("scan: orders.csv (csv)"), "{text}");
}

#[tokio::test]
async fn a_file_that_does_not_fit_its_grant_is_refused_and_says_nothing() {
    let served = served().await;
    let mut ann = peer::user(&served, "ann").await;
    for text in ["id,price\n1,2\n", "id,id\n1,secret\n"] {
        served.fixture.write("orders.csv", text);
        let select = sql("SELECT id FROM 'orders.csv'");
        let describe = DescribeRequest { file: "orders.csv".to_owned() };
        for (status, said) in
            [ann.select_refused(&select).await, ann.refused(Kind::Describe, &describe).await]
        {
            assert_eq!(status, Status::FileUnreadable, "{text}: {said}");
            assert!(said.ends_with("the server's log says why"), "{said}");
        }
    }
    served.fixture.write("orders.csv", "id,owner,price\n1,ann,2\n2,bob,secret,secret\n");
    let (status, said) = ann.select_refused(&sql("SELECT id FROM 'orders.csv'")).await;
    assert_eq!(status, Status::RecordInvalid);
    assert_eq!(said, "orders.csv: a record cannot be told from the next");
    served.fixture.write("orders.csv.toml", "secret = 1\n");
    let (status, said) = ann.select_refused(&sql("SELECT id FROM 'orders.csv'")).await;
    assert_eq!(status, Status::FileUnreadable);
    assert!(!said.contains("secret"), "{said}");
}

#[tokio::test]
async fn a_protected_column_protects_its_part_in_a_filter_unnamed() {
    let fixture = fixture();
    let descriptor = "[[field]]\nname = \"owner\"\nnetwork_encrypt = true\n";
    fixture.write("orders.csv.toml", descriptor);
    let users = fixture.users(&[]);
    let guest = grant("guest", &["orders.csv"], &["id"], Some("owner = 'ann'"));
    let served = fixture.serve_users(users, vec![guest]).await;
    let mut peer = peer::plain(&served).await;
    let (status, text) = peer.select_refused(&sql("SELECT id FROM 'orders.csv'")).await;
    assert_eq!(status, Status::NetworkEncryptRequired);
    assert_eq!(text, "orders.csv: file requires network encryption");
    // a file that does not exist for the user is not reported as protected either
    let (status, _) = peer.select_refused(&sql("SELECT owner FROM 'orders.csv'")).await;
    assert_eq!(status, Status::NetworkEncryptRequired);
    assert_eq!(served.activity.files_opened(), 0);
}

#[test]
fn grants_are_held_against_the_files_that_there_are() {
    let check = |grants: Vec<Grant>| {
        let fixture = fixture();
        let users = fixture.users(&[]);
        let data = DataRoot::open(fixture.data()).unwrap();
        let server = Server::new(Config::new(data, Access::secure(users, grants)));
        server.check_grants().map_err(|error| error.to_string())
    };
    assert_eq!(check(grants()), Ok(()));
    let error = check(vec![grant("ann", &["**/*.csv"], &[], Some("owner = 'ann'"))]).unwrap_err();
    let expected = "grant 1 does not fit hr/pay.csv: line 1, column 1: unknown column `owner`";
    assert!(error.starts_with(expected), "{error}");
    let narrow = grant("ann", &["**/pay.csv"], &["id"], None);
    let wide = grant("ann", &["*.csv", "hr/*"], &[], Some("owner = 'ann'"));
    assert_eq!(check(vec![narrow, wide]), Ok(()));
    let error = check(vec![grant("ann", &["pay.csv"], &["none"], None)]).unwrap_err();
    assert!(error.contains("none of the columns is in it"), "{error}");
}
