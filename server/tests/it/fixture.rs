//! A server on free ports, its data root and its certificate.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair,
    RevokedCertParams, SerialNumber,
};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, set_capabilities,
    set_capabilities_secure_bits,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sift_proto::level::Level;
use sift_server::{
    Access, Account, Activity, Admission, Audit, CompressionChoice, Config, DataRoot, Grant,
    Keyring, Limits, Listener, Monitor, PasswordHash, Reloader, RulesReloader, Server, TlsOptions,
    Users, UsersFile,
};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The time limit of every wait: longer than any step here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Eight bytes a record: one little-endian integer `n`.
pub(crate) const NUMBERS: &str = "\
format = \"fixed\"
record_length = 8

[[field]]
name = \"n\"
type = \"integer\"
offset = 0
length = 8
byte_order = \"little\"
";

/// A folder with data files and, beside it, a certificate.
pub(crate) struct Fixture {
    folder: TempDir,
    pub(crate) authority: CertificateDer<'static>,
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// The keys of servers that are started later.
    pub(crate) keyring: Keyring,
    /// The compression of servers that are started later, also of protected files.
    pub(crate) compression: CompressionChoice,
    pub(crate) compress_protected: bool,
    /// The audit log of servers that are started later.
    pub(crate) audit: Audit,
    /// True if servers that are started later have a port for monitors.
    pub(crate) is_monitored: bool,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();

        let mut params = CertificateParams::default();
        // with the same name as what it signs it would be that one's own certificate to OpenSSL
        params.distinguished_name.push(DnType::CommonName, "an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let pem = certificate.pem() + &key.serialize_pem();
        fs::write(folder.path().join("siftd.pem"), pem).unwrap();
        fs::write(folder.path().join("authority.pem"), issuer.pem()).unwrap();
        Self {
            folder,
            authority: issuer.der().clone(),
            issuer,
            keyring: Keyring::default(),
            compression: CompressionChoice::default(),
            compress_protected: false,
            audit: Audit::default(),
            is_monitored: false,
        }
    }

    /// A certificate and its key, signed by the authority: a client's, or what `change` makes of
    /// it.
    pub(crate) fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> PathBuf {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let path = self.outside(&format!("{name}.pem"));
        fs::write(&path, certificate.pem() + &key.serialize_pem()).unwrap();
        path
    }

    /// Makes a revocation list of the authority beside the data root. It names the certificates in
    /// some files and is valid until `end`.
    pub(crate) fn revoke(&self, name: &str, revoked: &[&Path], end: SystemTime) -> PathBuf {
        let revoked = revoked.iter().map(|path| {
            let der = CertificateDer::from_pem_file(path).unwrap();
            let serial = sift_proto::x509::Certificate::parse(&der).unwrap().serial;
            RevokedCertParams {
                serial_number: SerialNumber::from(serial),
                revocation_time: rcgen::date_time_ymd(2026, 1, 1),
                reason_code: None,
                invalidity_date: None,
            }
        });
        let list = CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2026, 1, 1),
            next_update: end.into(),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let path = self.outside(name);
        fs::write(&path, list.signed_by(&self.issuer).unwrap().pem().unwrap()).unwrap();
        path
    }

    /// Makes a data root with one small file of each format.
    pub(crate) fn with_files() -> Self {
        let fixture = Self::new();
        fixture.write("cities.csv", "city,pop\nOslo,709037\nRome,2748109\n\"Bern\",\n");
        fixture.numbers("sales/numbers.dat", 0..1000);
        fixture
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A path beside the data root: no client may see what is there.
    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.outside("siftd.pem")
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.data().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn numbers(&self, name: &str, numbers: std::ops::Range<i64>) -> PathBuf {
        self.write(&format!("{name}.toml"), NUMBERS);
        self.write(name, numbers.flat_map(i64::to_le_bytes).collect::<Vec<u8>>())
    }

    /// A file of zeros that takes no room on the disk.
    pub(crate) fn zeros(&self, name: &str, bytes: u64) -> PathBuf {
        let path = self.numbers(name, 0..0);
        File::options().write(true).open(&path).unwrap().set_len(bytes).unwrap();
        path
    }

    /// The folder of the state; servers that are started later have it.
    pub(crate) fn state(&self) -> PathBuf {
        let state = self.outside("state");
        fs::create_dir_all(&state).unwrap();
        state
    }

    /// Starts a server on two free ports, one plain and one at level 3.
    pub(crate) async fn serve(self) -> Served {
        self.serve_with(Level::Three, Limits::default()).await
    }

    pub(crate) async fn serve_with(self, level: Level, limits: Limits) -> Served {
        let options = TlsOptions::new(self.certificate(), level);
        self.serve_tls(options, limits).await
    }

    /// Starts a server as [`Fixture::serve_with`] does, with `options` for the encrypted port.
    pub(crate) async fn serve_tls(self, options: TlsOptions, limits: Limits) -> Served {
        self.serve_access(options, limits, Access::open()).await
    }

    /// Starts a server with a users file. Each user has groups and the password `NAME and NAME`.
    pub(crate) fn users(&self, users: &[(&str, &[&str])]) -> UsersFile {
        let mut file = Users::default();
        for (name, groups) in users {
            let groups = groups.iter().map(|group| (*group).to_owned()).collect();
            let password = Some(PasswordHash::new(&format!("{name} and {name}")).unwrap());
            let certificate = vec![format!("{name}@example.com").parse().unwrap()];
            file.add((*name).to_owned(), Account { groups, password, certificate }).unwrap();
        }
        let path = self.outside("users.toml");
        file.write(&path).unwrap();
        UsersFile::open(path).unwrap()
    }

    /// Users log in on the encrypted port; on the plain one everybody is `guest`.
    pub(crate) async fn serve_users(self, users: UsersFile, grants: Vec<Grant>) -> Served {
        let options = TlsOptions::new(self.certificate(), Level::Three);
        self.serve_access(options, Limits::default(), Access::secure(users, grants)).await
    }

    pub(crate) async fn serve_access(
        self,
        options: TlsOptions,
        limits: Limits,
        access: Access,
    ) -> Served {
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        let mut plain = Listener::plain(any).await.unwrap();
        if access.grants.is_some() {
            plain = plain.admit(Admission::Everybody("guest".to_owned()));
        }
        let tls = Listener::with_tls(any, options).await.unwrap();
        let reloader = tls.reloader().unwrap();
        let (plain_address, tls_address) = (plain.address(), tls.address());
        let data = DataRoot::open(self.data()).unwrap();
        let state = Some(self.outside("state")).filter(|state| state.is_dir());
        let keyring = self.keyring.clone();
        let (compression, compress_protected) = (self.compression, self.compress_protected);
        let config = Config {
            limits,
            state,
            keyring,
            compression,
            compress_protected,
            audit: self.audit.clone(),
            ..Config::new(data, access)
        };
        let mut server = Server::new(config);
        let mut monitor = None;
        if self.is_monitored {
            let port = Monitor::bind(any).await.unwrap();
            monitor = Some(port.address());
            server = server.with_monitor(port);
        }
        let (activity, rules) = (server.activity(), server.rules_reloader());
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server.serve(vec![plain, tls], async {
            let _ = stopped.await;
        }));
        Served {
            fixture: Arc::new(self),
            plain: plain_address,
            tls: tls_address,
            monitor,
            reloader,
            rules,
            activity,
            stop: Some(stop),
            serving,
        }
    }
}

/// A running server. It goes down with the runtime of its test.
pub(crate) struct Served {
    pub(crate) fixture: Arc<Fixture>,
    pub(crate) plain: SocketAddr,
    pub(crate) tls: SocketAddr,
    /// The port for monitors, if there is one.
    pub(crate) monitor: Option<SocketAddr>,
    /// Reads the files of the encrypted port again.
    pub(crate) reloader: Reloader,
    /// Replaces the grants, the protection and the keys.
    pub(crate) rules: RulesReloader,
    pub(crate) activity: Activity,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl Served {
    /// Starts the shutdown, without waiting for it.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until it has shut down.
    pub(crate) async fn stopped(self) {
        timeout(PATIENCE, self.serving).await.expect("the server goes down").unwrap();
    }
}

/// Runs `test` in a thread that may read only what file permissions allow, even as root. The same
/// is true for everything that it starts.
pub(crate) fn unprivileged(test: impl FnOnce() + Send + 'static) {
    let run = || {
        // a user who is not root has no capabilities to drop
        let _kept = set_capabilities_secure_bits(CapabilitiesSecureBits::NO_ROOT);
        let none = CapabilitySet::empty();
        set_capabilities(
            None,
            CapabilitySets { effective: none, permitted: none, inheritable: none },
        )
        .unwrap();
        test();
    };
    std::thread::spawn(run).join().unwrap();
}

/// Resident memory of this process, bytes.
pub(crate) fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
}

/// Writes into an existing file, and sets its time of modification back.
pub(crate) fn write_unseen(path: &Path, bytes: &[u8], at: u64) {
    let file = File::options().write(true).open(path).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    file.write_all_at(bytes, at).unwrap();
    file.set_modified(modified).unwrap();
}

pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_siftd"))
}
