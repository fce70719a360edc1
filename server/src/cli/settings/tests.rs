use sift_server::Limit;

use super::*;

const EXAMPLE: &str = include_str!("../../../siftd.example.toml");

fn settings(mut args: ServeArgs, text: &str) -> Result<Settings, String> {
    args.users.get_or_insert_with(|| "/etc/sift/users.toml".into());
    settings_without_users(args, text)
}

fn settings_without_users(args: ServeArgs, text: &str) -> Result<Settings, String> {
    let path = Path::new("/etc/sift/siftd.toml");
    let folders = [PathBuf::from("/nowhere/sift")];
    parse(path, text)
        .and_then(|file| merge(args, file, path, &folders))
        .map_err(|error| error.to_string())
}

fn encrypted(certificate: &str, level: Level) -> Channels {
    Channels::Encrypted(TlsOptions::new(certificate, level))
}

#[test]
fn the_example_parses_as_it_is() {
    let text = EXAMPLE.replace("# cert = ", "cert = ");
    let settings = settings(ServeArgs::default(), &text).unwrap();
    assert_eq!(settings.data, Path::new("/srv/sift"));
    let [first, second] = &settings.listeners[..] else { panic!("two listeners") };
    assert_eq!(first.address, ([127, 0, 0, 1], 7330).into());
    assert_eq!(first.channels, encrypted("/etc/sift/siftd.pem", Level::DEFAULT));
    assert_eq!(second.address, ([127, 0, 0, 1], 7331).into());
    assert_eq!(second.channels, Channels::Plain);
    assert_eq!(first.admission, Admission::LogIn);
    assert_eq!(second.admission, Admission::Everybody("guest".to_owned()));
    assert!(settings.access.grants.is_some());
}

#[test]
fn the_example_tells_the_defaults() {
    let mut all = EXAMPLE.to_owned();
    for key in EXAMPLE.lines().filter_map(|line| line.strip_prefix("# ")) {
        let is_key = key.split_once(" = ").is_some_and(|(name, _)| {
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        });
        if is_key {
            all = all.replace(&format!("# {key}"), key);
        }
    }
    assert!(!all.contains("# idle_seconds"));
    let told = settings(ServeArgs::default(), &all).unwrap();
    // those that depend on the machine
    let Limits { morsels_in_flight_max, memory_bytes_max, .. } = told.limits;
    let expected = Limits { morsels_in_flight_max, memory_bytes_max, ..Limits::default() };
    assert_eq!(format!("{:?}", told.limits), format!("{expected:?}"));
    assert_eq!(told.log_format, LogFormat::default());
    // clients are asked for a certificate only where their authorities are named
    let channels = TlsOptions::new("/etc/sift/siftd.pem", Level::DEFAULT)
        .passphrase(Passphrase::File("/etc/sift/siftd.passphrase".into()))
        .clients("/etc/sift/clients.pem", ClientCertificates::Required)
        .revocation_lists(vec!["/etc/sift/clients.crl".into()]);
    assert_eq!(told.listeners[0].channels, Channels::Encrypted(channels));
}

/// Returns the lines of the example about a limit.
fn example(limit: &Limit) -> String {
    let mut text = String::new();
    let mut columns = COLUMNS;
    for word in limit.help().split(' ') {
        if columns + 1 + word.len() > COLUMNS {
            text += if text.is_empty() { "#" } else { "\n#" };
            columns = 1;
        }
        text += " ";
        text += word;
        columns += 1 + word.len();
    }
    // what depends on the machine is shown for one with eight threads and 16 GiB
    let default = match limit.key {
        "morsels_in_flight_max" => 16,
        "memory_bytes_max" => 8 << 30,
        _ => limit.default,
    };
    format!("{text}\n# {} = {default}\n", limit.key)
}

/// The width of the example.
const COLUMNS: usize = 100;

#[test]
fn the_example_shows_the_table_of_limits() {
    let (mut outside, mut section) = (0, Vec::new());
    for limit in Limits::table() {
        match limit.key {
            "max_connections" => outside += usize::from(EXAMPLE.contains(&example(&limit))),
            _ => section.push(example(&limit)),
        }
    }
    assert_eq!(outside, 1);
    let (_, shown) = EXAMPLE.split_once("\n[limits]\n").unwrap();
    assert_eq!(shown, section.join("\n"));
}

/// A document tells a limit by its default, as in ``64 KiB (`sql_bytes_max`)``.
#[test]
fn the_documents_tell_the_defaults() {
    const DOCUMENTS: [&str; 2] =
        [include_str!("../../../../docs/sql.md"), include_str!("../../../../docs/server.md")];
    let mut told = Vec::new();
    for limit in Limits::table() {
        let key = format!(" (`{}`)", limit.key);
        for (text, at) in DOCUMENTS
            .iter()
            .flat_map(|text| text.match_indices(&key).map(move |(at, _)| (text, at)))
        {
            let mut words = text[..at].rsplit(' ');
            let last = words.next().unwrap();
            let unit = [("s", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)]
                .iter()
                .find(|(unit, _)| *unit == last);
            let (number, factor) = match unit {
                Some((_, factor)) => (words.next().unwrap(), *factor),
                None => (last, 1),
            };
            assert_eq!(number.parse(), Ok(limit.default / factor), "{}", limit.key);
            told.push(limit.key);
        }
    }
    let expected = [
        "query_seconds_max",
        "query_seconds_max",
        "queries_per_user_max",
        "queries_per_user_max",
        "queue_seconds_max",
        "queue_seconds_max",
        "sql_bytes_max",
        "pattern_files_max",
        "query_memory_bytes_max",
    ];
    assert_eq!(told, expected);
}

#[test]
fn every_limit_is_a_key_with_its_bound() {
    for limit in Limits::table() {
        let section = if limit.key == "max_connections" { "" } else { "[limits]" };
        let set = |value: u64| {
            let text = format!("data = '/d'\n{section}\n{} = {value}\n", limit.key);
            let args = ServeArgs { plain: true, no_secure: true, ..ServeArgs::default() };
            settings(args, &text).map(|settings| format!("{:?}", settings.limits))
        };
        let default = format!("{:?}", Limits::default());
        assert_eq!(set(limit.default).unwrap(), default);
        assert_ne!(set(limit.default / 2).unwrap(), default);
        assert!(set(0).unwrap_err().contains("nonzero"));
        if let Some(bound) = limit.bound {
            set(bound).unwrap();
            let expected = format!("`{}` is {}, at most {bound}", limit.key, bound + 1);
            let error = set(bound + 1).unwrap_err();
            assert!(error.contains(&expected), "{error}");
        }
    }
}

#[test]
fn the_command_line_has_precedence() {
    let args = ServeArgs {
        data: Some("/data".into()),
        port: Some(1),
        level: Some(Level::Five),
        max_connections: NonZeroUsize::new(3),
        ..ServeArgs::default()
    };
    let text =
        "data = 'there'\nmax_connections = 9\n[[listener]]\nport = 2\ncert = 'a.pem'\nscl = 3";
    let settings = settings(args, text).unwrap();
    assert_eq!(settings.data, Path::new("/data"));
    assert_eq!(settings.limits.connections_max.get(), 3);
    assert_eq!(settings.listeners[0].address.port(), 1);
    assert_eq!(settings.listeners[0].channels, encrypted("/etc/sift/a.pem", Level::Five));
}

#[test]
fn plain_on_the_command_line_drops_what_is_for_encryption() {
    let args = ServeArgs { plain: true, no_secure: true, ..ServeArgs::default() };
    let settings = settings(args, "data = '/d'\n[[listener]]\ncert = 'a.pem'\nscl = 3").unwrap();
    assert_eq!(settings.listeners[0].channels, Channels::Plain);
}

#[test]
fn a_client_certificate_is_required_where_authorities_are_named() {
    let channels = |client_cert: &str| {
        let text = format!(
            "data = '/d'\n[[listener]]\ncert = 'a.pem'\nclient_ca = 'clients.pem'\n{client_cert}"
        );
        settings(ServeArgs::default(), &text).unwrap().listeners.remove(0).channels
    };
    let with = |asked| {
        let options = TlsOptions::new("/etc/sift/a.pem", Level::DEFAULT);
        Channels::Encrypted(options.clients("/etc/sift/clients.pem", asked))
    };
    assert_eq!(channels(""), with(ClientCertificates::Required));
    assert_eq!(channels("client_cert = 'optional'"), with(ClientCertificates::Optional));
}

#[test]
fn what_is_wrong_is_named() {
    let cases = [
        (
            "data = '/d'\nstate = '/nowhere'\nsecure = false\n\
             [[listener]]\nencrypt = false\ndefault_user = 'a'",
            "/nowhere: not a folder",
        ),
        ("", "no data root: name the folder with --data DIR"),
        ("data = '/d'", "no certificate: there is no siftd.pem in /nowhere/sift"),
        ("data = '/d'\nprot = 1", "unknown field `prot`"),
        ("data = '/d'\n[limits]\nidle_seconds = 0", "nonzero"),
        ("data = '/d'\n[limits]\nsql_bytes_max = 70000", "`sql_bytes_max` is 70000, at most 65536"),
        ("data = '/d'\n[[listener]]\nscl = 1", "listener 1: level 1 is retired"),
        (
            "data = '/d'\n[[listener]]\nencrypt = false\nscl = 3",
            "listener 1: `scl` is for encrypted",
        ),
        ("data = '/d'\n[[listener]]\nencrypt = false\nclient_ca = 'a'", "`client_ca` is for encr"),
        ("data = '/d'\n[[listener]]\nclient_cert = 'optional'", "`client_cert` needs `client_ca`"),
        ("data = '/d'\n[[listener]]\nclient_cert = 'maybe'", "unknown variant `maybe`"),
        (
            "data = '/d'\n[[listener]]\ncert = 'a'\n[[grant]]\nfiles = ['a']",
            "grant 1: it grants nothing",
        ),
        ("data = '/d'\n[[grant]]\nfiles = ['a']\nuser = ['a']", "unknown field `user`"),
        (
            "data = '/d'\n[[listener]]\ncert = 'a'\n[[grant]]\nfiles = ['a']\nusers = ['a']\nfilter = 'a = '",
            "grant 1: filter: line 1",
        ),
        ("data = '/d'\nsecure = false", "listener 1: without log-in everybody is one user"),
        (
            "data = '/d'\nsecure = false\n[[listener]]\nencrypt = false\n\
             [[grant]]\nusers = ['a']\nfiles = ['a']",
            "listener 1: without log-in everybody is one user",
        ),
        ("data = '/d'\n[[listener]]\nencrypt = false", "nobody can log in on a plain port"),
        ("data = '/d'\n[[listener]]\ndefault_user = 'a'", "`default_user` is for listeners"),
        ("data = '/d'\nlog_format = 'xml'", "unknown variant `xml`"),
        ("data = '/d'\n[defaults]\nscl = 4", "unknown field `scl`"),
        ("data = '/d'\n[defaults]\nscl_min = 1", "defaults: `scl_min` is 1, it is a level from 2"),
        ("data = '/d'\n[[protect]]\nfiles = ['a']", "protect 1: it protects nothing"),
        ("data = '/d'\n[[protect]]\nfiles = ['***']\nscl_min = 4", "protect 1: Pattern syntax"),
    ];
    for (text, expected) in cases {
        let error = settings(ServeArgs::default(), text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn options_about_a_listener_need_a_single_one() {
    let args = ServeArgs { port: Some(1), ..ServeArgs::default() };
    let text = "data = '/d'\n[[listener]]\ncert = 'a.pem'\n[[listener]]\nencrypt = false\nport = 2";
    let error = settings(args, text).unwrap_err();
    assert!(error.contains("it has 2 listeners"), "{error}");
}

#[test]
fn log_in_needs_users_and_everybody_a_name_or_everything() {
    let text = "data = '/d'\n[[listener]]\ncert = 'a.pem'";
    let error = settings_without_users(ServeArgs::default(), text).unwrap_err();
    assert!(error.contains("siftd user add NAME"), "{error}");
    let args = || ServeArgs { no_secure: true, ..ServeArgs::default() };
    let open = |args, text: &str| {
        let settings = settings_without_users(args, text).unwrap();
        (settings.listeners[0].admission.clone(), settings.access.grants.map(|all| all.len()))
    };
    let plain = "data = '/d'\n[[listener]]\nencrypt = false\n";
    assert_eq!(open(args(), plain), (Admission::Everybody(String::new()), None));
    let named = || ServeArgs { default_user: Some("any".to_owned()), ..args() };
    let any = Admission::Everybody("any".to_owned());
    assert_eq!(open(named(), plain), (any.clone(), None));
    let granted = format!("{plain}[[grant]]\nusers = ['any']\nfiles = ['*']");
    assert_eq!(open(named(), &granted), (any, Some(1)));
}

#[test]
fn revocation_lists_are_one_file_or_several_and_belong_to_authorities() {
    let listener = |keys: &str| {
        let text = format!("data = 'd'\n[[listener]]\ncert = 'c.pem'\n{keys}\n");
        settings(ServeArgs::default(), &text)
    };
    for (value, files) in [("'a'", &["a"][..]), ("['a']", &["a"]), ("['a', 'b']", &["a", "b"])] {
        let settings = listener(&format!("client_ca = 'ca'\nclient_crl = {value}")).unwrap();
        let files = files.iter().map(|name| Path::new("/etc/sift").join(name)).collect();
        let options = TlsOptions::new("/etc/sift/c.pem", Level::DEFAULT)
            .clients("/etc/sift/ca", ClientCertificates::Required)
            .revocation_lists(files);
        assert_eq!(settings.listeners[0].channels, Channels::Encrypted(options));
    }
    for (keys, expected) in [
        ("client_crl = 'a'", "`client_crl` needs `client_ca`"),
        ("client_ca = 'ca'\nclient_crl = []", "`client_crl` is an empty list"),
        ("client_ca = 'ca'\nclient_crl = 1", "expected a path or a list of paths"),
    ] {
        let error = listener(keys).unwrap_err();
        assert!(error.contains(expected), "{keys}: {error}");
    }
}
