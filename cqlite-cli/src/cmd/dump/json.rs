//! The JSON of partitions.
//!
//! Authority: `o.a.c.tools.JsonTransformer`.

use super::Context;
use super::columns::{Cells, Column};
use super::layout::Layout;
use crate::failure::Failure;
use crate::output::instant::Instants;
use crate::output::{Out, value};
use cqlite_core::Result;
use cqlite_core::bytes::Cursor;
use cqlite_core::commitlog::UpdateSource;
use cqlite_core::model::{
    BoundKind, Cell, ClusteringRef, DeletionTime, LivenessInfo, MarkerRef, PartitionSource, RowRef,
    StreamHeader, Unfiltered,
};
use cqlite_core::sstable::Scan;
use cqlite_core::types::{CqlType, write_i64, write_json_string};
use std::marker::PhantomData;

/// What a composite of a static row starts with.
const STATIC_MARKER: [u8; 2] = [0xff, 0xff];

/// A stream that knows its place.
pub trait Positioned: PartitionSource {
    /// Offset of what comes next.
    fn position(&self) -> u64;
}

impl Positioned for Scan {
    fn position(&self) -> u64 {
        Scan::position(self)
    }
}

impl Positioned for UpdateSource<'_> {
    fn position(&self) -> u64 {
        UpdateSource::position(self)
    }
}

/// Appends partitions as JSON.
pub struct JsonPrinter<'a, L> {
    header: &'a StreamHeader,
    /// What every partition starts with, up to its key.
    start: Vec<u8>,
    statics: Vec<Column>,
    regulars: Vec<Column>,
    now: i64,
    instants: Instants,
    layout: PhantomData<L>,
}

impl<'a, L: Layout> JsonPrinter<'a, L> {
    pub fn new(context: &Context<'a>) -> Self {
        Self::within(context, b"{")
    }

    /// What the object of a partition starts with: a brace, and more keys if there are.
    pub fn within(context: &Context<'a>, start: &[u8]) -> Self {
        let header = context.header;
        let table_kind: &[u8] = match context.is_index {
            true => b"INDEX",
            false => b"REGULAR",
        };
        JsonPrinter {
            header,
            start: [start, &L::TABLE_KIND[1..], table_kind, L::KEY].concat(),
            statics: header.statics.iter().map(Column::new::<L>).collect(),
            regulars: header.regulars.iter().map(Column::new::<L>).collect(),
            now: context.now,
            instants: Instants::new(context.raw_timestamps),
            layout: PhantomData,
        }
    }

    /// Appends the partition that the stream stands on, and reads it to its end.
    pub fn partition<S: Positioned>(&mut self, scan: &mut S, out: &mut Out) -> Result<(), Failure> {
        let head = scan.partition();
        let text = &mut out.text;
        text.extend_from_slice(&self.start);
        key::<L>(text, &self.header.key_type, head.key)?;
        text.extend_from_slice(L::KEY_END);
        write_i64(head.body_position as i64, text);
        if !head.deletion.is_live() {
            text.extend_from_slice(L::PARTITION_DELETION);
            self.deletion(text, head.deletion);
            text.extend_from_slice(L::STRING_OBJECT_END);
        }
        text.extend_from_slice(L::ROWS);
        let mut first = true;
        if let Some(row) = head.static_row {
            text.extend_from_slice(skip_comma(L::STATIC_ROW, true));
            write_i64(head.body_position as i64, text);
            self.row(out, row)?;
            first = false;
        }
        let mut position = head.body_position;
        while scan.next_unfiltered()? {
            match scan.unfiltered() {
                Unfiltered::Row(row) => self.clustered_row(out, row, position, first),
                Unfiltered::Marker(marker) => self
                    .marker(&mut out.text, marker, first)
                    .map_err(Into::into),
            }
            .map_err(|failure: Failure| failure.placed(|e| e.at(position)))?;
            first = false;
            position = scan.position();
            out.drain()?;
        }
        out.text.extend_from_slice(match first {
            true => L::NO_ROWS_END,
            false => L::ROWS_END,
        });
        out.drain()
    }

    #[inline]
    fn clustered_row(
        &mut self,
        out: &mut Out,
        row: RowRef<'_>,
        position: u64,
        first: bool,
    ) -> Result<(), Failure> {
        let text = &mut out.text;
        text.extend_from_slice(skip_comma(L::ROW, first));
        write_i64(position as i64, text);
        if !row.clustering().is_empty() {
            text.extend_from_slice(L::CLUSTERING);
            self.clustering(text, row.clustering())?;
        }
        self.row(out, row)
    }

    /// Appends what follows a row's clustering.
    #[inline]
    fn row(&mut self, out: &mut Out, row: RowRef<'_>) -> Result<(), Failure> {
        let liveness = row.liveness();
        let text = &mut out.text;
        if !liveness.is_empty() {
            text.extend_from_slice(L::LIVENESS);
            self.instants.push_micros(text, liveness.timestamp);
            if liveness.is_expiring() {
                text.extend_from_slice(L::TTL);
                write_i64(liveness.ttl.into(), text);
                let expired = liveness.local_expiration_time < self.now;
                self.expiry(text, liveness.local_expiration_time, expired);
                text.extend_from_slice(L::OBJECT_END);
            } else {
                text.extend_from_slice(L::STRING_OBJECT_END);
            }
        }
        let deletion = row.deletion().time;
        if !deletion.is_live() {
            text.extend_from_slice(L::DELETION);
            self.deletion(text, deletion);
            text.extend_from_slice(L::STRING_OBJECT_END);
        }
        text.extend_from_slice(L::CELLS);
        let mut first = true;
        let mut deletions = row.complex_deletions().iter().peekable();
        for cell in row.cells() {
            while let Some(deletion) = deletions.next_if(|d| d.column as usize <= cell.column) {
                let column = deletion.column as usize;
                self.complex_deletion(&mut out.text, row.is_static(), column, deletion.time, first);
                first = false;
            }
            self.cell(&mut out.text, row.is_static(), &cell, &liveness, first)?;
            first = false;
            out.drain()?;
        }
        for deletion in deletions {
            let column = deletion.column as usize;
            self.complex_deletion(&mut out.text, row.is_static(), column, deletion.time, first);
            first = false;
        }
        out.text.extend_from_slice(match first {
            true => L::NO_CELLS_END,
            false => L::CELLS_END,
        });
        Ok(())
    }

    #[inline]
    fn cell(
        &mut self,
        text: &mut Vec<u8>,
        is_static: bool,
        cell: &Cell<'_>,
        liveness: &LivenessInfo,
        first: bool,
    ) -> Result<()> {
        let columns = match is_static {
            true => &self.statics,
            false => &self.regulars,
        };
        let column = &columns[cell.column];
        let tombstone = cell.is_tombstone();
        let ty = match &column.cells {
            Cells::Simple(ty) if !tombstone => {
                text.extend_from_slice(skip_comma(&column.value, first));
                ty
            }
            cells => {
                text.extend_from_slice(skip_comma(&column.start, first));
                let path = cell.path.unwrap_or_default();
                let ty = match cells {
                    Cells::Simple(ty) => ty,
                    Cells::Collection { path: ty, value } => {
                        text.extend_from_slice(L::PATH);
                        value::push_string(ty, path, text)?;
                        text.extend_from_slice(L::PATH_END);
                        value
                    }
                    Cells::Fields(definition) => {
                        let (name, ty) = Column::field(definition, path)?;
                        text.extend_from_slice(L::PATH);
                        write_json_string(name, text);
                        text.extend_from_slice(L::PATH_END);
                        ty
                    }
                };
                if !tombstone {
                    text.extend_from_slice(L::VALUE);
                }
                ty
            }
        };
        let (timestamp, end) = if tombstone {
            text.extend_from_slice(L::CELL_TOMBSTONE);
            self.instants.push_seconds(text, cell.local_deletion_time);
            text.extend_from_slice(L::STRING_OBJECT_END);
            (L::AFTER_TOMBSTONE_TIMESTAMP, L::AFTER_TOMBSTONE_END)
        } else {
            ty.write_json(cell.value, text)?;
            (L::TIMESTAMP, L::OBJECT_END)
        };
        // The timestamp of no liveness is none that a cell has.
        if cell.timestamp != liveness.timestamp || liveness.is_empty() {
            text.extend_from_slice(timestamp);
            self.instants.push_micros(text, cell.timestamp);
            text.push(b'"');
        }
        if cell.is_expiring() && (liveness.is_empty() || cell.ttl != liveness.ttl) {
            text.extend_from_slice(L::CELL_TTL);
            write_i64(cell.ttl.into(), text);
            self.expiry(text, cell.local_deletion_time, !cell.is_live(self.now));
        }
        text.extend_from_slice(end);
        Ok(())
    }

    fn expiry(&mut self, text: &mut Vec<u8>, at: i64, expired: bool) {
        text.extend_from_slice(L::EXPIRES_AT);
        self.instants.push_seconds(text, at);
        text.extend_from_slice(L::EXPIRED);
        text.extend_from_slice(if expired { b"true" } else { b"false" });
    }

    fn complex_deletion(
        &mut self,
        text: &mut Vec<u8>,
        is_static: bool,
        column: usize,
        deletion: DeletionTime,
        first: bool,
    ) {
        let columns = match is_static {
            true => &self.statics,
            false => &self.regulars,
        };
        text.extend_from_slice(skip_comma(&columns[column].start, first));
        text.extend_from_slice(L::CELL_DELETION);
        self.deletion(text, deletion);
        text.extend_from_slice(L::CELL_DELETION_END);
    }

    /// Appends both times of a deletion, up to the second one's closing quote.
    fn deletion(&mut self, text: &mut Vec<u8>, deletion: DeletionTime) {
        self.instants
            .push_micros(text, deletion.marked_for_delete_at);
        text.extend_from_slice(L::LOCAL_DELETE_TIME);
        self.instants
            .push_seconds(text, deletion.local_deletion_time);
    }

    /// Appends the values of a clustering or bound, and a star for each that a bound does not have.
    fn clustering(&self, text: &mut Vec<u8>, clustering: ClusteringRef<'_>) -> Result<()> {
        for (i, column) in self.header.clustering.iter().enumerate() {
            if i > 0 {
                text.extend_from_slice(L::CLUSTERING_NEXT);
            }
            if i >= clustering.len() {
                text.extend_from_slice(b"\"*\"");
            } else if let Some(bytes) = clustering.get(i) {
                column.ty.write_json(bytes, text)?;
            } else {
                text.extend_from_slice(b"null");
            }
        }
        text.extend_from_slice(L::CLUSTERING_END);
        Ok(())
    }

    fn marker(&mut self, text: &mut Vec<u8>, marker: MarkerRef<'_>, first: bool) -> Result<()> {
        let kind = marker.kind();
        text.extend_from_slice(match kind.is_boundary() {
            true => skip_comma(L::BOUNDARY_MARKER, first),
            false => skip_comma(L::BOUND_MARKER, first),
        });
        if kind.is_start() {
            let inclusive = matches!(kind, BoundKind::InclStart | BoundKind::ExclEndInclStart);
            text.extend_from_slice(L::START_BOUND);
            self.bound(text, inclusive, marker.values(), marker.open())?;
        }
        if kind.is_end() {
            let inclusive = matches!(kind, BoundKind::InclEnd | BoundKind::InclEndExclStart);
            text.extend_from_slice(L::END_BOUND);
            self.bound(text, inclusive, marker.values(), marker.close())?;
        }
        text.extend_from_slice(L::MARKER_END);
        Ok(())
    }

    fn bound(
        &mut self,
        text: &mut Vec<u8>,
        inclusive: bool,
        values: ClusteringRef<'_>,
        deletion: DeletionTime,
    ) -> Result<()> {
        text.extend_from_slice(if inclusive {
            b"inclusive"
        } else {
            b"exclusive"
        });
        text.push(b'"');
        if !values.is_empty() {
            text.extend_from_slice(L::BOUND_CLUSTERING);
            self.clustering(text, values)?;
        }
        text.extend_from_slice(L::BOUND_DELETION);
        self.deletion(text, deletion);
        text.extend_from_slice(L::BOUND_END);
        Ok(())
    }
}

/// A part without its comma if it is the first of its kind.
#[inline(always)]
fn skip_comma(part: &[u8], first: bool) -> &[u8] {
    match first {
        true => &part[1..],
        false => part,
    }
}

/// Appends the text of each component of a partition key, as strings.
pub fn key<L: Layout>(text: &mut Vec<u8>, ty: &CqlType, key: &[u8]) -> Result<()> {
    let CqlType::Composite(types) = ty else {
        text.extend_from_slice(L::KEY_FIRST);
        return value::push_string(ty, key, text);
    };
    let mut c = Cursor::new(key.strip_prefix(&STATIC_MARKER).unwrap_or(key));
    for (i, ty) in types.iter().enumerate() {
        if c.is_empty() {
            break;
        }
        text.extend_from_slice(if i == 0 { L::KEY_FIRST } else { L::KEY_NEXT });
        value::push_string(ty, c.short_bytes()?, text)?;
        if c.u8()? != 0 {
            break;
        }
    }
    Ok(())
}
