//! A row as a selection sees it: the values of the columns it needs, cells of collections put together.
//!
//! Authority: `o.a.c.cql3.selection.Selector.InputRow`, `o.a.c.cql3.selection.ColumnTimestamps`.

use super::collection::{push_collection, push_element};
use super::live::cells_of;
use crate::model::{Cell, RowRef};
use crate::schema::{ColumnKind, ColumnRef};
use crate::types::{CqlType, counter};
use crate::{Error, Result};
use std::ops::Range;
use std::sync::Arc;

/// A column that a statement needs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fetched {
    /// What it is.
    pub kind: ColumnKind,
    /// Its index among the columns of its kind.
    pub index: usize,
    /// Its name.
    pub name: Arc<str>,
    /// Its type.
    pub ty: CqlType,
    /// Whether its write times and TTLs are needed.
    pub times: bool,
}

impl Fetched {
    /// The column, without its times.
    pub fn new(column: &ColumnRef<'_>) -> Self {
        Fetched {
            kind: column.kind,
            index: column.index,
            name: column.name.clone(),
            ty: column.ty.clone(),
            times: false,
        }
    }
}

/// When a cell was written and how long it has to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CellTime {
    /// Write timestamp.
    pub written: i64,
    /// Seconds left, if it expires.
    pub ttl: Option<i32>,
}

/// Where a value lies in the bytes of a row; `None` if it is null.
pub(super) type ValueRange = Option<Range<usize>>;

/// The values of the fetched columns of a row. Meant to be reused.
#[derive(Debug, Clone, Default)]
pub(super) struct Input {
    bytes: Vec<u8>,
    values: Vec<ValueRange>,
    /// Of a multi-cell column one for each element, `None` for a field that is null; else one at most.
    times: Vec<Vec<Option<CellTime>>>,
    /// How much of `bytes` the partition needs, which its rows share.
    partition_len: usize,
}

impl Input {
    /// The value of the `i`th fetched column.
    #[inline]
    pub fn value(&self, i: usize) -> Option<&[u8]> {
        self.values[i].clone().map(|range| &self.bytes[range])
    }

    /// The bytes and where the values lie in them.
    #[inline]
    pub fn parts(&self) -> (&[u8], &[ValueRange]) {
        (&self.bytes, &self.values)
    }

    /// The times of the `i`th fetched column.
    pub fn times(&self, i: usize) -> &[Option<CellTime>] {
        &self.times[i]
    }

    /// Becomes a copy of `other`.
    pub fn copy_from(&mut self, other: &Input) {
        self.bytes.clear();
        self.bytes.extend_from_slice(&other.bytes);
        self.values.clone_from(&other.values);
        self.times.clone_from(&other.times);
        self.partition_len = other.partition_len;
    }

    /// Starts a partition: takes key and static columns.
    pub fn start_partition<'k>(
        &mut self,
        columns: &[Fetched],
        key: impl Fn(usize) -> &'k [u8],
        static_row: Option<RowRef<'_>>,
        now: i64,
    ) -> Result<()> {
        self.bytes.clear();
        self.values.clear();
        self.values.resize(columns.len(), None);
        self.times.resize(columns.len(), Vec::new());
        for (i, column) in columns.iter().enumerate() {
            match column.kind {
                ColumnKind::PartitionKey => self.put(i, key(column.index)),
                ColumnKind::Static => {
                    self.times[i].clear();
                    if let Some(row) = static_row {
                        self.put_cells(i, column, row, now)?;
                    }
                }
                _ => {}
            }
        }
        self.partition_len = self.bytes.len();
        Ok(())
    }

    /// Takes clustering and regular columns; without a row all of them are null.
    pub fn set_row(
        &mut self,
        columns: &[Fetched],
        row: Option<RowRef<'_>>,
        now: i64,
    ) -> Result<()> {
        self.bytes.truncate(self.partition_len);
        for (i, column) in columns.iter().enumerate() {
            match column.kind {
                ColumnKind::Clustering => {
                    self.values[i] = None;
                    // Rows of compact tables may have fewer values than there are columns.
                    if let Some(row) = row
                        && column.index < row.clustering().len()
                        && let Some(value) = row.clustering().get(column.index)
                    {
                        self.put(i, value);
                    }
                }
                ColumnKind::Regular => {
                    self.values[i] = None;
                    self.times[i].clear();
                    if let Some(row) = row {
                        self.put_cells(i, column, row, now)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Becomes a row of nulls.
    pub fn set_all_null(&mut self, columns: usize) {
        self.bytes.clear();
        self.partition_len = 0;
        self.values.clear();
        self.values.resize(columns, None);
        self.times.clear();
        self.times.resize(columns, Vec::new());
    }

    /// Becomes a row of one column.
    pub fn set_single(&mut self, value: Option<&[u8]>) {
        self.set_all_null(1);
        if let Some(value) = value {
            self.put(0, value);
        }
    }

    fn put(&mut self, i: usize, value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.values[i] = Some(start..self.bytes.len());
    }

    fn put_cells(&mut self, i: usize, column: &Fetched, row: RowRef<'_>, now: i64) -> Result<()> {
        let mut cells = cells_of(row, column.index).filter(|cell| cell.is_live(now));
        if !column.ty.is_multi_cell() {
            let Some(cell) = cells.next() else {
                return Ok(());
            };
            match column.ty {
                CqlType::Counter => {
                    let total = counter::total(cell.value).map_err(Error::from)?;
                    self.put(i, &total.to_be_bytes());
                }
                _ => self.put(i, cell.value),
            }
            if column.times {
                self.times[i].push(Some(time_of(&cell, now)));
            }
            return Ok(());
        }
        let mut cells = cells.peekable();
        if cells.peek().is_none() {
            return Ok(());
        }
        let start = self.bytes.len();
        let mut times = column.times.then(|| &mut self.times[i]);
        let mut remember = |time: Option<CellTime>| {
            if let Some(times) = &mut times {
                times.push(time);
            }
        };
        if let CqlType::Udt { definition, .. } = &column.ty {
            for field in 0..definition.fields.len() {
                while cells.next_if(|cell| field_of(cell) < field).is_some() {}
                let cell = cells.next_if(|cell| field_of(cell) == field);
                push_element(&mut self.bytes, cell.map(|cell| cell.value));
                remember(cell.map(|cell| time_of(&cell, now)));
            }
        } else {
            push_collection(&mut self.bytes, |out| {
                let mut count = 0;
                for cell in cells {
                    match column.ty {
                        CqlType::Set { .. } => push_element(out, cell.path),
                        CqlType::Map { .. } => {
                            push_element(out, cell.path);
                            push_element(out, Some(cell.value));
                        }
                        _ => push_element(out, Some(cell.value)),
                    }
                    remember(Some(time_of(&cell, now)));
                    count += 1;
                }
                count
            });
        }
        self.values[i] = Some(start..self.bytes.len());
        Ok(())
    }
}

/// The field of a user type that a cell is of.
fn field_of(cell: &Cell<'_>) -> usize {
    let path = cell.path.and_then(|path| path.try_into().ok());
    path.map_or(usize::MAX, |path| u16::from_be_bytes(path).into())
}

fn time_of(cell: &Cell<'_>, now: i64) -> CellTime {
    CellTime {
        written: cell.timestamp,
        ttl: cell
            .is_expiring()
            // An int, which wraps.
            .then_some((cell.local_deletion_time - now) as i32),
    }
}
