//! What `CREATE MATERIALIZED VIEW` makes.
//!
//! Authority: `o.a.c.cql3.statements.schema.CreateViewStatement`.

use super::table::{clustering_order, table_options};
use crate::cql::ddl::CreateView;
use crate::error::{Error, Result};
use crate::schema::user_types::TypeKey;
use crate::schema::{
    ClusteringColumn, Column, KeyNames, Schema, TableKind, TableSchema, UntypedView,
};
use std::collections::BTreeMap;

/// Adds a view, with the types of its base table if that is there. `broken` are the tables that are defined, but cannot be
/// used.
pub(super) fn build_view(
    schema: &mut Schema,
    key: &TypeKey,
    view: CreateView,
    broken: &BTreeMap<TypeKey, (usize, Error)>,
) -> Result<()> {
    let (keyspace, name) = key.clone();
    let (id, options) = table_options(&view.properties.options)?;
    let descending = clustering_order(&view.properties, &view.clustering, false)?;
    let names = KeyNames {
        partition_key: view.partition_key,
        clustering: view.clustering,
    };
    let of_keyspace = view.base.keyspace.as_deref().unwrap_or(&keyspace);
    if let Some((_, error)) = broken.get(&(of_keyspace.to_owned(), view.base.name.clone())) {
        return Err(error.clone().within("its base table"));
    }
    let Some(base) = schema.table(of_keyspace, &view.base.name) else {
        schema.untyped_views.push(UntypedView {
            keyspace,
            name,
            id,
            key: names,
            options,
        });
        return Ok(());
    };
    let column = |name: &String| match base.column(name) {
        Some(column) => Ok(Column {
            name: column.name.clone(),
            ty: column.ty.clone(),
        }),
        None => Err(Error::invalid(format!(
            "table {} has no column `{name}`",
            base.full_name()
        ))),
    };
    let is_key = |name: &str| {
        let mut key = names.partition_key.iter().chain(&names.clustering);
        key.any(|key| key == name)
    };
    let partition_key = names.partition_key.iter().map(column);
    let partition_key = partition_key.collect::<Result<Vec<_>>>()?;
    let mut clustering = Vec::with_capacity(names.clustering.len());
    for (name, descending) in names.clustering.iter().zip(descending) {
        let Column { name, ty } = column(name)?;
        clustering.push(ClusteringColumn {
            name,
            ty,
            descending,
        });
    }
    let mut regulars = match &view.columns {
        Some(columns) => {
            let regulars = columns.iter().filter(|name| !is_key(name));
            regulars.map(column).collect::<Result<Vec<_>>>()?
        }
        None => base
            .columns()
            .filter(|c| !is_key(c.name))
            .map(|c| Column {
                name: c.name.clone(),
                ty: c.ty.clone(),
            })
            .collect(),
    };
    TableSchema::into_storage_order(&mut regulars);
    let mut table = TableSchema {
        keyspace,
        name,
        id,
        kind: TableKind::View,
        partition_key,
        clustering,
        statics: Vec::new(),
        regulars,
        dropped: Vec::new(),
        is_dense: false,
        is_compact: false,
        strict_liveness: false,
        stored_names: BTreeMap::new(),
        options,
    };
    table.strict_liveness = table.has_key_beyond(base);
    schema.tables.push(table);
    Ok(())
}
