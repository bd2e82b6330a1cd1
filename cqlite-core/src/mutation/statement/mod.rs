//! `INSERT`, `UPDATE`, `DELETE` and `BATCH` as changes of partitions.
//!
//! Authority: `o.a.c.cql3.statements.{UpdateStatement,DeleteStatement,BatchStatement,ModificationStatement}`,
//! `o.a.c.cql3.{Operation,Constants,Lists,Sets,Maps,UserTypes}`.

mod column;

use self::column::Named;
use super::changes::Changes;
use super::draft::{Draft, deletion};
use super::insert::{Insert, Value, add_compact_value, add_rows, visible_column};
use super::{TimeUuids, WriteTime, check_ttl, check_writable, key};
use crate::cql::ast::{
    self, Condition, DeleteTarget, Expr, InsertSource, Modification, QualifiedName, Relation,
    Statement, Using,
};
use crate::partitioner::Partitioner;
use crate::query::{self, Changing, TargetRows, Targets, evaluate_term};
use crate::schema::{ColumnKind, TableSchema};
use crate::sstable::builder::ChangeSink;
use crate::table::{Table, View};
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
    held: Held,
    /// Conditions are known to hold.
    is_met: bool,
    /// Where the row is that is put together.
    partition: Vec<u8>,
    clustering: Vec<Vec<u8>>,
}

/// Names of columns, and their values.
type NamedValues = (Vec<String>, Vec<Option<Vec<u8>>>);

/// What a table holds, for what depends on it.
#[derive(Debug)]
pub(crate) enum Held {
    /// It is not known.
    Unknown,
    /// What the table holds when that is needed.
    Now(Arc<Table>),
    /// What it held.
    Then(Arc<View>),
}

impl Held {
    fn view(&self) -> Option<Arc<View>> {
        match self {
            Held::Unknown => None,
            Held::Now(table) => Some(table.view()),
            Held::Then(view) => Some(view.clone()),
        }
    }
}

/// The row that a statement is about, as far as it is about one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Raw partition key.
    pub key: Vec<u8>,
    /// Clustering of the row; `None` if it is about the static one, or the partition.
    pub row: Option<Vec<Vec<u8>>>,
}

impl Modifier {
    /// Of a table's statements.
    ///
    /// # Errors
    /// `Unsupported` for a counter table.
    pub fn new(table: Arc<TableSchema>, ids: TimeUuids) -> Result<Self> {
        check_writable(&table)?;
        Ok(Self::of_any(table, ids))
    }

    /// [`new`](Self::new) of a table that may have counters. What they grow by is left in their cells, 8 bytes each.
    pub(crate) fn of_any(table: Arc<TableSchema>, ids: TimeUuids) -> Self {
        Modifier {
            table,
            ids,
            changes: Changes::default(),
            row: Draft::default(),
            static_row: Draft::default(),
            held: Held::Unknown,
            is_met: false,
            partition: Vec::new(),
            clustering: Vec::new(),
        }
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
        self.prepare(statement, when, Held::Unknown, false)?;
        self.changes.drain_into(sink)
    }

    /// Says what a statement is to change: [`changes`](Self::changes) has that. What depends on what the table holds is read
    /// from `held`; conditions are not looked at if they are known to be met.
    ///
    /// # Errors
    /// As of [`execute`](Self::execute).
    pub(crate) fn prepare(
        &mut self,
        statement: &Statement,
        when: &WriteTime,
        held: Held,
        is_met: bool,
    ) -> Result<()> {
        self.changes.clear();
        self.held = held;
        self.is_met = is_met;
        let done = self.prepare_statement(statement, when);
        self.held = Held::Unknown;
        done
    }

    /// Elements of lists that are appended from here on are behind those of this time, in microseconds since 1970.
    pub(crate) fn advance_to(&mut self, micros: i64) {
        self.ids.advance_to(micros);
    }

    /// What the last statement is to change.
    pub(crate) fn changes(&mut self) -> &mut Changes {
        &mut self.changes
    }

    fn prepare_statement(&mut self, statement: &Statement, when: &WriteTime) -> Result<()> {
        match statement {
            Statement::Modification(modification) => self.modify(modification, when),
            Statement::Batch(batch) => {
                let mut inner = batch.statements.iter().map(Modification::using);
                if batch.using.timestamp.is_some() && inner.any(|using| using.timestamp.is_some()) {
                    return Err(Error::invalid(
                        "a timestamp stands at the batch and at one of its statements",
                    ));
                }
                let when = self.when(&batch.using, when)?;
                batch
                    .statements
                    .iter()
                    .try_for_each(|modification| self.modify(modification, &when))
            }
            Statement::Select(_) | Statement::Use(_) => {
                Err(Error::unsupported("the statement changes no rows")
                    .advise("INSERT, UPDATE, DELETE and BATCH do"))
            }
        }
    }

    /// Which row a statement is about.
    ///
    /// # Errors
    /// `InvalidInput` and `NotFound` as of [`execute`](Self::execute), and where it is about several rows.
    pub(crate) fn place(&mut self, modification: &Modification, when: &WriteTime) -> Result<Place> {
        let targets = match modification {
            Modification::Insert(insert) => {
                let (columns, values) = self.inserted(insert, when)?;
                let table = self.table.clone();
                let value = |name: &str| {
                    let i = columns.iter().position(|column| column == name)?;
                    values[i].as_deref()
                };
                let mut key = Vec::new();
                key::partition_key(&table, |i| value(&table.partition_key[i].name), &mut key)?;
                let clustering = table.clustering.iter().map(|column| value(&column.name));
                let row = match clustering.clone().any(|value| value.is_some()) {
                    false if !table.clustering.is_empty() => None,
                    _ => {
                        let values = clustering.enumerate().map(|(i, value)| {
                            key::clustering(&table, i, value).map(<[u8]>::to_vec)
                        });
                        Some(values.collect::<Result<_>>()?)
                    }
                };
                return Ok(Place { key, row });
            }
            Modification::Update(update) => {
                let (_, changing) = self.updated(update)?;
                self.targets(&update.relations, changing, when)?
            }
            Modification::Delete(delete) => {
                let (_, changing) = self.deleted(delete)?;
                self.targets(&delete.relations, changing, when)?
            }
        };
        let of_several = || {
            Error::invalid("IF is about one row: its whole primary key is told by =, without IN")
        };
        let [key] = &targets.partitions[..] else {
            return Err(of_several());
        };
        let deletes_all =
            matches!(modification, Modification::Delete(delete) if delete.targets.is_empty());
        let row = match &targets.rows {
            TargetRows::All if self.table.clustering.is_empty() => Some(Vec::new()),
            TargetRows::All if deletes_all && *modification.condition() != Condition::None => {
                return Err(of_several());
            }
            TargetRows::All => None,
            TargetRows::Rows(rows) => match &rows[..] {
                [row] => Some(row.clone()),
                _ => return Err(of_several()),
            },
            TargetRows::Slices(_) if *modification.condition() == Condition::None => None,
            TargetRows::Slices(_) => return Err(of_several()),
        };
        Ok(Place {
            key: key.clone(),
            row,
        })
    }

    fn modify(&mut self, modification: &Modification, when: &WriteTime) -> Result<()> {
        if *modification.condition() != Condition::None && !self.is_met {
            return Err(Error::unsupported(
                "a condition depends on what the table holds, which is not read",
            )
            .advise("leave out IF"));
        }
        if self.table.is_counter() {
            let using = modification.using();
            if using.timestamp.is_some() || using.ttl.is_some() {
                return Err(Error::invalid(
                    "counters have neither a timestamp nor a TTL of the statement's own",
                ));
            }
        }
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

    /// Columns and values of an `INSERT`, in its order.
    fn inserted(&self, insert: &ast::Insert, when: &WriteTime) -> Result<NamedValues> {
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
                let text = self.term(text, &CqlType::Text, when.now, "the JSON")?;
                let text = text.unwrap_or_default();
                let text = std::str::from_utf8(&text)
                    .map_err(|_| Error::invalid("the JSON is not UTF-8"))?;
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
        Ok((columns, values))
    }

    fn insert(&mut self, insert: &ast::Insert, when: &WriteTime) -> Result<()> {
        self.check_table(&insert.table)?;
        if self.table.is_counter() {
            return Err(Error::invalid(format!(
                "{} is a counter table: counters are not inserted",
                self.table.full_name()
            ))
            .advise("UPDATE them: SET c = c + 1"));
        }
        let when = self.when(&insert.using, when)?;
        let (columns, values) = self.inserted(insert, &when)?;
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
        let (names, changing) = self.updated(update)?;
        let columns = names.iter().map(|name| Named::of(&table, name));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let only_statics = changing.only_statics;
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
        let (names, changing) = self.deleted(delete)?;
        let columns = names.iter().map(|name| Named::of(&table, name));
        let columns = columns.collect::<Result<Vec<_>>>()?;
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

    /// The columns that an `UPDATE` changes, and what kind of statement it is.
    fn updated<'u>(&self, update: &'u ast::Update) -> Result<(Vec<&'u str>, Changing)> {
        let names = update.assignments.iter().map(|a| a.column.as_str());
        let names: Vec<&str> = names.collect();
        let only_statics = self.are_statics(&names, &update.condition)?;
        let changing = Changing {
            only_statics,
            slices: false,
        };
        Ok((names, changing))
    }

    /// The columns that a `DELETE` deletes, and what kind of statement it is.
    fn deleted<'d>(&self, delete: &'d ast::Delete) -> Result<(Vec<&'d str>, Changing)> {
        let name = |target: &'d DeleteTarget| match target {
            DeleteTarget::Column(name)
            | DeleteTarget::Element { column: name, .. }
            | DeleteTarget::Field { column: name, .. } => name.as_str(),
        };
        let names: Vec<&str> = delete.targets.iter().map(name).collect();
        let only_statics = !names.is_empty() && self.are_statics(&names, &delete.condition)?;
        let changing = Changing {
            only_statics,
            slices: true,
        };
        Ok((names, changing))
    }

    /// Whether these columns, and those that a condition asks about, are static all.
    ///
    /// Authority: `ModificationStatement.appliesOnlyToStaticColumns`.
    fn are_statics(&self, names: &[&str], condition: &Condition) -> Result<bool> {
        let asked: &[_] = match condition {
            Condition::Columns(asked) => asked,
            _ => &[],
        };
        let asked = asked.iter().map(|asked| asked.column.as_str());
        for name in names.iter().copied().chain(asked) {
            if !Named::of(&self.table, name)?.is_static {
                return Ok(false);
            }
        }
        Ok(true)
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
                self.partition.clone_from(partition);
                self.clustering.clone_from(row);
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
