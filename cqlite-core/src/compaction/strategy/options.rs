//! The `compaction` option of a table: which strategy, and how it is set.
//!
//! Authority: `o.a.c.schema.CompactionParams`, `o.a.c.db.compaction.AbstractCompactionStrategy`,
//! `o.a.c.db.compaction.{SizeTieredCompactionStrategyOptions,TimeWindowCompactionStrategyOptions,LeveledCompactionStrategy}`,
//! `o.a.c.db.compaction.unified.Controller`.

use super::leveled::{self, LeveledOptions};
use super::size_tiered::SizeTieredOptions;
use super::time_window::{TimeWindowOptions, TimestampResolution, WindowUnit};
use super::unified::UnifiedOptions;
use crate::cql::parse_literal;
use crate::schema::TableSchema;
use crate::types::Literal;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::str::FromStr;

/// Where Cassandra's own strategies are, which CQL names without their package.
const PACKAGE: &str = "org.apache.cassandra.db.compaction";

/// `min_threshold` and `max_threshold` unless they are given.
pub(crate) const DEFAULT_THRESHOLDS: (usize, usize) = (4, 32);

/// Smallest `target_sstable_size` and `flush_size_override`, in bytes.
const MIN_TARGET_SSTABLE_SIZE: f64 = (1u64 << 20) as f64;

/// How a table is compacted.
#[derive(Debug, Clone, PartialEq)]
pub struct CompactionParams {
    /// The strategy.
    pub strategy: StrategyOptions,
    /// `enabled`: whether it is compacted without being asked.
    pub is_enabled: bool,
    /// `min_threshold`: as few SSTables are worth being merged.
    pub min_threshold: usize,
    /// `max_threshold`: as many SSTables are merged at once.
    pub max_threshold: usize,
    /// When an SSTable is rewritten for its tombstones' sake.
    pub tombstones: TombstoneOptions,
    /// `only_purge_repaired_tombstones`.
    pub only_purge_repaired_tombstones: bool,
}

/// A strategy and what is its own.
#[derive(Debug, Clone, PartialEq)]
pub enum StrategyOptions {
    /// `SizeTieredCompactionStrategy`.
    SizeTiered(SizeTieredOptions),
    /// `LeveledCompactionStrategy`.
    Leveled(LeveledOptions),
    /// `TimeWindowCompactionStrategy`.
    TimeWindow(TimeWindowOptions),
    /// `UnifiedCompactionStrategy`.
    Unified(UnifiedOptions),
}

/// When an SSTable is rewritten for its tombstones' sake.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TombstoneOptions {
    /// Whether that is done at all.
    pub is_enabled: bool,
    /// `tombstone_threshold`: the share of droppable tombstones from which on it is.
    pub threshold: f32,
    /// `tombstone_compaction_interval`: seconds that an SSTable must have been there.
    pub interval: i64,
    /// `unchecked_tombstone_compaction`: whatever others overlap.
    pub is_unchecked: bool,
}

impl Default for CompactionParams {
    /// Those of a table that says nothing of it.
    fn default() -> Self {
        CompactionParams {
            strategy: StrategyOptions::SizeTiered(SizeTieredOptions::default()),
            is_enabled: true,
            min_threshold: DEFAULT_THRESHOLDS.0,
            max_threshold: DEFAULT_THRESHOLDS.1,
            tombstones: TombstoneOptions {
                is_enabled: true,
                threshold: 0.2,
                interval: 86_400,
                is_unchecked: false,
            },
            only_purge_repaired_tombstones: false,
        }
    }
}

impl CompactionParams {
    /// Those of a table.
    ///
    /// # Errors
    /// `InvalidInput` for options that Cassandra refuses.
    pub fn of_table(table: &TableSchema) -> Result<Self> {
        let mut options = table.options.other.iter();
        match options.find(|(name, _)| name == "compaction") {
            Some((_, text)) => Self::parse_cql(text),
            None => Ok(Self::default()),
        }
    }

    /// By a map as in `CREATE TABLE ... WITH compaction`.
    ///
    /// # Errors
    /// `InvalidInput` for text that is none, and for options that Cassandra refuses.
    pub fn parse_cql(text: &str) -> Result<Self> {
        let wrong = || Error::invalid(format!("`{text}` is no map of compaction options"));
        let Literal::Map(entries) = parse_literal(text).map_err(|_| wrong())? else {
            return Err(wrong());
        };
        let mut options = BTreeMap::new();
        for (name, value) in entries {
            let Literal::Text(name) = name else {
                return Err(wrong());
            };
            let value = match value {
                Literal::Text(text) | Literal::Integer(text) | Literal::Float(text) => text,
                Literal::Boolean(value) => value.to_string(),
                _ => return Err(wrong()),
            };
            options.insert(name, value);
        }
        Self::of_map(options)
    }

    /// By names and values, `class` among them.
    ///
    /// # Errors
    /// `InvalidInput` for what Cassandra refuses.
    pub fn of_map(mut options: BTreeMap<String, String>) -> Result<Self> {
        let class = options.remove("class").ok_or_else(|| {
            Error::invalid("Missing sub-option 'class' for the 'compaction' option")
        })?;
        let full_name = match class.contains('.') {
            true => class,
            false => format!("{PACKAGE}.{class}"),
        };
        let simple_name = full_name
            .strip_prefix(PACKAGE)
            .and_then(|name| name.strip_prefix('.'))
            .unwrap_or(&full_name);
        let mut options = Options {
            left: options,
            asks_for_tombstones: false,
        };
        let overlapping = options.take("provide_overlapping_tombstones");
        if let Some(value) = overlapping.map(|value| value.to_uppercase())
            && !["NONE", "ROW", "CELL"].contains(&&*value)
        {
            return Err(Error::invalid(format!(
                "Invalid value {value} for 'provide_overlapping_tombstones' compaction sub-option - must be one of the \
                 following [NONE, ROW, CELL]."
            )));
        }
        let unknown = || {
            Error::invalid(format!(
                "Unable to find compaction strategy class '{full_name}'"
            ))
            .advise("there are SizeTiered-, Leveled-, TimeWindow- and UnifiedCompactionStrategy")
        };
        let mut params = CompactionParams {
            tombstones: options.tombstones()?,
            ..Self::default()
        };
        let (min_threshold, max_threshold) = match simple_name {
            "UnifiedCompactionStrategy" => (None, None),
            _ => (options.take("min_threshold"), options.take("max_threshold")),
        };
        options.boolean("log_all", |name, value| {
            format!("'{name}' should either be 'true' or 'false', not {value}")
        })?;
        params.is_enabled = options
            .boolean("enabled", |name, value| {
                format!("{name} should either be 'true' or 'false', not {value}")
            })?
            .unwrap_or(true);
        params.only_purge_repaired_tombstones = options
            .take("only_purge_repaired_tombstones")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"));
        params.strategy = match simple_name {
            "SizeTieredCompactionStrategy" => StrategyOptions::SizeTiered(options.size_tiered()?),
            "LeveledCompactionStrategy" => StrategyOptions::Leveled(options.leveled()?),
            "TimeWindowCompactionStrategy" => StrategyOptions::TimeWindow(options.time_window()?),
            "UnifiedCompactionStrategy" => {
                params.tombstones.is_enabled = false;
                StrategyOptions::Unified(options.unified()?)
            }
            _ => return Err(unknown()),
        };
        if simple_name == "TimeWindowCompactionStrategy" {
            params.tombstones.is_enabled = options.asks_for_tombstones;
        }
        options.check_empty(simple_name)?;
        params.set_thresholds(min_threshold, max_threshold)?;
        Ok(params)
    }

    fn set_thresholds(&mut self, min: Option<String>, max: Option<String>) -> Result<()> {
        for (name, given, threshold) in [
            ("min_threshold", min, &mut self.min_threshold),
            ("max_threshold", max, &mut self.max_threshold),
        ] {
            let Some(given) = given else { continue };
            let number = given.parse::<i32>().ok();
            let number = number.filter(|_| given.bytes().all(|b| b.is_ascii_digit()));
            let number = number.ok_or_else(|| {
                Error::invalid(format!(
                    "Invalid value {given} for '{name}' compaction sub-option - must be an integer"
                ))
            })?;
            *threshold = number as usize;
        }
        let (min, max) = (self.min_threshold, self.max_threshold);
        if min == 0 || max == 0 {
            return Err(Error::invalid(
                "Disabling compaction by setting compaction thresholds to 0 has been removed, set the compaction option \
                 'enabled' to false instead.",
            ));
        }
        if min == 1 {
            return Err(Error::invalid(
                "Min compaction threshold cannot be less than 2 (got 1)",
            ));
        }
        if min > max {
            return Err(Error::invalid(format!(
                "Min compaction threshold (got {min}) cannot be greater than max compaction threshold (got {max})"
            )));
        }
        Ok(())
    }
}

/// Options that were not looked at yet.
struct Options {
    left: BTreeMap<String, String>,
    /// Whether something is said of tombstone compactions.
    asks_for_tombstones: bool,
}

impl Options {
    fn take(&mut self, name: &str) -> Option<String> {
        self.left.remove(name)
    }

    fn check_empty(&self, class: &str) -> Result<()> {
        if self.left.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = self.left.keys().map(String::as_str).collect();
        Err(Error::invalid(format!(
            "Properties specified [{}] are not understood by {class}",
            names.join(", ")
        )))
    }

    fn boolean(
        &mut self,
        name: &str,
        wrong: impl Fn(&str, &str) -> String,
    ) -> Result<Option<bool>> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        match value.to_ascii_lowercase().as_str() {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            _ => Err(Error::invalid(wrong(name, &value))),
        }
    }

    fn integer<N: FromStr>(&mut self, name: &str) -> Result<Option<N>> {
        self.number(name, "int (base10)")
    }

    fn number<N: FromStr>(&mut self, name: &str, kind: &str) -> Result<Option<N>> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let number = value
            .parse()
            .map_err(|_| Error::invalid(format!("{value} is not a parsable {kind} for {name}")))?;
        Ok(Some(number))
    }

    fn tombstones(&mut self) -> Result<TombstoneOptions> {
        let mut options = CompactionParams::default().tombstones;
        let names = [
            "unchecked_tombstone_compaction",
            "tombstone_compaction_interval",
            "tombstone_threshold",
        ];
        let given = names.map(|name| self.left.get(name));
        let mut given = given.iter().flatten();
        self.asks_for_tombstones = given.any(|value| *value != "false");
        if let Some(threshold) = self.number::<f32>("tombstone_threshold", "int (base10)")? {
            if threshold < 0.0 {
                return Err(Error::invalid(format!(
                    "tombstone_threshold must be greater than 0, but was {threshold:.6}"
                )));
            }
            options.threshold = threshold;
        }
        if let Some(interval) = self.integer::<i64>("tombstone_compaction_interval")? {
            if interval < 0 {
                return Err(Error::invalid(format!(
                    "tombstone_compaction_interval must be greater than 0, but was {interval}"
                )));
            }
            options.interval = interval;
        }
        let unchecked = self.boolean("unchecked_tombstone_compaction", |name, value| {
            format!("'{name}' should be either 'true' or 'false', not '{value}'")
        })?;
        options.is_unchecked = unchecked.unwrap_or(options.is_unchecked);
        Ok(options)
    }

    fn size_tiered(&mut self) -> Result<SizeTieredOptions> {
        let mut options = SizeTieredOptions::default();
        if let Some(size) = self.integer::<i64>("min_sstable_size")? {
            options.min_sstable_size = u64::try_from(size).map_err(|_| {
                Error::invalid(format!("min_sstable_size must be non negative: {size}"))
            })?;
        }
        if let Some(low) = self.number("bucket_low", "float")? {
            options.bucket_low = low;
        }
        if let Some(high) = self.number("bucket_high", "float")? {
            options.bucket_high = high;
        }
        let (low, high) = (options.bucket_low, options.bucket_high);
        if high <= low {
            return Err(Error::invalid(format!(
                "bucket_high value ({high:?}) is less than or equal to the bucket_low value ({low:?})"
            )));
        }
        Ok(options)
    }

    fn leveled(&mut self) -> Result<LeveledOptions> {
        let mut positive = |name: &str| -> Result<Option<i32>> {
            match self.integer::<i32>(name)? {
                Some(number) if number < 1 => Err(Error::invalid(format!(
                    "{name} must be larger than 0, but was {number}"
                ))),
                number => Ok(number),
            }
        };
        let mut options = LeveledOptions::default();
        let mib = positive("sstable_size_in_mb")?;
        if let Some(fanout) = positive("fanout_size")? {
            options.fanout = fanout as u64;
        }
        if let Some(mib) = mib {
            options.max_sstable_bytes = (mib as u64) << 20;
        }
        // Without a size Cassandra checks with the smallest one.
        let bytes = mib.map_or(1 << 20, |_| u128::from(options.max_sstable_bytes));
        let power = u128::from(options.fanout).checked_pow(leveled::LEVELS as u32 - 1);
        let most = power.and_then(|power| power.checked_mul(bytes));
        if most.is_none_or(|most| most > i64::MAX as u128) {
            let most = most.map_or("more than 38 digits".into(), |most| most.to_string());
            return Err(Error::invalid(format!(
                "At most {} bytes may be in a compaction level; your maxSSTableSize must be absurdly high to compute {most}",
                i64::MAX
            )));
        }
        self.take("single_sstable_uplevel");
        options.size_tiered = self.size_tiered()?;
        Ok(options)
    }

    fn time_window(&mut self) -> Result<TimeWindowOptions> {
        let mut options = TimeWindowOptions::default();
        let not_valid =
            |value: &str, name| Error::invalid(format!("{value} is not valid for {name}"));
        if let Some(value) = self.take("timestamp_resolution") {
            options.resolution = TimestampResolution::parse(&value)
                .ok_or_else(|| not_valid(&value, "timestamp_resolution"))?;
        }
        if let Some(value) = self.take("compaction_window_unit") {
            options.unit = WindowUnit::parse(&value)
                .ok_or_else(|| not_valid(&value, "compaction_window_unit"))?;
        }
        if let Some(size) = self.integer::<i32>("compaction_window_size")? {
            if size < 1 {
                return Err(Error::invalid(format!(
                    "{size} must be greater than 1 for compaction_window_size"
                )));
            }
            options.size = size.into();
        }
        if let Some(seconds) = self.integer::<i64>("expired_sstable_check_frequency_seconds")? {
            if seconds < 0 {
                return Err(Error::invalid(format!(
                    "expired_sstable_check_frequency_seconds must not be negative, but was {seconds}"
                )));
            }
            options.expired_check_seconds = seconds;
        }
        let ignores = self.boolean("unsafe_aggressive_sstable_expiration", |name, value| {
            format!("{name} is not 'true' or 'false' ({value})")
        })?;
        options.ignores_overlaps = ignores.unwrap_or(false);
        options.size_tiered = self.size_tiered()?;
        Ok(options)
    }

    fn unified(&mut self) -> Result<UnifiedOptions> {
        let mut options = UnifiedOptions::default();
        if let Some(text) = self.take("scaling_parameters") {
            options.scaling_parameters = text
                .split(',')
                .map(|value| scaling_parameter(value.trim()))
                .collect::<Result<_>>()?;
        }
        if let Some(count) = self.integer::<i32>("base_shard_count")? {
            if count <= 0 {
                return Err(Error::invalid(format!(
                    "Invalid configuration, base_shard_count should be positive: {count}"
                )));
            }
            options.base_shard_count = count as u32;
        }
        let too_small = |name: &str, text: &str| {
            let least = memory_text(MIN_TARGET_SSTABLE_SIZE as u64);
            Error::invalid(format!(
                "{name} {text} is not acceptable, size must be at least {least}"
            ))
        };
        if let Some((text, size)) = self.bytes("target_sstable_size", |name, text, why| {
            format!("{name} {text} is not a valid size in bytes: {why}")
        })? {
            if size >= i64::MAX as f64 {
                return Err(Error::invalid(format!(
                    "target_sstable_size {text} is out of range of Long."
                )));
            }
            if size < MIN_TARGET_SSTABLE_SIZE {
                return Err(too_small("target_sstable_size", &text));
            }
            options.target_sstable_size = size.ceil() as u64;
        }
        if let Some((text, size)) = self.bytes("flush_size_override", |name, text, why| {
            format!("{name} {text} is not a valid size in bytes: {why}")
        })? {
            if size.trunc() < MIN_TARGET_SSTABLE_SIZE {
                return Err(too_small("flush_size_override", &text));
            }
            options.flush_size_override = size as u64;
        }
        if let Some(most) = self.integer::<i32>("max_sstables_to_compact")? {
            options.max_sstables_to_compact = usize::try_from(most).ok().filter(|most| *most > 0);
        }
        let seconds =
            self.number::<i64>("expired_sstable_check_frequency_seconds", "long (base10)")?;
        if let Some(seconds) = seconds {
            if seconds <= 0 {
                return Err(Error::invalid(format!(
                    "Invalid configuration, expired_sstable_check_frequency_seconds should be positive: {seconds}"
                )));
            }
            options.expired_check_seconds = seconds;
        }
        let ignores = self.boolean("unsafe_aggressive_sstable_expiration", |name, value| {
            format!("{name} should either be 'true' or 'false', not {value}")
        })?;
        options.ignores_overlaps = ignores.unwrap_or(false);
        if let Some(text) = self.take("overlap_inclusion_method") {
            options.inclusion = super::overlap_sets::Inclusion::parse(&text).ok_or_else(|| {
                Error::invalid(format!(
                    "Invalid overlap inclusion method {text}. The valid options are [NONE, SINGLE, TRANSITIVE]."
                ))
            })?;
        }
        let size = self.bytes("min_sstable_size", |name, text, _| {
            format!("{text} is not a valid size in bytes for {name}")
        })?;
        if let Some((_, size)) = size {
            if size < 0.0 {
                return Err(Error::invalid(
                    "Invalid configuration, min_sstable_size should be greater than or equal to 0 (zero)",
                ));
            }
            let target = options.target_sstable_size;
            let limit = (target as f64 * std::f64::consts::FRAC_1_SQRT_2).ceil();
            if size.trunc() >= limit {
                return Err(Error::invalid(format!(
                    "Invalid configuration, min_sstable_size ({}) should be less than 70% of the targetSSTableSize ({})",
                    memory_text(size as u64),
                    memory_text(target)
                )));
            }
            options.min_sstable_size = size as u64;
        }
        if let Some(text) = self.take("sstable_growth") {
            let text = text.trim();
            let (number, scale) = match text.strip_suffix('%') {
                Some(number) => (number.trim(), 100.0),
                None => (text, 1.0),
            };
            let growth: f64 = number.parse().map_err(|_| {
                Error::invalid(format!(
                    "sstable_growth is not a valid number between 0 and 1: For input string: \"{number}\""
                ))
            })?;
            options.sstable_growth = growth / scale;
            if !(0.0..=1.0).contains(&options.sstable_growth) {
                return Err(Error::invalid(format!(
                    "sstable_growth {text} must be between 0 and 1"
                )));
            }
        }
        Ok(options)
    }

    /// A count of bytes for people, and its text.
    fn bytes(
        &mut self,
        name: &str,
        wrong: impl Fn(&str, &str, &str) -> String,
    ) -> Result<Option<(String, f64)>> {
        let Some(text) = self.take(name) else {
            return Ok(None);
        };
        match parse_bytes(&text) {
            Ok(bytes) => Ok(Some((text, bytes))),
            Err(why) => Err(Error::invalid(wrong(name, &text, &why))),
        }
    }
}

/// Scaling parameter W: 0 for `N`, 2 - x for `Lx`, x - 2 for `Tx`.
fn scaling_parameter(text: &str) -> Result<i32> {
    let wrong = || {
        Error::invalid(format!(
            "Scaling parameter {text} must match N|L[0-9]+|T[0-9]+|[+-]?[0-9]+"
        ))
    };
    let fan_factor = |digits: &str| -> Result<i32> {
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        match digits.parse::<i32>().map_err(|_| wrong())? {
            ..2 => Err(Error::invalid(format!(
                "Fan factor cannot be lower than 2 in {text}"
            ))),
            factor => Ok(factor - 2),
        }
    };
    match text.split_at_checked(1) {
        Some(("N", "")) => Ok(0),
        Some(("L", digits)) => Ok(-fan_factor(digits)?),
        Some(("T", digits)) => fan_factor(digits),
        _ => text.parse().map_err(|_| wrong()),
    }
}

/// Bytes as people write them: `100MiB`, `1.5 GB`, `1e9B`, `3*2^20B` (`FBUtilities.parseHumanReadable`); else why not.
pub(super) fn parse_bytes(text: &str) -> std::result::Result<f64, String> {
    let rest = text
        .strip_suffix('B')
        .ok_or_else(|| format!("{text} does not end in unit B"))?;
    let unexpected = |at: usize| {
        format!(
            "Unexpected characters between pos {at} and {} in {text}",
            rest.len()
        )
    };
    let digits = |from: usize| {
        let bytes = rest.as_bytes().get(from..).unwrap_or_default();
        bytes.iter().take_while(|b| b.is_ascii_digit()).count()
    };
    let sign = |from: usize| usize::from(matches!(rest.as_bytes().get(from), Some(b'+' | b'-')));
    let mut at = sign(0);
    match digits(at) {
        0 => return Err("null".into()),
        count => at += count,
    }
    if rest.as_bytes().get(at) == Some(&b'.') && digits(at + 1) > 0 {
        at += 1 + digits(at + 1);
    }
    if let Some(b'e' | b'E') = rest.as_bytes().get(at) {
        let from = at + 1 + sign(at + 1);
        if digits(from) > 0 {
            at = from + digits(from);
        }
    }
    let mut value: f64 = rest[..at].parse().map_err(|_| "null".to_owned())?;
    if rest[at..].starts_with("*2^") {
        let from = at + 3 + sign(at + 3);
        if digits(from) > 0 {
            let end = from + digits(from);
            let power: i32 = rest[at + 3..end].parse().map_err(|_| unexpected(at))?;
            value *= 2f64.powi(power);
            at = end;
        }
    }
    let unit = rest[at..].trim_start();
    at = rest.len() - unit.len();
    let mut characters = unit.chars();
    const PREFIXES: &str = "qryzafpnum KMGTPEZYRQ";
    if let Some(prefix) = characters.next() {
        let index = PREFIXES.find(prefix).ok_or_else(|| unexpected(at))? as i32;
        let index = index - PREFIXES.find(' ').unwrap_or_default() as i32;
        value *= match characters.next() {
            Some('i') => 2f64.powi(index * 10),
            None => (1000f64.ln() * f64::from(index)).exp(),
            Some(_) => return Err(unexpected(at + 1)),
        };
        if characters.next().is_some() {
            return Err(unexpected(at + 2));
        }
    }
    Ok(value)
}

/// Bytes for people, as `FBUtilities.prettyPrintMemory` has them.
fn memory_text(bytes: u64) -> String {
    let index = 63u32.saturating_sub(bytes.leading_zeros()) / 10;
    match "KMGTPE".chars().nth((index as usize).wrapping_sub(1)) {
        None => format!("{bytes}B"),
        Some(prefix) => {
            let scaled = bytes as f64 / 2f64.powi(index as i32 * 10);
            format!("{scaled:.3}{prefix}iB")
        }
    }
}
