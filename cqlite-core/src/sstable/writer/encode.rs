//! Encodes partition heads, rows and markers: the mirror of `sstable::data`'s decoding. Hot: nothing here allocates per
//! row, bytes go to the end of a buffer that is used again.
//!
//! Authority: `o.a.c.db.rows.{UnfilteredSerializer,Cell.Serializer}`, `o.a.c.db.{SerializationHeader,Columns}`,
//! `...format.SortedTablePartitionWriter`.

use crate::bytes::{Sink, vint};
use crate::limits::{PARTITION_KEY_BYTES_MAX, ROW_BYTES_MAX, VALUE_BYTES_MAX};
use crate::model::{Cell, DeletionTime, LivenessInfo, MarkerRef, NO_DELETION_TIME, RowBuf, RowRef};
use crate::sstable::component::statistics::{EncodingStats, SerializationHeader};
use crate::sstable::data::clustering::{write_bound, write_values};
use crate::sstable::data::deletion::{LEGACY_DELETION_TIME_MAX, write_deletion_time};
use crate::sstable::data::flags::*;
use crate::sstable::version::Version;
use crate::types::CqlType;
use crate::{Error, Result};

/// From this count of columns on, a row lists the columns that it has, or lacks.
const LARGE_SUBSET: usize = 64;

/// How rows are encoded: bases of the deltas, lengths of fixed values, and the columns.
#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    min_timestamp: i64,
    min_local_deletion_time: i64,
    min_ttl: i64,
    has_uint_deletion_time: bool,
    clustering_fixed: Vec<Option<u32>>,
    statics: Vec<ColumnCode>,
    regulars: Vec<ColumnCode>,
    /// Rows and markers tell their size and that of what precedes them, as they do in Data.db.
    sized: bool,
    /// Columns that a row has, where there are too many for a bitmap.
    present: Vec<u32>,
    /// Bytes that the size of the last row took: most likely the next one's takes as many.
    size_len: usize,
}

#[derive(Debug, Clone)]
struct ColumnCode {
    /// Length of its values if they are stored without.
    fixed: Option<u32>,
    /// Whether it has a cell per element.
    complex: bool,
    name: String,
}

impl Encoder {
    /// An encoder for the columns of a header.
    ///
    /// # Errors
    /// `Corrupt` for types that cannot be parsed.
    pub fn new(header: &SerializationHeader, version: Version) -> Result<Self> {
        let fixed = |ty: &CqlType| ty.fixed_length().and_then(|n| u32::try_from(n).ok());
        let clustering_fixed = header
            .clustering_types
            .iter()
            .map(|text| Ok(fixed(&CqlType::parse_marshal(text)?.0)))
            .collect::<Result<_>>()?;
        let columns = |columns: &[(Vec<u8>, String)]| -> Result<Vec<ColumnCode>> {
            let code = |(name, ty): &(Vec<u8>, String)| {
                let (ty, _) = CqlType::parse_marshal(ty)?;
                let complex = ty.is_multi_cell();
                Ok(ColumnCode {
                    fixed: if complex { None } else { fixed(&ty) },
                    complex,
                    name: String::from_utf8_lossy(name).into_owned(),
                })
            };
            columns.iter().map(code).collect()
        };
        Ok(Encoder {
            min_timestamp: header.min_timestamp,
            min_local_deletion_time: header.min_local_deletion_time,
            min_ttl: header.min_ttl,
            has_uint_deletion_time: version.has_uint_deletion_time(),
            clustering_fixed,
            statics: columns(&header.statics)?,
            regulars: columns(&header.regulars)?,
            sized: true,
            present: Vec::new(),
            size_len: 1,
        })
    }

    /// The same for updates in mutations, where rows and markers do not tell their sizes.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn of_updates(header: &SerializationHeader, version: Version) -> Result<Self> {
        Ok(Encoder {
            sized: false,
            ..Self::new(header, version)?
        })
    }

    /// Sets what timestamps, local deletion times and TTLs are relative to.
    pub fn set_bases(&mut self, bases: EncodingStats) {
        self.min_timestamp = bases.min_timestamp;
        self.min_local_deletion_time = bases.min_local_deletion_time;
        self.min_ttl = bases.min_ttl.into();
    }

    /// Whether partitions have a static row.
    pub fn has_statics(&self) -> bool {
        !self.statics.is_empty()
    }

    /// Lengths of the clustering values, `None` where they carry their own.
    pub fn clustering_fixed(&self) -> &[Option<u32>] {
        &self.clustering_fixed
    }

    /// Whether a range tombstone can be told to be open at an index block's edge. Inside rows and markers every deletion
    /// can be stored.
    #[inline(always)]
    pub fn can_store_deletion(&self, deletion: DeletionTime) -> bool {
        !self.has_uint_deletion_time || deletion.marked_for_delete_at >= 0 || deletion.is_live()
    }

    /// Appends a partition's key and deletion.
    ///
    /// # Errors
    /// `InvalidInput` for a key that is too long, and for a deletion that the format cannot hold.
    pub fn partition_start(
        &self,
        out: &mut Vec<u8>,
        key: &[u8],
        deletion: DeletionTime,
    ) -> Result<()> {
        if key.len() > PARTITION_KEY_BYTES_MAX {
            return Err(Error::invalid(format!(
                "a partition key of {} bytes; at most {PARTITION_KEY_BYTES_MAX} can be stored",
                key.len()
            )));
        }
        out.put_short_bytes(key)?;
        write_deletion_time(out, deletion, self.has_uint_deletion_time)
    }

    /// Appends the end of a partition.
    pub fn partition_end(&self, out: &mut Vec<u8>) {
        out.push(END_OF_PARTITION);
    }

    /// Appends a static row that says nothing.
    pub fn empty_static_row(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let row = RowBuf {
            is_static: true,
            ..RowBuf::default()
        };
        self.row(out, RowRef::new(&[], &row), 0)
    }

    /// Appends a row, whose cells name the columns of the header. `previous_size` is the length of what precedes it in
    /// its partition; 0 for a static row.
    ///
    /// # Errors
    /// `InvalidInput` for values that the format cannot hold. What was appended until then is no row.
    #[inline]
    pub fn row(&mut self, out: &mut Vec<u8>, row: RowRef<'_>, previous_size: u64) -> Result<()> {
        let (subset, missing) = self.subset(&row)?;
        self.row_with(out, row, previous_size, subset, missing)
    }

    /// Appends a row of an update that lists just the columns that the row has.
    ///
    /// # Errors
    /// As of [`row`](Self::row).
    pub fn lone_row(&mut self, out: &mut Vec<u8>, row: RowRef<'_>) -> Result<()> {
        self.row_with(out, row, 0, 0, 0)
    }

    /// Appends a row that lacks `missing` of the columns listed, the others being `subset` or those in `present`.
    #[inline(always)]
    fn row_with(
        &mut self,
        out: &mut Vec<u8>,
        row: RowRef<'_>,
        previous_size: u64,
        subset: u64,
        missing: usize,
    ) -> Result<()> {
        let is_static = row.is_static();
        let (liveness, deletion) = (row.liveness(), row.deletion());
        let mut flags = 0;
        let mut extended = if is_static { EXTENDED_IS_STATIC } else { 0 };
        if !liveness.is_empty() {
            flags |= HAS_TIMESTAMP;
            if liveness.is_expiring() {
                flags |= HAS_TTL;
            }
        }
        if !deletion.time.is_live() {
            flags |= HAS_DELETION;
            if deletion.shadowable {
                extended |= EXTENDED_HAS_SHADOWABLE_DELETION;
            }
        }
        if !row.complex_deletions().is_empty() {
            flags |= HAS_COMPLEX_DELETION;
        }
        if missing == 0 {
            flags |= HAS_ALL_COLUMNS;
        }
        if extended != 0 {
            out.extend_from_slice(&[flags | EXTENSION, extended]);
        } else {
            out.push(flags);
        }
        if !is_static {
            if row.clustering().len() != self.clustering_fixed.len() {
                return Err(lacks_clustering(row.clustering().len(), self));
            }
            write_values(out, row.clustering(), &self.clustering_fixed)?;
        }
        let body = self.start_body(out, previous_size);
        if flags & HAS_TIMESTAMP != 0 {
            self.timestamp(out, liveness.timestamp);
            if flags & HAS_TTL != 0 {
                self.ttl(out, liveness.ttl);
                self.local_deletion_time(out, liveness.local_expiration_time);
            }
        }
        if flags & HAS_DELETION != 0 {
            self.deletion(out, deletion.time);
        }
        if missing != 0 {
            self.write_subset(out, subset, missing, is_static);
        }
        self.cells(out, &row, liveness)?;
        self.end_body(out, body)
    }

    /// Appends a range tombstone marker. `previous_size` as of [`row`](Self::row).
    ///
    /// # Errors
    /// `InvalidInput` for values that the format cannot hold.
    pub fn marker(
        &mut self,
        out: &mut Vec<u8>,
        marker: MarkerRef<'_>,
        previous_size: u64,
    ) -> Result<()> {
        out.push(IS_MARKER);
        write_bound(out, marker.kind(), marker.values(), &self.clustering_fixed)?;
        let body = self.start_body(out, previous_size);
        if marker.kind().is_end() {
            self.deletion(out, marker.close());
        }
        if marker.kind().is_start() {
            self.deletion(out, marker.open());
        }
        self.end_body(out, body)
    }

    /// Leaves room for the size of what follows, which starts with the size of what precedes. Returns where.
    #[inline(always)]
    fn start_body(&self, out: &mut Vec<u8>, previous_size: u64) -> usize {
        let at = out.len();
        if self.sized {
            out.extend_from_slice(&[0; 9][..self.size_len]);
            out.put_uvint(previous_size);
        }
        at
    }

    /// Fills in the size of what was appended since [`start_body`](Self::start_body).
    #[inline(always)]
    fn end_body(&mut self, out: &mut Vec<u8>, at: usize) -> Result<()> {
        if !self.sized {
            return Ok(());
        }
        let size = out.len() - at - self.size_len;
        let (bytes, len) = vint::encode_unsigned(size as u64);
        if len != self.size_len {
            if size as u64 > ROW_BYTES_MAX {
                return Err(too_long("a row", size));
            }
            let body = at + self.size_len;
            let end = out.len();
            if len > self.size_len {
                out.resize(end + len - self.size_len, 0);
            }
            out.copy_within(body..end, at + len);
            out.truncate(at + len + size);
            self.size_len = len;
        }
        out[at..at + len].copy_from_slice(&bytes[..len]);
        Ok(())
    }

    fn columns(&self, is_static: bool) -> &[ColumnCode] {
        match is_static {
            true => &self.statics,
            false => &self.regulars,
        }
    }

    /// The columns that a row has, as a bitmap or in `present`, and how many of the header's it lacks.
    #[inline(always)]
    fn subset(&mut self, row: &RowRef<'_>) -> Result<(u64, usize)> {
        let count = self.columns(row.is_static()).len();
        let buf = row.buf();
        if count < LARGE_SUBSET {
            let mut present = 0u64;
            let mut highest = 0;
            for cell in &buf.cells {
                present |= 1u64.wrapping_shl(cell.column);
                highest = highest.max(cell.column);
            }
            for deletion in &buf.complex_deletions {
                present |= 1u64.wrapping_shl(deletion.column);
                highest = highest.max(deletion.column);
            }
            if present != 0 && highest as usize >= count {
                return Err(no_such_column(highest, count));
            }
            return Ok((present, count - present.count_ones() as usize));
        }
        self.present.clear();
        let cells = buf.cells.iter().map(|cell| cell.column);
        let deletions = buf.complex_deletions.iter().map(|d| d.column);
        self.present.extend(cells.chain(deletions));
        self.present.sort_unstable();
        self.present.dedup();
        match self.present.last() {
            Some(&last) if last as usize >= count => Err(no_such_column(last, count)),
            _ => Ok((0, count - self.present.len())),
        }
    }

    /// Authority: `Columns.Serializer.serializeSubset`.
    fn write_subset(&self, out: &mut Vec<u8>, subset: u64, missing: usize, is_static: bool) {
        let count = self.columns(is_static).len();
        if count < LARGE_SUBSET {
            out.put_uvint(!subset & ((1u64 << count) - 1));
            return;
        }
        out.put_uvint(missing as u64);
        if self.present.len() < count / 2 {
            for &column in &self.present {
                out.put_uvint(column.into());
            }
            return;
        }
        let mut present = self.present.iter().peekable();
        for column in 0..count as u32 {
            if present.next_if_eq(&&column).is_none() {
                out.put_uvint(column.into());
            }
        }
    }

    #[inline(always)]
    fn cells(&self, out: &mut Vec<u8>, row: &RowRef<'_>, liveness: LivenessInfo) -> Result<()> {
        let columns = self.columns(row.is_static());
        let spans = &row.buf().cells;
        let mut deletions = row.complex_deletions().iter().peekable();
        let has_deletion = !row.complex_deletions().is_empty();
        // The first column that may still come.
        let mut next_column = 0;
        let mut i = 0;
        loop {
            let of_cell = spans.get(i).map(|cell| cell.column);
            let of_deletion = deletions.peek().map(|deletion| deletion.column);
            let index = match (of_cell, of_deletion) {
                (None, None) => return Ok(()),
                (Some(cell), None) => cell,
                (None, Some(deletion)) => deletion,
                (Some(cell), Some(deletion)) => cell.min(deletion),
            };
            let column = match columns.get(index as usize) {
                Some(column) if index >= next_column => column,
                Some(column) => return Err(unordered(column)),
                None => return Err(no_such_column(index, columns.len())),
            };
            next_column = index + 1;
            if !column.complex {
                if of_cell != Some(index) {
                    return Err(simple_deletion(column));
                }
                self.cell(out, &row.cell(i), column, liveness)?;
                i += 1;
                continue;
            }
            let deletion = deletions.next_if(|deletion| deletion.column == index);
            if has_deletion {
                self.deletion(out, deletion.map_or(DeletionTime::LIVE, |d| d.time));
            }
            let count = spans[i..].iter().take_while(|c| c.column == index).count();
            out.put_uvint(count as u64);
            for i in i..i + count {
                self.cell(out, &row.cell(i), column, liveness)?;
            }
            i += count;
        }
    }

    #[inline(always)]
    fn cell(
        &self,
        out: &mut Vec<u8>,
        cell: &Cell<'_>,
        column: &ColumnCode,
        liveness: LivenessInfo,
    ) -> Result<()> {
        // What an INSERT without TTL writes, and so nearly every cell there is.
        if cell.timestamp == liveness.timestamp
            && !liveness.is_empty()
            && cell.local_deletion_time == NO_DELETION_TIME
            && cell.ttl == 0
            && !column.complex
            && cell.path.is_none()
            && !cell.value.is_empty()
        {
            out.push(CELL_USE_ROW_TIMESTAMP);
            return self.value(out, cell.value, column);
        }
        let use_row_timestamp = !liveness.is_empty() && cell.timestamp == liveness.timestamp;
        let mut flags = if use_row_timestamp {
            CELL_USE_ROW_TIMESTAMP
        } else {
            0
        };
        if cell.value.is_empty() {
            flags |= CELL_HAS_EMPTY_VALUE;
        }
        let mut own_ttl = false;
        if cell.local_deletion_time != NO_DELETION_TIME || cell.ttl != 0 {
            if cell.is_tombstone() {
                flags |= CELL_IS_DELETED;
                own_ttl = true;
            } else {
                let use_row_ttl = cell.ttl == liveness.ttl
                    && cell.local_deletion_time == liveness.local_expiration_time;
                flags |= CELL_IS_EXPIRING;
                if use_row_ttl {
                    flags |= CELL_USE_ROW_TTL;
                }
                own_ttl = !use_row_ttl;
            }
        }
        out.push(flags);
        if !use_row_timestamp {
            self.timestamp(out, cell.timestamp);
        }
        if own_ttl {
            self.local_deletion_time(out, cell.local_deletion_time);
            if flags & CELL_IS_EXPIRING != 0 {
                self.ttl(out, cell.ttl);
            }
        }
        match (column.complex, cell.path) {
            (false, None) => {}
            (true, Some(path)) => {
                if path.len() > VALUE_BYTES_MAX {
                    return Err(too_long("a path of a cell", path.len()));
                }
                out.put_vint_bytes(path);
            }
            (complex, _) => return Err(wrong_path(column, complex)),
        }
        match cell.value.is_empty() {
            true => Ok(()),
            false => self.value(out, cell.value, column),
        }
    }

    /// Appends a value that is not empty.
    #[inline(always)]
    fn value(&self, out: &mut Vec<u8>, value: &[u8], column: &ColumnCode) -> Result<()> {
        match column.fixed {
            Some(length) if value.len() != length as usize => {
                return Err(wrong_length(column, value.len(), length));
            }
            Some(_) => {}
            None => {
                if value.len() > VALUE_BYTES_MAX {
                    return Err(too_long("a value", value.len()));
                }
                out.put_uvint(value.len() as u64);
            }
        }
        out.extend_from_slice(value);
        Ok(())
    }

    #[inline(always)]
    fn timestamp(&self, out: &mut Vec<u8>, timestamp: i64) {
        out.put_uvint(timestamp.wrapping_sub(self.min_timestamp) as u64);
    }

    #[inline(always)]
    fn ttl(&self, out: &mut Vec<u8>, ttl: i32) {
        out.put_uvint32((i64::from(ttl) - self.min_ttl) as i32);
    }

    /// Cut to 32 bits, as Cassandra does: a reader finds the rest in the sign.
    #[inline(always)]
    fn local_deletion_time(&self, out: &mut Vec<u8>, time: i64) {
        let time = match time {
            NO_DELETION_TIME => time,
            _ if self.has_uint_deletion_time => time,
            _ => time.min(LEGACY_DELETION_TIME_MAX),
        };
        out.put_uvint32(time.wrapping_sub(self.min_local_deletion_time) as i32);
    }

    /// Appends a deletion inside a partition, or that of an update's partition.
    #[inline(always)]
    pub fn deletion(&self, out: &mut Vec<u8>, deletion: DeletionTime) {
        self.timestamp(out, deletion.marked_for_delete_at);
        self.local_deletion_time(out, deletion.local_deletion_time);
    }
}

#[cold]
fn no_such_column(column: u32, count: usize) -> Error {
    Error::invalid(format!(
        "a cell of column {column} where the header has {count} columns"
    ))
}

#[cold]
fn unordered(column: &ColumnCode) -> Error {
    Error::invalid(format!(
        "the cells of column `{}` do not stand together, in the header's order",
        column.name
    ))
}

#[cold]
fn simple_deletion(column: &ColumnCode) -> Error {
    Error::invalid(format!(
        "a deletion of all cells of column `{}`, which has but one",
        column.name
    ))
}

#[cold]
fn wrong_path(column: &ColumnCode, complex: bool) -> Error {
    let what = if complex { "no path" } else { "a path" };
    Error::invalid(format!("a cell of column `{}` has {what}", column.name))
}

#[cold]
fn wrong_length(column: &ColumnCode, length: usize, expected: u32) -> Error {
    Error::invalid(format!(
        "a value of column `{}` has {length} bytes, its type needs {expected}",
        column.name
    ))
}

#[cold]
fn too_long(what: &str, length: usize) -> Error {
    Error::invalid(format!(
        "{what} of {length} bytes is longer than Cassandra would read"
    ))
}

#[cold]
fn lacks_clustering(length: usize, encoder: &Encoder) -> Error {
    Error::invalid(format!(
        "a row of {length} clustering values where there are {} clustering columns",
        encoder.clustering_fixed.len()
    ))
}
