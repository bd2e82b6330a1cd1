//! What a definition must hold to besides being CQL. A schema that is only read may be of another version, or newer, and is
//! taken as it is; what this database is to keep Cassandra must take, too.
//!
//! Authority: `o.a.c.schema.TableParams.validate`, `o.a.c.cql3.statements.schema.{CreateTable,AlterTable}Statement`,
//! `o.a.c.utils.BloomCalculations`.

use crate::cql::ddl::TableChange;
use crate::mutation::TTL_MAX;
use crate::schema::TableSchema;
use crate::schema::system::{table_options, texts};
use crate::sstable::WriteOptions;
use crate::types::CqlType;
use crate::{Error, Result};
use std::ops::RangeInclusive;

/// The smallest share of absent keys that a filter can be made for.
const CHANCE_MIN: f64 = 6.71e-5;

/// What options that are numbers may be.
const NUMBERS: [(&str, RangeInclusive<i64>); 3] = [
    ("min_index_interval", 1..=i32::MAX as i64),
    ("max_index_interval", 1..=i32::MAX as i64),
    ("memtable_flush_period_in_ms", 0..=i32::MAX as i64),
];

/// Refuses what is no option of a table.
///
/// # Errors
/// `InvalidInput`, with those that there are.
pub(super) fn check_options(options: &[(String, String)]) -> Result<()> {
    let is_unknown = |name: &str| !table_options().any(|known| known == name);
    match options.iter().find(|(name, _)| is_unknown(name)) {
        None => Ok(()),
        Some((name, _)) => {
            let names = table_options().collect::<Vec<_>>().join(", ");
            Err(Error::invalid(format!("Unknown property '{name}'"))
                .advise(format!("a table has {names}")))
        }
    }
}

/// Refuses a change that a table cannot take.
///
/// # Errors
/// `InvalidInput`.
pub(super) fn check_change(table: &TableSchema, change: &TableChange) -> Result<()> {
    match change {
        TableChange::With(options) => check_options(options),
        TableChange::AlterColumn { .. } => {
            Err(Error::invalid("the type of a column cannot be changed")
                .advise("add another column, and copy the values"))
        }
        TableChange::Rename(renames) => {
            for (old, new) in renames {
                let is_key = table.column(old).is_some_and(|column| column.is_of_key());
                if !is_key {
                    return Err(Error::invalid(format!(
                        "`{old}` is no column of the primary key: others cannot be renamed"
                    )));
                }
                if table.column(new).is_some() {
                    return Err(Error::invalid(format!("the table has a column `{new}`")));
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Refuses a table that Cassandra would not make, or that could not be flushed.
///
/// # Errors
/// `InvalidInput`, and `Unsupported` for an unknown compressor.
pub(super) fn check_table(table: &TableSchema) -> Result<()> {
    let write = WriteOptions::of_table(table)?;
    write.check()?;
    let chance = write.bloom_filter_fp_chance;
    if !(chance > CHANCE_MIN && chance <= 1.0) {
        return Err(Error::invalid(format!(
            "bloom_filter_fp_chance must be larger than {CHANCE_MIN} and less than or equal to 1.0 (got {chance})"
        )));
    }
    let options = &table.options;
    check_number(
        "gc_grace_seconds",
        options.gc_grace_seconds,
        &(0..=i32::MAX as i64),
    )?;
    let ttl = options.default_time_to_live;
    check_number("default_time_to_live", ttl, &(0..=TTL_MAX as i64))?;
    for (name, range) in &NUMBERS {
        if let Some(value) = number(table, name) {
            check_number(name, value, range)?;
        }
    }
    let most = number(table, "max_index_interval").unwrap_or(2048.0);
    if most < f64::from(write.min_index_interval) {
        return Err(Error::invalid(format!(
            "max_index_interval must be greater than or equal to min_index_interval ({}) (got {most})",
            write.min_index_interval
        )));
    }
    if number(table, "crc_check_chance").is_some_and(|chance| !(0.0..=1.0).contains(&chance)) {
        return Err(Error::invalid("crc_check_chance is from 0 to 1"));
    }
    if let Some(text) = text(table, "caching") {
        check_caching(text)?;
    }
    let repair = text(table, "read_repair").map(|text| text.trim_matches('\''));
    if repair.is_some_and(|repair| !is_one_of(repair, &["BLOCKING", "NONE"])) {
        return Err(Error::invalid("read_repair is 'BLOCKING' or 'NONE'"));
    }
    let mut columns = table.statics.iter().chain(&table.regulars);
    if table.is_counter() {
        if columns.any(|column| column.ty != CqlType::Counter) {
            return Err(Error::invalid(
                "Cannot mix counter and non counter columns in the same table",
            )
            .advise("put the counters into a table of their own"));
        }
        if ttl != 0 {
            return Err(Error::invalid(
                "Cannot set default_time_to_live on a table with counters",
            ));
        }
    }
    Ok(())
}

/// Authority: `o.a.c.schema.CachingParams`.
fn check_caching(text: &str) -> Result<()> {
    let is_good = |(name, value): (String, String)| match name.as_str() {
        "keys" => is_one_of(&value, &["ALL", "NONE"]),
        "rows_per_partition" => is_one_of(&value, &["ALL", "NONE"]) || value.parse::<u32>().is_ok(),
        _ => false,
    };
    match texts(text).is_some_and(|entries| entries.into_iter().all(is_good)) {
        true => Ok(()),
        false => Err(Error::invalid(format!("caching = {text} makes no sense"))
            .advise("such as {'keys': 'ALL', 'rows_per_partition': 'NONE'}, or a number of rows")),
    }
}

fn is_one_of(value: &str, known: &[&str]) -> bool {
    known.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// The value of an option as it was written; `None` if it is not said.
fn text<'a>(table: &'a TableSchema, name: &str) -> Option<&'a str> {
    let mut others = table.options.other.iter();
    let (_, text) = others.find(|(other, _)| other == name)?;
    Some(text)
}

/// The value of an option that is a number.
fn number(table: &TableSchema, name: &str) -> Option<f64> {
    text(table, name)?.trim_matches('\'').parse().ok()
}

fn check_number(name: &str, value: impl Into<f64>, range: &RangeInclusive<i64>) -> Result<()> {
    let (value, least, most) = (value.into(), *range.start(), *range.end());
    match value >= least as f64 && value <= most as f64 {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "{name} must be from {least} to {most} (got {value})"
        ))),
    }
}
