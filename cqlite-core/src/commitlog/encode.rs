//! Changes of partitions as mutations: the mirror of `mutation`, at Cassandra 5.0's version. Hot: nothing here allocates per
//! row, bytes go to the end of a buffer that is used again.
//!
//! Authority: `o.a.c.db.Mutation.MutationSerializer`, `o.a.c.db.partitions.PartitionUpdate.PartitionUpdateSerializer`,
//! `o.a.c.db.rows.UnfilteredRowIteratorSerializer`.

use super::TableId;
use super::mutation::{HAS_PARTITION_DELETION, HAS_ROW_ESTIMATE, HAS_STATIC_ROW, IS_EMPTY};
use crate::bytes::Sink;
use crate::limits::PARTITION_KEY_BYTES_MAX;
use crate::model::{
    Bound, DeletionTime, MarkerBuf, MarkerRef, PartitionSource, RowRef, Slice, Span, StreamHeader,
    Unfiltered,
};
use crate::schema::{Column, TableSchema, raw_column_name};
use crate::sstable::component::statistics::{
    EncodingStats, EncodingStatsCollector, SerializationHeader,
};
use crate::sstable::version::Version;
use crate::sstable::writer::encode::Encoder;
use crate::{Error, Result};

/// Nothing follows in the update.
const END_OF_UPDATE: u8 = 0x01;

/// Begins a mutation of `updates` updates, which are to follow. Cassandra takes one update a table, all of one key and of
/// one keyspace.
pub fn start_mutation(out: &mut Vec<u8>, updates: u32) {
    out.put_uvint(updates.into());
}

/// Encodes updates of one table. Each method appends one update; columns are those of [`StreamHeader::of_table`].
#[derive(Debug, Clone)]
pub struct UpdateEncoder {
    id: TableId,
    encoder: Encoder,
    statics: Names,
    regulars: Names,
    /// Columns of a row.
    columns: Vec<u32>,
    /// The key of a partition.
    key: Vec<u8>,
    /// A partition's first row as one of several.
    first: Vec<u8>,
}

/// Names of columns, each behind its length.
#[derive(Debug, Clone)]
struct Names {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Names {
    fn new(columns: &[Column]) -> Self {
        let mut names = Names {
            bytes: Vec::new(),
            ends: Vec::new(),
        };
        for column in columns {
            names.bytes.put_vint_bytes(&raw_column_name(&column.name));
            names.ends.push(names.bytes.len());
        }
        names
    }

    fn put_all(&self, out: &mut Vec<u8>) {
        out.put_uvint(self.ends.len() as u64);
        out.put(&self.bytes);
    }

    /// Appends the names of these columns, which ascend.
    #[inline]
    fn put(&self, columns: &[u32], out: &mut Vec<u8>) -> Result<()> {
        if columns.len() == self.ends.len() {
            self.put_all(out);
            return Ok(());
        }
        out.put_uvint(columns.len() as u64);
        for &column in columns {
            let i = column as usize;
            let (Some(&end), before) = (self.ends.get(i), i.checked_sub(1)) else {
                let count = self.ends.len();
                return Err(Error::invalid(format!(
                    "a cell of column {column} where the table has {count} columns"
                )));
            };
            let start = before.map_or(0, |before| self.ends[before]);
            out.put(&self.bytes[start..end]);
        }
        Ok(())
    }
}

impl UpdateEncoder {
    /// An encoder for updates of this table.
    ///
    /// # Errors
    /// `InvalidInput` for a table without id, `Corrupt` for types that cannot be named.
    pub fn new(table: &TableSchema) -> Result<Self> {
        let id = table.id.ok_or_else(|| {
            let name = table.full_name();
            Error::invalid(format!("{name} has no id, by which a log names it"))
        })?;
        let stream = StreamHeader::of_table(table);
        let header = SerializationHeader::of_stream(&stream, EncodingStats::NONE);
        Ok(UpdateEncoder {
            id,
            encoder: Encoder::of_updates(&header, Version::parse("oa", "big")?)?,
            statics: Names::new(&stream.statics),
            regulars: Names::new(&stream.regulars),
            columns: Vec::new(),
            key: Vec::new(),
            first: Vec::new(),
        })
    }

    /// The table's id.
    pub fn table(&self) -> TableId {
        self.id
    }

    /// Appends the update that consists of one row, or of the static one.
    ///
    /// # Errors
    /// `InvalidInput` for values that the format cannot hold. What was appended until then is no update.
    pub fn row(&mut self, out: &mut Vec<u8>, key: &[u8], row: RowRef<'_>) -> Result<()> {
        let is_static = row.is_static();
        let mut bases = EncodingStatsCollector::default();
        bases.row(row);
        let flags = match is_static {
            true => HAS_STATIC_ROW | HAS_ROW_ESTIMATE,
            false => HAS_ROW_ESTIMATE,
        };
        self.start(out, key, flags, bases.stats())?;
        self.collect_columns(row);
        if is_static {
            self.statics.put(&self.columns, out)?;
            out.put_uvint(0);
            self.encoder.lone_row(out, row)?;
            out.put_uvint(0);
        } else {
            self.regulars.put(&self.columns, out)?;
            out.put_uvint(1);
            self.encoder.lone_row(out, row)?;
        }
        out.push(END_OF_UPDATE);
        Ok(())
    }

    /// Appends the update that deletes a partition.
    ///
    /// # Errors
    /// As of [`row`](Self::row).
    pub fn delete_partition(
        &mut self,
        out: &mut Vec<u8>,
        key: &[u8],
        deletion: DeletionTime,
    ) -> Result<()> {
        let mut bases = EncodingStatsCollector::default();
        bases.deletion(deletion);
        let flags = HAS_PARTITION_DELETION | HAS_ROW_ESTIMATE;
        self.start(out, key, flags, bases.stats())?;
        out.put_uvint(0);
        self.encoder.deletion(out, deletion);
        out.put_uvint(0);
        out.push(END_OF_UPDATE);
        Ok(())
    }

    /// Appends the update that deletes a range of a partition's rows.
    ///
    /// # Errors
    /// As of [`row`](Self::row).
    pub fn delete_range(
        &mut self,
        out: &mut Vec<u8>,
        key: &[u8],
        slice: &Slice,
        deletion: DeletionTime,
    ) -> Result<()> {
        let mut bases = EncodingStatsCollector::default();
        bases.deletion(deletion);
        self.start(out, key, HAS_ROW_ESTIMATE, bases.stats())?;
        out.put_uvint(0);
        out.put_uvint(0);
        self.bound(out, &slice.start, (DeletionTime::LIVE, deletion))?;
        self.bound(out, &slice.end, (deletion, DeletionTime::LIVE))?;
        out.push(END_OF_UPDATE);
        Ok(())
    }

    /// Appends the update that a stream's present partition is, and reads that to its end.
    ///
    /// # Errors
    /// As of [`row`](Self::row); those of the stream.
    pub fn partition<S: PartitionSource>(
        &mut self,
        out: &mut Vec<u8>,
        source: &mut S,
    ) -> Result<()> {
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        key.extend_from_slice(source.partition().key);
        let done = self.keyed_partition(out, &key, source);
        self.key = key;
        done
    }

    fn keyed_partition<S: PartitionSource>(
        &mut self,
        out: &mut Vec<u8>,
        key: &[u8],
        source: &mut S,
    ) -> Result<()> {
        let mut bases = EncodingStatsCollector::default();
        let mut flags = HAS_ROW_ESTIMATE;
        let head = source.partition();
        let deletion = head.deletion;
        if !deletion.is_live() {
            bases.deletion(deletion);
            flags |= HAS_PARTITION_DELETION;
        }
        if let Some(row) = head.static_row {
            bases.row(row);
            flags |= HAS_STATIC_ROW;
        }
        let mut has_more = source.next_unfiltered()?;
        if flags == HAS_ROW_ESTIMATE && !has_more {
            self.put_key(out, key)?;
            out.push(IS_EMPTY);
            return Ok(());
        }
        // Others are relative to the first as well, at worst in more bytes.
        let mut lone = false;
        if has_more {
            match source.unfiltered() {
                Unfiltered::Row(row) => {
                    bases.row(row);
                    self.collect_columns(row);
                    lone =
                        flags == HAS_ROW_ESTIMATE && self.columns.len() < self.regulars.ends.len();
                }
                Unfiltered::Marker(marker) => {
                    bases.deletion(marker.open());
                    bases.deletion(marker.close());
                }
            }
        }
        let bases = bases.stats();
        let start = out.len();
        self.start(out, key, flags, bases)?;
        // A row that is alone lists its own columns. Whether it is alone is seen when it is gone.
        self.first.clear();
        if lone && let Unfiltered::Row(row) = source.unfiltered() {
            self.encoder.row(&mut self.first, row, 0)?;
            self.regulars.put(&self.columns, out)?;
            out.put_uvint(1);
            self.encoder.lone_row(out, row)?;
            has_more = source.next_unfiltered()?;
            if !has_more {
                out.push(END_OF_UPDATE);
                return Ok(());
            }
            out.truncate(start);
            self.start(out, key, flags, bases)?;
        }
        if flags & HAS_STATIC_ROW != 0 {
            self.statics.put_all(out);
        }
        self.regulars.put_all(out);
        if !deletion.is_live() {
            self.encoder.deletion(out, deletion);
        }
        if let Some(row) = source.partition().static_row {
            self.encoder.row(out, row, 0)?;
        }
        let estimate = out.len();
        let mut rows = u8::from(!self.first.is_empty());
        out.push(0);
        out.put(&self.first);
        while has_more {
            match source.unfiltered() {
                Unfiltered::Row(row) => {
                    self.encoder.row(out, row, 0)?;
                    rows = rows.saturating_add(1);
                }
                Unfiltered::Marker(marker) => self.encoder.marker(out, marker, 0)?,
            }
            has_more = source.next_unfiltered()?;
        }
        // As many as one byte tells: it is but a guess.
        out[estimate] = rows.min(0x7f);
        out.push(END_OF_UPDATE);
        Ok(())
    }

    fn put_key(&self, out: &mut Vec<u8>, key: &[u8]) -> Result<()> {
        if key.len() > PARTITION_KEY_BYTES_MAX {
            return Err(Error::invalid(format!(
                "a partition key of {} bytes; at most {PARTITION_KEY_BYTES_MAX} can be stored",
                key.len()
            )));
        }
        out.put(&self.id);
        out.put_vint_bytes(key);
        Ok(())
    }

    /// Appends table, key, flags and bases.
    #[inline]
    fn start(
        &mut self,
        out: &mut Vec<u8>,
        key: &[u8],
        flags: u8,
        bases: EncodingStats,
    ) -> Result<()> {
        self.put_key(out, key)?;
        out.push(flags);
        bases.write(out);
        self.encoder.set_bases(bases);
        Ok(())
    }

    /// Puts the columns that a row has into `columns`.
    #[inline]
    fn collect_columns(&mut self, row: RowRef<'_>) {
        let row = row.buf();
        self.columns.clear();
        for cell in &row.cells {
            if self.columns.last() != Some(&cell.column) {
                self.columns.push(cell.column);
            }
        }
        if !row.complex_deletions.is_empty() {
            let deleted = row.complex_deletions.iter().map(|d| d.column);
            self.columns.extend(deleted);
            self.columns.sort_unstable();
            self.columns.dedup();
        }
    }

    /// Appends the marker of a bound.
    fn bound(
        &mut self,
        out: &mut Vec<u8>,
        bound: &Bound,
        (close, open): (DeletionTime, DeletionTime),
    ) -> Result<()> {
        let mut bytes = Vec::new();
        let mut marker = MarkerBuf {
            kind: bound.kind,
            close,
            open,
            ..MarkerBuf::default()
        };
        for value in &bound.values {
            let span = Span::append(&mut bytes, value.as_deref());
            marker.values.push(span);
        }
        self.encoder.marker(out, MarkerRef::new(&bytes, &marker), 0)
    }
}
