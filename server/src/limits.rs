//! The limits of a server.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::time::Duration;

/// Bounds of a server. Each tells its default and what a client sees where it is hit.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections open at once; 256. One more is told `SERVER_BUSY`.
    pub connections_max: NonZeroUsize,
    /// Connections that have not said Hello yet; 64. More wait in the kernel's queue.
    pub handshakes_max: NonZeroUsize,
    /// From the connection to the end of Hello; 10 s. Then the connection is closed.
    pub handshake_time: Duration,
    /// Log-ins by password that may fail from one address, for IPv6 from one /64; 10. One more is
    /// `LOGIN_REJECTED`, with the time to wait.
    pub login_failures_max: NonZeroU32,
    /// As above for one user name from all addresses; 50: more, so that who guesses at one does
    /// not lock him out at once.
    pub login_failures_per_user_max: NonZeroU32,
    /// For one failed log-in to be forgiven; 30 s.
    pub login_forgiven_time: Duration,
    /// Passwords that are checked at once, at 19 MiB and a thread each; 4. More wait, within the
    /// time for Hello.
    pub password_checks_max: NonZeroUsize,
    /// From one answer to the whole next request; 10 min. Then `IDLE_TIMEOUT`.
    pub idle_time: Duration,
    /// For a client to take any byte of an answer; 60 s. Then the connection is closed.
    pub write_stall_time: Duration,
    /// The maximal time for the server's work on one Select: for planning, and for waiting for each
    /// batch; 600 s. A longer Select ends with `LIMIT_EXCEEDED`. The time in which a client reads
    /// the answer is not counted.
    pub query_time: Duration,
    /// For answers under way when the server shuts down; 30 s. Then they are cut off.
    pub grace_time: Duration,
    /// Text of a Select; 64 KiB. A longer one is `LIMIT_EXCEEDED`.
    pub sql_bytes_max: NonZeroU32,
    /// Bytes of a file that one job of the pool works on; 4 MiB: about a millisecond.
    pub morsel_bytes: NonZeroUsize,
    /// Morsels of one Select that run or wait to be sent; twice the pool's threads. Times
    /// `morsel_bytes`, about, this is what a slow client costs.
    pub morsels_in_flight_max: NonZeroUsize,
    /// Files in the answer to List; 10,000. More are `LIMIT_EXCEEDED`.
    pub list_files_max: NonZeroUsize,
    /// Entries that List looks at; 100,000. More are `LIMIT_EXCEEDED`.
    pub list_entries_max: NonZeroUsize,
    /// Folders within folders that List goes down; 32. Deeper ones are `LIMIT_EXCEEDED`.
    pub list_depth_max: NonZeroUsize,
    /// Files that are kept open, with what is known of their columns; 64. The least recently used
    /// is opened anew.
    pub sources_max: NonZeroUsize,
    /// Files that one Select reads by a pattern, each of which is open while it does; 256. More are
    /// `LIMIT_EXCEEDED`.
    pub pattern_files_max: NonZeroUsize,
    /// Memory for the groups and the sorted records of one Select; 256 MiB. Groups beyond it are
    /// `LIMIT_EXCEEDED`; records are sorted on disk.
    pub query_memory_bytes_max: NonZeroUsize,
    /// The same for all Selects together; 1 GiB.
    pub memory_bytes_max: NonZeroUsize,
    /// Disk for records that are sorted there, of all Selects together; 64 GiB. More are
    /// `LIMIT_EXCEEDED`.
    pub spill_bytes_max: NonZeroU64,
}

impl Default for Limits {
    fn default() -> Self {
        fn count(count: usize) -> NonZeroUsize {
            NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN)
        }
        Self {
            connections_max: count(256),
            handshakes_max: count(64),
            handshake_time: Duration::from_secs(10),
            login_failures_max: NonZeroU32::new(10).unwrap_or(NonZeroU32::MIN),
            login_failures_per_user_max: NonZeroU32::new(50).unwrap_or(NonZeroU32::MIN),
            login_forgiven_time: Duration::from_secs(30),
            password_checks_max: count(4),
            idle_time: Duration::from_secs(600),
            write_stall_time: Duration::from_secs(60),
            query_time: Duration::from_secs(600),
            grace_time: Duration::from_secs(30),
            sql_bytes_max: NonZeroU32::new(64 << 10).unwrap_or(NonZeroU32::MIN),
            morsel_bytes: count(4 << 20),
            morsels_in_flight_max: count(2 * crate::pool::threads()),
            list_files_max: count(10_000),
            list_entries_max: count(100_000),
            list_depth_max: count(32),
            sources_max: count(64),
            pattern_files_max: count(256),
            query_memory_bytes_max: count(256 << 20),
            memory_bytes_max: count(1 << 30),
            spill_bytes_max: NonZeroU64::new(64 << 30).unwrap_or(NonZeroU64::MIN),
        }
    }
}
