//! The rows of the `system_schema` tables that say a schema: what [`Schema::from_system_tables`] reads back.
//!
//! Authority: `o.a.c.schema.SchemaKeyspace`.

use super::SystemRow;
use super::fields::{Fields, OPTIONS, Stored};
use crate::bytes::Cursor;
use crate::cql::parse_literal;
use crate::error::{Error, Result};
use crate::schema::{ColumnKind, IndexSchema, Schema, TableKind, TableSchema, parse_schema};
use crate::types::{CqlType, Literal};
use std::collections::BTreeMap;

/// The tables as Cassandra 5 has them.
const DEFINITIONS: &str = "
    CREATE TABLE keyspaces (keyspace_name text PRIMARY KEY, durable_writes boolean, replication frozen<map<text, text>>)
        WITH ID = abac5682-dea6-31c5-b535-b3d6cffd0fb6;
    CREATE TABLE tables (keyspace_name text, table_name text, additional_write_policy text, allow_auto_snapshot boolean,
        bloom_filter_fp_chance double, caching frozen<map<text, text>>, cdc boolean, comment text,
        compaction frozen<map<text, text>>, compression frozen<map<text, text>>, crc_check_chance double,
        dclocal_read_repair_chance double, default_time_to_live int, extensions frozen<map<text, blob>>,
        flags frozen<set<text>>, gc_grace_seconds int, id uuid, incremental_backups boolean, max_index_interval int,
        memtable text, memtable_flush_period_in_ms int, min_index_interval int, read_repair text,
        read_repair_chance double, speculative_retry text, PRIMARY KEY (keyspace_name, table_name))
        WITH ID = afddfb9d-bc1e-3068-8056-eed6c302ba09;
    CREATE TABLE columns (keyspace_name text, table_name text, column_name text, clustering_order text,
        column_name_bytes blob, kind text, position int, type text, PRIMARY KEY (keyspace_name, table_name, column_name))
        WITH ID = 24101c25-a2ae-3af7-87c1-b40ee1aca33f;
    CREATE TABLE dropped_columns (keyspace_name text, table_name text, column_name text, dropped_time timestamp, kind text,
        type text, PRIMARY KEY (keyspace_name, table_name, column_name))
        WITH ID = 5e7583b5-f3f4-3af1-9a39-b7e1d6f5f11f;
    CREATE TABLE types (keyspace_name text, type_name text, field_names frozen<list<text>>,
        field_types frozen<list<text>>, PRIMARY KEY (keyspace_name, type_name))
        WITH ID = 5a8b1ca8-6602-3f77-a045-9273d308917a;
    CREATE TABLE indexes (keyspace_name text, table_name text, index_name text, kind text,
        options frozen<map<text, text>>, PRIMARY KEY (keyspace_name, table_name, index_name))
        WITH ID = 0feb57ac-311f-382f-ba6d-9024d305702f;
";

/// The tables that [`system_rows`] gives rows of, in the order in which a schema that grows is written: a table is there
/// once its row in `tables` is.
pub const WRITTEN_TABLES: [&str; 6] = [
    "keyspaces",
    "types",
    "columns",
    "dropped_columns",
    "indexes",
    "tables",
];

/// The options of a table that nothing is said of, as Cassandra stores them. It does not read a row that lacks one.
const DEFAULTS: [(&str, &str); 14] = [
    ("additional_write_policy", "'99p'"),
    ("bloom_filter_fp_chance", "0.01"),
    ("caching", "{'keys': 'ALL', 'rows_per_partition': 'NONE'}"),
    ("comment", "''"),
    (
        "compaction",
        "{'class': 'org.apache.cassandra.db.compaction.SizeTieredCompactionStrategy', \
          'max_threshold': '32', 'min_threshold': '4'}",
    ),
    (
        "compression",
        "{'chunk_length_in_kb': '16', 'class': 'org.apache.cassandra.io.compress.LZ4Compressor'}",
    ),
    ("crc_check_chance", "1.0"),
    ("extensions", "{}"),
    ("max_index_interval", "2048"),
    ("memtable_flush_period_in_ms", "0"),
    ("min_index_interval", "128"),
    ("read_repair", "'BLOCKING'"),
    ("speculative_retry", "'99p'"),
    ("cdc", "false"),
];

/// Where Cassandra's own compaction strategies and compressors are, which CQL names without their packages.
const PACKAGES: [(&str, &str); 2] = [
    ("compaction", "org.apache.cassandra.db.compaction"),
    ("compression", "org.apache.cassandra.io.compress"),
];

const LOCATOR: &str = "org.apache.cassandra.locator";

/// The replication strategies of that package.
const STRATEGIES: [&str; 2] = [".SimpleStrategy", ".NetworkTopologyStrategy"];

/// Where a row is: its table, and the values of its key, of which the first one is the keyspace.
pub type RowKey = (&'static str, Vec<String>);

/// The values of a row's other columns, as bytes of their types.
pub type RowValues = Vec<(&'static str, Vec<u8>)>;

/// What is said of a keyspace besides what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyspaceOptions {
    /// Options of its replication, `class` among them.
    pub replication: BTreeMap<String, String>,
    /// Whether writes go through the commit log.
    pub durable_writes: bool,
}

impl Default for KeyspaceOptions {
    fn default() -> Self {
        let simple = [
            ("class", "org.apache.cassandra.locator.SimpleStrategy"),
            ("replication_factor", "1"),
        ];
        KeyspaceOptions {
            replication: simple.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            durable_writes: true,
        }
    }
}

impl KeyspaceOptions {
    /// With other options, as they stand after `WITH` of `CREATE KEYSPACE`: names, and values as they were written.
    ///
    /// # Errors
    /// `InvalidInput` for one that is unknown, or of the wrong type.
    pub fn with(mut self, options: &[(String, String)]) -> Result<Self> {
        for (name, text) in options {
            let wrong = || Error::invalid(format!("{name} = {text} is no option of a keyspace"));
            match name.as_str() {
                "durable_writes" => self.durable_writes = text.parse().map_err(|_| wrong())?,
                "replication" => {
                    self.replication = texts(text).ok_or_else(wrong)?;
                    let class = self.replication.get_mut("class").ok_or_else(wrong)?;
                    *class = in_package(class, LOCATOR);
                    let own = class.strip_prefix(LOCATOR);
                    // A class of another package may be there.
                    if own.is_some_and(|name| !STRATEGIES.contains(&name)) {
                        return Err(Error::invalid(format!(
                            "Unable to find replication strategy class '{class}'"
                        ))
                        .advise("there are SimpleStrategy and NetworkTopologyStrategy"));
                    }
                }
                _ => return Err(wrong()),
            }
        }
        Ok(self)
    }

    /// The keyspace that a row of `keyspaces` is of, and what it says.
    ///
    /// # Errors
    /// `Corrupt` for a value that is not of its column's type.
    pub fn read<R: SystemRow>(row: &R) -> Result<(String, Self)> {
        let fields = Fields::new("keyspaces", row);
        let mut options = KeyspaceOptions::default();
        if let Some(bytes) = row.get("durable_writes") {
            let durable = Cursor::new(bytes).bool();
            options.durable_writes = durable.map_err(|_| fields.wrong("durable_writes"))?;
        }
        let entries = fields.map("replication")?;
        if !entries.is_empty() {
            let text = |bytes| fields.utf8("replication", bytes);
            let entries = entries.into_iter();
            let entries = entries.map(|(key, value)| Ok((text(key)?, text(value)?)));
            options.replication = entries.collect::<Result<_>>()?;
        }
        Ok((fields.text("keyspace_name")?, options))
    }
}

/// The definitions of [`WRITTEN_TABLES`].
///
/// # Errors
/// None that can be met.
pub fn system_tables() -> Result<Vec<TableSchema>> {
    let mut tables = parse_schema(DEFINITIONS, Some("system_schema"))?.tables;
    for table in &mut tables {
        table.options.gc_grace_seconds = 7 * 24 * 60 * 60;
    }
    Ok(tables)
}

/// The rows that say all of a schema but its views.
///
/// # Errors
/// `InvalidInput` for an option that is not of its type.
pub fn system_rows(
    schema: &Schema,
    keyspaces: &BTreeMap<String, KeyspaceOptions>,
) -> Result<BTreeMap<RowKey, RowValues>> {
    let mut rows = BTreeMap::new();
    for (name, options) in keyspaces {
        let values = vec![
            ("durable_writes", vec![options.durable_writes.into()]),
            ("replication", map(&options.replication)),
        ];
        rows.insert(("keyspaces", vec![name.clone()]), values);
    }
    for ty in &schema.types {
        let key = vec![ty.keyspace.clone(), ty.name.clone()];
        let names = ty.fields.iter().map(|(name, _)| name.to_string());
        let types = ty.fields.iter().map(|(_, ty)| ty.cql_name());
        let values = vec![
            ("field_names", collection(names)),
            ("field_types", collection(types)),
        ];
        rows.insert(("types", key), values);
    }
    for table in schema
        .tables
        .iter()
        .filter(|t| t.kind == TableKind::Regular)
    {
        let key = |name: &str| vec![table.keyspace.clone(), table.name.clone(), name.to_owned()];
        rows.insert(
            ("tables", vec![table.keyspace.clone(), table.name.clone()]),
            table_values(table)?,
        );
        for column in table.columns() {
            let kind = match column.kind {
                ColumnKind::PartitionKey => "partition_key",
                ColumnKind::Clustering => "clustering",
                ColumnKind::Static => "static",
                ColumnKind::Regular => "regular",
            };
            let (position, order) = match column.kind {
                ColumnKind::PartitionKey => (column.index as i32, "none"),
                ColumnKind::Clustering if table.clustering[column.index].descending => {
                    (column.index as i32, "desc")
                }
                ColumnKind::Clustering => (column.index as i32, "asc"),
                _ => (-1, "none"),
            };
            let stored = table.stored_name(column.name);
            let values = vec![
                ("clustering_order", order.into()),
                (
                    "column_name_bytes",
                    crate::schema::raw_column_name(&stored).into_owned(),
                ),
                ("kind", kind.into()),
                ("position", position.to_be_bytes().into()),
                ("type", column.ty.cql_name().into()),
            ];
            rows.insert(("columns", key(column.name)), values);
        }
        for dropped in &table.dropped {
            let kind = if dropped.is_static {
                "static"
            } else {
                "regular"
            };
            let millis = dropped.dropped_at_micros.div_euclid(1000);
            let values = vec![
                ("dropped_time", millis.to_be_bytes().into()),
                ("kind", kind.into()),
                ("type", dropped_type(&dropped.column.ty).into()),
            ];
            rows.insert(("dropped_columns", key(&dropped.column.name)), values);
        }
    }
    for index in &schema.indexes {
        let key = [&index.keyspace, &index.table, &index.name];
        rows.insert(
            ("indexes", key.map(String::clone).into()),
            index_values(index),
        );
    }
    Ok(rows)
}

/// A dropped column is to be read though its user type may be dropped too: it is kept as a tuple of its fields.
fn dropped_type(ty: &CqlType) -> String {
    match ty {
        CqlType::Udt { definition, .. } => {
            let fields = definition.fields.iter().map(|(_, ty)| dropped_type(ty));
            format!("frozen<tuple<{}>>", fields.collect::<Vec<_>>().join(", "))
        }
        ty => ty.cql_name(),
    }
}

fn table_values(table: &TableSchema) -> Result<RowValues> {
    let flags: &[&str] = match (table.is_compact, table.is_dense) {
        (false, _) => &["compound"],
        (true, true) if table.clustering.len() > 1 => &["compound", "dense"],
        (true, true) => &["dense"],
        (true, false) => &[],
    };
    let counter = table.is_counter().then_some("counter");
    let mut flags: Vec<&str> = flags.iter().copied().chain(counter).collect();
    flags.sort_unstable();
    let seconds = |n: i32| n.to_be_bytes().to_vec();
    let mut values = vec![
        ("flags", collection(flags)),
        ("gc_grace_seconds", seconds(table.options.gc_grace_seconds)),
        (
            "default_time_to_live",
            seconds(table.options.default_time_to_live),
        ),
        ("read_repair_chance", 0f64.to_be_bytes().into()),
        ("dclocal_read_repair_chance", 0f64.to_be_bytes().into()),
    ];
    if let Some(id) = table.id {
        values.push(("id", id.into()));
    }
    for (name, stored) in &OPTIONS {
        let mut given = table.options.other.iter();
        let given = given
            .find(|(given, _)| given == name)
            .map(|(_, text)| text.as_str());
        let default = DEFAULTS.iter().find(|(known, _)| known == name);
        let Some(text) = given.or(default.map(|(_, text)| *text)) else {
            continue;
        };
        // Cassandra writes it where change data capture is on only, and has no column for the other.
        if (*name == "cdc" && given.is_none()) || *name == "auto_repair" {
            continue;
        }
        let wrong = || {
            Error::invalid(format!(
                "{}: the option {name} = {text} cannot be read",
                table.full_name()
            ))
        };
        values.push((*name, option_value(name, stored, text).ok_or_else(wrong)?));
    }
    Ok(values)
}

/// The value of an option that was written so; `None` if that is not of its type.
fn option_value(name: &str, stored: &Stored, text: &str) -> Option<Vec<u8>> {
    let plain = || match parse_literal(text).ok()? {
        Literal::Text(text) | Literal::Integer(text) | Literal::Float(text) => Some(text),
        Literal::Boolean(value) => Some(value.to_string()),
        _ => None,
    };
    Some(match stored {
        Stored::Text => match parse_literal(text) {
            Ok(Literal::Text(text)) => text.into(),
            _ => return None,
        },
        Stored::Boolean => vec![plain()?.parse::<bool>().ok()?.into()],
        Stored::Double => plain()?.parse::<f64>().ok()?.to_be_bytes().into(),
        Stored::Int => plain()?.parse::<i32>().ok()?.to_be_bytes().into(),
        Stored::TextMap => {
            let mut entries = texts(text)?;
            if let Some((_, package)) = PACKAGES.iter().find(|(option, _)| *option == name)
                && let Some(class) = entries.get_mut("class")
            {
                *class = in_package(class, package);
            }
            map(&entries)
        }
        Stored::BlobMap => match parse_literal(text).ok()? {
            Literal::Map(entries) => {
                let mut all = BTreeMap::new();
                for (key, value) in entries {
                    let (Literal::Text(key), Literal::Blob(value)) = (key, value) else {
                        return None;
                    };
                    all.insert(key, value);
                }
                map(&all)
            }
            Literal::Set(elements) if elements.is_empty() => collection([""; 0]),
            _ => return None,
        },
    })
}

fn index_values(index: &IndexSchema) -> RowValues {
    let mut options: BTreeMap<String, String> = index.options.iter().cloned().collect();
    options.insert("target".into(), index.target.clone());
    if let Some(class) = &index.class {
        options.insert("class_name".into(), class.clone());
    }
    let kind = if index.class.is_some() {
        "CUSTOM"
    } else {
        "COMPOSITES"
    };
    vec![("kind", kind.into()), ("options", map(&options))]
}

fn in_package(class: &str, package: &str) -> String {
    match class.contains('.') || class.is_empty() {
        true => class.to_owned(),
        false => format!("{package}.{class}"),
    }
}

/// The entries of a map of texts as it is written in CQL.
pub fn texts(text: &str) -> Option<BTreeMap<String, String>> {
    match parse_literal(text).ok()? {
        Literal::Map(entries) => {
            let text_of = |literal| match literal {
                Literal::Text(text) | Literal::Integer(text) | Literal::Float(text) => Some(text),
                Literal::Boolean(value) => Some(value.to_string()),
                _ => None,
            };
            let entries = entries.into_iter();
            entries
                .map(|(k, v)| Some((text_of(k)?, text_of(v)?)))
                .collect()
        }
        Literal::Set(elements) if elements.is_empty() => Some(BTreeMap::new()),
        _ => None,
    }
}

/// The bytes of a frozen list or set.
fn collection<T: AsRef<[u8]>>(elements: impl IntoIterator<Item = T>) -> Vec<u8> {
    let mut out = vec![0; 4];
    let mut count = 0i32;
    for element in elements {
        push(&mut out, element.as_ref());
        count += 1;
    }
    out[..4].copy_from_slice(&count.to_be_bytes());
    out
}

/// The bytes of a frozen map of texts.
fn map<V: AsRef<[u8]>>(entries: &BTreeMap<String, V>) -> Vec<u8> {
    let mut out = (entries.len() as i32).to_be_bytes().to_vec();
    for (key, value) in entries {
        push(&mut out, key.as_bytes());
        push(&mut out, value.as_ref());
    }
    out
}

fn push(out: &mut Vec<u8>, element: &[u8]) {
    out.extend_from_slice(&(element.len() as i32).to_be_bytes());
    out.extend_from_slice(element);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::system::{SystemRow, SystemTables};
    use std::collections::HashMap;

    struct Row(HashMap<String, Vec<u8>>);

    impl SystemRow for Row {
        fn get(&self, column: &str) -> Option<&[u8]> {
            self.0.get(column).map(Vec::as_slice)
        }
    }

    /// What reads `system_schema` makes the same schema of the rows, with all options.
    #[test]
    fn rows_are_read_back() {
        let text = "
            CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};
            CREATE TYPE ks.inner (a int, \"B\" set<text>);
            CREATE TYPE ks.outer (i frozen<inner>, t tuple<int, text>);
            CREATE TABLE ks.t (p int, q text, c timeuuid, d text, s int static, v list<int>, o frozen<outer>, x outer,
                PRIMARY KEY ((p, q), c, d)) WITH ID = 00112233-4455-6677-8899-aabbccddeeff
                AND CLUSTERING ORDER BY (c DESC, d ASC) AND comment = 'it''s' AND gc_grace_seconds = 17
                AND compression = {'class': 'ZstdCompressor', 'compression_level': 3} AND bloom_filter_fp_chance = 0.1;
            ALTER TABLE ks.t DROP v USING TIMESTAMP 1700000000000000;
            CREATE TABLE ks.plain (k blob PRIMARY KEY) WITH ID = 00112233-4455-6677-8899-aabbccddee00;
            CREATE TABLE ks.counts (k int PRIMARY KEY, n counter) WITH ID = 00112233-4455-6677-8899-aabbccddee01;
            CREATE INDEX by_s ON ks.t (s);
            CREATE CUSTOM INDEX by_x ON ks.t (x) USING 'sai' WITH OPTIONS = {'a': 'b'};
        ";
        let schema = parse_schema(text, None).unwrap();
        let keyspaces = BTreeMap::from([("ks".to_owned(), KeyspaceOptions::default())]);
        let rows = system_rows(&schema, &keyspaces).unwrap();
        let definitions = system_tables().unwrap();
        let mut tables = SystemTables::<Row>::default();
        for ((table, key), values) in &rows {
            let definition = definitions.iter().find(|t| t.name == *table).unwrap();
            let mut row = HashMap::new();
            for (column, value) in definition.columns().zip(key) {
                row.insert(column.name.to_string(), value.clone().into_bytes());
            }
            for (name, value) in values {
                let column = definition.column(name).expect(name);
                column.ty.validate(value).expect(name);
                row.insert((*name).to_owned(), value.clone());
            }
            if *table == "keyspaces" {
                let options = KeyspaceOptions::read(&Row(row.clone())).unwrap();
                assert_eq!(options, ("ks".to_owned(), KeyspaceOptions::default()));
            }
            let into = match *table {
                "keyspaces" => &mut tables.keyspaces,
                "types" => &mut tables.types,
                "columns" => &mut tables.columns,
                "dropped_columns" => &mut tables.dropped_columns,
                "indexes" => &mut tables.indexes,
                _ => &mut tables.tables,
            };
            into.push(Row(row));
        }
        let read = Schema::from_system_tables(&tables).unwrap();
        assert!(read.broken.is_empty(), "{:?}", read.broken);
        assert_eq!(read.keyspaces, ["ks"]);
        assert_eq!(read.types, schema.types);
        let mut indexes = schema.indexes.clone();
        indexes.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(read.indexes, indexes);
        assert_eq!(read.tables.len(), 3);
        for table in &read.tables {
            let mut expected = schema.table("ks", &table.name).unwrap().clone();
            let mut table = table.clone();
            let other = std::mem::take(&mut table.options.other);
            for (name, text) in std::mem::take(&mut expected.options.other) {
                let read = &other.iter().find(|(n, _)| *n == name).unwrap().1;
                let full = text.replace("'ZstdC", "'org.apache.cassandra.io.compress.ZstdC");
                assert_eq!(*read, full.replace(": 3}", ": '3'}"));
            }
            assert_eq!(table, expected);
        }
        // The same rows come of what was read.
        assert_eq!(system_rows(&read, &keyspaces).unwrap(), rows);
    }

    #[test]
    fn options_of_keyspaces() {
        let given = |name: &str, text: &str| vec![(name.to_owned(), text.to_owned())];
        let text = "{'class': 'NetworkTopologyStrategy', 'dc1': 3}";
        let with = |given: Vec<_>| KeyspaceOptions::default().with(&given);
        let parsed = with(given("replication", text)).unwrap();
        assert_eq!(
            parsed.replication["class"],
            "org.apache.cassandra.locator.NetworkTopologyStrategy"
        );
        assert_eq!(parsed.replication["dc1"], "3");
        assert!(
            !with(given("durable_writes", "false"))
                .unwrap()
                .durable_writes
        );
        for (name, text) in [
            ("replication", "{}"),
            ("durable_writes", "1"),
            ("other", "1"),
        ] {
            assert!(with(given(name, text)).is_err());
        }
    }
}
