//! Why a command ends, and the exit status that says so.

use cqlite_core::{Error, ErrorKind};
use std::io::Write;

/// What ended a command early.
#[derive(Debug)]
pub enum Failure {
    /// The library's error.
    Core(Error),
    /// Standard output cannot be written.
    Output(std::io::Error),
    /// The reader of standard output went away, which is no error.
    Closed,
    /// All was said already: the exit status.
    Said(u8),
}

impl Failure {
    /// What an error of writing standard output means.
    pub fn output(e: std::io::Error) -> Self {
        match e.kind() {
            std::io::ErrorKind::BrokenPipe => Failure::Closed,
            _ => Failure::Output(e),
        }
    }

    /// Adds to the place of the library's error.
    pub fn placed(self, place: impl FnOnce(Error) -> Error) -> Self {
        match self {
            Failure::Core(e) => Failure::Core(place(e)),
            other => other,
        }
    }

    /// Exit status: 0 closed pipe, 1 bad data, 2 usage, 3 I/O or unsupported.
    pub fn status(&self) -> u8 {
        match self {
            Failure::Closed => 0,
            Failure::Said(status) => *status,
            Failure::Output(_) => 3,
            Failure::Core(e) => match e.kind() {
                ErrorKind::Corrupt => 1,
                ErrorKind::InvalidInput | ErrorKind::NotFound => 2,
                _ => 3,
            },
        }
    }

    /// Says it on standard error.
    pub fn report(&self) {
        match self {
            Failure::Closed | Failure::Said(_) => {}
            Failure::Output(e) => tell(format_args!("cannot write standard output: {e}")),
            Failure::Core(e) => tell(e),
        }
    }
}

/// Writes a line to standard error. Whether anyone reads it is no concern of the command's.
pub fn tell(what: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "cqlite: {what}");
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        Failure::Core(e)
    }
}
