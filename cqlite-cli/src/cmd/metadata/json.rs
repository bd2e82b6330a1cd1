//! The metadata of an SSTable as one JSON object on a line.
//!
//! All keys are always there and in this order; what is not known or does not apply is null. Times are numbers: write
//! timestamps as stored (microseconds by convention), `repaired_at` in milliseconds, all others in seconds since 1970.
//! Keys and clustering values are given as text and, where they can be any bytes, in hexadecimal digits. Types are the
//! class names that Cassandra stores. `covered_clusterings` is null where everything may be covered.

use super::scan::{Leaders, Scanned};
use super::text::{class_name, uuid};
use super::{Context, Metadata};
use cqlite_core::Result;
use cqlite_core::model::{Bound, BoundKind, NO_DELETION_TIME};
use cqlite_core::sstable::component::cardinality;
use cqlite_core::sstable::component::statistics::{
    ClusteringRange, CommitLogPosition, EstimatedHistogram, Stats,
};
use cqlite_core::types::CqlType;
use serde_json::{Map, Value, json};

/// Appends the object and a line feed.
pub fn print(
    metadata: &Metadata,
    context: &Context,
    scanned: Option<&Scanned>,
    out: &mut Vec<u8>,
) -> Result<()> {
    let descriptor = &metadata.descriptor;
    let statistics = &metadata.statistics;
    let header = &statistics.header;
    let stats = statistics.stats.as_ref();
    let of = |value: fn(&Stats) -> Value| stats.map_or(Value::Null, value);
    let directory = std::path::absolute(&descriptor.directory).unwrap_or_default();
    let ends = metadata.key_range.as_ref();
    let version = descriptor.version;
    let mut object = Map::new();
    let mut set = |key: &str, value: Value| object.insert(key.to_owned(), value);

    set("sstable", json!(directory.join(descriptor.base_name())));
    set("version", json!(version.to_string()));
    set("format", json!(version.format().to_string()));
    set("id", json!(descriptor.id.to_string()));
    let validation = statistics.validation.as_ref();
    set("partitioner", json!(validation.map(|v| &v.partitioner)));
    let chance = validation.map(|v| number(v.bloom_filter_fp_chance));
    set("bloom_filter_fp_chance", json!(chance));
    set("min_timestamp", of(|s| json!(s.min_timestamp)));
    set("max_timestamp", of(|s| json!(s.max_timestamp)));
    set(
        "min_local_deletion_time",
        of(|s| local_time(s.min_local_deletion_time)),
    );
    set(
        "max_local_deletion_time",
        of(|s| local_time(s.max_local_deletion_time)),
    );
    set("min_ttl", of(|s| json!(s.min_ttl)));
    set("max_ttl", of(|s| json!(s.max_ttl)));
    set("compression", compression(metadata));
    set(
        "first_key",
        json!(ends.map(|(first, _)| key(metadata, first))),
    );
    set("last_key", json!(ends.map(|(_, last)| key(metadata, last))));
    set(
        "covered_clusterings",
        json!(stats.and_then(|s| covered(metadata, s))),
    );
    let uint = version.has_uint_deletion_time();
    let gc_before = (context.now as i32).wrapping_sub(context.gc_grace_seconds);
    let ratio = stats.map(|s| number(s.droppable_tombstone_ratio(uint, gc_before.into())));
    set("estimated_droppable_tombstones", json!(ratio));
    set("level", of(|s| json!(s.level)));
    set("repaired_at", of(|s| json!(s.repaired_at)));
    set(
        "pending_repair",
        of(|s| json!(s.pending_repair.map(|id| uuid(Some(id))))),
    );
    set("is_transient", of(|s| json!(s.is_transient)));
    set(
        "originating_host_id",
        of(|s| json!(s.originating_host_id.map(|id| uuid(Some(id))))),
    );
    set(
        "replay_positions",
        json!(stats.map(|s| replay_positions(s, metadata))),
    );
    set("total_columns_set", of(|s| json!(s.total_columns_set)));
    set("total_rows", of(|s| json!(s.total_rows)));
    set(
        "has_legacy_counter_shards",
        of(|s| json!(s.has_legacy_counter_shards)),
    );
    set(
        "has_partition_deletions",
        of(|s| json!(s.has_partition_deletions)),
    );
    set(
        "token_space_coverage",
        of(|s| json!(s.token_space_coverage.map(number))),
    );
    let drop_times = stats.map(|s| {
        let bins = s.tombstone_histogram(uint).into_iter();
        bins.map(|(time, count)| json!({ "time": time, "count": count }))
            .collect::<Vec<_>>()
    });
    set("tombstone_drop_times", json!(drop_times));
    set("partition_sizes", of(|s| histogram(&s.partition_size)));
    set(
        "cells_per_partition",
        of(|s| histogram(&s.cells_per_partition)),
    );
    let cardinality = statistics.cardinality.as_deref();
    set(
        "estimated_partitions",
        json!(cardinality.map(cardinality::estimate).transpose()?),
    );
    set(
        "encoding",
        json!({
            "min_timestamp": header.min_timestamp,
            "min_local_deletion_time": local_time(header.min_local_deletion_time),
            "min_ttl": header.min_ttl,
        }),
    );
    set("key_type", json!(header.key_type));
    set("clustering_types", json!(header.clustering_types));
    set("static_columns", columns(&header.statics));
    set("regular_columns", columns(&header.regulars));
    set("scanned", json!(scanned.map(|s| scan(s, metadata))));

    out.extend_from_slice(Value::Object(object).to_string().as_bytes());
    out.push(b'\n');
    Ok(())
}

/// Null for what is no number.
fn number(value: f64) -> Value {
    json!(value.is_finite().then_some(value))
}

fn local_time(time: i64) -> Value {
    json!((time != NO_DELETION_TIME).then_some(time))
}

fn hex(bytes: &[u8]) -> String {
    CqlType::Blob.to_text(bytes).unwrap_or_default()
}

fn compression(metadata: &Metadata) -> Value {
    let ratio = metadata
        .statistics
        .stats
        .as_ref()
        .map(|s| number(s.compression_ratio));
    let Some(info) = &metadata.compression else {
        return Value::Null;
    };
    let options = info.options().iter();
    let options: Map<String, Value> = options.map(|(k, v)| (k.clone(), json!(v))).collect();
    json!({
        "class": class_name(info.class()),
        "options": options,
        "chunk_length": info.chunk_length(),
        "max_compressed_length": info.max_compressed_length(),
        "data_length": info.data_length(),
        "ratio": ratio,
    })
}

/// A partition key: its text is null if the bytes are none of its type.
fn key(metadata: &Metadata, key: &[u8]) -> Value {
    let partitioner = metadata.partitioner.as_ref();
    json!({
        "text": metadata.types.key.to_text(key).ok(),
        "bytes": hex(key),
        "token": partitioner.map(|p| p.token_text(p.token(key))),
    })
}

fn covered(metadata: &Metadata, stats: &Stats) -> Option<Value> {
    let values = |values: &mut dyn Iterator<Item = Option<&[u8]>>| -> Vec<Value> {
        let types = metadata.types.clustering.iter();
        let texts = values.zip(types).map(|(value, (ty, _))| {
            json!(value.map(|value| json!({ "text": ty.to_text(value).ok(), "bytes": hex(value) })))
        });
        texts.collect()
    };
    match &stats.clustering {
        ClusteringRange::Lists { min, max } => {
            let accurate = metadata.descriptor.version.has_accurate_min_max();
            if !accurate || (min.is_empty() && max.is_empty()) {
                return None;
            }
            let bound = |list: &[Vec<u8>]| json!({ "inclusive": true, "values": values(&mut list.iter().map(|v| Some(&**v))) });
            Some(json!({ "start": bound(min), "end": bound(max) }))
        }
        ClusteringRange::Slice { start, end, .. } => {
            let bound = |bound: &Bound| {
                let inclusive = matches!(bound.kind, BoundKind::InclStart | BoundKind::InclEnd);
                let values = values(&mut bound.values.iter().map(Option::as_deref));
                json!({ "inclusive": inclusive, "values": values })
            };
            Some(json!({ "start": bound(start), "end": bound(end) }))
        }
    }
}

fn replay_positions(stats: &Stats, metadata: &Metadata) -> Vec<Value> {
    let position = |p: &CommitLogPosition| json!({ "segment": p.segment, "position": p.position });
    let intervals = stats.replay_intervals(metadata.descriptor.version);
    intervals
        .iter()
        .map(|(start, end)| json!({ "start": position(start), "end": position(end) }))
        .collect()
}

fn histogram(histogram: &EstimatedHistogram) -> Value {
    let bins = histogram.bounded().filter(|(_, count)| *count > 0);
    bins.map(|(bound, count)| json!({ "up_to": bound, "count": count }))
        .collect()
}

fn columns(columns: &[(Vec<u8>, String)]) -> Value {
    let column = |(name, ty): &(Vec<u8>, String)| json!({ "name": String::from_utf8_lossy(name), "type": ty });
    columns.iter().map(column).collect()
}

fn scan(scanned: &Scanned, metadata: &Metadata) -> Value {
    let leaders = |leaders: &Leaders| -> Value {
        let leaders = leaders.0.iter();
        leaders
            .map(|(value, raw)| json!({ "key": key(metadata, raw), "value": value }))
            .collect()
    };
    json!({
        "bytes": scanned.bytes,
        "partitions": scanned.partitions,
        "rows": scanned.rows,
        "tombstones": scanned.tombstones,
        "cells": scanned.cells,
        "widest_partitions": leaders(&scanned.widest),
        "largest_partitions": leaders(&scanned.largest),
        "most_tombstones": leaders(&scanned.most_tombstones),
    })
}
