//! What a scan of the data finds: counts, and the largest partitions.
//!
//! Authority: `o.a.c.tools.SSTableMetadataViewer.printScannedOverview`, `dataSize` of `o.a.c.db.rows.*`.

use super::text::{Fields, push, pushln};
use crate::output::java;
use cqlite_core::Result;
use cqlite_core::model::{PartitionSource, RowRef, Unfiltered};
use cqlite_core::sstable::SSTable;
use std::sync::Arc;

/// How many of the largest partitions are kept.
const LEADERS: usize = 5;

/// Counts over all partitions of an SSTable.
#[derive(Debug, Default)]
pub struct Scanned {
    /// Length of Data.db without compression, in bytes.
    pub bytes: u64,
    pub partitions: u64,
    /// Rows, static ones included.
    pub rows: u64,
    /// Deletions of partitions, range tombstone markers and deleted cells of rows.
    pub tombstones: u64,
    /// Cells of rows, not of static ones.
    pub cells: u64,
    /// Partitions with the most rows.
    pub widest: Leaders,
    /// Partitions with the most bytes.
    pub largest: Leaders,
    /// Partitions with the most tombstones.
    pub most_tombstones: Leaders,
}

/// The partitions with the highest values, as value and key: descending, and of equal ones the first.
#[derive(Debug, Default)]
pub struct Leaders(pub Vec<(u64, Vec<u8>)>);

impl Leaders {
    fn add(&mut self, value: u64, key: &[u8]) {
        let at = self.0.partition_point(|(v, _)| *v >= value);
        if at < LEADERS {
            self.0.truncate(LEADERS - 1);
            self.0.insert(at, (value, key.to_vec()));
        }
    }
}

/// Reads all partitions.
pub fn scan(sstable: &Arc<SSTable>) -> Result<Scanned> {
    let mut scanned = Scanned {
        bytes: sstable.data().len(),
        ..Scanned::default()
    };
    let mut scan = sstable.scan()?;
    let mut key = Vec::new();
    while scan.next_partition()? {
        let head = scan.partition();
        key.clear();
        key.extend_from_slice(head.key);
        let (mut rows, mut bytes, mut tombstones) = (0, 0, 0);
        scanned.partitions += 1;
        if let Some(row) = head.static_row {
            rows += 1;
            bytes += data_size(row);
        }
        tombstones += u64::from(!head.deletion.is_live());
        while scan.next_unfiltered()? {
            match scan.unfiltered() {
                Unfiltered::Row(row) => {
                    rows += 1;
                    bytes += data_size(row);
                    scanned.cells += row.cell_count() as u64;
                    tombstones += row.cells().filter(|cell| cell.is_tombstone()).count() as u64;
                }
                Unfiltered::Marker(_) => tombstones += 1,
            }
        }
        scanned.rows += rows;
        scanned.tombstones += tombstones;
        scanned.widest.add(rows, &key);
        scanned.largest.add(bytes, &key);
        scanned.most_tombstones.add(tombstones, &key);
    }
    Ok(scanned)
}

/// Bytes of a row as Cassandra counts them: values and paths, and all times whether they are set or not.
fn data_size(row: RowRef<'_>) -> u64 {
    const TIMESTAMP: u64 = 8;
    const TTL: u64 = 4;
    const LOCAL_TIME: u64 = 8;
    const DELETION: u64 = 12;
    let clustering: usize = row.clustering().iter().flatten().map(<[u8]>::len).sum();
    let mut size = clustering as u64 + TIMESTAMP + DELETION + 1;
    if row.liveness().is_expiring() {
        size += TTL + LOCAL_TIME;
    }
    let deletions = row.complex_deletions();
    let is_deleted = |column: usize| {
        let column = column as u32;
        deletions
            .binary_search_by_key(&column, |d| d.column)
            .is_ok()
    };
    // A multi-cell column has a deletion even if it is none.
    size += DELETION * deletions.len() as u64;
    let mut last = None;
    for cell in row.cells() {
        if cell.path.is_some() && last != Some(cell.column) && !is_deleted(cell.column) {
            size += DELETION;
        }
        last = Some(cell.column);
        size += TIMESTAMP + TTL + LOCAL_TIME;
        size += (cell.value.len() + cell.path.map_or(0, <[u8]>::len)) as u64;
    }
    size
}

/// Appends the text of sstablemetadata, without the progress that it draws.
pub fn print(
    scanned: &Scanned,
    text_of: impl Fn(&[u8]) -> Result<String>,
    f: &mut Fields<'_>,
) -> Result<()> {
    f.line("Size", scanned.bytes);
    f.line("Partitions", scanned.partitions);
    f.line("Rows", scanned.rows);
    f.line("Tombstones", scanned.tombstones);
    f.line("Cells", scanned.cells);
    let (cyan, reset) = (f.style.cyan(), f.style.reset());
    let leader = |value: u64, key: &[u8]| -> Result<String> {
        let key = text_of(key)?;
        Ok(format!("  {cyan}[{reset}{key}{cyan}] {reset}{value}"))
    };
    f.line("Widest Partitions", "");
    for (value, key) in &scanned.widest.0 {
        pushln!(f.out, "{}", leader(*value, key)?);
    }
    f.line("Largest Partitions", "");
    for (value, key) in &scanned.largest.0 {
        let size = match value {
            0 => "null".to_owned(),
            _ => java::bytes(*value as i64),
        };
        let (white, reset) = (f.style.white(), f.style.reset());
        pushln!(f.out, "{}{white} ({size}){reset}", leader(*value, key)?);
    }
    let leaders = || {
        scanned
            .most_tombstones
            .0
            .iter()
            .filter(|(value, _)| *value > 0)
    };
    if leaders().next().is_some() {
        f.line("Tombstone Leaders", "");
        for (value, key) in leaders() {
            pushln!(f.out, "{}", leader(*value, key)?);
        }
    }
    Ok(())
}
