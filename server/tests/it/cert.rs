//! `siftd cert`: clients trust the certificates that it makes, only the owner can read its keys,
//! and it overwrites nothing.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use sift_client::{ConnectOptions, Connection, Roots};
use sift_proto::level::Level;
use sift_server::{Access, Config, DataRoot, Listener, serve};
use tempfile::TempDir;

use crate::fixture::binary;

/// Runs `siftd cert` with `folder` as the current and the configuration folder.
fn cert(folder: &Path, args: &[&str]) -> Output {
    Command::new(binary())
        .arg("cert")
        .args(args)
        .current_dir(folder)
        .env("XDG_CONFIG_HOME", folder)
        .env("HOME", folder)
        .output()
        .unwrap()
}

fn succeed(folder: &Path, args: &[&str]) -> String {
    let output = cert(folder, args);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &complaint[..]), (Some(0), ""), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the error, which is the only output.
fn fail(folder: &Path, args: &[&str]) -> String {
    let output = cert(folder, args);
    assert_eq!(output.status.code(), Some(2), "{args:?}");
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(!complaint.contains("PRIVATE KEY") && !complaint.contains("MIG"), "{complaint}");
    complaint
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Makes a folder with an authority.
fn with_authority() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &["authority", "--dir", "."]);
    folder
}

/// Connects a client that trusts `authority` to a server that has `certificate`.
async fn connect(certificate: &Path, authority: &Path) -> Result<(), String> {
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    let listener = Listener::encrypted(any, certificate, Level::Three).await.unwrap();
    let address = listener.address().to_string();
    let data = DataRoot::open(certificate.parent().unwrap()).unwrap();
    let serving = tokio::spawn(serve(
        vec![listener],
        Config::new(data, Access::open()),
        std::future::pending(),
    ));
    let options = ConnectOptions::new(address).roots(Roots::File(authority.to_owned()));
    let connected = Connection::connect(&options).await;
    serving.abort();
    connected.map(drop).map_err(|error| error.to_string())
}

#[tokio::test]
async fn clients_believe_what_their_authority_issued_and_nothing_else() {
    let (ours, other) = (with_authority(), with_authority());
    let said = succeed(ours.path(), &["issue", "localhost", "127.0.0.1", "--dir", "."]);
    let certificate = ours.path().join("sift/siftd.pem");
    assert!(said.contains("sift/siftd.pem: certificate and key"), "{said}");

    connect(&certificate, &ours.path().join("authority.pem")).await.unwrap();
    let refusal = connect(&certificate, &other.path().join("authority.pem")).await.unwrap_err();
    assert!(refusal.contains("signed by an unknown authority, CN=Sift authority "), "{refusal}");
    assert!(
        refusal.contains("authority.pem holds did not sign it: CN=Sift authority "),
        "{refusal}"
    );

    succeed(ours.path(), &["issue", "elsewhere.example", "--dir", ".", "-o", "elsewhere.pem"]);
    let elsewhere = ours.path().join("elsewhere.pem");
    let refusal = connect(&elsewhere, &ours.path().join("authority.pem")).await.unwrap_err();
    assert!(refusal.contains("certificate is for elsewhere.example, not for"), "{refusal}");

    succeed(ours.path(), &["issue", "anna", "--client", "--dir", "."]);
    let user = ours.path().join("client.pem");
    assert!(connect(&user, &ours.path().join("authority.pem")).await.is_err());
}

#[test]
fn keys_are_for_their_owner_alone() {
    let folder = with_authority();
    succeed(folder.path(), &["issue", "localhost", "--dir", ".", "-o", "siftd.pem"]);
    succeed(folder.path(), &["request", "localhost", "--dir", "."]);
    for (name, expected) in [
        ("authority.pem", 0o644),
        ("authority.key", 0o600),
        ("siftd.pem", 0o600),
        ("siftd.key", 0o600),
        ("siftd.csr", 0o644),
    ] {
        let got = mode(&folder.path().join(name));
        assert_eq!(got, expected, "{name}: {got:o}");
    }
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 5, "temporary files stay: {left:?}");
}

#[test]
fn nothing_is_overwritten_unasked() {
    let folder = with_authority();
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    succeed(folder.path(), &["issue", "localhost", "--dir", ".", "-o", "siftd.pem"]);
    succeed(folder.path(), &["request", "localhost", "--dir", "."]);
    let names = ["authority.pem", "authority.key", "siftd.pem", "siftd.key", "siftd.csr"];
    let before = names.map(read);

    let complaint = fail(folder.path(), &["authority", "--dir", "."]);
    assert!(complaint.contains("authority.pem: it is there already"), "{complaint}");
    let issue = ["issue", "localhost", "--dir", ".", "-o", "siftd.pem"];
    assert!(fail(folder.path(), &issue).contains("--replace"));
    assert!(fail(folder.path(), &["request", "localhost", "--dir", "."]).contains("siftd.csr"));
    assert_eq!(names.map(read), before);

    // one half of an authority is not overwritten either
    fs::remove_file(folder.path().join("authority.pem")).unwrap();
    assert!(fail(folder.path(), &["authority", "--dir", "."]).contains("authority.key"));
    assert_eq!(read("authority.key"), before[1]);
    fs::write(folder.path().join("authority.pem"), &before[0]).unwrap();

    succeed(folder.path(), &[&issue[..], &["--replace"]].concat());
    assert_ne!(read("siftd.pem"), before[2]);
    assert_eq!(mode(&folder.path().join("siftd.pem")), 0o600);
}

#[test]
fn show_tells_what_is_in_a_file() {
    let folder = with_authority();
    let names = ["issue", "files.example.com", "10.0.0.1", "::1", "--dir", ".", "-o", "siftd.pem"];
    succeed(folder.path(), &names);
    let sheet = succeed(folder.path(), &["show", "siftd.pem"]);
    for line in [
        "subject      CN=files.example.com\n",
        "names        files.example.com, 10.0.0.1, ::1\n",
        "known as     dns:files.example.com, ip:10.0.0.1, ip:::1\n",
        "issuer       CN=Sift authority ",
        "serial       ",
        " UTC, 397 days left\n",
        "for          server\n",
        "key          ECDSA P-256\n",
        "SHA-256      ",
        "private key  in this file, the certificate's\n",
    ] {
        assert!(sheet.contains(line), "{line:?} is not in\n{sheet}");
    }
    assert!(!sheet.contains("PRIVATE"), "{sheet}");
    let sheet = succeed(folder.path(), &["show", "authority.pem"]);
    assert!(sheet.contains("issuer       itself\n"), "{sheet}");
    assert!(sheet.contains("for          signing certificates (an authority)\n"), "{sheet}");
    assert!(sheet.contains(" UTC, 3652 days left\n"), "{sheet}");

    fs::set_permissions(folder.path().join("siftd.pem"), Permissions::from_mode(0o640)).unwrap();
    let output = cert(folder.path(), &["show", "siftd.pem"]);
    let warning = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(warning.contains("open to others (mode 0640)"), "{warning}");
}

#[test]
fn show_refuses_what_cannot_be_used() {
    let folder = with_authority();
    let at = |name: &str| folder.path().join(name);
    for name in ["a.pem", "b.pem"] {
        succeed(folder.path(), &["issue", "localhost", "--dir", ".", "-o", name]);
    }
    let halves = |name: &str| {
        let pem = fs::read_to_string(at(name)).unwrap();
        let start = pem.find("-----BEGIN PRIVATE KEY").unwrap();
        (pem[..start].to_owned(), pem[start..].to_owned())
    };
    let ((chain, _), (_, key)) = (halves("a.pem"), halves("b.pem"));
    fs::write(at("mixed.pem"), chain.clone() + &key).unwrap();
    fs::write(at("key.pem"), &key).unwrap();
    fs::write(at("cut.pem"), &chain[..200]).unwrap();
    fs::write(at("other.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .unwrap();
    fs::write(at("broken.pem"), chain + &key.replace("MIG", "MIH")).unwrap();
    for (name, expected) in [
        ("mixed.pem", "mixed.pem does not belong to the certificate in mixed.pem"),
        ("key.pem", "key.pem: no certificate in it"),
        ("cut.pem", "cut.pem: not PEM"),
        ("other.pem", "other.pem: certificate 1 does not parse as X.509"),
        ("broken.pem", "broken.pem: no private key that can be used"),
        ("gone.pem", "gone.pem: No such file"),
    ] {
        let complaint = fail(folder.path(), &["show", name]);
        assert!(complaint.contains(expected), "{complaint}");
    }
}

#[test]
fn an_authority_signs_only_what_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let issue = ["issue", "localhost", "--dir", ".", "-o", "siftd.pem"];
    assert!(fail(folder.path(), &issue).contains("siftd cert authority"));

    succeed(folder.path(), &["authority", "--dir", ".", "--days", "10", "--name", "Zoë, ours"]);
    let too_long = [&issue[..], &["--days", "11"]].concat();
    let complaint = fail(folder.path(), &too_long);
    assert!(complaint.contains("11 days are more than the authority itself has left"));
    // without --days both end together
    succeed(folder.path(), &issue);
    let sheet = succeed(folder.path(), &["show", "siftd.pem"]);
    assert!(sheet.contains("issuer       CN=Zoë, ours\n"), "{sheet}");
    assert!(sheet.contains("UTC, 9 days left"), "{sheet}");

    // a certificate with its own key is not an authority
    let pem = fs::read_to_string(folder.path().join("siftd.pem")).unwrap();
    fs::create_dir(folder.path().join("leaf")).unwrap();
    for name in ["leaf/authority.pem", "leaf/authority.key"] {
        fs::write(folder.path().join(name), &pem).unwrap();
    }
    let complaint = fail(folder.path(), &["issue", "localhost", "--dir", "leaf", "-o", "x.pem"]);
    assert!(complaint.contains("not an authority, it may not sign others"), "{complaint}");

    fs::copy(folder.path().join("siftd.pem"), folder.path().join("authority.key")).unwrap();
    let complaint = fail(folder.path(), &["issue", "localhost", "--dir", ".", "-o", "x.pem"]);
    assert!(complaint.contains("does not belong to the certificate in"), "{complaint}");
    assert!(!folder.path().join("x.pem").exists());
}

#[test]
fn names_that_no_client_could_ask_for_are_refused() {
    let folder = with_authority();
    for name in ["https://a.example", "a.example:7330", "*.com", "10.0.0", "münchen.example", ""] {
        let complaint = fail(folder.path(), &["issue", name, "--dir", ".", "-o", "x.pem"]);
        assert!(complaint.starts_with(&format!("siftd: `{name}`: ")), "{complaint}");
    }
    let two = ["issue", "anna", "otto", "--client", "--dir", "."];
    assert!(fail(folder.path(), &two).contains("for one user, 2 names are given"));
}

#[test]
fn revoked_certificates_are_gathered_in_one_list() {
    let folder = with_authority();
    let at = |name: &str| folder.path().join(name);
    let list = || {
        let text = fs::read(at("authority.crl")).unwrap();
        let lists = sift_proto::crl::lists(&text).unwrap();
        sift_proto::crl::RevocationList::parse(&lists[0]).unwrap()
    };
    // a server needs a list even if nothing is revoked
    let said = succeed(folder.path(), &["revoke", "--dir", "."]);
    assert!(said.contains("authority.crl: revokes 0 certificates, 0 of them new; valid until "));
    assert_eq!(mode(&at("authority.crl")), 0o644);
    for name in ["anna", "otto", "paul"] {
        let file = format!("{name}.pem");
        succeed(folder.path(), &["issue", name, "--client", "--dir", ".", "-o", &file]);
    }
    succeed(folder.path(), &["revoke", "anna.pem", "--dir", "."]);
    // by its serial number, for people who have no copy of the certificate
    let sheet = succeed(folder.path(), &["show", "otto.pem"]);
    assert!(sheet.contains("known as     cn:otto\n"), "{sheet}");
    let (_, serial) = sheet.split_once("serial       ").unwrap();
    let serial = serial.lines().next().unwrap().to_uppercase();
    let both = ["revoke", "anna.pem", "--serial", &serial, "--days", "30", "--dir", "."];
    let said = succeed(folder.path(), &both);
    assert!(said.contains("revokes 2 certificates, 1 of them new"), "{said}");
    let read = list();
    assert_eq!((read.revoked.len(), read.number.as_deref()), (2, Some(&[3][..])));
    let days = (read.next_update.unwrap() - read.this_update).num_days();
    assert_eq!(days, 30);
    let serial_of = |name: &str| {
        let text = fs::read(at(name)).unwrap();
        let chain = sift_proto::identity::certificates(&text).unwrap();
        sift_proto::x509::Certificate::parse(&chain[0]).unwrap().serial
    };
    assert!(read.revokes(&serial_of("anna.pem")) && read.revokes(&serial_of("otto.pem")));
    assert!(!read.revokes(&serial_of("paul.pem")));
}

#[test]
fn an_authority_revokes_only_what_it_can() {
    let (ours, other) = (with_authority(), with_authority());
    succeed(other.path(), &["issue", "eve", "--client", "--dir", "."]);
    let eve = other.path().join("client.pem").display().to_string();
    succeed(other.path(), &["revoke", "--dir", "."]);
    let list = other.path().join("authority.crl").display().to_string();
    fs::write(ours.path().join("text.crl"), "nothing").unwrap();
    let (dir, days) = (["--dir", "."], ["--days", "36525"]);
    for (arguments, expected) in [
        (&[&eve[..]][..], "and only that authority can revoke it; this one is CN=Sift authority "),
        (&["authority.pem"], "it is the authority itself"),
        (&["nowhere.pem"], "nowhere.pem: No such file"),
        (&["-o", &list], "not the one revocation list of CN=Sift authority "),
        (&["-o", "text.crl"], "not the one revocation list of"),
        (&["--serial", "xyz"], "a serial number of 1 to 20 bytes is expected"),
        (&days, "36525 days are more than the authority itself has left"),
    ] {
        let complaint = fail(ours.path(), &[&["revoke"], arguments, &dir[..]].concat());
        assert!(complaint.contains(expected), "{arguments:?}: {complaint}");
    }
    assert!(!ours.path().join("authority.crl").exists());
}
