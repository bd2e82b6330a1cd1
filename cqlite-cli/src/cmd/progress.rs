//! How far a command is, on standard error where that is a terminal.

use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often progress is shown.
const PROGRESS_TIME: Duration = Duration::from_millis(200);

/// How many things are counted between two looks at the clock.
const STEP: u64 = 1024;

/// A line on standard error, where that is a terminal.
pub struct Progress {
    is_terminal: bool,
    shown_at: Cell<Instant>,
    is_shown: Cell<bool>,
    started: Instant,
    count: Cell<u64>,
}

impl Default for Progress {
    fn default() -> Self {
        Progress {
            is_terminal: std::io::stderr().is_terminal(),
            shown_at: Cell::new(Instant::now()),
            is_shown: Cell::new(false),
            started: Instant::now(),
            count: Cell::new(0),
        }
    }
}

impl Progress {
    /// Shows how far into `what` it is, if the last time is a while ago.
    pub fn show(&self, what: &str, position: u64, length: u64) {
        if self.is_due() {
            let percent = u128::from(position) * 100 / u128::from(length.max(1));
            self.write(format_args!("{what}: {percent} %"));
        }
    }

    /// Counts one more of `what`, and shows how many there are if the last time is a while ago.
    #[inline]
    pub fn count(&self, what: &str) {
        let count = self.count.get() + 1;
        self.count.set(count);
        if count.is_multiple_of(STEP) && self.is_due() {
            let rate = count as f64 / self.started.elapsed().as_secs_f64();
            self.write(format_args!("{count} {what}, {rate:.0}/s"));
        }
    }

    fn is_due(&self) -> bool {
        self.is_terminal && self.shown_at.get().elapsed() >= PROGRESS_TIME
    }

    fn write(&self, what: std::fmt::Arguments<'_>) {
        self.shown_at.set(Instant::now());
        self.is_shown.set(true);
        // A terminal that cannot be written to needs no progress.
        let _ = write!(std::io::stderr(), "\r\x1b[K{what}");
    }

    /// Clears the line before something else is printed.
    pub fn interrupt<T>(&self, print: impl FnOnce() -> T) -> T {
        if self.is_shown.take() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
        print()
    }
}
