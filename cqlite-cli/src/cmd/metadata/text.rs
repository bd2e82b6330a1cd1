//! The text of sstablemetadata.
//!
//! Authority: `o.a.c.tools.{SSTableMetadataViewer,Util}`.

use super::{Metadata, Unit, histogram};
use crate::output::java;
use cqlite_core::Result;
use cqlite_core::model::{Bound, BoundKind, NO_DELETION_TIME};
use cqlite_core::schema::{Column, HeaderTypes};
use cqlite_core::sstable::Version;
use cqlite_core::sstable::component::cardinality;
use cqlite_core::sstable::component::statistics::{
    ClusteringRange, CommitLogPosition, EstimatedHistogram, Stats,
};
use cqlite_core::types::CqlType;
use std::fmt::Display;
use std::sync::Arc;

/// Appends formatted text to a `Vec<u8>`.
macro_rules! push {
    ($out:expr, $($arg:tt)*) => {
        $out.extend_from_slice(format!($($arg)*).as_bytes())
    };
}
/// Appends formatted text and a line feed.
macro_rules! pushln {
    ($out:expr, $($arg:tt)*) => {{
        push!($out, $($arg)*);
        $out.push(b'\n');
    }};
}
pub(super) use {push, pushln};

/// Colors and characters.
pub struct Style {
    /// Use ANSI escape sequences.
    pub color: bool,
    /// Draw bars with Unicode's blocks.
    pub unicode: bool,
}

impl Style {
    fn ansi(&self, sequence: &'static str) -> &'static str {
        match self.color {
            true => sequence,
            false => "",
        }
    }
    pub fn reset(&self) -> &'static str {
        self.ansi("\x1b[0m")
    }
    pub fn blue(&self) -> &'static str {
        self.ansi("\x1b[34m")
    }
    pub fn cyan(&self) -> &'static str {
        self.ansi("\x1b[36m")
    }
    pub fn white(&self) -> &'static str {
        self.ansi("\x1b[37m")
    }

    /// A remark in parentheses; nothing for nothing.
    pub fn quiet(&self, remark: &str) -> String {
        match remark {
            "" => String::new(),
            _ => format!("{}({remark}){}", self.white(), self.reset()),
        }
    }

    /// Count of UTF-16 units that are shown, colors left out.
    pub fn width(&self, text: &str) -> usize {
        let all = text.encode_utf16().count();
        let sequences = text.matches('\x1b');
        // `ESC [ 0 m` or `ESC [ 3 x m`.
        let hidden = sequences.count() * 5 - text.matches("\x1b[0m").count();
        all - hidden
    }
}

/// Appends lines of `name: value (remark)`.
pub struct Fields<'a> {
    pub out: &'a mut Vec<u8>,
    pub style: &'a Style,
}

impl Fields<'_> {
    pub fn line(&mut self, name: &str, value: impl Display) {
        self.remarked(name, value, None::<&str>);
    }

    pub fn remarked(&mut self, name: &str, value: impl Display, remark: Option<impl Display>) {
        let style = self.style;
        let (blue, cyan, reset) = (style.blue(), style.cyan(), style.reset());
        push!(self.out, "{blue}{name}{cyan}: {reset}{value}");
        if let Some(remark) = remark {
            push!(self.out, "{} ({remark}){reset}", style.white());
        }
        self.out.push(b'\n');
    }
}

/// What stands for nothing.
const NONE: &str = "--";

/// Appends everything about one SSTable. `scanned` appends what a scan found.
pub fn print(
    metadata: &Metadata,
    context: &super::Context,
    out: &mut Vec<u8>,
    scanned: impl FnOnce(&mut Fields<'_>) -> Result<()>,
) -> Result<()> {
    let style = &context.style;
    let mut f = Fields { out, style };
    let micros = Unit::Microseconds;
    let statistics = &metadata.statistics;
    let descriptor = &metadata.descriptor;
    let path = std::path::absolute(&descriptor.directory).unwrap_or_default();
    f.line("SSTable", path.join(descriptor.base_name()).display());
    scanned(&mut f)?;
    if let Some(validation) = &statistics.validation {
        f.line("Partitioner", &validation.partitioner);
        let chance = java::double(validation.bloom_filter_fp_chance);
        f.line("Bloom Filter FP chance", chance);
    }
    if let Some(stats) = &statistics.stats {
        let moment = |name: &str, time: i64, f: &mut Fields<'_>| {
            f.remarked(name, date_or_none(time, micros), Some(time));
        };
        moment("Minimum timestamp", stats.min_timestamp, &mut f);
        moment("Maximum timestamp", stats.max_timestamp, &mut f);
        let range = stats.max_timestamp.wrapping_sub(stats.min_timestamp);
        f.line("Duration", days_to_seconds(range / 1_000_000));
        for (name, time) in [
            (
                "SSTable min local deletion time",
                stats.min_local_deletion_time,
            ),
            (
                "SSTable max local deletion time",
                stats.max_local_deletion_time,
            ),
        ] {
            let text = match time {
                0 | NO_DELETION_TIME => "no tombstones".to_owned(),
                _ => date_or_none(time, Unit::Seconds),
            };
            f.remarked(name, text, Some(time));
        }
        match &metadata.compression {
            Some(compression) => {
                f.line("Compressor", class_name(compression.class()));
                f.line("Compression ratio", java::double(stats.compression_ratio));
            }
            None => f.line("Compressor", "-"),
        }
        f.remarked("TTL min", stats.min_ttl, ttl_words(stats.min_ttl.into()));
        f.remarked("TTL max", stats.max_ttl, ttl_words(stats.max_ttl.into()));
        tokens(metadata, &mut f)?;
        f.line("Covered clusterings", covered(metadata, stats)?);
        let uint = descriptor.version.has_uint_deletion_time();
        let gc_before = (context.now as i32).wrapping_sub(context.gc_grace_seconds);
        let ratio = stats.droppable_tombstone_ratio(uint, gc_before.into());
        f.line("Estimated droppable tombstones", java::double(ratio));
        f.line("SSTable Level", stats.level);
        let repaired = date(stats.repaired_at, Unit::Milliseconds);
        f.remarked("Repaired at", stats.repaired_at, repaired);
        f.line("Originating host id", uuid(stats.originating_host_id));
        f.line("Pending repair", uuid(stats.pending_repair));
        f.line(
            "Replay positions covered",
            replay_positions(stats, descriptor.version),
        );
        f.line("totalColumnsSet", stats.total_columns_set);
        f.line("totalRows", stats.total_rows);
        f.line("Estimated tombstone drop times", "");
        let bins = stats.tombstone_histogram(uint);
        histogram::print(f.out, style, "Drop Time", &bins, |time| {
            let date = date(time, Unit::Seconds).unwrap_or_default();
            format!("{time} {}", style.quiet(&date))
        });
        f.line("Partition Size", "");
        let bins = counted(&stats.partition_size);
        histogram::print(f.out, style, "Size (bytes)", &bins, |size| {
            let text = if size == 0 {
                String::new()
            } else {
                java::bytes(size)
            };
            format!("{size} {}", style.quiet(&text))
        });
        f.line("Column Count", "");
        let bins = counted(&stats.cells_per_partition);
        histogram::print(f.out, style, "Columns", &bins, |count| count.to_string());
        let coverage = stats.token_space_coverage.unwrap_or(f64::NAN);
        f.line("Local token space coverage", java::double(coverage));
    }
    if let Some(bytes) = &statistics.cardinality {
        f.line("Estimated cardinality", cardinality::estimate(bytes)?);
    }
    let header = &statistics.header;
    f.remarked(
        "EncodingStats minTTL",
        header.min_ttl,
        ttl_words(header.min_ttl),
    );
    let time = header.min_local_deletion_time;
    let text = date_or_none(time, Unit::Seconds);
    f.remarked("EncodingStats minLocalDeletionTime", text, Some(time));
    let text = date_or_none(header.min_timestamp, context.timestamp_unit);
    f.remarked(
        "EncodingStats minTimestamp",
        text,
        Some(header.min_timestamp),
    );
    let types = &metadata.types;
    f.line("KeyType", types.key.marshal_name());
    f.line(
        "ClusteringTypes",
        format!("[{}]", clustering_types(types).join(", ")),
    );
    f.line("StaticColumns", columns(&types.statics));
    f.line("RegularColumns", columns(&types.regulars));
    if let Some(stats) = &statistics.stats {
        f.line("IsTransient", stats.is_transient);
    }
    Ok(())
}

fn date(time: i64, unit: Unit) -> Option<String> {
    (time != 0).then(|| java::date(unit.to_millis(time)))
}

fn date_or_none(time: i64, unit: Unit) -> String {
    date(time, unit).unwrap_or_else(|| NONE.to_owned())
}

fn ttl_words(ttl: i64) -> Option<String> {
    match ttl {
        0 => None,
        _ if ttl == i64::from(i32::MAX) => Some("never".to_owned()),
        _ => Some(java::duration_words(ttl)),
    }
}

fn days_to_seconds(seconds: i64) -> String {
    format!(
        "Days: {} Hours: {} Minutes: {} Seconds: {}",
        seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// The full name of a compressor's class; the stored one may be short.
pub fn class_name(class: &str) -> String {
    match class.contains('.') {
        true => class.to_owned(),
        false => format!("org.apache.cassandra.io.compress.{class}"),
    }
}

pub fn uuid(bytes: Option<[u8; 16]>) -> String {
    match bytes {
        Some(bytes) => CqlType::Uuid.to_text(&bytes).unwrap_or_default(),
        None => NONE.to_owned(),
    }
}

fn tokens(metadata: &Metadata, f: &mut Fields<'_>) -> Result<()> {
    let Some((first, last)) = &metadata.key_range else {
        return Ok(());
    };
    let Some(partitioner) = &metadata.partitioner else {
        return Ok(());
    };
    for (name, key) in [("First token", first), ("Last token", last)] {
        let text = metadata.types.key.to_text(key)?;
        let token = partitioner.token_text(partitioner.token(key));
        f.remarked(name, token, Some(text));
    }
    Ok(())
}

fn covered(metadata: &Metadata, stats: &Stats) -> Result<String> {
    let (least, greatest);
    let (start, end) = match &stats.clustering {
        ClusteringRange::Lists { min, max } => {
            let accurate = metadata.descriptor.version.has_accurate_min_max();
            if !accurate || (min.is_empty() && max.is_empty()) {
                return Ok("ALL".to_owned());
            }
            let values = |list: &[Vec<u8>]| list.iter().cloned().map(Some).collect();
            least = Bound {
                kind: BoundKind::InclStart,
                values: values(min),
            };
            greatest = Bound {
                kind: BoundKind::InclEnd,
                values: values(max),
            };
            (&least, &greatest)
        }
        ClusteringRange::Slice { start, end, .. } => (start, end),
    };
    let values = |bound: &Bound| -> Result<String> {
        let mut texts = Vec::new();
        for (value, (ty, _)) in bound.values.iter().zip(&metadata.types.clustering) {
            texts.push(match value {
                Some(value) => ty.to_text(value)?,
                None => "null".to_owned(),
            });
        }
        Ok(texts.join(":"))
    };
    let open = if start.kind == BoundKind::InclStart {
        '['
    } else {
        '('
    };
    let close = if end.kind == BoundKind::InclEnd {
        ']'
    } else {
        ')'
    };
    Ok(format!("{open}{}, {}{close}", values(start)?, values(end)?))
}

fn replay_positions(stats: &Stats, version: Version) -> String {
    let text = |p: &CommitLogPosition| {
        let (segment, position) = (p.segment, p.position);
        format!("CommitLogPosition(segmentId={segment}, position={position})")
    };
    let intervals: Vec<String> = stats
        .replay_intervals(version)
        .iter()
        .map(|(start, end)| format!("{}={}", text(start), text(end)))
        .collect();
    format!("{{{}}}", intervals.join(", "))
}

fn counted(histogram: &EstimatedHistogram) -> Vec<(i64, i64)> {
    histogram
        .bounded()
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// Class names of the clustering columns' types.
pub fn clustering_types(types: &HeaderTypes) -> Vec<String> {
    let name = |(ty, descending): &(CqlType, bool)| match descending {
        true => CqlType::Reversed(Arc::new(ty.clone())).marshal_name(),
        false => ty.marshal_name(),
    };
    types.clustering.iter().map(name).collect()
}

/// Columns in the order of a hash map.
fn columns(columns: &[Column]) -> String {
    let order = java::hash_map_order(columns.iter().map(|column| &*column.name));
    let texts = order.into_iter().map(|i| {
        let Column { name, ty } = &columns[i];
        format!("{name}:{}", ty.marshal_name())
    });
    texts.collect::<Vec<_>>().join(", ")
}
