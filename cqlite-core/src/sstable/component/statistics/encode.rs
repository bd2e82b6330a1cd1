//! Encodes Statistics.db.

use super::{
    ClusteringRange, CommitLogPosition, EncodingStats, EstimatedHistogram, NAMES,
    SerializationHeader, Statistics, Stats, Validation,
};
use crate::bytes::Sink;
use crate::model::{Bound, ClusteringRef, NO_DELETION_TIME, Span};
use crate::sstable::data::clustering::write_bound;
use crate::sstable::data::deletion::LEGACY_DELETION_TIME_MAX;
use crate::sstable::version::Version;
use crate::types::CqlType;
use crate::{Error, Result};

impl CommitLogPosition {
    /// What stands for no position.
    pub const NONE: CommitLogPosition = CommitLogPosition {
        segment: -1,
        position: 0,
    };
}

impl Statistics {
    /// The file as Cassandra 5 writes it, with the components that there are.
    ///
    /// # Errors
    /// `InvalidInput` for what the version cannot hold or needs and is missing.
    pub fn encode(&self, version: Version) -> Result<Vec<u8>> {
        let mut components: Vec<(usize, Vec<u8>)> = Vec::with_capacity(NAMES.len());
        if let Some(v) = &self.validation {
            components.push((0, validation(v)?));
        }
        if let Some(cardinality) = &self.cardinality {
            let mut out = Vec::with_capacity(4 + cardinality.len());
            out.put_int_bytes(cardinality)?;
            components.push((1, out));
        }
        if let Some(s) = &self.stats {
            components.push((2, stats(s, version).map_err(|e| e.in_component(NAMES[2]))?));
        }
        components.push((3, header(&self.header)?));
        envelope(&components, version)
    }
}

fn envelope(components: &[(usize, Vec<u8>)], version: Version) -> Result<Vec<u8>> {
    let crc_bytes = match version.has_metadata_checksum() {
        true => 4,
        false => 0,
    };
    let mut out = Vec::new();
    let mut crc = crc32fast::Hasher::new();
    out.put_u32(components.len() as u32);
    crc.update(&out);
    if crc_bytes > 0 {
        out.put_u32(crc.clone().finalize());
    }
    let toc = out.len();
    let mut offset = 4 + 8 * components.len() + 2 * crc_bytes;
    for (ordinal, bytes) in components {
        out.put_u32(*ordinal as u32);
        out.put_i32(i32::try_from(offset).map_err(|_| Error::invalid("over 2 GiB of statistics"))?);
        offset += bytes.len() + crc_bytes;
    }
    // Over the count and the table of contents, but not over the checksum between them.
    crc.update(&out[toc..]);
    if crc_bytes > 0 {
        out.put_u32(crc.finalize());
    }
    for (_, bytes) in components {
        out.put(bytes);
        if crc_bytes > 0 {
            out.put_u32(crc32fast::hash(bytes));
        }
    }
    Ok(out)
}

fn validation(validation: &Validation) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    out.put_java_utf(&validation.partitioner)?;
    out.put_f64(validation.bloom_filter_fp_chance);
    Ok(out)
}

fn histogram(out: &mut Vec<u8>, histogram: &EstimatedHistogram) {
    out.put_u32(histogram.counts.len() as u32);
    for (i, count) in histogram.counts.iter().enumerate() {
        // The first bucket repeats the offset of the second.
        let offset = histogram.offsets.get(i.saturating_sub(1));
        out.put_i64(offset.copied().unwrap_or_default());
        out.put_i64(*count);
    }
}

fn position(out: &mut Vec<u8>, position: CommitLogPosition) {
    out.put_i64(position.segment);
    out.put_i32(position.position);
}

fn local_deletion_time(out: &mut Vec<u8>, seconds: i64, has_uint: bool) -> Result<()> {
    if has_uint {
        let raw = match seconds {
            NO_DELETION_TIME => Some(u32::MAX),
            _ => u32::try_from(seconds).ok(),
        };
        out.put_u32(
            raw.ok_or_else(|| Error::invalid(format!("a local deletion time of {seconds}")))?,
        );
    } else {
        out.put_i32(match seconds {
            NO_DELETION_TIME => i32::MAX,
            _ => seconds.min(LEGACY_DELETION_TIME_MAX) as i32,
        });
    }
    Ok(())
}

fn flagged_uuid(out: &mut Vec<u8>, uuid: Option<&[u8; 16]>) {
    out.put_bool(uuid.is_some());
    if let Some(uuid) = uuid {
        out.put(uuid);
    }
}

fn stats(stats: &Stats, version: Version) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(8192);
    let uint = version.has_uint_deletion_time();
    // Cassandra writes the buffer whose size it has computed: where that is too large, zeros follow.
    let mut padding = 0;
    histogram(&mut out, &stats.partition_size);
    histogram(&mut out, &stats.cells_per_partition);
    position(&mut out, stats.commit_log_upper);
    out.put_i64(stats.min_timestamp);
    out.put_i64(stats.max_timestamp);
    local_deletion_time(&mut out, stats.min_local_deletion_time, uint)?;
    local_deletion_time(&mut out, stats.max_local_deletion_time, uint)?;
    out.put_i32(stats.min_ttl);
    out.put_i32(stats.max_ttl);
    out.put_f64(stats.compression_ratio);
    out.put_i32(stats.tombstone_bins_max);
    out.put_u32(stats.tombstone_drop_times.len() as u32);
    for &(point, count) in &stats.tombstone_drop_times {
        if uint {
            out.put_i64(point as i64);
            out.put_i32(count.clamp(i32::MIN.into(), i32::MAX.into()) as i32);
            // Computed as if it were of a double and an i64.
            padding += 4;
        } else {
            out.put_f64(point);
            out.put_i64(count);
        }
    }
    out.put_i32(stats.level);
    out.put_i64(stats.repaired_at);
    if version.has_legacy_min_max() {
        padding += clustering_lists(&mut out, &stats.clustering)?;
    } else {
        covered_slice(&mut out, &stats.clustering)?;
    }
    out.put_bool(stats.has_legacy_counter_shards);
    out.put_i64(stats.total_columns_set);
    out.put_i64(stats.total_rows);
    if version.has_commit_log_lower_bound() {
        let lower = stats.commit_log_lower.unwrap_or(CommitLogPosition::NONE);
        position(&mut out, lower);
    }
    if version.has_commit_log_intervals() {
        out.put_u32(stats.commit_log_intervals.len() as u32);
        for &(start, end) in &stats.commit_log_intervals {
            position(&mut out, start);
            position(&mut out, end);
        }
    }
    if version.has_pending_repair() {
        flagged_uuid(&mut out, stats.pending_repair.as_ref());
        out.put_bool(stats.is_transient);
    }
    if version.has_originating_host_id() {
        flagged_uuid(&mut out, stats.originating_host_id.as_ref());
    }
    if version.has_partition_deletions_marker() {
        // Where it was not recorded, any deletion may be one of a partition.
        let assumed = stats.min_local_deletion_time != NO_DELETION_TIME;
        out.put_bool(stats.has_partition_deletions.unwrap_or(assumed));
    }
    if version.has_key_range() {
        let (first, last) = stats
            .key_range
            .as_ref()
            .ok_or_else(|| Error::invalid("statistics without the first and last key"))?;
        out.put_vint_bytes(first);
        out.put_vint_bytes(last);
    }
    if version.has_token_space_coverage() {
        out.put_f64(stats.token_space_coverage.unwrap_or(f64::NAN));
    }
    out.resize(out.len() + padding, 0);
    Ok(out)
}

/// Writes the values up to the first null; the bytes that those after it would have taken are returned.
fn clustering_lists(out: &mut Vec<u8>, range: &ClusteringRange) -> Result<usize> {
    match range {
        ClusteringRange::Lists { min, max } => {
            for list in [min, max] {
                out.put_u32(list.len() as u32);
                for value in list {
                    out.put_short_bytes(value)?;
                }
            }
            Ok(0)
        }
        ClusteringRange::Slice { start, end, .. } => {
            let mut unwritten = 0;
            for bound in [start, end] {
                let values = || bound.values.iter().map_while(Option::as_deref);
                out.put_u32(values().count() as u32);
                for value in values() {
                    out.put_short_bytes(value)?;
                }
                let rest = bound.values.iter().skip(values().count());
                unwritten += rest
                    .map(|v| 2 + v.as_ref().map_or(0, Vec::len))
                    .sum::<usize>();
            }
            Ok(unwritten)
        }
    }
}

fn covered_slice(out: &mut Vec<u8>, range: &ClusteringRange) -> Result<()> {
    let ClusteringRange::Slice { types, start, end } = range else {
        return Err(Error::invalid(
            "statistics with lists of clustering values in place of a slice",
        ));
    };
    type_list(out, types);
    let fixed = fixed_lengths(types)?;
    for bound in [start, end] {
        owned_bound(out, bound, &fixed)?;
    }
    Ok(())
}

/// The length that each type's values always have, `None` where they carry it.
pub(super) fn fixed_lengths(types: &[String]) -> Result<Vec<Option<u32>>> {
    let fixed = |ty: &String| {
        let length = CqlType::parse_marshal(ty)?.0.fixed_length();
        Ok(length.and_then(|n| u32::try_from(n).ok()))
    };
    types.iter().map(fixed).collect()
}

fn owned_bound(out: &mut Vec<u8>, bound: &Bound, fixed: &[Option<u32>]) -> Result<()> {
    let (mut bytes, mut spans) = (Vec::new(), Vec::new());
    for value in &bound.values {
        let Some(value) = value else {
            spans.push(Span::NULL);
            continue;
        };
        spans.push(Span {
            start: bytes.len() as u32,
            len: value.len() as u32,
        });
        bytes.extend_from_slice(value);
    }
    write_bound(out, bound.kind, ClusteringRef::new(&bytes, &spans), fixed)
}

fn type_list(out: &mut Vec<u8>, types: &[String]) {
    out.put_uvint(types.len() as u64);
    for ty in types {
        out.put_vint_bytes(ty.as_bytes());
    }
}

fn header(header: &SerializationHeader) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let ttl = i32::try_from(header.min_ttl);
    let bases = EncodingStats {
        min_ttl: ttl.map_err(|_| Error::invalid("a TTL that does not fit 32 bits"))?,
        ..header.encoding_stats()
    };
    bases.write(&mut out);
    out.put_vint_bytes(header.key_type.as_bytes());
    type_list(&mut out, &header.clustering_types);
    for columns in [&header.statics, &header.regulars] {
        out.put_uvint(columns.len() as u64);
        for (name, ty) in columns {
            out.put_vint_bytes(name);
            out.put_vint_bytes(ty.as_bytes());
        }
    }
    Ok(out)
}
