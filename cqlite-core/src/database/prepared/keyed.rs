//! Prepared `SELECT`s that are planned once: those that tell a partition, or rows of it, by keys that are markers.

use super::super::session::{Selected, Session};
use super::{KEPT_MAX, Prepared, has_collection_in_key};
use crate::cql::ast::{Expr, Operator, Relation, Select, Selection, Statement};
use crate::mutation::{Value, partition_key};
use crate::query::{FindTable, Plan};
use crate::read::Queried;
use crate::schema::TableSchema;
use crate::table::{Table, View};
use crate::{Error, Result};
use std::sync::{Arc, Weak};

/// Of a `SELECT` by the whole partition key, and maybe by the first clustering columns, whose only markers these are: the
/// numbers of the markers, in the order of the columns.
#[derive(Debug)]
pub(super) struct Keyed {
    partition: Vec<usize>,
    clustering: Vec<usize>,
}

impl Keyed {
    /// What a statement is that has so many markers, if it is that.
    ///
    /// # Errors
    /// Those of `find`.
    pub fn of(statement: &Statement, find: &FindTable<'_>, markers: usize) -> Result<Option<Self>> {
        let Statement::Select(select) = statement else {
            return Ok(None);
        };
        let schema = find(&select.from)?;
        Ok(Self::of_select(select, &schema).filter(|keyed| {
            // Those of the selection, for example, come before.
            keyed.partition.len() + keyed.clustering.len() == markers
        }))
    }

    fn of_select(select: &Select, schema: &TableSchema) -> Option<Self> {
        let lasts = match &select.selection {
            Selection::All => true,
            Selection::Selectors(selectors) => selectors.iter().all(|s| is_lasting(&s.expr)),
        };
        if has_collection_in_key(schema) || !lasts || !select.group_by.iter().all(is_lasting) {
            return None;
        }
        let mut named: Vec<&str> = Vec::new();
        for relation in &select.relations {
            match relation {
                Relation::Column {
                    column,
                    operator: Operator::Eq,
                    value: Expr::Bind(_),
                } if !named.contains(&&**column) => named.push(column),
                _ => return None,
            }
        }
        let number = |name: &str| named.iter().position(|named| *named == name);
        let partition = schema.partition_key.iter().map(|c| number(&c.name));
        let clustering = schema.clustering.iter().map_while(|c| number(&c.name));
        let keyed = Keyed {
            partition: partition.collect::<Option<_>>()?,
            clustering: clustering.collect(),
        };
        (keyed.partition.len() + keyed.clustering.len() == named.len()).then_some(keyed)
    }

    /// Whether it tells whole partitions.
    pub fn is_of_partitions(&self) -> bool {
        self.clustering.is_empty()
    }

    /// Makes `out` the raw key of these values. `None` if they are refused; planning says why.
    pub fn key(&self, schema: &TableSchema, values: &[Value<'_>], out: &mut Vec<u8>) -> Option<()> {
        let value = |i: usize| values.get(*self.partition.get(i)?)?.bytes();
        for (i, column) in schema.partition_key.iter().enumerate() {
            column.ty.validate(value(i)?).ok()?;
        }
        partition_key(schema, value, out).ok()
    }

    /// The clustering values, likewise.
    fn prefix(&self, schema: &TableSchema, values: &[Value<'_>]) -> Option<Vec<Vec<u8>>> {
        let columns = self.clustering.iter().zip(&schema.clustering);
        let value = |(marker, column): (&usize, &crate::schema::ClusteringColumn)| {
            let value = values.get(*marker)?.bytes()?;
            column.ty.validate(value).ok()?;
            Some(value.to_vec())
        };
        columns.map(value).collect()
    }
}

/// Whether an expression has the same meaning at any time: it is made of columns, and has no constant that may be told by
/// words.
fn is_lasting(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) | Expr::CountRows => true,
        Expr::WriteTime(of) | Expr::MaxWriteTime(of) | Expr::Ttl(of) => is_lasting(of),
        Expr::Cast { expr: of, .. } | Expr::Field { of, .. } => is_lasting(of),
        // Without arguments: `now()`.
        Expr::Call { args, .. } => !args.is_empty() && args.iter().all(is_lasting),
        _ => false,
    }
}

/// A statement as it was planned.
pub(in crate::database) struct Ready {
    id: u64,
    table: Arc<Table>,
    /// Of some key.
    plan: Plan,
    /// What it asked of a view.
    queried: (Weak<View>, Arc<Queried>),
}

impl Ready {
    /// The same of another partition and other rows.
    fn selected(
        &mut self,
        key: Vec<u8>,
        prefix: &[Vec<u8>],
        view: Arc<View>,
        now: i64,
    ) -> Selected {
        if !std::ptr::eq(self.queried.0.as_ptr(), Arc::as_ptr(&view)) {
            let queried = self.plan.queried(view.reader());
            self.queried = (Arc::downgrade(&view), queried);
        }
        Selected {
            plan: self.plan.with_key(key, prefix, now),
            queried: self.queried.1.clone(),
            view,
        }
    }
}

impl Session<'_> {
    /// A prepared `SELECT` with its values, of `view` if that is given.
    ///
    /// # Errors
    /// Those of binding and planning.
    pub(super) fn selected(
        &mut self,
        prepared: &Prepared,
        values: &[Value<'_>],
        view: Option<&Arc<View>>,
        now: i64,
    ) -> Result<Selected> {
        let Some(keyed) = &prepared.keyed else {
            return Ok(self.planned(prepared, values, view, now)?.1);
        };
        let mut ready = self.ready.iter_mut();
        if let Some(ready) = ready.find(|ready| ready.id == prepared.id)
            && !ready.table.is_retired()
        {
            let schema = ready.table.schema();
            let mut key = Vec::new();
            if let Some(()) = keyed.key(schema, values, &mut key)
                && let Some(prefix) = keyed.prefix(schema, values)
            {
                let view = view.cloned().unwrap_or_else(|| ready.table.view());
                return Ok(ready.selected(key, &prefix, view, now));
            }
        }
        let (table, selected) = self.planned(prepared, values, view, now)?;
        self.ready.retain(|ready| ready.id != prepared.id);
        if self.ready.len() >= KEPT_MAX {
            self.ready.remove(0);
        }
        self.ready.push(Ready {
            id: prepared.id,
            table,
            plan: selected.plan.with_key(Vec::new(), &[], now),
            queried: (Arc::downgrade(&selected.view), selected.queried.clone()),
        });
        Ok(selected)
    }

    /// Binds the values and plans.
    fn planned(
        &self,
        prepared: &Prepared,
        values: &[Value<'_>],
        view: Option<&Arc<View>>,
        now: i64,
    ) -> Result<(Arc<Table>, Selected)> {
        let Statement::Select(select) = self.bind(prepared, values)? else {
            return Err(Error::invalid("only the rows of a SELECT are looked up"));
        };
        let table = self.table(&select.from)?;
        let view = view.cloned().unwrap_or_else(|| table.view());
        let selected = Selected::new(self.database, &table, view, &select, now)?;
        Ok((table, selected))
    }
}
