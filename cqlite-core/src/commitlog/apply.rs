//! Updates as changes, for whoever gathers rows: a memtable, or a builder of SSTables.

use crate::model::{Bound, BoundKind, DeletionTime, MarkerRef, PartitionSource, Slice, Unfiltered};
use crate::sstable::builder::ChangeSink;
use crate::{Error, Result};

/// Hands all partitions of a stream to `sink`, range tombstones as the ranges that they delete. Columns are those of the
/// stream's header on both sides.
///
/// # Errors
/// `Corrupt` for range tombstones that end without beginning, or the reverse; those of the stream and of the sink.
pub fn apply(source: &mut impl PartitionSource, sink: &mut impl ChangeSink) -> Result<()> {
    let mut key = Vec::new();
    while source.next_partition()? {
        let head = source.partition();
        key.clear();
        key.extend_from_slice(head.key);
        if !head.deletion.is_live() {
            sink.delete_partition(&key, head.deletion)?;
        }
        if let Some(row) = head.static_row {
            sink.add_row(&key, row)?;
        }
        let mut open: Option<(Bound, DeletionTime)> = None;
        while source.next_unfiltered()? {
            let marker = match source.unfiltered() {
                Unfiltered::Row(row) => {
                    sink.add_row(&key, row)?;
                    continue;
                }
                Unfiltered::Marker(marker) => marker,
            };
            let (end, start) = marker.kind().parts();
            if let Some(kind) = end {
                let Some((start, deletion)) = open.take() else {
                    return Err(unpaired("ends", &key));
                };
                let end = bound(kind, &marker);
                sink.delete_range(&key, &Slice { start, end }, deletion)?;
            }
            if let Some(kind) = start
                && open
                    .replace((bound(kind, &marker), marker.open()))
                    .is_some()
            {
                return Err(unpaired("begins", &key));
            }
        }
        if open.is_some() {
            return Err(unpaired("is left open", &key));
        }
    }
    Ok(())
}

fn bound(kind: BoundKind, marker: &MarkerRef<'_>) -> Bound {
    Bound {
        kind,
        values: marker
            .values()
            .iter()
            .map(|v| v.map(<[u8]>::to_vec))
            .collect(),
    }
}

#[cold]
fn unpaired(what: &str, key: &[u8]) -> Error {
    Error::corrupt(format!("a range tombstone {what} out of turn")).in_partition(key)
}
