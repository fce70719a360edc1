//! Chooses the compression of an answer: more while the link is slower than the server, less while
//! it is not.
//!
//! If the writer waits for the peer for much of the time, the link is the bottleneck. Then a
//! stronger compression is tried. It stays if more records leave in the same time. What was learned
//! is kept for the next answer on the same connection.

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

/// A compression, and the speed of a link below which it is tried, in bytes a second.
type Step = (Option<Compression>, u64);

/// The steps of [`CompressionChoice::Auto`], from the weakest on.
///
/// On the machine of benches/RESULTS.md one thread compresses narrow records of lineitem by LZ4 at
/// 940 MB/s to 63 %, by Zstandard 1 at 550 MB/s to 47 % and by Zstandard 3 at 410 MB/s to 44 %
/// (`cargo bench --workspace --bench codec`).
const STEPS: [Step; 4] = [
    (None, u64::MAX),
    (Some(Compression::Lz4), 300 << 20),
    (Some(Compression::Zstd(1)), 200 << 20),
    (Some(Compression::Zstd(3)), 40 << 20),
];

/// The shares of time, in percent, that a writer waits for its peer: from `SLOW` on a stronger
/// compression is tried, up to `FAST` a weaker one.
const SLOW_PERCENT: u128 = 20;
const FAST_PERCENT: u128 = 10;

/// The share of the speed before, in percent, that a stronger and a weaker compression must reach.
/// A stronger one costs time of the processors, so it must be faster.
const STRONGER_PERCENT: u128 = 105;
const WEAKER_PERCENT: u128 = 98;

/// The time and the bytes after which a step is judged.
const WINDOW_TIME: Duration = Duration::from_millis(20);
const WINDOW_BYTES: u64 = 256 << 10;

/// The number of windows without a trial after one that failed, at first and at most. It doubles
/// with each failure.
const HOLD_MIN: u32 = 8;
const HOLD_MAX: u32 = 128;

/// The measured speed of the link to a peer, and the compression that follows from it.
#[derive(Debug)]
pub(crate) struct Link {
    /// The steps that may be used, from the weakest on; at least one.
    steps: Vec<Step>,
    step: usize,
    /// The step before the one that is being tried, and its speed in plain bytes a second.
    trial: Option<(usize, u128)>,
    window: Window,
    /// The windows in which no other step is tried.
    held: u32,
    hold: u32,
}

/// Frames that were sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    /// The compression that was chosen for them.
    pub(crate) compression: Option<Compression>,
    /// Their bytes before they were compressed.
    pub(crate) plain_bytes: u64,
    /// Their bytes on the link.
    pub(crate) bytes: u64,
    /// The part of `elapsed` in which the peer took nothing.
    pub(crate) blocked: Duration,
    /// The time since the frames before were sent.
    pub(crate) elapsed: Duration,
}

/// The sums of what was sent with one step, since it was judged or chosen.
#[derive(Debug, Default)]
struct Window {
    plain_bytes: u64,
    bytes: u64,
    blocked: Duration,
    elapsed: Duration,
}

impl Link {
    /// Makes the state of a new connection to a client with these features. On loopback nothing is
    /// compressed unless somebody asks for it: a client that waits for a processor looks like a slow
    /// link, and compression would take the processor from it.
    pub(crate) fn new(choice: CompressionChoice, features: &[String], is_loopback: bool) -> Self {
        let has = |name: &str| features.iter().any(|feature| feature == name);
        let knows = |compression: Option<Compression>| match compression {
            None => true,
            Some(Compression::Lz4) => has(feature::LZ4),
            Some(Compression::Zstd(_)) => has(feature::ZSTD),
        };
        let always = |compression| vec![(Some(compression), u64::MAX)];
        let mut steps = match choice {
            CompressionChoice::Auto if is_loopback && !has(feature::COMPRESS) => Vec::new(),
            CompressionChoice::Auto => STEPS.to_vec(),
            CompressionChoice::Never => Vec::new(),
            CompressionChoice::Lz4 => always(Compression::Lz4),
            CompressionChoice::Zstd => always(Compression::Zstd(1)),
        };
        steps.retain(|(compression, _)| knows(*compression));
        if has(feature::COMPRESS) {
            // the client wants compression on fast links, too
            steps.retain(|(compression, _)| compression.is_some());
        }
        if steps.is_empty() {
            steps.push((None, u64::MAX));
        }
        let window = Window::default();
        Self { steps, step: 0, trial: None, window, held: 0, hold: HOLD_MIN }
    }

    /// Returns the compression of the next batch.
    pub(crate) fn compression(&self) -> Option<Compression> {
        self.steps.get(self.step).and_then(|(compression, _)| *compression)
    }

    /// Learns from what was sent.
    pub(crate) fn sent(&mut self, sent: Sent) {
        if sent.compression != self.compression() {
            // it was made before the step changed
            self.window = Window::default();
            return;
        }
        let window = &mut self.window;
        window.plain_bytes += sent.plain_bytes;
        window.bytes += sent.bytes;
        window.blocked += sent.blocked;
        window.elapsed += sent.elapsed;
        if window.elapsed < WINDOW_TIME || window.bytes < WINDOW_BYTES {
            return;
        }
        let Window { plain_bytes, bytes, blocked, elapsed } = std::mem::take(window);
        let micros = elapsed.as_micros().max(1);
        let a_second = |bytes: u64| u128::from(bytes) * 1_000_000 / micros;
        let speed = a_second(plain_bytes);
        if let Some((from, speed_before)) = self.trial.take() {
            self.judge(from, speed_before, speed);
        } else if self.held > 0 {
            self.held -= 1;
        } else if let Some(next) = match blocked.as_micros() * 100 / micros {
            SLOW_PERCENT.. => self.stronger(a_second(bytes)),
            ..=FAST_PERCENT => self.step.checked_sub(1),
            _ => None,
        } {
            self.trial = Some((self.step, speed));
            self.step = next;
        }
    }

    /// Keeps the step that was tried, or goes back to the step before.
    fn judge(&mut self, from: usize, speed_before: u128, speed: u128) {
        let percent = if self.step > from { STRONGER_PERCENT } else { WEAKER_PERCENT };
        if speed * 100 >= speed_before * percent {
            self.hold = HOLD_MIN;
        } else {
            self.step = from;
            self.held = self.hold;
            self.hold = (self.hold * 2).min(HOLD_MAX);
        }
    }

    /// Returns the next stronger step, if it is for a link of this speed.
    fn stronger(&self, bytes_per_second: u128) -> Option<usize> {
        let next = self.step + 1;
        let (_, speed_max) = self.steps.get(next)?;
        (bytes_per_second < u128::from(*speed_max)).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(choice: CompressionChoice, features: &[&str]) -> Link {
        let features: Vec<_> = features.iter().map(ToString::to_string).collect();
        Link::new(choice, &features, false)
    }

    /// Sends over a link of this speed what a server makes at that speed, for so many windows.
    /// Speeds are in MB a second; LZ4 halves the bytes, Zstandard gives 40 % and 36 %. `cost` is
    /// the work for compression, as a part of the time for making records.
    fn run(
        link: &mut Link,
        speed: f64,
        made: f64,
        cost: f64,
        windows: u32,
    ) -> Vec<Option<Compression>> {
        let mut used = Vec::new();
        for _ in 0..windows {
            let compression = link.compression();
            let (percent, work) = match compression {
                None => (100_u32, 1.0),
                Some(Compression::Lz4) => (50, 1.0 + cost),
                Some(Compression::Zstd(1)) => (40, 1.0 + 2.0 * cost),
                Some(Compression::Zstd(_)) => (36, 1.0 + 3.0 * cost),
            };
            // records of 16 MB
            let making = 16.0 * work / made;
            let elapsed = making.max(0.16 * f64::from(percent) / speed);
            link.sent(Sent {
                compression,
                plain_bytes: 16 << 20,
                bytes: (16 << 20) * u64::from(percent) / 100,
                blocked: Duration::from_secs_f64(elapsed - making),
                elapsed: Duration::from_secs_f64(elapsed),
            });
            used.push(compression);
        }
        used
    }

    const ALL: &[&str] = &[feature::LZ4, feature::ZSTD];
    const LZ4: Option<Compression> = Some(Compression::Lz4);
    const ZSTD_1: Option<Compression> = Some(Compression::Zstd(1));
    const ZSTD_3: Option<Compression> = Some(Compression::Zstd(3));

    fn changes(used: &[Option<Compression>]) -> usize {
        used.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }

    #[test]
    fn a_slow_link_gets_more_and_more() {
        let mut slow = link(CompressionChoice::Auto, ALL);
        let used = run(&mut slow, 12.0, 600.0, 0.5, 7);
        assert_eq!(used, [None, LZ4, LZ4, ZSTD_1, ZSTD_1, ZSTD_3, ZSTD_3]);
        // the next answer begins where this one ended, and a faster link gets less
        let used = run(&mut slow, 4000.0, 500.0, 0.5, 40);
        assert_eq!(used[0], ZSTD_3);
        assert_eq!(used[39], None);
    }

    #[test]
    fn loopback_gets_none_unless_somebody_asks() {
        let link = |choice, features: &[&str]| {
            let features: Vec<_> = features.iter().map(ToString::to_string).collect();
            Link::new(choice, &features, true)
        };
        let mut auto = link(CompressionChoice::Auto, ALL);
        assert_eq!(run(&mut auto, 12.0, 600.0, 0.5, 9), [None; 9]);
        let asked = [ALL, &[feature::COMPRESS]].concat();
        assert_eq!(link(CompressionChoice::Auto, &asked).compression(), LZ4);
        assert_eq!(link(CompressionChoice::Zstd, ALL).compression(), ZSTD_1);
        assert_eq!(link(CompressionChoice::Never, &asked).compression(), None);
    }

    #[test]
    fn a_fast_link_gets_none() {
        let mut fast = link(CompressionChoice::Auto, ALL);
        assert_eq!(run(&mut fast, 4000.0, 800.0, 0.5, 9), [None; 9]);
        assert_eq!(run(&mut fast, 150.0, 150.0, 0.5, 9), [None; 9]);
        // the peer is slow, but faster than any compression
        assert_eq!(run(&mut fast, 400.0, 800.0, 0.5, 9), [None; 9]);
    }

    #[test]
    fn a_compression_that_takes_longer_than_the_link_is_rarely_tried() {
        let mut between = link(CompressionChoice::Auto, ALL);
        let used = run(&mut between, 150.0, 200.0, 1.0, 1000);
        assert!(used.iter().filter(|used| used.is_some()).count() < 20);
        assert!(changes(&used) < 40);
        // a processor that compresses faster than the link sends, but no more than that
        let mut between = link(CompressionChoice::Auto, ALL);
        let used = run(&mut between, 125.0, 300.0, 0.5, 1000);
        assert!(used.iter().filter(|used| **used == LZ4).count() > 950);
        assert!(changes(&used) < 40);
    }

    #[test]
    fn what_was_made_before_a_change_is_not_counted() {
        let mut link = link(CompressionChoice::Auto, ALL);
        run(&mut link, 12.0, 600.0, 0.5, 1);
        assert_eq!(link.compression(), LZ4);
        let second = Duration::from_secs(1);
        let late = Sent {
            compression: None,
            plain_bytes: 1 << 10,
            bytes: 1 << 20,
            blocked: second,
            elapsed: second,
        };
        (0..9).for_each(|_| link.sent(late));
        assert_eq!(link.compression(), LZ4);
    }

    #[test]
    fn a_client_gets_only_what_it_knows() {
        assert_eq!(run(&mut link(CompressionChoice::Auto, &[]), 1.0, 600.0, 0.5, 9), [None; 9]);
        let used = run(&mut link(CompressionChoice::Auto, &[feature::ZSTD]), 1.0, 600.0, 0.5, 2);
        assert_eq!(used, [None, ZSTD_1]);
        let lz4 = link(CompressionChoice::Lz4, &[feature::ZSTD]);
        assert_eq!(lz4.compression(), None);
        assert_eq!(link(CompressionChoice::Zstd, ALL).compression(), Some(Compression::Zstd(1)));
        assert_eq!(run(&mut link(CompressionChoice::Zstd, ALL), 1.0, 600.0, 0.5, 9), [ZSTD_1; 9]);
        assert_eq!(run(&mut link(CompressionChoice::Never, ALL), 1.0, 600.0, 0.5, 9), [None; 9]);
    }

    #[test]
    fn a_client_that_wants_compression_gets_more_on_a_slow_link() {
        let wants = [feature::LZ4, feature::ZSTD, feature::COMPRESS];
        let mut fast = link(CompressionChoice::Auto, &wants);
        assert_eq!(run(&mut fast, 4000.0, 500.0, 0.5, 9), [LZ4; 9]);
        let mut slow = link(CompressionChoice::Auto, &wants);
        let used = run(&mut slow, 12.0, 600.0, 0.5, 5);
        assert_eq!(used, [LZ4, ZSTD_1, ZSTD_1, ZSTD_3, ZSTD_3]);
        let mut zstd = link(CompressionChoice::Auto, &[feature::ZSTD, feature::COMPRESS]);
        assert_eq!(run(&mut zstd, 4000.0, 500.0, 0.5, 9), [ZSTD_1; 9]);
        let unknown = link(CompressionChoice::Auto, &[feature::COMPRESS]);
        assert_eq!(unknown.compression(), None);
        assert_eq!(link(CompressionChoice::Never, &wants).compression(), None);
    }
}
