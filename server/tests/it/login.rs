//! Log-in by password and by certificate, its limits, and that it does not show which users exist.

use std::num::{NonZeroU32, NonZeroUsize};
use std::process::Command;
use std::time::{Duration, Instant};

use rcgen::{DnType, SanType};
use rustls::version::TLS13;
use sift_client::{ConnectOptions, Connection, Roots};
use sift_proto::frame::Kind;
use sift_proto::level::Level;
use sift_proto::message::{ChannelReport, ChannelRequest, Hello, Status};
use sift_server::{Access, Account, ClientCertificates, Limits, TlsOptions, Users, UsersFile};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use crate::client_certificates::showing;
use crate::command::Running;
use crate::fixture::{Fixture, PATIENCE, Served};
use crate::peer::{self, Peer, client, hello, login, tcp, tls_channel};

async fn served(limits: Limits) -> Served {
    let fixture = Fixture::new();
    let users = fixture.users(&[("ann", &["sales"]), ("bob", &[])]);
    let options = TlsOptions::new(fixture.certificate(), Level::Three)
        .clients(fixture.outside("authority.pem"), ClientCertificates::Optional);
    fixture.serve_access(options, limits, Access::secure(users, Vec::new())).await
}

async fn refused(served: &Served, hello: Hello) -> (Status, String) {
    let mut peer = tls_channel(served, client(&served.fixture)).await.unwrap();
    let refused = peer.refused(Kind::Hello, &hello).await;
    peer.closed().await;
    refused
}

async fn who<S: AsyncRead + AsyncWrite + Unpin>(peer: &mut Peer<S>) -> String {
    peer.send(Kind::Channel, &ChannelRequest {}).await;
    peer.message::<ChannelReport>(Kind::ChannelReport).await.user
}

fn bad() -> (Status, String) {
    (Status::LoginRejected, "bad user name or password".to_owned())
}

#[tokio::test]
async fn a_right_password_lets_in_and_all_else_is_one_answer() {
    let served = served(Limits::default()).await;
    assert_eq!(who(&mut peer::user(&served, "ann").await).await, "ann");
    let with = |user: &str, password: &str| Hello {
        user: user.to_owned(),
        password: password.to_owned(),
        ..hello(3)
    };
    for hello in [
        with("ann", "bob and bob"),
        with("Ann", "ann and ann"),
        with("ann", "ann and ann "),
        with("cat", "cat and cat"),
        with("", "ann and ann"),
        with("ann", ""),
        with("a b", "ann and ann"),
        with(&"x".repeat(1000), "ann and ann"),
        with("ann", &"x".repeat(2000)),
    ] {
        let asked = hello.clone();
        assert_eq!(refused(&served, hello).await, bad(), "{asked:?}");
    }
    let (status, text) = refused(&served, hello(3)).await;
    assert_eq!(status, Status::LoginRejected);
    assert!(text.starts_with("this server wants a user name and a password"), "{text}");
}

#[tokio::test]
async fn where_everybody_is_one_user_nobody_is_another() {
    let served = served(Limits::default()).await;
    assert_eq!(who(&mut peer::plain(&served).await).await, "guest");
    let ann = Hello { user: "ann".to_owned(), ..hello(0) };
    let (status, text) = tcp(served.plain).await.refused(Kind::Hello, &ann).await;
    assert_eq!(status, Status::LoginRejected);
    assert_eq!(
        text,
        "every client of this port is user `guest`, without log-in; connect without a user name"
    );
    let guest = Hello { user: "guest".to_owned(), ..hello(0) };
    tcp(served.plain).await.welcome(guest).await;
}

#[tokio::test]
async fn who_fails_too_often_waits_and_nobody_else_does() {
    let two = NonZeroU32::new(2).unwrap();
    let served = served(Limits { login_failures_max: two, ..Limits::default() }).await;
    for _ in 0..4 {
        peer::user(&served, "ann").await;
    }
    let wrong = Hello { password: "something else".to_owned(), ..login("ann") };
    assert_eq!(refused(&served, wrong.clone()).await, bad());
    assert_eq!(refused(&served, wrong).await, bad());
    let (status, text) = refused(&served, login("ann")).await;
    assert_eq!(status, Status::LoginRejected);
    assert!(text.starts_with("too many log-ins have failed; try again in "), "{text}");
    // another user at the same address, and the user at another one
    peer::user(&served, "bob").await;
    let mut elsewhere = peer::tls_from(&served, [127, 0, 0, 2]).await;
    elsewhere.welcome(login("ann")).await;
    assert_eq!(who(&mut elsewhere).await, "ann");
}

#[tokio::test]
async fn an_address_that_tries_many_names_is_slowed_down() {
    let two = NonZeroU32::new(2).unwrap();
    let served = served(Limits { login_failures_per_address_max: two, ..Limits::default() }).await;
    for user in ["cat", "dog"] {
        assert_eq!(refused(&served, login(user)).await, bad());
    }
    let started = Instant::now();
    peer::user(&served, "ann").await;
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn one_user_does_not_take_all_connections() {
    let two = NonZeroUsize::new(2).unwrap();
    let served = served(Limits { connections_per_user_max: two, ..Limits::default() }).await;
    let _open = (peer::user(&served, "ann").await, peer::user(&served, "ann").await);
    let (status, text) = refused(&served, login("ann")).await;
    assert_eq!(status, Status::ServerBusy);
    let expected =
        "the server is busy: 2 connections of your user are open, its limit; try again later";
    assert_eq!(text, expected);
    peer::user(&served, "bob").await;
    // `guest` is whoever comes to the plain port
    let _guests =
        (peer::plain(&served).await, peer::plain(&served).await, peer::plain(&served).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_ends_though_a_log_in_hangs() {
    let fixture = Fixture::new();
    fixture.users(&[("ann", &[])]);
    let certificate = fixture.certificate().display().to_string();
    let users = fixture.outside("users.toml").display().to_string();
    let arguments = ["--cert", &certificate, "--users", &users];
    let mut siftd = Running::start(&fixture, &arguments);
    let address = siftd.address("listening, encrypted");
    // opening a pipe waits for a writer, as a dead file server lets wait
    std::fs::remove_file(&users).unwrap();
    assert!(Command::new("mkfifo").arg(&users).status().unwrap().success());
    let mut peer = peer::tls_to(address, client(&fixture)).await.unwrap();
    peer.send(Kind::Hello, &login("ann")).await;
    assert!(timeout(Duration::from_secs(1), peer.next()).await.is_err());
    drop(peer);
    siftd.signal("TERM");
    let started = Instant::now();
    while siftd.child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn many_log_in_at_once_though_one_is_checked_at_a_time() {
    let one = NonZeroUsize::MIN;
    let served = served(Limits { password_checks_max: one, ..Limits::default() }).await;
    let all = (0..12).map(|_| async { who(&mut peer::user(&served, "bob").await).await });
    for name in futures(all).await {
        assert_eq!(name, "bob");
    }
}

/// All of them, together.
async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.map(Box::pin).map(Some).collect();
    let mut done: Vec<Option<F::Output>> = all.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, done) in all.iter_mut().zip(&mut done) {
            if let Some(running) = future
                && let std::task::Poll::Ready(output) = running.as_mut().poll(cx)
            {
                (*future, *done) = (None, Some(output));
            }
        }
        if all.iter().all(Option::is_none) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test]
async fn a_user_who_is_removed_does_not_come_back() {
    let served = served(Limits::default()).await;
    let mut open = peer::user(&served, "bob").await;
    let path = served.fixture.outside("users.toml");
    let mut users = Users::read(&path).unwrap();
    users.remove("bob").unwrap();
    users.write(&path).unwrap();
    assert_eq!(refused(&served, login("bob")).await, bad());
    let (status, _) = open.refused(Kind::Channel, &ChannelRequest {}).await;
    assert_eq!(status, Status::LoginRejected);
    open.closed().await;
    peer::user(&served, "ann").await;
}

#[tokio::test]
async fn a_certificate_is_as_good_as_a_password() {
    let served = served(Limits::default()).await;
    let certificate = |name: &str, mail: &str| {
        let path = served.fixture.issue(name, |params| {
            params.subject_alt_names = vec![SanType::Rfc822Name(mail.try_into().unwrap())];
        });
        showing(&served.fixture, &path, &TLS13)
    };
    let anns = certificate("desk", "ann@example.com");
    let nobodys = certificate("other", "cat@example.com");
    let named = |user: &str| Hello { user: user.to_owned(), ..hello(3) };
    for hello in [hello(3), named("ann")] {
        let mut peer = tls_channel(&served, anns.clone()).await.unwrap();
        peer.welcome(hello).await;
        assert_eq!(who(&mut peer).await, "ann");
    }
    // a password still decides who the user is
    let mut peer = tls_channel(&served, anns.clone()).await.unwrap();
    peer.welcome(login("bob")).await;
    assert_eq!(who(&mut peer).await, "bob");
    for (config, hello) in [(&anns, named("bob")), (&nobodys, hello(3)), (&nobodys, named("ann"))] {
        let mut peer = tls_channel(&served, config.clone()).await.unwrap();
        assert_eq!(peer.refused(Kind::Hello, &hello).await, bad());
    }
}

#[tokio::test]
async fn the_client_logs_in_and_keeps_passwords_off_plain_channels() {
    let served = served(Limits::default()).await;
    let options = ConnectOptions::new(served.tls.to_string())
        .roots(Roots::File(served.fixture.outside("authority.pem")))
        .user("ann");
    let mut connection =
        Connection::connect(&options.clone().password("ann and ann")).await.unwrap();
    assert_eq!(connection.report().await.unwrap().user, "ann");

    let error = Connection::connect(&options.clone().password("wrong one")).await.unwrap_err();
    assert_eq!(error.status(), Some(Status::LoginRejected));
    let expected = format!("bad user name or password, log-in rejected on {}", served.tls);
    assert_eq!(error.to_string(), expected);
    assert!(!format!("{:?}", options.clone().password("wrong one")).contains("wrong one"));

    let plain = ConnectOptions::new(served.plain.to_string()).encrypt(false).user("ann");
    let error = Connection::connect(&plain.password("ann and ann")).await.unwrap_err();
    assert!(
        error.to_string().starts_with("a password is sent on encrypted channels only"),
        "{error}"
    );
}

#[tokio::test]
async fn a_name_of_the_wrong_kind_is_nobody() {
    let fixture = Fixture::new();
    let mut users = Users::default();
    for (user, certificate) in [
        ("ann", "mail:ann@example.com"),
        ("bob", "cn:bob"),
        ("desk", "dns:Desk.Example.com"),
        ("host", "ip:10.0.0.7"),
        ("any", "any.example.com"),
        ("star", "dns:*.star.example.com"),
    ] {
        let certificate = vec![certificate.parse().unwrap()];
        users.add(user.to_owned(), Account { certificate, ..Account::default() }).unwrap();
    }
    let path = fixture.outside("users.toml");
    users.write(&path).unwrap();
    let options = TlsOptions::new(fixture.certificate(), Level::Three)
        .clients(fixture.outside("authority.pem"), ClientCertificates::Required);
    let access = Access::secure(UsersFile::open(path).unwrap(), Vec::new());
    let served = fixture.serve_access(options, Limits::default(), access).await;
    let dns = |name: &str| vec![SanType::DnsName(name.try_into().unwrap())];
    let mail = |name: &str| vec![SanType::Rfc822Name(name.try_into().unwrap())];
    let ip = |address: &str| vec![SanType::IpAddress(address.parse().unwrap())];
    for (common, alternative, expected) in [
        ("bob", vec![], Some("bob")),
        // with alternative names, the common name does not count
        ("bob", dns("cat.example.com"), None),
        ("bob", ip("10.0.0.8"), None),
        ("Bob", vec![], None),
        ("ann@example.com", vec![], None),
        ("x", mail("ann@EXAMPLE.com"), Some("ann")),
        ("x", mail("Ann@example.com"), None),
        ("x", dns("DESK.example.com."), Some("desk")),
        ("x", dns("*.example.com"), None),
        ("x", dns("a.star.example.com"), None),
        ("x", dns("*.star.example.com"), Some("star")),
        ("x", ip("10.0.0.7"), Some("host")),
        ("10.0.0.7", vec![], None),
        ("any.example.com", vec![], Some("any")),
        ("x", dns("any.example.com"), Some("any")),
        // one certificate with the names of two users
        ("x", [dns("any.example.com"), mail("ann@example.com")].concat(), None),
    ] {
        let shown = format!("{common} {alternative:?}");
        let path = served.fixture.issue("shown", |params| {
            params.distinguished_name.push(DnType::CommonName, common);
            params.subject_alt_names = alternative;
        });
        let mut peer = tls_channel(&served, showing(&served.fixture, &path, &TLS13)).await.unwrap();
        match expected {
            None => assert_eq!(peer.refused(Kind::Hello, &hello(3)).await, bad(), "{shown}"),
            Some(user) => {
                peer.welcome(hello(3)).await;
                assert_eq!(who(&mut peer).await, user, "{shown}");
            }
        }
    }
}
