//! `WHERE`: relations become restrictions of columns, and these what is read and what is filtered.
//!
//! Authority: `o.a.c.cql3.restrictions.{StatementRestrictions,ClusteringColumnRestrictions,PartitionKeySingleRestrictionSet,
//! TokenFilter}`, `o.a.c.cql3.{SingleColumnRelation,MultiColumnRelation,TokenRelation}`.

use super::columns::find_column;
use super::filter::Filter;
use super::function::composite_key;
use super::function::resolve::Context;
use super::prepare::term;
use super::restriction::{Contents, Demand, Restriction, RestrictionSet, SliceBound};
use super::slices::{Nullable, Value, beginning_with, comparing, intersection, normalized};
use crate::cql::ast::{Expr, InValues, Operator, Relation};
use crate::cql::quote_name;
use crate::limits::PARTITION_KEY_BYTES_MAX;
use crate::model::{ClusteringComparator, Slice};
use crate::partitioner::{OwnedToken, TokenRange};
use crate::schema::{ColumnKind, ColumnRef, IndexSchema, TableSchema};
use crate::types::CqlType;
use crate::{Error, Result};
use std::ops::Bound;

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
#[derive(Debug, Clone)]
pub(super) enum Partitions {
    /// These, in this order, by raw key.
    Keys(Vec<Vec<u8>>),
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

    fn add(&mut self, relation: &Relation, allowance: &Allowance<'_>) -> Result<()> {
        match relation {
            Relation::Column {
                column,
                operator,
                value,
            } => {
                let column = self.find(column)?;
                let what = quote_name(column.name);
                let restriction = match operator {
                    Operator::NotEq => {
                        return Err(Error::invalid(format!(
                            "{what} != {value}: Cassandra 5.0 has no `!=` in WHERE"
                        )));
                    }
                    Operator::Eq => {
                        check_whole(&column, "=")?;
                        let value = self.value(value, column.ty, &what)?;
                        self.eq(vec![column.index], vec![value])
                    }
                    operator => {
                        check_whole(&column, &operator.to_string())?;
                        if holds_duration(column.ty) {
                            return Err(Error::invalid(format!(
                                "{what}: durations have no order, so {operator} has no meaning"
                            )));
                        }
                        let value = self.nullable(value, column.ty, &what)?;
                        if value.is_none() && column.kind != ColumnKind::Clustering {
                            return Err(with_null(&what));
                        }
                        Restriction::slice(vec![column.index], *operator, vec![value])
                    }
                };
                self.add_to(&column, restriction, allowance)
            }
            Relation::In { column, values } => {
                let column = self.find(column)?;
                check_whole(&column, "IN")?;
                let what = quote_name(column.name);
                let values = list_of(values)?
                    .iter()
                    .map(|value| Ok(vec![self.nullable(value, column.ty, &what)?]))
                    .collect::<Result<Vec<_>>>()?;
                let restriction = one_of(vec![column.index], values, &what)?;
                self.add_to(&column, restriction, allowance)
            }
            Relation::Contains { column, key, value } => {
                let column = self.find(column)?;
                let what = quote_name(column.name);
                // Cassandra does not see the collection in the reversed type of a descending column.
                let ty = match self.is_descending(&column) {
                    true => &CqlType::Empty,
                    false => column.ty,
                };
                let (element, contents): (_, fn(Value) -> Contents) = match (ty, key) {
                    (CqlType::Map { key, .. }, true) => (key, |key| Contents {
                        keys: vec![key],
                        ..Contents::default()
                    }),
                    (CqlType::List { element, .. } | CqlType::Set { element, .. }, false) => {
                        (element, contents_of_value)
                    }
                    (CqlType::Map { value, .. }, false) => (value, contents_of_value),
                    (_, true) => {
                        return Err(Error::invalid(format!(
                            "{what} is no map: CONTAINS KEY has no meaning"
                        )));
                    }
                    (_, false) => {
                        return Err(Error::invalid(format!(
                            "{what} is no collection: CONTAINS has no meaning"
                        )));
                    }
                };
                let value = self.value(value, element, &what)?;
                let restriction = Restriction {
                    columns: vec![column.index],
                    demand: Demand::Contains(contents(value)),
                };
                self.add_to(&column, restriction, allowance)
            }
            Relation::Element {
                column,
                key,
                operator,
                value,
            } => {
                let column = self.find(column)?;
                let what = quote_name(column.name);
                let CqlType::Map {
                    key: key_type,
                    value: value_type,
                    frozen: false,
                } = column.ty
                else {
                    return Err(Error::invalid(format!(
                        "{what}[{key}]: only entries of maps that are not frozen can be compared"
                    )));
                };
                if *operator != Operator::Eq {
                    return Err(Error::invalid(format!(
                        "{what}[{key}] {operator}: entries of maps can only be compared with `=`"
                    )));
                }
                let entry = format!("{what}[{key}]");
                let key = self.value(key, key_type, &entry)?;
                let value = self.value(value, value_type, &entry)?;
                let restriction = Restriction {
                    columns: vec![column.index],
                    demand: Demand::Contains(Contents {
                        entries: vec![(key, value)],
                        ..Contents::default()
                    }),
                };
                self.add_to(&column, restriction, allowance)
            }
            Relation::Tuple {
                columns,
                operator,
                value,
            } => {
                let columns = self.tuple_columns(columns)?;
                let values = self.tuple(value, &columns)?;
                let indexes = columns.iter().map(|c| c.index).collect();
                let restriction = match operator {
                    Operator::Eq => self.eq(indexes, values),
                    Operator::NotEq => {
                        return Err(Error::invalid("Cassandra 5.0 has no `!=` in WHERE"));
                    }
                    operator => {
                        let values = values.into_iter().map(Some).collect();
                        Restriction::slice(indexes, *operator, values)
                    }
                };
                self.add_to(&columns[0], restriction, allowance)
            }
            Relation::TupleIn { columns, values } => {
                let columns = self.tuple_columns(columns)?;
                let nullable = |values: Vec<Value>| values.into_iter().map(Some).collect();
                let values = list_of(values)?
                    .iter()
                    .map(|value| self.tuple(value, &columns).map(nullable))
                    .collect::<Result<Vec<_>>>()?;
                let indexes = columns.iter().map(|c| c.index).collect();
                let what = quote_name(columns[0].name);
                self.add_to(&columns[0], one_of(indexes, values, &what)?, allowance)
            }
            Relation::Token {
                columns,
                operator,
                value,
            } => self.add_token(columns, *operator, value),
            Relation::Like { column, .. } => {
                let name = &self.find(column)?.name;
                let mut indexes = allowance.indexes.iter();
                Err(match indexes.any(|i| *i.target == ***name) {
                    true => Error::unsupported(format!("{name} LIKE")),
                    false => Error::invalid(format!("{name} LIKE: only an index answers it")),
                })
            }
            Relation::IsNotNull { column } => Err(Error::invalid(format!(
                "{} IS NOT NULL: it is only for the definition of views",
                quote_name(self.find(column)?.name)
            ))),
            Relation::Index { index, .. } => Err(Error::unsupported(format!(
                "expr({index}, ...): only a custom index answers it"
            ))),
        }
    }

    fn find(&self, name: &str) -> Result<ColumnRef<'a>> {
        find_column(self.context.schema, name)
    }

    /// The value of a term, which cannot be null. `what` is the column's name.
    fn value(&self, expr: &Expr, ty: &CqlType, what: &str) -> Result<Value> {
        self.nullable(expr, ty, what)?
            .ok_or_else(|| with_null(what))
    }

    fn nullable(&self, expr: &Expr, ty: &CqlType, what: &str) -> Result<Nullable> {
        // Counters are compared by their totals.
        let ty = match ty {
            CqlType::Counter => &CqlType::BigInt,
            ty => ty,
        };
        term(self.context, expr, &ty.freeze(), what)
    }

    fn eq(&self, columns: Vec<usize>, values: Vec<Value>) -> Restriction {
        Restriction {
            columns,
            demand: Demand::Eq(values),
        }
    }

    /// The clustering columns of a tuple, without gaps.
    fn tuple_columns(&self, names: &[String]) -> Result<Vec<ColumnRef<'a>>> {
        let columns = names
            .iter()
            .map(|name| self.find(name))
            .collect::<Result<Vec<_>>>()?;
        for (i, column) in columns.iter().enumerate() {
            if column.kind != ColumnKind::Clustering {
                return Err(Error::invalid(format!(
                    "{} is no clustering column: it cannot stand in a tuple",
                    quote_name(column.name)
                )));
            }
            if i > 0 && column.index != columns[i - 1].index + 1 {
                let clustering = &self.context.schema.clustering;
                let order: Vec<String> = clustering.iter().map(|c| quote_name(&c.name)).collect();
                return Err(Error::invalid(format!(
                    "({}): columns of a tuple stand in the order of the primary key, without gaps",
                    names.join(", ")
                ))
                .advise(format!("the order is {}", order.join(", "))));
            }
        }
        Ok(columns)
    }

    fn tuple(&self, expr: &Expr, columns: &[ColumnRef<'_>]) -> Result<Vec<Value>> {
        let elements = match expr {
            Expr::Tuple(elements) => elements,
            Expr::Bind(marker) => return Err(marker.unbound()),
            other => std::slice::from_ref(other),
        };
        if elements.len() != columns.len() {
            return Err(Error::invalid(format!(
                "{expr} has {} values for {} columns",
                elements.len(),
                columns.len()
            )));
        }
        let pairs = elements.iter().zip(columns);
        pairs
            .map(|(element, column)| self.value(element, column.ty, &quote_name(column.name)))
            .collect()
    }

    fn add_token(&mut self, columns: &[String], operator: Operator, value: &Expr) -> Result<()> {
        for name in columns {
            self.find(name)?;
        }
        let key = &self.context.schema.partition_key;
        let is_key = key
            .iter()
            .map(|c| &*c.name)
            .eq(columns.iter().map(|c| &**c));
        if !is_key {
            return Err(Error::invalid(format!(
                "token({}): it takes all columns of the partition key, in order",
                columns.join(", ")
            ))
            .advise(format!("write {}", self.token_name())));
        }
        let name = self.token_name();
        let ty = self.context.partitioner.token_type();
        let value = self.value(value, &ty, &name)?;
        let restriction = match operator {
            Operator::Eq => self.eq(vec![0], vec![value]),
            Operator::NotEq => return Err(Error::invalid("Cassandra 5.0 has no `!=` in WHERE")),
            operator => Restriction::slice(vec![0], operator, vec![Some(value)]),
        };
        self.token.add(restriction, |_| name.clone())
    }

    fn token_name(&self) -> String {
        let key = &self.context.schema.partition_key;
        let names: Vec<String> = key.iter().map(|c| quote_name(&c.name)).collect();
        format!("token({})", names.join(", "))
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

    fn is_descending(&self, column: &ColumnRef<'_>) -> bool {
        let clustering = self.context.schema.clustering.get(column.index);
        column.kind == ColumnKind::Clustering && clustering.is_some_and(|c| c.descending)
    }

    fn is_indexed(
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

    /// Keys in the order of their columns' types, without those that compare equal to one before.
    fn keys(&self) -> Result<Vec<Vec<u8>>> {
        let mut keys: Vec<Vec<Value>> = vec![Vec::new()];
        for restriction in self.partition.iter() {
            keys = extended(keys, &restriction.demand)?;
        }
        let compare = |a: &Vec<Value>, b: &Vec<Value>| {
            let columns = a.iter().zip(b).enumerate();
            let mut orders = columns.map(|(i, (x, y))| self.key_type(i).compare(x, y));
            orders
                .find(|order| order.is_ne())
                .unwrap_or(std::cmp::Ordering::Equal)
        };
        keys.sort_by(compare);
        keys.dedup_by(|a, b| compare(a, b).is_eq());
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

#[cold]
fn with_null(what: &str) -> Error {
    Error::invalid(format!("{what} cannot be compared with null"))
}

fn contents_of_value(value: Value) -> Contents {
    Contents {
        values: vec![value],
        ..Contents::default()
    }
}

#[cold]
fn needs_filtering() -> Error {
    Error::invalid("the statement has to read and drop rows that it does not ask for").advise(
        "restrict the whole partition key by = or IN and clustering columns in their order, or add ALLOW FILTERING",
    )
}

fn names_of(schema: &TableSchema, kind: ColumnKind, columns: &[usize]) -> String {
    let name = |index: &usize| {
        let mut all = schema.columns();
        all.find(|c| c.kind == kind && c.index == *index)
            .map_or(String::new(), |c| quote_name(c.name))
    };
    columns.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn list_of(values: &InValues) -> Result<&[Expr]> {
    match values {
        InValues::List(values) => Ok(values),
        InValues::Bind(marker) => Err(marker.unbound()),
    }
}

/// `IN`, which with one element is `=`.
fn one_of(columns: Vec<usize>, mut values: Vec<Vec<Nullable>>, what: &str) -> Result<Restriction> {
    let demand = match values.len() {
        1 => Demand::Eq(not_null(&values.remove(0)).ok_or_else(|| with_null(what))?),
        _ => Demand::In(values),
    };
    Ok(Restriction { columns, demand })
}

fn not_null(values: &[Nullable]) -> Option<Vec<Value>> {
    values.iter().cloned().collect()
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
    if count > COMBINATIONS_MAX {
        return Err(Error::invalid(format!(
            "the INs stand for {count} combinations, more than {COMBINATIONS_MAX}"
        ))
        .advise("ask for fewer at a time"));
    }
    let mut longer = Vec::with_capacity(count);
    for prefix in &prefixes {
        for choice in &choices {
            longer.push([&prefix[..], &choice[..]].concat());
        }
    }
    Ok(longer)
}

/// Refuses to compare a value that is not kept as one.
fn check_whole(column: &ColumnRef<'_>, operator: &str) -> Result<()> {
    if !column.ty.is_multi_cell() {
        return Ok(());
    }
    let what = quote_name(column.name);
    let ty = column.ty.cql_name();
    Err(match column.ty {
        CqlType::Udt { .. } => Error::invalid(format!(
            "{what} is a {ty} that is not frozen: it cannot be restricted"
        )),
        _ => Error::invalid(format!(
            "{what} is a {ty} that is not frozen: it cannot be compared by {operator}"
        ))
        .advise("test its contents with CONTAINS, CONTAINS KEY or [key] ="),
    })
}

fn holds_duration(ty: &CqlType) -> bool {
    match ty {
        CqlType::Duration => true,
        CqlType::List { element, .. }
        | CqlType::Set { element, .. }
        | CqlType::Vector { element, .. } => holds_duration(element),
        CqlType::Map { key, value, .. } => holds_duration(key) || holds_duration(value),
        CqlType::Tuple(types) => types.iter().any(holds_duration),
        CqlType::Udt { definition, .. } => {
            definition.fields.iter().any(|(_, ty)| holds_duration(ty))
        }
        _ => false,
    }
}

/// Whether an index answers a demand on a column, so that Cassandra wants no `ALLOW FILTERING`.
fn supports(index: &IndexSchema, column: &ColumnRef<'_>, demand: &Demand) -> bool {
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
