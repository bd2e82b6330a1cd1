//! The id that a database has among those that count.
//!
//! Authority: `o.a.c.db.SystemKeyspace.getOrInitializeLocalHostId`, `o.a.c.utils.CounterId`.

use crate::cql::parse_uuid;
use crate::io::sync_directory;
use crate::{Error, Result};
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::path::Path;

/// The id of the database with this directory of its own, which is made if there is none yet: a random UUID.
///
/// # Errors
/// `Corrupt` for a file that holds none; `Io`.
pub(super) fn host_id(own: &Path) -> Result<[u8; 16]> {
    let path = own.join("host_id");
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let id = parse_uuid(text.trim());
            return id.ok_or_else(|| {
                Error::corrupt("it holds no host id")
                    .advise("without it counters go on under another id: move it away to do so")
                    .in_file(&path)
            });
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(Error::io(&path, e)),
    }
    let random = RandomState::new();
    let mut id = [0; 16];
    id[..8].copy_from_slice(&random.hash_one(0).to_be_bytes());
    id[8..].copy_from_slice(&random.hash_one(1).to_be_bytes());
    // Version 4, and the variant.
    id[6] = id[6] & 0x0f | 0x40;
    id[8] = id[8] & 0x3f | 0x80;
    let mut text = String::new();
    for (i, byte) in id.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text.push('\n');
    let new = own.join("host_id.tmp");
    let failed = |e| Error::io(&new, e);
    let mut file = File::create(&new).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(&new, &path).map_err(|e| Error::io(&path, e))?;
    sync_directory(own)?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn it_stays_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let id = host_id(directory.path()).unwrap();
        assert_eq!(host_id(directory.path()).unwrap(), id);
        assert_eq!((id[6] >> 4, id[8] >> 6), (4, 2));
        let other = tempfile::tempdir().unwrap();
        assert_ne!(host_id(other.path()).unwrap(), id);
        std::fs::write(directory.path().join("host_id"), "no id").unwrap();
        let e = host_id(directory.path()).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Corrupt);
    }
}
