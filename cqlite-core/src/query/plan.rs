//! A statement against a schema becomes a plan: what to read, what to drop, what to show.
//!
//! Authority: `o.a.c.cql3.statements.SelectStatement.RawStatement.prepare`, `o.a.c.cql3.selection.Selection`.

use super::columns::find_column;
use super::filter::Filter;
use super::function::resolve::Context;
use super::input::Fetched;
use super::prepare::{AggregateCall, Preparer};
use super::restrictions::{Allowance, Partitions, Restrictions};
use super::selection::{Node, Selected};
use super::slices::{Value, beginning_with};
use crate::cql::ast::{Expr, Limit, Ordering, Select, Selection};
use crate::cql::quote_name;
use crate::model::Slice;
use crate::partitioner::Partitioner;
use crate::read::{KeyList, Queried, TableReader};
use crate::schema::{ColumnKind, ColumnRef, IndexSchema, TableSchema};
use crate::sstable::data::{Asked, KeyRange};
use crate::types::CqlType;
use crate::{Error, Result};
use std::sync::Arc;

/// What a plan depends on beside the statement.
#[derive(Debug, Clone, Copy)]
pub struct PlanOptions<'a> {
    /// The secondary indexes of the table: what they answer needs no `ALLOW FILTERING`.
    pub indexes: &'a [IndexSchema],
    /// Seconds since 1970: what is alive then is shown, and what functions take for now.
    pub now: i64,
}

/// A column of the result.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultColumn {
    /// Its name, an alias if it has one.
    pub name: String,
    /// Type of its values. A counter's are bigints.
    pub ty: CqlType,
}

/// A statement that is ready to run over a table.
#[derive(Debug)]
pub struct Plan {
    pub(super) partitions: Partitions,
    /// Ascending in storage order; none if no row can fit.
    pub(super) slices: Vec<Slice>,
    pub(super) now: i64,
    pub(super) shape: Arc<Shape>,
}

/// What of a plan is the same for other keys, and at another time.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) reversed: bool,
    pub(super) filter: Filter,
    pub(super) fetched: Vec<Fetched>,
    /// Rows may be read by their names. DISTINCT keys are read as a slice of the partition.
    pub(super) by_name: bool,
    /// What the statement asks for of each regular column; `None` if for all of them.
    pub(super) queried: Option<Vec<Asked>>,
    /// The static columns that it asks for, by their indexes.
    pub(super) queried_statics: Vec<usize>,
    pub(super) outputs: Vec<Selected>,
    pub(super) aggregates: Vec<AggregateCall>,
    pub(super) grouping: Option<Grouping>,
    /// The result is sorted by these, of which the `bool`s say whether they descend.
    pub(super) sort: Vec<(Selected, bool)>,
    /// Rows, before they are grouped.
    pub(super) rows_per_partition: u64,
    pub(super) groups_per_partition: u64,
    pub(super) limit: u64,
    pub(super) returns_statics_alone: bool,
    pub(super) schema: Arc<TableSchema>,
    /// For each column of the result the fetched one that it is, if all are that.
    pub(super) plain: Option<Vec<usize>>,
    columns: Arc<[ResultColumn]>,
    json: bool,
}

/// How rows are grouped.
#[derive(Debug)]
pub(super) enum Grouping {
    /// All of them are one group, which there always is.
    Everything,
    /// By the partition key and the first clustering columns; the last of these may go through a function.
    Prefix {
        /// How many clustering columns.
        clustering: usize,
        /// What is compared instead of the last of them, which is its only column.
        function: Option<Selected>,
    },
}

impl Plan {
    /// Plans a statement about the table of `schema`, whose keys are of `partitioner`.
    ///
    /// # Errors
    /// `InvalidInput` for what makes no sense, or what Cassandra refuses; `Unsupported`, by its name, for what Cassandra can
    /// and this library cannot.
    pub fn new(
        select: &Select,
        schema: &Arc<TableSchema>,
        partitioner: &Partitioner,
        options: &PlanOptions<'_>,
    ) -> Result<Plan> {
        let context = Context {
            schema,
            partitioner,
            now: options.now,
        };
        let mut preparer = Preparer::new(context);
        let mut outputs = Vec::new();
        let mut columns = Vec::new();
        match &select.selection {
            Selection::All => {
                for column in schema.select_order() {
                    outputs.push(preparer.column(&column));
                }
            }
            Selection::Selectors(selectors) => {
                for selector in selectors {
                    outputs.push(preparer.select(&selector.expr)?);
                }
            }
        }
        for (i, output) in outputs.iter().enumerate() {
            let alias = match &select.selection {
                Selection::Selectors(selectors) => selectors[i].alias.clone(),
                Selection::All => None,
            };
            columns.push(ResultColumn {
                name: alias.unwrap_or_else(|| output.name.clone()),
                ty: match &output.ty {
                    CqlType::Counter => CqlType::BigInt,
                    ty => ty.clone(),
                },
            });
        }

        let selects = |kind: ColumnKind| preparer.columns.iter().any(|c| c.kind == kind);
        let only_statics = select.selection != Selection::All
            && !schema.is_static_compact()
            && selects(ColumnKind::Static)
            && !selects(ColumnKind::Clustering)
            && !selects(ColumnKind::Regular);
        let allowance = Allowance {
            filtering: select.allow_filtering,
            only_statics,
            indexes: options.indexes,
        };
        let restrictions = Restrictions::new(context, &select.relations, &allowance)?;
        let uses_index = restrictions.check(&allowance)?;
        if select.distinct {
            check_distinct(select, schema, &preparer.columns, &restrictions)?;
        }
        let grouping = grouping(select, context, &restrictions, &preparer)?;
        if matches!(grouping, Some(Grouping::Everything)) && select.per_partition_limit.is_some() {
            return Err(Error::invalid(
                "PER PARTITION LIMIT has no meaning for an aggregate of all rows",
            ));
        }
        let order = order(select, schema, &restrictions, uses_index)?;
        let mut sort = Vec::new();
        if restrictions.has_key_in() {
            for (column, descending) in &order.columns {
                sort.push((preparer.column(column), *descending));
            }
        }
        let per_partition = limit(&select.per_partition_limit)?;
        let rows_per_partition = match grouping {
            _ if select.distinct => 1,
            Some(_) => u64::MAX,
            None => per_partition,
        };
        let slices = restrictions.slices()?;
        // Keys are not looked at, nor is one refused, when no row can be meant.
        let partitions = match slices.is_empty() {
            true => Partitions::Keys(Vec::new()),
            false => restrictions.partitions()?,
        };
        let filter = restrictions.filter(&allowance)?;
        let (queried, queried_statics, by_name) = queried(schema, &preparer, &outputs, &filter);
        let plain = match grouping {
            Some(_) => None,
            None => plain_outputs(&outputs),
        };
        let shape = Shape {
            queried,
            queried_statics,
            by_name: by_name && !select.distinct,
            reversed: order.reversed,
            filter,
            returns_statics_alone: restrictions.returns_statics_alone(),
            fetched: preparer.columns,
            aggregates: preparer.aggregates,
            outputs,
            grouping,
            sort,
            rows_per_partition,
            groups_per_partition: per_partition,
            limit: limit(&select.limit)?,
            schema: schema.clone(),
            plain,
            columns: columns.into(),
            json: select.json,
        };
        Ok(Plan {
            partitions,
            slices,
            now: options.now,
            shape: Arc::new(shape),
        })
    }

    /// The columns of the result. Of `SELECT JSON` those that the objects have.
    pub fn columns(&self) -> &[ResultColumn] {
        &self.shape.columns
    }

    /// [`columns`](Self::columns), to be kept.
    pub(crate) fn shared_columns(&self) -> Arc<[ResultColumn]> {
        self.shape.columns.clone()
    }

    /// What it asks of a table, which must be the one that it was made for.
    pub(crate) fn queried(&self, reader: &TableReader) -> Arc<Queried> {
        let shape = &*self.shape;
        let queried = reader.queried(shape.queried.as_deref(), shape.reversed, shape.by_name);
        Arc::new(queried.with_statics(shape.queried_statics.clone()))
    }

    /// The same for another partition, by its raw key, and for its rows whose clusterings begin with `prefix`, at another time.
    /// This one must be of one partition that is told by its key, and of rows that are told in the same way.
    pub(crate) fn with_key(&self, key: Vec<u8>, prefix: &[Value], now: i64) -> Self {
        Plan {
            partitions: Partitions::Keys(vec![key]),
            slices: vec![beginning_with(prefix)],
            now,
            shape: self.shape.clone(),
        }
    }

    /// The same for other partitions. `None` if it is about all of its partitions together: groups them, limits them, or is no
    /// plan of keys.
    pub(crate) fn with_keys(&self, keys: KeyList) -> Option<Self> {
        let shape = &self.shape;
        let is_of_each = matches!(self.partitions, Partitions::Keys(_))
            && shape.grouping.is_none()
            && shape.sort.is_empty()
            && shape.limit == u64::MAX;
        is_of_each.then(|| Plan {
            partitions: Partitions::Sorted(keys),
            slices: self.slices.clone(),
            now: self.now,
            shape: shape.clone(),
        })
    }

    /// Seconds since 1970 at which what is alive is shown.
    pub(crate) fn now(&self) -> i64 {
        self.now
    }

    /// The raw key of the first partition that it reads, if it reads partitions by their keys.
    pub(crate) fn first_key(&self) -> Option<&[u8]> {
        match &self.partitions {
            Partitions::Keys(keys) => keys.first().map(Vec::as_slice),
            Partitions::Sorted(_) | Partitions::Range(_) => None,
        }
    }

    /// Whether it is a `SELECT JSON`, whose rows are to be shown as JSON objects.
    pub fn is_json(&self) -> bool {
        self.shape.json
    }
}

/// For each output the fetched column that it is, if all are that.
fn plain_outputs(outputs: &[Selected]) -> Option<Vec<usize>> {
    let plain = |output: &Selected| match output.node {
        Node::Column(i) => Some(i),
        _ => None,
    };
    outputs.iter().map(plain).collect()
}

fn limit(limit: &Option<Limit>) -> Result<u64> {
    match limit {
        Some(Limit::Rows(rows)) => Ok((*rows).into()),
        Some(Limit::Bind(marker)) => Err(marker.unbound()),
        None => Ok(u64::MAX),
    }
}

fn check_distinct(
    select: &Select,
    schema: &TableSchema,
    fetched: &[Fetched],
    restrictions: &Restrictions<'_>,
) -> Result<()> {
    if select.per_partition_limit.is_some() {
        return Err(Error::invalid(
            "PER PARTITION LIMIT has no meaning for DISTINCT, which shows a row a partition",
        ));
    }
    if restrictions.has_clustering() || restrictions.has_regulars() {
        return Err(Error::invalid(
            "SELECT DISTINCT: only columns of the partition key and static columns can be restricted",
        ));
    }
    let of_partition =
        |kind: ColumnKind| matches!(kind, ColumnKind::PartitionKey | ColumnKind::Static);
    if let Some(other) = fetched.iter().find(|c| !of_partition(c.kind)) {
        return Err(Error::invalid(format!(
            "SELECT DISTINCT: {} is neither a column of the partition key nor static",
            quote_name(&other.name)
        )));
    }
    if restrictions.is_range() {
        let is_selected = |i: &usize| {
            fetched
                .iter()
                .any(|c| c.kind == ColumnKind::PartitionKey && c.index == *i)
        };
        if let Some(i) = (0..schema.partition_key.len()).find(|i| !is_selected(i)) {
            return Err(Error::invalid(format!(
                "SELECT DISTINCT: all columns of the partition key have to be selected, {} too",
                quote_name(&schema.partition_key[i].name)
            )));
        }
    }
    Ok(())
}

fn grouping(
    select: &Select,
    context: Context<'_>,
    restrictions: &Restrictions<'_>,
    preparer: &Preparer<'_>,
) -> Result<Option<Grouping>> {
    if select.group_by.is_empty() {
        let aggregates = !preparer.aggregates.is_empty();
        return Ok(aggregates.then_some(Grouping::Everything));
    }
    let schema = context.schema;
    let mut key = schema
        .columns()
        .filter(|c| matches!(c.kind, ColumnKind::PartitionKey | ColumnKind::Clustering))
        .peekable();
    let (mut clustering, mut function) = (0, None);
    for expr in &select.group_by {
        if function.is_some() {
            return Err(Error::invalid(
                "GROUP BY: a function can only stand at the end",
            ));
        }
        let column = match expr {
            Expr::Column(name) => find_column(schema, name)?,
            Expr::Call { .. } => {
                let mut own = Preparer::new(context);
                let call = own.select(expr)?;
                let [only] = own.columns.as_slice() else {
                    return Err(Error::invalid(format!(
                        "GROUP BY {expr}: a function of just one clustering column is needed"
                    )));
                };
                if only.kind != ColumnKind::Clustering || !own.aggregates.is_empty() {
                    return Err(Error::invalid(format!(
                        "GROUP BY {expr}: only scalar functions of a clustering column can group rows"
                    )));
                }
                let column = find_column(schema, &only.name)?;
                function = Some(call);
                column
            }
            _ => {
                return Err(Error::invalid(format!(
                    "GROUP BY {expr}: only columns, and functions of them, can group rows"
                )));
            }
        };
        if !matches!(
            column.kind,
            ColumnKind::PartitionKey | ColumnKind::Clustering
        ) {
            return Err(Error::invalid(format!(
                "GROUP BY {}: only columns of the primary key can group rows",
                quote_name(column.name)
            )));
        }
        loop {
            let Some(next) = key.next() else {
                return Err(Error::invalid(
                    "GROUP BY: the columns stand in the order of the primary key",
                ));
            };
            clustering += usize::from(next.kind == ColumnKind::Clustering);
            if next == column {
                break;
            }
            if !restrictions.is_eq(next.kind, next.index) {
                return Err(Error::invalid(format!(
                    "GROUP BY {}: {} comes before it in the primary key",
                    quote_name(column.name),
                    quote_name(next.name)
                )));
            }
        }
    }
    if key
        .peek()
        .is_some_and(|c| c.kind == ColumnKind::PartitionKey)
    {
        return Err(Error::invalid(
            "GROUP BY: either all columns of the partition key group rows, or none",
        ));
    }
    if clustering > 0 && select.distinct {
        return Err(Error::invalid(
            "SELECT DISTINCT cannot be grouped by clustering columns",
        ));
    }
    Ok(Some(Grouping::Prefix {
        clustering,
        function,
    }))
}

/// What the statement asks for of each regular column, `None` if for all of them; the static columns that it asks for; and whether rows can be read by name.
///
/// Authority: `ColumnFilter.Builder`, to which a statement without any column but those of the key asks for all;
/// `SinglePartitionReadCommand.queriesMulticellType`.
fn queried(
    schema: &TableSchema,
    preparer: &Preparer<'_>,
    outputs: &[Selected],
    filter: &Filter,
) -> (Option<Vec<Asked>>, Vec<usize>, bool) {
    let mut regulars = vec![Asked::Nothing; schema.regulars.len()];
    let mut statics = vec![Asked::Nothing; schema.statics.len()];
    let mut ask = |kind: ColumnKind, index: usize, range: Option<KeyRange>| match kind {
        ColumnKind::Regular => regulars[index].add(range),
        ColumnKind::Static => statics[index].add(range),
        _ => {}
    };
    let arguments = preparer
        .aggregates
        .iter()
        .filter_map(|a| a.argument.as_ref());
    for selected in outputs.iter().chain(arguments) {
        selected.visit_columns(&mut |i, range| {
            let column = &preparer.columns[i];
            ask(column.kind, column.index, range);
        });
    }
    for kind in [ColumnKind::Regular, ColumnKind::Static] {
        for index in filter.indexes(kind) {
            ask(kind, index, None);
        }
    }
    let is_nothing = |asked: &Asked| *asked == Asked::Nothing;
    if regulars.iter().chain(&statics).all(is_nothing) {
        regulars.fill(Asked::Everything);
        statics.fill(Asked::Everything);
    }
    let columns = schema.statics.iter().zip(&statics);
    let mut columns = columns.chain(schema.regulars.iter().zip(&regulars));
    let by_name = !schema.is_counter()
        && !columns.any(|(column, asked)| !is_nothing(asked) && column.ty.is_multi_cell());
    let is_all = regulars.iter().all(|asked| *asked == Asked::Everything);
    let statics = (0..statics.len()).filter(|i| !is_nothing(&statics[*i]));
    ((!is_all).then_some(regulars), statics.collect(), by_name)
}

struct Order<'s> {
    /// The columns, and whether they descend.
    columns: Vec<(ColumnRef<'s>, bool)>,
    reversed: bool,
}

fn order<'s>(
    select: &Select,
    schema: &'s TableSchema,
    restrictions: &Restrictions<'_>,
    uses_index: bool,
) -> Result<Order<'s>> {
    let mut columns: Vec<(ColumnRef<'s>, bool)> = Vec::new();
    for Ordering {
        column,
        ann_of,
        descending,
    } in &select.order_by
    {
        if ann_of.is_some() {
            return Err(Error::unsupported(format!(
                "ORDER BY {} ANN OF: only a vector index answers it",
                quote_name(column)
            )));
        }
        let column = find_column(schema, column)?;
        match columns.iter_mut().find(|(c, _)| *c == column) {
            Some(same) => same.1 = *descending,
            None => columns.push((column, *descending)),
        }
    }
    if columns.is_empty() {
        return Ok(Order {
            columns,
            reversed: false,
        });
    }
    if uses_index {
        return Err(Error::invalid(
            "ORDER BY: the result of a secondary index has no other order",
        ));
    }
    if restrictions.is_range() {
        return Err(
            Error::invalid("ORDER BY: rows are in order only within a partition")
                .advise("restrict the partition key by = or IN"),
        );
    }
    let (mut next, mut reversed) = (0, None);
    for (column, descending) in &columns {
        let name = quote_name(column.name);
        if column.kind != ColumnKind::Clustering {
            return Err(Error::invalid(format!(
                "ORDER BY {name}: rows can be ordered only by clustering columns"
            )));
        }
        while next != column.index {
            if next > column.index || !restrictions.is_eq(ColumnKind::Clustering, next) {
                return Err(Error::invalid(format!(
                    "ORDER BY {name}: the columns stand in the order of the primary key"
                )));
            }
            next += 1;
        }
        next += 1;
        let against = *descending != schema.clustering[column.index].descending;
        if reversed.is_some_and(|reversed| reversed != against) {
            return Err(Error::invalid(
                "ORDER BY: rows can be had in the order of the table or in its exact reverse",
            ));
        }
        reversed = Some(against);
    }
    Ok(Order {
        columns,
        reversed: reversed.unwrap_or(false),
    })
}
