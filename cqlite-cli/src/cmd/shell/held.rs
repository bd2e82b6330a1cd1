//! What a shell works on: a database, or files that are only read.

use super::describe::Keyspaces;
use crate::args::ShellArgs;
use crate::cmd::exec::sync_mode;
use crate::cmd::interrupt;
use crate::cmd::query::{Look, open_table, print, print_all, with_schema};
use crate::failure::Failure;
use crate::output::Out;
use cqlite_core::cql::ast::{QualifiedName, Select, Statement};
use cqlite_core::cql::{AnyStatement, parse_any_statement};
use cqlite_core::database::{Database, DatabaseOptions, OWN_DIRECTORY, Outcome, Session};
use cqlite_core::query::{Plan, PlanOptions};
use cqlite_core::schema::Schema;
use cqlite_core::{Error, Result};
use std::path::{Path, PathBuf};

/// The database of a path, `None` if the path is only to be read: it holds something else.
pub fn open(args: &ShellArgs, now: i64) -> Result<Option<Database>, Failure> {
    let path = &args.path;
    let is_empty = |path: &Path| std::fs::read_dir(path).is_ok_and(|mut d| d.next().is_none());
    let is_database = path.join(OWN_DIRECTORY).is_dir() || !path.exists() || is_empty(path);
    if !is_database {
        return Ok(None);
    }
    let mut options = DatabaseOptions::new(now)?;
    options.log.sync = sync_mode(args.sync);
    Ok(Some(Database::open(path, options)?))
}

/// What a shell works on.
pub enum Held<'d> {
    /// A database.
    Database {
        /// It.
        database: &'d Database,
        /// The shell's own.
        session: Session<'d>,
    },
    /// Files.
    Files {
        /// Where they are.
        path: PathBuf,
        /// The file of the schema, if it was named.
        schema: Option<PathBuf>,
        /// The keyspace of names without one.
        keyspace: Option<String>,
    },
}

impl Held<'_> {
    /// Carries a statement out, prints what it gives, and waits until what it wrote is safe.
    pub fn execute(
        &mut self,
        text: &str,
        now_micros: i64,
        look: Look,
        out: &mut Out,
    ) -> Result<(), Failure> {
        match self {
            Held::Database { database, session } => {
                let outcome = session.execute(text, now_micros)?;
                if let Some(position) = outcome.position() {
                    database.wait(position)?;
                }
                match outcome {
                    Outcome::Done | Outcome::Written(_) => Ok(()),
                    Outcome::Selected(selected) => {
                        let plan = selected.plan();
                        let rows = selected.rows().watched(interrupt::check);
                        print(plan, rows, &mut *look.writer(plan.is_json())?, out)
                    }
                    Outcome::Conditional(conditional) => {
                        print_all(conditional.result(), &mut *look.writer(false)?, out)
                    }
                }
            }
            Held::Files {
                path,
                schema,
                keyspace,
            } => {
                let select = match parse_any_statement(text)? {
                    AnyStatement::Rows(Statement::Select(select)) => select,
                    AnyStatement::Rows(Statement::Use(name)) => {
                        *keyspace = Some(name);
                        return Ok(());
                    }
                    _ => {
                        return Err(Error::unsupported("these files are only read")
                            .advise("`shell` of a database directory changes its tables")
                            .into());
                    }
                };
                let select = Select {
                    from: QualifiedName {
                        keyspace: select.from.keyspace.or(keyspace.clone()),
                        name: select.from.name,
                    },
                    ..select
                };
                let now = now_micros.div_euclid(1_000_000);
                let (reader, found) = open_table(path, schema.as_deref(), &select, now)?;
                let options = PlanOptions {
                    indexes: &found.indexes,
                    now,
                };
                let plan = Plan::new(&select, reader.schema(), reader.partitioner(), &options)?;
                let rows = plan.execute(&reader).watched(interrupt::check);
                print(&plan, rows, &mut *look.writer(plan.is_json())?, out)
            }
        }
    }

    /// The keyspace of names without one.
    pub fn keyspace(&self) -> Option<&str> {
        match self {
            Held::Database { session, .. } => session.keyspace(),
            Held::Files { keyspace, .. } => keyspace.as_deref(),
        }
    }

    /// What is said of the keyspaces, where it is known.
    pub fn keyspaces(&self) -> Keyspaces {
        match self {
            Held::Database { database, .. } => database.keyspaces(),
            Held::Files { .. } => Keyspaces::new(),
        }
    }

    /// All that is defined.
    pub fn schema(&self, now: i64) -> Result<Schema, Failure> {
        match self {
            Held::Database { database, .. } => Ok(database.schema()),
            Held::Files { path, schema, .. } => with_schema(path, schema.as_deref(), now),
        }
    }
}
