//! Reads one table out of all of its SSTables and memtables, merged.
//!
//! Authority: `o.a.c.db.{SinglePartitionReadCommand,PartitionRangeReadCommand}`.

mod gathered;
mod lookups;
mod member;
mod memory;
mod partition;
mod source;
#[cfg(test)]
mod tests;

pub(crate) use lookups::KeyList;
pub use source::{Partitions, TableSource};

use self::lookups::Lookups;
use self::member::Member;
use self::memory::{Kept, MemtableRead};
use self::source::Kind;
use crate::memtable::{Memtable, MemtableSource};
use crate::merge::{Merge, MergeRules};
use crate::metrics::{Operation, TableMetrics};
use crate::model::{BoundKind, Slice, StreamHeader};
use crate::partitioner::{Partitioner, TokenRange};
use crate::schema::TableSchema;
use crate::sstable::data::{Asked, ColumnTarget, Layout};
use crate::sstable::{Format, SSTable};
use crate::types::CqlType;
use crate::{Error, Result};
use std::cmp::Reverse;
use std::sync::Arc;

/// The SSTables of a table, and its memtables if there are any, with the schema that they are read by.
#[derive(Debug)]
pub struct TableReader {
    schema: Arc<TableSchema>,
    rules: Arc<MergeRules>,
    memtables: Vec<Arc<Memtable>>,
    sstables: Vec<Member>,
    /// A query of everything.
    everything: Queried,
    /// Indexes of all regular columns.
    regulars: Vec<usize>,
    metrics: Option<Arc<TableMetrics>>,
}

/// What a query asks for; see [`TableReader::queried`].
#[derive(Debug)]
pub struct Queried {
    /// For each SSTable; `None` if all columns are asked for.
    layouts: Option<Vec<Arc<Layout>>>,
    /// For memtables.
    kept: Option<Arc<Kept>>,
    /// Indexes of the static columns that are asked for.
    statics: Vec<usize>,
    by_name: bool,
}

const WHOLE: &[Slice] = &[Slice::ALL];

impl TableReader {
    /// Makes SSTables of one table readable as one.
    ///
    /// # Errors
    /// `InvalidInput` when the schema is not that of an SSTable, or when they do not share one partitioner.
    pub fn open(
        schema: impl Into<Arc<TableSchema>>,
        mut sstables: Vec<Arc<SSTable>>,
    ) -> Result<Self> {
        let schema = schema.into();
        // Some merges depend on the order, such as that of broken counters: Cassandra begins with the newest.
        let newest = |s: &Arc<SSTable>| s.statistics().stats.as_ref().map(|s| s.max_timestamp);
        sstables.sort_by_key(|sstable| Reverse(newest(sstable)));
        let header = Arc::new(StreamHeader::of_table(&schema));
        let partitioner = match sstables.first() {
            Some(sstable) => sstable.partitioner().clone(),
            None => Partitioner::Murmur3,
        };
        let mut members = Vec::with_capacity(sstables.len());
        for sstable in sstables {
            let path = sstable.data().source().path().to_owned();
            if *sstable.partitioner() != partitioner {
                return Err(Error::invalid(format!(
                    "its partitioner is {}, that of the SSTables before it {}",
                    sstable.partitioner().class_name(),
                    partitioner.class_name()
                ))
                .advise("SSTables of different partitioners cannot be read as one table")
                .in_file(&path));
            }
            let serialization = &sstable.statistics().header;
            let mapping = schema
                .map_header(&serialization.types()?)
                .map_err(|e| e.in_file(&path))?;
            let targets = |columns: &[crate::schema::MappedColumn]| -> Vec<ColumnTarget> {
                columns
                    .iter()
                    .map(|column| ColumnTarget {
                        index: column.column.map(|i| i as u32),
                        dropped_at: column.dropped_at_micros,
                    })
                    .collect()
            };
            let layout = Layout::new(
                serialization,
                sstable.descriptor().version,
                header.clone(),
                &targets(&mapping.statics),
                &targets(&mapping.regulars),
            )?;
            members.push(Member::new(sstable, layout));
        }
        let mut columns = schema.statics.iter().chain(&schema.regulars);
        let all_by_name = !columns.any(|c| c.ty.is_multi_cell() || c.ty == CqlType::Counter);
        Ok(TableReader {
            everything: Queried {
                layouts: None,
                kept: None,
                statics: (0..schema.statics.len()).collect(),
                // No column keeps it from asking for whole rows SSTable by SSTable.
                by_name: all_by_name,
            },
            regulars: (0..schema.regulars.len()).collect(),
            metrics: None,
            schema,
            rules: Arc::new(MergeRules::new(header, partitioner)),
            memtables: Vec::new(),
            sstables: members,
        })
    }

    /// Reads memtables too, the newest first; they must have been made with [`rules`](Self::rules) of a reader of the same
    /// schema.
    ///
    /// # Errors
    /// `InvalidInput` for other columns, or another partitioner.
    pub fn with_memtables(mut self, memtables: Vec<Arc<Memtable>>) -> Result<Self> {
        // Without any SSTable nothing else tells the partitioner.
        if let (Some(first), true) = (memtables.first(), self.sstables.is_empty())
            && first.header() == self.header()
        {
            self.rules = first.rules().clone();
        }
        for memtable in &memtables {
            if memtable.header() != self.header() || memtable.partitioner() != self.partitioner() {
                return Err(Error::invalid(format!(
                    "a memtable is of another schema than {}",
                    self.schema.full_name()
                )));
            }
        }
        self.memtables = memtables;
        Ok(self)
    }

    /// Measures its reads.
    pub fn with_metrics(mut self, metrics: Arc<TableMetrics>) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// What its rows are merged by.
    pub fn rules(&self) -> &Arc<MergeRules> {
        &self.rules
    }

    /// The schema it was opened with.
    pub fn schema(&self) -> &Arc<TableSchema> {
        &self.schema
    }

    /// The partitioner of its SSTables.
    pub fn partitioner(&self) -> &Partitioner {
        self.rules.partitioner()
    }

    /// The columns that cells name: those of the schema.
    pub fn header(&self) -> &Arc<StreamHeader> {
        self.rules.header()
    }

    /// Its SSTables.
    pub fn sstables(&self) -> impl ExactSizeIterator<Item = &Arc<SSTable>> {
        self.sstables.iter().map(|member| &member.sstable)
    }

    /// The partitions of a token range, in their order.
    ///
    /// # Errors
    /// `Corrupt` when an index is.
    pub fn scan<'a>(&'a self, range: &'a TokenRange) -> Result<Partitions<'a>> {
        self.scan_queried(range, WHOLE, &self.everything)
    }

    /// [`Self::scan`] for a query, of which only rows in `slices` are asked for: others may lack what is in SSTables that
    /// have nothing there.
    ///
    /// # Errors
    /// `Corrupt` when an index is.
    pub fn scan_queried<'a>(
        &'a self,
        range: &'a TokenRange,
        slices: &[Slice],
        queried: &Queried,
    ) -> Result<Partitions<'a>> {
        let span = tracing::debug_span!("scan", table = %self.schema.full_name(), sstables = self.sstables.len());
        let _span = span.enter();
        let metrics = self.metrics.as_ref();
        let timed = metrics.and_then(|metrics| metrics.begin_read(Operation::Scan));
        let mut sources = Vec::with_capacity(self.memtables.len() + self.sstables.len());
        for memtable in &self.memtables {
            sources.push(TableSource::new(queried.of_memtable(memtable.scan(range))));
        }
        let (mut by_keys, mut by_clustering) = (0, 0);
        for (i, member) in self.sstables.iter().enumerate() {
            if !member.matters(slices) {
                by_clustering += 1;
                continue;
            }
            match member.scan(range, queried.layout(i, member))? {
                Some(scan) => sources.push(TableSource::new(Kind::Range(Box::new(scan)))),
                None => by_keys += 1,
            }
        }
        if let Some(metrics) = metrics {
            metrics.note_scan(by_keys, by_clustering);
        }
        Ok(Partitions::new(
            Merge::new(&self.rules, sources, false),
            timed,
        ))
    }

    /// Slices of the partition with a raw key, at most that one partition. The slices ascend in storage order; without
    /// any the whole partition is read. `reversed` gives rows from the end.
    ///
    /// # Errors
    /// `Corrupt` when a filter or an index is.
    pub fn read<'a>(
        &'a self,
        key: &'a [u8],
        slices: &'a [Slice],
        reversed: bool,
    ) -> Result<Partitions<'a>> {
        self.read_queried(key, slices, reversed, &self.everything)
    }

    /// What a query reads that asks for some of the `regulars` only: of the others just what shows that a row is there, as
    /// far as Cassandra looks for that; which depends on whether it reads rows from the end, too. `by_name` lets it ask for
    /// whole rows SSTable by SSTable, which it does if no column asked for is multi-cell.
    pub fn queried(&self, regulars: Option<&[Asked]>, reversed: bool, by_name: bool) -> Queried {
        let layout = |member: &Member, asked| {
            // Read backwards, rows of `big` go through an `ImmutableBTreePartition`, which filters them.
            let is_big = member.sstable.descriptor().version.format() == Format::Big;
            Arc::new(member.layout.for_query(asked, reversed && is_big))
        };
        let layouts = regulars.map(|asked| {
            let members = self.sstables.iter();
            members.map(|member| layout(member, asked)).collect()
        });
        let kept = regulars.map(|asked| Arc::new(Kept::new(asked, &self.header().regulars)));
        Queried {
            layouts,
            kept,
            statics: self.everything.statics.clone(),
            by_name,
        }
    }

    /// [`Self::read`] for a query.
    ///
    /// # Errors
    /// `Corrupt` when a filter or an index is.
    pub fn read_queried<'a>(
        &'a self,
        key: &'a [u8],
        slices: &'a [Slice],
        reversed: bool,
        queried: &Queried,
    ) -> Result<Partitions<'a>> {
        partition::read(self, key, slices, reversed, queried)
    }

    /// Partitions by their keys, all of each.
    pub(crate) fn look_up<'a>(
        &'a self,
        keys: &'a KeyList,
        reversed: bool,
        queried: Arc<Queried>,
    ) -> Partitions<'a> {
        let lookups = Lookups::new(self, keys, reversed, queried);
        let source = TableSource::new(Kind::Lookups(Box::new(lookups)));
        Partitions::new(Merge::new(&self.rules, vec![source], reversed), None)
    }

    /// Whether Cassandra asks its SSTables one after the other for these rows, the newest first, until nothing older can
    /// change them (`queryMemtableAndSSTablesInTimestampOrder`).
    pub(crate) fn is_read_by_name(&self, slices: &[Slice], queried: &Queried) -> bool {
        let slices = if slices.is_empty() { WHOLE } else { slices };
        let columns = self.schema.clustering.len();
        let is_row = |slice: &Slice| {
            slice.start.values.len() == columns
                && slice.start.values == slice.end.values
                && slice.start.kind == BoundKind::InclStart
                && slice.end.kind == BoundKind::InclEnd
        };
        queried.by_name && slices.iter().all(is_row)
    }
}

impl Queried {
    /// Asks for these static columns alone, by their indexes. They are given with the others all the same: what is not asked for
    /// does not keep rows that are read by their names from being whole.
    pub fn with_statics(mut self, statics: Vec<usize>) -> Self {
        self.statics = statics;
        self
    }

    fn layout(&self, i: usize, member: &Member) -> Arc<Layout> {
        let layouts = self.layouts.as_ref();
        layouts.map_or(&member.layout, |l| &l[i]).clone()
    }

    fn of_memtable<'a>(&self, source: MemtableSource<'a>) -> Kind<'a> {
        Kind::Memory(Box::new(MemtableRead::new(source, self.kept.clone())))
    }
}
