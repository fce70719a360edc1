//! Certificates of a server that runs: under a passphrase, replaced under load, and not replaced by
//! what does not serve.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sift_client::{ConnectOptions, Connection, Roots};
use sift_proto::level::Level;
use sift_server::{CertificateFault, Error, LEVELS, Limits, Listener, Passphrase, TlsOptions};

use crate::command::Running;
use crate::fixture::{Fixture, binary};

const COUNT: &str = "SELECT count(*) FROM 'cities.csv'";

/// An authority and certificates by `siftd cert`, beside the data root of a fixture.
fn issue(fixture: &Fixture, arguments: &[&str]) {
    let folder = fixture.outside("");
    let output = Command::new(binary())
        .arg("cert")
        .args(arguments)
        .current_dir(&folder)
        .env("XDG_CONFIG_HOME", &folder)
        .env_remove("SIFTD_CERT_PASSPHRASE")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn options(fixture: &Fixture, address: std::net::SocketAddr, level: Level) -> ConnectOptions {
    ConnectOptions::new(address.to_string())
        .roots(Roots::File(fixture.outside("authority.pem")))
        .level(level)
}

async fn count(connection: &mut Connection) {
    let mut stream = connection.select(COUNT).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().num_rows(), 1);
    assert!(stream.next().await.unwrap().is_none());
}

/// Replaces `siftd.pem` by a server certificate for 127.0.0.1 and the given name.
fn replace(fixture: &Fixture, name: &str) {
    let made = fixture.issue(name, |params| {
        params.extended_key_usages = Vec::new();
        params.subject_alt_names = vec![
            rcgen::SanType::IpAddress([127, 0, 0, 1].into()),
            rcgen::SanType::DnsName(name.try_into().unwrap()),
        ];
    });
    fs::rename(made, fixture.certificate()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_replaced_under_load_with_no_failed_request() {
    let fixture = Arc::new(Fixture::with_files());
    replace(&fixture, "first");
    let levels = LEVELS
        .iter()
        .map(|level| format!("[[listener]]\nport = 0\ncert = '../../siftd.pem'\nscl = {level}\n"));
    let mut siftd = Running::configured(&fixture, &levels.collect::<String>());
    let ports: Vec<_> =
        LEVELS.iter().map(|level| (*level, siftd.address("listening, encrypted"))).collect();

    let done = Arc::new(AtomicBool::new(false));
    let requests = Arc::new(AtomicU64::new(0));
    let mut load = tokio::task::JoinSet::new();
    for (level, address) in ports.clone() {
        let options = options(&fixture, address, level);
        let (done, requests) = (Arc::clone(&done), Arc::clone(&requests));
        // one channel is held open through it all, others come and go
        let mut held = Connection::connect(&options).await.unwrap();
        load.spawn(async move {
            while !done.load(Ordering::Relaxed) {
                count(&mut held).await;
                count(&mut Connection::connect(&options).await.unwrap()).await;
                requests.fetch_add(2, Ordering::Relaxed);
            }
            assert!(held.channel().peer_names().contains(&"dns:first".to_owned()));
        });
    }
    for name in ["second", "third", "fourth"] {
        let before = requests.load(Ordering::Relaxed);
        replace(&fixture, name);
        siftd.signal("HUP");
        siftd.line("configuration reloaded");
        for (level, address) in &ports {
            let connected = Connection::connect(&options(&fixture, *address, *level)).await;
            let expected = ["ip:127.0.0.1".to_owned(), format!("dns:{name}")];
            assert_eq!(connected.unwrap().channel().peer_names(), expected);
        }
        while requests.load(Ordering::Relaxed) < before + 8 {
            tokio::task::yield_now().await;
        }
    }
    done.store(true, Ordering::Relaxed);
    while let Some(ended) = load.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_certificate_is_logged_and_the_old_one_kept() {
    let fixture = Fixture::with_files();
    replace(&fixture, "good");
    let listener = "[[listener]]\nport = 0\ncert = '../../siftd.pem'\n";
    let mut siftd = Running::configured(&fixture, listener);
    let address = siftd.address("listening, encrypted");
    let good = fs::read(fixture.certificate()).unwrap();
    let bad: [&[u8]; 3] = [b"", &good[..good.len() / 2], &good[good.len() / 3..]];
    for text in bad {
        fs::write(fixture.certificate(), text).unwrap();
        siftd.signal("HUP");
        let line = siftd.line("configuration not reloaded, the one before goes on");
        assert!(line.contains("siftd.pem") && !line.contains("MIG"), "{line}");
        let options = options(&fixture, address, Level::Three);
        let connection = Connection::connect(&options).await.unwrap();
        assert_eq!(connection.channel().peer_names(), ["ip:127.0.0.1", "dns:good"]);
    }
}

#[tokio::test]
async fn a_key_opens_with_its_passphrase_only() {
    let fixture = Fixture::with_files();
    for name in ["authority.pem", "siftd.pem"] {
        fs::remove_file(fixture.outside(name)).unwrap();
    }
    let passphrase = fixture.outside("passphrase");
    fs::write(&passphrase, "open sesame\nand what follows does not count\n").unwrap();
    let file = passphrase.display().to_string();
    issue(&fixture, &["authority", "--dir", "."]);
    let server = ["issue", "127.0.0.1", "--dir", ".", "-o", "siftd.pem"];
    issue(&fixture, &[&server[..], &["--passphrase-file", &file]].concat());
    let client = ["issue", "anna", "--client", "--dir", "."];
    issue(&fixture, &[&client[..], &["--passphrase-file", &file]].concat());
    for name in ["siftd.pem", "client.pem"] {
        let text = fs::read_to_string(fixture.outside(name)).unwrap();
        assert!(text.contains("BEGIN ENCRYPTED PRIVATE KEY"), "{text}");
    }

    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    for level in LEVELS {
        let with = |passphrase| {
            let options = TlsOptions::new(fixture.certificate(), *level);
            Listener::with_tls(any, options.passphrase(passphrase))
        };
        for (passphrase, complaint) in [
            (Passphrase::None, "has a passphrase, and none is given"),
            (Passphrase::Given("open barley".into()), "does not open with the passphrase"),
            (Passphrase::File(fixture.outside("nowhere")), "nowhere: No such file"),
        ] {
            let error = with(passphrase).await.unwrap_err();
            assert!(error.to_string().contains(complaint), "{error}");
        }
        assert!(with(Passphrase::Given("open sesame".into())).await.is_ok());
    }

    let level = *LEVELS.first().unwrap();
    let server = TlsOptions::new(fixture.certificate(), level)
        .passphrase(Passphrase::File(passphrase))
        .clients(fixture.outside("authority.pem"), sift_server::ClientCertificates::Required);
    let served = fixture.serve_tls(server, Limits::default()).await;
    let showing = options(&served.fixture, served.tls, level)
        .client_certificate(served.fixture.outside("client.pem"));
    let error = Connection::connect(&showing).await.err().unwrap().to_string();
    assert!(error.ends_with("has a passphrase, and none is given"), "{error}");
    let showing = showing.client_passphrase("open sesame");
    assert!(!format!("{showing:?}").contains("sesame"));
    let mut connection = Connection::connect(&showing).await.unwrap();
    assert_eq!(connection.report().await.unwrap().peer_names, ["cn:anna"]);
}

#[tokio::test]
async fn no_text_tells_a_passphrase() {
    let fixture = Fixture::new();
    let secret = Passphrase::Given("open sesame".into());
    let options = TlsOptions::new(fixture.outside("nowhere.pem"), Level::Three).passphrase(secret);
    assert!(!format!("{options:?}").contains("sesame"));
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let error = Listener::with_tls(any, options).await.unwrap_err();
    assert!(matches!(&error, Error::Certificate { fault: CertificateFault::Io(_), .. }));
    assert!(!format!("{error:?}").contains("sesame"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_authority_revokes_is_refused_after_a_hangup() {
    for level in LEVELS {
        let fixture = Fixture::with_files();
        fs::remove_file(fixture.outside("authority.pem")).unwrap();
        issue(&fixture, &["authority", "--dir", "."]);
        issue(&fixture, &["issue", "127.0.0.1", "--dir", ".", "-o", "siftd.pem", "--replace"]);
        for name in ["anna", "otto"] {
            let file = format!("{name}.pem");
            issue(&fixture, &["issue", name, "--client", "--dir", ".", "-o", &file]);
        }
        issue(&fixture, &["revoke", "--dir", "."]);
        let mut siftd = Running::configured(
            &fixture,
            &format!(
                "[[listener]]\nport = 0\nscl = {level}\ncert = '../../siftd.pem'\n\
                 client_ca = '../../authority.pem'\nclient_crl = ['../../authority.crl']\n"
            ),
        );
        let address = siftd.address("listening, encrypted");
        let as_user = |name: &str| {
            let identity = fixture.outside(&format!("{name}.pem"));
            let options = options(&fixture, address, *level).client_certificate(identity);
            async move { Connection::connect(&options).await }
        };
        let mut open = Box::pin(as_user("anna")).await.unwrap();
        let line = siftd.line("connection");
        let (_, serial) = line.split_once("\"serial\":\"").unwrap();
        let serial = serial.split_once('"').unwrap().0;
        issue(&fixture, &["revoke", "--serial", serial, "--dir", "."]);
        siftd.signal("HUP");
        siftd.line("configuration reloaded");
        let error = Box::pin(as_user("anna")).await.err().unwrap().to_string();
        assert!(error.ends_with("this end's client certificate: it is revoked"), "{error}");
        let line = siftd.line("connection refused");
        assert!(line.contains("the client's certificate is refused: it is revoked"), "{line}");
        Box::pin(as_user("otto")).await.unwrap();
        count(&mut open).await;
    }
}

#[test]
fn certificates_that_end_are_told_at_start_and_after_a_hangup() {
    let fixture = Fixture::new();
    let now = std::time::SystemTime::now();
    let from_now = |days: i64| {
        let day = std::time::Duration::from_secs(24 * 3600);
        let by = day * u32::try_from(days.abs()).unwrap();
        if days < 0 { now - by } else { now + by + day / 2 }
    };
    let server = |name: &str, start: i64, end: i64| {
        fixture.issue(name, |params| {
            params.extended_key_usages = Vec::new();
            (params.not_before, params.not_after) = (from_now(start).into(), from_now(end).into());
        });
    };
    server("fine", -1, 31);
    server("soon", -1, 29);
    server("late", -9, -1);
    server("early", 1, 400);
    fixture.revoke("clients.crl", &[], from_now(-2));
    let listeners = ["fine", "soon", "late", "early"].map(|name| {
        format!(
            "[[listener]]\nport = 0\ncert = '../../{name}.pem'\nclient_ca = '../../authority.pem'\n\
             client_crl = '../../clients.crl'\n"
        )
    });
    let mut siftd = Running::configured(&fixture, &listeners.concat());
    let list = "clients.crl: the revocation list of CN=an authority expired on ";
    for _ in 0..2 {
        for (level, texts) in [
            ("ERROR", &[list][..]),
            ("WARN", &["soon.pem: CN=soon expires in 29 days, on "]),
            ("ERROR", &["late.pem: CN=late expired on ", ": clients refuse this server"]),
            (
                "ERROR",
                &["early.pem: CN=early is not valid before ", ": clients refuse this server"],
            ),
        ] {
            let line = siftd.line_with(texts[0]);
            assert!(line.contains(&format!("\"level\":\"{level}\"")), "{line}");
            assert!(texts.iter().all(|text| line.contains(text)), "{line}");
            assert!(!line.contains("fine.pem"), "{line}");
        }
        siftd.signal("HUP");
    }
}
