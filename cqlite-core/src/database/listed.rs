//! Small files of lines, whose last one is the checksum of the others:
//!
//! ```text
//! line*
//! crc32 of the lines before, in hexadecimal digits
//! ```

use crate::io::replace_file;
use crate::{Error, Result};
use std::path::Path;

/// Longest file that is read: that of a million lines is shorter.
const BYTES_MAX: u64 = 1 << 26;

/// The lines of a file, each ended by a line feed; `None` if it is not there.
///
/// # Errors
/// What `broken` makes of the path of a file that was not written so; `Io`.
pub(super) fn read(path: &Path, broken: fn(&Path) -> Error) -> Result<Option<String>> {
    let mut text = match std::fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io(path, e)),
        Ok(metadata) if metadata.len() > BYTES_MAX => return Err(broken(path)),
        Ok(_) => std::fs::read_to_string(path).map_err(|e| Error::io(path, e))?,
    };
    let lines = text.strip_suffix('\n').map(|lines| {
        let end = lines.rfind('\n').map_or(0, |at| at + 1);
        (end, u32::from_str_radix(&lines[end..], 16))
    });
    match lines {
        Some((end, Ok(crc))) if crc == crc32fast::hash(&text.as_bytes()[..end]) => {
            text.truncate(end);
            Ok(Some(text))
        }
        _ => Err(broken(path)),
    }
}

/// Puts a file of these lines, each ended by a line feed, in the place of the one that is there: that of before is as it was,
/// or this one is on the disk.
///
/// # Errors
/// `Io`.
pub(super) fn replace(path: &Path, mut lines: String) -> Result<()> {
    let crc = crc32fast::hash(lines.as_bytes());
    lines.push_str(&format!("{crc:08x}\n"));
    replace_file(path, lines.as_bytes())
}
