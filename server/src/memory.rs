//! The memory of answers that are made faster than their clients read them, and of those that are
//! being made.
//!
//! Each answer is counted: its batches that wait, as they are, and its morsels under way, as large
//! as its largest so far; one that gathers groups or sorts takes as much as a large morsel. While
//! the others leave room, an answer has several morsels under way. Above half of the memory each
//! goes one morsel at a time. When the memory is full, an answer with batches sends them first, and
//! one without waits. For an answer that has not begun it is full earlier, so the newest wait
//! first. A user may fill half of the memory, so there is room for others.

pub(crate) mod available;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// The memory for the answers of all users.
#[derive(Debug)]
pub(crate) struct AnswerMemory {
    bytes_max: AtomicUsize,
    bytes: AtomicUsize,
    freed: Notify,
}

/// The part of it that the answers of one user take.
#[derive(Debug)]
pub(crate) struct UserMemory {
    all: Arc<AnswerMemory>,
    bytes: AtomicUsize,
}

/// The part of it that one answer takes, until it is dropped.
#[derive(Debug)]
pub(crate) struct AnswerBytes {
    user: Arc<UserMemory>,
    bytes: usize,
    /// True if the answer has had bytes.
    has_begun: bool,
}

/// The number of morsels of an answer that may be under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Many,
    One,
    /// None, unless something is freed.
    None,
}

impl AnswerMemory {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max: AtomicUsize::new(bytes_max),
            bytes: AtomicUsize::new(0),
            freed: Notify::new(),
        }
    }

    /// Changes the bound. Answers that have more keep it.
    pub(crate) fn set_bytes_max(&self, bytes_max: usize) {
        self.bytes_max.store(bytes_max, Ordering::Relaxed);
        self.freed.notify_waiters();
    }

    /// Returns the bytes of all answers.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl UserMemory {
    pub(crate) fn new(all: Arc<AnswerMemory>) -> Self {
        Self { all, bytes: AtomicUsize::new(0) }
    }
}

impl AnswerBytes {
    /// Starts an answer without bytes.
    pub(crate) fn new(user: Arc<UserMemory>) -> Self {
        Self { user, bytes: 0, has_begun: false }
    }

    /// Counts so many bytes for the answer, instead of those before.
    pub(crate) fn set(&mut self, bytes: usize) {
        let UserMemory { all, bytes: of_user } = &*self.user;
        let before = std::mem::replace(&mut self.bytes, bytes);
        self.has_begun |= bytes > 0;
        for counter in [of_user, &all.bytes] {
            // a sum that wraps is right again when the bytes are subtracted
            counter.fetch_add(bytes.wrapping_sub(before), Ordering::Relaxed);
        }
        if bytes < before {
            all.freed.notify_waiters();
        }
    }

    /// Returns whether the answer has had bytes.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// Returns the room that other answers leave for another morsel.
    pub(crate) fn room(&self) -> Room {
        let all = &self.user.all;
        let bytes_max = all.bytes_max.load(Ordering::Relaxed);
        let others = |bytes: &AtomicUsize| bytes.load(Ordering::Relaxed).saturating_sub(self.bytes);
        let (used, of_user) = (others(&all.bytes), others(&self.user.bytes));
        let full = if self.has_begun { bytes_max } else { bytes_max / 4 * 3 };
        if used >= full || of_user >= full / 2 {
            Room::None
        } else if used >= bytes_max / 2 || of_user >= bytes_max / 4 {
            Room::One
        } else {
            Room::Many
        }
    }

    /// Waits until there is room. Dropping the future loses nothing.
    pub(crate) async fn has_room(&self) {
        loop {
            // what is freed between the look and the wait is not missed
            let freed = self.user.all.freed.notified();
            if self.room() != Room::None {
                return;
            }
            freed.await;
        }
    }
}

impl Drop for AnswerBytes {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;

    #[test]
    fn a_user_fills_half_and_all_users_fill_all() {
        let all = Arc::new(AnswerMemory::new(1000));
        let user = || Arc::new(UserMemory::new(Arc::clone(&all)));
        let (one, other) = (user(), user());
        let mut greedy = AnswerBytes::new(Arc::clone(&one));
        let mut modest = AnswerBytes::new(Arc::clone(&other));
        let newest = |user: &Arc<UserMemory>| AnswerBytes::new(Arc::clone(user)).room();
        assert_eq!(greedy.room(), Room::Many);
        greedy.set(250);
        assert_eq!((newest(&one), newest(&other)), (Room::One, Room::Many));
        greedy.set(500);
        assert_eq!((newest(&one), newest(&other)), (Room::None, Room::One));
        // its own bytes keep nobody waiting
        assert_eq!(greedy.room(), Room::Many);
        modest.set(100);
        greedy.set(700);
        assert_eq!((modest.room(), newest(&other)), (Room::One, Room::None));
        greedy.set(1000);
        assert_eq!((all.bytes(), modest.room()), (1100, Room::None));
        drop(greedy);
        assert_eq!((all.bytes(), newest(&other)), (100, Room::Many));
        all.set_bytes_max(200);
        assert_eq!((newest(&other), modest.room()), (Room::None, Room::Many));
    }

    #[tokio::test]
    async fn an_answer_waits_until_something_is_freed() {
        let all = Arc::new(AnswerMemory::new(1000));
        let user = Arc::new(UserMemory::new(all));
        let mut first = AnswerBytes::new(Arc::clone(&user));
        let second = AnswerBytes::new(user);
        first.set(600);
        let mut waiting = std::pin::pin!(second.has_room());
        assert_eq!(polled(waiting.as_mut()).await, Poll::Pending);
        first.set(376);
        assert_eq!(polled(waiting.as_mut()).await, Poll::Pending);
        first.set(374);
        assert_eq!(polled(waiting.as_mut()).await, Poll::Ready(()));
    }

    async fn polled(mut future: std::pin::Pin<&mut impl Future<Output = ()>>) -> Poll<()> {
        std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
    }
}
