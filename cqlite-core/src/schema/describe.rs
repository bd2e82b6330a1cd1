//! Writes a schema as CQL, as `DESCRIBE ... WITH INTERNALS` does.
//!
//! Authority: `o.a.c.schema.TableMetadata.appendCqlTo`, `o.a.c.schema.TableParams.appendCqlTo`,
//! `o.a.c.schema.IndexMetadata.appendCqlTo`, `o.a.c.db.marshal.UserType.toCqlString`.

use super::system::KeyspaceOptions;
use super::{Column, ColumnKind, ColumnRef, IndexSchema, TableKind, TableSchema};
use crate::cql::quote_name;
use crate::types::{CqlType, UserType};
use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;

/// Names of the options in the order in which Cassandra writes them; others follow.
const OPTION_ORDER: [&str; 20] = [
    "additional_write_policy",
    "allow_auto_snapshot",
    "bloom_filter_fp_chance",
    "caching",
    "cdc",
    "comment",
    "compaction",
    "compression",
    "memtable",
    "crc_check_chance",
    "default_time_to_live",
    "extensions",
    "gc_grace_seconds",
    "incremental_backups",
    "max_index_interval",
    "memtable_flush_period_in_ms",
    "min_index_interval",
    "read_repair",
    "speculative_retry",
    "auto_repair",
];

/// The statements that define a table: the types that it needs, `CREATE TABLE`, and `ALTER TABLE` for what was dropped.
/// [`super::parse_schema`] reads them back to the same schema, except that a materialized view, whose base table is not
/// known here, is written as a table.
///
/// `types` are those of the table's schema. One that is not among them is written as the table holds it, which is the
/// same but that fields of a frozen type are frozen.
pub fn describe(table: &TableSchema, types: &[Arc<UserType>]) -> String {
    let mut out = String::new();
    for held in needed_types(table) {
        let mut types = types.iter();
        let defined = types.find(|t| t.keyspace == held.keyspace && t.name == held.name);
        out.push_str(&describe_type(defined.unwrap_or(&held)));
        out.push_str("\n\n");
    }
    out + &describe_table(table)
}

/// The statement that defines a keyspace.
pub fn describe_keyspace(name: &str, options: &KeyspaceOptions) -> String {
    let replication = options.replication.iter().map(|(key, value)| {
        let value = value
            .strip_prefix("org.apache.cassandra.locator.")
            .unwrap_or(value);
        format!(
            "'{}': '{}'",
            key.replace('\'', "''"),
            value.replace('\'', "''")
        )
    });
    let replication: Vec<String> = replication.collect();
    format!(
        "CREATE KEYSPACE {} WITH replication = {{{}}} AND durable_writes = {};",
        quote_name(name),
        replication.join(", "),
        options.durable_writes
    )
}

/// The statements that define a table, without those of the types that it needs.
pub fn describe_table(table: &TableSchema) -> String {
    let mut out = String::new();
    if table.kind == TableKind::View {
        out.push_str("-- A materialized view, written as a table.\n");
    }
    let name = table.full_name();
    _ = writeln!(out, "CREATE TABLE {name} (");
    let lines = column_lines(table);
    _ = writeln!(out, "    {}", lines.join(",\n    "));
    out.push(')');
    let mut with = Vec::new();
    if let Some(id) = table.id {
        with.push(format!("ID = {}", uuid_text(&id)));
    }
    if table.is_compact {
        with.insert(0, "COMPACT STORAGE".to_owned());
    }
    if !table.clustering.is_empty() {
        let order = table.clustering.iter().map(|c| {
            let order = if c.descending { "DESC" } else { "ASC" };
            format!("{} {order}", quote_name(&c.name))
        });
        let order = order.collect::<Vec<_>>().join(", ");
        with.push(format!("CLUSTERING ORDER BY ({order})"));
    }
    with.extend(option_texts(table));
    _ = write!(out, " WITH {};", with.join("\n    AND "));
    for dropped in &table.dropped {
        let column = &dropped.column;
        _ = write!(
            out,
            "\nALTER TABLE {name} DROP {} USING TIMESTAMP {};",
            quote_name(&column.name),
            dropped.dropped_at_micros
        );
        if let Some(again) = table.column(&column.name) {
            let is_static = again.kind == ColumnKind::Static;
            let column = column_text(again.name, again.ty, is_static);
            _ = write!(out, "\nALTER TABLE {name} ADD {column};");
        }
    }
    out
}

/// `CREATE TYPE` of a user-defined type.
pub fn describe_type(ty: &UserType) -> String {
    let fields = ty.fields.iter();
    let fields = fields.map(|(name, ty)| format!("{} {}", quote_name(name), ty.cql_name()));
    format!(
        "CREATE TYPE {}.{} (\n    {}\n);",
        quote_name(&ty.keyspace),
        quote_name(&ty.name),
        fields.collect::<Vec<_>>().join(",\n    ")
    )
}

/// `CREATE INDEX`.
pub fn describe_index(index: &IndexSchema) -> String {
    let (name, target) = (quote_name(&index.name), &index.target);
    let table = format!(
        "{}.{}",
        quote_name(&index.keyspace),
        quote_name(&index.table)
    );
    let Some(class) = &index.class else {
        return format!("CREATE INDEX {name} ON {table} ({target});");
    };
    let quote = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let class = quote(class);
    let mut out = format!("CREATE CUSTOM INDEX {name} ON {table} ({target}) USING {class}");
    if !index.options.is_empty() {
        let options = index.options.iter();
        let options = options.map(|(key, value)| format!("{}: {}", quote(key), quote(value)));
        let options = options.collect::<Vec<_>>().join(", ");
        _ = write!(out, " WITH OPTIONS = {{{options}}}");
    }
    out.push(';');
    out
}

/// The user-defined types in the columns of a table, those that others hold before them.
pub fn needed_types(table: &TableSchema) -> Vec<Arc<UserType>> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    for column in table.columns() {
        collect_types(column.ty, &mut seen, &mut found);
    }
    for dropped in &table.dropped {
        collect_types(&dropped.column.ty, &mut seen, &mut found);
    }
    found
}

fn collect_types(
    ty: &CqlType,
    seen: &mut HashSet<(String, String)>,
    found: &mut Vec<Arc<UserType>>,
) {
    match ty {
        CqlType::List { element, .. }
        | CqlType::Set { element, .. }
        | CqlType::Vector { element, .. }
        | CqlType::Reversed(element) => collect_types(element, seen, found),
        CqlType::Map { key, value, .. } => {
            collect_types(key, seen, found);
            collect_types(value, seen, found);
        }
        CqlType::Tuple(types) | CqlType::Composite(types) => {
            types.iter().for_each(|ty| collect_types(ty, seen, found));
        }
        CqlType::Udt { definition, .. } => {
            let name = (definition.keyspace.clone(), definition.name.clone());
            if seen.insert(name) {
                let fields = definition.fields.iter();
                fields.for_each(|(_, ty)| collect_types(ty, seen, found));
                found.push(definition.clone());
            }
        }
        _ => {}
    }
}

/// The lines between the parentheses of `CREATE TABLE`.
fn column_lines(table: &TableSchema) -> Vec<String> {
    let is_static_compact = table.is_static_compact();
    let dropped: HashSet<&str> = table.dropped.iter().map(|d| &*d.column.name).collect();
    let shown = |c: &ColumnRef<'_>| !table.is_hidden(c) && !dropped.contains(&**c.name);
    let is_simple_key = table.partition_key.len() == 1 && table.clustering.is_empty();
    let mut lines = Vec::new();
    for column in table.columns().filter(shown) {
        let is_static = column.kind == ColumnKind::Static && !is_static_compact;
        let mut line = column_text(column.name, column.ty, is_static);
        if is_simple_key && column.kind == ColumnKind::PartitionKey {
            line.push_str(" PRIMARY KEY");
        }
        lines.push(line);
    }
    for dropped in &table.dropped {
        let is_static = dropped.is_static && !is_static_compact;
        lines.push(column_text(
            &dropped.column.name,
            &dropped.column.ty,
            is_static,
        ));
    }
    if !is_simple_key {
        let names = |columns: &[Column]| -> Vec<String> {
            columns.iter().map(|c| quote_name(&c.name)).collect()
        };
        let mut key = vec![match &*names(&table.partition_key) {
            [one] => one.clone(),
            several => format!("({})", several.join(", ")),
        }];
        if !is_static_compact {
            key.extend(table.clustering.iter().map(|c| quote_name(&c.name)));
        }
        lines.push(format!("PRIMARY KEY ({})", key.join(", ")));
    }
    lines
}

fn column_text(name: &str, ty: &CqlType, is_static: bool) -> String {
    let word = if is_static { " static" } else { "" };
    format!("{} {}{word}", quote_name(name), ty.cql_name())
}

fn option_texts(table: &TableSchema) -> Vec<String> {
    let options = &table.options;
    let mut texts = options.other.clone();
    // A view has no time to live of its own.
    if table.kind != TableKind::View {
        let ttl = options.default_time_to_live.to_string();
        texts.push(("default_time_to_live".into(), ttl));
    }
    let grace = options.gc_grace_seconds.to_string();
    texts.push(("gc_grace_seconds".into(), grace));
    let rank = |name: &str| OPTION_ORDER.iter().position(|o| *o == name);
    texts.sort_by_key(|(name, _)| rank(name).unwrap_or(OPTION_ORDER.len()));
    let texts = texts.into_iter();
    texts
        .map(|(name, value)| format!("{} = {value}", quote_name(&name)))
        .collect()
}

/// A UUID as it is written in CQL.
pub(crate) fn uuid_text(bytes: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        _ = write!(text, "{byte:02x}");
    }
    text
}
