//! Ctrl-C while files are written: the work ends as by an error, and leaves nothing behind.

use crate::failure::{Failure, tell};
use cqlite_core::{Error, ErrorKind, Result};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What a shell gives a command that was interrupted.
const STATUS: u8 = 130;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// New SSTables that stay whatever comes.
static COMMITTED: AtomicUsize = AtomicUsize::new(0);

/// From here on an interruption is kept, for [`check`]. A second one ends the process at once.
pub fn watch() {
    // Where no handler can be set the process ends, and the transaction's log tells what is not finished.
    let _ = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(STATUS.into());
        }
    });
}

/// [`watch`] for a shell: an interruption ends what is being done, and never the process.
pub fn watch_line() {
    let _ = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed));
}

/// An interruption before this is none of what comes.
pub fn forget() {
    INTERRUPTED.store(false, Ordering::Relaxed);
}

/// An error if there was an interruption.
pub fn check() -> Result<()> {
    match INTERRUPTED.load(Ordering::Relaxed) {
        true => Err(Error::new(ErrorKind::Io, "interrupted")),
        false => Ok(()),
    }
}

/// So many new SSTables were committed.
pub fn committed(sstables: usize) {
    COMMITTED.fetch_add(sstables, Ordering::Relaxed);
}

/// What a failure comes to if there was an interruption.
pub fn blame(failure: Failure) -> Failure {
    match check() {
        Ok(()) => failure,
        Err(_) => {
            tell(left(COMMITTED.load(Ordering::Relaxed)));
            Failure::Said(STATUS)
        }
    }
}

/// What is told where so many new SSTables were committed before.
fn left(committed: usize) -> String {
    match committed {
        0 => "interrupted: no new SSTable is left".to_owned(),
        1 => {
            "interrupted: one new SSTable was complete before, and is left; no other is".to_owned()
        }
        n => format!(
            "interrupted: {n} new SSTables were complete before, and are left; no others are"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_committed_before_is_told() {
        let before = COMMITTED.load(Ordering::Relaxed);
        committed(2);
        assert_eq!(COMMITTED.load(Ordering::Relaxed), before + 2);
        assert_eq!(left(0), "interrupted: no new SSTable is left");
        assert!(left(1).contains("one new SSTable was complete"));
        assert!(left(2).contains("2 new SSTables were complete"));
    }
}
