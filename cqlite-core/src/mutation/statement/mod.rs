//! `INSERT`, `UPDATE`, `DELETE` and `BATCH` as changes of partitions.
//!
//! Authority: `o.a.c.cql3.statements.{UpdateStatement,DeleteStatement,BatchStatement,ModificationStatement}`,
//! `o.a.c.cql3.{Operation,Constants,Lists,Sets,Maps,UserTypes}`.

mod column;

use self::column::Named;
use super::draft::{Draft, deletion};
use super::insert::{Insert, Value, add_compact_value, add_rows, visible_column};
use super::{TimeUuids, WriteTime, check_ttl, check_writable, key};
use crate::cql::ast::{
    self, DeleteTarget, Expr, InsertSource, Modification, QualifiedName, Relation, Statement, Using,
};
use crate::merge::OwnedRow;
use crate::model::{DeletionTime, RowRef, Slice};
use crate::partitioner::Partitioner;
use crate::query::{self, Changing, TargetRows, Targets, evaluate_term};
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
        let mut columns = Vec::new();
        for assignment in &update.assignments {
            columns.push(Named::of(&table, &assignment.column)?);
        }
        let only_statics = columns.iter().all(|column| column.is_static);
        let changing = Changing {
            only_statics,
            slices: false,
        };
        let targets = self.targets(&update.relations, changing, &when)?;
        self.change_rows(targets, |this| {
            for (column, assignment) in columns.iter().zip(&update.assignments) {
                this.assign(column, &assignment.change, &when)?;
            }
            match table.is_compact && !only_statics && this.row.is_empty() {
                true => add_compact_value(&table, &mut this.row, &when),
                false => Ok(()),
            }
        })
    }

    fn delete(&mut self, delete: &ast::Delete, when: &WriteTime) -> Result<()> {
        self.check_table(&delete.table)?;
        let when = self.when(&delete.using, when)?;
        let table = self.table.clone();
        let mut columns = Vec::new();
        for target in &delete.targets {
            let (DeleteTarget::Column(name)
            | DeleteTarget::Element { column: name, .. }
            | DeleteTarget::Field { column: name, .. }) = target;
            columns.push(Named::of(&table, name)?);
        }
        let changing = Changing {
            only_statics: !columns.is_empty() && columns.iter().all(|column| column.is_static),
            slices: true,
        };
        let targets = self.targets(&delete.relations, changing, &when)?;
        if !columns.is_empty() {
            let is_whole = matches!(targets.rows, TargetRows::All) && !table.clustering.is_empty();
            if is_whole && !changing.only_statics {
                return Err(of_a_range());
            }
            return self.change_rows(targets, |this| {
                let mut deletes = columns.iter().zip(&delete.targets);
                deletes.try_for_each(|(column, target)| this.delete_target(column, target, &when))
            });
        }
        let time = deletion(&when);
        match &targets.rows {
            TargetRows::All => {
                for partition in &targets.partitions {
                    self.changes.delete_partition(partition, time)?;
                }
                Ok(())
            }
            TargetRows::Slices(slices) => {
                for partition in &targets.partitions {
                    for slice in slices {
                        self.changes.delete_range(partition, slice, time)?;
                    }
                }
                Ok(())
            }
            TargetRows::Rows(_) => self.change_rows(targets, |this| match table.is_compact {
                true => this.row.add_tombstone(0, None, &when),
                false => {
                    this.row.delete_row(&when);
                    Ok(())
                }
            }),
        }
    }

    /// What `WHERE` names.
    fn targets(
        &self,
        relations: &[Relation],
        changing: Changing,
        when: &WriteTime,
    ) -> Result<Targets> {
        let table = &self.table;
        let targets = query::targets(relations, table, changing, when.now)?;
        let check = |(i, value): (usize, Option<&[u8]>)| key::clustering(table, i, value).map(drop);
        match &targets.rows {
            TargetRows::All => {}
            TargetRows::Rows(rows) => {
                for row in rows {
                    let values = row.iter().map(|value| Some(value.as_slice()));
                    values.enumerate().try_for_each(check)?;
                }
            }
            TargetRows::Slices(slices) => {
                for bound in slices.iter().flat_map(|slice| [&slice.start, &slice.end]) {
                    let values = bound.values.iter().map(Option::as_deref);
                    values.enumerate().try_for_each(check)?;
                }
            }
        }
        Ok(targets)
    }

    /// Puts each row together, and the static one that goes with it, as `change` does it.
    fn change_rows(
        &mut self,
        targets: Targets,
        change: impl Fn(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let rows = match targets.rows {
            TargetRows::All => vec![Vec::new()],
            TargetRows::Rows(rows) => rows,
            TargetRows::Slices(_) => return Err(of_a_range()),
        };
        let table = self.table.clone();
        for partition in &targets.partitions {
            for row in &rows {
                self.row.clear(false);
                for value in row {
                    self.row.push_clustering(Some(value))?;
                }
                self.static_row.clear(true);
                change(self)?;
                let rows = [&mut self.static_row, &mut self.row];
                add_rows(&table, partition, rows, &mut self.changes)?;
            }
        }
        Ok(())
    }
}

#[cold]
fn of_a_range() -> Error {
    Error::invalid("columns of a range of rows cannot be deleted")
}
