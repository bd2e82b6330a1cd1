//! One SSTable of a table: what of it a read needs, and where its columns go.

use super::source::{Kind, TableSource};
use crate::Result;
use crate::metrics::ReadStats;
use crate::model::{
    Bound, BoundKind, ClusteringComparator, NO_DELETION_TIME, PartitionHead, PartitionSource,
    Slice, StreamHeader, Unfiltered,
};
use crate::partitioner::{DecoratedKey, PartitionPosition, TokenRange};
use crate::sstable::component::statistics::ClusteringRange;
use crate::sstable::data::{Fetch, Layout, Window};
use crate::sstable::{Lookup, SSTable, Scan, SliceReader, SliceRequest};
use std::sync::Arc;

/// An SSTable, and where its columns go.
#[derive(Debug)]
pub(super) struct Member {
    pub sstable: Arc<SSTable>,
    pub layout: Arc<Layout>,
    /// The largest write timestamp.
    pub max_timestamp: i64,
    /// Between which clusterings all of its rows and range tombstones lie, if that is known.
    covered: Option<Slice>,
    /// Whether it may have deletions of partitions.
    has_partition_deletions: bool,
}

/// One partition of an SSTable that may have it.
#[derive(Clone, Copy)]
pub(super) struct Asked<'k, 'a> {
    pub key: &'k DecoratedKey<'a>,
    pub slices: &'a [Slice],
    pub reversed: bool,
}

impl Member {
    pub fn new(sstable: Arc<SSTable>, layout: Layout) -> Self {
        let stats = sstable.statistics().stats.as_ref();
        // Where it is not recorded, only an SSTable without any deletion has none of a partition.
        let has_partition_deletions = stats.is_none_or(|stats| {
            let recorded = stats.has_partition_deletions;
            recorded.unwrap_or(stats.min_local_deletion_time != NO_DELETION_TIME)
        });
        Member {
            max_timestamp: stats.map_or(i64::MAX, |stats| stats.max_timestamp),
            covered: covered(&sstable),
            has_partition_deletions,
            layout: Arc::new(layout),
            sstable,
        }
    }

    /// The SSTable from the first partition of a token range on; `None` if it has none there.
    ///
    /// # Errors
    /// `Corrupt` when the index is.
    pub fn scan<'a>(
        &'a self,
        range: &'a TokenRange,
        layout: Arc<Layout>,
    ) -> Result<Option<RangeScan<'a>>> {
        let sstable = &self.sstable;
        if *range != TokenRange::ALL && !sstable.may_meet(range) {
            return Ok(None);
        }
        let mut start = 0;
        if let Some(position) = range.start()
            && let Some(index) = sstable.partition_index()?
        {
            match index
                .lower_bound(sstable.partitioner(), &position)
                .map_err(|e| sstable.in_index(e))?
            {
                Some(located) => start = located.data_position,
                None => return Ok(None),
            }
        }
        let bounds = start..sstable.data().len();
        Ok(Some(RangeScan {
            scan: Scan::new(sstable.clone(), layout, bounds, Fetch::Scan),
            range,
            started: false,
        }))
    }

    /// Whether it may have a partition, as its keys and its filter tell.
    ///
    /// # Errors
    /// `Corrupt` when the filter is.
    #[inline(always)]
    pub fn might_contain(&self, key: &DecoratedKey<'_>, stats: &mut ReadStats) -> Result<bool> {
        if !self.sstable.may_hold(key) {
            stats.by_keys += 1;
            return Ok(false);
        }
        let is_let_through = self.sstable.might_contain(key)?;
        stats.by_filter += u32::from(!is_let_through);
        Ok(is_let_through)
    }

    /// What it has of a partition that it [might contain](Self::might_contain); `None` if that is nothing.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn read<'a>(
        &'a self,
        asked: &Asked<'_, 'a>,
        layout: impl FnOnce() -> Arc<Layout>,
        stats: &mut ReadStats,
    ) -> Result<Option<TableSource<'a>>> {
        let meets = self.meets(asked.slices);
        if !meets && !self.has_more_than_rows() {
            stats.by_clustering += 1;
            return Ok(None);
        }
        let slices = if meets { asked.slices } else { &[] };
        let reader = self.open(asked, slices, layout)?;
        let opened = match reader {
            Some(reader) => TableSource::opened(Kind::Slices(Box::new(reader)))?,
            None => None,
        };
        let Some(source) = opened else {
            stats.false_positives += u32::from(self.sstable.filter()?.is_some());
            return Ok(None);
        };
        if !meets && !self.layout.has_statics() && source.deletion().is_live() {
            stats.by_clustering += 1;
            return Ok(None);
        }
        stats.sstables += 1;
        Ok(Some(source))
    }

    fn open<'a>(
        &'a self,
        asked: &Asked<'_, 'a>,
        slices: &'a [Slice],
        layout: impl FnOnce() -> Arc<Layout>,
    ) -> Result<Option<SliceReader<'a>>> {
        let sstable = &self.sstable;
        let Some(request) = self.request(asked, slices, sstable.locate(asked.key)?)? else {
            return Ok(None);
        };
        let window = Window::new(sstable.data().clone(), Fetch::Point);
        let clusterings = sstable.clusterings();
        Ok(Some(SliceReader::new(
            window,
            layout(),
            clusterings,
            request,
        )))
    }

    /// What to ask of Data.db for a partition that was looked up; `None` if it is not there.
    pub fn request<'a>(
        &self,
        asked: &Asked<'_, 'a>,
        slices: &'a [Slice],
        found: Lookup<'a>,
    ) -> Result<Option<SliceRequest<'a>>> {
        let (position, row_index, certain) = match found {
            Lookup::Absent => return Ok(None),
            Lookup::At(at) => (at.data_position, at.row_index, at.key.is_some()),
            Lookup::NoIndex => match self.search(asked.key)? {
                Some(position) => (position, None, true),
                None => return Ok(None),
            },
        };
        Ok(Some(SliceRequest {
            position,
            key: asked.key.key,
            certain,
            row_index,
            slices,
            reversed: asked.reversed,
        }))
    }

    /// Whether these slices of partitions may depend on it, as far as clusterings tell.
    ///
    /// Authority: `o.a.c.db.ReadCommand.{intersects,hasPartitionLevelDeletions,hasRequiredStatics}`.
    pub fn matters(&self, slices: &[Slice]) -> bool {
        self.has_more_than_rows() || self.meets(slices)
    }

    /// Whether it may have what belongs to a partition wherever its rows lie.
    fn has_more_than_rows(&self) -> bool {
        self.has_partition_deletions || self.layout.has_statics()
    }

    /// Whether any of the slices may hold something.
    fn meets(&self, slices: &[Slice]) -> bool {
        let comparator = self.sstable.clusterings().comparator();
        self.covered.as_ref().is_none_or(|covered| {
            slices
                .iter()
                .any(|slice| intersects(comparator, slice, covered))
        })
    }

    /// Finds a partition without any index, by reading the data up to it.
    fn search(&self, key: &DecoratedKey<'_>) -> Result<Option<u64>> {
        let sstable = &self.sstable;
        let bounds = 0..sstable.data().len();
        let mut scan = Scan::new(sstable.clone(), self.layout.clone(), bounds, Fetch::Scan);
        let wanted = PartitionPosition::Key(*key);
        while scan.next_partition()? {
            let head = scan.partition();
            let order = sstable.partitioner().compare(head.key, &wanted);
            if order.is_ge() {
                return Ok(order.is_eq().then_some(head.position));
            }
        }
        Ok(None)
    }
}

fn intersects(comparator: &ClusteringComparator, a: &Slice, b: &Slice) -> bool {
    comparator.compare_bounds(&a.start, &b.end).is_lt()
        && comparator.compare_bounds(&b.start, &a.end).is_lt()
}

/// Between which clusterings all of an SSTable's rows and range tombstones lie, if its Statistics.db tells.
///
/// Authority: `o.a.c.io.sstable.metadata.StatsMetadata.coveredClustering`.
fn covered(sstable: &SSTable) -> Option<Slice> {
    let columns = sstable.stream().clustering.len();
    let slice = match &sstable.statistics().stats.as_ref()?.clustering {
        ClusteringRange::Slice { start, end, .. } => Slice {
            start: start.clone(),
            end: end.clone(),
        },
        ClusteringRange::Lists { min, max } => {
            if !sstable.descriptor().version.has_accurate_min_max() {
                return None;
            }
            let bound = |kind, values: &[Vec<u8>]| Bound {
                kind,
                values: values.iter().cloned().map(Some).collect(),
            };
            Slice {
                start: bound(BoundKind::InclStart, min),
                end: bound(BoundKind::InclEnd, max),
            }
        }
    };
    let fits = |bound: &Bound| bound.values.len() <= columns;
    // Nothing can lie outside where there is nothing to tell rows apart.
    (columns > 0 && fits(&slice.start) && fits(&slice.end)).then_some(slice)
}

/// The partitions of one SSTable whose tokens lie in a range.
pub struct RangeScan<'a> {
    scan: Scan,
    range: &'a TokenRange,
    started: bool,
}

impl PartitionSource for RangeScan<'_> {
    fn header(&self) -> &StreamHeader {
        self.scan.header()
    }

    fn next_partition(&mut self) -> Result<bool> {
        loop {
            if !self.scan.next_partition()? {
                return Ok(false);
            }
            // All of them? Then no token needs to be computed.
            if *self.range == TokenRange::ALL {
                return Ok(true);
            }
            let key = self.scan.partition().key;
            let partitioner = self.scan.sstable().partitioner();
            if !self.started && self.range.locate(partitioner, key).is_lt() {
                continue;
            }
            self.started = true;
            return Ok(self.range.locate(partitioner, key).is_eq());
        }
    }

    #[inline]
    fn partition(&self) -> PartitionHead<'_> {
        self.scan.partition()
    }

    #[inline]
    fn next_unfiltered(&mut self) -> Result<bool> {
        self.scan.next_unfiltered()
    }

    #[inline]
    fn unfiltered(&self) -> Unfiltered<'_> {
        self.scan.unfiltered()
    }
}
