//! Rows of a result that are there already.

use super::exec::{ResultRow, component};
use super::input::{Fetched, Input, ValueRange};
use super::plan::ResultColumn;
use crate::Result;
use crate::model::RowRef;
use crate::schema::{ColumnRef, TableSchema};
use crate::types::CqlType;
use std::sync::Arc;

/// A result that is held as a whole.
#[derive(Debug, Clone, Default)]
pub struct ResultSet {
    columns: Arc<[ResultColumn]>,
    bytes: Vec<u8>,
    /// As many for each row as there are columns.
    values: Vec<ValueRange>,
}

impl ResultSet {
    /// The columns.
    pub fn columns(&self) -> &[ResultColumn] {
        &self.columns
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.values
            .len()
            .checked_div(self.columns.len())
            .unwrap_or(0)
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = ResultRow<'_>> {
        let rows = self.values.chunks_exact(self.columns.len().max(1));
        rows.map(|values| ResultRow::new(&self.columns, &self.bytes, values))
    }

    /// Of these columns, without any row.
    pub(crate) fn of(columns: impl Into<Arc<[ResultColumn]>>) -> Self {
        ResultSet {
            columns: columns.into(),
            ..ResultSet::default()
        }
    }

    /// Appends a row of as many columns.
    pub(crate) fn push_row(&mut self, row: &ResultRow<'_>) {
        let count = row.columns().len();
        let bytes = (0..count).filter_map(|i| row.value(i)).map(<[u8]>::len);
        self.bytes.reserve(bytes.sum());
        self.values.reserve(count);
        self.push((0..count).map(|i| row.value(i)));
    }

    /// Appends a row of one value a column.
    pub(crate) fn push<'v>(&mut self, values: impl IntoIterator<Item = Option<&'v [u8]>>) {
        for value in values {
            let range = value.map(|value| {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(value);
                start..self.bytes.len()
            });
            self.values.push(range);
        }
    }

    /// What a conditional statement answers that was carried out, or found nothing to show: whether it was.
    pub(crate) fn applied(is_applied: bool) -> Self {
        let mut result = Self::of(vec![applied_column()]);
        result.push([Some(&[u8::from(is_applied)][..])]);
        result
    }

    /// What a conditional statement answers that was not carried out: that, and these columns as they are, null
    /// where they were not read.
    ///
    /// # Errors
    /// `Corrupt` for a counter that is none.
    pub(crate) fn not_applied<'r>(
        table: &TableSchema,
        key: &[u8],
        columns: &[ColumnRef<'_>],
        is_read: impl Fn(&ColumnRef<'_>) -> bool,
        rows: impl Iterator<Item = (Option<RowRef<'r>>, Option<RowRef<'r>>)>,
        now: i64,
    ) -> Result<Self> {
        let fetched: Vec<Fetched> = columns.iter().map(Fetched::new).collect();
        let shown = fetched.iter().map(|column| ResultColumn {
            name: column.name.to_string(),
            ty: column.ty.clone(),
        });
        let mut result = Self::of(
            std::iter::once(applied_column())
                .chain(shown)
                .collect::<Vec<_>>(),
        );
        let mut input = Input::default();
        for (statics, row) in rows {
            let part = |i| component(key, table.partition_key.len(), i);
            input.start_partition(&fetched, part, statics, now)?;
            input.set_row(&fetched, row, now)?;
            let values = columns.iter().enumerate();
            let values = values.map(|(i, column)| input.value(i).filter(|_| is_read(column)));
            result.push(std::iter::once(Some(&[0][..])).chain(values));
        }
        Ok(match result.is_empty() {
            true => Self::applied(false),
            false => result,
        })
    }
}

fn applied_column() -> ResultColumn {
    ResultColumn {
        name: "[applied]".to_owned(),
        ty: CqlType::Boolean,
    }
}
