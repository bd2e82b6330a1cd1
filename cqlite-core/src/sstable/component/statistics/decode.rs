//! Decodes Statistics.db.

use super::encode::fixed_lengths;
use super::{
    ClusteringRange, CommitLogPosition, EncodingStats, EstimatedHistogram, NAMES,
    SerializationHeader, Statistics, Stats, Validation,
};
use crate::bytes::Cursor;
use crate::io::Mapped;
use crate::limits::COLUMNS_MAX;
use crate::model::{Bound, BoundKind, NO_DELETION_TIME, Span};
use crate::sstable::data::clustering::read_bound;
use crate::sstable::version::Version;
use crate::{Error, Result};

impl Statistics {
    /// Decodes a whole file and checks its checksums.
    ///
    /// # Errors
    /// `Corrupt`, naming the component inside the file, for any contradiction. A file without header is corrupt, the
    /// other components may be missing.
    pub fn parse(file: &Mapped, version: Version) -> Result<Self> {
        let (statistics, mut errors) = Self::salvage(file, version);
        match (statistics, errors.is_empty()) {
            (Some(statistics), true) => Ok(statistics),
            _ => Err(errors.swap_remove(0)),
        }
    }

    /// Decodes what can be decoded: a component of the file that is corrupt is left out, and told. `None`, with an error
    /// at least, if the header is.
    pub fn salvage(file: &Mapped, version: Version) -> (Option<Self>, Vec<Error>) {
        let mut errors = Vec::new();
        let statistics = parse(file, version, &mut errors).unwrap_or_else(|e| {
            errors.push(e);
            None
        });
        let placed = |e: Error| e.in_component("Statistics.db").in_file(file.path());
        (statistics, errors.into_iter().map(placed).collect())
    }
}

fn parse(bytes: &[u8], version: Version, errors: &mut Vec<Error>) -> Result<Option<Statistics>> {
    let mut c = Cursor::new(bytes);
    let checked = version.has_metadata_checksum();
    let count = c.i32()?;
    if !(1..=NAMES.len() as i32).contains(&count) {
        let what = format!("it claims {count} components; there are one to four");
        return Err(Error::corrupt(what).at(0));
    }
    let mut crc = crc32fast::Hasher::new();
    crc.update(&bytes[..c.position()]);
    let check = |c: &mut Cursor<'_>, crc: u32, at: usize| -> Result<()> {
        if checked && c.u32()? != crc {
            return Err(bad_checksum().at(at as u64));
        }
        Ok(())
    };
    check(&mut c, crc.clone().finalize(), 0)?;
    let toc_at = c.position();
    let mut toc = Vec::with_capacity(NAMES.len());
    for _ in 0..count {
        toc.push((c.i32()?, c.i32()?));
    }
    crc.update(&bytes[toc_at..c.position()]);
    check(&mut c, crc.finalize(), toc_at)?;

    let mut components: [Option<(usize, &[u8])>; 4] = [None; 4];
    for (i, &(ordinal, offset)) in toc.iter().enumerate() {
        let end = toc.get(i + 1).map_or(bytes.len() as i64, |t| t.1 as i64);
        let tail = if checked { 4 } else { 0 };
        let (slot, start, end) = match (usize::try_from(ordinal), usize::try_from(offset)) {
            (Ok(slot), Ok(start))
                if slot < NAMES.len()
                    && start >= c.position()
                    && end <= bytes.len() as i64
                    && end - tail >= start as i64 =>
            {
                (slot, start, end as usize)
            }
            _ => {
                let what = format!("component {ordinal} is said to lie at {offset}..{end}");
                return Err(Error::corrupt(what)
                    .advise("restore Statistics.db")
                    .at((toc_at + 8 * i) as u64));
            }
        };
        let mut component = &bytes[start..end];
        if checked {
            let (content, stored) = component.split_at(component.len() - 4);
            if Cursor::new(stored).u32()? != crc32fast::hash(content) {
                errors.push(bad_checksum().at(start as u64).in_component(NAMES[slot]));
                continue;
            }
            component = content;
        }
        components[slot] = Some((start, component));
    }
    fn decode<T>(
        component: Option<(usize, &[u8])>,
        slot: usize,
        errors: &mut Vec<Error>,
        decode: impl FnOnce(&mut Cursor<'_>) -> Result<T>,
    ) -> Option<T> {
        let (start, bytes) = component?;
        // Later versions only append fields, and Cassandra 5 pads: what follows the known ones is passed over.
        let mut c = Cursor::new(bytes);
        decode(&mut c)
            .map_err(|e| {
                let at = (start + c.position()) as u64;
                errors.push(e.at(at).in_component(NAMES[slot]));
            })
            .ok()
    }
    if components[3].is_none() && errors.is_empty() {
        return Err(Error::corrupt("the serialization header is missing")
            .advise("without it Data.db cannot be read"));
    }
    let validation = decode(components[0], 0, errors, validation);
    let cardinality = decode(components[1], 1, errors, |c| Ok(c.int_bytes()?.to_vec()));
    let stats = decode(components[2], 2, errors, |c| stats(c, version));
    let header = decode(components[3], 3, errors, header);
    Ok(header.map(|header| Statistics {
        validation,
        cardinality,
        stats,
        header,
    }))
}

#[cold]
fn bad_checksum() -> Error {
    Error::corrupt("the checksum does not match the bytes").advise("restore Statistics.db")
}

fn validation(c: &mut Cursor<'_>) -> Result<Validation> {
    Ok(Validation {
        partitioner: c.java_utf()?,
        bloom_filter_fp_chance: c.f64()?,
    })
}

fn histogram(c: &mut Cursor<'_>) -> Result<EstimatedHistogram> {
    let n = c.i32()?;
    let n = c.bounded(n.max(0) as u64, 16)?;
    if n < 2 {
        return Err(Error::corrupt(format!("a histogram of {n} buckets")));
    }
    let mut offsets = Vec::with_capacity(n);
    let mut counts = Vec::with_capacity(n);
    for i in 0..n {
        let offset = c.i64()?;
        // The first bucket repeats the offset of the second.
        if i > 0 {
            offsets.push(offset);
        }
        counts.push(c.i64()?);
    }
    Ok(EstimatedHistogram { offsets, counts })
}

fn position(c: &mut Cursor<'_>) -> Result<CommitLogPosition> {
    Ok(CommitLogPosition {
        segment: c.i64()?,
        position: c.i32()?,
    })
}

fn stats(c: &mut Cursor<'_>, version: Version) -> Result<Stats> {
    let uint = version.has_uint_deletion_time();
    let partition_size = histogram(c)?;
    let cells_per_partition = histogram(c)?;
    let commit_log_upper = position(c)?;
    let min_timestamp = c.i64()?;
    let max_timestamp = c.i64()?;
    let mut local_deletion_time = || -> Result<i64> {
        let raw = c.u32()?;
        let none = if uint { u32::MAX } else { i32::MAX as u32 };
        Ok(match raw {
            _ if raw == none => NO_DELETION_TIME,
            _ if uint => raw as i64,
            _ => raw as i32 as i64,
        })
    };
    let min_local_deletion_time = local_deletion_time()?;
    let max_local_deletion_time = local_deletion_time()?;
    let min_ttl = c.i32()?;
    let max_ttl = c.i32()?;
    let compression_ratio = c.f64()?;
    let tombstone_bins_max = c.i32()?;
    let n = c.i32()?;
    let n = c.bounded(n.max(0) as u64, 12)?;
    let mut tombstone_drop_times = Vec::with_capacity(n);
    for _ in 0..n {
        tombstone_drop_times.push(if uint {
            (c.i64()? as f64, c.i32()? as i64)
        } else {
            (c.f64()?, c.i64()?)
        });
    }
    let level = c.i32()?;
    let repaired_at = c.i64()?;
    let clustering = if version.has_legacy_min_max() {
        let min = short_list(c)?;
        ClusteringRange::Lists {
            min,
            max: short_list(c)?,
        }
    } else {
        covered_slice(c)?
    };
    let has_legacy_counter_shards = c.bool()?;
    let total_columns_set = c.i64()?;
    let total_rows = c.i64()?;
    let commit_log_lower = match version.has_commit_log_lower_bound() {
        true => Some(position(c)?),
        false => None,
    };
    let mut commit_log_intervals = Vec::new();
    if version.has_commit_log_intervals() {
        let n = c.i32()?;
        let n = c.bounded(n.max(0) as u64, 24)?;
        for _ in 0..n {
            commit_log_intervals.push((position(c)?, position(c)?));
        }
    }
    let (mut pending_repair, mut is_transient) = (None, false);
    if version.has_pending_repair() {
        if c.bool()? {
            pending_repair = Some(c.uuid()?);
        }
        is_transient = c.bool()?;
    }
    let mut originating_host_id = None;
    if version.has_originating_host_id() && c.bool()? {
        originating_host_id = Some(c.uuid()?);
    }
    let has_partition_deletions = match version.has_partition_deletions_marker() {
        true => Some(c.bool()?),
        false => None,
    };
    let key_range = match version.has_key_range() {
        true => Some((c.vint_bytes()?.to_vec(), c.vint_bytes()?.to_vec())),
        false => None,
    };
    let token_space_coverage = match version.has_token_space_coverage() {
        true => Some(c.f64()?),
        false => None,
    };
    Ok(Stats {
        partition_size,
        cells_per_partition,
        commit_log_upper,
        commit_log_lower,
        commit_log_intervals,
        min_timestamp,
        max_timestamp,
        min_local_deletion_time,
        max_local_deletion_time,
        min_ttl,
        max_ttl,
        compression_ratio,
        tombstone_drop_times,
        tombstone_bins_max,
        level,
        repaired_at,
        clustering,
        has_legacy_counter_shards,
        total_columns_set,
        total_rows,
        pending_repair,
        is_transient,
        originating_host_id,
        has_partition_deletions,
        key_range,
        token_space_coverage,
    })
}

fn short_list(c: &mut Cursor<'_>) -> Result<Vec<Vec<u8>>> {
    let n = c.i32()?;
    let n = c.bounded(n.max(0) as u64, 2)?;
    (0..n).map(|_| Ok(c.short_bytes()?.to_vec())).collect()
}

fn covered_slice(c: &mut Cursor<'_>) -> Result<ClusteringRange> {
    let types = type_list(c)?;
    let fixed = fixed_lengths(&types)?;
    let mut bound = || -> Result<Bound> {
        let mut spans: Vec<Span> = Vec::new();
        let kind: BoundKind = read_bound(c, &fixed, &mut spans)?;
        let values = spans
            .iter()
            .map(|s| s.of(c.bytes()).map(<[u8]>::to_vec))
            .collect();
        Ok(Bound { kind, values })
    };
    let start = bound()?;
    let end = bound()?;
    Ok(ClusteringRange::Slice { types, start, end })
}

fn text(bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Error::corrupt("a type's name is not UTF-8"))
}

fn type_list(c: &mut Cursor<'_>) -> Result<Vec<String>> {
    let n = c.uvint()?;
    let n = c.bounded(n, 1)?.min(COLUMNS_MAX);
    (0..n).map(|_| text(c.vint_bytes()?)).collect()
}

fn column_list(c: &mut Cursor<'_>) -> Result<Vec<(Vec<u8>, String)>> {
    let n = c.uvint()?;
    let n = c.bounded(n, 2)?;
    if n > COLUMNS_MAX {
        return Err(Error::corrupt(format!("it claims {n} columns")));
    }
    (0..n)
        .map(|_| Ok((c.vint_bytes()?.to_vec(), text(c.vint_bytes()?)?)))
        .collect()
}

fn header(c: &mut Cursor<'_>) -> Result<SerializationHeader> {
    let bases = EncodingStats::read(c)?;
    Ok(SerializationHeader {
        min_timestamp: bases.min_timestamp,
        min_local_deletion_time: bases.min_local_deletion_time,
        min_ttl: bases.min_ttl.into(),
        key_type: text(c.vint_bytes()?)?,
        clustering_types: type_list(c)?,
        statics: column_list(c)?,
        regulars: column_list(c)?,
    })
}
