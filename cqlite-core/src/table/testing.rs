//! A table as tests make, change and query it.

use super::{StorageOptions, Table, View};
use crate::mutation::{Modifier, TimeUuids, WriteTime};
use crate::query::{Plan, PlanOptions, json_lines};
use crate::schema::parse_schema;
use crate::sstable::{OpenOptions, Version};
use std::path::Path;
use std::sync::Arc;

/// Seconds since 1970 at which everything is done.
pub const NOW: i64 = 1_700_000_000;

pub fn open(directory: &Path, schema: &str, version: (&str, &str)) -> Table {
    let schema = parse_schema(schema, None).unwrap().tables.remove(0);
    let storage = StorageOptions {
        version: Version::parse(version.0, version.1).unwrap(),
        open: OpenOptions::default(),
        metrics: Arc::default(),
        host: None,
    };
    Table::open(directory, Arc::new(schema), storage).unwrap()
}

pub fn write_at(table: &Table, timestamp: i64, statement: &str) {
    let mut modifier = Modifier::new(table.schema().clone(), TimeUuids::new(NOW, 0)).unwrap();
    let when = WriteTime {
        timestamp,
        ttl: 0,
        now: NOW,
    };
    let mut update = table.update();
    let statement = crate::cql::parse_statement(statement).unwrap();
    modifier.execute(&statement, &when, &mut update).unwrap();
    table.apply(&update, || Ok(())).unwrap();
}

pub fn select(view: &View, statement: &str) -> Vec<String> {
    let select = crate::cql::parse_select(statement).unwrap();
    let reader = view.reader();
    let options = PlanOptions {
        indexes: &[],
        now: NOW,
    };
    let plan = Plan::new(&select, reader.schema(), reader.partitioner(), &options).unwrap();
    json_lines(plan.execute(reader))
}
