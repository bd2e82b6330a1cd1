//! Statements that are nothing but values: rows that are inserted or updated, and keys whose rows or partitions are deleted.
//! They are carried out without looking at the statement again.

use super::super::changer::ids;
use super::super::session::Session;
use super::super::writer::Writer;
use super::has_collection_in_key;
use crate::commitlog::Position;
use crate::cql::ast::{
    self, Assignment, Condition, Delete, Expr, Insert, InsertSource, Modification, Operator,
    QualifiedName, Relation, Statement, Update, Using,
};
use crate::mutation::{self, Value, WriteTime};
use crate::query::FindTable;
use crate::schema::{ColumnKind, TableSchema};
use crate::types::CqlType;
use crate::{Error, Result};

/// An `INSERT`, an `UPDATE` of regular columns of a row, or a `DELETE` of rows or partitions, of nothing but markers and
/// constants.
#[derive(Debug)]
pub(super) struct Plain {
    table: QualifiedName,
    verb: Verb,
    columns: Vec<String>,
    values: Vec<Source>,
    timestamp: Option<Source>,
    ttl: Option<Source>,
}

#[derive(Debug, Clone, Copy)]
enum Verb {
    Insert,
    Update,
    /// The columns are those of the primary key, or of the partition key, in their order.
    Delete,
}

/// Where a value comes from.
#[derive(Debug, Clone)]
enum Source {
    /// The marker of this number.
    Marker(usize),
    Constant(Expr),
}

/// Numbers markers, in their order.
#[derive(Default)]
struct Sources {
    markers: usize,
}

impl Sources {
    /// `None` for what is neither a marker nor a constant.
    fn of(&mut self, expr: &Expr) -> Option<Source> {
        match expr {
            Expr::Bind(_) => {
                self.markers += 1;
                Some(Source::Marker(self.markers - 1))
            }
            Expr::Literal(_) => Some(Source::Constant(expr.clone())),
            _ => None,
        }
    }

    /// The columns that equal something, each of them once.
    fn keys<'r>(&mut self, relations: &'r [Relation]) -> Option<Vec<(&'r str, Source)>> {
        let mut given: Vec<(&str, Source)> = Vec::new();
        for relation in relations {
            let Relation::Column {
                column,
                operator: Operator::Eq,
                value,
            } = relation
            else {
                return None;
            };
            if given.iter().any(|(name, _)| name == column) {
                return None;
            }
            given.push((column, self.of(value)?));
        }
        Some(given)
    }

    /// Timestamp and TTL.
    fn using(&mut self, using: &Using) -> Option<[Option<Source>; 2]> {
        let mut optional = |expr: &Option<Expr>| match expr {
            None => Some(None),
            Some(expr) => self.of(expr).map(Some),
        };
        Some(match using.ttl_first {
            true => {
                let ttl = optional(&using.ttl)?;
                [optional(&using.timestamp)?, ttl]
            }
            false => [optional(&using.timestamp)?, optional(&using.ttl)?],
        })
    }
}

impl Plain {
    /// What a statement is, if it is that.
    ///
    /// # Errors
    /// Those of `find`.
    pub fn of(statement: &Statement, find: &FindTable<'_>) -> Result<Option<Self>> {
        let Statement::Modification(modification) = statement else {
            return Ok(None);
        };
        let schema = find(modification.table())?;
        if *modification.condition() != Condition::None
            || schema.is_counter()
            || has_collection_in_key(&schema)
        {
            return Ok(None);
        }
        Ok(match modification {
            Modification::Insert(insert) => Self::of_insert(insert),
            Modification::Delete(delete) => Self::of_delete(delete, &schema),
            Modification::Update(update) => Self::of_update(update, &schema),
        })
    }

    fn of_insert(insert: &Insert) -> Option<Self> {
        let InsertSource::Values { columns, values } = &insert.source else {
            return None;
        };
        let mut sources = Sources::default();
        let values = values.iter().map(|value| sources.of(value));
        let values = values.collect::<Option<_>>()?;
        let [timestamp, ttl] = sources.using(&insert.using)?;
        Some(Plain {
            table: insert.table.clone(),
            verb: Verb::Insert,
            columns: columns.clone(),
            values,
            timestamp,
            ttl,
        })
    }

    fn of_update(update: &Update, schema: &TableSchema) -> Option<Self> {
        if schema.is_compact {
            return None;
        }
        let mut sources = Sources::default();
        let [timestamp, ttl] = sources.using(&update.using)?;
        let mut given: Vec<(&str, Source)> = Vec::new();
        for Assignment { column, change } in &update.assignments {
            let found = schema.column(column)?;
            let is_given = given.iter().any(|(name, _)| name == column);
            let ast::Change::Set(value) = change else {
                return None;
            };
            if is_given || found.kind != ColumnKind::Regular {
                return None;
            }
            given.push((column, sources.of(value)?));
        }
        let keys = sources.keys(&update.relations)?;
        let is_key = |name: &&str| schema.column(name).is_some_and(|c| c.is_of_key());
        let columns = schema.partition_key.len() + schema.clustering.len();
        if keys.len() != columns || !keys.iter().all(|(name, _)| is_key(name)) {
            return None;
        }
        given.extend(keys);
        let (columns, values) = given.into_iter().unzip::<_, _, Vec<_>, _>();
        Some(Plain {
            table: update.table.clone(),
            verb: Verb::Update,
            columns: columns.into_iter().map(str::to_owned).collect(),
            values,
            timestamp,
            ttl,
        })
    }

    fn of_delete(delete: &Delete, schema: &TableSchema) -> Option<Self> {
        if !delete.targets.is_empty() || schema.is_compact {
            return None;
        }
        let mut sources = Sources::default();
        let [timestamp, ttl] = sources.using(&delete.using)?;
        let given = sources.keys(&delete.relations)?;
        let key = schema.partition_key.iter().map(|column| &*column.name);
        let row = schema.clustering.iter().map(|column| &*column.name);
        let columns: Vec<&str> = match given.len() == schema.partition_key.len() {
            true => key.collect(),
            false => key.chain(row).collect(),
        };
        let of_column = |name: &&str| {
            let found = given.iter().find(|(given, _)| given == name);
            found.map(|(_, source)| source.clone())
        };
        let values: Vec<Source> = columns.iter().map(of_column).collect::<Option<_>>()?;
        (values.len() == given.len()).then(|| Plain {
            table: delete.table.clone(),
            verb: Verb::Delete,
            columns: columns.into_iter().map(str::to_owned).collect(),
            values,
            timestamp,
            ttl,
        })
    }
}

/// A plain statement with what it is carried out by.
pub(in crate::database) struct PlainWriter {
    pub(super) id: u64,
    change: Change,
    /// For each column, the value of what is no marker.
    constants: Vec<Option<Option<Vec<u8>>>>,
    /// The columns of the primary key, which cannot be unset.
    key: Vec<usize>,
    writer: Writer,
}

enum Change {
    Insert(Box<mutation::Insert>),
    Delete(Box<mutation::Delete>),
}

impl PlainWriter {
    /// Of a statement with this number.
    ///
    /// # Errors
    /// `NotFound` and `InvalidInput` where it does not fit its table.
    pub(super) fn new(
        session: &Session<'_>,
        id: u64,
        plain: &Plain,
        when: &WriteTime,
    ) -> Result<Self> {
        let table = session.table(&plain.table)?;
        let schema = table.schema();
        let names: Vec<&str> = plain.columns.iter().map(String::as_str).collect();
        let change = match plain.verb {
            Verb::Delete => {
                let of_row = names.len() > schema.partition_key.len();
                let mut key = schema.partition_key.iter().map(|c| &*c.name);
                let mut key = key
                    .by_ref()
                    .chain(schema.clustering.iter().map(|c| &*c.name));
                // Columns may have been renamed.
                if !names.iter().all(|name| key.next() == Some(name)) {
                    return Err(Error::invalid(format!(
                        "the primary key of {} is another one now",
                        schema.full_name()
                    ))
                    .advise("prepare the statement again"));
                }
                Change::Delete(Box::new(mutation::Delete::new(schema.clone(), of_row)?))
            }
            Verb::Insert | Verb::Update => {
                let mut insert = mutation::Insert::new(schema.clone(), &names, ids(when))?;
                if let Verb::Update = plain.verb {
                    insert = insert.without_liveness();
                }
                Change::Insert(Box::new(insert))
            }
        };
        let constants = plain.values.iter().zip(&names).map(|(source, name)| {
            let Source::Constant(expr) = source else {
                return Ok(None);
            };
            let ty = schema.column(name).map(|column| column.ty);
            let value = expr
                .to_literal()?
                .to_bytes(ty.unwrap_or(&CqlType::Empty), when.now.saturating_mul(1000));
            let value = value
                .map_err(|e| Error::invalid(format!("the column `{name}`: {}", e.message())))?;
            Ok(Some(value))
        });
        Ok(PlainWriter {
            id,
            change,
            constants: constants.collect::<Result<_>>()?,
            key: (0..names.len())
                .filter(|i| schema.column(names[*i]).is_some_and(|c| c.is_of_key()))
                .collect(),
            writer: session.database.writer(&table)?,
        })
    }

    /// Whether the table was altered or dropped since.
    pub fn is_retired(&self) -> bool {
        self.writer.table().is_retired()
    }

    /// Bytes of what is to be written.
    pub fn bytes(&mut self) -> usize {
        self.writer.update().bytes()
    }

    /// Forgets what is to be written.
    pub fn clear(&mut self) {
        self.writer.update().clear();
    }

    /// Writes what was added.
    ///
    /// # Errors
    /// As of [`Writer::write`].
    pub fn write(&mut self) -> Result<Option<Position>> {
        self.writer.write()
    }

    /// Adds a change to what is to be written.
    ///
    /// # Errors
    /// `InvalidInput` for values that are none of their types, or missing; nothing was added then.
    pub(super) fn add(
        &mut self,
        plain: &Plain,
        values: &[Value<'_>],
        when: &WriteTime,
    ) -> Result<()> {
        let value = |source: &Source| match source {
            Source::Marker(i) => values.get(*i).copied().unwrap_or(Value::Unset),
            Source::Constant(_) => Value::Unset,
        };
        let mut when = self.writer.when(when);
        if let Change::Insert(insert) = &mut self.change {
            insert.advance_to(when.timestamp);
        }
        if let Some(timestamp) = &plain.timestamp
            && let Some(bytes) = number(timestamp, &CqlType::BigInt, value(timestamp))?
        {
            let bytes = bytes.try_into().ok();
            let bytes = bytes.ok_or_else(|| Error::invalid("the timestamp is null"))?;
            when.timestamp = i64::from_be_bytes(bytes);
        }
        if let Some(ttl) = &plain.ttl
            && let Some(bytes) = number(ttl, &CqlType::Int, value(ttl))?
        {
            let bytes = bytes.try_into().ok();
            when.ttl = bytes.map_or(0, i32::from_be_bytes);
        }
        when.check()?;
        let mut row = Vec::with_capacity(plain.values.len());
        for (source, constant) in plain.values.iter().zip(&self.constants) {
            row.push(match constant {
                None => value(source),
                Some(None) => Value::Null,
                Some(Some(bytes)) => Value::Bytes(bytes),
            });
        }
        if let Some(i) = self.key.iter().find(|i| row[**i] == Value::Unset) {
            return Err(Error::invalid(format!(
                "the column `{}` of the primary key has no value",
                plain.columns[*i]
            )));
        }
        let update = self.writer.update();
        match &mut self.change {
            Change::Insert(insert) => insert.add(&row, &when, update),
            Change::Delete(delete) => delete.add(&row, &when, update),
        }
    }
}

/// The bytes of a number of `USING`, none if it is null; `None` if it is unset.
fn number(source: &Source, ty: &CqlType, value: Value<'_>) -> Result<Option<Vec<u8>>> {
    Ok(match (source, value) {
        (Source::Constant(expr), _) => {
            Some(expr.to_literal()?.to_bytes(ty, 0)?.unwrap_or_default())
        }
        (Source::Marker(_), Value::Unset) => None,
        (Source::Marker(_), Value::Null) => Some(Vec::new()),
        (Source::Marker(_), Value::Bytes(bytes)) => {
            ty.validate(bytes)?;
            Some(bytes.to_vec())
        }
    })
}
