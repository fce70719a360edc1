//! The machine of a measurement, and the figures of Linux about a process. Other systems have few.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::temporal_conversions::timestamp_s_to_datetime;
use serde::{Deserialize, Serialize};

/// The machine, the software and the time of a measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The command line.
    pub command: Vec<String>,
    /// The version of Sift.
    pub version: String,
    /// The commit of the working directory, with `+` if it has changes; empty outside of a
    /// checkout.
    pub commit: String,
    /// The time, UTC.
    pub started: String,
    /// The model of the processor.
    pub processor: String,
    /// The number of threads that this process may use at once.
    pub threads: usize,
    /// The memory of the machine.
    pub memory_bytes: u64,
    /// The release of the kernel.
    pub kernel: String,
}

impl Setting {
    /// Describes this machine, now.
    pub fn here() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self {
            command: std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: commit(),
            started: now(),
            processor: value_of(&read("/proc/cpuinfo"), "model name").to_owned(),
            threads: available_parallelism().map_or(1, usize::from),
            memory_bytes: kibibytes(&read("/proc/meminfo"), "MemTotal"),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        }
    }
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let Some(hash) = git(&["rev-parse", "--short=10", "HEAD"]) else { return String::new() };
    let changed = git(&["status", "--porcelain", "-uno"]).is_some_and(|text| !text.is_empty());
    if changed { hash + "+" } else { hash }
}

fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |past| past.as_secs());
    let time = i64::try_from(seconds).ok().and_then(timestamp_s_to_datetime);
    time.map_or_else(String::new, |time| format!("{time} UTC"))
}

/// A process whose CPU time and memory are measured.
#[derive(Clone, Copy, Debug)]
pub struct Process {
    id: u32,
}

impl Process {
    /// Returns the process with an id.
    pub fn with_id(id: u32) -> Self {
        Self { id }
    }

    /// Returns this process.
    pub fn this() -> Self {
        Self { id: std::process::id() }
    }

    /// Returns the user and system time of all threads so far, also of ended ones, in steps of 10
    /// ms.
    pub fn cpu_seconds(self) -> Option<f64> {
        const TICKS_PER_SECOND: f64 = 100.0;
        let text = fs::read_to_string(format!("/proc/{}/stat", self.id)).ok()?;
        // the second field is the name in parentheses, which may contain anything
        let mut fields = text.get(text.rfind(')')? + 2..)?.split(' ').skip(11);
        let user: f64 = fields.next()?.parse().ok()?;
        let system: f64 = fields.next()?.parse().ok()?;
        Some((user + system) / TICKS_PER_SECOND)
    }

    /// Returns the maximal resident memory since [`forget_peak`](Self::forget_peak), in bytes.
    pub fn resident_bytes_max(self) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.id)).ok()?;
        Some(kibibytes(&text, "VmHWM")).filter(|&bytes| bytes > 0)
    }

    /// Returns the resident memory now, in bytes.
    pub fn resident_bytes(self) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.id)).ok()?;
        Some(kibibytes(&text, "VmRSS")).filter(|&bytes| bytes > 0)
    }

    /// Returns the number of open file descriptors now.
    pub fn descriptors(self) -> Option<u64> {
        Some(fs::read_dir(format!("/proc/{}/fd", self.id)).ok()?.count() as u64)
    }

    /// Resets the peak to the resident memory now, if the kernel allows it.
    pub fn forget_peak(self) {
        // "5" resets VmHWM: Documentation/filesystems/proc.rst of Linux
        let _ = fs::write(format!("/proc/{}/clear_refs", self.id), "5");
    }
}

/// Returns the bytes that the loopback interface of this network namespace has received.
pub fn loopback_bytes() -> Option<u64> {
    // not /sys/class/net, which shows the namespace that it was mounted in
    let text = fs::read_to_string("/proc/net/dev").ok()?;
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix("lo:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn value_of<'a>(text: &'a str, key: &str) -> &'a str {
    let line = text.lines().find(|line| line.starts_with(key));
    line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
}

fn kibibytes(text: &str, key: &str) -> u64 {
    let value = value_of(text, key).trim_end_matches(" kB");
    value.parse::<u64>().map_or(0, |kibibytes| kibibytes * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::hint::black_box;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_busy_process_is_seen_to_be_busy() {
        let before = Process::this().cpu_seconds().unwrap();
        let start = Instant::now();
        while start.elapsed().as_millis() < 200 {
            black_box((0..1000).sum::<u64>());
        }
        assert!(Process::this().cpu_seconds().unwrap() > before);
    }

    #[test]
    fn bytes_over_loopback_are_counted() {
        use std::io::{Read as _, Write as _};
        use std::net::{Ipv4Addr, TcpListener, TcpStream};
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut receiver = listener.accept().unwrap().0;
        let before = loopback_bytes().unwrap();
        sender.write_all(&[1; 50_000]).unwrap();
        receiver.read_exact(&mut [0; 50_000]).unwrap();
        assert!(loopback_bytes().unwrap() >= before + 50_000);
    }

    #[test]
    fn memory_that_was_used_is_in_the_peak() {
        Process::this().forget_peak();
        black_box(vec![1_u8; 64 << 20]);
        assert!(Process::this().resident_bytes_max().unwrap() >= 64 << 20);
    }
}
