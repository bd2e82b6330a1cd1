//! The flags of rows, markers and cells in Data.db.
//!
//! Authority: `o.a.c.db.rows.UnfilteredSerializer`, `o.a.c.db.rows.Cell.Serializer`.

/// Nothing follows in the partition.
pub const END_OF_PARTITION: u8 = 0x01;
/// A range tombstone marker, not a row.
pub const IS_MARKER: u8 = 0x02;
/// The row has liveness of its own.
pub const HAS_TIMESTAMP: u8 = 0x04;
/// That liveness expires.
pub const HAS_TTL: u8 = 0x08;
/// The row is deleted.
pub const HAS_DELETION: u8 = 0x10;
/// The row has all columns of the header.
pub const HAS_ALL_COLUMNS: u8 = 0x20;
/// Every multi-cell column of the row carries a deletion.
pub const HAS_COMPLEX_DELETION: u8 = 0x40;
/// A byte of extended flags follows.
pub const EXTENSION: u8 = 0x80;
/// Extended: the static row.
pub const EXTENDED_IS_STATIC: u8 = 0x01;
/// Extended: newer liveness undoes the deletion.
pub const EXTENDED_HAS_SHADOWABLE_DELETION: u8 = 0x02;
/// Cell: a tombstone.
pub const CELL_IS_DELETED: u8 = 0x01;
/// Cell: it has a TTL.
pub const CELL_IS_EXPIRING: u8 = 0x02;
/// Cell: no value follows.
pub const CELL_HAS_EMPTY_VALUE: u8 = 0x04;
/// Cell: its timestamp is the row's.
pub const CELL_USE_ROW_TIMESTAMP: u8 = 0x08;
/// Cell: its TTL and expiration are the row's.
pub const CELL_USE_ROW_TTL: u8 = 0x10;
