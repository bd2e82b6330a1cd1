//! What a table's options say about how its SSTables are written.
//!
//! Authority: `o.a.c.schema.{CompressionParams,TableParams}`.

use crate::cql::parse_literal;
use crate::schema::TableSchema;
use crate::sstable::component::compression_info::Compressor;
use crate::sstable::writer::{CompressionOptions, WriteOptions};
use crate::types::Literal;
use crate::{Error, Result};

impl WriteOptions {
    /// By the options of a table: `compression`, `bloom_filter_fp_chance`, `min_index_interval`.
    ///
    /// # Errors
    /// `InvalidInput` for one that cannot be read, `Unsupported` for an unknown compressor.
    pub fn of_table(table: &TableSchema) -> Result<Self> {
        let mut options = WriteOptions::default();
        let is_leveled = |text: &str| text.contains("LeveledCompactionStrategy");
        for (name, text) in &table.options.other {
            let wrong = || {
                let table = table.full_name();
                Error::invalid(format!(
                    "{table}: the option {name} = {text} cannot be read"
                ))
            };
            let unquoted = text.trim_matches('\'');
            match name.as_str() {
                "compression" => {
                    let literal = parse_literal(text).map_err(|_| wrong())?;
                    options.compression = compression(&literal, &wrong)?;
                }
                "bloom_filter_fp_chance" => {
                    let chance: f64 = unquoted.parse().map_err(|_| wrong())?;
                    options.bloom_filter_fp_chance = chance;
                }
                // Without a chance of its own such a table has a larger one.
                "compaction" if is_leveled(text) => {
                    let mut others = table.options.other.iter();
                    if !others.any(|(name, _)| name == "bloom_filter_fp_chance") {
                        options.bloom_filter_fp_chance = 0.1;
                    }
                }
                "min_index_interval" => {
                    options.min_index_interval = unquoted.parse().map_err(|_| wrong())?;
                }
                _ => {}
            }
        }
        Ok(options)
    }
}

impl CompressionOptions {
    /// By a map as in `CREATE TABLE ... WITH compression`: `{'class': 'ZstdCompressor', 'compression_level': 6}`; `None` if it
    /// says that nothing is compressed.
    ///
    /// # Errors
    /// `InvalidInput` for text that is none, `Unsupported` for an unknown compressor.
    pub fn parse_cql(text: &str) -> Result<Option<Self>> {
        let wrong = || {
            Error::invalid(format!("`{text}` is no compression"))
                .advise("such as {'class': 'ZstdCompressor', 'compression_level': 6}")
        };
        compression(&parse_literal(text).map_err(|_| wrong())?, &wrong)
    }
}

fn compression(literal: &Literal, wrong: &dyn Fn() -> Error) -> Result<Option<CompressionOptions>> {
    let entries = match literal {
        Literal::Map(entries) => entries,
        Literal::Set(elements) if elements.is_empty() => return Ok(None),
        _ => return Err(wrong()),
    };
    let mut options = CompressionOptions::default();
    let mut ratio = 0.0;
    let mut class = None;
    for (name, value) in entries {
        let (Literal::Text(name), Some(text)) = (name, text_of(value)) else {
            return Err(wrong());
        };
        match name.as_str() {
            "class" | "sstable_compression" => class = Some(text),
            "enabled" if text == "false" => return Ok(None),
            "enabled" | "crc_check_chance" => {}
            "chunk_length_in_kb" | "chunk_length_kb" => {
                let kib: u32 = text.parse().map_err(|_| wrong())?;
                options.chunk_length = kib.checked_mul(1024).ok_or_else(wrong)?;
            }
            "chunk_length" => {
                let kib = text
                    .strip_suffix("KiB")
                    .and_then(|n| n.trim().parse::<u32>().ok());
                let length = kib.and_then(|kib| kib.checked_mul(1024));
                options.chunk_length = length.ok_or_else(wrong)?;
            }
            "min_compress_ratio" => ratio = text.parse().map_err(|_| wrong())?,
            _ => options.options.push((name.clone(), text)),
        }
    }
    match class {
        None => return Err(wrong()),
        Some(class) if class.is_empty() => return Ok(None),
        Some(class) => options.compressor = Compressor::parse(&class)?,
    }
    Ok(Some(options.with_min_compress_ratio(ratio)))
}

fn text_of(literal: &Literal) -> Option<String> {
    Some(match literal {
        Literal::Text(text) | Literal::Integer(text) | Literal::Float(text) => text.clone(),
        Literal::Boolean(value) => value.to_string(),
        _ => return None,
    })
}
