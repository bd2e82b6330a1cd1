//! `DESCRIBE`: what is defined, as the statements that define it.
//!
//! Authority: `o.a.c.cql3.statements.DescribeStatement`, for what can be asked; `cqlsh`, for how it is asked.

use cqlite_core::cql::quote_name;
use cqlite_core::schema::system::KeyspaceOptions;
use cqlite_core::schema::{
    Schema, TableSchema, describe_index, describe_keyspace, describe_table, describe_type,
};
use cqlite_core::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// What is said of keyspaces, as far as it is known.
pub type Keyspaces = BTreeMap<String, KeyspaceOptions>;

/// The answer to the words behind `DESCRIBE`, of a schema, in a keyspace.
///
/// # Errors
/// `NotFound` for what is not defined, `InvalidInput` for what cannot be asked.
pub fn answer(
    words: &[&str],
    (schema, options): (&Schema, &Keyspaces),
    keyspace: Option<&str>,
) -> Result<String> {
    let upper: Vec<String> = words.iter().map(|word| word.to_ascii_uppercase()).collect();
    let upper: Vec<&str> = upper.iter().map(String::as_str).collect();
    match (&upper[..], words) {
        (["KEYSPACES"], _) => Ok(lines(keyspaces(schema).iter().map(|name| quote_name(name)))),
        (["TABLES"], _) => Ok(tables(schema, keyspace)),
        (["TYPES"], _) => {
            let of = |ks: &str| keyspace.is_none_or(|keyspace| *keyspace == *ks);
            let types = schema.types.iter().filter(|ty| of(&ty.keyspace));
            Ok(lines(types.map(|ty| {
                format!("{}.{}", quote_name(&ty.keyspace), quote_name(&ty.name))
            })))
        }
        ([] | ["SCHEMA"] | ["FULL", "SCHEMA"], _) => Ok(all(schema, options, None)),
        (["KEYSPACE"], _) => match keyspace {
            Some(keyspace) => of_keyspace(schema, options, keyspace),
            None => Err(Error::invalid("no keyspace is in use").advise("USE one, or name it")),
        },
        (["KEYSPACE", _], [_, name]) => of_keyspace(schema, options, &folded(name)),
        (["TABLE", _], [_, name]) => of_table(schema, name, keyspace),
        (["TYPE", _], [_, name]) => of_type(schema, name, keyspace),
        ([_], [name]) => {
            if keyspaces(schema).contains(&folded(name)) {
                return of_keyspace(schema, options, &folded(name));
            }
            of_table(schema, name, keyspace).or_else(|e| of_type(schema, name, keyspace).map_err(|_| e))
        }
        _ => Err(Error::invalid("that cannot be described").advise(
            "DESCRIBE KEYSPACES, TABLES, TYPES, SCHEMA, KEYSPACE name, TABLE name, TYPE name, or a name",
        )),
    }
}

/// The names of tables, a line each.
pub fn tables(schema: &Schema, keyspace: Option<&str>) -> String {
    let of = |ks: &str| keyspace.is_none_or(|keyspace| *keyspace == *ks);
    let names = schema.tables.iter().filter(|table| of(&table.keyspace));
    lines(names.map(TableSchema::full_name))
}

/// The statements that define all of a keyspace, or of all.
fn all(schema: &Schema, options: &Keyspaces, keyspace: Option<&str>) -> String {
    let of = |ks: &str| keyspace.is_none_or(|keyspace| *keyspace == *ks);
    let named = options.iter().filter(|(name, _)| of(name));
    let mut parts: Vec<String> = named
        .map(|(name, options)| describe_keyspace(name, options))
        .collect();
    let types = schema.types.iter().filter(|ty| of(&ty.keyspace));
    parts.extend(types.map(|ty| describe_type(ty)));
    for table in schema.tables.iter().filter(|table| of(&table.keyspace)) {
        parts.push(described(schema, table));
    }
    parts
        .iter()
        .map(|part| format!("{}\n\n", part.trim_end()))
        .collect()
}

fn described(schema: &Schema, table: &TableSchema) -> String {
    let mut text = describe_table(table);
    for index in schema.indexes_of(table) {
        text.push_str("\n\n");
        text.push_str(&describe_index(&index));
    }
    text
}

fn lines(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.iter().map(|name| format!("{name}\n")).collect()
}

/// The names of all keyspaces.
pub fn keyspaces(schema: &Schema) -> BTreeSet<String> {
    let of_tables = schema.tables.iter().map(|table| table.keyspace.clone());
    schema.keyspaces.iter().cloned().chain(of_tables).collect()
}

/// A name as it was written, without its quotes.
fn folded(name: &str) -> String {
    match name
        .strip_prefix('"')
        .and_then(|name| name.strip_suffix('"'))
    {
        Some(inside) => inside.replace("\"\"", "\""),
        None => name.to_ascii_lowercase(),
    }
}

/// Keyspace and name.
fn split(name: &str, keyspace: Option<&str>) -> (Option<String>, String) {
    match name.split_once('.') {
        Some((keyspace, name)) => (Some(folded(keyspace)), folded(name)),
        None => (keyspace.map(str::to_owned), folded(name)),
    }
}

fn of_keyspace(schema: &Schema, options: &Keyspaces, keyspace: &str) -> Result<String> {
    match keyspaces(schema).contains(keyspace) {
        true => Ok(all(schema, options, Some(keyspace))),
        false => Err(Error::not_found(format!(
            "there is no keyspace {}",
            quote_name(keyspace)
        ))),
    }
}

fn of_table(schema: &Schema, name: &str, keyspace: Option<&str>) -> Result<String> {
    let (keyspace, name) = split(name, keyspace);
    let table = schema.find(keyspace.as_deref(), &name)?;
    Ok(described(schema, table) + "\n")
}

fn of_type(schema: &Schema, name: &str, keyspace: Option<&str>) -> Result<String> {
    let (keyspace, name) = split(name, keyspace);
    let is_it = |ks: &str| keyspace.as_deref().is_none_or(|keyspace| *keyspace == *ks);
    let mut types = schema.types.iter();
    let found = types.find(|ty| ty.name == name && is_it(&ty.keyspace));
    match found {
        Some(ty) => Ok(describe_type(ty) + "\n"),
        None => Err(Error::not_found(format!(
            "there is no type {}",
            quote_name(&name)
        ))),
    }
}
