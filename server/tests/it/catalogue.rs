//! Files that a request cannot reach, by whatever name.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};

use sift_proto::frame::Kind;
use sift_proto::message::{DescribeRequest, FetchRequest, FileList, ListRequest, Status};
use sift_server::Limits;

use crate::fixture::{Fixture, unprivileged};
use crate::peer::{self, sql};

/// A data root with ways out of it.
fn leaky() -> Fixture {
    let fixture = Fixture::with_files();
    std::fs::create_dir(fixture.outside("secret")).unwrap();
    std::fs::write(fixture.outside("secret/salaries.csv"), "name,pay\nann,1\n").unwrap();
    let data = fixture.data();
    symlink(fixture.outside("secret/salaries.csv"), data.join("absolute.csv")).unwrap();
    symlink("../secret/salaries.csv", data.join("relative.csv")).unwrap();
    symlink("../secret", data.join("folder")).unwrap();
    symlink("/", data.join("root")).unwrap();
    symlink("cities.csv", data.join("inside.csv")).unwrap();
    symlink("loop.csv", data.join("loop.csv")).unwrap();
    fixture
}

#[tokio::test]
async fn no_name_leads_out_of_the_data_root() {
    let fixture = leaky();
    let absolute = fixture.outside("secret/salaries.csv").display().to_string();
    let served = fixture.serve().await;
    let mut peer = peer::tls(&served).await;
    let names = [
        "../secret/salaries.csv",
        "sales/../../secret/salaries.csv",
        "folder/salaries.csv",
        "absolute.csv",
        "relative.csv",
        "root/etc/hostname.csv",
        "sales/../../data/cities.csv",
        "./cities.csv",
        "..\\secret\\salaries.csv",
        "cities.csv\0.csv",
        "",
        ".",
        "..",
        &absolute,
    ];
    for name in names {
        let fetch = FetchRequest { file: name.to_owned(), ..FetchRequest::default() };
        let (status, text) = peer.refused(Kind::Fetch, &fetch).await;
        assert_eq!(status, Status::UnknownFile, "{name:?}: {text}");
        let describe = DescribeRequest { file: name.to_owned() };
        let (status, text) = peer.refused(Kind::Describe, &describe).await;
        assert_eq!(status, Status::UnknownFile, "{name:?}: {text}");
        if !name.is_empty() && !name.contains('\0') {
            let select = sql(format!("SELECT * FROM '{name}'"));
            let (status, text) = peer.select_refused(&select).await;
            assert_eq!(status, Status::UnknownFile, "{name:?}: {text}");
        }
    }
}

#[tokio::test]
async fn a_link_within_the_data_root_is_followed() {
    let served = leaky().serve().await;
    let mut peer = peer::tls(&served).await;
    let selected = peer.select(&sql("SELECT city FROM 'inside.csv'")).await;
    assert_eq!(selected.batch.num_rows(), 3);
}

#[tokio::test]
async fn a_list_shows_what_can_be_selected() {
    let served = leaky().serve().await;
    let mut peer = peer::tls(&served).await;
    peer.send(Kind::List, &ListRequest { pattern: String::new() }).await;
    let list: FileList = peer.message(Kind::FileList).await;
    let paths: Vec<_> = list.files.iter().map(|file| &file.path[..]).collect();
    assert_eq!(paths, ["cities.csv", "inside.csv", "sales/numbers.dat"]);
}

#[tokio::test]
async fn patterns_that_lead_out_are_refused() {
    let served = leaky().serve().await;
    let mut peer = peer::tls(&served).await;
    let stars = "*a".repeat(40);
    for pattern in ["../*", "/etc/*", "sales/../../*", "a\\*", "a[", "***", &stars] {
        let request = ListRequest { pattern: pattern.to_owned() };
        let (status, text) = peer.refused(Kind::List, &request).await;
        assert_eq!(status, Status::Syntax, "{pattern}: {text}");
    }
    for pattern in ["folder/*", "root/**/*.csv"] {
        peer.send(Kind::List, &ListRequest { pattern: pattern.to_owned() }).await;
        let list: FileList = peer.message(Kind::FileList).await;
        assert_eq!(list.files, [], "{pattern}");
    }
}

#[tokio::test]
async fn what_is_no_data_file_cannot_be_had() {
    let fixture = Fixture::with_files();
    fixture.write("notes.txt", "private");
    let fifo = fixture.data().join("fifo.csv");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    symlink("/dev/zero", fixture.data().join("zero.csv")).unwrap();
    let served = fixture.serve().await;
    let mut peer = peer::tls(&served).await;
    let cases = [
        ("sales", "not a regular file"),
        ("fifo.csv", "not a regular file"),
        ("zero.csv", "leads out of the data root"),
        ("loop.csv", "unknown file"),
        ("notes.txt", "unknown format"),
        ("sales/numbers.dat.toml", "a descriptor, not a data file"),
        ("cities.csv/a.csv", "unknown file"),
        ("none.csv", "unknown file"),
    ];
    for (name, expected) in cases {
        let fetch = FetchRequest { file: name.to_owned(), ..FetchRequest::default() };
        let (status, text) = peer.refused(Kind::Fetch, &fetch).await;
        assert_eq!(status, Status::UnknownFile, "{text}");
        assert!(text.contains(expected), "{name}: {text}");
    }
}

#[test]
fn an_unreadable_folder_is_no_error_for_the_rest() {
    let fixture = Fixture::with_files();
    fixture.write("closed/a.csv", "a\n1\n");
    fixture.write("open/closed/a.csv", "a\n1\n");
    fixture.write("open/b.csv", "a\n1\n");
    for folder in ["closed", "open/closed"] {
        std::fs::set_permissions(fixture.data().join(folder), Permissions::from_mode(0o000))
            .unwrap();
    }
    let asked = async {
        let served = fixture.serve().await;
        let mut peer = peer::tls(&served).await;
        peer.send(Kind::List, &ListRequest { pattern: String::new() }).await;
        let list: FileList = peer.message(Kind::FileList).await;
        let paths: Vec<_> = list.files.iter().map(|file| &file.path[..]).collect();
        assert_eq!(paths, ["cities.csv", "open/b.csv", "sales/numbers.dat"]);
        for pattern in ["*.csv", "open/*.csv", "s*/*"] {
            assert_ne!(
                peer.select(&sql(format!("SELECT * FROM '{pattern}'"))).await.batch.num_rows(),
                0
            );
        }
        // these folders may contain files that match
        for (name, folder) in [
            ("**/*.csv", "closed: "),
            ("open/*/*.csv", "open/closed: "),
            ("closed/a.csv", "closed/a.csv: "),
        ] {
            let (status, text) = peer.select_refused(&sql(format!("SELECT * FROM '{name}'"))).await;
            assert_eq!(status, Status::FileUnreadable, "{text}");
            assert!(text.contains(folder) && text.contains("Permission denied"), "{text}");
        }
        served.fixture
    };
    unprivileged(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let fixture = runtime.block_on(asked);
        // otherwise the folder of the test cannot be removed
        for folder in ["closed", "open/closed"] {
            std::fs::set_permissions(fixture.data().join(folder), Permissions::from_mode(0o700))
                .unwrap();
        }
    });
}

#[tokio::test]
async fn a_list_is_bounded() {
    let fixture = Fixture::new();
    for n in 0..8 {
        fixture.write(&format!("a/b/c/{n}.csv"), "x\n1\n");
    }
    let bound = |n| std::num::NonZeroUsize::new(n).unwrap();
    let bounds = [
        Limits { list_files_max: bound(7), ..Limits::default() },
        Limits { list_entries_max: bound(10), ..Limits::default() },
        Limits { list_depth_max: bound(3), ..Limits::default() },
    ];
    let level = sift_proto::level::Level::Three;
    let mut fixture = fixture;
    for limits in bounds {
        let served = fixture.serve_with(level, limits).await;
        let mut peer = peer::plain(&served).await;
        let (status, text) = peer.refused(Kind::List, &ListRequest::default()).await;
        assert_eq!(status, Status::LimitExceeded, "{text}");
        drop(peer);
        let shared = std::sync::Arc::clone(&served.fixture);
        let mut served = served;
        served.stop();
        served.stopped().await;
        fixture = std::sync::Arc::into_inner(shared).unwrap();
    }
    let served = fixture.serve().await;
    let mut peer = peer::plain(&served).await;
    peer.send(Kind::List, &ListRequest::default()).await;
    assert_eq!(peer.message::<FileList>(Kind::FileList).await.files.len(), 8);
}
