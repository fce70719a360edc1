//! Chooses the compression of an answer: more while the link is slower than the server, less while
//! it is not.
//!
//! The link is the bottleneck if the writer waits for the peer most of the time. How much a
//! stronger compression would cost is known beforehand, so it is tried only on links that are slow
//! enough for it. What was learned is kept for the next answer on the same connection.

use std::time::Duration;

use sift_proto::frame::{Compression, feature};

/// The compression that a server uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CompressionChoice {
    /// By the speed of the link.
    #[default]
    Auto,
    /// None.
    Never,
    /// Always LZ4, for clients that know it.
    Lz4,
    /// Always Zstandard, for clients that know it.
    Zstd,
}

/// A step: a compression, and the speed of a link below which it can pay, in bytes a second.
///
/// On the machine of benches/RESULTS.md one thread compresses narrow records of lineitem by LZ4 at
/// 400 MB/s, by Zstandard 1 at 300 MB/s and by Zstandard 6 at 60 MB/s.
const STEPS: [(Option<Compression>, u64); 4] = [
    (None, u64::MAX),
    (Some(Compression::Lz4), 300 << 20),
    (Some(Compression::Zstd(1)), 200 << 20),
    (Some(Compression::Zstd(6)), 20 << 20),
];

/// The shares of time, in percent, that a writer waits for its peer: from `SLOW` on the link is the
/// bottleneck, up to `FAST` the server is.
const SLOW_PERCENT: u128 = 50;
const FAST_PERCENT: u128 = 10;

/// The time and the bytes after which a step is judged.
const WINDOW_TIME: Duration = Duration::from_millis(20);
const WINDOW_BYTES: u64 = 256 << 10;

/// The number of windows that a step back holds, at first and at most. It doubles each time, so that
/// a link between two steps does not cost a change in each window.
const HOLD_MIN: u32 = 4;
const HOLD_MAX: u32 = 64;

/// What is known about the link to a peer.
#[derive(Debug)]
pub(crate) struct Link {
    choice: CompressionChoice,
    knows_lz4: bool,
    knows_zstd: bool,
    /// The client wants compression on fast links, too.
    always: bool,
    step: usize,
    window: Window,
    /// The windows in which no stronger compression is tried.
    held: u32,
    hold: u32,
}

#[derive(Debug, Default)]
struct Window {
    bytes: u64,
    waited: Duration,
    elapsed: Duration,
}

impl Link {
    /// Makes the state of a new connection to a client with these features.
    pub(crate) fn new(choice: CompressionChoice, features: &[String]) -> Self {
        let knows = |name: &str| features.iter().any(|feature| feature == name);
        Self {
            choice,
            knows_lz4: knows(feature::LZ4),
            knows_zstd: knows(feature::ZSTD),
            always: knows(feature::COMPRESS),
            step: 0,
            window: Window::default(),
            held: 0,
            hold: HOLD_MIN,
        }
    }

    /// Returns the compression of the next batch.
    pub(crate) fn compression(&self) -> Option<Compression> {
        let weak = if self.knows_lz4 { Compression::Lz4 } else { Compression::Zstd(1) };
        let compression = match self.choice {
            CompressionChoice::Auto if self.always && self.step == 0 => Some(weak),
            CompressionChoice::Auto => {
                STEPS.get(self.step).and_then(|(compression, _)| *compression)
            }
            CompressionChoice::Never => None,
            CompressionChoice::Lz4 => Some(Compression::Lz4),
            CompressionChoice::Zstd => Some(Compression::Zstd(1)),
        };
        compression.filter(|compression| self.knows(*compression))
    }

    fn knows(&self, compression: Compression) -> bool {
        match compression {
            Compression::Lz4 => self.knows_lz4,
            Compression::Zstd(_) => self.knows_zstd,
        }
    }

    /// Learns from sending `bytes` bytes: the writer waited for the peer for the time `waited` of
    /// `elapsed`, in which the bytes were also made.
    pub(crate) fn sent(&mut self, bytes: u64, waited: Duration, elapsed: Duration) {
        let window = &mut self.window;
        window.bytes += bytes;
        window.waited += waited;
        window.elapsed += elapsed;
        if window.elapsed < WINDOW_TIME || window.bytes < WINDOW_BYTES {
            return;
        }
        let Window { bytes, waited, elapsed } = std::mem::take(window);
        let micros = elapsed.as_micros().max(1);
        let waited_percent = waited.as_micros() * 100 / micros;
        let bytes_per_second = u128::from(bytes) * 1_000_000 / micros;
        self.held = self.held.saturating_sub(1);
        if waited_percent >= SLOW_PERCENT {
            let next = (self.step + 1..STEPS.len()).find(|&step| {
                STEPS.get(step).is_some_and(|(compression, speed_max)| {
                    compression.is_some_and(|compression| self.knows(compression))
                        && bytes_per_second < u128::from(*speed_max)
                })
            });
            if let Some(next) = next.filter(|_| self.held == 0) {
                self.step = next;
            }
        } else if waited_percent <= FAST_PERCENT && self.step > 0 {
            let known = |&step: &usize| {
                STEPS.get(step).is_some_and(|(compression, _)| {
                    compression.is_none_or(|compression| self.knows(compression))
                })
            };
            self.step = (0..self.step).rev().find(known).unwrap_or_default();
            self.held = self.hold;
            self.hold = (self.hold * 2).min(HOLD_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(choice: CompressionChoice, features: &[&str]) -> Link {
        let features: Vec<_> = features.iter().map(ToString::to_string).collect();
        Link::new(choice, &features)
    }

    /// Sends over a link of this speed what a server makes at that speed, for so many windows.
    /// Speeds are in MB a second, after compression.
    fn run(link: &mut Link, speed: u64, made: u64, windows: u32) -> Vec<Option<Compression>> {
        let mut used = Vec::new();
        for _ in 0..windows {
            used.push(link.compression());
            let bytes = speed.min(made) << 20;
            let waited = 1000 - (1000 * speed.min(made) / made);
            link.sent(bytes, Duration::from_millis(waited), Duration::from_secs(1));
        }
        used
    }

    const ALL: &[&str] = &[feature::LZ4, feature::ZSTD];

    #[test]
    fn a_slow_link_gets_more_and_more() {
        let mut slow = link(CompressionChoice::Auto, ALL);
        let used = run(&mut slow, 12, 600, 5);
        let expected = [None, Some(Compression::Lz4), Some(Compression::Zstd(1))];
        assert_eq!(used[..3], expected);
        assert_eq!(used[3..], [Some(Compression::Zstd(6)); 2]);
        // the next answer begins where this one ended, and a faster link gets less
        assert_eq!(
            run(&mut slow, 600, 500, 2),
            [Some(Compression::Zstd(6)), Some(Compression::Zstd(1))]
        );
    }

    #[test]
    fn a_fast_link_gets_none() {
        let mut fast = link(CompressionChoice::Auto, ALL);
        assert_eq!(run(&mut fast, 800, 4000, 9), [None; 9]);
        assert_eq!(run(&mut fast, 150, 150, 9), [None; 9]);
    }

    #[test]
    fn a_link_between_two_steps_rarely_changes() {
        let mut between = link(CompressionChoice::Auto, ALL);
        let changes = (0..1000).filter(|_| {
            let before = between.compression();
            let made = if before.is_none() { 600 } else { 100 };
            run(&mut between, 150, made, 1);
            before != between.compression()
        });
        assert!(changes.count() < 50);
    }

    #[test]
    fn a_client_gets_only_what_it_knows() {
        assert_eq!(run(&mut link(CompressionChoice::Auto, &[]), 1, 600, 9), [None; 9]);
        let used = run(&mut link(CompressionChoice::Auto, &[feature::ZSTD]), 1, 600, 2);
        assert_eq!(used, [None, Some(Compression::Zstd(1))]);
        let lz4 = link(CompressionChoice::Lz4, &[feature::ZSTD]);
        assert_eq!(lz4.compression(), None);
        assert_eq!(link(CompressionChoice::Zstd, ALL).compression(), Some(Compression::Zstd(1)));
        assert_eq!(run(&mut link(CompressionChoice::Never, ALL), 1, 600, 9), [None; 9]);
    }
}
