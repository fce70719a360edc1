//! Tests with a slow server on a paused clock: the latencies are known.

use tokio::time::sleep;

use super::*;

struct Slow {
    latency: Duration,
    stall_at: Option<(Instant, Duration)>,
}

impl Session for Slow {
    async fn ask(&mut self, _query: Query) -> Result<(), String> {
        if let Some((at, stall)) = self.stall_at
            && Instant::now() >= at
        {
            self.stall_at = None;
            sleep(stall).await;
        }
        sleep(self.latency).await;
        Ok(())
    }
}

struct Failing;

impl Session for Failing {
    async fn ask(&mut self, _query: Query) -> Result<(), String> {
        sleep(Duration::from_millis(1)).await;
        Err("SERVER_BUSY".to_owned())
    }
}

fn mix() -> Mix {
    Mix::parse("[[select]]\nsql = 'a'").unwrap()
}

fn plan(pace: Pace, seconds: u64) -> Plan {
    let warm_up = Duration::from_secs(1);
    Plan { pace, warm_up, measured: Duration::from_secs(seconds), seed: 1 }
}

fn drive_slow(sessions: usize, stall: Option<Duration>, plan: Plan) -> Outcome {
    paused(async move {
        let stall_at = stall.map(|stall| (Instant::now() + Duration::from_secs(3), stall));
        let slow = |_| Slow { latency: Duration::from_millis(20), stall_at };
        let (_stop, stopped) = watch::channel(false);
        drive((0..sessions).map(slow).collect(), mix(), plan, stopped).await.unwrap()
    })
}

fn paused<T>(work: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap().block_on(work)
}

fn near(micros: Option<u64>, expected: u64) -> bool {
    // the timer has an error of a millisecond, the histogram of a thousandth
    micros.is_some_and(|micros| micros.abs_diff(expected) <= 1_000 + expected / 500)
}

#[test]
fn a_closed_loop_asks_when_it_has_its_answer() {
    let outcome = drive_slow(4, None, plan(Pace::Closed, 10));
    assert!(near(outcome.percentile("50"), 20_000), "{outcome:?}");
    assert!(near(outcome.percentile("100"), 20_000), "{outcome:?}");
    assert!((1900..=2000).contains(&outcome.answers), "{outcome:?}");
    assert_eq!((outcome.missed, outcome.sessions), (0, 4));
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let outcome = drive_slow(4, None, plan(Pace::PerSecond(100.0), 10));
    assert!((998..=1001).contains(&outcome.answers), "{outcome:?}");
    assert!(near(outcome.percentile("99"), 20_000), "{outcome:?}");
    assert_eq!(outcome.missed, 0);
}

#[test]
fn a_stall_is_charged_for_everybody_who_would_have_waited() {
    let stall = Some(Duration::from_secs(1));
    let open = drive_slow(1, stall, plan(Pace::PerSecond(40.0), 10));
    let closed = drive_slow(1, stall, plan(Pace::Closed, 10));
    assert!(near(open.percentile("100"), 1_020_000), "{open:?}");
    // the queue of a second at 40 a second takes 4 s to drain: a tenth waits over 0.5 s
    assert!(open.percentile("90") > Some(500_000), "{open:?}");
    assert!(near(closed.percentile("99"), 20_000), "{closed:?}");
}

#[test]
fn requests_whose_turn_never_came_are_counted() {
    // one session can answer 50 a second, 100 are due
    let outcome = drive_slow(1, None, plan(Pace::PerSecond(100.0), 10));
    assert!(outcome.missed > 400, "{outcome:?}");
    assert!((995..=1001).contains(&(outcome.answers + outcome.missed)), "{outcome:?}");
}

#[test]
fn failures_are_counted_by_kind_and_have_no_latency() {
    let outcome = paused(async {
        let (_stop, stopped) = watch::channel(false);
        drive(vec![Failing, Failing], mix(), plan(Pace::Closed, 1), stopped).await.unwrap()
    });
    assert_eq!(outcome.answers, 0);
    assert!(outcome.failures["SERVER_BUSY"] > 500, "{outcome:?}");
}

#[test]
fn it_stops_when_told_and_tells_what_there_is() {
    let outcome = paused(async {
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(async move {
            sleep(Duration::from_secs(3)).await;
            stop.send(true).unwrap();
        });
        let slow = Slow { latency: Duration::from_millis(20), stall_at: None };
        drive(vec![slow], mix(), plan(Pace::Closed, 3600), stopped).await.unwrap()
    });
    assert!((1.9..2.1).contains(&outcome.seconds), "{outcome:?}");
    assert!((95..=101).contains(&outcome.answers), "{outcome:?}");
}

#[test]
fn a_latency_is_rounded_up_by_a_thousandth_and_has_a_bound() {
    let mut tally = Tally::new().unwrap();
    let percentiles = |tally: &Tally| tally.outcome(1, plan(Pace::Closed, 1), 1.0);
    assert_eq!(percentiles(&tally).percentile("99"), Some(0));
    (1..=10_000).for_each(|micros| tally.count(Duration::from_micros(micros), Ok(())));
    for (percentile, exact) in [("50", 5000), ("99", 9900), ("100", 10_000)] {
        let found = percentiles(&tally).percentile(percentile).unwrap();
        assert!((exact..=exact + exact / 1000).contains(&found), "{percentile}: {found}");
    }
    tally.count(Duration::MAX, Ok(()));
    let outcome = percentiles(&tally);
    assert_eq!((outcome.answers, outcome.percentile("100")), (10_001, Some(LATENCY_MICROS_MAX)));
}
