//! `siftd` as a service: what it tells systemd, whose socket the test has.

use std::os::unix::net::UnixDatagram;

use crate::command::{Running, siftd};
use crate::fixture::{Fixture, PATIENCE};

struct Systemd(UnixDatagram);

impl Systemd {
    fn start(fixture: &Fixture, watchdog_micros: &str) -> (Self, Running) {
        let path = fixture.outside("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let data = fixture.data().display().to_string();
        let serve = ["serve", "--data", &data, "--port", "0", "--plain", "--no-secure"];
        let mut command = siftd(fixture, &serve);
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", watchdog_micros);
        (Self(socket), Running::of(&mut command))
    }

    fn next(&self) -> String {
        let mut bytes = [0; 200];
        let length = self.0.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    /// Returns the next state that is not from the watchdog.
    fn state(&self) -> String {
        std::iter::repeat_with(|| self.next()).find(|state| state != "WATCHDOG=1").unwrap()
    }
}

#[test]
fn systemd_is_told_of_the_start_of_reloads_and_of_the_end() {
    let fixture = Fixture::with_files();
    let (systemd, mut siftd) = Systemd::start(&fixture, "0");
    assert_eq!(systemd.next(), "READY=1");
    for _ in 0..2 {
        siftd.signal("HUP");
        assert!(systemd.next().starts_with("RELOADING=1\nMONOTONIC_USEC="));
        assert_eq!(systemd.next(), "READY=1");
    }
    siftd.signal("TERM");
    assert_eq!(systemd.next(), "STOPPING=1");
    assert_eq!(siftd.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_server_that_moves_tells_the_watchdog() {
    let fixture = Fixture::with_files();
    let (systemd, siftd) = Systemd::start(&fixture, "200000");
    assert_eq!(systemd.state(), "READY=1");
    for _ in 0..5 {
        assert_eq!(systemd.next(), "WATCHDOG=1");
    }
    siftd.signal("TERM");
    assert_eq!(systemd.state(), "STOPPING=1");
}
