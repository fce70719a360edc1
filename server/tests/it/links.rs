//! Symbolic links within the data root: a file with two names needs a grant for both, and has the
//! protection of both.

use std::os::unix::fs::symlink;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use sift_proto::frame::Kind;
use sift_proto::message::{
    DescribeRequest, Description, ExplainRequest, FetchRequest, FileList, ListRequest, Status,
};
use sift_server::Grant;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::fixture::{Fixture, Served};
use crate::peer::{self, Peer, sql};

fn grant(files: &[&str], columns: &[&str], filter: Option<&str>) -> Grant {
    let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let columns = (!columns.is_empty()).then(|| list(columns));
    let users = list(&["ann", "guest"]);
    Grant::new(users, Vec::new(), &list(files), columns, filter).unwrap()
}

async fn served() -> Served {
    let fixture = Fixture::new();
    fixture.write("orders.csv", "id,price,card\n1,10,4111\n2,20,4222\n3,30,4333\n");
    fixture.write("pay/secret.csv", "id,price\n1,10\n");
    fixture.write("pay/broken.csv", "id\n1\n");
    fixture.write("pay/broken.csv.toml", "nonsense");
    fixture.write("pay/notes.txt", "private");
    fixture.write("keys.csv.toml", "[[field]]\nname = \"id\"\nnetwork_encrypt = true\n");
    fixture.write("keys.csv", "id,n\n1,2\n");
    std::fs::create_dir(fixture.data().join("sub")).unwrap();
    for (link, target) in [
        ("sub/up", ".."),
        ("sub/pay", "../pay"),
        ("sub/secret.csv", "../pay/secret.csv"),
        ("sub/again.csv", "secret.csv"),
        ("sub/broken.csv", "../pay/broken.csv"),
        ("sub/notes.csv", "../pay/notes.txt"),
        ("sub/folder.csv", "../pay"),
        ("sub/none.csv", "../pay/none.csv"),
        ("sub/descriptor.csv", "../keys.csv.toml"),
        ("sub/orders.csv", "../orders.csv"),
        ("sub/narrow.csv", "../orders.csv"),
        ("sub/keys.csv", "up/keys.csv"),
    ] {
        symlink(target, fixture.data().join(link)).unwrap();
    }
    let users = fixture.users(&[("ann", &[])]);
    let grants = vec![
        grant(&["sub/narrow.csv"], &["id", "card"], Some("id < 3")),
        grant(&["sub/**"], &[], None),
        grant(&["orders.csv"], &["id", "price"], Some("price > 10")),
        grant(&["keys.csv"], &[], None),
    ];
    fixture.serve_users(users, grants).await
}

/// Checks that all answers are the same as for a name that never existed.
async fn is_unknown<S: AsyncRead + AsyncWrite + Unpin>(peer: &mut Peer<S>, name: &str) {
    let unknown = (Status::UnknownFile, format!("`{name}`: unknown file"));
    let select = format!("SELECT * FROM '{name}'");
    assert_eq!(peer.select_refused(&sql(&select)).await, unknown);
    let explain = ExplainRequest { sql: select, parameters: Vec::new(), analyze: true };
    assert_eq!(peer.refused(Kind::Explain, &explain).await, unknown);
    let fetch = FetchRequest { file: name.to_owned(), ..FetchRequest::default() };
    assert_eq!(peer.refused(Kind::Fetch, &fetch).await, unknown);
    let describe = DescribeRequest { file: name.to_owned() };
    assert_eq!(peer.refused(Kind::Describe, &describe).await, unknown);
}

#[tokio::test]
async fn a_link_to_what_is_not_granted_does_not_exist() {
    let served = served().await;
    let mut ann = peer::user(&served, "ann").await;
    let mut guest = peer::plain(&served).await;
    for name in [
        "sub/secret.csv",
        "sub/again.csv",
        "sub/broken.csv",
        "sub/notes.csv",
        "sub/folder.csv",
        "sub/none.csv",
        "sub/descriptor.csv",
        "sub/pay/secret.csv",
        "sub/up/pay/secret.csv",
        "sub/nothing.csv",
        "pay/secret.csv",
    ] {
        is_unknown(&mut ann, name).await;
        is_unknown(&mut guest, name).await;
    }
    ann.send(Kind::List, &ListRequest::default()).await;
    let list: FileList = ann.message(Kind::FileList).await;
    let paths: Vec<_> = list.files.iter().map(|file| &file.path[..]).collect();
    let expected = ["keys.csv", "orders.csv", "sub/keys.csv", "sub/narrow.csv", "sub/orders.csv"];
    assert_eq!(paths, expected);
    // the length is shown only if both names are granted as a whole
    for file in &list.files {
        assert_eq!(file.bytes.is_some(), file.path.ends_with("keys.csv"), "{}", file.path);
    }
}

#[tokio::test]
async fn a_link_shows_what_both_names_do() {
    let served = served().await;
    let mut ann = peer::user(&served, "ann").await;
    for (name, columns, ids) in [
        ("orders.csv", &["id", "price"][..], &[2, 3][..]),
        ("sub/orders.csv", &["id", "price"], &[2, 3]),
        ("sub/up/orders.csv", &["id", "price"], &[2, 3]),
        ("sub/up/sub/orders.csv", &["id", "price"], &[2, 3]),
        ("sub/narrow.csv", &["id"], &[2]),
        // its own name is sub/up/sub/narrow.csv, for which there is another grant
        ("sub/up/sub/narrow.csv", &["id", "price"], &[2, 3]),
    ] {
        for _ in 0..2 {
            let selected = ann.select(&sql(format!("SELECT * FROM '{name}'"))).await;
            let schema = selected.batch.schema();
            let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            assert_eq!(names, columns, "{name}");
            let found = selected.batch.column(0).as_primitive::<Int64Type>().values();
            assert_eq!(found, ids, "{name}");
        }
        let fetch = FetchRequest { file: name.to_owned(), ..FetchRequest::default() };
        assert_eq!(ann.refused(Kind::Fetch, &fetch).await.0, Status::GrantRequired, "{name}");
        ann.send(Kind::Describe, &DescribeRequest { file: name.to_owned() }).await;
        let described: Description = ann.message(Kind::Description).await;
        assert_eq!((described.fields.len(), described.bytes), (columns.len(), None), "{name}");
    }
    let (status, text) = ann.select_refused(&sql("SELECT card FROM 'sub/narrow.csv'")).await;
    assert_eq!(status, Status::UnknownColumn, "{text}");
    // files with different pairs of grants cannot be selected together
    let (_, text) = ann.select_refused(&sql("SELECT id FROM 'sub/*r*.csv'")).await;
    assert!(text.contains(": your grants for ") && text.contains(" differ; "), "{text}");
    let one = ann.select(&sql("SELECT id FROM 'sub/ord*.csv'")).await;
    assert_eq!(one.batch.num_rows(), 2);
}

#[tokio::test]
async fn the_protection_of_the_target_holds_for_the_link() {
    let served = served().await;
    let mut guest = peer::plain(&served).await;
    for name in ["keys.csv", "sub/keys.csv", "sub/up/keys.csv"] {
        let (status, text) = guest.select_refused(&sql(format!("SELECT id FROM '{name}'"))).await;
        assert_eq!(status, Status::NetworkEncryptRequired, "{text}");
        guest.select(&sql(format!("SELECT n FROM '{name}'"))).await;
    }
    // a descriptor that is a link to nothing does not count as missing
    symlink("nothing", served.fixture.data().join("orders.csv.toml")).unwrap();
    let (status, _) = guest.select_refused(&sql("SELECT id FROM 'sub/orders.csv'")).await;
    assert_eq!(status, Status::NetworkEncryptRequired);
}
