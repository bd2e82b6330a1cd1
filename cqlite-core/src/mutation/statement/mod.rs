//! `INSERT`, `UPDATE`, `DELETE` and `BATCH` as changes of partitions.
//!
//! Authority: `o.a.c.cql3.statements.{UpdateStatement,DeleteStatement,BatchStatement,ModificationStatement}`,
//! `o.a.c.cql3.{Operation,Constants,Lists,Sets,Maps,UserTypes}`.

mod restrict;

use super::draft::{Draft, deletion};
use super::insert::{Insert, Value, add_compact_value, visible_column};
use super::{TimeUuids, WriteTime, check_ttl, check_writable};
use crate::cql::ast::{
    self, Change, DeleteTarget, Expr, InsertSource, Modification, QualifiedName, Statement, Using,
};
use crate::merge::OwnedRow;
use crate::model::{DeletionTime, RowRef, Slice};
use crate::partitioner::Partitioner;
use crate::query::evaluate_term;
use crate::schema::{ColumnKind, TableSchema};
use crate::sstable::builder::ChangeSink;
use crate::types::{CqlType, Json, json_column_name};
use crate::{Error, Result};
use std::sync::Arc;

/// Carries out the statements of one table.
#[derive(Debug)]
pub struct Modifier {
    table: Arc<TableSchema>,
    ids: TimeUuids,
    changes: Changes,
    row: Draft,
    static_row: Draft,
}

/// What a statement changes, kept until all of it is known to be right.
#[derive(Debug, Default)]
struct Changes {
    list: Vec<(Vec<u8>, Changed)>,
}

#[derive(Debug)]
enum Changed {
    Partition(DeletionTime),
    Row(OwnedRow),
    Range(Slice, DeletionTime),
}

impl ChangeSink for Changes {
    fn delete_partition(&mut self, key: &[u8], deletion: DeletionTime) -> Result<()> {
        self.list.push((key.to_vec(), Changed::Partition(deletion)));
        Ok(())
    }

    fn add_row(&mut self, key: &[u8], row: RowRef<'_>) -> Result<()> {
        let row = OwnedRow::of(row);
        self.list.push((key.to_vec(), Changed::Row(row)));
        Ok(())
    }

    fn delete_range(&mut self, key: &[u8], slice: &Slice, deletion: DeletionTime) -> Result<()> {
        let changed = Changed::Range(slice.clone(), deletion);
        self.list.push((key.to_vec(), changed));
        Ok(())
    }
}

impl Modifier {
    /// Of a table's statements.
    ///
    /// # Errors
    /// `Unsupported` for a counter table.
    pub fn new(table: Arc<TableSchema>, ids: TimeUuids) -> Result<Self> {
        check_writable(&table)?;
        Ok(Modifier {
            table,
            ids,
            changes: Changes::default(),
            row: Draft::default(),
            static_row: Draft::default(),
        })
    }

    /// Carries a statement out. `when` holds for what it does not say itself.
    ///
    /// # Errors
    /// `InvalidInput` and `NotFound` for what does not fit the table; `Unsupported` for what would have to read it, and
    /// for statements that change no rows; those of the sink, before which nothing has been added.
    pub fn execute(
        &mut self,
        statement: &Statement,
        when: &WriteTime,
        sink: &mut impl ChangeSink,
    ) -> Result<()> {
        self.changes.list.clear();
        match statement {
            Statement::Modification(modification) => self.modify(modification, when)?,
            Statement::Batch(batch) => {
                let inner = batch.statements.iter().map(|m| match m {
                    Modification::Insert(m) => &m.using,
                    Modification::Update(m) => &m.using,
                    Modification::Delete(m) => &m.using,
                });
                let mut inner = inner.filter(|using| using.timestamp.is_some());
                if batch.using.timestamp.is_some() && inner.next().is_some() {
                    return Err(Error::invalid(
                        "a timestamp stands at the batch and at one of its statements",
                    ));
                }
                let when = self.when(&batch.using, when)?;
                for modification in &batch.statements {
                    self.modify(modification, &when)?;
                }
            }
            Statement::Select(_) | Statement::Use(_) => {
                return Err(Error::unsupported("the statement changes no rows")
                    .advise("INSERT, UPDATE, DELETE and BATCH do"));
            }
        }
        for (key, changed) in self.changes.list.drain(..) {
            match changed {
                Changed::Partition(deletion) => sink.delete_partition(&key, deletion)?,
                Changed::Row(row) => sink.add_row(&key, row.get())?,
                Changed::Range(slice, deletion) => sink.delete_range(&key, &slice, deletion)?,
            }
        }
        Ok(())
    }

    fn modify(&mut self, modification: &Modification, when: &WriteTime) -> Result<()> {
        match modification {
            Modification::Insert(insert) => self.insert(insert, when),
            Modification::Update(update) => self.update(update, when),
            Modification::Delete(delete) => self.delete(delete, when),
        }
    }

    fn check_table(&self, name: &QualifiedName) -> Result<()> {
        let table = &self.table;
        let keyspace = name.keyspace.as_ref();
        match name.name == table.name && keyspace.is_none_or(|ks| *ks == table.keyspace) {
            true => Ok(()),
            false => Err(Error::invalid(format!(
                "the statement changes {name}, not {}",
                table.full_name()
            ))),
        }
    }

    /// When a statement with this `USING` writes.
    fn when(&self, using: &Using, when: &WriteTime) -> Result<WriteTime> {
        let mut when = *when;
        if let Some(expr) = &using.timestamp {
            let value = self.term(expr, &CqlType::BigInt, when.now, "the timestamp")?;
            let value = value.and_then(|v| v.try_into().ok());
            let value = value.ok_or_else(|| Error::invalid("the timestamp is null"))?;
            when.timestamp = i64::from_be_bytes(value);
        }
        if let Some(expr) = &using.ttl {
            let value = self.term(expr, &CqlType::Int, when.now, "the TTL")?;
            let value = value.and_then(|v| v.try_into().ok());
            when.ttl = check_ttl(value.map_or(0, i32::from_be_bytes).into())?;
        }
        when.check()?;
        Ok(when)
    }

    /// The value of a term; `what` says what for.
    fn term(&self, expr: &Expr, ty: &CqlType, now: i64, what: &str) -> Result<Option<Vec<u8>>> {
        evaluate_term(expr, ty, &self.table, &Partitioner::Murmur3, now, what)
    }

    fn column_term(
        &self,
        expr: &Expr,
        ty: &CqlType,
        column: &str,
        now: i64,
    ) -> Result<Option<Vec<u8>>> {
        self.term(expr, ty, now, &format!("the column `{column}`"))
    }

    fn insert(&mut self, insert: &ast::Insert, when: &WriteTime) -> Result<()> {
        self.check_table(&insert.table)?;
        let when = self.when(&insert.using, when)?;
        let mut columns: Vec<String> = Vec::new();
        let mut values: Vec<Option<Vec<u8>>> = Vec::new();
        match &insert.source {
            InsertSource::Values {
                columns: names,
                values: terms,
            } => {
                for (name, term) in names.iter().zip(terms) {
                    let ty = visible_column(&self.table, name)?.ty;
                    values.push(self.column_term(term, ty, name, when.now)?);
                }
                columns.clone_from(names);
            }
            InsertSource::Json {
                text,
                default_unset,
            } => {
                let Json::Object(members) = Json::parse(text)? else {
                    return Err(Error::invalid("the JSON is no object"));
                };
                for (written, member) in &members {
                    let name = json_column_name(written);
                    let ty = visible_column(&self.table, &name)?.ty;
                    let value = ty.from_json(member, when.now.saturating_mul(1000));
                    let value = value.map_err(|e| {
                        Error::invalid(format!("the column `{name}`: {}", e.message()))
                    })?;
                    // Of a name that is there twice the last value counts.
                    if let Some(i) = columns.iter().position(|c| *c == name) {
                        columns.remove(i);
                        values.remove(i);
                    }
                    columns.push(name);
                    values.push(value);
                }
                if !default_unset {
                    for column in self.table.select_order() {
                        let is_key = matches!(
                            column.kind,
                            ColumnKind::PartitionKey | ColumnKind::Clustering
                        );
                        if !is_key && !columns.iter().any(|c| **c == **column.name) {
                            columns.push(column.name.to_string());
                            values.push(None);
                        }
                    }
                }
            }
        }
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        let bound: Vec<Value<'_>> = values
            .iter()
            .map(|v| v.as_deref().map_or(Value::Null, Value::Bytes))
            .collect();
        let mut prepared = Insert::new(self.table.clone(), &names, self.ids.clone())?;
        prepared.add(&bound, &when, &mut self.changes)?;
        self.ids = prepared.into_ids();
        Ok(())
    }

    fn update(&mut self, update: &ast::Update, when: &WriteTime) -> Result<()> {
        self.check_table(&update.table)?;
        let when = self.when(&update.using, when)?;
        let table = self.table.clone();
        let key = self.key_of(&update.relations, &when)?;
        let mut has_regulars = false;
        self.row.clear(false);
        self.static_row.clear(true);
        let rows = key.rows(&table)?;
        for assignment in &update.assignments {
            let column = visible_column(&table, &assignment.column)?;
            match column.kind {
                ColumnKind::Static => {}
                ColumnKind::Regular => has_regulars = true,
                _ => {
                    return Err(Error::invalid(format!(
                        "the column `{}` is of the primary key, and cannot be set",
                        assignment.column
                    )));
                }
            }
        }
        if has_regulars
            && key.clustering.len() < table.clustering.len()
            && !table.is_static_compact()
        {
            let missing = &table.clustering[key.clustering.len()].name;
            return Err(Error::invalid(format!(
                "the clustering column `{missing}` has no value"
            )));
        }
        if !has_regulars && !key.clustering.is_empty() {
            return Err(Error::invalid(
                "static columns alone are set, and WHERE names clustering columns",
            ));
        }
        if key.lower.is_some() || key.upper.is_some() {
            return Err(Error::invalid("an UPDATE changes single rows, not ranges"));
        }
        for partition in key.partitions(&table)? {
            for row in &rows {
                self.row.clear(false);
                for value in row {
                    self.row.push_clustering(Some(value))?;
                }
                self.static_row.clear(true);
                for assignment in &update.assignments {
                    self.assign(&table, assignment, &when)?;
                }
                if table.is_compact && has_regulars && self.row.is_empty() {
                    add_compact_value(&table, &mut self.row, &when)?;
                }
                if !self.static_row.is_empty() {
                    let row = self.static_row.finish(&table.statics);
                    self.changes.add_row(&partition, row)?;
                }
                if has_regulars && !self.row.is_empty() {
                    let row = self.row.finish(&table.regulars);
                    self.changes.add_row(&partition, row)?;
                }
            }
        }
        Ok(())
    }

    fn assign(
        &mut self,
        table: &TableSchema,
        assignment: &ast::Assignment,
        when: &WriteTime,
    ) -> Result<()> {
        let name = &assignment.column;
        let column = visible_column(table, name)?;
        let (ty, number) = (column.ty, column.index);
        let is_static = column.kind == ColumnKind::Static;
        let refuse = |what: &str| {
            Error::invalid(format!(
                "the column `{name}` is of type {}: {what}",
                ty.cql_name()
            ))
        };
        let needs_read = || {
            Error::unsupported(format!(
                "the column `{name}`: elements of a list are found by reading it, which is not done"
            ))
            .advise("set the whole list")
        };
        let multi = ty.is_multi_cell();
        match &assignment.change {
            Change::Set(expr) => {
                let value = self.column_term(expr, ty, name, when.now)?;
                let row = pick(&mut self.row, &mut self.static_row, is_static);
                row.set(number, ty, value.as_deref(), when, &mut self.ids)
            }
            Change::Add(expr) | Change::Prepend(expr) if multi => {
                let prepends = matches!(assignment.change, Change::Prepend(_));
                match ty {
                    CqlType::List { .. } => {}
                    CqlType::Set { .. } | CqlType::Map { .. } if !prepends => {}
                    _ => return Err(refuse("nothing can be added to it so")),
                }
                let Some(value) = self.column_term(expr, ty, name, when.now)? else {
                    return Ok(());
                };
                let row = pick(&mut self.row, &mut self.static_row, is_static);
                if !prepends {
                    let ids = &mut self.ids;
                    return row.add_elements(number, ty, &value, when, |_| ids.after_all());
                }
                let count = value.first_chunk().map_or(0, |c| i32::from_be_bytes(*c));
                let mut paths: Vec<[u8; 16]> = (0..count).map(|_| self.ids.before_all()).collect();
                // The last one made is the first in order.
                paths.reverse();
                row.add_elements(number, ty, &value, when, |i| paths[i])
            }
            Change::Subtract(expr) if multi => {
                let keys = match ty {
                    CqlType::Set { element, .. } => element,
                    CqlType::Map { key, .. } => key,
                    CqlType::List { .. } => return Err(needs_read()),
                    _ => return Err(refuse("nothing can be taken from it")),
                };
                let set = CqlType::Set {
                    element: keys.clone(),
                    frozen: false,
                };
                let Some(value) = self.column_term(expr, &set, name, when.now)? else {
                    return Ok(());
                };
                let row = pick(&mut self.row, &mut self.static_row, is_static);
                let mut keys = Draft::default();
                keys.add_elements(number, &set, &value, when, |_| [0; 16])?;
                for cell in keys.finish(&[]).cells() {
                    row.add_tombstone(number, cell.path, when)?;
                }
                Ok(())
            }
            Change::SetElement { key, value } if multi => match ty {
                CqlType::Map {
                    key: key_type,
                    value: value_type,
                    ..
                } => {
                    let key = self.column_term(key, key_type, name, when.now)?;
                    let key = key.ok_or_else(|| refuse("a key cannot be null"))?;
                    let value = self.column_term(value, value_type, name, when.now)?;
                    let row = pick(&mut self.row, &mut self.static_row, is_static);
                    match value {
                        Some(value) => row.add_cell(number, Some(&key), &value, when),
                        None => row.add_tombstone(number, Some(&key), when),
                    }
                }
                CqlType::List { .. } => Err(needs_read()),
                _ => Err(refuse("it has no elements that can be set")),
            },
            Change::SetField { field, value } if multi => {
                let (path, field_type) = field_of(ty, field)
                    .ok_or_else(|| refuse(&format!("it has no field `{field}`")))?;
                let value = self.column_term(value, field_type, name, when.now)?;
                let row = pick(&mut self.row, &mut self.static_row, is_static);
                match value {
                    Some(value) => row.add_cell(number, Some(&path), &value, when),
                    None => row.add_tombstone(number, Some(&path), when),
                }
            }
            _ => Err(refuse("it is one value, and can only be set as a whole")),
        }
    }

    fn delete(&mut self, delete: &ast::Delete, when: &WriteTime) -> Result<()> {
        self.check_table(&delete.table)?;
        let when = self.when(&delete.using, when)?;
        let table = self.table.clone();
        let key = self.key_of(&delete.relations, &when)?;
        let partitions = key.partitions(&table)?;
        let is_range = key.lower.is_some() || key.upper.is_some();
        if delete.targets.is_empty() {
            let time = deletion(&when);
            for partition in &partitions {
                if key.clustering.is_empty() && !is_range {
                    self.changes.delete_partition(partition, time)?;
                    continue;
                }
                for values in key.rows(&table)? {
                    if is_range || values.len() < table.clustering.len() {
                        let slice = key.slice(&table, &values)?;
                        self.changes.delete_range(partition, &slice, time)?;
                        continue;
                    }
                    self.row.clear(false);
                    for value in &values {
                        self.row.push_clustering(Some(value))?;
                    }
                    match table.is_compact {
                        true => self.row.add_tombstone(0, None, &when)?,
                        false => self.row.delete_row(&when),
                    }
                    let row = self.row.finish(&table.regulars);
                    self.changes.add_row(partition, row)?;
                }
            }
            return Ok(());
        }
        if is_range {
            return Err(Error::invalid(
                "columns of a range of rows cannot be deleted",
            ));
        }
        let rows = key.rows(&table)?;
        let mut has_regulars = false;
        for target in &delete.targets {
            let (DeleteTarget::Column(name)
            | DeleteTarget::Element { column: name, .. }
            | DeleteTarget::Field { column: name, .. }) = target;
            let kind = visible_column(&table, name)?.kind;
            if matches!(kind, ColumnKind::PartitionKey | ColumnKind::Clustering) {
                return Err(Error::invalid(format!(
                    "the column `{name}` is of the primary key, and cannot be deleted"
                )));
            }
            has_regulars |= kind == ColumnKind::Regular;
        }
        let full = key.clustering.len() == table.clustering.len();
        if has_regulars && !full {
            return Err(Error::invalid(
                "columns of a range of rows cannot be deleted",
            ));
        }
        if !has_regulars && !key.clustering.is_empty() {
            return Err(Error::invalid(
                "static columns alone are deleted, and WHERE names clustering columns",
            ));
        }
        for partition in &partitions {
            for values in &rows {
                self.row.clear(false);
                for value in values {
                    self.row.push_clustering(Some(value))?;
                }
                self.static_row.clear(true);
                for target in &delete.targets {
                    self.delete_target(&table, target, &when)?;
                }
                if !self.static_row.is_empty() {
                    let row = self.static_row.finish(&table.statics);
                    self.changes.add_row(partition, row)?;
                }
                if !self.row.is_empty() {
                    let row = self.row.finish(&table.regulars);
                    self.changes.add_row(partition, row)?;
                }
            }
        }
        Ok(())
    }

    fn delete_target(
        &mut self,
        table: &TableSchema,
        target: &DeleteTarget,
        when: &WriteTime,
    ) -> Result<()> {
        let (DeleteTarget::Column(name)
        | DeleteTarget::Element { column: name, .. }
        | DeleteTarget::Field { column: name, .. }) = target;
        let column = visible_column(table, name)?;
        let (ty, number) = (column.ty, column.index);
        let is_static = column.kind == ColumnKind::Static;
        let refuse = |what: &str| {
            Error::invalid(format!(
                "the column `{name}` is of type {}: {what}",
                ty.cql_name()
            ))
        };
        let path = match target {
            DeleteTarget::Column(_) => {
                let row = pick(&mut self.row, &mut self.static_row, is_static);
                if ty.is_multi_cell() {
                    row.delete_elements(number, deletion(when));
                    return Ok(());
                }
                return row.add_tombstone(number, None, when);
            }
            _ if !ty.is_multi_cell() => {
                return Err(refuse(
                    "it is one value, and can only be deleted as a whole",
                ));
            }
            DeleteTarget::Element { key, .. } => {
                let key_type = match ty {
                    CqlType::Map { key, .. } => key,
                    CqlType::Set { element, .. } => element,
                    CqlType::List { .. } => {
                        return Err(Error::unsupported(format!(
                            "the column `{name}`: elements of a list are found by reading it, which is not done"
                        )));
                    }
                    _ => return Err(refuse("it has no elements")),
                };
                let key = self.column_term(key, key_type, name, when.now)?;
                key.ok_or_else(|| refuse("a key cannot be null"))?
            }
            DeleteTarget::Field { field, .. } => {
                let (path, _) = field_of(ty, field)
                    .ok_or_else(|| refuse(&format!("it has no field `{field}`")))?;
                path.to_vec()
            }
        };
        let row = pick(&mut self.row, &mut self.static_row, is_static);
        row.add_tombstone(number, Some(&path), when)
    }
}

fn pick<'d>(row: &'d mut Draft, static_row: &'d mut Draft, is_static: bool) -> &'d mut Draft {
    match is_static {
        true => static_row,
        false => row,
    }
}

/// Path and type of a field of a user type.
fn field_of<'t>(ty: &'t CqlType, field: &str) -> Option<([u8; 2], &'t CqlType)> {
    let CqlType::Udt { definition, .. } = ty else {
        return None;
    };
    let i = definition
        .fields
        .iter()
        .position(|(name, _)| name == field)?;
    Some(((i as u16).to_be_bytes(), &definition.fields[i].1))
}
