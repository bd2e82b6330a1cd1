//! The checks of one row or marker: its values, times, and place among the others.
//!
//! Authority: `o.a.c.db.rows.AbstractCell.validate`, `o.a.c.schema.ColumnMetadata.validateCell`,
//! `o.a.c.db.LivenessInfo`, `o.a.c.db.rows.RangeTombstoneMarker`.

use super::totals::Totals;
use crate::model::{
    Cell, ClusteringRef, DeletionTime, EXPIRED_LIVENESS_TTL, LivenessInfo, MarkerRef,
    NO_DELETION_TIME, RowRef, StreamHeader,
};
use crate::sstable::data::deletion::INVALID_DELETION_TIME;
use crate::sstable::version::Version;
use crate::types::CqlType;
use crate::types::counter::{ShardKind, shards};
use crate::{Error, Result};
use std::cmp::Ordering;

/// Longest TTL that Cassandra takes: 20 years, in seconds (`Attributes.MAX_TTL`).
const TTL_MAX: i32 = 20 * 365 * 24 * 60 * 60;

/// Bytes of a key or clustering. Values of no bytes are read whatever their type, so they are not held against a file.
#[inline(always)]
fn validate(ty: &CqlType, value: &[u8]) -> Result<()> {
    match value {
        [] => Ok(()),
        value => ty.validate(value),
    }
}

/// What the columns of an SSTable must hold.
#[derive(Debug)]
pub(crate) struct RowChecks {
    statics: Vec<CqlType>,
    regulars: Vec<CqlType>,
    clustering: Vec<CqlType>,
    key: CqlType,
    /// Since `oa` Cassandra writes the one impossible local deletion time for those that are too late.
    has_uint_deletion_time: bool,
}

impl RowChecks {
    /// For rows with these columns.
    pub fn new(header: &StreamHeader, version: Version) -> Self {
        RowChecks {
            has_uint_deletion_time: version.has_uint_deletion_time(),
            statics: header.statics.iter().map(|c| c.ty.clone()).collect(),
            regulars: header.regulars.iter().map(|c| c.ty.clone()).collect(),
            clustering: header.clustering.iter().map(|c| c.ty.clone()).collect(),
            key: header.key_type.clone(),
        }
    }

    /// Checks a partition key.
    pub fn key(&self, key: &[u8]) -> Result<()> {
        match &self.key {
            // An index of a map's entries has entries as keys, not maps.
            CqlType::Map { frozen: false, .. } => Ok(()),
            ty => validate(ty, key),
        }
    }

    /// Checks the values of a clustering or bound.
    #[inline]
    pub fn clustering(&self, values: ClusteringRef<'_>) -> Result<()> {
        for (ty, value) in self.clustering.iter().zip(values.iter()) {
            validate(ty, value.unwrap_or_default())?;
        }
        Ok(())
    }

    /// Checks a row's content, and adds it to the totals.
    #[inline]
    pub fn row(&self, row: RowRef<'_>, totals: &mut Totals) -> Result<()> {
        totals.rows += 1;
        let liveness = row.liveness();
        totals.add_liveness(&liveness);
        let deletion = row.deletion().time;
        totals.add_deletion(&deletion);
        let mut result = check_liveness(&liveness).and(self.deletion(&deletion));
        for deletion in row.complex_deletions() {
            totals.add_deletion(&deletion.time);
            result = result.and(self.deletion(&deletion.time));
        }
        let columns = match row.is_static() {
            true => &self.statics,
            false => &self.regulars,
        };
        let mut previous: Option<Cell<'_>> = None;
        totals.cells_in_partition += row.cell_count() as u64;
        for cell in row.cells() {
            totals.add(cell.timestamp, cell.ttl, cell.local_deletion_time);
            let Some(ty) = columns.get(cell.column) else {
                continue;
            };
            if previous.is_none_or(|p| p.column != cell.column) {
                totals.columns_set += 1;
            }
            // All cells are counted, the first fault of them is told.
            if result.is_ok() {
                result = check_cell(ty, &cell, previous.as_ref());
                if matches!(ty, CqlType::Counter) {
                    result = result.and_then(|()| check_counter(&cell, totals));
                }
            }
            previous = Some(cell);
        }
        result
    }

    /// Checks the time of a deletion.
    #[inline]
    pub fn deletion(&self, deletion: &DeletionTime) -> Result<()> {
        match deletion.local_deletion_time {
            INVALID_DELETION_TIME if !self.has_uint_deletion_time => Err(Error::corrupt(
                "a deletion with an impossible local deletion time",
            )),
            _ => Ok(()),
        }
    }

    /// Checks a marker's deletions against the one that is open before it, and adds them to the totals. Returns what is
    /// open behind it.
    pub fn marker(
        &self,
        marker: MarkerRef<'_>,
        open: DeletionTime,
        totals: &mut Totals,
    ) -> (DeletionTime, Result<()>) {
        let (kind, closes, opens) = (marker.kind(), marker.close(), marker.open());
        let mut result = Ok(());
        let mut wrong = |is_wrong: bool, what| {
            if is_wrong && result.is_ok() {
                result = Err(Error::corrupt(what));
            }
        };
        if kind.is_end() {
            totals.add_deletion(&closes);
            wrong(open.is_live(), "a range tombstone ends where none is open");
            wrong(
                closes != open,
                "a range tombstone ends with another deletion than it starts with",
            );
        } else {
            wrong(
                !open.is_live(),
                "a range tombstone starts where one is open",
            );
        }
        if kind.is_start() {
            totals.add_deletion(&opens);
            wrong(opens.is_live(), "a range tombstone that deletes nothing");
        }
        let result = result
            .and(self.deletion(&closes))
            .and(self.deletion(&opens));
        (opens, result)
    }
}

fn check_liveness(liveness: &LivenessInfo) -> Result<()> {
    if !liveness.is_expiring() || liveness.ttl == EXPIRED_LIVENESS_TTL {
        return Ok(());
    }
    check_times(liveness.ttl, liveness.local_expiration_time)
}

fn check_times(ttl: i32, local_deletion_time: i64) -> Result<()> {
    if !(0..=TTL_MAX).contains(&ttl) {
        return Err(Error::corrupt("a TTL of more than 20 years"));
    }
    match local_deletion_time {
        INVALID_DELETION_TIME => Err(Error::corrupt("an impossible local deletion time")),
        NO_DELETION_TIME if ttl != 0 => Err(Error::corrupt("a TTL without an expiration")),
        _ => Ok(()),
    }
}

#[inline]
fn check_cell(ty: &CqlType, cell: &Cell<'_>, previous: Option<&Cell<'_>>) -> Result<()> {
    if let Some(previous) = previous {
        let order =
            cell.column
                .cmp(&previous.column)
                .then_with(|| match (previous.path, cell.path) {
                    (Some(before), Some(path)) => ty.compare_paths(path, before),
                    _ => Ordering::Equal,
                });
        if order.is_le() {
            return Err(Error::corrupt("cells that are out of order"));
        }
    }
    let mut value = Some(cell.value).filter(|v| !v.is_empty());
    if cell.ttl != 0 || cell.local_deletion_time != NO_DELETION_TIME {
        check_times(cell.ttl, cell.local_deletion_time)?;
        if cell.is_tombstone() && value.take().is_some() {
            return Err(Error::corrupt("a tombstone with a value"));
        }
    }
    match (value, cell.path) {
        (None, None) => Ok(()),
        (value, path) => ty.validate_cell(path, value),
    }
}

fn check_counter(cell: &Cell<'_>, totals: &mut Totals) -> Result<()> {
    if cell.value.is_empty() {
        return Ok(());
    }
    let is_legacy = |kind| kind != ShardKind::Global;
    totals.has_legacy_counter_shards |= shards(cell.value)?.any(|shard| is_legacy(shard.kind));
    Ok(())
}
