//! Syncs that are shared: group commit.
//!
//! One of those who wait syncs for all; who comes meanwhile is left asleep until the next sync is done. A sync costs the same
//! for one record and for a hundred, and whom the last one woke writes again soon or never: so the next one begins once most
//! of those wait whom the last one knew of, and nobody need be woken for it, as whoever makes the group complete syncs. A
//! group that is not complete in time goes without the rest, and the next ones do not wait.

use crate::commitlog::Position;
use crate::{Error, Result};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// Of those whom the last sync knew of, so many quarters make a group. The last ones may be long in coming.
const QUARTERS: usize = 3;

/// A group gathers no longer than so many syncs last, nor than this.
const SYNCS_GATHERING: u32 = 3;
const GATHERING_MAX: Duration = Duration::from_millis(10);

/// Syncs that begin at once after a group that did not gather in time.
const SYNCS_AT_ONCE: u32 = 32;

/// Those who wait for syncs.
pub struct Group {
    gathers: bool,
    state: Mutex<State>,
}

struct State {
    /// What is on the disk.
    up_to: Position,
    /// Somebody syncs, was told to, or waits for the group to be complete.
    is_busy: bool,
    /// Those who wait.
    waiting: Vec<Waiting>,
    /// Who syncs if the group is not complete in time.
    gathering: Option<Waiting>,
    /// How many the last sync served or left waiting.
    expected: usize,
    /// How long the last sync took.
    lasted: Duration,
    /// Syncs that begin without waiting for the group.
    at_once: u32,
    /// Why nothing can be relied on any more.
    failed: Option<Error>,
}

impl State {
    /// Whether there is nothing to wait for.
    fn is_settled(&self, position: Position) -> bool {
        self.failed.is_some() || self.up_to >= position
    }

    /// Whether those who wait and `others` make a group.
    fn is_group(&self, others: usize) -> bool {
        4 * (self.waiting.len() + others) >= QUARTERS * self.expected
    }

    fn outcome(&self) -> Result<()> {
        self.failed.clone().map_or(Ok(()), Err)
    }
}

/// A thread that sleeps until something is on the disk.
struct Waiting {
    position: Position,
    sleeper: Arc<Sleeper>,
}

impl Waiting {
    fn new(position: Position) -> (Self, Arc<Sleeper>) {
        let sleeper = Arc::new(Sleeper {
            thread: std::thread::current(),
            told: OnceLock::new(),
        });
        let waiting = Waiting {
            position,
            sleeper: sleeper.clone(),
        };
        (waiting, sleeper)
    }

    fn tell(self, told: Told) {
        // It is told once.
        let _ = self.sleeper.told.set(told);
        self.sleeper.thread.unpark();
    }
}

struct Sleeper {
    thread: Thread,
    told: OnceLock<Told>,
}

/// What who waits is woken for.
#[derive(Debug, Clone, Copy)]
enum Told {
    /// A sync has reached it, or failed.
    Settled,
    /// It sees to the next sync.
    Sync,
}

impl Sleeper {
    fn sleep(&self) -> Told {
        loop {
            match self.told.get() {
                Some(told) => return *told,
                None => std::thread::park(),
            }
        }
    }

    /// Sleeps no longer than that.
    fn doze(&self, until: Instant) -> Option<Told> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.told.get() {
                Some(told) => return Some(*told),
                None if left.is_zero() => return None,
                None => std::thread::park_timeout(left),
            }
        }
    }
}

impl Group {
    /// Those who wait for a log that is on the disk up to there. Unless it `gathers`, a sync never waits for others.
    pub fn new(up_to: Position, gathers: bool) -> Self {
        Group {
            gathers,
            state: Mutex::new(State {
                up_to,
                is_busy: false,
                waiting: Vec::new(),
                gathering: None,
                expected: 0,
                lasted: Duration::ZERO,
                at_once: 0,
                failed: None,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// # Errors
    /// What made a sync fail.
    pub fn check(&self) -> Result<()> {
        self.lock().outcome()
    }

    /// How it went, if there is nothing to wait for.
    pub fn settled(&self, position: Position) -> Option<Result<()>> {
        let state = self.lock();
        state.is_settled(position).then(|| state.outcome())
    }

    /// Returns when the disk has everything up to `position`. `sync` says up to where it has brought it.
    ///
    /// # Errors
    /// What made this sync fail, or one before.
    pub fn wait(&self, position: Position, sync: impl FnOnce() -> Result<Position>) -> Result<()> {
        if !self.is_to_sync(position) {
            return self.check();
        }
        let began = Instant::now();
        let done = sync();
        let mut state = self.lock();
        state.lasted = began.elapsed();
        match done {
            Ok(up_to) => state.up_to = state.up_to.max(up_to),
            Err(e) => state.failed = Some(e),
        }
        let waiting = std::mem::take(&mut state.waiting);
        state.expected = 1 + waiting.len();
        let is_settled = |waiting: &Waiting| state.is_settled(waiting.position);
        let (settled, left): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_settled);
        state.waiting = left;
        let next = state.waiting.pop();
        state.is_busy = next.is_some();
        let outcome = state.outcome();
        drop(state);
        if let Some(next) = next {
            next.tell(Told::Sync);
        }
        for waiting in settled {
            waiting.tell(Told::Settled);
        }
        outcome
    }

    /// Sleeps until something up to there is settled, or it is this thread's turn to sync: then true.
    fn is_to_sync(&self, position: Position) -> bool {
        let mut state = self.lock();
        if state.is_settled(position) {
            return false;
        }
        if !state.is_busy {
            state.is_busy = true;
            return true;
        }
        let is_group = state.is_group(2);
        if let Some(first) = state.gathering.take_if(|_| is_group) {
            state.waiting.push(first);
            return true;
        }
        let (waiting, sleeper) = Waiting::new(position);
        state.waiting.push(waiting);
        drop(state);
        match sleeper.sleep() {
            Told::Settled => false,
            Told::Sync => self.gather(position),
        }
    }

    /// Waits for the group to be complete; false if somebody else has synced for it then.
    fn gather(&self, position: Position) -> bool {
        let mut state = self.lock();
        if !self.gathers || state.is_group(1) {
            return true;
        }
        if state.at_once > 0 {
            state.at_once -= 1;
            return true;
        }
        let (waiting, sleeper) = Waiting::new(position);
        state.gathering = Some(waiting);
        let most = (SYNCS_GATHERING * state.lasted).min(GATHERING_MAX);
        let until = Instant::now() + most;
        drop(state);
        if sleeper.doze(until).is_some() {
            return false;
        }
        let mut state = self.lock();
        // The next group may be gathering by now.
        let is_own = |waiting: &mut Waiting| Arc::ptr_eq(&waiting.sleeper, &sleeper);
        if state.gathering.take_if(is_own).is_some() {
            state.at_once = SYNCS_AT_ONCE;
            return true;
        }
        drop(state);
        sleeper.sleep();
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

    fn position(position: i32) -> Position {
        Position {
            segment: 1,
            position,
        }
    }

    /// A log of which only positions are known.
    struct Log {
        group: Group,
        end: AtomicI32,
        synced: AtomicI32,
        syncs: AtomicU32,
    }

    impl Log {
        fn new(gathers: bool) -> Self {
            Log {
                group: Group::new(position(0), gathers),
                end: AtomicI32::new(0),
                synced: AtomicI32::new(0),
                syncs: AtomicU32::new(0),
            }
        }

        fn write(&self, takes: Duration) {
            let end = 1 + self.end.fetch_add(1, Ordering::SeqCst);
            let sync = || {
                let up_to = self.end.load(Ordering::SeqCst);
                self.syncs.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(takes);
                self.synced.fetch_max(up_to, Ordering::SeqCst);
                Ok(position(up_to))
            };
            self.group.wait(position(end), sync).unwrap();
            assert!(self.synced.load(Ordering::SeqCst) >= end);
        }

        /// So many writes by each thread, which thinks about each for up to so long.
        fn write_all(&self, threads: u64, writes: u64, takes: Duration, think: Duration) {
            std::thread::scope(|scope| {
                for thread in 0..threads {
                    scope.spawn(move || {
                        for write in 0..writes {
                            self.write(takes);
                            let part = (thread * 7 + write * 13) % 16;
                            if !think.is_zero() {
                                std::thread::sleep(think * part as u32 / 16);
                            }
                        }
                    });
                }
            });
        }
    }

    #[test]
    fn whoever_waited_is_on_the_disk_and_nobody_is_forgotten() {
        let us = Duration::from_micros;
        for gathers in [true, false] {
            for (threads, takes, think) in [(1, 0, 0), (2, 20, 0), (9, 0, 50), (9, 100, 300)] {
                let log = Log::new(gathers);
                log.write_all(threads, 200, us(takes), us(think));
                let all = (threads * 200) as i32;
                assert_eq!(log.synced.load(Ordering::SeqCst), all);
            }
        }
    }

    #[test]
    fn those_who_write_at_once_share_syncs() {
        let syncs = |gathers| {
            let log = Log::new(gathers);
            log.write_all(8, 40, Duration::from_millis(2), Duration::ZERO);
            log.syncs.into_inner()
        };
        // Of 320 writes.
        let (gathered, at_once) = (syncs(true), syncs(false));
        assert!(gathered < 120, "{gathered}");
        assert!(at_once < 160, "{at_once}");
    }

    #[test]
    fn after_a_failure_nothing_is_promised() {
        let group = Group::new(position(5), true);
        group
            .wait(position(4), || unreachable!("it is there"))
            .unwrap();
        let failing = || Err(Error::new(ErrorKind::Io, "the disk is gone"));
        for _ in 0..2 {
            let e = group.wait(position(6), failing).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::Io);
        }
        assert!(group.check().is_err() && group.settled(position(7)).is_some());
    }
}
