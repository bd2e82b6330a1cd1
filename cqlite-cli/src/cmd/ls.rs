//! `ls`: keyspaces, tables and SSTables, with their sizes, levels and ages.
//!
//! A table on a terminal, a JSON object for each SSTable in a pipe. Only metadata is read: Statistics.db, the head of
//! CompressionInfo.db, and lengths of files.

use crate::args::{LsArgs, LsFormat};
use crate::cmd::{dropped, now, tables_with_indexes};
use crate::failure::Failure;
use crate::output::Out;
use cqlite_core::io::Mapped;
use cqlite_core::sstable::component::compression_info::CompressionInfo;
use cqlite_core::sstable::component::statistics::{Statistics, Stats};
use cqlite_core::sstable::{Component, Descriptor, TableDirectory};
use cqlite_core::types::civil_from_days;
use cqlite_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;

/// Width of what is printed for people.
const WIDTH: usize = 80;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Longest name that stands on the line of its values.
const NAME_WIDTH: usize = 13;

/// Prints what a path holds. Of an SSTable that is bad it prints what is known, and the error.
pub fn run(args: &LsArgs) -> Result<(), Failure> {
    let tables = tables_with_indexes(&args.path)?;
    let now = now(args.now);
    let format = args
        .format
        .unwrap_or_else(|| match std::io::stdout().is_terminal() {
            true => LsFormat::Table,
            false => LsFormat::Jsonl,
        });
    let mut out = Out::stdout()?;
    let mut status = None;
    let dropped = dropped(&tables, now);
    for (i, (table, is_dropped)) in tables.iter().zip(dropped).enumerate() {
        let sizes = sizes(&table.directory)?;
        let mut listed = Vec::with_capacity(table.sstables.len());
        for descriptor in &table.sstables {
            let sizes = sizes.get(&descriptor.base_name()).copied();
            let (entry, error) = Entry::read(descriptor, sizes.unwrap_or_default(), now);
            listed.push(entry);
            fail(&mut status, error);
        }
        for e in &table.unreadable {
            fail(&mut status, Some(e.clone()));
        }
        match format {
            LsFormat::Table => {
                if i > 0 {
                    out.text.push(b'\n');
                }
                print_table(table, is_dropped, &listed, &mut out.text);
            }
            LsFormat::Jsonl => {
                for entry in &listed {
                    print_json(table, is_dropped, entry, &mut out.text);
                }
            }
        }
        out.drain()?;
    }
    out.flush()?;
    match status {
        Some(status) => Err(Failure::Said(status)),
        None => Ok(()),
    }
}

/// Tells an error, and keeps the gravest exit status.
fn fail(status: &mut Option<u8>, e: Option<Error>) {
    let Some(e) = e else { return };
    let missing = e.kind() == ErrorKind::NotFound;
    let failure = Failure::Core(e);
    failure.report();
    // A component without which an SSTable is none is no mistake of the caller's.
    let of_this = if missing { 1 } else { failure.status() };
    *status = Some(match *status {
        Some(1) => 1,
        Some(before) if of_this != 1 => before.max(of_this),
        _ => of_this,
    });
}

/// Bytes of an SSTable's files.
#[derive(Debug, Clone, Copy, Default)]
struct Sizes {
    all: u64,
    /// Of Data.db, if it exists.
    data: Option<u64>,
}

/// Bytes of the files of each SSTable of a directory, by what their names start with.
fn sizes(directory: &Path) -> Result<BTreeMap<String, Sizes>> {
    let directory = match directory.as_os_str().is_empty() {
        true => Path::new("."),
        false => directory,
    };
    let mut sizes: BTreeMap<String, Sizes> = BTreeMap::new();
    for entry in std::fs::read_dir(directory).map_err(|e| Error::io(directory, e))? {
        let path = entry.map_err(|e| Error::io(directory, e))?.path();
        // What is no file of an SSTable, or was deleted meanwhile, has no size here.
        if let Ok((descriptor, component)) = Descriptor::parse(&path)
            && let Ok(metadata) = std::fs::metadata(&path)
            && !metadata.is_dir()
        {
            let of_it = sizes.entry(descriptor.base_name()).or_default();
            of_it.all += metadata.len();
            if component == Component::Data {
                of_it.data = Some(metadata.len());
            }
        }
    }
    Ok(sizes)
}

/// What is known of an SSTable.
struct Entry {
    descriptor: Descriptor,
    sizes: Sizes,
    /// Bytes of its rows before compression.
    uncompressed: Option<u64>,
    compressor: Option<String>,
    partitions: Option<i64>,
    stats: Option<Stats>,
    droppable: Option<f64>,
    error: Option<String>,
}

impl Entry {
    fn read(descriptor: &Descriptor, sizes: Sizes, now: i64) -> (Entry, Option<Error>) {
        let mut entry = Entry {
            descriptor: descriptor.clone(),
            sizes,
            uncompressed: None,
            compressor: None,
            partitions: None,
            stats: None,
            droppable: None,
            error: None,
        };
        let error = entry.fill(now).err();
        entry.error = error.as_ref().map(Error::to_string);
        (entry, error)
    }

    fn fill(&mut self, now: i64) -> Result<()> {
        let descriptor = &self.descriptor;
        let version = descriptor.version;
        let path = descriptor.path(&Component::Statistics);
        let file = Mapped::open(&path).map_err(|e| match e.kind() {
            ErrorKind::NotFound => Error::not_found("the file is missing")
                .advise("restore it: without it the data cannot be read")
                .in_file(&path),
            _ => e,
        })?;
        let statistics = Statistics::parse(&file, version)?;
        if let Some(stats) = statistics.stats {
            let sizes = stats.partition_size.counts.iter();
            self.partitions = Some(sizes.copied().fold(0, i64::saturating_add));
            let uint = version.has_uint_deletion_time();
            self.droppable = Some(stats.droppable_tombstone_ratio(uint, now));
            self.stats = Some(stats);
        }
        let Some(data_size) = self.sizes.data else {
            return Err(Error::not_found("the file is missing")
                .advise("restore it: it holds the data")
                .in_file(&descriptor.path(&Component::Data)));
        };
        self.uncompressed = Some(data_size);
        match Mapped::open(&descriptor.path(&Component::CompressionInfo)) {
            Ok(file) => {
                self.uncompressed = None;
                let info = CompressionInfo::parse(file, version)?;
                self.uncompressed = Some(info.data_length());
                self.compressor = Some(info.class().to_owned());
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        Ok(())
    }
}

/// One object on a line. All keys are always there and in this order; what is not known is null. Sizes are in bytes,
/// timestamps as stored (microseconds by convention), `repaired_at` in milliseconds since 1970.
fn print_json(table: &TableDirectory, is_dropped: bool, entry: &Entry, out: &mut Vec<u8>) {
    let descriptor = &entry.descriptor;
    let stats = entry.stats.as_ref();
    let name = table.name.as_ref();
    let directory = std::path::absolute(&descriptor.directory).unwrap_or_default();
    let version = descriptor.version;
    let of = |value: fn(&Stats) -> Value| stats.map_or(Value::Null, value);
    let droppable = entry.droppable.filter(|ratio| ratio.is_finite());
    let object = json!({
        "keyspace": name.map(|n| &n.keyspace),
        "table": name.map(|n| &n.table),
        "is_dropped": is_dropped,
        "sstable": directory.join(descriptor.base_name()),
        "version": version.to_string(),
        "format": version.format().to_string(),
        "id": descriptor.id.to_string(),
        "size": entry.sizes.all,
        "data_size": entry.sizes.data,
        "uncompressed_size": entry.uncompressed,
        "compressor": entry.compressor,
        "partitions": entry.partitions,
        "rows": of(|s| json!(s.total_rows)),
        "level": of(|s| json!(s.level)),
        "min_timestamp": of(|s| json!(s.min_timestamp)),
        "max_timestamp": of(|s| json!(s.max_timestamp)),
        "droppable_tombstones": droppable,
        "repaired_at": of(|s| json!((s.repaired_at != 0).then_some(s.repaired_at))),
        "is_repair_pending": of(|s| json!(s.pending_repair.is_some())),
        "error": entry.error,
    });
    out.extend_from_slice(object.to_string().as_bytes());
    out.push(b'\n');
}

/// A heading for the table, and a line for each SSTable; two where its name is long.
fn print_table(table: &TableDirectory, is_dropped: bool, entries: &[Entry], out: &mut Vec<u8>) {
    let mut line = |text: &str| {
        out.extend_from_slice(text.trim_end().as_bytes());
        out.push(b'\n');
    };
    let directory = table.directory.display().to_string();
    let mut name = match &table.name {
        Some(name) => format!("{}.{}", name.keyspace, name.table),
        None => directory.clone(),
    };
    if is_dropped {
        name += " (dropped)";
    }
    let size = entries.iter().map(|e| e.sizes.all).sum::<u64>();
    let heading = match entries.len() {
        0 => format!("{name}: no SSTable"),
        1 => format!("{name}: 1 SSTable, {}", bytes(size)),
        n => format!("{name}: {n} SSTables, {}", bytes(size)),
    };
    match table.name {
        Some(_) if heading.len() + 2 + directory.len() <= WIDTH => {
            line(&format!("{heading}  {directory}"));
        }
        Some(_) => {
            line(&heading);
            line(&format!("  {directory}"));
        }
        None => line(&heading),
    }
    if entries.is_empty() {
        return;
    }
    let columns = |name: &str, v: [&str; 8]| {
        format!(
            "  {name:<NAME_WIDTH$} {:>7} {:>7} {:>6} {:>6} {:>3} {:>10} {:>10} {:>8}",
            v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]
        )
    };
    line(&columns(
        "sstable",
        [
            "size", "data", "parts", "rows", "lvl", "oldest", "newest", "repaired",
        ],
    ));
    for entry in entries {
        let name = entry.descriptor.base_name();
        let unknown = || "?".to_owned();
        let of = |text: &dyn Fn(&Stats) -> String| entry.stats.as_ref().map_or_else(unknown, text);
        let values = [
            bytes(entry.sizes.all),
            entry.uncompressed.map_or_else(unknown, bytes),
            entry.partitions.map_or_else(unknown, count),
            of(&|s| count(s.total_rows)),
            of(&|s| s.level.to_string()),
            of(&|s| day(s.min_timestamp)),
            of(&|s| day(s.max_timestamp)),
            of(&|s| repaired(s).to_owned()),
        ];
        let values = values.each_ref().map(String::as_str);
        if name.len() > NAME_WIDTH {
            line(&format!("  {name}"));
            line(&columns("", values));
        } else {
            line(&columns(&name, values));
        }
    }
}

fn repaired(stats: &Stats) -> &'static str {
    match stats.pending_repair {
        Some(_) => "pending",
        None if stats.repaired_at > 0 => "yes",
        None => "no",
    }
}

/// A count of bytes in at most seven characters: `7 B`, `1.2 kB`, `363 MB`.
fn bytes(n: u64) -> String {
    match n {
        0..1024 => format!("{n} B"),
        n => short(n as f64 / 1024.0, 1024.0, " ", "B"),
    }
}

/// A count in at most five characters: `7`, `12345`, `2.0M`.
fn count(n: i64) -> String {
    match n {
        i64::MIN..0 => "?".to_owned(),
        0..100_000 => n.to_string(),
        n => short(n as f64 / 1000.0, 1000.0, "", ""),
    }
}

/// A number of thousands in the largest unit that it reaches.
fn short(mut value: f64, base: f64, before_unit: &str, after_unit: &str) -> String {
    let mut unit = 'k';
    for larger in ['M', 'G', 'T', 'P', 'E'] {
        if value < base - 0.5 {
            break;
        }
        value /= base;
        unit = larger;
    }
    let digits = usize::from(value < 9.95);
    format!("{value:.digits$}{before_unit}{unit}{after_unit}")
}

/// The day of a write timestamp, if it is one by the convention of microseconds.
fn day(timestamp: i64) -> String {
    let (year, month, day) = civil_from_days(timestamp.div_euclid(MICROS_PER_DAY));
    match year {
        1970..=9999 => format!("{year:04}-{month:02}-{day:02}"),
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_short() {
        for (n, text) in [
            (0, "0"),
            (99_999, "99999"),
            (100_000, "100k"),
            (999_499, "999k"),
            (999_500, "1.0M"),
            (2_000_000, "2.0M"),
            (9_949_999, "9.9M"),
            (12_345_678, "12M"),
            (3_520_571_548_412, "3.5T"),
            (-1, "?"),
        ] {
            assert_eq!(count(n), text, "{n}");
        }
        for (n, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 kB"),
            (371_712, "363 kB"),
            (1_048_575, "1.0 MB"),
            (u64::MAX, "16 EB"),
        ] {
            assert_eq!(bytes(n), text, "{n}");
        }
    }

    #[test]
    fn days_of_timestamps() {
        assert_eq!(day(1_700_000_000_000_000), "2023-11-14");
        assert_eq!(day(0), "1970-01-01");
        assert_eq!(day(-1), "-");
        assert_eq!(day(i64::MAX), "-");
    }
}
