//! Deletion times of partitions and of range tombstones that are open at an index block's edge.
//!
//! Authority: `o.a.c.db.DeletionTime.{Serializer,LegacySerializer}`. Deletions inside rows and markers are deltas instead.

use crate::bytes::{Cursor, DecodeError, Sink};
use crate::model::{DeletionTime, NO_DELETION_TIME, NO_TIMESTAMP};
use crate::{Error, Result as WriteResult};

/// Local deletion time, in seconds since 1970, of a deletion whose stored one is impossible: past every real one.
pub const INVALID_DELETION_TIME: i64 = (1 << 32) - 2;

/// The one byte of a live deletion since `oa`.
const LIVE_FLAG: u8 = 0x80;

/// Decodes a deletion time: since `oa` (`has_uint_deletion_time`) one byte if live, else i64 timestamp and u32 local
/// deletion time; before, i32 local deletion time and i64 timestamp.
#[inline]
pub fn read_deletion_time(
    cursor: &mut Cursor<'_>,
    has_uint_deletion_time: bool,
) -> Result<DeletionTime, DecodeError> {
    if !has_uint_deletion_time {
        return read_legacy(cursor);
    }
    match cursor.rest().first() {
        Some(&LIVE_FLAG) => {
            cursor.u8()?;
            Ok(DeletionTime::LIVE)
        }
        Some(first) if first & LIVE_FLAG != 0 => {
            // Also what Cassandra writes here for a negative timestamp, and does not read.
            Err(DecodeError::Invalid("bad flags of a deletion time"))
        }
        _ => {
            let marked_for_delete_at = cursor.i64()?;
            let local_deletion_time = match cursor.u32()? {
                u32::MAX => NO_DELETION_TIME,
                seconds => seconds as i64,
            };
            Ok(DeletionTime {
                marked_for_delete_at,
                local_deletion_time,
            })
        }
    }
}

fn read_legacy(cursor: &mut Cursor<'_>) -> Result<DeletionTime, DecodeError> {
    let seconds = cursor.i32()?;
    let marked_for_delete_at = cursor.i64()?;
    Ok(match (marked_for_delete_at, seconds) {
        (NO_TIMESTAMP, i32::MAX) => DeletionTime::LIVE,
        // Overflowed seconds of old scrubs and of corruption.
        (_, i32::MIN..0) => DeletionTime {
            marked_for_delete_at,
            local_deletion_time: INVALID_DELETION_TIME,
        },
        _ => DeletionTime {
            marked_for_delete_at,
            local_deletion_time: seconds as i64,
        },
    })
}

/// Largest local deletion time before `oa`, which kept it in an i32 (`Cell.MAX_DELETION_TIME_2038_LEGACY_CAP`). Later
/// ones are written as this.
pub const LEGACY_DELETION_TIME_MAX: i64 = i32::MAX as i64 - 1;

/// Appends a deletion time as [`read_deletion_time`] reads it.
///
/// # Errors
/// `InvalidInput` for what the format cannot hold: since `oa` a negative timestamp, or a local deletion time that does
/// not fit 32 bits.
#[inline]
pub fn write_deletion_time(
    out: &mut impl Sink,
    deletion: DeletionTime,
    has_uint_deletion_time: bool,
) -> WriteResult<()> {
    if !has_uint_deletion_time {
        let local = match deletion.local_deletion_time {
            NO_DELETION_TIME => i32::MAX,
            local => local.min(LEGACY_DELETION_TIME_MAX) as i32,
        };
        out.put_i32(local);
        out.put_i64(deletion.marked_for_delete_at);
        return Ok(());
    }
    if deletion.is_live() {
        out.put_u8(LIVE_FLAG);
        return Ok(());
    }
    let local = match deletion.local_deletion_time {
        NO_DELETION_TIME => Some(u32::MAX),
        local => u32::try_from(local).ok(),
    };
    match local {
        Some(local) if deletion.marked_for_delete_at >= 0 => {
            out.put_i64(deletion.marked_for_delete_at);
            out.put_u32(local);
            Ok(())
        }
        _ => Err(unstorable(deletion)),
    }
}

#[cold]
fn unstorable(deletion: DeletionTime) -> Error {
    Error::invalid(format!(
        "a deletion of timestamp {} made at second {} cannot be stored since version `oa`",
        deletion.marked_for_delete_at, deletion.local_deletion_time
    ))
    .advise("write version `nb`, or leave the deletion out")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_as_read() {
        let deletion = |marked_for_delete_at, local_deletion_time| DeletionTime {
            marked_for_delete_at,
            local_deletion_time,
        };
        for (time, uint, legacy) in [
            (DeletionTime::LIVE, true, true),
            (deletion(5, 0), true, true),
            (deletion(-5, 7), false, true),
            (deletion(5, i64::from(u32::MAX) - 2), true, false),
            (deletion(i64::MAX, i64::from(i32::MAX) - 1), true, true),
            (deletion(5, 1 << 32), false, false),
        ] {
            let mut out = Vec::new();
            match uint {
                true => {
                    write_deletion_time(&mut out, time, true).unwrap();
                    assert_eq!(read(&out, true), Ok((time, out.len())));
                }
                false => assert!(write_deletion_time(&mut out, time, true).is_err()),
            }
            let mut out = Vec::new();
            write_deletion_time(&mut out, time, false).unwrap();
            let capped = deletion(5, LEGACY_DELETION_TIME_MAX);
            let expected = if legacy { time } else { capped };
            assert_eq!(read(&out, false), Ok((expected, 12)));
        }
    }

    fn read(bytes: &[u8], uint: bool) -> Result<(DeletionTime, usize), DecodeError> {
        let mut cursor = Cursor::new(bytes);
        read_deletion_time(&mut cursor, uint).map(|d| (d, cursor.position()))
    }

    #[test]
    fn since_oa_live_is_one_byte() {
        assert_eq!(read(&[0x80, 7], true), Ok((DeletionTime::LIVE, 1)));
        assert!(matches!(read(&[0x81], true), Err(DecodeError::Invalid(_))));
        let bytes = [0, 0, 0, 0, 0, 0, 1, 0, 0xff, 0, 0, 0];
        let deletion = DeletionTime {
            marked_for_delete_at: 256,
            local_deletion_time: 0xff00_0000,
        };
        assert_eq!(read(&bytes, true), Ok((deletion, 12)));
        assert_eq!(read(&bytes[..11], true), Err(DecodeError::Eof));
        assert_eq!(read(&[], true), Err(DecodeError::Eof));
    }

    #[test]
    fn before_oa_the_local_time_comes_first() {
        let live = [0x7f, 0xff, 0xff, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(read(&live, false), Ok((DeletionTime::LIVE, 12)));
        let invalid = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
        let (deletion, _) = read(&invalid, false).unwrap();
        assert_eq!(deletion.marked_for_delete_at, 9);
        assert_eq!(deletion.local_deletion_time, INVALID_DELETION_TIME);
    }
}
