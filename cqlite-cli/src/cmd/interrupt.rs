//! Ctrl-C while files are written: the work ends as by an error, and leaves nothing behind.

use crate::failure::{Failure, tell};
use cqlite_core::{Error, ErrorKind, Result};
use std::sync::atomic::{AtomicBool, Ordering};

/// What a shell gives a command that was interrupted.
const STATUS: u8 = 130;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From here on an interruption is kept, for [`check`]. A second one ends the process at once.
pub fn watch() {
    // Where no handler can be set the process ends, and the transaction's log tells what is not finished.
    let _ = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(STATUS.into());
        }
    });
}

/// An error if there was an interruption.
pub fn check() -> Result<()> {
    match INTERRUPTED.load(Ordering::Relaxed) {
        true => Err(Error::new(ErrorKind::Io, "interrupted")),
        false => Ok(()),
    }
}

/// What a failure comes to if there was an interruption.
pub fn blame(failure: Failure) -> Failure {
    match check() {
        Ok(()) => failure,
        Err(_) => {
            tell("interrupted: no new SSTable is left");
            Failure::Said(STATUS)
        }
    }
}
