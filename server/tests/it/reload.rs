//! Grants, protection, keys and users that change while the server serves: a new request obeys, on
//! connections that are open, too, and a fault changes nothing.

use std::fs;

use rustls::version::TLS13;
use sift_proto::frame::Kind;
use sift_proto::level::Level;
use sift_proto::message::{ChannelRequest, FetchRequest, FileList, ListRequest, Status};
use sift_server::{
    Access, Account, Admission, ClientCertificates, Config, DataRoot, Error, Grant, Limits,
    PasswordHash, ProtectRule, Protection, Requirement, TlsOptions, Users, UsersFile,
};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::client_certificates::showing;
use crate::command::Running;
use crate::fixture::{Fixture, Served};
use crate::peer::{self, Peer, hello, sql, tcp, tls_channel};

const COUNT: &str = "SELECT count(*) FROM 'cities.csv'";

fn grant(users: &[&str], groups: &[&str], files: &str, filter: Option<&str>) -> Grant {
    let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    Grant::new(list(users), list(groups), &[files.to_owned()], None, filter).unwrap()
}

fn protection(files: &str, columns: &[&str], requirement: Requirement) -> Protection {
    let columns = columns.iter().map(|name| (*name).to_owned()).collect();
    let rule = ProtectRule::new(&[files.to_owned()], columns, requirement).unwrap();
    Protection { rules: vec![rule], ..Protection::default() }
}

fn reload(served: &Served, grants: Vec<Grant>, protection: Protection) {
    replace(served, Some(grants), protection).unwrap();
}

fn replace(
    served: &Served,
    grants: Option<Vec<Grant>>,
    protection: Protection,
) -> Result<(), Error> {
    let users = UsersFile::open(served.fixture.outside("users.toml")).unwrap();
    let data = DataRoot::open(served.fixture.data()).unwrap();
    let access = Access { admission: Admission::LogIn, users: Some(users), grants };
    served.rules.replace(Config { protection, ..Config::new(data, access) })
}

async fn served() -> Served {
    let fixture = Fixture::with_files();
    let users = fixture.users(&[("ann", &["sales"]), ("bob", &[])]);
    fixture.serve_users(users, vec![grant(&["ann", "guest"], &[], "**", None)]).await
}

/// Returns the status of a Select in an open connection, and its first number.
async fn count<S: AsyncRead + AsyncWrite + Unpin>(peer: &mut Peer<S>) -> Result<i64, Status> {
    use arrow::array::AsArray;
    peer.send(Kind::Select, &sql(COUNT)).await;
    match peer.outcome().await {
        Ok(selected) => {
            let column = selected.batch.column(0);
            Ok(column.as_primitive::<arrow::datatypes::Int64Type>().value(0))
        }
        Err((status, _)) => Err(status),
    }
}

#[tokio::test]
async fn a_grant_that_is_taken_back_ends_with_the_request() {
    let served = served().await;
    let mut ann = peer::user(&served, "ann").await;
    assert_eq!(count(&mut ann).await, Ok(3));
    reload(&served, vec![grant(&["bob"], &[], "**", None)], Protection::default());
    assert_eq!(count(&mut ann).await, Err(Status::UnknownFile));
    let fetch = FetchRequest { file: "cities.csv".to_owned(), ..FetchRequest::default() };
    assert_eq!(ann.refused(Kind::Fetch, &fetch).await.0, Status::UnknownFile);
    ann.send(Kind::List, &ListRequest { pattern: String::new() }).await;
    assert!(ann.message::<FileList>(Kind::FileList).await.files.is_empty());
    assert_eq!(count(&mut peer::user(&served, "bob").await).await, Ok(3));
    // a part of the records, by a group
    let filter = Some("city <> 'Rome'");
    reload(&served, vec![grant(&[], &["sales"], "*.csv", filter)], Protection::default());
    assert_eq!(count(&mut ann).await, Ok(2));
    // everybody may read everything
    replace(&served, None, Protection::default()).unwrap();
    assert_eq!(count(&mut peer::plain(&served).await).await, Ok(3));
}

#[tokio::test]
async fn what_becomes_protected_leaves_no_more_on_lesser_channels() {
    let served = served().await;
    let (mut plain, mut ann) = (peer::plain(&served).await, peer::user(&served, "ann").await);
    let everybody = || vec![grant(&["ann", "guest"], &[], "**", None)];
    assert_eq!((count(&mut plain).await, count(&mut ann).await), (Ok(3), Ok(3)));
    reload(&served, everybody(), protection("cities.csv", &[], Requirement::Encryption));
    assert_eq!(count(&mut plain).await, Err(Status::NetworkEncryptRequired));
    assert_eq!(count(&mut ann).await, Ok(3));
    reload(&served, everybody(), protection("*.csv", &["pop"], Requirement::Level(5)));
    assert_eq!(count(&mut plain).await, Ok(3));
    let pop = sql("SELECT pop FROM 'cities.csv'");
    assert_eq!(plain.select_refused(&pop).await.0, Status::LevelRequired);
    // the client's channel meets level 5
    assert_eq!(ann.select(&pop).await.batch.num_rows(), 3);
    reload(&served, everybody(), Protection::default());
    assert_eq!(plain.select(&pop).await.batch.num_rows(), 3);
}

#[tokio::test]
async fn a_grant_that_does_not_fit_changes_nothing() {
    let served = served().await;
    let mut ann = peer::user(&served, "ann").await;
    let unfit = vec![grant(&["ann"], &[], "cities.csv", Some("country = 'no'"))];
    let protected = protection("**", &[], Requirement::Level(5));
    let error = replace(&served, Some(unfit), protected).unwrap_err();
    assert!(error.to_string().starts_with("grant 1 does not fit cities.csv: "), "{error}");
    assert_eq!(count(&mut ann).await, Ok(3));
    assert_eq!(count(&mut peer::plain(&served).await).await, Ok(3));
}

/// An answer goes on by the rules of its begin, and the next request obeys the new ones.
#[tokio::test]
async fn an_answer_under_way_is_finished() {
    let fixture = Fixture::with_files();
    fixture.numbers("many.dat", 0..2_000_000);
    let users = fixture.users(&[("ann", &[])]);
    let served = fixture.serve_users(users, vec![grant(&["ann"], &[], "**", None)]).await;
    let mut ann = peer::user(&served, "ann").await;
    ann.send(Kind::Select, &sql("SELECT n FROM 'many.dat'")).await;
    assert_eq!(ann.next().await.unwrap().kind, Kind::Schema);
    reload(&served, Vec::new(), Protection::default());
    while ann.next().await.unwrap().kind != Kind::Finished {}
    assert_eq!(count(&mut ann).await, Err(Status::UnknownFile));
}

#[tokio::test]
async fn a_removed_user_is_disconnected_and_groups_follow_the_file() {
    let served = served().await;
    reload(&served, vec![grant(&[], &["sales"], "**", None)], Protection::default());
    let (mut ann, mut bob) = (peer::user(&served, "ann").await, peer::user(&served, "bob").await);
    let mut guest = peer::plain(&served).await;
    assert_eq!(count(&mut ann).await, Ok(3));
    assert_eq!(count(&mut bob).await, Err(Status::UnknownFile));
    let path = served.fixture.outside("users.toml");
    let write = |change: &dyn Fn(&mut Users)| {
        let mut users = Users::read(&path).unwrap();
        change(&mut users);
        users.write(&path).unwrap();
    };
    let account = |groups: &[&str], name: &str| Account {
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        password: Some(PasswordHash::new(&format!("{name} and {name}")).unwrap()),
        certificate: Vec::new(),
    };
    write(&|users| {
        users.remove("ann").unwrap();
        let (_, bob) = users.iter().find(|(name, _)| *name == "bob").unwrap();
        let bob = Account { groups: vec!["sales".to_owned()], ..bob.clone() };
        users.remove("bob").unwrap();
        users.add("bob".to_owned(), bob).unwrap();
        users.add("guest".to_owned(), account(&["sales"], "guest")).unwrap();
    });
    assert_eq!(count(&mut bob).await, Ok(3));
    assert_eq!(count(&mut guest).await, Ok(3));
    let (status, text) = ann.refused(Kind::Channel, &ChannelRequest {}).await;
    assert_eq!(status, Status::LoginRejected);
    assert!(text.starts_with("user `ann` was removed, or has another password"), "{text}");
    ann.closed().await;
    // a port without log-in needs no such user
    write(&|users| users.remove("guest").unwrap());
    assert_eq!(count(&mut guest).await, Err(Status::UnknownFile));
    // a file that does not parse removes nobody
    let parsed = fs::read(&path).unwrap();
    fs::write(&path, "[[user]\n").unwrap();
    assert_eq!(count(&mut bob).await, Ok(3));
    // who logged in with an earlier password may be somebody else
    fs::write(&path, parsed).unwrap();
    let password = PasswordHash::new("another of bob").unwrap();
    write(&|users| users.set_password("bob", password.clone()).unwrap());
    let (status, _) = bob.refused(Kind::Channel, &ChannelRequest {}).await;
    assert_eq!(status, Status::LoginRejected);
    bob.closed().await;
}

#[tokio::test]
async fn users_and_limits_of_another_configuration_count_at_once() {
    let served = served().await;
    let (mut ann, mut bob) = (peer::user(&served, "ann").await, peer::user(&served, "bob").await);
    let mut guest = peer::plain(&served).await;
    assert_eq!(count(&mut ann).await, Ok(3));
    let other = served.fixture.outside("other.toml");
    let mut users = Users::read(&served.fixture.outside("users.toml")).unwrap();
    users.remove("ann").unwrap();
    users.write(&other).unwrap();
    let replace = |access: Access, limits: Limits| {
        let data = DataRoot::open(served.fixture.data()).unwrap();
        served.rules.replace(Config { limits, ..Config::new(data, access) })
    };
    let everybody = || vec![grant(&["ann", "bob", "guest"], &[], "**", None)];
    let access = Access::secure(UsersFile::open(&other).unwrap(), everybody());
    replace(access, Limits::default()).unwrap();
    let (status, _) = ann.refused(Kind::Channel, &ChannelRequest {}).await;
    assert_eq!(status, Status::LoginRejected);
    ann.closed().await;
    assert_eq!((count(&mut bob).await, count(&mut guest).await), (Ok(3), Ok(3)));

    let few = Limits { sql_bytes_max: 10.try_into().unwrap(), ..Limits::default() };
    let access = || Access::secure(UsersFile::open(&other).unwrap(), everybody());
    replace(access(), few).unwrap();
    assert_eq!(count(&mut bob).await, Err(Status::LimitExceeded));
    // what does not fit changes nothing
    let unfit = vec![grant(&["bob"], &[], "cities.csv", Some("country = 'no'"))];
    let wrong = Access::secure(UsersFile::open(&other).unwrap(), unfit);
    assert!(replace(wrong, Limits::default()).is_err());
    assert_eq!(count(&mut bob).await, Err(Status::LimitExceeded));
    // without a users file nobody has logged in
    let access = Access { users: None, ..access() };
    replace(access, Limits::default()).unwrap();
    assert_eq!(count(&mut guest).await, Ok(3));
    let (status, _) = bob.refused(Kind::Channel, &ChannelRequest {}).await;
    assert_eq!(status, Status::LoginRejected);
}

#[tokio::test]
async fn a_certificate_that_is_no_users_any_more_is_disconnected() {
    let fixture = Fixture::with_files();
    let certificate = fixture.issue("ann", |params| {
        let mail = "ann@example.com".try_into().unwrap();
        params.subject_alt_names.push(rcgen::SanType::Rfc822Name(mail));
    });
    let users = fixture.users(&[("ann", &[])]);
    let options = TlsOptions::new(fixture.certificate(), Level::Three)
        .clients(fixture.outside("authority.pem"), ClientCertificates::Required);
    let grants = vec![grant(&["ann"], &[], "**", None)];
    let access = Access::secure(users, grants);
    let served = fixture.serve_access(options, Limits::default(), access).await;
    let mut ann =
        tls_channel(&served, showing(&served.fixture, &certificate, &TLS13)).await.unwrap();
    ann.welcome(hello(3)).await;
    assert_eq!(count(&mut ann).await, Ok(3));
    let path = served.fixture.outside("users.toml");
    let mut users = Users::default();
    let other = vec!["other@example.com".parse().unwrap()];
    users.add("ann".to_owned(), Account { certificate: other, ..Account::default() }).unwrap();
    users.write(&path).unwrap();
    let (status, _) = ann.refused(Kind::Channel, &ChannelRequest {}).await;
    assert_eq!(status, Status::LoginRejected);
    ann.closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hangup_reads_the_configuration_again() {
    let fixture = Fixture::with_files();
    let port = "[[listener]]\nport = 0\nencrypt = false\n";
    let grants = "[[grant]]\nusers = ['any']\nfiles = ['**']\n";
    let mut siftd = Running::configured(&fixture, &format!("{port}{grants}"));
    let address = siftd.address("listening, plain");
    let mut any = tcp(address).await;
    any.welcome(hello(0)).await;
    assert_eq!(count(&mut any).await, Ok(3));

    let configuration = fixture.outside("config/sift/siftd.toml");
    let original = fs::read_to_string(&configuration).unwrap();
    let rewrite = |from: &str, to: &str| {
        assert!(original.contains(from));
        fs::write(&configuration, original.replace(from, to)).unwrap();
    };
    let failed = "configuration not reloaded, the one before goes on";
    for (from, to, reason) in [
        ("[[grant]]", "[[grants]]", "unknown field `grants`"),
        ("['**']", "['[']", "grant 1: `[`: "),
        ("encrypt = false", "encrypt = true", "no certificate"),
        ("'../../data'", "'../../nowhere'", "data root"),
        ("data = ", "metrics = '127.0.0.1:0'\ndata = ", "`metrics` has changed"),
        ("data = ", "log_level = 'loud'\ndata = ", "is not a level of the log"),
    ] {
        rewrite(from, to);
        siftd.signal("HUP");
        let line = siftd.line(failed);
        assert!(line.contains(reason), "{to}: {line}");
        assert_eq!(count(&mut any).await, Ok(3), "{to}");
    }
    rewrite("['**']", "['sales/*']");
    siftd.signal("HUP");
    siftd.line("configuration reloaded");
    assert_eq!(count(&mut any).await, Err(Status::UnknownFile));
    rewrite(port, &format!("{port}[[protect]]\nfiles = ['*']\nnetwork_encrypt = true\n"));
    siftd.signal("HUP");
    siftd.line("configuration reloaded");
    assert_eq!(count(&mut any).await, Err(Status::NetworkEncryptRequired));
    rewrite("secure = false\n", "secure = false\ncompression = 'lz4'\n");
    siftd.signal("HUP");
    siftd.line("configuration reloaded");
    assert_eq!(count(&mut any).await, Ok(3));
    // everybody is another user: who is not he any more has to connect again
    rewrite("'any'\n", "'other'\n");
    siftd.signal("HUP");
    siftd.line("configuration reloaded");
    let (status, text) = any.refused(Kind::Channel, &ChannelRequest {}).await;
    assert_eq!(status, Status::LoginRejected);
    assert!(text.contains("no longer lets everybody in as user `any`"), "{text}");
    any.closed().await;
}
