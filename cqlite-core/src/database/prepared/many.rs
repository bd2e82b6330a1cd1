//! Many at once: writes that share records and syncs of the log, and lookups in the order in which partitions are stored.

use super::super::session::{Selected, Session};
use super::Prepared;
use super::plain::{Plain, PlainWriter};
use crate::commitlog::Position;
use crate::cql::ast::{
    Change, Condition, DeleteTarget, Expr, Modification, Operator, Relation, Select, Statement,
};
use crate::mutation::{Value, partition_key};
use crate::query::{FindTable, ResultSet};
use crate::schema::TableSchema;
use crate::table::{Table, View};
use crate::types::CqlType;
use crate::{Error, Result};
use std::sync::Arc;

/// Bytes of changes that are written as one.
const TOGETHER_BYTES: usize = 256 << 10;

impl Session<'_> {
    /// Carries out a prepared statement that changes rows once for each set of values: as one by one in this order, but many
    /// share a record of the log. Returns what [`Database::wait`](crate::database::Database::wait) waits for, one sync for
    /// all, or `None` if nothing was changed. Counters, and what depends on what it finds, are done one by one.
    ///
    /// # Errors
    /// As of [`execute_prepared`](Self::execute_prepared). What stands before the values that are refused may have been
    /// written, but for some hundred kilobytes.
    pub fn execute_many<'v>(
        &mut self,
        prepared: &Prepared,
        rows: impl IntoIterator<Item = &'v [Value<'v>]>,
        now_micros: i64,
    ) -> Result<Option<Position>> {
        let Some(plain) = &prepared.plain else {
            return self.change_many(prepared, rows, now_micros);
        };
        let when = self.when(now_micros);
        let mut writer = self.plain_writer(prepared.id, plain, &when)?;
        let written = self.write_many(prepared, plain, &mut writer, rows, now_micros);
        self.keep_plain(writer);
        written
    }

    fn write_many<'v>(
        &self,
        prepared: &Prepared,
        plain: &Plain,
        writer: &mut PlainWriter,
        rows: impl IntoIterator<Item = &'v [Value<'v>]>,
        now_micros: i64,
    ) -> Result<Option<Position>> {
        let mut last = None;
        for values in rows {
            prepared.check_count(values)?;
            if self.is_enough(writer.bytes(), values) {
                last = writer.write()?.or(last);
            }
            // Of one row that is there twice the later one is newer.
            writer.add(plain, values, &self.when(now_micros))?;
        }
        Ok(writer.write()?.or(last))
    }

    /// Whether so many bytes are to be written before these values are added: a record of the log is limited.
    fn is_enough(&self, bytes: usize, values: &[Value<'_>]) -> bool {
        let segment = self.database.inner.options.log.segment_bytes as usize;
        let more = values.iter().filter_map(|value| value.bytes());
        let more: usize = more.map(<[u8]>::len).sum();
        bytes > 0 && bytes + more > TOGETHER_BYTES.min(segment / 8)
    }

    fn change_many<'v>(
        &mut self,
        prepared: &Prepared,
        rows: impl IntoIterator<Item = &'v [Value<'v>]>,
        now_micros: i64,
    ) -> Result<Option<Position>> {
        let mut last = None;
        let table = match &prepared.statement {
            Statement::Modification(modification) => {
                let table = self.table(modification.table())?;
                (!is_read_for(modification, table.schema())).then_some(table)
            }
            _ => None,
        };
        let Some(table) = table else {
            for values in rows {
                let outcome = self.execute_prepared(prepared, values, now_micros)?;
                last = outcome.position().or(last);
            }
            return Ok(last);
        };
        let mut changer = self.changer(&table, &self.when(now_micros))?;
        changer.writer.update().clear();
        for values in rows {
            prepared.check_count(values)?;
            if self.is_enough(changer.writer.update().bytes(), values) {
                last = changer.writer.write()?.or(last);
            }
            let mut statement = self.bind(prepared, values)?;
            let when = self.when(now_micros);
            self.fresh.call(&mut statement, when.timestamp);
            changer.prepare(&statement, &when)?;
            changer.add()?;
        }
        last = changer.writer.write()?.or(last);
        self.keep(changer);
        Ok(last)
    }

    /// Carries out a prepared `SELECT` once for each set of values, at a time in microseconds since 1970, and returns the
    /// results in this order. All of them read the table at one moment; partitions are read in the order in which they are
    /// stored, so that those that lie together are read together, and each once.
    ///
    /// # Errors
    /// `InvalidInput` for another statement; as of [`execute_prepared`](Self::execute_prepared); those of the SSTables.
    pub fn select_many<'v>(
        &self,
        prepared: &Prepared,
        keys: impl IntoIterator<Item = &'v [Value<'v>]>,
        now_micros: i64,
    ) -> Result<Vec<ResultSet>> {
        let Statement::Select(select) = &prepared.statement else {
            return Err(Error::invalid("only the rows of a SELECT are looked up"));
        };
        let now = now_micros.div_euclid(1_000_000);
        let table = self.table(&select.from)?;
        let view = table.view();
        let keys: Vec<&[Value<'_>]> = keys.into_iter().collect();
        for values in &keys {
            prepared.check_count(values)?;
        }
        if let Some(markers) = &prepared.key
            && let Some(results) = self.look_up(prepared, markers, &keys, &table, &view, now)?
        {
            return Ok(results);
        }
        let mut selected = Vec::with_capacity(keys.len());
        for (i, values) in keys.iter().enumerate() {
            selected.push((self.selected(prepared, values, &table, &view, now)?, i));
        }
        let partitioner = view.reader().partitioner();
        let first = |selected: &Selected| selected.plan().first_key().map(<[u8]>::to_vec);
        selected.sort_by(|(a, _), (b, _)| match (first(a), first(b)) {
            (Some(a), Some(b)) => partitioner.compare_keys(&a, &b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        });
        let mut results = vec![ResultSet::default(); selected.len()];
        for (selected, i) in &selected {
            results[*i] = selected.collect()?;
        }
        Ok(results)
    }

    fn selected(
        &self,
        prepared: &Prepared,
        values: &[Value<'_>],
        table: &Table,
        view: &Arc<View>,
        now: i64,
    ) -> Result<Selected> {
        match self.bind(prepared, values)? {
            Statement::Select(select) => {
                Selected::new(self.database, table, view.clone(), &select, now)
            }
            _ => Err(Error::invalid("only the rows of a SELECT are looked up")),
        }
    }

    /// Reads partitions by their keys with one plan. `None` if the statement says more of each than that.
    fn look_up(
        &self,
        prepared: &Prepared,
        markers: &[usize],
        keys: &[&[Value<'_>]],
        table: &Table,
        view: &Arc<View>,
        now: i64,
    ) -> Result<Option<Vec<ResultSet>>> {
        let Some(first) = keys.first() else {
            return Ok(Some(Vec::new()));
        };
        let schema = table.schema();
        let mut raw = Vec::with_capacity(keys.len());
        for values in keys {
            for (marker, column) in markers.iter().zip(&schema.partition_key) {
                let value = values[*marker].bytes().ok_or_else(|| {
                    Error::invalid(format!(
                        "the partition key column `{}` has no value",
                        column.name
                    ))
                })?;
                let wrong = |e: Error| {
                    Error::invalid(format!("the value of `{}`: {}", column.name, e.message()))
                };
                column.ty.validate(value).map_err(wrong)?;
            }
            let mut key = Vec::new();
            partition_key(schema, |i| values[markers[i]].bytes(), &mut key)?;
            raw.push(key);
        }
        let partitioner = view.reader().partitioner();
        let decorated: Vec<_> = raw.iter().map(|key| partitioner.decorate(key)).collect();
        let mut order: Vec<usize> = (0..raw.len()).collect();
        order.sort_unstable_by(|a, b| {
            let (a, b) = (&decorated[*a], &decorated[*b]);
            let tokens = partitioner.compare_tokens(a.token, b.token);
            tokens.then_with(|| a.key.cmp(b.key))
        });
        let mut sorted: Vec<Vec<u8>> = Vec::with_capacity(raw.len());
        // For each set of values, the number of its key among those that are read.
        let mut numbers = vec![0; raw.len()];
        for i in order {
            if sorted.last() != Some(&raw[i]) {
                sorted.push(raw[i].clone());
            }
            numbers[i] = sorted.len() - 1;
        }
        let count = sorted.len();
        let selected = self.selected(prepared, first, table, view, now)?;
        let Some(selected) = selected.with_keys(sorted) else {
            return Ok(None);
        };
        let mut found = vec![selected.empty(); count];
        let mut rows = selected.rows();
        while rows.advance()? {
            let row = rows.row();
            if let Some(result) = found.get_mut(rows.key_number()) {
                result.push((0..row.columns().len()).map(|i| row.value(i)));
            }
        }
        Ok(Some(
            numbers.into_iter().map(|i| found[i].clone()).collect(),
        ))
    }
}

/// Whether a statement depends on what the table holds, which the changes before it are part of.
fn is_read_for(modification: &Modification, schema: &TableSchema) -> bool {
    let is_list = |name: &str| {
        let column = schema.column(name);
        column.is_some_and(|column| matches!(column.ty, CqlType::List { .. }))
    };
    let reads = match modification {
        Modification::Insert(_) => false,
        Modification::Update(update) => update.assignments.iter().any(|assignment| {
            matches!(
                assignment.change,
                Change::SetElement { .. } | Change::Subtract(_)
            ) && is_list(&assignment.column)
        }),
        Modification::Delete(delete) => delete.targets.iter().any(
            |target| matches!(target, DeleteTarget::Element { column, .. } if is_list(column)),
        ),
    };
    reads || schema.is_counter() || *modification.condition() != Condition::None
}

/// Of a `SELECT` that tells partitions by their whole keys, and has no other markers, the numbers of the markers of the columns
/// of the key.
pub(super) fn key_markers(
    statement: &Statement,
    find: &FindTable<'_>,
    markers: usize,
) -> Result<Option<Vec<usize>>> {
    let Statement::Select(select) = statement else {
        return Ok(None);
    };
    let schema = find(&select.from)?;
    Ok(key_of(select, &schema).filter(|key| key.len() == markers))
}

fn key_of(select: &Select, schema: &TableSchema) -> Option<Vec<usize>> {
    let mut named = Vec::new();
    for relation in &select.relations {
        match relation {
            Relation::Column {
                column,
                operator: Operator::Eq,
                value: Expr::Bind(_),
            } if !named.contains(column) => named.push(column.clone()),
            _ => return None,
        }
    }
    let key = schema.partition_key.iter().map(|column| {
        let mut named = named.iter();
        named.position(|name| *name == *column.name)
    });
    let key: Vec<usize> = key.collect::<Option<_>>()?;
    (key.len() == named.len()).then_some(key)
}
