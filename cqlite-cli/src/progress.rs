//! How far a long command is, on a terminal only.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Between two lines that replace each other.
const INTERVAL: Duration = Duration::from_millis(200);

/// How many things are looked at before the clock is.
const STEP: u64 = 1024;

/// A count on standard error.
pub struct Progress {
    what: &'static str,
    count: u64,
    next: u64,
    started: Instant,
    shown: Option<Instant>,
    is_terminal: bool,
}

impl Progress {
    /// Of things of this name.
    pub fn new(what: &'static str) -> Self {
        Progress {
            what,
            count: 0,
            next: STEP,
            started: Instant::now(),
            shown: None,
            is_terminal: std::io::stderr().is_terminal(),
        }
    }

    /// So many more.
    #[inline]
    pub fn add(&mut self, n: u64) {
        self.count += n;
        if self.is_terminal && self.count >= self.next {
            self.next = self.count + STEP;
            self.show();
        }
    }

    #[cold]
    fn show(&mut self) {
        let now = Instant::now();
        if now.duration_since(self.shown.unwrap_or(self.started)) < INTERVAL {
            return;
        }
        self.shown = Some(now);
        let rate = self.count as f64 / now.duration_since(self.started).as_secs_f64();
        // Whether anyone sees it is no concern of the command's.
        let _ = write!(
            std::io::stderr(),
            "\r{} {}, {rate:.0}/s\x1b[K",
            self.count,
            self.what
        );
    }

    /// Takes it away.
    pub fn clear(&mut self) {
        if self.shown.take().is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
