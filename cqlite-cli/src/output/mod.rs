//! Where data goes: standard output, through one reused buffer, and how instants and strings look there.

pub mod csv;
pub mod expanded;
pub mod instant;
pub mod java;
pub mod json;
pub mod plain;
pub mod table;
pub mod value;

use crate::failure::Failure;
use std::io::Write;

/// Bytes that are gathered before they are written.
const BUFFER_BYTES: usize = 1 << 16;

/// Standard output. Writers append to [`Out::text`] and call [`Out::drain`] between things of bounded size.
pub struct Out {
    /// What is not written yet.
    pub text: Vec<u8>,
    to: Box<dyn Write>,
}

impl Out {
    /// The process's standard output, without the line buffering that would cut each write in two.
    pub fn stdout() -> Result<Self, Failure> {
        #[cfg(unix)]
        let to = {
            use std::os::fd::AsFd;
            let fd = std::io::stdout().as_fd().try_clone_to_owned();
            Box::new(std::fs::File::from(fd.map_err(Failure::output)?))
        };
        #[cfg(not(unix))]
        let to = Box::new(std::io::stdout());
        Ok(Out::to(to))
    }

    /// Something else.
    pub fn to(to: Box<dyn Write>) -> Self {
        Out {
            text: Vec::with_capacity(2 * BUFFER_BYTES),
            to,
        }
    }

    /// Writes what has gathered, if it is much.
    #[inline(always)]
    pub fn drain(&mut self) -> Result<(), Failure> {
        match self.text.len() < BUFFER_BYTES {
            true => Ok(()),
            false => self.flush(),
        }
    }

    /// Writes what has gathered.
    #[inline(never)]
    pub fn flush(&mut self) -> Result<(), Failure> {
        let written = self.to.write_all(&self.text).and_then(|()| self.to.flush());
        self.text.clear();
        written.map_err(Failure::output)
    }
}
