//! `WHERE`: relations become restrictions of columns, and these what is read and what is filtered.
//!
//! Authority: `o.a.c.cql3.restrictions.{StatementRestrictions,ClusteringColumnRestrictions,PartitionKeySingleRestrictionSet,
//! TokenFilter}`, `o.a.c.cql3.{SingleColumnRelation,MultiColumnRelation,TokenRelation}`.

mod allow;
mod reads;
mod relation;

use super::function::resolve::Context;
use super::restriction::{Restriction, RestrictionSet};
use crate::cql::ast::Relation;
use crate::cql::quote_name;
use crate::partitioner::TokenRange;
use crate::read::KeyList;
use crate::schema::{ColumnKind, ColumnRef, IndexSchema, TableSchema};
use crate::types::CqlType;
use crate::{Error, Result};
use allow::supports;
pub(super) use relation::holds_duration;

/// Most keys, or clustering prefixes, that the `IN`s of a statement may stand for together.
const COMBINATIONS_MAX: usize = 100_000;

/// The restrictions of a statement.
#[derive(Debug)]
pub(super) struct Restrictions<'a> {
    context: Context<'a>,
    partition: RestrictionSet,
    clustering: RestrictionSet,
    statics: RestrictionSet,
    regulars: RestrictionSet,
    /// Of the token, which is its only column.
    token: RestrictionSet,
}

/// What partitions are read.
#[derive(Debug)]
pub(super) enum Partitions {
    /// These, in this order, by raw key.
    Keys(Vec<Vec<u8>>),
    /// These, in the order in which they are stored.
    Sorted(KeyList),
    /// Those of a range of tokens.
    Range(TokenRange),
}

/// What makes a statement need `ALLOW FILTERING`, or not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance<'a> {
    /// Whether the statement has it.
    pub filtering: bool,
    /// Whether only static columns, and key columns, are selected.
    pub only_statics: bool,
    /// The secondary indexes of the table.
    pub indexes: &'a [IndexSchema],
}

impl<'a> Restrictions<'a> {
    /// Of these relations.
    ///
    /// Errors: `InvalidInput` if a relation makes no sense, or two cannot hold together; `Unsupported`, by name, for what
    /// only an index can answer.
    pub fn new(
        context: Context<'a>,
        relations: &[Relation],
        allowance: &Allowance<'_>,
    ) -> Result<Self> {
        let mut restrictions = Restrictions {
            context,
            partition: RestrictionSet::default(),
            clustering: RestrictionSet::default(),
            statics: RestrictionSet::default(),
            regulars: RestrictionSet::default(),
            token: RestrictionSet::default(),
        };
        for relation in relations {
            restrictions.add(relation, allowance)?;
        }
        Ok(restrictions)
    }

    fn set(&self, kind: ColumnKind) -> &RestrictionSet {
        match kind {
            ColumnKind::PartitionKey => &self.partition,
            ColumnKind::Clustering => &self.clustering,
            ColumnKind::Static => &self.statics,
            ColumnKind::Regular => &self.regulars,
        }
    }

    fn add_to(
        &mut self,
        column: &ColumnRef<'_>,
        restriction: Restriction,
        allowance: &Allowance<'_>,
    ) -> Result<()> {
        let (kind, schema) = (column.kind, self.context.schema);
        let is_free = allowance.filtering
            || allowance
                .indexes
                .iter()
                .any(|i| supports(i, column, &restriction.demand));
        if kind == ColumnKind::Clustering && !is_free {
            self.check_order(&restriction)?;
        }
        let names = |columns: &[usize]| names_of(schema, kind, columns);
        let set = match kind {
            ColumnKind::PartitionKey => &mut self.partition,
            ColumnKind::Clustering => &mut self.clustering,
            ColumnKind::Static => &mut self.statics,
            ColumnKind::Regular => &mut self.regulars,
        };
        set.add(restriction, names)
    }

    /// Without filtering, nothing can be restricted behind a slice.
    fn check_order(&self, new: &Restriction) -> Result<()> {
        let Some(last) = self.clustering.last() else {
            return Ok(());
        };
        let (slice, behind) = if last.is_slice() && new.first() > last.first() {
            (last.first(), new.first())
        } else if new.is_slice() && new.first() < last.first() {
            (new.first(), last.first())
        } else {
            return Ok(());
        };
        let name = |i| names_of(self.context.schema, ColumnKind::Clustering, &[i]);
        Err(Error::invalid(format!(
            "{} cannot be restricted: {} before it is, by an inequality",
            name(behind),
            name(slice)
        ))
        .advise("add ALLOW FILTERING to read and filter all rows of the inequality"))
    }

    // What is read

    /// The types of the partition key's columns.
    fn key_type(&self, index: usize) -> &'a CqlType {
        &self.context.schema.partition_key[index].ty
    }

    /// Whether some key columns are restricted, but not so that whole keys come out.
    fn key_needs_filtering(&self) -> bool {
        let key = &self.context.schema.partition_key;
        !self.partition.is_empty()
            && (self.partition.column_count() < key.len() || !self.partition.has_only_equalities())
    }

    /// Whether a range of tokens is read rather than keys.
    pub fn is_range(&self) -> bool {
        self.partition.is_empty() || self.key_needs_filtering()
    }

    /// Whether several partitions are named by `IN`.
    pub fn has_key_in(&self) -> bool {
        !self.is_range() && self.partition.has_in()
    }

    /// Whether a column is restricted by `=`.
    pub fn is_eq(&self, kind: ColumnKind, index: usize) -> bool {
        self.set(kind).of(index).is_some_and(Restriction::is_eq)
    }

    /// Whether a clustering column is restricted.
    pub fn has_clustering(&self) -> bool {
        !self.clustering.is_empty()
    }

    /// Whether a regular column is restricted.
    pub fn has_regulars(&self) -> bool {
        !self.regulars.is_empty()
    }

    /// Whether a partition that has only static content is a row of the result.
    pub fn returns_statics_alone(&self) -> bool {
        self.context.schema.is_static_compact() || !self.has_clustering() && !self.has_regulars()
    }

    /// Restrictions of clustering columns which are not those of a slice.
    fn clustering_filters(&self) -> impl Iterator<Item = &Restriction> {
        let mut position = 0;
        self.clustering.iter().filter(move |restriction| {
            let is_filter = restriction.is_contains() || restriction.first() != position;
            if !is_filter && !restriction.is_slice() {
                position = restriction.end();
            }
            is_filter
        })
    }

    fn is_descending(&self, column: &ColumnRef<'_>) -> bool {
        let clustering = self.context.schema.clustering.get(column.index);
        column.kind == ColumnKind::Clustering && clustering.is_some_and(|c| c.descending)
    }
}

#[cold]
fn with_null(what: &str) -> Error {
    Error::invalid(format!("{what} cannot be compared with null"))
}

fn names_of(schema: &TableSchema, kind: ColumnKind, columns: &[usize]) -> String {
    let name = |index: &usize| {
        let mut all = schema.columns();
        all.find(|c| c.kind == kind && c.index == *index)
            .map_or(String::new(), |c| quote_name(c.name))
    };
    columns.iter().map(name).collect::<Vec<_>>().join(", ")
}
