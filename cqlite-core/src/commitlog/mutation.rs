//! The mutations of records: updates of partitions, each the one stream.
//!
//! Authority: `o.a.c.db.Mutation.MutationSerializer`, `o.a.c.db.partitions.PartitionUpdate.PartitionUpdateSerializer`,
//! `o.a.c.db.rows.UnfilteredRowIteratorSerializer`, `o.a.c.db.SerializationHeader.Serializer`, `o.a.c.db.Columns.Serializer`.
//! All messaging versions since 3.0 have the same layout.
//!
//! ```text
//! update = 16 bytes table id, vint key length, key, flags,
//!          bases of deltas, [static columns], regular columns, [partition deletion], [static row], [vint rows], rows, 0x01
//! ```
//! Rows and markers are those of Data.db without their sizes. Columns are names; the schema knows their types.

use super::{LogVersion, TableId};
use crate::bytes::{Cursor, DecodeError};
use crate::limits::{COLUMNS_MAX, PARTITION_KEY_BYTES_MAX};
use crate::model::{
    DeletionTime, MarkerBuf, MarkerRef, PartitionHead, PartitionSource, RowBuf, RowRef, Span,
    StreamHeader, Unfiltered,
};
use crate::schema::{TableSchema, raw_column_name};
use crate::sstable::component::statistics::EncodingStats;
use crate::sstable::data::{
    ColumnTarget, Decoded, Layout, decode_static_row, decode_update, read_delta_deletion,
};
use crate::types::CqlType;
use crate::{Error, Result};
use std::collections::HashMap;
use std::sync::Arc;

/// Nothing but a key.
pub(super) const IS_EMPTY: u8 = 0x01;
/// Rows descend: never in a mutation.
const IS_REVERSED: u8 = 0x02;
pub(super) const HAS_PARTITION_DELETION: u8 = 0x04;
pub(super) const HAS_STATIC_ROW: u8 = 0x08;
pub(super) const HAS_ROW_ESTIMATE: u8 = 0x10;

/// The least bytes of an update: table, key of no bytes, flags.
const UPDATE_BYTES_MIN: usize = 18;

/// What a mutation says of one partition of one table.
#[derive(Debug)]
pub enum Update<'a, 'b> {
    /// Of a table whose schema is known.
    Known {
        /// The table.
        table: &'a Arc<TableSchema>,
        /// The partition, the only one of its stream. It need not be read to its end.
        source: &'a mut UpdateSource<'b>,
    },
    /// Of a table that nobody knows, for instance one that was dropped. How long it is cannot be told, so that further updates
    /// of the mutation cannot be read either.
    Unknown {
        /// Its id.
        table: TableId,
        /// Bytes of it, and of what follows in the mutation.
        bytes: usize,
    },
}

/// Finds the table of an id.
type Lookup<'t> = Box<dyn Fn(&TableId) -> Option<Arc<TableSchema>> + 't>;

/// Decodes mutations, with what it keeps of the tables it met.
pub struct MutationReader<'t> {
    lookup: Lookup<'t>,
    tables: HashMap<TableId, Option<Box<Table>>>,
}

/// A table, and how its last update was laid out.
#[derive(Debug)]
struct Table {
    schema: Arc<TableSchema>,
    stream: Arc<StreamHeader>,
    /// The lists of columns that `layout` is made of, as bytes; most updates have those of the one before.
    columns: Vec<u8>,
    layout: Option<(LogVersion, Layout)>,
    rows: Rows,
}

/// What is decoded, used again.
#[derive(Debug, Default)]
struct Rows {
    static_row: RowBuf,
    row: RowBuf,
    marker: MarkerBuf,
}

impl<'t> MutationReader<'t> {
    /// A reader that asks `lookup` for each table once.
    pub fn new(lookup: impl Fn(&TableId) -> Option<Arc<TableSchema>> + 't) -> Self {
        MutationReader {
            lookup: Box::new(lookup),
            tables: HashMap::new(),
        }
    }

    /// Visits the updates of a mutation.
    ///
    /// # Errors
    /// `Corrupt` for bytes that are none, with their offset in the mutation; `InvalidInput` for columns that the schema neither
    /// has nor had; those of `visit`.
    pub fn each_update(
        &mut self,
        version: LogVersion,
        mutation: &[u8],
        mut visit: impl FnMut(Update<'_, '_>) -> Result<()>,
    ) -> Result<()> {
        let mut c = Cursor::new(mutation);
        let count = c.uvint().and_then(|n| c.bounded(n, UPDATE_BYTES_MIN));
        let count = count.map_err(|e| placed(e, 0))?;
        for _ in 0..count {
            let start = c.position();
            let id = c.uuid().map_err(|e| placed(e, start))?;
            let lookup = &self.lookup;
            let table = self
                .tables
                .entry(id)
                .or_insert_with(|| lookup(&id).map(|schema| Box::new(Table::new(schema))));
            let Some(table) = table else {
                return visit(Update::Unknown {
                    table: id,
                    bytes: mutation.len() - start,
                });
            };
            let schema = table.schema.clone();
            let mut source = table.source(version, mutation, c.position())?;
            visit(Update::Known {
                table: &schema,
                source: &mut source,
            })?;
            let end = source.finish()?;
            c = Cursor::at(mutation, end);
        }
        match c.is_empty() {
            true => Ok(()),
            false => {
                let e = DecodeError::Invalid("bytes follow the last update of a mutation");
                Err(placed(e, c.position()))
            }
        }
    }
}

impl std::fmt::Debug for MutationReader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MutationReader of {} tables", self.tables.len())
    }
}

#[cold]
fn placed(e: DecodeError, at: usize) -> Error {
    Error::from(e).at(at as u64)
}

impl Table {
    fn new(schema: Arc<TableSchema>) -> Self {
        Table {
            stream: Arc::new(StreamHeader::of_table(&schema)),
            schema,
            columns: Vec::new(),
            layout: None,
            rows: Rows::default(),
        }
    }

    /// Decodes an update's head, from the key on.
    fn source<'b>(
        &'b mut self,
        version: LogVersion,
        bytes: &'b [u8],
        start: usize,
    ) -> Result<UpdateSource<'b>> {
        let mut c = Cursor::at(bytes, start);
        let (key, flags) = read_key(&mut c).map_err(|e| placed(e, c.position()))?;
        let is_empty = flags & IS_EMPTY != 0;
        let mut deletion = DeletionTime::LIVE;
        self.rows.static_row.clear();
        if !is_empty {
            let head = self.read_head(version, &mut c, flags);
            deletion = head.map_err(|e| e.in_partition(key))?;
        }
        Ok(UpdateSource {
            bytes,
            stream: &self.stream,
            layout: self.layout.as_ref().map(|(_, layout)| layout),
            rows: &mut self.rows,
            key,
            deletion,
            start,
            body: c.position(),
            at: c.position(),
            is_started: false,
            is_ended: is_empty,
            is_marker: false,
        })
    }

    /// Decodes what precedes an update's rows, from the bases on; returns the partition's deletion.
    fn read_head(
        &mut self,
        version: LogVersion,
        c: &mut Cursor<'_>,
        flags: u8,
    ) -> Result<DeletionTime> {
        let has_static = flags & HAS_STATIC_ROW != 0;
        let bases = EncodingStats::read(c).map_err(|e| placed(e, c.position()))?;
        let lists = c.position();
        let columns = read_columns(c, has_static).map_err(|e| placed(e, c.position()))?;
        let read = &c.bytes()[lists..c.position()];
        let (told, listed) = self.columns.split_first().unwrap_or((&u8::MAX, &[]));
        let is_known = *told == u8::from(has_static) && listed == read;
        let known = self
            .layout
            .take()
            .filter(|(v, _)| is_known && *v == version);
        let mut layout = match known {
            Some((_, layout)) => layout,
            None => {
                let layout = self.lay_out(version, c.bytes(), columns)?;
                self.columns.clear();
                self.columns.push(has_static.into());
                self.columns.extend_from_slice(read);
                layout
            }
        };
        layout.set_bases(
            bases.min_timestamp,
            bases.min_local_deletion_time,
            bases.min_ttl,
        );
        let rest = read_rest(c, flags, &layout, &mut self.rows.static_row);
        self.layout = Some((version, layout));
        rest.map_err(|e| placed(e, c.position()))
    }

    /// The layout of an update with these columns.
    fn lay_out(
        &self,
        version: LogVersion,
        bytes: &[u8],
        [statics, regulars]: [Vec<Span>; 2],
    ) -> Result<Layout> {
        let columns = |names: Vec<Span>, is_static| -> Result<(Vec<CqlType>, Vec<ColumnTarget>)> {
            let column = |name: Span| self.column(name.of(bytes).unwrap_or_default(), is_static);
            names.into_iter().map(column).collect()
        };
        let (statics, regulars) = (columns(statics, true)?, columns(regulars, false)?);
        Layout::of_update(
            self.stream.clone(),
            version.has_uint_deletion_time(),
            (statics.0, &statics.1),
            (regulars.0, &regulars.1),
        )
    }

    /// Type of a column of this name, and where its cells go. One that was dropped is read over.
    fn column(&self, name: &[u8], is_static: bool) -> Result<(CqlType, ColumnTarget)> {
        let own = match is_static {
            true => &self.stream.statics,
            false => &self.stream.regulars,
        };
        let is_it = |column: &str| *raw_column_name(column) == *name;
        let dropped = self.schema.dropped.iter().find(|d| is_it(&d.column.name));
        let dropped_at = dropped.map(|d| d.dropped_at_micros);
        if let Some(i) = own.iter().position(|column| is_it(&column.name)) {
            let target = ColumnTarget {
                index: Some(i as u32),
                dropped_at,
            };
            return Ok((own[i].ty.clone(), target));
        }
        match dropped {
            Some(dropped) => Ok((
                dropped.column.ty.clone(),
                ColumnTarget {
                    index: None,
                    dropped_at,
                },
            )),
            None => Err(Error::invalid(format!(
                "the log has a {} column `{}`, which the schema of {} neither has nor names as dropped",
                if is_static { "static" } else { "regular" },
                String::from_utf8_lossy(name),
                self.schema.full_name(),
            ))
            .advise("give the schema of the time when the log was written, or a later one")),
        }
    }
}

fn read_key<'b>(c: &mut Cursor<'b>) -> Result<(&'b [u8], u8), DecodeError> {
    let key = c.vint_bytes()?;
    if key.len() > PARTITION_KEY_BYTES_MAX {
        return Err(DecodeError::Invalid("a partition key of over 64 KiB"));
    }
    let flags = c.u8()?;
    if flags & IS_REVERSED != 0 {
        return Err(DecodeError::Invalid("an update whose rows descend"));
    }
    Ok((key, flags))
}

/// The names of static columns, if there are, and of regular ones.
fn read_columns(c: &mut Cursor<'_>, has_static: bool) -> Result<[Vec<Span>; 2], DecodeError> {
    let mut list = || {
        let count = c.uvint()?;
        let count = c.bounded(count, 1)?;
        if count > COLUMNS_MAX {
            return Err(DecodeError::Invalid("too many columns"));
        }
        let name = |_| {
            let name = c.vint_bytes()?;
            Ok(Span {
                start: (c.position() - name.len()) as u32,
                len: name.len() as u32,
            })
        };
        (0..count).map(name).collect::<Result<Vec<_>, _>>()
    };
    let statics = if has_static { list()? } else { Vec::new() };
    Ok([statics, list()?])
}

/// What stands between the columns and the rows: the partition's deletion, the static row, a guess of the count of rows.
fn read_rest(
    c: &mut Cursor<'_>,
    flags: u8,
    layout: &Layout,
    static_row: &mut RowBuf,
) -> Result<DeletionTime, DecodeError> {
    let deletion = match flags & HAS_PARTITION_DELETION {
        0 => DeletionTime::LIVE,
        _ => read_delta_deletion(c, layout)?,
    };
    if flags & HAS_STATIC_ROW != 0 {
        static_row.position = c.position() as u64;
        decode_static_row(c, layout, static_row)?;
    }
    if flags & HAS_ROW_ESTIMATE != 0 {
        c.uvint()?;
    }
    Ok(deletion)
}

/// One partition of a mutation.
#[derive(Debug)]
pub struct UpdateSource<'b> {
    bytes: &'b [u8],
    stream: &'b Arc<StreamHeader>,
    layout: Option<&'b Layout>,
    rows: &'b mut Rows,
    key: &'b [u8],
    deletion: DeletionTime,
    /// Offsets in the mutation: of the key, of what follows the head, and of what comes next.
    start: usize,
    body: usize,
    at: usize,
    is_started: bool,
    is_ended: bool,
    /// It stands on a marker, not on a row.
    is_marker: bool,
}

impl UpdateSource<'_> {
    /// Offset in the mutation of what comes next.
    pub fn position(&self) -> u64 {
        self.at as u64
    }

    /// Reads what is left; returns where the update ends.
    fn finish(&mut self) -> Result<usize> {
        self.is_started = true;
        while self.next_unfiltered()? {}
        Ok(self.at)
    }
}

impl PartitionSource for UpdateSource<'_> {
    fn header(&self) -> &StreamHeader {
        self.stream
    }

    fn next_partition(&mut self) -> Result<bool> {
        if !self.is_started {
            self.is_started = true;
            return Ok(true);
        }
        self.finish()?;
        Ok(false)
    }

    fn partition(&self) -> PartitionHead<'_> {
        let static_row = &self.rows.static_row;
        PartitionHead {
            key: self.key,
            deletion: self.deletion,
            static_row: (!static_row.is_empty()).then(|| RowRef::new(self.bytes, static_row)),
            position: self.start as u64,
            body_position: self.body as u64,
        }
    }

    fn next_unfiltered(&mut self) -> Result<bool> {
        while !self.is_ended {
            let Some(layout) = self.layout else {
                return Ok(false);
            };
            let at = self.at;
            let rows = &mut *self.rows;
            // Spans count from the start of the mutation.
            let mut c = Cursor::at(self.bytes, at);
            let decoded = decode_update(&mut c, layout, &mut rows.row, &mut rows.marker);
            let decoded = decoded.map_err(|e| placed(e, at).in_partition(self.key))?;
            self.at = c.position();
            match decoded {
                Decoded::End => self.is_ended = true,
                Decoded::Marker => {
                    rows.marker.position = at as u64;
                    self.is_marker = true;
                    return Ok(true);
                }
                // All that it had was of dropped columns.
                Decoded::Row if rows.row.is_empty() => {}
                Decoded::Row => {
                    rows.row.position = at as u64;
                    self.is_marker = false;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn unfiltered(&self) -> Unfiltered<'_> {
        match self.is_marker {
            true => Unfiltered::Marker(MarkerRef::new(self.bytes, &self.rows.marker)),
            false => Unfiltered::Row(RowRef::new(self.bytes, &self.rows.row)),
        }
    }
}
