//! Keys of rows from the values of their columns.
//!
//! Authority: `o.a.c.cql3.restrictions.{PartitionKeySingleRestrictionSet,ClusteringColumnRestrictions}`,
//! `o.a.c.db.ClusteringComparator.make`, `o.a.c.db.marshal.CompositeType`.

use crate::limits::PARTITION_KEY_BYTES_MAX;
use crate::schema::TableSchema;
use crate::{Error, Result};

/// Longest clustering value, and part of a composite partition key, in bytes: their lengths were 16 bits wide.
const COMPONENT_BYTES_MAX: usize = 65_535;

/// Makes `out` the partition key of these values, `None` for null.
#[inline]
pub(crate) fn partition_key<'v>(
    table: &TableSchema,
    value: impl Fn(usize) -> Option<&'v [u8]>,
    out: &mut Vec<u8>,
) -> Result<()> {
    out.clear();
    let columns = &table.partition_key;
    for (i, column) in columns.iter().enumerate() {
        let name = &column.name;
        let Some(value) = value(i) else {
            return Err(Error::invalid(format!(
                "the partition key column `{name}` has no value"
            )));
        };
        if columns.len() == 1 {
            if value.is_empty() {
                return Err(Error::invalid("the partition key is empty"));
            }
            out.extend_from_slice(value);
            break;
        }
        let length = u16::try_from(value.len()).map_err(|_| {
            Error::invalid(format!(
                "the partition key column `{name}` has a value of {} bytes: the longest one is {COMPONENT_BYTES_MAX} bytes",
                value.len()
            ))
        })?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(value);
        out.push(0);
    }
    match out.len() <= PARTITION_KEY_BYTES_MAX {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "a partition key of {} bytes: the longest one is {PARTITION_KEY_BYTES_MAX} bytes",
            out.len()
        ))),
    }
}

/// The value of the `i`th clustering column, if it may be one.
#[inline]
pub(super) fn clustering<'v>(
    table: &TableSchema,
    i: usize,
    value: Option<&'v [u8]>,
) -> Result<&'v [u8]> {
    let name = || &table.clustering[i].name;
    let Some(value) = value else {
        return Err(Error::invalid(format!(
            "the clustering column `{}` has no value",
            name()
        )));
    };
    if value.len() > COMPONENT_BYTES_MAX {
        return Err(Error::invalid(format!(
            "the clustering column `{}` has a value of {} bytes: the longest one is {COMPONENT_BYTES_MAX} bytes",
            name(),
            value.len()
        )));
    }
    Ok(value)
}
