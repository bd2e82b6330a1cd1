//! Statements that change rows.
//!
//! Authority: `o.a.c.cql3.statements.{UpdateStatement,DeleteStatement,BatchStatement}`, `o.a.c.cql3.Operation`.

use super::{Expr, InValues, Operator, QualifiedName, Relation};

/// A statement that changes the rows of one table.
#[derive(Debug, Clone, PartialEq)]
pub enum Modification {
    /// `INSERT`.
    Insert(Insert),
    /// `UPDATE`.
    Update(Update),
    /// `DELETE`.
    Delete(Delete),
}

impl Modification {
    /// The table.
    pub fn table(&self) -> &QualifiedName {
        match self {
            Modification::Insert(insert) => &insert.table,
            Modification::Update(update) => &update.table,
            Modification::Delete(delete) => &delete.table,
        }
    }

    /// The table, to be changed.
    pub fn table_mut(&mut self) -> &mut QualifiedName {
        match self {
            Modification::Insert(insert) => &mut insert.table,
            Modification::Update(update) => &mut update.table,
            Modification::Delete(delete) => &mut delete.table,
        }
    }

    /// `USING`.
    pub fn using(&self) -> &Using {
        match self {
            Modification::Insert(insert) => &insert.using,
            Modification::Update(update) => &update.using,
            Modification::Delete(delete) => &delete.using,
        }
    }

    /// `IF`.
    pub fn condition(&self) -> &Condition {
        match self {
            Modification::Insert(insert) => &insert.condition,
            Modification::Update(update) => &update.condition,
            Modification::Delete(delete) => &delete.condition,
        }
    }
}

/// `USING`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Using {
    /// `TIMESTAMP`, in microseconds.
    pub timestamp: Option<Expr>,
    /// `TTL`, in seconds.
    pub ttl: Option<Expr>,
    /// `TTL` stands first.
    pub ttl_first: bool,
}

/// `IF`: what must hold for the statement to be carried out.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Condition {
    /// Nothing: there is no `IF`.
    #[default]
    None,
    /// `IF NOT EXISTS`.
    NotExists,
    /// `IF EXISTS`.
    Exists,
    /// `IF a AND b`; at least one.
    Columns(Vec<ColumnCondition>),
}

/// What must hold of a column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnCondition {
    /// The column.
    pub column: String,
    /// What of it.
    pub part: ConditionPart,
    /// How it is tested.
    pub test: ConditionTest,
}

/// What of a column is tested.
#[derive(Debug, Clone, PartialEq)]
pub enum ConditionPart {
    /// Its value.
    Whole,
    /// `c[key]`: an element by its key or index.
    Element(Expr),
    /// `c.field`.
    Field(String),
}

/// How a column is tested.
#[derive(Debug, Clone, PartialEq)]
pub enum ConditionTest {
    /// `op value`.
    Compare(Operator, Expr),
    /// `IN (...)`.
    In(InValues),
    /// `CONTAINS [KEY] value`.
    Contains {
        /// `CONTAINS KEY`.
        key: bool,
        /// The value.
        value: Expr,
    },
}

/// `INSERT`.
#[derive(Debug, Clone, PartialEq)]
pub struct Insert {
    /// The table.
    pub table: QualifiedName,
    /// The row.
    pub source: InsertSource,
    /// `IF NOT EXISTS`.
    pub condition: Condition,
    /// `USING`.
    pub using: Using,
}

/// Where the values of an `INSERT` come from.
#[derive(Debug, Clone, PartialEq)]
pub enum InsertSource {
    /// `(columns) VALUES (values)`, as many of the one as of the other.
    Values {
        /// The columns.
        columns: Vec<String>,
        /// Their values.
        values: Vec<Expr>,
    },
    /// `JSON 'text'`.
    Json {
        /// Text of an object, or a bind marker.
        text: Expr,
        /// `DEFAULT UNSET`: columns that it lacks stay as they are.
        default_unset: bool,
    },
}

/// `UPDATE`.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// The table.
    pub table: QualifiedName,
    /// `USING`.
    pub using: Using,
    /// `SET`.
    pub assignments: Vec<Assignment>,
    /// `WHERE`.
    pub relations: Vec<Relation>,
    /// `IF`.
    pub condition: Condition,
}

/// What an `UPDATE` does to a column.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// The column.
    pub column: String,
    /// What is done.
    pub change: Change,
}

/// What is done to a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// `c = value`.
    Set(Expr),
    /// `c = c + value`, `c += value`.
    Add(Expr),
    /// `c = c - value`, `c -= value`.
    Subtract(Expr),
    /// `c = value + c`.
    Prepend(Expr),
    /// `c[key] = value`.
    SetElement {
        /// Key or index.
        key: Expr,
        /// The element.
        value: Expr,
    },
    /// `c.field = value`.
    SetField {
        /// The field.
        field: String,
        /// Its value.
        value: Expr,
    },
}

/// `DELETE`.
#[derive(Debug, Clone, PartialEq)]
pub struct Delete {
    /// The table.
    pub table: QualifiedName,
    /// `USING`, without `TTL`.
    pub using: Using,
    /// What is deleted of the rows; nothing for the rows themselves.
    pub targets: Vec<DeleteTarget>,
    /// `WHERE`.
    pub relations: Vec<Relation>,
    /// `IF`.
    pub condition: Condition,
}

/// What a `DELETE` deletes of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum DeleteTarget {
    /// `c`.
    Column(String),
    /// `c[key]`.
    Element {
        /// The column.
        column: String,
        /// Key, element or index.
        key: Expr,
    },
    /// `c.field`.
    Field {
        /// The column.
        column: String,
        /// The field.
        field: String,
    },
}

/// What kind of batch it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchKind {
    /// `BEGIN BATCH`.
    Logged,
    /// `BEGIN UNLOGGED BATCH`.
    Unlogged,
    /// `BEGIN COUNTER BATCH`.
    Counter,
}

/// `BEGIN BATCH ... APPLY BATCH`.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Its kind.
    pub kind: BatchKind,
    /// `USING TIMESTAMP`.
    pub using: Using,
    /// What it does.
    pub statements: Vec<Modification>,
}
