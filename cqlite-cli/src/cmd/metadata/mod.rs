//! `metadata`: what Statistics.db and CompressionInfo.db say about SSTables.
//!
//! Authority: `o.a.c.tools.SSTableMetadataViewer`.

mod histogram;
mod json;
mod scan;
mod text;

use super::{now, open, sstables};
use crate::args::MetadataArgs;
use crate::failure::{Failure, tell};
use crate::output::Out;
use cqlite_core::io::Mapped;
use cqlite_core::partitioner::Partitioner;
use cqlite_core::schema::HeaderTypes;
use cqlite_core::sstable::big::Summary;
use cqlite_core::sstable::component::compression_info::CompressionInfo;
use cqlite_core::sstable::component::statistics::Statistics;
use cqlite_core::sstable::{Component, Descriptor};
use cqlite_core::{Error, ErrorKind, Result};

/// What the metadata components of an SSTable say. Neither data nor index is needed for it, but before `oa` the first
/// and last key are in Summary.db.
struct Metadata {
    descriptor: Descriptor,
    statistics: Statistics,
    types: HeaderTypes,
    compression: Option<CompressionInfo>,
    /// `None` if it is not known.
    partitioner: Option<Partitioner>,
    /// First and last raw partition key.
    key_range: Option<(Vec<u8>, Vec<u8>)>,
}

/// How it is shown.
struct Context {
    style: text::Style,
    /// Seconds since 1970.
    now: i64,
    /// Seconds by which tombstones must be older than now to be droppable.
    gc_grace_seconds: i32,
    /// Unit of the smallest timestamp in the encoding statistics.
    timestamp_unit: Unit,
}

/// A unit of time, as `java.util.concurrent.TimeUnit` names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "UPPER")]
pub enum Unit {
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
    Minutes,
    Hours,
    Days,
}

impl Unit {
    /// Rounded towards zero; what is too large becomes the largest number.
    fn to_millis(self, time: i64) -> i64 {
        match self {
            Unit::Nanoseconds => time / 1_000_000,
            Unit::Microseconds => time / 1_000,
            Unit::Milliseconds => time,
            Unit::Seconds => time.saturating_mul(1_000),
            Unit::Minutes => time.saturating_mul(60_000),
            Unit::Hours => time.saturating_mul(3_600_000),
            Unit::Days => time.saturating_mul(86_400_000),
        }
    }
}

/// Prints the metadata of all SSTables of all paths, and the error of each that has one.
pub fn run(args: &MetadataArgs) -> Result<(), Failure> {
    let context = Context {
        style: text::Style {
            color: args.colors,
            unicode: args.unicode,
        },
        now: now(args.now),
        gc_grace_seconds: args.gc_grace_seconds,
        timestamp_unit: args.timestamp_unit,
    };
    warn_of_time_zone(args);
    let mut out = Out::stdout()?;
    let mut first_failure = None;
    let mut fail = |failure: Failure| {
        if let Some(earlier) = first_failure.replace(failure) {
            let later = first_failure.replace(earlier);
            later.iter().for_each(Failure::report);
        }
    };
    for path in &args.paths {
        let descriptors = match sstables(path) {
            Ok(descriptors) => descriptors,
            Err(e) => {
                fail(e.into());
                continue;
            }
        };
        for descriptor in descriptors {
            let done = sstable_text(args, &context, descriptor, &mut out);
            out.flush()?;
            if let Err(failure) = done {
                fail(failure);
            }
        }
    }
    first_failure.map_or(Ok(()), Err)
}

fn sstable_text(
    args: &MetadataArgs,
    context: &Context,
    descriptor: Descriptor,
    out: &mut Out,
) -> Result<(), Failure> {
    let metadata = Metadata::read(descriptor)?;
    let scanned = match args.scan {
        true => Some(scan::scan(&open(&metadata.descriptor)?)?),
        false => None,
    };
    if args.json {
        json::print(&metadata, context, scanned.as_ref(), &mut out.text)?;
    } else {
        text::print(&metadata, context, &mut out.text, |fields| match &scanned {
            Some(scanned) => scan::print(scanned, |key| metadata.types.key.to_text(key), fields),
            None => Ok(()),
        })?;
    }
    Ok(())
}

impl Metadata {
    fn read(descriptor: Descriptor) -> Result<Self> {
        let version = descriptor.version;
        let path = descriptor.path(&Component::Statistics);
        let statistics = match Mapped::open(&path) {
            Ok(file) => Statistics::parse(&file, version)?,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Err(Error::not_found("the SSTable has no Statistics.db")
                    .advise("restore the file: it holds the metadata")
                    .in_file(&path));
            }
            Err(e) => return Err(e),
        };
        let types = statistics.header.types().map_err(|e| e.in_file(&path))?;
        let compression = match optional(&descriptor, &Component::CompressionInfo)? {
            Some(file) => Some(CompressionInfo::parse(file, version)?),
            None => None,
        };
        let class = statistics.validation.as_ref().map(|v| &*v.partitioner);
        let partitioner =
            class.and_then(|class| Partitioner::from_class_name(class, &types.key).ok());
        let stored = statistics.stats.as_ref().and_then(|s| s.key_range.clone());
        let key_range = match stored {
            None if !version.has_key_range() => summary_key_range(&descriptor)?,
            stored => stored,
        };
        Ok(Metadata {
            descriptor,
            statistics,
            types,
            compression,
            partitioner,
            key_range,
        })
    }
}

/// A component, `None` if the file is missing.
fn optional(descriptor: &Descriptor, component: &Component) -> Result<Option<Mapped>> {
    match Mapped::open(&descriptor.path(component)) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// The first and last key that Summary.db tells, or without it the index.
fn summary_key_range(descriptor: &Descriptor) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    if let Some(file) = optional(descriptor, &Component::Summary)? {
        let summary = Summary::open(&file).map_err(|e| e.in_file(file.path()))?;
        return Ok(Some((
            summary.first_key().to_vec(),
            summary.last_key().to_vec(),
        )));
    }
    tell(format_args!(
        "{descriptor}: no Summary.db, so the first and last key are not known"
    ));
    Ok(None)
}

/// Dates are in UTC: says so if the environment asks for another time zone.
fn warn_of_time_zone(args: &MetadataArgs) {
    const UTC: [&str; 9] = [
        "", "UTC", "UTC0", "Etc/UTC", "GMT", "GMT0", "Etc/GMT", "Z", "Zulu",
    ];
    if let Ok(zone) = std::env::var("TZ")
        && !args.json
        && !UTC.contains(&zone.trim_start_matches(':'))
    {
        tell(format_args!("dates are in UTC, not in {zone}"));
    }
}
