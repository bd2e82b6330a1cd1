//! The debug text of rows, one a line.
//!
//! Authority: `o.a.c.tools.SSTableExport` and the `toString` of `o.a.c.db.rows.{AbstractRow,AbstractCell}`,
//! `o.a.c.db.{LivenessInfo,DeletionTime,Clustering,ClusteringBoundOrBoundary}`.

use super::columns::{Cells, Column};
use super::layout::Lines;
use crate::failure::Failure;
use crate::output::Out;
use cqlite_core::Result;
use cqlite_core::model::{
    BoundKind, Cell, DeletionTime, MarkerRef, PartitionHead, PartitionSource, RowRef, StreamHeader,
    Unfiltered,
};
use cqlite_core::sstable::Scan;
use cqlite_core::types::{CqlType, counter, write_i64};

/// Appends partitions as debug text.
pub struct DebugPrinter<'a> {
    header: &'a StreamHeader,
    statics: Vec<Column>,
    regulars: Vec<Column>,
    /// `[key]@` of the present partition.
    key: Vec<u8>,
}

impl<'a> DebugPrinter<'a> {
    pub fn new(header: &'a StreamHeader) -> Self {
        let columns =
            |of: &[cqlite_core::schema::Column]| of.iter().map(Column::new::<Lines>).collect();
        DebugPrinter {
            header,
            statics: columns(&header.statics),
            regulars: columns(&header.regulars),
            key: Vec::new(),
        }
    }

    /// Appends the partition that the scan stands on, and reads it to its end.
    pub fn partition(&mut self, scan: &mut Scan, out: &mut Out) -> Result<(), Failure> {
        let head = scan.partition();
        let mut position = head.body_position;
        self.head(&head, &mut out.text)?;
        while scan.next_unfiltered()? {
            self.start(&mut out.text, position);
            match scan.unfiltered() {
                Unfiltered::Row(row) => self.row(&mut out.text, row),
                Unfiltered::Marker(marker) => self.marker(&mut out.text, marker),
            }
            .map_err(|e| e.at(position))?;
            out.text.push(b'\n');
            position = scan.position();
            out.drain()?;
        }
        Ok(())
    }

    fn head(&mut self, head: &PartitionHead<'_>, text: &mut Vec<u8>) -> Result<()> {
        self.key.clear();
        self.key.push(b'[');
        self.header.key_type.write_text(head.key, &mut self.key)?;
        self.key.extend_from_slice(b"]@");
        if !head.deletion.is_live() {
            self.start(text, head.body_position);
            push_deletion(text, head.deletion);
            text.push(b'\n');
        }
        if let Some(row) = head.static_row {
            self.start(text, head.body_position);
            self.row(text, row)?;
            text.push(b'\n');
        }
        Ok(())
    }

    fn start(&self, text: &mut Vec<u8>, position: u64) {
        text.extend_from_slice(&self.key);
        write_i64(position as i64, text);
        text.push(b' ');
    }

    fn row(&self, text: &mut Vec<u8>, row: RowRef<'_>) -> Result<()> {
        let liveness = row.liveness();
        text.extend_from_slice(b"Row[info=[ts=");
        write_i64(liveness.timestamp, text);
        if liveness.is_expiring() {
            text.extend_from_slice(b" ttl=");
            write_i64(liveness.ttl.into(), text);
            text.extend_from_slice(b", let=");
            write_i64(liveness.local_expiration_time, text);
        }
        text.push(b']');
        let deletion = row.deletion();
        if !deletion.time.is_live() {
            text.extend_from_slice(b" del=");
            push_deletion(text, deletion.time);
            if deletion.shadowable {
                text.extend_from_slice(b"(shadowable)");
            }
        }
        text.extend_from_slice(b" ]: ");
        if row.is_static() {
            text.extend_from_slice(b"STATIC");
        }
        for (i, bytes) in row.clustering().iter().enumerate() {
            if i > 0 {
                text.extend_from_slice(b", ");
            }
            match bytes {
                Some(bytes) => self.header.clustering[i]
                    .ty
                    .write_cql_literal(bytes, text)?,
                None => text.extend_from_slice(b"null"),
            }
        }
        text.extend_from_slice(b" | ");

        let columns = match row.is_static() {
            true => &self.statics,
            false => &self.regulars,
        };
        let mut deletions = row.complex_deletions().iter().peekable();
        let mut last = None;
        for cell in row.cells() {
            while let Some(deletion) = deletions.next_if(|d| d.column as usize <= cell.column) {
                separate(text, &mut last, deletion.column as usize);
                push_complex_deletion(text, columns, deletion.column as usize, deletion.time);
            }
            separate(text, &mut last, cell.column);
            let column = &columns[cell.column];
            if !matches!(column.cells, Cells::Simple(_)) {
                text.extend_from_slice(b", ");
            }
            push_cell(text, column, &cell)?;
        }
        for deletion in deletions {
            separate(text, &mut last, deletion.column as usize);
            push_complex_deletion(text, columns, deletion.column as usize, deletion.time);
        }
        Ok(())
    }

    fn marker(&self, text: &mut Vec<u8>, marker: MarkerRef<'_>) -> Result<()> {
        text.extend_from_slice(b"Marker ");
        let kind = match marker.kind() {
            BoundKind::ExclEnd => "EXCL_END_BOUND",
            BoundKind::InclStart => "INCL_START_BOUND",
            BoundKind::ExclEndInclStart => "EXCL_END_INCL_START_BOUNDARY",
            BoundKind::Static => "STATIC_CLUSTERING",
            BoundKind::Clustering => "CLUSTERING",
            BoundKind::InclEndExclStart => "INCL_END_EXCL_START_BOUNDARY",
            BoundKind::InclEnd => "INCL_END_BOUND",
            BoundKind::ExclStart => "EXCL_START_BOUND",
        };
        text.extend_from_slice(kind.as_bytes());
        text.push(b'(');
        for (i, bytes) in marker.values().iter().enumerate() {
            if i > 0 {
                text.extend_from_slice(b", ");
            }
            match bytes {
                Some(bytes) => self.header.clustering[i].ty.write_text(bytes, text)?,
                None => text.extend_from_slice(b"null"),
            }
        }
        text.extend_from_slice(b")@");
        let push_time = |text: &mut Vec<u8>, time: DeletionTime| {
            write_i64(time.marked_for_delete_at, text);
            text.push(b'/');
            write_i64(time.local_deletion_time, text);
        };
        if marker.kind().is_end() {
            push_time(text, marker.close());
        }
        if marker.kind().is_boundary() {
            text.push(b'-');
        }
        if marker.kind().is_start() {
            push_time(text, marker.open());
        }
        Ok(())
    }
}

/// Appends the comma before a column but the first.
fn separate(text: &mut Vec<u8>, last: &mut Option<usize>, column: usize) {
    if last.is_some_and(|last| last != column) {
        text.extend_from_slice(b", ");
    }
    *last = Some(column);
}

fn push_deletion(text: &mut Vec<u8>, deletion: DeletionTime) {
    text.extend_from_slice(b"deletedAt=");
    write_i64(deletion.marked_for_delete_at, text);
    text.extend_from_slice(b", localDeletion=");
    write_i64(deletion.local_deletion_time, text);
}

fn push_complex_deletion(
    text: &mut Vec<u8>,
    columns: &[Column],
    column: usize,
    deletion: DeletionTime,
) {
    text.extend_from_slice(b"del(");
    text.extend_from_slice(columns[column].name.as_bytes());
    text.extend_from_slice(b")=");
    push_deletion(text, deletion);
}

fn push_cell(text: &mut Vec<u8>, column: &Column, cell: &Cell<'_>) -> Result<()> {
    text.push(b'[');
    text.extend_from_slice(column.name.as_bytes());
    let tombstone = cell.is_tombstone();
    if !tombstone && column.ty == CqlType::Counter {
        text.push(b'=');
        write_i64(counter::total(cell.value)?, text);
        text.extend_from_slice(b" ts=");
        write_i64(cell.timestamp, text);
        text.push(b']');
        return Ok(());
    }
    if let Cells::Collection { path, .. } = &column.cells {
        text.push(b'[');
        path.write_text(cell.path.unwrap_or_default(), text)?;
        text.push(b']');
    }
    text.push(b'=');
    match &column.cells {
        _ if tombstone => text.extend_from_slice(b"<tombstone>"),
        Cells::Collection { value: ty, .. } => ty.write_text(cell.value, text)?,
        // A field's value is shown as if it were a whole one of the user type, or as bytes.
        Cells::Simple(_) | Cells::Fields(_) => {
            if column.ty.write_field_text(cell.value, text).is_err() {
                text.extend_from_slice(b"0x");
                CqlType::Blob.write_text(cell.value, text)?;
            }
        }
    }
    text.extend_from_slice(b" ts=");
    write_i64(cell.timestamp, text);
    if cell.is_expiring() {
        text.extend_from_slice(b" ttl=");
        write_i64(cell.ttl.into(), text);
    }
    if cell.is_expiring() || tombstone {
        text.extend_from_slice(b" ldt=");
        write_i64(cell.local_deletion_time, text);
    }
    text.push(b']');
    Ok(())
}
