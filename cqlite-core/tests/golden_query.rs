//! Every statement of the golden tables gives Cassandra's own rows, in Cassandra's order, or is refused as Cassandra
//! refuses it; also when the table's SSTables have been compacted into one, and when all of it is in memory.

use cqlite_core::commitlog::apply;
use cqlite_core::compaction::{Compaction, CompressionChange, Destination, Split};
use cqlite_core::cql::ast::Select;
use cqlite_core::cql::parse_select;
use cqlite_core::memtable::{Memtable, Update};
use cqlite_core::partitioner::TokenRange;
use cqlite_core::query::{Plan, PlanOptions};
use cqlite_core::read::TableReader;
use cqlite_core::schema::{IndexSchema, Schema, parse_schema};
use cqlite_core::sstable::directory::resolve;
use cqlite_core::sstable::{OpenOptions, SSTable, Transaction, Version};
use cqlite_core::{ErrorKind, Result};
use serde_json::Value;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-data/golden")
}

fn directories(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).unwrap();
    let mut found: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    found.retain(|p| p.is_dir());
    found.sort();
    found
}

/// Statements that Cassandra refuses for a comment at their very end. cqlsh takes comments away before it sends a
/// statement, and so they are good here.
const COMMENTED: [&str; 2] = [
    "SELECT JSON k FROM golden.literals -- comment",
    "SELECT /* x */ JSON k FROM golden.literals // end",
];

/// A table with everything a statement about it needs.
struct Table {
    reader: TableReader,
    indexes: Vec<IndexSchema>,
    now: i64,
}

impl Table {
    fn open(directory: &Path, schema: &Schema, now: i64) -> Result<Table> {
        let found = resolve(directory)?;
        let sstables = found[0]
            .readable()?
            .iter()
            .map(|d| SSTable::open_descriptor(d.clone(), &OpenOptions::default()))
            .collect::<Result<Vec<_>>>()?;
        let name = directory.file_name().unwrap().to_str().unwrap();
        let table = schema.tables.iter().find(|t| t.name == name);
        let table = table.unwrap_or(&schema.tables[0]);
        Ok(Table {
            indexes: schema.indexes_of(table),
            reader: TableReader::open(table.clone(), sstables)?,
            now,
        })
    }

    /// The same with all of its rows in a memtable.
    fn in_memory(self) -> Result<Table> {
        let rules = self.reader.rules().clone();
        let mut update = Update::new(rules.clone());
        apply(&mut self.reader.scan(&TokenRange::ALL)?, &mut update)?;
        let memtable = Memtable::new(rules);
        memtable.apply(&update)?;
        let reader = TableReader::open(self.reader.schema().clone(), Vec::new())?;
        Ok(Table {
            reader: reader.with_memtables(vec![Arc::new(memtable)])?,
            ..self
        })
    }

    fn plan(&self, select: &Select) -> Result<Plan> {
        let options = PlanOptions {
            indexes: &self.indexes,
            now: self.now,
        };
        let schema = self.reader.schema();
        let names = [&schema.keyspace, &schema.name];
        if select.from.keyspace.as_ref() != Some(names[0]) || select.from.name != *names[1] {
            return Err(cqlite_core::Error::not_found("another table"));
        }
        Plan::new(select, schema, self.reader.partitioner(), &options)
    }

    /// The rows as JSON, or as arrays of hexadecimal values if the statement does not ask for JSON.
    fn run(&self, cql: &str) -> Result<Vec<String>> {
        let plan = self.plan(&parse_select(cql)?)?;
        let mut rows = plan.execute(&self.reader);
        let mut found = Vec::new();
        while rows.advance()? {
            let row = rows.row();
            if plan.is_json() {
                let mut json = Vec::new();
                row.write_json(&mut json)?;
                found.push(String::from_utf8(json).unwrap());
            } else {
                let values = (0..row.columns().len()).map(|i| row.value(i).map(hex));
                found.push(serde_json::to_string(&values.collect::<Vec<_>>()).unwrap());
            }
        }
        Ok(found)
    }

    /// How the answer differs from Cassandra's, if it does.
    fn difference(&self, answer: &Value) -> Option<String> {
        let cql = answer["cql"].as_str().unwrap();
        let own = self.run(cql);
        if answer.get("failure").is_some() {
            // Cassandra itself broke; whatever is given instead must not.
            return None;
        }
        if let Some(error) = answer.get("error") {
            return match own {
                Err(e) if matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::NotFound) => None,
                Err(e) => Some(format!("{cql}\n  refused as {:?}: {e}", e.kind())),
                Ok(_) if COMMENTED.contains(&cql) => None,
                Ok(rows) => Some(format!(
                    "{cql}\n  gives {} rows instead of {error}",
                    rows.len()
                )),
            };
        }
        let rows = match own {
            Ok(rows) => rows,
            Err(e) => return Some(format!("{cql}\n  {e}")),
        };
        let wanted: Vec<String> = match answer.get("values") {
            // `[json]` is a column of text.
            Some(values) if answer["columns"] == serde_json::json!(["[json]"]) => {
                let values = values.as_array().unwrap();
                values
                    .iter()
                    .map(|v| text_of(v[0].as_str().unwrap()))
                    .collect()
            }
            Some(values) => {
                let values = values.as_array().unwrap();
                values.iter().map(|v| v.to_string()).collect()
            }
            None => {
                let rows = answer["rows"].as_array().unwrap();
                rows.iter()
                    .map(|r| r.as_str().unwrap().to_owned())
                    .collect()
            }
        };
        if rows == wanted {
            return None;
        }
        let mut text = format!("{cql}\n  {} rows instead of {}", rows.len(), wanted.len());
        let at = (0..).find(|i| rows.get(*i) != wanted.get(*i)).unwrap();
        for (who, rows) in [("own", &rows), ("Cassandra's", &wanted)] {
            let row = rows.get(at).map_or("nothing", |r| r);
            write!(text, "\n  {who} row {at}: {row:.600}").unwrap();
        }
        Some(text)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn text_of(hex: &str) -> String {
    let bytes = (0..hex.len()).step_by(2);
    let bytes = bytes.map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap());
    String::from_utf8(bytes.collect()).unwrap()
}

fn read_now(file: &Path) -> i64 {
    fs::read_to_string(file).unwrap().trim().parse().unwrap()
}

/// Where golden tables of these versions, as `make` makes them, answer otherwise than Cassandra does; and how many statements
/// there are.
fn differences(
    versions: &[PathBuf],
    make: impl Fn(&str, Table) -> Result<Option<Table>>,
) -> (Vec<String>, usize) {
    let (mut differences, mut statements) = (Vec::new(), 0);
    for version in versions {
        for directory in directories(version) {
            let answers = directory.join("answers.jsonl");
            if !answers.exists() {
                continue;
            }
            let place = directory.strip_prefix(golden()).unwrap();
            let place = place.display().to_string();
            let ddl = fs::read_to_string(directory.join("schema.cql")).unwrap();
            let table = parse_schema(&ddl, None).and_then(|schema| {
                let now = read_now(&directory.join("now"));
                let name = directory.file_name().unwrap().to_str().unwrap();
                make(name, Table::open(&directory, &schema, now)?)
            });
            let table = match table {
                Ok(Some(table)) => table,
                Ok(None) => continue,
                Err(e) => {
                    differences.push(format!("{place}: {e}"));
                    continue;
                }
            };
            for line in fs::read_to_string(answers).unwrap().lines() {
                statements += 1;
                let answer: Value = serde_json::from_str(line).unwrap();
                if let Some(difference) = table.difference(&answer) {
                    differences.push(format!("{place}: {difference}"));
                }
            }
        }
    }
    (differences, statements)
}

fn check((differences, statements): (Vec<String>, usize), least: usize) {
    assert!(
        statements > least,
        "only {statements} statements were found"
    );
    assert!(
        differences.is_empty(),
        "{} of {statements} differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

#[test]
fn every_golden_table_answers_as_cassandra_does() {
    let versions = directories(&golden());
    check(differences(&versions, |_, table| Ok(Some(table))), 7_000);
}

/// Tables whose answers depend on where the rows are: what is not asked for is read of SSTables as far as their decoding has
/// it (`DeserializationHelper`), and filtered out of rows in memory (`BTreeRow.filter`); and which of two equal decimals is shown.
const NOT_IN_MEMORY: [&str; 3] = ["asked_for", "asked_for_elements", "merge_equal_decimals"];

#[test]
fn tables_in_memory_answer_as_cassandra_does() {
    let make = |name: &str, table: Table| match NOT_IN_MEMORY.contains(&name) {
        true => Ok(None),
        false => table.in_memory().map(Some),
    };
    check(differences(&[golden().join("oa")], make), 2_000);
}

/// Tables that a compaction changes the answers of, in Cassandra too: which rows are empty, and which of two equal
/// decimals is shown, depends on which SSTables have them. And some that take part in repairs, which are not merged.
const NOT_COMPACTED: [&str; 5] = [
    "asked_for",
    "asked_for_elements",
    "merge_equal_decimals",
    "repaired",
    "statistics",
];

/// The table's SSTables as one of another version, in a directory of the same name.
fn compacted(table: &Table, directory: &Path, version: (&str, &str)) -> Result<()> {
    let compaction = Compaction {
        schema: (**table.reader.schema()).clone(),
        inputs: table.reader.sstables().cloned().collect(),
        others: Vec::new(),
        memtables: Vec::new(),
        now: table.now,
        gc_before: None,
        level: 0,
        ignores_overlaps: false,
        host: None,
    };
    let destination = Destination {
        directory,
        version: Version::parse(version.0, version.1)?,
        compression: CompressionChange::Keep,
        chunk_length: None,
        split: Split::Never,
        operation: "compaction",
        one_thread: false,
    };
    let mut transaction = Transaction::begin(directory, destination.version, "compaction")?;
    compaction.run(&mut transaction, &destination, &mut |_| Ok(()))?;
    transaction.commit().map(drop)
}

#[test]
fn compacted_tables_answer_as_before() {
    let (mut differences, mut statements) = (Vec::new(), 0);
    let mut versions = [("oa", "big"), ("da", "bti"), ("nb", "big")]
        .into_iter()
        .cycle();
    for version in directories(&golden()) {
        for directory in directories(&version) {
            let answers = directory.join("answers.jsonl");
            if !answers.exists() || resolve(&directory).unwrap()[0].sstables.len() < 2 {
                continue;
            }
            let name = directory.file_name().unwrap().to_str().unwrap();
            if NOT_COMPACTED.contains(&name) {
                continue;
            }
            let parent = tempfile::tempdir().unwrap();
            let out = parent.path().join(name);
            fs::create_dir(&out).unwrap();
            let ddl = fs::read_to_string(directory.join("schema.cql")).unwrap();
            let now = read_now(&directory.join("now"));
            let to = versions.next().unwrap();
            let table = parse_schema(&ddl, None).and_then(|schema| {
                compacted(&Table::open(&directory, &schema, now)?, &out, to)?;
                Table::open(&out, &schema, now)
            });
            let place = format!("{} as {}", directory.display(), to.0);
            let table = match table {
                Ok(table) => table,
                Err(e) => {
                    differences.push(format!("{place}: {e}"));
                    continue;
                }
            };
            for line in fs::read_to_string(answers).unwrap().lines() {
                statements += 1;
                let answer: Value = serde_json::from_str(line).unwrap();
                if let Some(difference) = table.difference(&answer) {
                    differences.push(format!("{place}: {difference}"));
                }
            }
        }
    }
    assert!(statements > 500, "only {statements} statements were found");
    assert!(
        differences.is_empty(),
        "{} of {statements} differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
}
