//! How far a command is, on standard error where that is a terminal.

use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often progress is shown.
const PROGRESS_TIME: Duration = Duration::from_millis(200);

/// A line on standard error, where that is a terminal.
pub struct Progress {
    is_terminal: bool,
    shown_at: Cell<Instant>,
    is_shown: Cell<bool>,
}

impl Default for Progress {
    fn default() -> Self {
        Progress {
            is_terminal: std::io::stderr().is_terminal(),
            shown_at: Cell::new(Instant::now()),
            is_shown: Cell::new(false),
        }
    }
}

impl Progress {
    /// Shows how far into `what` it is, if the last time is a while ago.
    pub fn show(&self, what: &str, position: u64, length: u64) {
        if !self.is_terminal || self.shown_at.get().elapsed() < PROGRESS_TIME {
            return;
        }
        self.shown_at.set(Instant::now());
        self.is_shown.set(true);
        let percent = u128::from(position) * 100 / u128::from(length.max(1));
        // A terminal that cannot be written to needs no progress.
        let _ = write!(std::io::stderr(), "\r\x1b[K{what}: {percent} %");
    }

    /// Clears the line before something else is printed.
    pub fn interrupt<T>(&self, print: impl FnOnce() -> T) -> T {
        if self.is_shown.take() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
        print()
    }
}
