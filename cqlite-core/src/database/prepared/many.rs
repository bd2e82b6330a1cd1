//! Many at once: writes that share records and syncs of the log, and lookups in the order in which partitions are stored.

use super::super::session::{Selected, Session};
use super::Prepared;
use super::keyed::Keyed;
use super::plain::{Plain, PlainWriter};
use crate::commitlog::Position;
use crate::cql::ast::{Change, Condition, DeleteTarget, Modification, Statement};
use crate::mutation::Value;
use crate::partitioner::Token;
use crate::query::{ResultRow, ResultSet};
use crate::read::{KeyList, TableReader};
use crate::schema::TableSchema;
use crate::types::CqlType;
use crate::{Error, Result};
use std::ops::Range;

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
        &mut self,
        prepared: &Prepared,
        keys: impl IntoIterator<Item = &'v [Value<'v>]>,
        now_micros: i64,
    ) -> Result<Vec<ResultSet>> {
        let keys: Vec<&[Value<'_>]> = keys.into_iter().collect();
        let Some(first) = self.first_selected(prepared, &keys, now_micros)? else {
            return Ok(Vec::new());
        };
        let mut results = vec![ResultSet::of(first.plan.shared_columns()); keys.len()];
        let mut give = |i: usize, row: &ResultRow<'_>| {
            if let Some(result) = results.get_mut(i) {
                result.push_row(row);
            }
            Ok(())
        };
        self.give_each(prepared, &keys, first, &mut give)?;
        Ok(results)
    }

    /// [`select_many`](Self::select_many), but each row is lent to `give` when it is read, with the number of the set of values
    /// that it is of; if several sets ask for it, once for each.
    ///
    /// # Errors
    /// As of [`select_many`](Self::select_many), and those of `give`.
    pub fn select_each<'v>(
        &mut self,
        prepared: &Prepared,
        keys: impl IntoIterator<Item = &'v [Value<'v>]>,
        now_micros: i64,
        mut give: impl FnMut(usize, &ResultRow<'_>) -> Result<()>,
    ) -> Result<()> {
        let keys: Vec<&[Value<'_>]> = keys.into_iter().collect();
        match self.first_selected(prepared, &keys, now_micros)? {
            Some(first) => self.give_each(prepared, &keys, first, &mut give),
            None => Ok(()),
        }
    }

    /// The statement with the first set of values, if there is one.
    fn first_selected(
        &mut self,
        prepared: &Prepared,
        keys: &[&[Value<'_>]],
        now_micros: i64,
    ) -> Result<Option<Selected>> {
        if !matches!(prepared.statement, Statement::Select(_)) {
            return Err(Error::invalid("only the rows of a SELECT are looked up"));
        }
        for values in keys {
            prepared.check_count(values)?;
        }
        let now = now_micros.div_euclid(1_000_000);
        let first = keys.first();
        let first = first.map(|values| self.selected(prepared, values, None, now));
        first.transpose()
    }

    /// Gives the rows of all sets of values, of which `first` is the first one.
    fn give_each(
        &mut self,
        prepared: &Prepared,
        keys: &[&[Value<'_>]],
        first: Selected,
        give: &mut dyn FnMut(usize, &ResultRow<'_>) -> Result<()>,
    ) -> Result<()> {
        if let Some(keyed) = &prepared.keyed
            && keyed.is_of_partitions()
            && let Some(sorted) = sorted(keyed, keys, first.view.reader())
            && let Some(selected) = first.with_keys(sorted.keys)
        {
            let mut rows = selected.rows();
            while rows.advance()? {
                let row = rows.row();
                let asked = sorted.asked.get(rows.key_number());
                for i in asked
                    .and_then(|asked| sorted.order.get(asked.clone()))
                    .unwrap_or_default()
                {
                    give(*i, &row)?;
                }
            }
            return Ok(());
        }
        let (view, now) = (first.view.clone(), first.plan.now());
        let mut all = vec![(first, 0)];
        for (i, values) in keys.iter().enumerate().skip(1) {
            all.push((self.selected(prepared, values, Some(&view), now)?, i));
        }
        let partitioner = view.reader().partitioner();
        all.sort_by(
            |(a, _), (b, _)| match (a.plan.first_key(), b.plan.first_key()) {
                (Some(a), Some(b)) => partitioner.compare_keys(a, b),
                (a, b) => a.is_some().cmp(&b.is_some()),
            },
        );
        for (selected, i) in &all {
            let mut rows = selected.rows();
            while rows.advance()? {
                give(*i, &rows.row())?;
            }
        }
        Ok(())
    }
}

/// Keys that are looked up, and who asks for them.
struct Sorted {
    keys: KeyList,
    /// The numbers of the sets of values, by their keys.
    order: Vec<usize>,
    /// For each key, which of these ask for it.
    asked: Vec<Range<usize>>,
}

/// The keys of sets of values; `None` if one of them is refused.
fn sorted(keyed: &Keyed, sets: &[&[Value<'_>]], reader: &TableReader) -> Option<Sorted> {
    let (mut bytes, mut raw) = (Vec::new(), Vec::with_capacity(sets.len()));
    let mut key = Vec::new();
    for values in sets {
        keyed.key(reader.schema(), values, &mut key)?;
        raw.push(bytes.len()..bytes.len() + key.len());
        bytes.extend_from_slice(&key);
    }
    let partitioner = reader.partitioner();
    let key = |i: &usize| &bytes[raw[*i].clone()];
    // Of most partitioners a number tells nearly everything.
    let rank = |i: usize| match partitioner.token(key(&i)) {
        Token::Long(token) => (token, i),
        _ => (0, i),
    };
    let mut ranked: Vec<(i64, usize)> = (0..raw.len()).map(rank).collect();
    ranked.sort_unstable_by(|(a, i), (b, j)| {
        a.cmp(b)
            .then_with(|| partitioner.compare_keys(key(i), key(j)))
            .then(i.cmp(j))
    });
    let order: Vec<usize> = ranked.into_iter().map(|(_, i)| i).collect();
    let (mut keys, mut asked): (Vec<Range<usize>>, Vec<Range<usize>>) = Default::default();
    for (at, i) in order.iter().enumerate() {
        match asked.last_mut() {
            Some(same) if key(i) == key(&order[same.start]) => same.end = at + 1,
            _ => {
                keys.push(raw[*i].clone());
                asked.push(at..at + 1);
            }
        }
    }
    Some(Sorted {
        keys: KeyList::new(bytes, keys),
        order,
        asked,
    })
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
