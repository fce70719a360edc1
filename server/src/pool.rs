//! The threads that all Selects share, and whose turn it is.
//!
//! A job waits in one of two lanes, and each lane has threads of its own. A Select starts in the
//! short lane and sinks to the long one when it has used [`SHORT_TIME`]. So a Select of a
//! millisecond never waits for one that takes seconds: the operating system divides the processors
//! between both lanes.
//!
//! In a lane, the next job is one of the user who has used the least time; among the Selects of
//! this user, it is one of that which has used the least. Who comes with nothing to do for a while
//! gets no credit for it: it starts level with those that are active. This is start-time fair
//! queueing (Goyal, Vin and Cheng, SIGCOMM 1996), where a job's length is known when it has ended.
//!
//! A user who sends many short Selects could have the short lane for himself. So the Selects of a
//! user who is [`AHEAD_TIME`] ahead of the active user with the least time are in the long lane.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// The time of all jobs of a Select after which it is in the long lane: some times a scan of
/// 5 MB, on a processor that others share.
const SHORT_TIME: Duration = Duration::from_millis(20);

/// The time by which a user may be ahead of another one, and still send short Selects.
const AHEAD_TIME: Duration = Duration::from_millis(500);

/// Returns the number of threads of each lane.
pub(crate) fn threads() -> usize {
    rayon::current_num_threads()
}

type Job = Box<dyn FnOnce() + Send>;

/// The queue in front of the threads. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Mutex<Queue>>);

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

/// The share of one Select in the threads. It enters the queue with its first job. Jobs that have
/// not begun never run after it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    pool: Pool,
    user: Arc<str>,
    id: OnceLock<u64>,
}

/// The jobs of a lane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaneJobs {
    /// The name of the lane.
    pub(crate) lane: &'static str,
    pub(crate) waiting: usize,
    pub(crate) running: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    Short,
    Long,
}

impl Lane {
    const ALL: [Self; 2] = [Self::Short, Self::Long];

    /// Starts `work` on a thread of the lane.
    fn spawn(self, work: impl FnOnce() + Send + 'static) {
        static SHORT: OnceLock<Option<ThreadPool>> = OnceLock::new();
        static LONG: OnceLock<Option<ThreadPool>> = OnceLock::new();
        let threads = match self {
            Self::Short => SHORT.get_or_init(|| Self::threads("short")),
            Self::Long => LONG.get_or_init(|| Self::threads("long")),
        };
        match threads {
            Some(threads) => threads.spawn(work),
            None => rayon::spawn(work),
        }
    }

    /// Starts the threads of a lane. If there are none, the lane has those of all other work.
    fn threads(name: &'static str) -> Option<ThreadPool> {
        let named = move |number| format!("{name}-{number}");
        let started = ThreadPoolBuilder::new().num_threads(threads()).thread_name(named).build();
        started.inspect_err(|error| tracing::warn!(%error, lane = name, "no threads")).ok()
    }
}

impl Pool {
    /// Makes a queue of which at most `running_max` jobs of each lane run at once.
    pub(crate) fn new(running_max: usize) -> Self {
        let running_max = running_max.clamp(1, threads());
        Self(Arc::new(Mutex::new(Queue { running_max, ..Queue::default() })))
    }

    /// Changes how many jobs of each lane run at once.
    pub(crate) fn set_running_max(&self, running_max: usize) {
        self.queue().running_max = running_max.clamp(1, threads());
    }

    /// Makes a share for a Select of the user of this name.
    pub(crate) fn share(&self, user: &str) -> Share {
        Share { pool: self.clone(), user: user.into(), id: OnceLock::new() }
    }

    /// Returns how many jobs wait and run in each lane.
    pub(crate) fn jobs(&self) -> [LaneJobs; 2] {
        let queue = self.queue();
        [("short", Lane::Short), ("long", Lane::Long)].map(|(lane, kind)| {
            let selects = queue.selects.values().filter(|select| select.lane == kind);
            let running = match kind {
                Lane::Short => queue.lanes.short.threads,
                Lane::Long => queue.lanes.long.threads,
            };
            LaneJobs { lane, waiting: selects.map(|select| select.jobs.len()).sum(), running }
        })
    }

    /// Returns how far the lanes have come.
    pub(crate) fn progress(&self) -> Progress {
        let mut queue = self.queue();
        Progress(Lane::ALL.map(|lane| {
            let waiting = queue.lanes.of(lane);
            (!waiting.users.is_empty()).then_some(waiting.ended)
        }))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a thread in each lane that has more jobs than threads which take them.
    fn start(&self, mut queue: MutexGuard<'_, Queue>) {
        let starting = Lane::ALL.map(|lane| queue.start(lane).then_some(lane));
        drop(queue);
        for lane in starting.into_iter().flatten() {
            let pool = self.clone();
            lane.spawn(move || pool.work(lane));
        }
    }

    /// Runs jobs of a lane until there is none.
    fn work(&self, lane: Lane) {
        loop {
            let Some(Next { select, user, job }) = self.queue().next(lane) else { return };
            let started = Instant::now();
            // whoever waits for the outcome tells of a panic
            let _ = catch_unwind(AssertUnwindSafe(job));
            let mut queue = self.queue();
            queue.ran(select, user, started.elapsed());
            queue.lanes.of(lane).ended += 1;
            self.start(queue);
        }
    }
}

/// For each lane in which jobs wait, the number of jobs that have ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress([Option<u64>; 2]);

impl Progress {
    /// Returns whether jobs of a lane wait as they did at `earlier`, and none has ended since.
    pub(crate) fn has_stalled_since(&self, earlier: &Self) -> bool {
        self.0.iter().zip(&earlier.0).any(|(now, earlier)| now.is_some() && now == earlier)
    }
}

impl Share {
    /// Queues `job`. A job never waits: a lane has no more threads than processors.
    pub(crate) fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        let mut queue = self.pool.queue();
        let id = *self.id.get_or_init(|| queue.open(&self.user));
        queue.push(id, Box::new(job));
        self.pool.start(queue);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Some(&id) = self.id.get() {
            let jobs = self.pool.queue().close(id);
            // dropping them may take a while, so the queue is not locked
            drop(jobs);
        }
    }
}

/// The jobs that wait. The sets are in the order of the time that decides whose turn it is.
#[derive(Default)]
struct Queue {
    last_id: u64,
    /// The most jobs of a lane that run at once.
    running_max: usize,
    names: HashMap<Arc<str>, u64>,
    users: HashMap<u64, User>,
    selects: HashMap<u64, Select>,
    lanes: Lanes<Waiting>,
    /// The users with jobs that wait or run.
    active: Ordered,
    /// The users without Selects whose time is still remembered.
    idle: Ordered,
}

/// Users or Selects by their time.
type Ordered = BTreeSet<(Duration, u64)>;

#[derive(Default)]
struct Lanes<T> {
    short: T,
    long: T,
}

impl<T> Lanes<T> {
    fn of(&mut self, lane: Lane) -> &mut T {
        match lane {
            Lane::Short => &mut self.short,
            Lane::Long => &mut self.long,
        }
    }
}

/// The users with jobs that wait in a lane.
#[derive(Default)]
struct Waiting {
    users: Ordered,
    /// The threads that take jobs.
    threads: usize,
    /// The jobs that have ended.
    ended: u64,
}

struct User {
    name: Arc<str>,
    /// The time of all jobs, and of the turns that passed while there was nothing to do.
    time: Duration,
    selects: usize,
    /// The number of jobs that wait or run.
    jobs: usize,
    /// The Selects with jobs that wait.
    waiting: Lanes<Ordered>,
    /// The greatest time of a Select of the long lane whose turn it was.
    clock: Duration,
}

struct Select {
    user: u64,
    jobs: VecDeque<Job>,
    /// The time of all jobs.
    taken: Duration,
    /// The same, and that of the turns which passed while there was nothing to do.
    time: Duration,
    lane: Lane,
}

struct Next {
    select: u64,
    user: u64,
    job: Job,
}

impl Queue {
    fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Counts one more thread of a lane, if there is a job for it.
    fn start(&mut self, lane: Lane) -> bool {
        let running_max = self.running_max;
        let waiting = self.lanes.of(lane);
        let starts = !waiting.users.is_empty() && waiting.threads < running_max;
        waiting.threads += usize::from(starts);
        starts
    }

    /// Adds a Select, and returns its number.
    fn open(&mut self, name: &Arc<str>) -> u64 {
        let id = self.new_id();
        let user = match self.names.get(name) {
            Some(&user) => user,
            None => {
                let user = self.new_id();
                self.names.insert(Arc::clone(name), user);
                self.users.insert(user, User::new(name));
                user
            }
        };
        if let Some(known) = self.users.get_mut(&user) {
            known.selects += 1;
            self.idle.remove(&(known.time, user));
        }
        self.selects.insert(id, Select::new(user));
        id
    }

    /// Removes a Select, and returns its jobs.
    fn close(&mut self, id: u64) -> VecDeque<Job> {
        self.leave(id);
        let Some(select) = self.selects.remove(&id) else { return VecDeque::new() };
        if let Some(user) = self.users.get_mut(&select.user) {
            user.selects -= 1;
            user.jobs -= select.jobs.len();
        }
        self.rest(select.user);
        select.jobs
    }

    fn push(&mut self, id: u64, job: Job) {
        let least = self.active.first().map(|(time, _)| *time);
        let Some(select) = self.selects.get_mut(&id) else { return };
        let Some(user) = self.users.get_mut(&select.user) else { return };
        if user.jobs == 0 {
            user.time = least.map_or(user.time, |least| least.max(user.time));
            self.active.insert((user.time, select.user));
        }
        user.jobs += 1;
        select.jobs.push_back(job);
        if select.jobs.len() == 1 {
            self.enter(id);
        }
    }

    /// Takes the next job of a lane, or counts one thread less if there is none, or if fewer threads
    /// may run now.
    fn next(&mut self, lane: Lane) -> Option<Next> {
        let is_one_too_many = self.lanes.of(lane).threads > self.running_max;
        let next = if is_one_too_many { None } else { self.first(lane) };
        if next.is_none() {
            self.lanes.of(lane).threads -= 1;
        }
        next
    }

    fn first(&mut self, lane: Lane) -> Option<Next> {
        let &(_, id) = self.lanes.of(lane).users.first()?;
        let user = self.users.get_mut(&id)?;
        let &(time, select_id) = user.waiting.of(lane).first()?;
        if lane == Lane::Long {
            user.clock = user.clock.max(time);
        }
        let select = self.selects.get_mut(&select_id)?;
        let job = select.jobs.pop_front()?;
        if select.jobs.is_empty() {
            self.leave(select_id);
        }
        Some(Next { select: select_id, user: id, job })
    }

    /// Counts the time of a job that has ended. Its Select may be closed.
    fn ran(&mut self, id: u64, user_id: u64, time: Duration) {
        self.leave(id);
        if let Some(select) = self.selects.get_mut(&id) {
            select.taken += time;
            select.time += time;
        }
        if let Some(user) = self.users.get_mut(&user_id) {
            let (old, new) = ((user.time, user_id), (user.time + time, user_id));
            user.time += time;
            user.jobs -= 1;
            let lanes = [&mut self.lanes.short.users, &mut self.lanes.long.users];
            for ordered in lanes.into_iter().chain([&mut self.active]) {
                if ordered.remove(&old) {
                    ordered.insert(new);
                }
            }
        }
        self.enter(id);
        self.rest(user_id);
    }

    /// Puts a Select with jobs into its lane.
    fn enter(&mut self, id: u64) {
        let least = self.active.first().map_or(Duration::ZERO, |(time, _)| *time);
        let Some(select) = self.selects.get_mut(&id).filter(|select| !select.jobs.is_empty())
        else {
            return;
        };
        let Some(user) = self.users.get_mut(&select.user) else { return };
        let is_short = select.taken < SHORT_TIME && user.time <= least + AHEAD_TIME;
        if is_short {
            select.lane = Lane::Short;
        } else {
            select.lane = Lane::Long;
            select.time = select.time.max(user.clock);
        }
        user.waiting.of(select.lane).insert((select.time, id));
        self.lanes.of(select.lane).users.insert((user.time, select.user));
    }

    /// Takes a Select out of its lane.
    fn leave(&mut self, id: u64) {
        let Some(select) = self.selects.get(&id) else { return };
        let Some(user) = self.users.get_mut(&select.user) else { return };
        let waiting = user.waiting.of(select.lane);
        waiting.remove(&(select.time, id));
        if waiting.is_empty() {
            self.lanes.of(select.lane).users.remove(&(user.time, select.user));
        }
    }

    /// Notes that a user has perhaps no job or no Select any more. The time of a user is forgotten
    /// when all that are active have used more.
    fn rest(&mut self, id: u64) {
        if let Some(user) = self.users.get(&id).filter(|user| user.jobs == 0) {
            self.active.remove(&(user.time, id));
            if user.selects == 0 {
                self.idle.insert((user.time, id));
            }
        }
        while let Some(&(time, id)) = self.idle.first()
            && self.active.first().is_none_or(|(least, _)| time <= *least)
        {
            self.idle.pop_first();
            if let Some(user) = self.users.remove(&id) {
                self.names.remove(&user.name);
            }
        }
    }
}

impl User {
    fn new(name: &Arc<str>) -> Self {
        Self {
            name: Arc::clone(name),
            time: Duration::ZERO,
            selects: 0,
            jobs: 0,
            waiting: Lanes::default(),
            clock: Duration::ZERO,
        }
    }
}

impl Select {
    fn new(user: u64) -> Self {
        let (taken, time) = (Duration::ZERO, Duration::ZERO);
        Self { user, jobs: VecDeque::new(), taken, time, lane: Lane::Short }
    }
}

#[cfg(test)]
mod tests;
