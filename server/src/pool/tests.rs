use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::*;

const MILLISECOND: Duration = Duration::from_millis(1);

/// A queue whose jobs do not run: their time is given.
struct Simulation {
    queue: Queue,
    /// The time that each Select got, by its number.
    got: HashMap<u64, Duration>,
}

impl Simulation {
    fn new() -> Self {
        Self { queue: Queue::default(), got: HashMap::new() }
    }

    /// Adds a Select with so many jobs.
    fn select(&mut self, user: &str, jobs: usize) -> u64 {
        let id = self.queue.open(&user.into());
        self.push(id, jobs);
        id
    }

    fn push(&mut self, id: u64, jobs: usize) {
        for _ in 0..jobs {
            self.queue.push(id, Box::new(|| {}));
        }
    }

    /// Runs the next job of `lane` for a millisecond. Returns its Select.
    fn run(&mut self, lane: Lane) -> Option<u64> {
        let Next { select, user, .. } = self.queue.first(lane)?;
        self.queue.ran(select, user, MILLISECOND);
        *self.got.entry(select).or_default() += MILLISECOND;
        self.check();
        Some(select)
    }

    /// Runs jobs of both lanes in turn.
    fn run_both(&mut self, rounds: usize) {
        for _ in 0..rounds {
            self.run(Lane::Short);
            self.run(Lane::Long);
        }
    }

    /// Returns the milliseconds that Selects got together.
    fn got(&self, selects: &[u64]) -> u128 {
        selects.iter().filter_map(|id| self.got.get(id)).sum::<Duration>().as_millis()
    }

    /// Checks that every set has exactly what it should have.
    fn check(&mut self) {
        let queue = &mut self.queue;
        for lane in Lane::ALL {
            let mut users = Ordered::new();
            for (&id, user) in &mut queue.users {
                let selects = queue.selects.iter().filter(|(_, select)| {
                    select.user == id && select.lane == lane && !select.jobs.is_empty()
                });
                let selects: Ordered = selects.map(|(&id, select)| (select.time, id)).collect();
                if !selects.is_empty() {
                    users.insert((user.time, id));
                }
                assert_eq!(*user.waiting.of(lane), selects);
            }
            assert_eq!(queue.lanes.of(lane).users, users);
        }
        let all = queue.users.iter();
        let active: Ordered = all
            .clone()
            .filter(|(_, user)| user.jobs > 0)
            .map(|(&id, user)| (user.time, id))
            .collect();
        let idle: Ordered = all
            .filter(|(_, user)| user.jobs == 0 && user.selects == 0)
            .map(|(&id, user)| (user.time, id))
            .collect();
        assert_eq!((&queue.active, &queue.idle), (&active, &idle));
        assert_eq!(queue.names.len(), queue.users.len());
    }
}

/// Checks that `left` and `right` differ by at most `most`.
fn assert_close(left: u128, right: u128, most: u128) {
    assert!(left.abs_diff(right) <= most, "{left} {right}");
}

#[test]
fn users_share_the_time_whatever_the_number_of_their_selects() {
    let mut all = Simulation::new();
    let many: Vec<u64> = (0..64).map(|_| all.select("many", 1000)).collect();
    let few: Vec<u64> = (0..2).map(|_| all.select("few", 4000)).collect();
    all.run_both(3000);
    // who has more new Selects may be ahead by the time for short ones
    assert_close(all.got(&many), all.got(&few), AHEAD_TIME.as_millis() + 10);
    // and among those of one user no one gets more
    for pair in many.windows(2) {
        assert_close(all.got(&pair[..1]), all.got(&pair[1..]), SHORT_TIME.as_millis() + 1);
    }
}

#[test]
fn a_new_select_is_next_and_sinks_when_it_takes_long() {
    let mut all = Simulation::new();
    let old: Vec<u64> = (0..64).map(|_| all.select("one", 100)).collect();
    all.run_both(1500);
    // of another user, and of the same one
    for user in ["other", "one"] {
        let new = all.select(user, 100);
        for _ in 0..SHORT_TIME.as_millis() {
            assert_eq!(all.run(Lane::Short), Some(new));
        }
        assert_ne!(all.run(Lane::Short), Some(new));
        assert_eq!(all.queue.selects[&new].lane, Lane::Long);
    }
    // the old ones still had their turns
    assert!(old.iter().all(|id| all.got(&[*id]) > 0));
}

#[test]
fn a_stream_of_short_selects_does_not_displace_another_user() {
    let mut all = Simulation::new();
    let slow = all.select("slow", 100_000);
    let mut short = Vec::new();
    for number in 0..4000_usize {
        short.push(all.select("quick", 2));
        all.run_both(1);
        if let Some(&done) = number.checked_sub(8).and_then(|done| short.get(done)) {
            all.queue.close(done);
        }
    }
    assert_close(all.got(&short), all.got(&[slow]), AHEAD_TIME.as_millis() + 10);
}

#[test]
fn nobody_saves_up_time() {
    let mut all = Simulation::new();
    let (early, late) = (all.select("early", 1), all.select("late", 10_000));
    all.run_both(5000);
    all.push(early, 10_000);
    let before = all.got(&[late]);
    all.run_both(1000);
    assert_close(all.got(&[early]), all.got(&[late]) - before, AHEAD_TIME.as_millis() + 10);
}

#[test]
fn whoever_has_used_much_is_not_forgotten_by_leaving() {
    let mut all = Simulation::new();
    let slow = all.select("slow", 100_000);
    let mut taken = Vec::new();
    for _ in 0..1000 {
        // leaves after each Select
        let id = all.select("fickle", 10);
        all.run_both(10);
        all.queue.close(id);
        all.check();
        taken.push(id);
    }
    assert_close(all.got(&taken), all.got(&[slow]), AHEAD_TIME.as_millis() + 20);
    all.queue.close(slow);
    assert!(all.queue.users.is_empty() && all.queue.names.is_empty() && all.queue.idle.is_empty());
}

#[test]
fn every_set_is_right_after_random_steps() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut all = Simulation::new();
    let mut open: Vec<u64> = Vec::new();
    let mut running: Vec<(u64, u64)> = Vec::new();
    for _ in 0..20_000 {
        match random.u8(..6) {
            0 => {
                let user = random.choice(["a", "b", "c", ""]).unwrap();
                open.push(all.select(user, random.usize(..4)));
            }
            1 if !open.is_empty() => {
                let id = open.swap_remove(random.usize(..open.len()));
                all.queue.close(id);
            }
            2 if !open.is_empty() => {
                let id = open[random.usize(..open.len())];
                all.push(id, random.usize(..4));
            }
            3 if !running.is_empty() => {
                let (select, user) = running.swap_remove(random.usize(..running.len()));
                all.queue.ran(select, user, random.u32(..30) * MILLISECOND);
            }
            step => {
                let lane = Lane::ALL[usize::from(step % 2)];
                running.extend(all.queue.first(lane).map(|next| (next.select, next.user)));
            }
        }
        all.check();
    }
    for id in open {
        all.queue.close(id);
    }
    for (select, user) in running {
        all.queue.ran(select, user, MILLISECOND);
        all.check();
    }
    assert!(all.queue.users.is_empty() && all.queue.selects.is_empty());
}

#[test]
fn jobs_run_on_few_threads_and_a_panic_stops_none_of_them() {
    let pool = Pool::new(usize::MAX);
    let (sender, receiver) = mpsc::channel();
    let running = Arc::new(AtomicUsize::new(0));
    let shares: Vec<Share> = (0..8).map(|user| pool.share(&user.to_string())).collect();
    for job in 0..100 {
        for share in &shares {
            let (sender, running) = (sender.clone(), Arc::clone(&running));
            share.spawn(move || {
                let at_once = running.fetch_add(1, Ordering::SeqCst) + 1;
                std::thread::yield_now();
                running.fetch_sub(1, Ordering::SeqCst);
                sender.send(at_once).unwrap();
                assert!(job % 10 > 0, "of a test");
            });
        }
    }
    let most = receiver.iter().take(800).max().unwrap();
    assert!(most <= 2 * threads(), "{most}");
}

#[test]
fn jobs_of_a_dropped_share_never_begin() {
    let pool = Pool::new(usize::MAX);
    let (sender, receiver) = mpsc::channel();
    let (busy, other) = (pool.share("busy"), pool.share("other"));
    let gate = Arc::new(std::sync::Barrier::new(threads() + 1));
    for _ in 0..threads() {
        let gate = Arc::clone(&gate);
        busy.spawn(move || {
            gate.wait();
        });
    }
    let held = sender.clone();
    other.spawn(move || held.send(()).unwrap());
    drop((other, sender));
    gate.wait();
    assert!(receiver.recv().is_err());
}
