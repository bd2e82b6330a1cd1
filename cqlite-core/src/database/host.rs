//! The id that a database has among those that count.
//!
//! Authority: `o.a.c.db.SystemKeyspace.getOrInitializeLocalHostId`, `o.a.c.utils.CounterId`.

use super::fresh::Fresh;
use crate::cql::parse_uuid;
use crate::io::replace_file;
use crate::schema::uuid_text;
use crate::{Error, Result};
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
    let id = Fresh::new().random_uuid();
    replace_file(&path, format!("{}\n", uuid_text(&id)).as_bytes())?;
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
