//! The limits of a server: one table, from which the fields, their defaults and bounds, the keys of
//! the configuration file, its example and the help come.

use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// Makes [`Limits`] of a table. A line has the text of the help, the field, the key if it is not
/// called like the field, the type, the default, and the greatest value that makes sense. Times are
/// numbers of seconds. `#[serde(skip)]` marks a key that is not in the section `[limits]`.
macro_rules! limits {
    ($(
        $(#[doc = $help:literal])+
        $(#[serde($skip:ident)])?
        $field:ident $(as $key:literal)?: $Type:ty = $default:expr $(, at most $bound:expr)?;
    )+) => {
        /// The limits of a server.
        #[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Limits {
            $(
                $(#[doc = $help])+
                ///
                #[doc = concat!("Default: `", stringify!($default), "`.")]
                $(#[doc = concat!("At most `", stringify!($bound), "`.")])?
                $(#[serde(rename = $key)])?
                $(#[serde($skip)])?
                #[serde(deserialize_with = "Quantity::read")]
                pub $field: $Type,
            )+
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($field: Quantity::of($default),)+ }
            }
        }

        impl Limits {
            /// Returns the table, in the order of the fields.
            pub fn table() -> Vec<Limit> {
                vec![$(Limit {
                    key: limits!(@key $field $($key)?),
                    default: $default,
                    bound: limits!(@bound $($bound)?),
                    help: concat!($($help),+),
                },)+]
            }

            /// Checks the values against their bounds.
            ///
            /// # Errors
            /// The first limit that is beyond its bound.
            pub fn check(&self) -> Result<(), LimitFault> {
                let values = [$(self.$field.number()),+];
                for (limit, got) in Self::table().into_iter().zip(values) {
                    if let Some(max) = limit.bound && got > max {
                        return Err(LimitFault { key: limit.key, got, max });
                    }
                }
                Ok(())
            }
        }
    };
    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };
    (@bound) => { None };
    (@bound $bound:expr) => { Some($bound) };
}

limits! {
    /// Open connections. One more is refused with `SERVER_BUSY`.
    #[serde(skip)]
    connections_max as "max_connections": NonZeroUsize = 256, at most 1 << 20;

    /// Open connections of one user who logged in. One more is refused with `SERVER_BUSY`.
    connections_per_user_max: NonZeroUsize = 64, at most 1 << 20;

    /// Open connections from one address, for IPv6 from one /64. One more is refused with
    /// `SERVER_BUSY`.
    connections_per_address_max: NonZeroUsize = 128, at most 1 << 20;

    /// Connections of one listener whose Hello has not been answered, a quarter of them from one
    /// address. If one more comes, the oldest one that has sent nothing is closed; if there is
    /// none, the new one is.
    pending_connections_max: NonZeroUsize = 1024, at most 1 << 20;

    /// Handshakes that one listener performs at once, a quarter of them for one address. More wait,
    /// within `handshake_seconds`.
    handshakes_max: NonZeroUsize = 64, at most 1 << 20;

    /// The time from the connection to its first byte. Then the connection is closed.
    first_byte_time as "first_byte_seconds": Duration = 2;

    /// The time from the connection to the end of Hello. Then the connection is closed.
    handshake_time as "handshake_seconds": Duration = 10;

    /// Failed log-ins by password for one user name from one address, for IPv6 from one /64. One
    /// more is refused with `LOGIN_REJECTED` and the time to wait. Other users of the address, and
    /// the user at other addresses, log in as before.
    login_failures_max: NonZeroU32 = 10;

    /// Failed log-ins by password from one address for all user names. After them, each log-in by
    /// password from there is answered a second later.
    login_failures_per_address_max: NonZeroU32 = 50;

    /// The time after which one failed log-in is forgiven.
    login_forgiven_time as "login_forgiven_seconds": Duration = 30;

    /// Passwords that are checked at once, with 19 MiB of memory and a thread for each; half of
    /// them for one address. More wait, within `handshake_seconds`.
    password_checks_max: NonZeroUsize = 4, at most 64;

    /// The time from one answer to the whole next request. Then the connection ends with
    /// `IDLE_TIMEOUT`.
    idle_time as "idle_seconds": Duration = 600;

    /// The time for a client to take any byte of its answer. Then the connection is closed.
    write_stall_time as "write_stall_seconds": Duration = 60;

    /// The time for the server's work on one Select: planning, opening files, and waiting for each
    /// batch of the answer. The time in which a client reads the answer is not counted. A longer
    /// Select ends with `LIMIT_EXCEEDED`.
    query_time as "query_seconds_max": Duration = 600;

    /// Requests of one user that are answered at once: Selects, fetches, lists, descriptions. More
    /// wait in the order in which they come, for `queue_seconds_max`.
    queries_per_user_max: NonZeroUsize = 128, at most 1 << 20;

    /// The time for which a request waits until others of its user have ended. Then it ends with
    /// `SERVER_BUSY`.
    queue_time as "queue_seconds_max": Duration = 60;

    /// The time for answers under way when the server shuts down. Then they are cut off.
    grace_time as "grace_seconds": Duration = 30;

    /// The text of a Select. A longer text is refused with `LIMIT_EXCEEDED`.
    sql_bytes_max: NonZeroU32 = 64 << 10, at most 64 << 10;

    /// Bytes of a file that one job of the thread pool works on: about a millisecond.
    morsel_bytes: NonZeroUsize = 4 << 20, at most 64 << 20;

    /// Jobs of one Select that run or wait to be sent; twice the processor's threads by default.
    /// Times `morsel_bytes`, about, this is the memory that a slow client costs.
    morsels_in_flight_max: NonZeroUsize = 2 * crate::pool::threads() as u64, at most 1 << 16;

    /// Files in the answer to one List. With more, List is refused with `LIMIT_EXCEEDED`.
    list_files_max: NonZeroUsize = 10_000;

    /// Entries of folders that one List looks at. With more, List is refused with `LIMIT_EXCEEDED`.
    list_entries_max: NonZeroUsize = 100_000;

    /// Folders within folders that List goes down, on the stack of a thread. With more, List is
    /// refused with `LIMIT_EXCEEDED`.
    list_depth_max: NonZeroUsize = 32, at most 256;

    /// Files that stay open, with their columns. The file that was not used for the longest time is
    /// closed first.
    sources_max: NonZeroUsize = 64;

    /// Files that one Select reads by a pattern; each is open during the Select. With more, the
    /// Select is refused with `LIMIT_EXCEEDED`.
    pattern_files_max: NonZeroUsize = 256;

    /// Memory for the groups and the sorted records of one Select. If they need more, they go to
    /// disk, in the `state` folder. ORDER BY with a small LIMIT needs next to nothing.
    query_memory_bytes_max: NonZeroUsize = 256 << 20;

    /// Memory of the server, about; by default half of the machine's, and at most three quarters of
    /// the limits of its control groups. A quarter is for groups and sorted records, a quarter for
    /// Selects under way and for records that wait to be sent. When that is full, Selects wait, for
    /// `queue_seconds_max`.
    memory_bytes_max: NonZeroUsize = crate::memory::available::default_bytes_max();

    /// Disk for groups and sorted records, of all Selects together. If they need more, a Select
    /// ends with `LIMIT_EXCEEDED`.
    spill_bytes_max: NonZeroU64 = 64 << 30;
}

/// A line of the table of limits.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The key in the configuration file; its name has the unit.
    pub key: &'static str,
    /// The value without a configuration.
    pub default: u64,
    /// The greatest value that makes sense, if there is one.
    pub bound: Option<u64>,
    help: &'static str,
}

impl Limit {
    /// Returns the help: what is limited, what happens beyond the limit, and the bound.
    pub fn help(&self) -> String {
        let help = self.help.trim_start().replace('`', "");
        match self.bound {
            Some(bound) => format!("{help} At most {bound}."),
            None => help,
        }
    }
}

/// A limit that is set beyond its bound.
#[derive(Debug, thiserror::Error)]
#[error("`{key}` is {got}, at most {max} is accepted")]
pub struct LimitFault {
    key: &'static str,
    got: u64,
    max: u64,
}

/// A type of the table, as a number.
trait Quantity: Sized {
    /// Converts a number of the table.
    fn of(number: u64) -> Self;

    fn number(self) -> u64;

    /// Reads the value of a key.
    fn read<'de, D: Deserializer<'de>>(value: D) -> Result<Self, D::Error>;
}

macro_rules! quantity {
    ($($Type:ty)+) => {$(
        impl Quantity for $Type {
            fn of(number: u64) -> Self {
                let number = NonZeroU64::new(number);
                number.and_then(|number| number.try_into().ok()).unwrap_or(Self::MIN)
            }

            fn number(self) -> u64 {
                NonZeroU64::try_from(self).map_or(u64::MAX, NonZeroU64::get)
            }

            fn read<'de, D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
                Self::deserialize(value)
            }
        }
    )+};
}

quantity! { NonZeroU32 NonZeroU64 NonZeroUsize }

/// A number of seconds.
impl Quantity for Duration {
    fn of(number: u64) -> Self {
        Self::from_secs(number)
    }

    fn number(self) -> u64 {
        self.as_secs()
    }

    fn read<'de, D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        NonZeroU32::deserialize(value).map(|seconds| Self::from_secs(seconds.get().into()))
    }
}
