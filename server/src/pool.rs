//! The pool of threads that the morsels of all Selects share. Only this file knows rayon.

/// Returns the number of threads of the pool.
pub(crate) fn threads() -> usize {
    rayon::current_num_threads()
}

/// Queues `job` for the next free thread. A job never waits: the pool has no other threads.
pub(crate) fn spawn(job: impl FnOnce() + Send + 'static) {
    rayon::spawn(job);
}
