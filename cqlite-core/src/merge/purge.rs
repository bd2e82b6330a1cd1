//! Leaves out what nobody needs any more: tombstones that are older than gc_grace and that hide nothing elsewhere.
//!
//! Authority: `o.a.c.db.partitions.PurgeFunction`, `o.a.c.db.DeletionPurger`, `o.a.c.db.rows.BTreeRow.purge`,
//! `o.a.c.db.rows.AbstractCell.purge`, `o.a.c.db.compaction.CompactionIterator.Purger`.

use crate::Result;
use crate::model::{
    BoundKind, CellSpan, DeletionTime, LivenessInfo, MarkerBuf, MarkerRef, NO_DELETION_TIME,
    PartitionHead, PartitionSource, RowBuf, RowDeletion, RowRef, StreamHeader, Unfiltered,
};

/// When tombstones may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PurgeRules {
    /// Seconds since 1970: what expires by then has expired.
    pub now: i64,
    /// Seconds since 1970: tombstones made before it may go.
    pub gc_before: i64,
    /// Rows live by the liveness of their key alone: those of some materialized views.
    pub strict_liveness: bool,
}

/// Which tombstones of a partition hide nothing that is not in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purgeable {
    /// All of them: nothing else has the partition.
    All,
    /// Those of smaller write timestamps: what else has the partition is not older than this.
    Before(i64),
    /// None of them.
    Nothing,
}

/// A stream without what may be purged. `S` gives partitions forwards; `O` tells for a raw key what elsewhere keeps its
/// tombstones from being purged, and is asked once a partition, when its first tombstone is met.
///
/// What has expired but may not be purged becomes a tombstone, which is shorter. Partitions and rows that have nothing
/// left are still shown, empty; the writer passes them over.
pub struct Purge<S, O> {
    source: S,
    rules: PurgeRules,
    others: O,
    /// What `others` said of the present partition.
    purgeable: Option<Purgeable>,
    deletion: DeletionTime,
    static_row: Kept,
    static_buf: RowBuf,
    unfiltered: Kept,
    row: RowBuf,
    marker: MarkerBuf,
}

/// What is left of a row or marker of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// All of it.
    All,
    /// What the own buffer has, over the source's bytes.
    Some,
    Nothing,
}

impl<S: PartitionSource, O: FnMut(&[u8]) -> Result<Purgeable>> Purge<S, O> {
    /// Purges `source` by `rules`.
    pub fn new(source: S, rules: PurgeRules, others: O) -> Self {
        Purge {
            source,
            rules,
            others,
            purgeable: None,
            deletion: DeletionTime::LIVE,
            static_row: Kept::Nothing,
            static_buf: RowBuf::default(),
            unfiltered: Kept::Nothing,
            row: RowBuf::default(),
            marker: MarkerBuf::default(),
        }
    }

    fn purger<'a>(
        rules: &'a PurgeRules,
        others: &'a mut O,
        purgeable: &'a mut Option<Purgeable>,
        key: &'a [u8],
    ) -> Purger<'a, O> {
        Purger {
            rules,
            others,
            purgeable,
            key,
        }
    }
}

/// Decides for the present partition.
struct Purger<'a, O> {
    rules: &'a PurgeRules,
    others: &'a mut O,
    purgeable: &'a mut Option<Purgeable>,
    key: &'a [u8],
}

impl<O: FnMut(&[u8]) -> Result<Purgeable>> Purger<'_, O> {
    fn may_go(&mut self, timestamp: i64, local_deletion_time: i64) -> Result<bool> {
        if local_deletion_time >= self.rules.gc_before {
            return Ok(false);
        }
        let purgeable = match *self.purgeable {
            Some(known) => known,
            None => *self.purgeable.insert((self.others)(self.key)?),
        };
        Ok(match purgeable {
            Purgeable::All => true,
            Purgeable::Before(oldest) => timestamp < oldest,
            Purgeable::Nothing => false,
        })
    }

    fn deletion_may_go(&mut self, deletion: DeletionTime) -> Result<bool> {
        Ok(!deletion.is_live()
            && self.may_go(deletion.marked_for_delete_at, deletion.local_deletion_time)?)
    }

    /// Purges a row into `out`, which then points into the same bytes.
    fn row(&mut self, row: RowRef<'_>, out: &mut RowBuf) -> Result<Kept> {
        let now = self.rules.now;
        if !has_deletion(row, now) {
            return Ok(Kept::All);
        }
        let from = row.buf();
        out.clear();
        out.is_static = from.is_static;
        out.position = from.position;
        out.previous_size = from.previous_size;
        out.clustering.extend_from_slice(&from.clustering);
        let liveness = from.liveness;
        let is_dead = !liveness.is_empty() && !liveness.is_live(now);
        let goes = is_dead && self.may_go(liveness.timestamp, liveness.local_expiration_time)?;
        if !goes {
            out.liveness = liveness;
        }
        if !self.deletion_may_go(from.deletion.time)? {
            out.deletion = from.deletion;
        }
        if self.rules.strict_liveness
            && out.deletion == RowDeletion::LIVE
            && out.liveness == LivenessInfo::EMPTY
        {
            return Ok(Kept::Nothing);
        }
        for &deletion in &from.complex_deletions {
            if !self.deletion_may_go(deletion.time)? {
                out.complex_deletions.push(deletion);
            }
        }
        for cell in &from.cells {
            if let Some(cell) = self.cell(*cell)? {
                out.cells.push(cell);
            }
        }
        Ok(match out.is_empty() {
            true => Kept::Nothing,
            false => Kept::Some,
        })
    }

    fn cell(&mut self, cell: CellSpan) -> Result<Option<CellSpan>> {
        let at = cell.local_deletion_time;
        if at == NO_DELETION_TIME || (cell.ttl != 0 && self.rules.now < at) {
            return Ok(Some(cell));
        }
        if self.may_go(cell.timestamp, at)? {
            return Ok(None);
        }
        if cell.ttl == 0 {
            return Ok(Some(cell));
        }
        // A tombstone from when the value was written: both together are there for gc_grace at least.
        let made_at = at.saturating_sub(cell.ttl.into());
        if self.may_go(cell.timestamp, made_at)? {
            return Ok(None);
        }
        Ok(Some(CellSpan {
            ttl: 0,
            local_deletion_time: made_at,
            value: crate::model::Span::EMPTY,
            ..cell
        }))
    }

    fn marker(&mut self, marker: MarkerRef<'_>, out: &mut MarkerBuf) -> Result<Kept> {
        let closes = !marker.close().is_live() && !self.deletion_may_go(marker.close())?;
        let opens = !marker.open().is_live() && !self.deletion_may_go(marker.open())?;
        let kind = marker.kind();
        if closes == kind.is_end() && opens == kind.is_start() {
            return Ok(Kept::All);
        }
        if !closes && !opens {
            return Ok(Kept::Nothing);
        }
        out.clone_from(marker.buf());
        // A boundary of which one side is left.
        let is_before = kind == BoundKind::ExclEndInclStart;
        if closes {
            out.open = DeletionTime::LIVE;
            out.kind = match is_before {
                true => BoundKind::ExclEnd,
                false => BoundKind::InclEnd,
            };
        } else {
            out.close = DeletionTime::LIVE;
            out.kind = match is_before {
                true => BoundKind::InclStart,
                false => BoundKind::ExclStart,
            };
        }
        Ok(Kept::Some)
    }
}

/// Whether anything of a row is deleted, or has expired.
#[inline]
fn has_deletion(row: RowRef<'_>, now: i64) -> bool {
    let buf = row.buf();
    let liveness = &buf.liveness;
    !buf.deletion.time.is_live()
        || !buf.complex_deletions.is_empty()
        || (liveness.ttl != 0 && !liveness.is_live(now))
        || buf.cells.iter().any(|cell| {
            let at = cell.local_deletion_time;
            at != NO_DELETION_TIME && (cell.ttl == 0 || now >= at)
        })
}

impl<S: PartitionSource, O: FnMut(&[u8]) -> Result<Purgeable>> PartitionSource for Purge<S, O> {
    fn header(&self) -> &StreamHeader {
        self.source.header()
    }

    fn next_partition(&mut self) -> Result<bool> {
        if !self.source.next_partition()? {
            return Ok(false);
        }
        self.purgeable = None;
        let head = self.source.partition();
        let mut purger = Self::purger(&self.rules, &mut self.others, &mut self.purgeable, head.key);
        self.deletion = match purger.deletion_may_go(head.deletion)? {
            true => DeletionTime::LIVE,
            false => head.deletion,
        };
        self.static_row = match head.static_row {
            Some(row) => purger.row(row, &mut self.static_buf)?,
            None => Kept::Nothing,
        };
        Ok(true)
    }

    #[inline]
    fn key_hash(&self) -> Option<(u64, u64)> {
        self.source.key_hash()
    }

    #[inline]
    fn partition(&self) -> PartitionHead<'_> {
        let head = self.source.partition();
        PartitionHead {
            deletion: self.deletion,
            static_row: match self.static_row {
                Kept::All => head.static_row,
                Kept::Some => head
                    .static_row
                    .map(|row| RowRef::new(row.bytes(), &self.static_buf)),
                Kept::Nothing => None,
            },
            ..head
        }
    }

    #[inline]
    fn next_unfiltered(&mut self) -> Result<bool> {
        while self.source.next_unfiltered()? {
            let key = self.source.partition().key;
            let mut purger = Self::purger(&self.rules, &mut self.others, &mut self.purgeable, key);
            self.unfiltered = match self.source.unfiltered() {
                Unfiltered::Row(row) => purger.row(row, &mut self.row)?,
                Unfiltered::Marker(marker) => purger.marker(marker, &mut self.marker)?,
            };
            if self.unfiltered != Kept::Nothing {
                return Ok(true);
            }
        }
        Ok(false)
    }

    #[inline]
    fn unfiltered(&self) -> Unfiltered<'_> {
        match (self.source.unfiltered(), self.unfiltered) {
            (Unfiltered::Row(row), Kept::Some) => {
                Unfiltered::Row(RowRef::new(row.bytes(), &self.row))
            }
            (Unfiltered::Marker(marker), Kept::Some) => {
                Unfiltered::Marker(MarkerRef::new(marker.bytes(), &self.marker))
            }
            (whole, _) => whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ComplexDeletion, Span};

    const OLD: i64 = 50;
    const GC_BEFORE: i64 = 100;
    const RECENT: i64 = 150;
    const NOW: i64 = 200;

    fn rules() -> PurgeRules {
        PurgeRules {
            now: NOW,
            gc_before: GC_BEFORE,
            strict_liveness: false,
        }
    }

    fn deletion(timestamp: i64, at: i64) -> DeletionTime {
        DeletionTime {
            marked_for_delete_at: timestamp,
            local_deletion_time: at,
        }
    }

    fn cell(timestamp: i64, ttl: i32, local_deletion_time: i64) -> CellSpan {
        CellSpan {
            column: 0,
            ttl,
            timestamp,
            local_deletion_time,
            path: Span::NULL,
            value: Span { start: 0, len: 1 },
        }
    }

    /// What is left of a row where nothing but `purgeable` may go.
    fn purged_by(rules: PurgeRules, purgeable: Purgeable, row: &RowBuf) -> Option<RowBuf> {
        let mut others = |_: &[u8]| Ok(purgeable);
        let mut known = None;
        let mut purger = Purger {
            rules: &rules,
            others: &mut others,
            purgeable: &mut known,
            key: b"k",
        };
        let mut out = RowBuf::default();
        match purger.row(RowRef::new(b"v", row), &mut out).unwrap() {
            Kept::All => Some(row.clone()),
            Kept::Some => Some(out),
            Kept::Nothing => None,
        }
    }

    fn cells_left(purgeable: Purgeable, cells: &[CellSpan]) -> Vec<CellSpan> {
        let row = RowBuf {
            cells: cells.to_vec(),
            ..RowBuf::default()
        };
        purged_by(rules(), purgeable, &row).map_or(Vec::new(), |row| row.cells)
    }

    #[test]
    fn tombstones_go_when_they_are_old_and_hide_nothing() {
        let (old, recent) = (cell(5, 0, OLD), cell(5, 0, RECENT));
        assert_eq!(cells_left(Purgeable::All, &[old, recent]), [recent]);
        assert_eq!(
            cells_left(Purgeable::All, &[cell(5, 0, GC_BEFORE)]).len(),
            1
        );
        assert_eq!(cells_left(Purgeable::Before(6), &[old]), []);
        assert_eq!(cells_left(Purgeable::Before(5), &[old]), [old]);
        assert_eq!(cells_left(Purgeable::Nothing, &[old]), [old]);
    }

    #[test]
    fn what_expired_goes_or_becomes_a_tombstone() {
        let live = cell(5, 10, NOW + 1);
        assert_eq!(cells_left(Purgeable::All, &[live]), [live]);
        // Expired before gc_grace, and after it but written before it.
        assert_eq!(cells_left(Purgeable::All, &[cell(5, 10, OLD)]), []);
        assert_eq!(cells_left(Purgeable::All, &[cell(5, 60, RECENT)]), []);
        let tombstone = CellSpan {
            value: Span::EMPTY,
            ..cell(5, 0, RECENT - 10)
        };
        assert_eq!(
            cells_left(Purgeable::All, &[cell(5, 10, RECENT)]),
            [tombstone]
        );
        let kept = cells_left(Purgeable::Before(5), &[cell(5, 10, OLD)]);
        assert_eq!(kept[0].local_deletion_time, OLD - 10);
        assert_eq!((kept[0].ttl, kept[0].value), (0, Span::EMPTY));
    }

    #[test]
    fn liveness_and_deletions_of_rows_and_columns() {
        let mut row = RowBuf {
            liveness: LivenessInfo {
                timestamp: 5,
                ttl: 10,
                local_expiration_time: OLD,
            },
            deletion: RowDeletion {
                time: deletion(4, OLD),
                shadowable: false,
            },
            complex_deletions: vec![ComplexDeletion {
                column: 0,
                time: deletion(4, OLD),
            }],
            cells: vec![cell(6, 0, NO_DELETION_TIME)],
            ..RowBuf::default()
        };
        let left = purged_by(rules(), Purgeable::All, &row).unwrap();
        assert!(left.liveness.is_empty() && left.deletion == RowDeletion::LIVE);
        assert!(left.complex_deletions.is_empty());
        assert_eq!(left.cells, row.cells);
        let strict = PurgeRules {
            strict_liveness: true,
            ..rules()
        };
        assert!(purged_by(strict, Purgeable::All, &row).is_none());
        // Liveness that has expired stays as it is until it may go.
        let left = purged_by(rules(), Purgeable::Before(5), &row).unwrap();
        assert_eq!(left.liveness, row.liveness);
        assert_eq!(left.deletion, RowDeletion::LIVE);
        let left = purged_by(rules(), Purgeable::Nothing, &row).unwrap();
        assert_eq!(left.complex_deletions, row.complex_deletions);
        // Without a deletion nothing is looked at, strict or not.
        row = RowBuf {
            cells: vec![cell(6, 0, NO_DELETION_TIME)],
            ..RowBuf::default()
        };
        assert!(purged_by(strict, Purgeable::All, &row).is_some());
    }

    #[test]
    fn a_marker_keeps_the_side_that_may_not_go() {
        let purged = |kind, close, open| {
            let rules = rules();
            let mut others = |_: &[u8]| Ok(Purgeable::All);
            let mut known = None;
            let mut purger = Purger {
                rules: &rules,
                others: &mut others,
                purgeable: &mut known,
                key: b"k",
            };
            let marker = MarkerBuf {
                kind,
                close,
                open,
                ..MarkerBuf::default()
            };
            let mut out = MarkerBuf::default();
            match purger
                .marker(MarkerRef::new(b"", &marker), &mut out)
                .unwrap()
            {
                Kept::All => Some((kind, close, open)),
                Kept::Some => Some((out.kind, out.close, out.open)),
                Kept::Nothing => None,
            }
        };
        use BoundKind::{ExclEnd, ExclEndInclStart, ExclStart, InclEndExclStart, InclStart};
        let (live, old, recent) = (DeletionTime::LIVE, deletion(5, OLD), deletion(5, RECENT));
        assert_eq!(purged(InclStart, live, old), None);
        assert_eq!(
            purged(InclStart, live, recent),
            Some((InclStart, live, recent))
        );
        assert_eq!(purged(ExclEndInclStart, old, old), None);
        assert_eq!(
            purged(ExclEndInclStart, recent, old),
            Some((ExclEnd, recent, live))
        );
        assert_eq!(
            purged(InclEndExclStart, old, recent),
            Some((ExclStart, live, recent))
        );
        let both = (InclEndExclStart, recent, recent);
        assert_eq!(purged(both.0, both.1, both.2), Some(both));
    }
}
