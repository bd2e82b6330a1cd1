//! From restrictions to what is read, and what is filtered.
//!
//! Authority: `o.a.c.cql3.restrictions.{ClusteringColumnRestrictions,PartitionKeySingleRestrictionSet,TokenFilter}`.

use super::relation::not_null;
use super::{Allowance, COMBINATIONS_MAX, Partitions, Restrictions, names_of, with_null};
use crate::cql::ast::Operator;
use crate::limits::PARTITION_KEY_BYTES_MAX;
use crate::model::{ClusteringComparator, Slice};
use crate::partitioner::{OwnedToken, TokenRange};
use crate::query::filter::Filter;
use crate::query::function::composite_key;
use crate::query::restriction::{Demand, Restriction, SliceBound};
use crate::query::slices::{Value, beginning_with, comparing, intersection, normalized};
use crate::query::target::{Changing, TargetRows, Targets, only_keys};
use crate::schema::{ColumnKind, IndexSchema};
use crate::{Error, Result};
use std::cmp::Ordering;
use std::ops::Bound;

impl Restrictions<'_> {
    /// The partitions to read.
    ///
    /// Errors: `InvalidInput` for a key that none can have.
    pub fn partitions(&self) -> Result<Partitions> {
        let range = self.token_range()?;
        if self.is_range() {
            let range = range.map_or(TokenRange::ALL, |range| self.scanned(range));
            return Ok(Partitions::Range(range));
        }
        let mut keys = self.keys()?;
        if let Some(range) = range {
            keys.retain(|key| self.is_in_tokens(&range, key));
        }
        Ok(Partitions::Keys(keys))
    }

    /// What is changed.
    ///
    /// Errors: `InvalidInput` for what is no whole key, and for clusterings that the statement does not take.
    pub fn targets(&self, changing: Changing) -> Result<Targets> {
        let schema = self.context.schema;
        let name = |kind, column| names_of(schema, kind, &[column]);
        for kind in [ColumnKind::Static, ColumnKind::Regular] {
            if let Some(restriction) = self.set(kind).last() {
                let name = name(kind, restriction.first());
                return Err(only_keys(&format!("the condition on {name}")));
            }
        }
        let mut key = 0..schema.partition_key.len();
        if let Some(missing) = key.find(|column| self.partition.of(*column).is_none()) {
            let name = name(ColumnKind::PartitionKey, missing);
            return Err(Error::invalid(format!(
                "the partition key column `{name}` has no value"
            )));
        }
        if !self.partition.has_only_equalities() {
            return Err(Error::invalid("partitions are told by = and IN"));
        }
        let missing = (0..schema.clustering.len())
            .find(|column| self.clustering.of(*column).is_none())
            .filter(|_| !schema.is_static_compact());
        let missing_value = |behind: &str| {
            let name = name(ColumnKind::Clustering, missing.unwrap_or_default());
            Error::invalid(format!(
                "the clustering column `{name}` has no value{behind}"
            ))
        };
        if self.clustering_filters().next().is_some() {
            return Err(missing_value(", and one behind it has"));
        }
        if changing.only_statics && self.has_clustering() {
            return Err(Error::invalid(
                "static columns alone are changed, and WHERE names clustering columns",
            ));
        }
        let has_slice = !self.clustering.has_only_equalities();
        if !changing.slices {
            if has_slice {
                return Err(Error::invalid("an UPDATE changes single rows, not ranges"));
            }
            if missing.is_some() && !changing.only_statics {
                return Err(missing_value(""));
            }
        }
        let partitions = self.keys()?;
        let rows = match self.has_clustering() {
            false => TargetRows::All,
            true if has_slice || missing.is_some() => TargetRows::Slices(self.slices()?),
            true => TargetRows::Rows(self.clusterings()?),
        };
        let count = match &rows {
            TargetRows::All => 1,
            TargetRows::Rows(rows) => rows.len(),
            TargetRows::Slices(slices) => slices.len(),
        };
        check_combinations(partitions.len().saturating_mul(count))?;
        Ok(Targets { partitions, rows })
    }

    /// The clusterings of rows, in storage order, without those that compare equal to one before.
    fn clusterings(&self) -> Result<Vec<Vec<Value>>> {
        let comparator = ClusteringComparator::new(&self.context.schema.clustering);
        let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
        for restriction in self.clustering.iter() {
            rows = extended(rows, &restriction.demand)?;
        }
        sort_each_once(&mut rows, |i, a, b| {
            comparator.compare_values(i, Some(a), Some(b))
        });
        Ok(rows)
    }

    /// Keys in the order of their columns' types, without those that compare equal to one before.
    fn keys(&self) -> Result<Vec<Vec<u8>>> {
        let mut keys: Vec<Vec<Value>> = vec![Vec::new()];
        for restriction in self.partition.iter() {
            keys = extended(keys, &restriction.demand)?;
        }
        sort_each_once(&mut keys, |i, a, b| self.key_type(i).compare(a, b));
        keys.into_iter()
            .map(|mut components| {
                let key = match components.len() {
                    1 => components.remove(0),
                    _ => composite_key(&components)?,
                };
                if key.is_empty() {
                    return Err(Error::invalid("a partition key cannot be empty"));
                }
                if key.len() > PARTITION_KEY_BYTES_MAX {
                    return Err(Error::invalid(format!(
                        "a partition key of {} bytes: none has more than {PARTITION_KEY_BYTES_MAX}",
                        key.len()
                    )));
                }
                Ok(key)
            })
            .collect()
    }

    fn token_bound(&self, bound: &Option<SliceBound>) -> Result<Bound<OwnedToken>> {
        let Some(bound) = bound else {
            return Ok(Bound::Unbounded);
        };
        let value = bound.values.first().and_then(Option::as_deref);
        let value = value.unwrap_or_default();
        let token = self.context.partitioner.token_from_value(value)?.into();
        Ok(match bound.inclusive {
            true => Bound::Included(token),
            false => Bound::Excluded(token),
        })
    }

    /// The demanded range of tokens.
    fn token_range(&self) -> Result<Option<TokenRange>> {
        let Some(restriction) = self.token.last() else {
            return Ok(None);
        };
        let (lower, upper) = match &restriction.demand {
            Demand::Slice { lower, upper } => (lower.clone(), upper.clone()),
            Demand::Eq(values) => {
                let exactly = Some(SliceBound {
                    values: values.iter().cloned().map(Some).collect(),
                    inclusive: true,
                });
                (exactly.clone(), exactly)
            }
            _ => (None, None),
        };
        Ok(Some(TokenRange {
            start: self.token_bound(&lower)?,
            end: self.token_bound(&upper)?,
        }))
    }

    /// The range to scan: in it the minimum token stands for no bound, at the end too.
    fn scanned(&self, range: TokenRange) -> TokenRange {
        let min = OwnedToken::from(self.context.partitioner.min_token());
        let unless_min = |bound: Bound<OwnedToken>| match bound {
            Bound::Included(token) | Bound::Excluded(token) if token == min => Bound::Unbounded,
            bound => bound,
        };
        TokenRange {
            start: unless_min(range.start),
            end: unless_min(range.end),
        }
    }

    /// Whether a key named by the statement has a demanded token. Here a lower bound behind the upper one means
    /// both sides of the ring.
    fn is_in_tokens(&self, range: &TokenRange, key: &[u8]) -> bool {
        let partitioner = self.context.partitioner;
        let starts = TokenRange {
            start: range.start.clone(),
            end: Bound::Unbounded,
        };
        let ends = TokenRange {
            start: Bound::Unbounded,
            end: range.end.clone(),
        };
        let (after, before) = (
            starts.contains(partitioner, key),
            ends.contains(partitioner, key),
        );
        let wraps = match (&range.start, &range.end) {
            (
                Bound::Included(start) | Bound::Excluded(start),
                Bound::Included(end) | Bound::Excluded(end),
            ) => partitioner.compare_tokens(start.get(), end.get()).is_gt(),
            _ => false,
        };
        if wraps {
            after || before
        } else {
            after && before
        }
    }

    /// The slices of each partition to read, ascending; none if nothing can fit.
    pub fn slices(&self) -> Result<Vec<Slice>> {
        let columns = &self.context.schema.clustering;
        let comparator = ClusteringComparator::new(columns);
        let mut prefixes: Vec<Vec<Value>> = vec![Vec::new()];
        let mut position = 0;
        for restriction in self.clustering.iter() {
            if restriction.is_contains() || restriction.first() != position {
                break;
            }
            position = restriction.end();
            let Demand::Slice { lower, upper } = &restriction.demand else {
                prefixes = extended(prefixes, &restriction.demand)?;
                continue;
            };
            let side = |prefix: &[Value], bound: &SliceBound, operators: [Operator; 2]| {
                let operator = operators[usize::from(bound.inclusive)];
                let slices = comparing(columns, prefix, &bound.values, operator);
                normalized(&comparator, slices)
            };
            let mut slices = Vec::new();
            for prefix in &prefixes {
                let lower = lower
                    .as_ref()
                    .map(|b| side(prefix, b, [Operator::Gt, Operator::Gte]));
                let upper = upper
                    .as_ref()
                    .map(|b| side(prefix, b, [Operator::Lt, Operator::Lte]));
                slices.extend(match (lower, upper) {
                    (Some(lower), Some(upper)) => intersection(&comparator, &lower, &upper),
                    (lower, upper) => lower.or(upper).unwrap_or_default(),
                });
            }
            return Ok(normalized(&comparator, slices));
        }
        let slices = prefixes.iter().map(|prefix| beginning_with(prefix));
        Ok(normalized(&comparator, slices.collect()))
    }

    /// What has to be tested of the partitions and rows that are read.
    ///
    /// Errors: `InvalidInput` for comparisons of tuples that cannot be tested.
    pub fn filter(&self, allowance: &Allowance<'_>) -> Result<Filter> {
        let (mut filter, schema) = (Filter::default(), self.context.schema);
        let mut add = |kind, restriction: &Restriction| {
            let ty = |i: usize| match kind {
                ColumnKind::PartitionKey => &schema.partition_key[i].ty,
                ColumnKind::Clustering => &schema.clustering[i].ty,
                ColumnKind::Static => &schema.statics[i].ty,
                ColumnKind::Regular => &schema.regulars[i].ty,
            };
            // An index of the old kind finds only the very bytes.
            let is_old = |index: &&IndexSchema| index.class.is_none();
            let old: Vec<IndexSchema> = allowance.indexes.iter().filter(is_old).cloned().collect();
            let old = Allowance {
                indexes: &old,
                ..*allowance
            };
            let exact = self.is_indexed(kind, restriction, &old);
            filter.add(kind, restriction, exact, ty)
        };
        if self.key_needs_filtering() {
            for restriction in self.partition.iter() {
                add(ColumnKind::PartitionKey, restriction)?;
            }
        }
        for restriction in self.clustering_filters() {
            add(ColumnKind::Clustering, restriction)?;
        }
        for restriction in self.statics.iter() {
            add(ColumnKind::Static, restriction)?;
        }
        for restriction in self.regulars.iter() {
            add(ColumnKind::Regular, restriction)?;
        }
        Ok(filter)
    }
}

/// Each prefix with each of the demanded values behind it.
fn extended(prefixes: Vec<Vec<Value>>, demand: &Demand) -> Result<Vec<Vec<Value>>> {
    let choices: Vec<Vec<Value>> = match demand {
        Demand::Eq(values) => vec![values.clone()],
        Demand::In(choices) => {
            let choices = choices.iter().map(|choice| not_null(choice));
            let choices: Option<Vec<_>> = choices.collect();
            choices.ok_or_else(|| with_null("a column of the primary key"))?
        }
        _ => Vec::new(),
    };
    let count = prefixes.len().saturating_mul(choices.len());
    check_combinations(count)?;
    let mut longer = Vec::with_capacity(count);
    for prefix in &prefixes {
        for choice in &choices {
            longer.push([&prefix[..], &choice[..]].concat());
        }
    }
    Ok(longer)
}

/// Sorts values by the orders of their columns, and keeps one of those that compare equal.
fn sort_each_once(rows: &mut Vec<Vec<Value>>, compare: impl Fn(usize, &[u8], &[u8]) -> Ordering) {
    let compare = |a: &Vec<Value>, b: &Vec<Value>| {
        let columns = a.iter().zip(b).enumerate();
        let mut orders = columns.map(|(i, (a, b))| compare(i, a, b));
        orders
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    };
    rows.sort_by(compare);
    rows.dedup_by(|a, b| compare(a, b).is_eq());
}

fn check_combinations(count: usize) -> Result<()> {
    match count > COMBINATIONS_MAX {
        true => Err(Error::invalid(format!(
            "the INs stand for {count} combinations, more than {COMBINATIONS_MAX}"
        ))
        .advise("ask for fewer at a time")),
        false => Ok(()),
    }
}
