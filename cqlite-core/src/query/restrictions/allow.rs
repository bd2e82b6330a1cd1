//! What Cassandra refuses for the work that it would be.
//!
//! Authority: `o.a.c.cql3.restrictions.StatementRestrictions`.

use super::{Allowance, Restrictions, names_of};
use crate::cql::quote_name;
use crate::query::restriction::{Demand, Restriction};
use crate::schema::{ColumnKind, ColumnRef, IndexSchema};
use crate::{Error, Result};

impl Restrictions<'_> {
    /// Refuses what Cassandra refuses, such as filtering that was not allowed. Returns whether a secondary index would be
    /// used.
    pub fn check(&self, allowance: &Allowance<'_>) -> Result<bool> {
        let has_index = |kind: ColumnKind| {
            self.set(kind)
                .iter()
                .any(|restriction| self.is_indexed(kind, restriction, allowance))
        };
        use ColumnKind::{Clustering, PartitionKey, Regular, Static};
        let has_any_index = [PartitionKey, Clustering, Regular, Static]
            .into_iter()
            .any(has_index);
        let has_others = self.has_regulars() || !self.statics.is_empty();

        if self.key_needs_filtering() && !allowance.filtering && !has_any_index {
            return Err(needs_filtering());
        }
        if allowance.only_statics && self.has_clustering() {
            return Err(Error::invalid(
                "clustering columns are restricted, but only static columns are selected",
            ));
        }
        let filters_clusterings = self.clustering_filters().next().is_some();
        if filters_clusterings && !allowance.filtering && !has_any_index {
            let gap = self.clustering.iter().scan(0, |position, restriction| {
                let gap =
                    (restriction.first() != *position).then_some((restriction.first(), *position));
                *position = restriction.end();
                Some(gap)
            });
            let schema = self.context.schema;
            if let Some((column, before)) = gap.flatten().next() {
                let name = |i| names_of(schema, Clustering, &[i]);
                return Err(Error::invalid(format!(
                    "{} is restricted, but {} before it is not",
                    name(column),
                    name(before)
                ))
                .advise("restrict it too, or add ALLOW FILTERING"));
            }
            return Err(needs_filtering());
        }
        if has_others && !has_any_index && !allowance.filtering {
            return Err(needs_filtering());
        }
        let uses_index = has_any_index
            && (self.is_range() || has_others || filters_clusterings || has_index(Clustering));
        if uses_index && self.has_key_in() {
            return Err(Error::invalid(
                "IN on the partition key and a restriction of an indexed column cannot be combined",
            ));
        }
        if !allowance.filtering && (self.is_range() || uses_index) {
            let is_served = |kind: ColumnKind, restriction: &Restriction| {
                self.is_indexed(kind, restriction, allowance)
            };
            let mut unserved = [PartitionKey, Clustering, Regular, Static]
                .into_iter()
                // A whole key is no filter.
                .filter(|kind| *kind != PartitionKey || self.key_needs_filtering())
                .flat_map(|kind| self.set(kind).iter().map(move |r| (kind, r)))
                .filter(|(kind, r)| !is_served(*kind, r));
            if unserved.next().is_some() {
                return Err(needs_filtering());
            }
        }
        Ok(uses_index)
    }

    pub(super) fn is_indexed(
        &self,
        kind: ColumnKind,
        restriction: &Restriction,
        allowance: &Allowance<'_>,
    ) -> bool {
        restriction.columns.iter().any(|index| {
            let mut columns = self.context.schema.columns();
            columns
                .find(|c| c.kind == kind && c.index == *index)
                .is_some_and(|column| {
                    let mut indexes = allowance.indexes.iter();
                    indexes.any(|i| supports(i, &column, &restriction.demand))
                })
        })
    }
}

#[cold]
fn needs_filtering() -> Error {
    Error::invalid("the statement has to read and drop rows that it does not ask for").advise(
        "restrict the whole partition key by = or IN and clustering columns in their order, or add ALLOW FILTERING",
    )
}

/// Whether an index answers a demand on a column, so that Cassandra wants no `ALLOW FILTERING`.
pub(super) fn supports(index: &IndexSchema, column: &ColumnRef<'_>, demand: &Demand) -> bool {
    let target = index.target.as_str();
    let (function, inner) = match target.strip_suffix(')').and_then(|t| t.split_once('(')) {
        Some((function, inner)) => (function, inner),
        None => ("", target),
    };
    if inner != quote_name(column.name) && inner != &**column.name {
        return false;
    }
    let is_sai = index.class.as_deref().is_some_and(|class| {
        class.eq_ignore_ascii_case("sai") || class.ends_with("StorageAttachedIndex")
    });
    let is_legacy = index.class.is_none();
    match demand {
        Demand::Eq(_) => matches!(function, "" | "full" | "values"),
        Demand::Contains(contents) => {
            let kinds = [
                (&contents.values.is_empty(), ["", "values"]),
                (&contents.keys.is_empty(), ["keys", "keys"]),
                (&contents.entries.is_empty(), ["entries", "entries"]),
            ];
            kinds
                .iter()
                .any(|(empty, functions)| !**empty && functions.contains(&function))
        }
        Demand::Slice { .. } => is_sai && function.is_empty(),
        Demand::In(_) => !is_legacy && is_sai && function.is_empty(),
    }
}
