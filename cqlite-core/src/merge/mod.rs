//! Merges many streams into one, by Cassandra's reconciliation rules.
//!
//! Authority: `o.a.c.db.rows.UnfilteredRowIterators.UnfilteredRowMergeIterator`, `o.a.c.db.rows.RangeTombstoneMarker.Merger`,
//! `o.a.c.db.partitions.UnfilteredPartitionIterators`.
//!
//! A partition that only one source has, and a row that only one source has under no foreign deletion, pass through
//! untouched and uncopied.

mod cells;
mod meeting;
pub mod purge;
pub mod reconcile;
mod row;

use crate::Result;
use crate::model::{
    ClusteringComparator, DeletionTime, PartitionHead, PartitionSource, StreamHeader, Unfiltered,
};
use crate::partitioner::{DecoratedKey, Partitioner, Token};
pub(crate) use cells::sort_cells;
use meeting::Meeting;
pub use row::OwnedRow;
pub(crate) use row::{ClusteringOf, ColumnRules, RowMerger};
use std::cmp::Ordering;
use std::sync::Arc;

/// What a merge of a table's streams goes by: made once a table.
#[derive(Debug)]
pub struct MergeRules {
    header: Arc<StreamHeader>,
    partitioner: Partitioner,
    comparator: ClusteringComparator,
    statics: Vec<ColumnRules>,
    regulars: Vec<ColumnRules>,
}

impl MergeRules {
    /// Of streams that hold keys of `partitioner` and cells of `header`.
    pub fn new(header: Arc<StreamHeader>, partitioner: Partitioner) -> Self {
        MergeRules {
            comparator: ClusteringComparator::new(&header.clustering),
            statics: ColumnRules::of(&header.statics),
            regulars: ColumnRules::of(&header.regulars),
            partitioner,
            header,
        }
    }

    /// The columns that cells name.
    pub fn header(&self) -> &Arc<StreamHeader> {
        &self.header
    }

    /// The partitioner that keys are ordered by.
    pub fn partitioner(&self) -> &Partitioner {
        &self.partitioner
    }

    /// How the cells of the static columns are brought together.
    pub(crate) fn statics(&self) -> &[ColumnRules] {
        &self.statics
    }

    /// How the cells of the regular columns are brought together.
    pub(crate) fn regulars(&self) -> &[ColumnRules] {
        &self.regulars
    }

    /// The order of clusterings.
    pub fn comparator(&self) -> &ClusteringComparator {
        &self.comparator
    }
}

/// Many sources as one. All of them have the same header, and the same direction inside partitions.
pub struct Merge<'a, S> {
    rules: &'a MergeRules,
    order: Order,
    inputs: Vec<Input<S>>,
    started: bool,
    /// The inputs that have the present partition.
    members: Chosen,
    /// Merges it where they are several; made when that happens first.
    meeting: Option<Box<Meeting>>,
}

/// How partitions are read, and what that means for the merged rows.
#[derive(Debug, Clone, Copy)]
struct Order {
    reversed: bool,
    clustering: ClusteringOf,
}

struct Input<S> {
    source: S,
    /// It stands on a partition that was not merged yet, or is being merged.
    has_partition: bool,
    /// It has the present partition.
    is_member: bool,
    /// Orders its partition among those of the others, as far as a number can.
    rank: i64,
    /// That of its partition's key, where there are others.
    hash: (u64, u64),
    /// It stands on an unfiltered that was not merged yet.
    has_unfiltered: bool,
    /// It stands on the present position.
    is_in_group: bool,
    /// Deletion of the range tombstone that is open in it.
    open: DeletionTime,
}

/// The inputs that compare least, of those that were looked at.
#[derive(Debug, Clone, Copy, Default)]
struct Chosen {
    first: usize,
    count: usize,
}

impl Chosen {
    /// Takes input `i`, given how it compares with those that were chosen. `true` if it is one of them now, and no other
    /// before `first` is.
    fn take(&mut self, i: usize, order: Ordering) -> bool {
        match order {
            Ordering::Less => *self = Chosen { first: i, count: 1 },
            Ordering::Equal => self.count += 1,
            Ordering::Greater => {}
        }
        order.is_le()
    }
}

impl<'a, S: PartitionSource> Merge<'a, S> {
    /// Merges `sources`. `reversed` ones give each partition's content from its end.
    pub fn new(rules: &'a MergeRules, sources: Vec<S>, reversed: bool) -> Self {
        let input = |source| Input {
            source,
            has_partition: false,
            is_member: false,
            rank: 0,
            hash: (0, 0),
            has_unfiltered: false,
            is_in_group: false,
            open: DeletionTime::LIVE,
        };
        Merge {
            rules,
            order: Order {
                reversed,
                clustering: ClusteringOf::Last,
            },
            inputs: sources.into_iter().map(input).collect(),
            ..Merge::of_nothing(rules)
        }
    }

    /// Merges no source at all, which costs next to nothing: reads of absent keys do it.
    #[inline]
    pub fn of_nothing(rules: &'a MergeRules) -> Self {
        Merge {
            rules,
            order: Order {
                reversed: false,
                clustering: ClusteringOf::Last,
            },
            inputs: Vec::new(),
            started: false,
            members: Chosen::default(),
            meeting: None,
        }
    }

    /// Rows get the clustering values of the version whose source comes first, not last.
    pub fn prefer_first_clustering(&mut self) {
        self.order.clustering = ClusteringOf::First;
    }

    /// The sources, for what they may tell besides their partitions.
    pub fn sources(&self) -> impl ExactSizeIterator<Item = &S> {
        self.inputs.iter().map(|input| &input.source)
    }

    /// Moves the inputs of the last partition, and at first all, to their next.
    fn advance_partitions(&mut self) -> Result<()> {
        let alone = self.inputs.len() == 1;
        for input in &mut self.inputs {
            if self.started && !input.is_member {
                continue;
            }
            input.has_partition = input.source.next_partition()?;
            if input.has_partition && !alone {
                let key = input.source.partition().key;
                let DecoratedKey { token, hash, .. } = self.rules.partitioner.decorate(key);
                input.hash = hash;
                // Tokens of other kinds are not worth keeping: they are compared where they lie.
                input.rank = match token {
                    Token::Long(token) => token,
                    _ => 0,
                };
            }
        }
        self.started = true;
        Ok(())
    }

    /// Chooses the inputs that stand on the smallest key.
    fn select_members(&mut self) {
        let mut members = Chosen::default();
        for i in 0..self.inputs.len() {
            self.inputs[i].is_member = false;
            if !self.inputs[i].has_partition {
                continue;
            }
            let order = match members.count {
                0 => Ordering::Less,
                _ => {
                    let (a, b) = (&self.inputs[i], &self.inputs[members.first]);
                    a.rank.cmp(&b.rank).then_with(|| {
                        let partitioner = &self.rules.partitioner;
                        partitioner.compare_keys(a.source.partition().key, b.source.partition().key)
                    })
                }
            };
            if order.is_lt() {
                for input in &mut self.inputs[members.first..i] {
                    input.is_member = false;
                }
            }
            self.inputs[i].is_member = members.take(i, order);
        }
        self.members = members;
    }
}

impl<S: PartitionSource> PartitionSource for Merge<'_, S> {
    fn header(&self) -> &StreamHeader {
        &self.rules.header
    }

    #[inline]
    fn next_partition(&mut self) -> Result<bool> {
        if self.inputs.is_empty() {
            return Ok(false);
        }
        self.advance_partitions()?;
        self.select_members();
        if self.members.count > 1 {
            let meeting = self.meeting.get_or_insert_default();
            meeting.begin(self.rules, self.order, &mut self.inputs)?;
        }
        Ok(self.members.count > 0)
    }

    #[inline]
    fn key_hash(&self) -> Option<(u64, u64)> {
        let input = &self.inputs[self.members.first];
        match self.inputs.len() {
            1 => input.source.key_hash(),
            _ => Some(input.hash),
        }
    }

    #[inline]
    fn partition(&self) -> PartitionHead<'_> {
        let head = self.inputs[self.members.first].source.partition();
        match &self.meeting {
            Some(meeting) if self.members.count > 1 => meeting.partition(head),
            _ => head,
        }
    }

    #[inline]
    fn next_unfiltered(&mut self) -> Result<bool> {
        match &mut self.meeting {
            Some(meeting) if self.members.count > 1 => {
                meeting.next_unfiltered(self.rules, self.order, &mut self.inputs)
            }
            _ => self.inputs[self.members.first].source.next_unfiltered(),
        }
    }

    #[inline]
    fn unfiltered(&self) -> Unfiltered<'_> {
        match &self.meeting {
            Some(meeting) if self.members.count > 1 => meeting.unfiltered(&self.inputs),
            _ => self.inputs[self.members.first].source.unfiltered(),
        }
    }
}
