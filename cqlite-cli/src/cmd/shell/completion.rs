//! What the tab key offers: keywords, commands, and the names of what is defined.
//!
//! Authority: `cqlsh`'s `cqlhandling` and `cql3handling`, for what is offered where.

use super::describe::keyspaces;
use cqlite_core::cql::quote_name;
use cqlite_core::schema::{Schema, TableSchema};
use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use std::collections::BTreeSet;

const KEYWORDS: &str = "ADD ALL ALLOW ALTER AND APPLY AS ASC ASCII BATCH BEGIN BIGINT BLOB BOOLEAN BY CAST CLUSTERING \
    COMPACT CONTAINS COUNT COUNTER CREATE DATE DECIMAL DEFAULT DELETE DESC DESCRIBE DISTINCT DOUBLE DROP DURATION EXISTS \
    EXPAND EXIT FILTERING FLOAT FROM FROZEN GROUP HELP IF IN INET INSERT INT INTO JSON KEY KEYSPACE KEYSPACES LIKE LIMIT \
    LIST LOGGED MAP NOT NULL OPTIONS ORDER PARTITION PER PRIMARY QUIT RENAME REPLICATION SCHEMA SELECT SET SMALLINT STATIC \
    STORAGE TABLE TABLES TEXT TIME TIMESTAMP TIMEUUID TINYINT TO TOKEN TRUNCATE TTL TUPLE TYPE TYPES UNLOGGED UNSET UPDATE \
    USE USING UUID VALUES VARCHAR VARINT VECTOR WHERE WITH WRITETIME";

const COMMANDS: [&str; 6] = ["help", "mode", "quit", "schema", "tables", "timer"];

/// Offers what fits where the cursor stands.
#[derive(Default)]
pub struct Completion {
    /// All that is defined.
    pub schema: Schema,
    /// The keyspace of names without one.
    pub keyspace: Option<String>,
    /// The lines of the statement before this one.
    pub before: String,
}

impl Completion {
    /// Where in the line the word begins that the cursor, at byte `at`, stands behind, and what it may become.
    fn candidates(&self, line: &str, at: usize) -> (usize, Vec<String>) {
        let typed = line.get(..at).unwrap_or(line);
        let is_of_word = |c: char| c.is_alphanumeric() || c == '_';
        let word = typed.rsplit(|c| !is_of_word(c)).next().unwrap_or_default();
        let start = typed.len() - word.len();
        let ahead = &typed[..start];
        let all_before = format!("{}{ahead}", self.before);
        // Nothing is offered inside of texts and quoted names.
        if ["'", "\""]
            .iter()
            .any(|quote| all_before.matches(quote).count() % 2 == 1)
        {
            return (start, Vec::new());
        }
        let names: Vec<String> = match ahead.strip_suffix('.') {
            Some("") if self.before.is_empty() => COMMANDS.map(str::to_owned).into(),
            Some(of) => {
                let keyspace = of.rsplit(|c| !is_of_word(c)).next().unwrap_or_default();
                self.tables(|table| table.keyspace == keyspace).collect()
            }
            None => {
                let whole = format!("{}{line}", self.before);
                let last = all_before.split_whitespace().next_back();
                let last = last.unwrap_or_default().to_ascii_uppercase();
                self.names(&last, &whole, word)
            }
        };
        let fits = |name: &String| {
            let start = name.get(..word.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(word)) && name.len() > word.len()
        };
        let fitting: BTreeSet<String> = names.into_iter().filter(fits).collect();
        (start, fitting.into_iter().collect())
    }

    /// What may stand behind the word `last` of the statement `whole`.
    fn names(&self, last: &str, whole: &str, word: &str) -> Vec<String> {
        let keyspaces = keyspaces(&self.schema);
        let keyspaces = keyspaces.iter().map(|name| quote_name(name));
        match last {
            "USE" | "KEYSPACE" => keyspaces.collect(),
            "FROM" | "INTO" | "UPDATE" | "TABLE" | "TRUNCATE" => {
                let own = |table: &TableSchema| self.keyspace.as_ref() == Some(&table.keyspace);
                keyspaces.chain(self.tables(own)).collect()
            }
            _ => {
                let named = self.schema.tables.iter().filter(|table| {
                    let mut words = whole.split(|c: char| !c.is_alphanumeric() && c != '_');
                    let is_own = self.keyspace.as_ref() == Some(&table.keyspace);
                    let is_named = words.any(|word| *word == *table.name);
                    is_named && (is_own || whole.contains(&*table.full_name()))
                });
                let columns = named.flat_map(|table| table.select_order());
                let mut names: Vec<String> =
                    columns.map(|column| quote_name(column.name)).collect();
                if !word.is_empty() {
                    let is_small = word.starts_with(|c: char| c.is_ascii_lowercase());
                    names.extend(KEYWORDS.split_whitespace().map(|keyword| match is_small {
                        true => keyword.to_ascii_lowercase(),
                        false => keyword.to_owned(),
                    }));
                }
                names
            }
        }
    }

    fn tables(&self, of: impl Fn(&TableSchema) -> bool) -> impl Iterator<Item = String> {
        let tables = self.schema.tables.iter().filter(move |table| of(table));
        tables.map(|table| quote_name(&table.name))
    }
}

impl Completer for Completion {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.candidates(line, at))
    }
}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {}

impl Validator for Completion {}

impl Helper for Completion {}

#[cfg(test)]
mod tests {
    use super::*;
    use cqlite_core::schema::parse_schema;

    #[test]
    fn what_fits_is_offered() {
        let defined = "CREATE KEYSPACE shop; CREATE TABLE shop.orders (customer int, item text, \"Paid\" boolean, PRIMARY KEY (customer, item)); \
            CREATE TABLE shop.\"Old\" (id int PRIMARY KEY); CREATE KEYSPACE lab; CREATE TABLE lab.runs (id int PRIMARY KEY);";
        let mut completion = Completion {
            schema: parse_schema(defined, None).unwrap(),
            keyspace: Some("shop".to_owned()),
            before: String::new(),
        };
        let offered = |completion: &Completion, line: &str| {
            let at = line.find('|').unwrap();
            let line = line.replace('|', "");
            let (start, found) = completion.candidates(&line, at);
            format!("{start}: {}", found.join(" "))
        };
        for (line, expected) in [
            ("SEL|", "0: SELECT"),
            ("se|", "0: select set"),
            ("|", "0: "),
            (".t|", "1: tables timer"),
            ("use |", "4: lab shop"),
            ("SELECT * FROM |", "14: \"Old\" lab orders shop"),
            ("SELECT * FROM o|", "14: orders"),
            ("SELECT * FROM lab.|", "18: runs"),
            (
                "SELECT c| FROM orders",
                "7: cast clustering compact contains count counter create customer",
            ),
            (
                "SELECT i| FROM shop.orders WHERE",
                "7: if in inet insert int into item",
            ),
            ("SELECT * FROM orders WHERE cu|", "27: customer"),
            ("SELECT * FROM lab.runs WHERE cu|", "29: "),
            ("INSERT INTO orders (|", "20: \"Paid\" customer item"),
            ("INSERT INTO orders (item) VALUES ('se|", "35: "),
        ] {
            assert_eq!(offered(&completion, line), expected, "{line}");
        }
        completion.before = "SELECT *\nFROM\n".to_owned();
        assert_eq!(offered(&completion, "or|"), "0: orders");
        assert_eq!(completion.candidates("é", 1), (0, Vec::new()));
    }
}
