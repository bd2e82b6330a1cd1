//! Both formats' indexes behind one face: from a key to its partition, and from a slice of it to its blocks.
//!
//! Nothing is read but the mapped index files, and nothing of them is kept.

use super::big::{IndexEntries, IndexEntry, Place, PrimaryIndex, PromotedBlocks, PromotedIndex};
use super::bti::{Partitions, PartitionsIter, RowBlocks, RowIndex, Target};
use crate::Result;
use crate::model::{Bound, ClusteringComparator, DeletionTime};
use crate::partitioner::{DecoratedKey, PartitionPosition, Partitioner};
use crate::schema::ClusteringColumn;
use crate::types::write_comparable_clustering;

/// The index of an SSTable's partitions: a view, made anew when it is needed.
#[derive(Debug, Clone, Copy)]
pub enum PartitionIndex<'a> {
    /// Index.db and Summary.db.
    Big {
        /// The entries.
        primary: PrimaryIndex<'a>,
        /// Since `oa`: how deletion times are written.
        has_uint_deletion_time: bool,
    },
    /// Partitions.db and Rows.db.
    Bti {
        /// The trie of keys.
        partitions: Partitions<'a>,
        /// The bytes of Rows.db.
        rows: &'a [u8],
    },
}

/// A partition that an index knows.
#[derive(Debug, Clone, Copy)]
pub struct Located<'a> {
    /// Offset of the partition in the uncompressed Data.db.
    pub data_position: u64,
    /// Raw key, where the index holds it. Where it is `None`, the key at `data_position` tells: after a
    /// [`lookup`](PartitionIndex::lookup) it must be compared, since a trie may lead to another partition.
    pub key: Option<&'a [u8]>,
    /// The blocks of its rows, if it has more than one.
    pub row_index: Option<RowIndexRef<'a>>,
    /// Offset of its entry in Index.db; `None` in a trie.
    pub entry_position: Option<u64>,
}

impl<'a> PartitionIndex<'a> {
    /// The only partition that can have `key`.
    ///
    /// # Errors
    /// `Corrupt`.
    #[inline]
    pub fn lookup(
        &self,
        partitioner: &Partitioner,
        key: &DecoratedKey<'_>,
    ) -> Result<Option<Located<'a>>> {
        self.lookup_behind(partitioner, key, &mut Place::default())
    }

    /// [`lookup`](Self::lookup) of a key behind the one that was looked up before with the same `place`.
    ///
    /// # Errors
    /// `Corrupt`.
    #[inline]
    pub fn lookup_behind(
        &self,
        partitioner: &Partitioner,
        key: &DecoratedKey<'_>,
        place: &mut Place,
    ) -> Result<Option<Located<'a>>> {
        let located = match self {
            PartitionIndex::Big {
                primary,
                has_uint_deletion_time,
            } => match primary.lookup_behind(partitioner, key, place)? {
                Some(entry) => located_big(&entry, *has_uint_deletion_time)?,
                None => return Ok(None),
            },
            PartitionIndex::Bti { partitions, rows } => {
                match partitions.lookup(partitioner, key)? {
                    Some(target) => located_bti(target, rows)?,
                    None => return Ok(None),
                }
            }
        };
        Ok(Some(located).filter(|located| located.key.is_none_or(|k| k == key.key)))
    }

    /// A partition that starts the rest of the SSTable from `position` on; `None` if no partition is at or after it.
    /// All partitions before it sort before `position`. Of it and those after, only it may.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn lower_bound(
        &self,
        partitioner: &Partitioner,
        position: &PartitionPosition<'_>,
    ) -> Result<Option<Located<'a>>> {
        match self {
            PartitionIndex::Big {
                primary,
                has_uint_deletion_time,
            } => primary
                .lower_bound(partitioner, position)?
                .map(|entry| located_big(&entry, *has_uint_deletion_time))
                .transpose(),
            PartitionIndex::Bti { partitions, rows } => {
                let bound = partitions.lower_bound(partitioner, position)?;
                let candidate = match bound.candidate {
                    Some(target) => Some(located_bti(target, rows)?),
                    None => None,
                };
                let before = |key| partitioner.compare(key, position).is_lt();
                match candidate {
                    Some(found) if !found.key.is_some_and(before) => Ok(Some(found)),
                    _ => bound
                        .successor
                        .map(|target| located_bti(target, rows))
                        .transpose(),
                }
            }
        }
    }

    /// Every partition, in order.
    pub fn iter(&self) -> PartitionIndexIter<'a> {
        match self {
            PartitionIndex::Big {
                primary,
                has_uint_deletion_time,
            } => PartitionIndexIter::Big(primary.entries(), *has_uint_deletion_time),
            PartitionIndex::Bti { partitions, rows } => {
                PartitionIndexIter::Bti(Box::new(partitions.iter()), rows)
            }
        }
    }

    /// Raw key of the first partition; `None` without partitions.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn first_key(&self) -> Result<Option<&'a [u8]>> {
        match self {
            PartitionIndex::Big { primary, .. } => Ok(primary.first()?.map(|entry| entry.key)),
            PartitionIndex::Bti { partitions, .. } => Ok(Some(partitions.first_key())),
        }
    }

    /// Raw keys of the first and of the last partition; `None` without partitions.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn first_and_last_key(&self) -> Result<Option<(&'a [u8], &'a [u8])>> {
        match self {
            PartitionIndex::Big { primary, .. } => {
                let ends = (primary.first()?, primary.last()?);
                Ok(match ends {
                    (Some(first), Some(last)) => Some((first.key, last.key)),
                    _ => None,
                })
            }
            PartitionIndex::Bti { partitions, .. } => {
                Ok(Some((partitions.first_key(), partitions.last_key())))
            }
        }
    }
}

/// The partition whose entry stands at `position` of Index.db; `None` if that is of another key than `key`.
pub(super) fn located_at<'a>(
    index: &'a [u8],
    position: u64,
    key: &[u8],
    has_uint_deletion_time: bool,
) -> Result<Option<Located<'a>>> {
    match IndexEntries::from(index, position).next() {
        Some(Ok(entry)) if entry.key == key => {
            located_big(&entry, has_uint_deletion_time).map(Some)
        }
        _ => Ok(None),
    }
}

fn located_big<'a>(entry: &IndexEntry<'a>, has_uint_deletion_time: bool) -> Result<Located<'a>> {
    Ok(Located {
        data_position: entry.data_position,
        key: Some(entry.key),
        row_index: PromotedIndex::open(entry, has_uint_deletion_time)?.map(RowIndexRef::Big),
        entry_position: Some(entry.position),
    })
}

fn located_bti(target: Target, rows: &[u8]) -> Result<Located<'_>> {
    Ok(match target {
        Target::Data(data_position) => Located {
            data_position,
            key: None,
            row_index: None,
            entry_position: None,
        },
        Target::Rows(position) => {
            let index = RowIndex::open(rows, position)?;
            Located {
                data_position: index.data_position(),
                key: Some(index.key()),
                row_index: Some(RowIndexRef::Bti(index)),
                entry_position: None,
            }
        }
    })
}

/// Every partition of an index, in order. After an error nothing follows.
#[derive(Debug, Clone)]
pub enum PartitionIndexIter<'a> {
    /// Of Index.db, with how deletion times are written.
    Big(IndexEntries<'a>, bool),
    /// Of Partitions.db, with the bytes of Rows.db.
    Bti(Box<PartitionsIter<'a>>, &'a [u8]),
}

impl<'a> Iterator for PartitionIndexIter<'a> {
    type Item = Result<Located<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(match self {
            PartitionIndexIter::Big(entries, has_uint_deletion_time) => entries
                .next()?
                .and_then(|entry| located_big(&entry, *has_uint_deletion_time)),
            PartitionIndexIter::Bti(targets, rows) => {
                targets.next()?.and_then(|target| located_bti(target, rows))
            }
        })
    }
}

/// The clustering columns of an SSTable's header, ready for searches in row indexes.
#[derive(Debug, Clone)]
pub struct Clusterings {
    columns: Vec<ClusteringColumn>,
    comparator: ClusteringComparator,
    fixed_lengths: Vec<Option<u32>>,
}

impl Clusterings {
    /// Of these columns.
    pub fn new(columns: &[ClusteringColumn]) -> Self {
        Clusterings {
            columns: columns.to_vec(),
            comparator: ClusteringComparator::new(columns),
            fixed_lengths: columns
                .iter()
                .map(|column| column.ty.fixed_length().and_then(|n| n.try_into().ok()))
                .collect(),
        }
    }

    /// The order of clusterings and bounds.
    pub fn comparator(&self) -> &ClusteringComparator {
        &self.comparator
    }

    /// Lengths of values that are stored without them.
    pub fn fixed_lengths(&self) -> &[Option<u32>] {
        &self.fixed_lengths
    }

    fn comparable(&self, bound: &Bound) -> Vec<u8> {
        let mut bytes = Vec::new();
        let values = bound.values.iter().map(Option::as_deref);
        write_comparable_clustering(&self.columns, values, bound.kind, &mut bytes);
        bytes
    }
}

/// A run of rows and markers of a partition, and what is deleted where it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Offset of its first row or marker from the partition's start.
    pub start: u64,
    /// Offset of what follows it. May include the byte that ends the partition.
    pub end: u64,
    /// Deletion of the range tombstone that is open at the start; live if none is.
    pub open_deletion: DeletionTime,
}

/// The index of a partition's blocks.
#[derive(Debug, Clone, Copy)]
pub enum RowIndexRef<'a> {
    /// In Index.db.
    Big(PromotedIndex<'a>),
    /// In Rows.db.
    Bti(RowIndex<'a>),
}

impl<'a> RowIndexRef<'a> {
    /// Deletion of the whole partition.
    pub fn partition_deletion(&self) -> DeletionTime {
        match self {
            RowIndexRef::Big(index) => index.partition_deletion(),
            RowIndexRef::Bti(index) => index.partition_deletion(),
        }
    }

    /// Count of blocks.
    pub fn block_count(&self) -> u64 {
        match self {
            RowIndexRef::Big(index) => index.block_count() as u64,
            RowIndexRef::Bti(index) => index.block_count() as u64,
        }
    }

    /// The blocks that may hold something from `start` to `end`, in storage order. If there is none, their span is
    /// empty, and yet a range tombstone may be open there.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn blocks(
        &self,
        clusterings: &'a Clusterings,
        start: &Bound,
        end: &Bound,
    ) -> Result<Blocks<'a>> {
        match self {
            RowIndexRef::Big(index) => index.blocks(clusterings, start, end).map(Blocks::Big),
            RowIndexRef::Bti(index) => {
                let start = clusterings.comparable(start);
                let end = clusterings.comparable(end);
                index
                    .blocks(start.into_iter(), end.into_iter())
                    .map(Blocks::Bti)
            }
        }
    }
}

/// The blocks of a slice: read their span at once, or one after the other backwards.
#[derive(Debug, Clone)]
pub enum Blocks<'a> {
    /// Of a promoted index.
    Big(PromotedBlocks<'a>),
    /// Of a row index.
    Bti(RowBlocks<'a>),
}

impl Blocks<'_> {
    /// All blocks as one: where to start, what is open there, and where to stop at the latest.
    pub fn span(&self) -> Block {
        match self {
            Blocks::Big(blocks) => blocks.span(),
            Blocks::Bti(blocks) => blocks.span(),
        }
    }

    /// The last block that was not yet returned.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn next_back(&mut self) -> Result<Option<Block>> {
        match self {
            Blocks::Big(blocks) => blocks.next_back(),
            Blocks::Bti(blocks) => blocks.next_back(),
        }
    }
}

#[cfg(test)]
mod tests;
