//! A row while it is put together.
//!
//! Authority: `o.a.c.cql3.{Constants,Lists,Sets,Maps,UserTypes}`' operations, `o.a.c.db.rows.BTreeRow.Builder`.

use super::{TimeUuids, WriteTime};
use crate::bytes::Cursor;
use crate::merge::sort_cells;
use crate::model::{
    Cell, CellSpan, ComplexDeletion, DeletionTime, LivenessInfo, NO_DELETION_TIME, RowBuf,
    RowDeletion, RowRef, Span,
};
use crate::schema::{Column, DroppedColumn};
use crate::types::CqlType;
use crate::{Error, Result};

/// A row and the bytes of its values. Meant to be reused.
#[derive(Debug, Default)]
pub(super) struct Draft {
    bytes: Vec<u8>,
    row: RowBuf,
    /// Cells came in an order that is not theirs.
    unsorted: bool,
}

impl Draft {
    pub fn clear(&mut self, is_static: bool) {
        self.bytes.clear();
        self.row.clear();
        self.row.is_static = is_static;
        self.unsorted = false;
    }

    pub fn is_empty(&self) -> bool {
        self.row.is_empty()
    }

    pub fn push_clustering(&mut self, value: Option<&[u8]>) -> Result<()> {
        let span = match value {
            Some(value) => self.push(value)?,
            None => Span::NULL,
        };
        self.row.clustering.push(span);
        Ok(())
    }

    pub fn set_liveness(&mut self, when: &WriteTime) {
        self.row.liveness = LivenessInfo {
            timestamp: when.timestamp,
            ttl: when.ttl,
            local_expiration_time: expiration(when),
        };
    }

    pub fn delete_row(&mut self, when: &WriteTime) {
        self.row.deletion = RowDeletion {
            time: deletion(when),
            shadowable: false,
        };
    }

    #[inline(always)]
    fn push(&mut self, value: &[u8]) -> Result<Span> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(value);
        match u32::try_from(self.bytes.len()) {
            Ok(_) => Ok(Span {
                start: start as u32,
                len: value.len() as u32,
            }),
            Err(_) => Err(Error::invalid("a row of over 4 GiB")),
        }
    }

    /// A value of a column, or of an element of one.
    #[inline]
    pub fn add_cell(
        &mut self,
        column: usize,
        path: Option<&[u8]>,
        value: &[u8],
        when: &WriteTime,
    ) -> Result<()> {
        let path = match path {
            Some(path) => self.push(path)?,
            None => Span::NULL,
        };
        let value = self.push(value)?;
        self.push_cell(CellSpan {
            column: column as u32,
            ttl: when.ttl,
            timestamp: when.timestamp,
            local_deletion_time: expiration(when),
            path,
            value,
        });
        Ok(())
    }

    /// Counts a column on. What it grows by is 8 bytes until it is known what it is then.
    pub fn count(&mut self, column: usize, by: i64, when: &WriteTime) -> Result<()> {
        let cells = &self.row.cells;
        if let Some(cell) = cells.iter().find(|cell| cell.column as usize == column) {
            let start = cell.value.start as usize;
            if let Some(bytes) = self.bytes[start..].first_chunk_mut() {
                let sum = i64::from_be_bytes(*bytes).wrapping_add(by);
                *bytes = sum.to_be_bytes();
                return Ok(());
            }
        }
        let when = WriteTime { ttl: 0, ..*when };
        self.add_cell(column, None, &by.to_be_bytes(), &when)
    }

    /// Deletes a column's value, or an element of one.
    pub fn add_tombstone(
        &mut self,
        column: usize,
        path: Option<&[u8]>,
        when: &WriteTime,
    ) -> Result<()> {
        let path = match path {
            Some(path) => self.push(path)?,
            None => Span::NULL,
        };
        self.push_cell(CellSpan {
            column: column as u32,
            ttl: 0,
            timestamp: when.timestamp,
            local_deletion_time: when.now,
            path,
            value: Span::EMPTY,
        });
        Ok(())
    }

    #[inline(always)]
    fn push_cell(&mut self, cell: CellSpan) {
        // In one column the paths are looked at afterwards.
        if let Some(last) = self.row.cells.last()
            && last.column >= cell.column
        {
            self.unsorted = true;
        }
        self.row.cells.push(cell);
    }

    /// Deletes all elements of a column.
    pub fn delete_elements(&mut self, column: usize, time: DeletionTime) {
        self.row.complex_deletions.push(ComplexDeletion {
            column: column as u32,
            time,
        });
    }

    /// Sets a column to a value, `None` for null.
    #[inline]
    pub fn set(
        &mut self,
        column: usize,
        ty: &CqlType,
        value: Option<&[u8]>,
        when: &WriteTime,
        ids: &mut TimeUuids,
    ) -> Result<()> {
        if !ty.is_multi_cell() {
            return match value {
                Some(value) => self.add_cell(column, None, value, when),
                None => self.add_tombstone(column, None, when),
            };
        }
        // What the same statement writes is not deleted.
        let time = deletion(when);
        self.delete_elements(
            column,
            DeletionTime {
                marked_for_delete_at: time.marked_for_delete_at.saturating_sub(1),
                ..time
            },
        );
        match value {
            Some(value) => self.add_elements(column, ty, value, when, |_| ids.after_all()),
            None => Ok(()),
        }
    }

    /// Sets an element of a multi-cell column to a value, `None` for null.
    pub fn set_element(
        &mut self,
        column: usize,
        path: &[u8],
        value: Option<&[u8]>,
        when: &WriteTime,
    ) -> Result<()> {
        match value {
            Some(value) => self.add_cell(column, Some(path), value, when),
            None => self.add_tombstone(column, Some(path), when),
        }
    }

    /// Adds the elements of a value of a multi-cell column; `path` makes those of list elements.
    pub fn add_elements(
        &mut self,
        column: usize,
        ty: &CqlType,
        value: &[u8],
        when: &WriteTime,
        mut path: impl FnMut(usize) -> [u8; 16],
    ) -> Result<()> {
        let mut c = Cursor::new(value);
        match ty {
            CqlType::Udt { definition, .. } => {
                for i in 0..definition.fields.len() {
                    // Fields that are left out at the end are null.
                    if c.is_empty() {
                        break;
                    }
                    let field = (i as u16).to_be_bytes();
                    if let Some(value) = sized(&mut c)? {
                        self.add_cell(column, Some(&field), value, when)?;
                    }
                }
            }
            CqlType::Map { .. } => {
                for _ in 0..c.i32()? {
                    let (key, value) = (element(&mut c)?, element(&mut c)?);
                    self.add_cell(column, Some(key), value, when)?;
                }
            }
            CqlType::Set { .. } => {
                for _ in 0..c.i32()? {
                    let key = element(&mut c)?;
                    self.add_cell(column, Some(key), &[], when)?;
                }
            }
            _ => {
                for i in 0..c.i32()? {
                    let value = element(&mut c)?;
                    self.add_cell(column, Some(&path(i as usize)), value, when)?;
                }
            }
        }
        Ok(())
    }

    /// The cells, in the order in which they came.
    pub fn cells(&self) -> impl Iterator<Item = Cell<'_>> {
        RowRef::new(&self.bytes, &self.row).cells()
    }

    /// Leaves out what was written before a column of that name was dropped: nobody would read it.
    pub fn forget(&mut self, columns: &[Column], dropped: &[DroppedColumn]) {
        self.row.cells.retain(|cell| {
            let column = columns.get(cell.column as usize);
            let mut of_name = dropped
                .iter()
                .filter(|d| column.is_some_and(|c| c.name == d.column.name));
            of_name.all(|d| cell.timestamp > d.dropped_at_micros)
        });
    }

    /// The row of these columns, its cells in order; of several for one element one is left.
    #[inline]
    pub fn finish(&mut self, columns: &[Column]) -> RowRef<'_> {
        if self.unsorted {
            sort_cells(&mut self.row, &self.bytes, columns);
        }
        if self.row.complex_deletions.len() > 1 {
            let newest = |d: &ComplexDeletion| (d.time.marked_for_delete_at, d.column);
            let deletions = &mut self.row.complex_deletions;
            deletions.sort_by_key(|d| (d.column, std::cmp::Reverse(newest(d))));
            deletions.dedup_by_key(|d| d.column);
        }
        RowRef::new(&self.bytes, &self.row)
    }
}

/// When what is written expires.
#[inline(always)]
fn expiration(when: &WriteTime) -> i64 {
    match when.ttl {
        0 => NO_DELETION_TIME,
        ttl => when.now.saturating_add(ttl.into()),
    }
}

/// The deletion of what was written until then.
pub(super) fn deletion(when: &WriteTime) -> DeletionTime {
    DeletionTime {
        marked_for_delete_at: when.timestamp,
        local_deletion_time: when.now,
    }
}

/// Takes a value behind its length, `None` if that is negative.
fn sized<'a>(c: &mut Cursor<'a>) -> Result<Option<&'a [u8]>> {
    let length = c.i32()?;
    Ok(match usize::try_from(length) {
        Ok(length) => Some(c.take(length)?),
        Err(_) => None,
    })
}

fn element<'a>(c: &mut Cursor<'a>) -> Result<&'a [u8]> {
    sized(c)?.ok_or_else(|| Error::invalid("null is not supported inside collections"))
}
