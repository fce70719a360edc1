//! `siftd check`: its findings and its exit code.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use crate::fixture::{Fixture, binary, unprivileged};

/// A configuration with an encrypted and a plain listener, and some lines more.
fn fixture(more: &str) -> Fixture {
    let fixture = Fixture::with_files();
    fs::set_permissions(fixture.certificate(), fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!(
        "data = 'data'\nsecure = false\ndefault_user = 'any'\n[[listener]]\ncert = 'siftd.pem'\n[[listener]]\nport = 7331\nencrypt = false\n{more}"
    );
    fs::write(fixture.outside("siftd.toml"), text).unwrap();
    fixture
}

fn check(fixture: &Fixture, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(binary());
    command.args(["check", "--config"]).arg(fixture.outside("siftd.toml")).args(arguments);
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[test]
fn what_is_served_and_what_is_not_is_told() {
    let fixture = fixture("[[protect]]\nfiles = ['sales/*']\nnetwork_encrypt = true\n");
    fixture.write("cities.csv.toml", "[[field]]\nname = \"pop\"\nscl_min = 4\n");
    let (code, text) = check(&fixture, &["--strict"]);
    assert_eq!(code, Some(0), "{text}");
    for line in [
        "listener 127.0.0.1:7330: encrypted, level 3, certificate ",
        "127.0.0.1:7330 serves 2 of 2 files\n",
        "127.0.0.1:7331 serves 1 of 2 files\n",
        "never these files: sales/numbers.dat (network encryption)\n",
        "never these columns: cities.csv: `pop` (level 4 or higher)\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn warnings_fail_only_a_strict_check() {
    let fixture = fixture("[[protect]]\nfiles = ['payroll/*']\nscl_min = 4\n");
    fs::set_permissions(fixture.certificate(), fs::Permissions::from_mode(0o644)).unwrap();
    let text = fs::read_to_string(fixture.outside("siftd.toml")).unwrap();
    let text = text.replace("encrypt = false", "encrypt = false\nlisten = '0.0.0.0'");
    let text = format!("metrics = '0.0.0.0:7332'\n{text}");
    fs::write(fixture.outside("siftd.toml"), text).unwrap();
    let (code, text) = check(&fixture, &[]);
    assert_eq!(code, Some(0), "{text}");
    for warning in [
        "warning: listener 0.0.0.0:7331: plain channels on a network",
        "siftd.pem: its private key is open to others (mode 0644)",
        "warning: metrics 0.0.0.0:7332: everybody on the network may read them",
        "warning: protect 1: its globs match no file",
    ] {
        assert!(text.contains(warning), "{warning}: {text}");
    }
    let (code, text) = check(&fixture, &["--strict"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("siftd: 4 warnings, and --strict"), "{text}");
}

#[test]
fn a_file_that_no_listener_can_serve_is_a_warning() {
    let fixture = fixture("");
    fs::write(
        fixture.outside("siftd.toml"),
        "data = 'data'\nsecure = false\ndefault_user = 'any'\n[defaults]\nscl_min = 3\n[[listener]]\nencrypt = false\n",
    )
    .unwrap();
    let (code, text) = check(&fixture, &[]);
    assert_eq!(code, Some(0), "{text}");
    let warning = "cities.csv: no listener can serve it, it requires level 3 or higher";
    assert!(text.contains(warning), "{text}");
}

#[test]
fn what_each_user_may_read_is_told() {
    let fixture = fixture("");
    drop(fixture.users(&[("ann", &["staff"]), ("bob", &[])]));
    fixture.write("pay.csv", "id,salary\n1,7\n");
    fixture.write("pay.csv.toml", "network_encrypt = true\n");
    fixture.write("cities.csv.toml", "[[field]]\nname = \"pop\"\nscl_min = 4\n");
    let text = "data = 'data'\nusers = 'users.toml'\n[[listener]]\ncert = 'siftd.pem'\n\
        [[listener]]\nport = 7331\nencrypt = false\nsecure = false\ndefault_user = 'guest'\n\
        [[grant]]\ngroups = ['staff']\nfiles = ['*.csv']\n\
        [[grant]]\nusers = ['guest', 'eve']\nfiles = ['cities.csv', 'pay.csv']\n\
        columns = ['city', 'pop', 'id']\nfilter = 'true'\n";
    fs::write(fixture.outside("siftd.toml"), text).unwrap();
    let (code, text) = check(&fixture, &[]);
    assert_eq!(code, Some(0), "{text}");
    for line in [
        "users.toml: 2\n",
        "user ann may read 2 of 3 files\n",
        "    cities.csv: all columns; all records; any channel; `pop` requires level 4 or higher\n",
        "    pay.csv: all columns; all records; requires network encryption\n",
        "warning: user bob may read none of the files\n",
        "    cities.csv: columns city, pop, id; the records of a filter; any channel; `pop` requires",
        "warning: user guest may read pay.csv, and no listener that lets guest in can serve it: it \
         requires network encryption\n",
        "warning: grant 2: there is no user `eve`\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }

    // what keeps the server from starting
    let text = fs::read_to_string(fixture.outside("siftd.toml")).unwrap();
    let text = text.replace("filter = 'true'", "filter = 'salary > 1'");
    fs::write(fixture.outside("siftd.toml"), text).unwrap();
    let (code, text) = check(&fixture, &[]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("error: grant 2") && text.contains("unknown column"), "{text}");
}

#[test]
fn what_is_not_served_and_what_has_two_names_is_told() {
    let fixture = fixture(
        "[[grant]]\nusers = ['any']\nfiles = ['sub/**']\ncolumns = ['city']\n\
         [[grant]]\nusers = ['any']\nfiles = ['cities.csv']\n",
    );
    fixture.write("closed/a.csv", "a\n1\n");
    let data = fixture.data();
    fs::create_dir(data.join("sub")).unwrap();
    for (link, target) in [
        ("sub/up", ".."),
        ("sub/cities.csv", "../cities.csv"),
        ("sub/a.csv", "../sales/b.csv"),
        ("sub/out.csv", "/etc/hosts"),
        ("sub/none.csv", "none.csv"),
    ] {
        symlink(target, data.join(link)).unwrap();
    }
    fixture.write("sales/b.csv", "city\nOslo\n");
    fs::set_permissions(data.join("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    unprivileged(move || {
        let (code, text) = check(&fixture, &[]);
        fs::set_permissions(data.join("closed"), fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(code, Some(0), "{text}");
        for line in [
            "5 files\n",
            "\nwarning: closed: not served: Permission denied (os error 13)\n",
            "\nwarning: sub/out.csv: not served: a link that leads out of the data root\n",
            "\nwarning: sub/none.csv: not served: a link that leads nowhere\n",
            "\nsub/cities.csv: a link to cities.csv; it needs a grant, and has the protection, by both",
            "\nsub/up: a link to the data root; a file that is named through it needs a grant, and has",
            "\nwarning: user any may not read sub/a.csv: it is a link to sales/b.csv, of which nothing",
            "\nuser any may read 2 of 5 files\n",
            "\n    sub/cities.csv: columns city; all records; any channel\n",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    });
}

#[test]
fn errors_are_all_found_at_once() {
    let fixture = fixture("");
    fixture.write("cities.csv.toml", "network_encrypt = yes\n");
    fixture.write("short.dat", [0; 12]);
    fixture.write("short.dat.toml", crate::fixture::NUMBERS);
    fs::write(fixture.certificate(), "nothing").unwrap();
    let (code, text) = check(&fixture, &[]);
    assert_eq!(code, Some(2), "{text}");
    for error in [
        "no certificate in it",
        "error: cities.csv.toml: line 1",
        "error: short.dat: 12 bytes are 1 records",
        "siftd: 3 errors in the configuration or the data",
    ] {
        assert!(text.contains(error), "{error}: {text}");
    }
}

#[test]
fn an_unknown_key_has_a_near_one() {
    for (line, expected) in [
        ("[defaults]\nscl_mim = 4\n", "unknown field `scl_mim`; did you mean `scl_min`?"),
        ("[[protect]]\nfile = ['a']\n", "unknown field `file`; did you mean `files`?"),
        (
            "[limits]\nidle_second = 4\n",
            "unknown field `idle_second`; did you mean `idle_seconds`?",
        ),
    ] {
        let fixture = fixture(line);
        let (code, text) = check(&fixture, &[]);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn what_is_wrong_with_client_certificates_is_told() {
    let fixture = fixture("");
    let stranger = Fixture::new();
    let day = std::time::Duration::from_secs(24 * 3600);
    let now = std::time::SystemTime::now();
    fixture.revoke("good.crl", &[], now + 900 * day);
    fixture.revoke("old.crl", &[], now - day);
    fs::write(fixture.outside("text.crl"), "nothing").unwrap();
    fs::write(
        fixture.outside("cut.crl"),
        "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n",
    )
    .unwrap();
    let other = stranger.issue("other", |params| {
        params.distinguished_name.push(rcgen::DnType::CommonName, "another authority");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    });
    fs::copy(other, fixture.outside("other.pem")).unwrap();
    let text = fs::read_to_string(fixture.outside("siftd.toml")).unwrap();
    for (authorities, lists, code, expected) in [
        ("authority.pem", "'good.crl'", 0, &[][..]),
        (
            "authority.pem",
            "'old.crl'",
            2,
            &["error: ", "the revocation list of CN=an authority expired on"],
        ),
        ("authority.pem", "'nowhere.crl'", 2, &["error: ", "nowhere.crl: No such file"]),
        ("authority.pem", "['good.crl', 'text.crl']", 2, &["text.crl: no revocation list in it"]),
        ("authority.pem", "'cut.crl'", 2, &["cut.crl: revocation list 1 does not parse"]),
        (
            "other.pem",
            "'good.crl'",
            1,
            &[
                "warning: ",
                "the revocation list of CN=an authority, which is none of the authorities in client_ca",
                "there is no revocation list of CN=another authority in client_crl",
            ],
        ),
    ] {
        let keys = format!("cert = 'siftd.pem'\nclient_ca = '{authorities}'\nclient_crl = {lists}");
        let text = text.replace("cert = 'siftd.pem'", &keys);
        fs::write(fixture.outside("siftd.toml"), text).unwrap();
        let (got, said) = check(&fixture, &["--strict"]);
        assert_eq!(got, Some(code), "{lists}: {said}");
        assert!(expected.iter().all(|part| said.contains(part)), "{lists}: {said}");
    }
}
