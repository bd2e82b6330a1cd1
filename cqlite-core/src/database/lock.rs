//! Keeps other processes from writing to a database's directory.

use crate::{Error, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::Path;

/// Held for as long as a directory is in use. The system gives it up when the process ends, however that does.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// # Errors
    /// `InvalidInput` if another process has it; `Io`.
    pub fn take(directory: &Path) -> Result<Self> {
        let path = directory.join("lock");
        let failed = |e| {
            Error::io(&path, e).advise("a database must be writable; `query` and `ls` only read it")
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let owner = std::fs::read_to_string(&path).unwrap_or_default();
                let owner = match owner.trim() {
                    "" => String::new(),
                    id => format!(", the process {id}"),
                };
                return Err(
                    Error::invalid(format!("the database is open elsewhere{owner}"))
                        .advise("one process at a time writes to it; end the other one")
                        .in_file(&path),
                );
            }
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
        let id = format!("{}\n", std::process::id());
        file.set_len(0).map_err(failed)?;
        file.write_all(id.as_bytes()).map_err(failed)?;
        Ok(DirectoryLock { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn there_is_one_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let lock = DirectoryLock::take(directory.path()).unwrap();
        let e = DirectoryLock::take(directory.path()).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::InvalidInput);
        let own = std::process::id().to_string();
        assert!(e.to_string().contains(&own), "{e}");
        drop(lock);
        DirectoryLock::take(directory.path()).unwrap();
    }
}
