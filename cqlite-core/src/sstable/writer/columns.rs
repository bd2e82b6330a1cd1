//! Rows of one stream, named by the columns of another's header.

use crate::model::{RowBuf, RowRef, StreamHeader};
use crate::schema::Column;
use crate::{Error, Result};

/// Gives cells the numbers that their columns have in a serialization header.
#[derive(Debug)]
pub(super) struct ColumnMapping {
    /// Number in the header of each column of the stream; `None` if they are the same.
    statics: Option<Vec<u32>>,
    regulars: Option<Vec<u32>>,
    scratch: RowBuf,
}

impl ColumnMapping {
    /// From the columns of `stream` to those of `header`.
    ///
    /// # Errors
    /// `InvalidInput` for a column that the header lacks, and for clustering columns of other types.
    pub fn new(stream: &StreamHeader, header: &StreamHeader) -> Result<Self> {
        let types = |h: &StreamHeader| -> Vec<_> {
            let of_column = h.clustering.iter();
            of_column.map(|c| (c.ty.clone(), c.descending)).collect()
        };
        if types(stream) != types(header) {
            return Err(Error::invalid(
                "the clustering columns of the rows are not those of the serialization header",
            ));
        }
        Ok(ColumnMapping {
            statics: numbers(&stream.statics, &header.statics)?,
            regulars: numbers(&stream.regulars, &header.regulars)?,
            scratch: RowBuf::default(),
        })
    }

    /// The row with the header's columns, in the header's order.
    #[inline(always)]
    pub fn apply<'a>(&'a mut self, row: RowRef<'a>) -> RowRef<'a> {
        let numbers = match row.is_static() {
            true => &self.statics,
            false => &self.regulars,
        };
        match numbers {
            None => row,
            Some(numbers) => renumber(row, numbers, &mut self.scratch),
        }
    }
}

fn numbers(stream: &[Column], header: &[Column]) -> Result<Option<Vec<u32>>> {
    let number = |column: &Column| {
        let found = header.iter().position(|c| c.name == column.name);
        found.map(|i| i as u32).ok_or_else(|| {
            let name = &column.name;
            Error::invalid(format!("the serialization header has no column `{name}`"))
        })
    };
    let numbers: Vec<u32> = stream.iter().map(number).collect::<Result<_>>()?;
    let same = numbers.iter().enumerate().all(|(i, &n)| i as u32 == n);
    Ok((!same).then_some(numbers))
}

fn renumber<'a>(row: RowRef<'a>, numbers: &[u32], scratch: &'a mut RowBuf) -> RowRef<'a> {
    let from = row.buf();
    // A number that is no column's is told by whoever encodes the row.
    let number = |column: u32| numbers.get(column as usize).copied().unwrap_or(u32::MAX);
    scratch.clone_from(from);
    let mut sorted = true;
    let mut last = 0;
    for cell in &mut scratch.cells {
        cell.column = number(cell.column);
        sorted &= last <= cell.column;
        last = cell.column;
    }
    for deletion in &mut scratch.complex_deletions {
        deletion.column = number(deletion.column);
    }
    if !sorted {
        scratch.cells.sort_by_key(|cell| cell.column);
    }
    scratch.complex_deletions.sort_by_key(|d| d.column);
    RowRef::new(row.bytes(), scratch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CellSpan, Span};
    use crate::types::CqlType;

    fn stream(names: &[&str]) -> StreamHeader {
        let column = |name: &&str| Column {
            name: (*name).into(),
            ty: CqlType::Int,
        };
        StreamHeader {
            key_type: CqlType::Int,
            clustering: Vec::new(),
            statics: Vec::new(),
            regulars: names.iter().map(column).collect(),
        }
    }

    #[test]
    fn cells_stand_in_the_order_of_the_header() {
        let cell = |column| CellSpan {
            column,
            ttl: 0,
            timestamp: i64::from(column),
            local_deletion_time: i64::MAX,
            path: Span::NULL,
            value: Span::EMPTY,
        };
        let row = RowBuf {
            cells: vec![cell(0), cell(1), cell(2)],
            ..RowBuf::default()
        };
        let header = stream(&["a", "b", "c", "d"]);
        let mut mapping = ColumnMapping::new(&stream(&["d", "a", "c"]), &header).unwrap();
        let mapped = mapping.apply(RowRef::new(&[], &row));
        let seen: Vec<_> = mapped.cells().map(|c| (c.column, c.timestamp)).collect();
        assert_eq!(seen, [(0, 1), (2, 2), (3, 0)]);
        assert!(ColumnMapping::new(&stream(&["x"]), &header).is_err());
        let mut same = ColumnMapping::new(&stream(&["a", "b"]), &header).unwrap();
        let mapped = same.apply(RowRef::new(&[], &row));
        assert!(std::ptr::eq(mapped.buf(), &row));
    }
}
