//! Reads one table out of all of its SSTables and memtables, merged.
//!
//! Authority: `o.a.c.db.{SinglePartitionReadCommand,PartitionRangeReadCommand}`.

use crate::memtable::{Memtable, MemtableSource};
use crate::merge::{Merge, MergeRules};
use crate::model::{
    BoundKind, Cell, CellSpan, PartitionHead, PartitionSource, RowBuf, RowRef, Slice, StreamHeader,
    Unfiltered,
};
use crate::partitioner::{DecoratedKey, PartitionPosition, Partitioner, TokenRange};
use crate::schema::{Column, TableSchema};
use crate::sstable::data::{Asked, ColumnTarget, Fetch, Layout, Window};
use crate::sstable::{Format, Lookup, SSTable, Scan, SliceReader, SliceRequest};
use crate::types::CqlType;
use crate::{Error, Result};
use std::cmp::Reverse;
use std::sync::Arc;

/// The SSTables of a table, and its memtables if there are any, with the schema that they are read by.
#[derive(Debug)]
pub struct TableReader {
    schema: TableSchema,
    rules: Arc<MergeRules>,
    memtables: Vec<Arc<Memtable>>,
    sstables: Vec<Member>,
    /// A query of everything.
    everything: Queried,
}

/// An SSTable, and where its columns go.
#[derive(Debug)]
struct Member {
    sstable: Arc<SSTable>,
    layout: Arc<Layout>,
}

/// What a query asks for; see [`TableReader::queried`].
#[derive(Debug)]
pub struct Queried {
    /// For each SSTable; `None` if all columns are asked for.
    layouts: Option<Vec<Arc<Layout>>>,
    /// For memtables.
    kept: Option<Arc<Kept>>,
    by_name: bool,
}

/// Partitions of a table, merged over its SSTables and memtables.
pub type Partitions<'a> = Merge<'a, TableSource<'a>>;

const WHOLE: &[Slice] = &[Slice::ALL];

/// What one SSTable or memtable gives to a merge.
pub enum TableSource<'a> {
    /// Partitions of a memtable.
    Memory(Box<MemtableRead<'a>>),
    /// Partitions of a token range.
    Range(Box<RangeScan<'a>>),
    /// Slices of one partition.
    Slices(Box<SliceReader<'a>>),
}

impl TableReader {
    /// Makes SSTables of one table readable as one.
    ///
    /// # Errors
    /// `InvalidInput` when the schema is not that of an SSTable, or when they do not share one partitioner.
    pub fn open(schema: TableSchema, mut sstables: Vec<Arc<SSTable>>) -> Result<Self> {
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
            members.push(Member {
                sstable,
                layout: Arc::new(layout),
            });
        }
        let mut columns = schema.statics.iter().chain(&schema.regulars);
        let all_by_name = !columns.any(|c| c.ty.is_multi_cell() || c.ty == CqlType::Counter);
        Ok(TableReader {
            everything: Queried {
                layouts: None,
                kept: None,
                // No column keeps it from asking for whole rows SSTable by SSTable.
                by_name: all_by_name,
            },
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

    /// What its rows are merged by.
    pub fn rules(&self) -> &Arc<MergeRules> {
        &self.rules
    }

    /// The schema it was opened with.
    pub fn schema(&self) -> &TableSchema {
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
        self.scan_queried(range, &self.everything)
    }

    /// [`Self::scan`] for a query.
    ///
    /// # Errors
    /// `Corrupt` when an index is.
    pub fn scan_queried<'a>(
        &'a self,
        range: &'a TokenRange,
        queried: &Queried,
    ) -> Result<Partitions<'a>> {
        let mut sources = Vec::with_capacity(self.memtables.len() + self.sstables.len());
        for memtable in &self.memtables {
            sources.push(queried.of_memtable(memtable.scan(range)));
        }
        for (i, member) in self.sstables.iter().enumerate() {
            if let Some(scan) = member.scan(range, queried.layout(i, member))? {
                sources.push(TableSource::Range(Box::new(scan)));
            }
        }
        Ok(Merge::new(&self.rules, sources, false))
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
        let decorated = self.partitioner().decorate(key);
        let mut first = 0;
        for member in &self.sstables {
            if member.sstable.might_contain(&decorated)? {
                break;
            }
            first += 1;
        }
        if first == self.sstables.len() && self.memtables.is_empty() {
            return Ok(Merge::of_nothing(&self.rules));
        }
        self.read_from(first, decorated, slices, reversed, queried)
    }

    /// Reads all memtables, and SSTables from that on whose number is `first`, which may have the key.
    #[inline(never)]
    fn read_from<'a>(
        &'a self,
        first: usize,
        key: DecoratedKey<'a>,
        slices: &'a [Slice],
        reversed: bool,
        queried: &Queried,
    ) -> Result<Partitions<'a>> {
        let slices = if slices.is_empty() { WHOLE } else { slices };
        let mut sources = Vec::new();
        for memtable in &self.memtables {
            if let Some(source) = memtable.read(key, slices, reversed)? {
                sources.push(queried.of_memtable(source));
            }
        }
        for (i, member) in self.sstables.iter().enumerate().skip(first) {
            if i > first && !member.sstable.might_contain(&key)? {
                continue;
            }
            let layout = queried.layout(i, member);
            if let Some(reader) = member.read(&key, slices, reversed, layout)? {
                sources.push(TableSource::Slices(reader));
            }
        }
        let meets = sources.len() > 1;
        let mut merge = Merge::new(&self.rules, sources, reversed);
        if meets && self.is_read_by_name(slices, queried) {
            merge.prefer_first_clustering();
        }
        Ok(merge)
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
    fn layout(&self, i: usize, member: &Member) -> Arc<Layout> {
        let layouts = self.layouts.as_ref();
        layouts.map_or(&member.layout, |l| &l[i]).clone()
    }

    fn of_memtable<'a>(&self, source: MemtableSource<'a>) -> TableSource<'a> {
        TableSource::Memory(Box::new(MemtableRead {
            source,
            kept: self.kept.clone(),
            row: RowBuf::default(),
            is_cut: false,
        }))
    }
}

impl Member {
    fn scan<'a>(
        &'a self,
        range: &'a TokenRange,
        layout: Arc<Layout>,
    ) -> Result<Option<RangeScan<'a>>> {
        let sstable = &self.sstable;
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

    /// Reads a partition that the filter does not rule out.
    fn read<'a>(
        &'a self,
        key: &DecoratedKey<'a>,
        slices: &'a [Slice],
        reversed: bool,
        layout: Arc<Layout>,
    ) -> Result<Option<Box<SliceReader<'a>>>> {
        let sstable = &self.sstable;
        let (position, row_index, certain) = match sstable.locate(key)? {
            Lookup::Absent => return Ok(None),
            Lookup::At(at) => (at.data_position, at.row_index, at.key.is_some()),
            Lookup::NoIndex => match self.search(key)? {
                Some(position) => (position, None, true),
                None => return Ok(None),
            },
        };
        let request = SliceRequest {
            position,
            key: key.key,
            certain,
            row_index,
            slices,
            reversed,
        };
        let window = Window::new(sstable.data().clone(), Fetch::Point);
        let reader = SliceReader::new(window, layout, sstable.clusterings(), request);
        Ok(Some(Box::new(reader)))
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

/// Which cells of regular columns a query sees, however old they are; of others only those that are not older than their
/// row's liveness.
///
/// Authority: `o.a.c.db.rows.{BTreeRow,ComplexColumnData}.filter`.
#[derive(Debug)]
struct Kept {
    /// Of each column all, or some elements by the type of their keys.
    columns: Vec<(Asked, Option<CqlType>)>,
}

impl Kept {
    fn new(asked: &[Asked], columns: &[Column]) -> Self {
        let keep = |(asked, column): (&Asked, &Column)| match &column.ty {
            CqlType::Set { element: key, .. } | CqlType::Map { key, .. } => {
                (asked.clone(), Some(CqlType::clone(key)))
            }
            // Of anything else a part cannot be asked for.
            _ => (
                match asked {
                    Asked::Elements(_) => Asked::Everything,
                    asked => asked.clone(),
                },
                None,
            ),
        };
        Kept {
            columns: asked.iter().zip(columns).map(keep).collect(),
        }
    }

    fn has(&self, cell: &Cell<'_>) -> bool {
        match self.columns.get(cell.column) {
            Some((Asked::Nothing, _)) => false,
            Some((Asked::Elements(ranges), Some(key))) => {
                let path = cell.path.unwrap_or_default();
                ranges.iter().any(|range| range.contains(key, path))
            }
            _ => true,
        }
    }
}

/// Partitions of a memtable as a query sees them.
pub struct MemtableRead<'a> {
    source: MemtableSource<'a>,
    kept: Option<Arc<Kept>>,
    row: RowBuf,
    /// The row is the present one, without some of its cells.
    is_cut: bool,
}

impl PartitionSource for MemtableRead<'_> {
    fn header(&self) -> &StreamHeader {
        self.source.header()
    }

    fn next_partition(&mut self) -> Result<bool> {
        self.is_cut = false;
        self.source.next_partition()
    }

    fn partition(&self) -> PartitionHead<'_> {
        self.source.partition()
    }

    fn next_unfiltered(&mut self) -> Result<bool> {
        self.is_cut = false;
        if !self.source.next_unfiltered()? {
            return Ok(false);
        }
        if let (Some(kept), Unfiltered::Row(row)) = (&self.kept, self.source.unfiltered()) {
            let oldest = row.liveness().timestamp;
            let is_kept = |cell: &Cell<'_>| cell.timestamp >= oldest || kept.has(cell);
            if !row.cells().all(|cell| is_kept(&cell)) {
                self.row.clone_from(row.buf());
                let mut cells = row.cells();
                let is_kept = |_: &CellSpan| cells.next().is_some_and(|cell| is_kept(&cell));
                self.row.cells.retain(is_kept);
                self.is_cut = true;
            }
        }
        Ok(true)
    }

    #[inline]
    fn unfiltered(&self) -> Unfiltered<'_> {
        match self.source.unfiltered() {
            Unfiltered::Row(row) if self.is_cut => {
                Unfiltered::Row(RowRef::new(row.bytes(), &self.row))
            }
            unfiltered => unfiltered,
        }
    }
}

macro_rules! each_source {
    ($self:ident, $source:ident => $call:expr) => {
        match $self {
            TableSource::Memory($source) => $call,
            TableSource::Range($source) => $call,
            TableSource::Slices($source) => $call,
        }
    };
}

impl PartitionSource for TableSource<'_> {
    fn header(&self) -> &StreamHeader {
        each_source!(self, source => source.header())
    }

    fn next_partition(&mut self) -> Result<bool> {
        each_source!(self, source => source.next_partition())
    }

    #[inline]
    fn partition(&self) -> PartitionHead<'_> {
        each_source!(self, source => source.partition())
    }

    #[inline]
    fn next_unfiltered(&mut self) -> Result<bool> {
        each_source!(self, source => source.next_unfiltered())
    }

    #[inline]
    fn unfiltered(&self) -> Unfiltered<'_> {
        each_source!(self, source => source.unfiltered())
    }
}
