//! Statements with `IF`: read, tested and written while nobody else does the same in the partition.
//!
//! Authority: `o.a.c.cql3.statements.{CQL3CasRequest,ModificationStatement,BatchStatement}`, `o.a.c.service.StorageProxy.cas`.

use super::changer::Changer;
use super::{Database, Outcome};
use crate::commitlog::Position;
use crate::cql::ast::{Batch, Condition, DeleteTarget, InsertSource, Modification, Statement};
use crate::model::ClusteringComparator;
use crate::mutation::{Held, Place, WriteTime};
use crate::query::{Conditions, CurrentRow, ResultSet, Sought};
use crate::schema::{ColumnKind, ColumnRef, TableSchema};
use crate::table::View;
use crate::{Error, Result};
use std::cmp::Ordering;

/// What a statement with `IF` came to.
#[derive(Debug)]
pub struct Conditional {
    position: Option<Position>,
    result: ResultSet,
}

impl Conditional {
    /// What [`Database::wait`] waits for, if something was written.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// What Cassandra answers: a column `[applied]`; where that is false, the row as it is, too, if there is one.
    pub fn result(&self) -> &ResultSet {
        &self.result
    }
}

/// What must hold of a row.
enum Demand {
    NotExists,
    Exists,
    Columns(Vec<Conditions>),
}

/// What must hold of a partition.
struct Request {
    key: Vec<u8>,
    /// What must hold of rows, by their clustering, in the order of that; `None` is the static row.
    demands: Vec<(Option<Vec<Vec<u8>>>, Demand)>,
    /// The columns that a failure shows; all of them if there are none.
    shown: Option<Vec<String>>,
    /// Which columns are read, as a failure shows only those.
    reads: Reads,
}

/// A row that was read, by its clustering if it was asked for.
type Found<'r> = (Option<&'r [Vec<u8>]>, CurrentRow);

/// Which columns are read.
#[derive(Default)]
struct Reads {
    all_statics: bool,
    all_regulars: bool,
    names: Vec<String>,
}

/// Carries out a statement with `IF`, or a batch with some.
pub(super) fn execute(
    database: &Database,
    changer: &mut Changer,
    statement: Statement,
    when: &WriteTime,
) -> Result<Outcome> {
    let inner = &*database.inner;
    let table = changer.table().clone();
    let schema = table.schema();
    let (statements, is_batch) = match &statement {
        Statement::Batch(Batch {
            statements, using, ..
        }) => {
            if using.timestamp.is_some() {
                return Err(with_timestamp());
            }
            (&statements[..], true)
        }
        Statement::Modification(modification) => (std::slice::from_ref(modification), false),
        Statement::Select(_) | Statement::Use(_) => return Ok(Outcome::Done),
    };
    if schema.is_counter() {
        return Err(Error::invalid("counters are not changed under conditions"));
    }
    let request = request(changer, statements, is_batch, when)?;
    let id = schema.id.unwrap_or_default();
    let _locked = inner
        .stripes
        .lock(std::iter::once((id, request.key.as_slice())));
    let view = table.view();
    let rows = request.read(&view, when.now)?;
    if !request.is_met(&rows)? {
        let result = request.failure(schema, &rows, when.now)?;
        return Ok(Outcome::Conditional(Box::new(Conditional {
            position: None,
            result,
        })));
    }
    // What is written is newer than what was found.
    let newest = rows.iter().map(|(_, row)| row.newest()).max();
    let newest = newest.unwrap_or(i64::MIN);
    let timestamp = match newest < when.timestamp {
        true => when.timestamp,
        false => inner.timestamp(newest.saturating_add(1)),
    };
    let when = WriteTime { timestamp, ..*when };
    changer.prepare_with(&statement, &when, Held::Then(view), true)?;
    changer.hand_over()?;
    Ok(Outcome::Conditional(Box::new(Conditional {
        position: changer.writer.write()?,
        result: ResultSet::applied(true),
    })))
}

#[cold]
fn with_timestamp() -> Error {
    Error::invalid("a statement with IF has no timestamp of its own").advise("leave out TIMESTAMP")
}

/// What the statements ask for.
fn request(
    changer: &mut Changer,
    statements: &[Modification],
    is_batch: bool,
    when: &WriteTime,
) -> Result<Request> {
    let table = changer.table().clone();
    let schema = table.schema();
    let mut request: Option<Request> = None;
    for statement in statements {
        let condition = statement.condition();
        if *condition != Condition::None && statement.using().timestamp.is_some() {
            return Err(with_timestamp());
        }
        let place = changer.modifier.place(statement, when)?;
        let request = request.get_or_insert_with(|| Request {
            key: place.key.clone(),
            demands: Vec::new(),
            shown: Some(Vec::new()),
            reads: Reads::default(),
        });
        if request.key != place.key {
            return Err(Error::invalid("a batch with IF is about one partition"));
        }
        let (statics, _) = changed(statement, schema);
        request.reads.all_regulars |= place.row.is_some();
        if *condition != Condition::None {
            request.reads.all_statics |= statics;
        }
        request.add(condition, place, schema, is_batch, when.now)?;
    }
    let mut request = request.ok_or_else(|| Error::invalid("the batch is empty"))?;
    let comparator = ClusteringComparator::new(&schema.clustering);
    request.demands.sort_by(|(a, _), (b, _)| match (a, b) {
        (Some(a), Some(b)) => {
            let mut values = a.iter().zip(b).enumerate();
            let differs = values.find_map(|(i, (a, b))| {
                let order = comparator.compare_values(i, Some(a), Some(b));
                order.is_ne().then_some(order)
            });
            differs.unwrap_or(Ordering::Equal)
        }
        (a, b) => a.is_some().cmp(&b.is_some()),
    });
    Ok(request)
}

/// Whether a statement changes static columns, and whether others.
fn changed(statement: &Modification, schema: &TableSchema) -> (bool, bool) {
    let names: Vec<&str> = match statement {
        Modification::Insert(insert) => match &insert.source {
            InsertSource::Values { columns, .. } => columns.iter().map(String::as_str).collect(),
            // All that the text does not name are set to null.
            InsertSource::Json { .. } => schema.statics.iter().map(|c| &*c.name).collect(),
        },
        Modification::Update(update) => update
            .assignments
            .iter()
            .map(|a| a.column.as_str())
            .collect(),
        Modification::Delete(delete) => delete
            .targets
            .iter()
            .map(|target| match target {
                DeleteTarget::Column(name)
                | DeleteTarget::Element { column: name, .. }
                | DeleteTarget::Field { column: name, .. } => name.as_str(),
            })
            .collect(),
    };
    let kinds = names.iter().filter_map(|name| schema.column(name));
    kinds.fold((false, false), |(statics, regulars), column| {
        (
            statics || column.kind == ColumnKind::Static,
            regulars || column.kind == ColumnKind::Regular,
        )
    })
}

impl Request {
    /// Takes a statement's condition.
    fn add(
        &mut self,
        condition: &Condition,
        place: Place,
        schema: &TableSchema,
        is_batch: bool,
        now: i64,
    ) -> Result<()> {
        let conditions = match condition {
            Condition::None => return Ok(()),
            Condition::NotExists => {
                self.shown = None;
                return self.demand(place.row, Demand::NotExists);
            }
            Condition::Exists => {
                self.shown = None;
                return self.demand(place.row, Demand::Exists);
            }
            Condition::Columns(conditions) => conditions,
        };
        let is_static = |name: &str| {
            let column = schema.column(name);
            column.is_some_and(|column| column.kind == ColumnKind::Static)
        };
        let (statics, regulars): (Vec<_>, Vec<_>) = conditions
            .iter()
            .cloned()
            .partition(|condition| is_static(&condition.column));
        let mut names = Vec::new();
        for (of, row) in [(regulars, place.row), (statics, None)] {
            if of.is_empty() {
                continue;
            }
            let conditions = Conditions::new(&of, schema, now)?;
            names.extend(conditions.columns().map(str::to_owned));
            self.demand(row, Demand::Columns(vec![conditions]))?;
        }
        self.reads.names.extend_from_slice(&names);
        if let Some(shown) = &mut self.shown {
            if is_batch {
                let key = schema.partition_key.iter().map(|c| c.name.to_string());
                let clustering = schema.clustering.iter().map(|c| c.name.to_string());
                names.splice(0..0, key.chain(clustering));
            }
            for name in names {
                if !shown.contains(&name) {
                    shown.push(name);
                }
            }
        }
        Ok(())
    }

    /// Takes what must hold of a row.
    fn demand(&mut self, row: Option<Vec<Vec<u8>>>, demand: Demand) -> Result<()> {
        let Some((_, present)) = self.demands.iter_mut().find(|(of, _)| *of == row) else {
            self.demands.push((row, demand));
            return Ok(());
        };
        match (present, demand) {
            (Demand::Columns(all), Demand::Columns(more)) => {
                all.extend(more);
                Ok(())
            }
            (Demand::Exists, Demand::Exists) | (Demand::NotExists, Demand::NotExists) => Ok(()),
            _ => Err(Error::invalid(
                "one row cannot be asked for with IF EXISTS, IF NOT EXISTS and other conditions at once",
            )),
        }
    }

    /// The rows that are asked for; the first one of the partition if none is.
    fn read(&self, view: &View, now: i64) -> Result<Vec<Found<'_>>> {
        let mut rows = Vec::new();
        for (row, _) in &self.demands {
            if let Some(row) = row {
                let current = CurrentRow::read(view.reader(), &self.key, Sought::Row(row), now)?;
                rows.push((Some(row.as_slice()), current));
            }
        }
        if rows.is_empty() {
            let current = CurrentRow::read(view.reader(), &self.key, Sought::First, now)?;
            rows.push((None, current));
        }
        Ok(rows)
    }

    fn is_met(&self, rows: &[Found<'_>]) -> Result<bool> {
        for (place, demand) in &self.demands {
            let found = match place {
                // Each read has the static row, too.
                None => rows.first(),
                Some(place) => rows.iter().find(|(row, _)| *row == Some(place.as_slice())),
            };
            let Some((_, row)) = found else {
                return Ok(false);
            };
            let exists = match place {
                None => row.statics().is_some(),
                Some(_) => row.row().is_some(),
            };
            let holds = match demand {
                Demand::NotExists => !exists,
                Demand::Exists => exists,
                Demand::Columns(all) => {
                    let mut holds = true;
                    for conditions in all {
                        holds &= conditions.hold(row)?;
                    }
                    holds
                }
            };
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What is answered when the conditions are not met.
    fn failure(&self, schema: &TableSchema, rows: &[Found<'_>], now: i64) -> Result<ResultSet> {
        let columns: Vec<ColumnRef<'_>> = match &self.shown {
            None => schema.select_order(),
            Some(names) => names
                .iter()
                .filter_map(|name| schema.column(name))
                .collect(),
        };
        let is_read = |column: &ColumnRef<'_>| {
            let is_all = match column.kind {
                ColumnKind::Static => self.reads.all_statics,
                ColumnKind::Regular => self.reads.all_regulars,
                ColumnKind::PartitionKey | ColumnKind::Clustering => true,
            };
            is_all || self.reads.names.iter().any(|name| *name == **column.name)
        };
        let reads_statics = schema
            .columns()
            .any(|column| column.kind == ColumnKind::Static && is_read(&column));
        let found = rows.iter().filter(|(_, row)| row.row().is_some());
        let mut shown: Vec<_> = found.map(|(_, row)| (row.statics(), row.row())).collect();
        if let Some((_, first)) = rows.first()
            && shown.is_empty()
            && reads_statics
            && first.statics().is_some()
        {
            shown.push((first.statics(), None));
        }
        ResultSet::not_applied(schema, &self.key, &columns, is_read, shown.into_iter(), now)
    }
}
