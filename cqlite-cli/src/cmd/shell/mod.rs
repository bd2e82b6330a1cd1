//! `shell`: statements typed one after the other, or read from a pipe.
//!
//! Like `cqlsh`, and `sqlite3` for the commands that begin with a dot.

mod completion;
mod describe;
mod held;
mod input;

use self::held::Held;
use self::input::{Input, Line};
use crate::args::{Format, ShellArgs};
use crate::cmd::query::Look;
use crate::cmd::{interrupt, now};
use crate::failure::{Failure, tell};
use crate::output::Out;
use clap::ValueEnum;
use cqlite_core::cql::Statements;
use cqlite_core::{Error, Result};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const HELP: &str = "\
Statements of CQL end with a semicolon, and may go over several lines.
DESCRIBE KEYSPACES | TABLES | TYPES | SCHEMA | [KEYSPACE | TABLE | TYPE] name
EXPAND ON | OFF      columns below each other
.help                this
.mode table|json|jsonl|csv
.quit                the end, as Ctrl-D, EXIT and QUIT
.schema [table]      as DESCRIBE
.tables              as DESCRIBE TABLES
.timer on|off        how long statements take
The tab key completes keywords and names. Ctrl-C clears the line, and ends a query that is running.
";

/// Whether the shell goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Line,
    End,
}

/// Reads and carries out what comes until there is no more.
pub fn run(args: &ShellArgs) -> Result<(), Failure> {
    interrupt::watch_line();
    let database = held::open(args, now(args.now))?;
    let held = match &database {
        Some(database) => Held::Database {
            database,
            session: database.session(),
        },
        None => Held::Files {
            path: args.path.clone(),
            schema: args.schema.clone(),
            keyspace: None,
        },
    };
    let mut shell = Shell {
        args,
        held,
        out: Out::stdout()?,
        look: Look {
            format: args.format,
            expanded: false,
        },
        timer: false,
        failed: None,
    };
    let done = shell.all(&mut Input::of_process()?);
    let flushed = shell.out.flush();
    let failed = shell.failed;
    drop(shell);
    if let Some(database) = database {
        database.close()?;
    }
    done.and(flushed)?;
    match failed {
        Some(status) => Err(Failure::Said(status)),
        None => Ok(()),
    }
}

struct Shell<'a> {
    args: &'a ShellArgs,
    held: Held<'a>,
    out: Out,
    look: Look,
    timer: bool,
    /// Status of the last statement of a pipe that failed.
    failed: Option<u8>,
}

impl Shell<'_> {
    fn all(&mut self, input: &mut Input) -> Result<(), Failure> {
        let is_terminal = input.is_terminal();
        if is_terminal {
            tell_kind(&self.held);
        }
        // Lines of a statement that has not ended.
        let mut text = String::new();
        let mut is_known = false;
        loop {
            if let Some(completion) = input.completion() {
                // Files do not change, and what is read of them once is not read for each line.
                if !is_known || matches!(self.held, Held::Database { .. }) {
                    completion.schema = self.held.schema(now(self.args.now)).unwrap_or_default();
                    is_known = true;
                }
                completion.keyspace = self.held.keyspace().map(str::to_owned);
                completion.before.clone_from(&text);
            }
            let prompt = match (text.is_empty(), self.held.keyspace()) {
                (false, _) => "   ...> ".to_owned(),
                (true, Some(keyspace)) => format!("cqlite:{keyspace}> "),
                (true, None) => "cqlite> ".to_owned(),
            };
            let line = match input.line(&prompt)? {
                Line::Text(line) => line,
                Line::Interrupted => {
                    text.clear();
                    continue;
                }
                Line::End => {
                    // The last statement needs no semicolon.
                    let last = std::mem::take(&mut text);
                    return self.statements(&last, true, is_terminal).map(drop);
                }
            };
            if text.is_empty()
                && let Some(words) = command_of(&line)
            {
                input.remember(&line);
                match self.attempt(is_terminal, |shell| shell.command(&words))? {
                    Some(Next::End) => return Ok(()),
                    _ => continue,
                }
            }
            text.push_str(&line);
            text.push('\n');
            let Some(rest) = self.statements(&text, false, is_terminal)? else {
                return Ok(());
            };
            if rest.is_empty() {
                input.remember(text.trim_end());
            }
            text = rest;
        }
    }

    /// Carries out the statements of a text, and returns what is left behind the last semicolon; nothing if one of them ends
    /// the shell.
    fn statements(
        &mut self,
        text: &str,
        is_last: bool,
        is_terminal: bool,
    ) -> Result<Option<String>, Failure> {
        let mut statements = Statements::new(text.as_bytes());
        while let Some(statement) = statements.next_statement()? {
            if !statement.is_ended && !is_last {
                return Ok(Some(statement.text));
            }
            let done = self.attempt(is_terminal, |shell| {
                let words = statement.text.trim_end().trim_end_matches(';');
                match command_of(words) {
                    Some(words) => shell.command(&words),
                    None => shell.statement(&statement.text),
                }
            })?;
            if done == Some(Next::End) {
                return Ok(None);
            }
        }
        Ok(Some(String::new()))
    }

    /// Does something whose failure does not end the shell, unless nothing can be written any more.
    fn attempt(
        &mut self,
        is_terminal: bool,
        action: impl FnOnce(&mut Self) -> Result<Next, Failure>,
    ) -> Result<Option<Next>, Failure> {
        interrupt::forget();
        let started = Instant::now();
        let done = action(self);
        let flushed = self.out.flush();
        let next = match done {
            Ok(next) => Some(next),
            Err(failure @ (Failure::Closed | Failure::Output(_))) => return Err(failure),
            Err(failure) => {
                failure.report();
                if !is_terminal {
                    self.failed = Some(failure.status());
                }
                None
            }
        };
        flushed?;
        if self.timer {
            tell(format_args!("{:.3} s", started.elapsed().as_secs_f64()));
        }
        Ok(next)
    }

    fn statement(&mut self, text: &str) -> Result<Next, Failure> {
        let micros = match self.args.now {
            Some(seconds) => seconds.saturating_mul(1_000_000),
            None => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                since.map_or(0, |d| d.as_micros() as i64)
            }
        };
        self.held.execute(text, micros, self.look, &mut self.out)?;
        Ok(Next::Line)
    }

    /// A command of the shell's own, whose name is in capitals and without its dot.
    fn command(&mut self, words: &[String]) -> Result<Next, Failure> {
        let arguments: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        let is_on = || match arguments.as_slice() {
            [word] if word.eq_ignore_ascii_case("on") => Ok(true),
            [word] if word.eq_ignore_ascii_case("off") => Ok(false),
            _ => Err(Error::invalid("it is on or off")),
        };
        let text = match words.first().map(String::as_str).unwrap_or_default() {
            "HELP" => HELP.to_owned(),
            "QUIT" | "EXIT" => return Ok(Next::End),
            "TIMER" => {
                self.timer = is_on()?;
                String::new()
            }
            "EXPAND" => {
                self.look.expanded = is_on()?;
                String::new()
            }
            "MODE" => {
                let named = arguments.first().map(|name| Format::from_str(name, true));
                let Some(Ok(format)) = named else {
                    return Err(Error::invalid("there is no such mode")
                        .advise("table, json, jsonl or csv")
                        .into());
                };
                self.look = Look {
                    format: Some(format),
                    expanded: false,
                };
                String::new()
            }
            "TABLES" => describe::tables(&self.held.schema(now(self.args.now))?, None),
            "SCHEMA" | "DESCRIBE" | "DESC" => {
                let schema = self.held.schema(now(self.args.now))?;
                let defined = (&schema, &self.held.keyspaces());
                describe::answer(&arguments, defined, self.held.keyspace())?
            }
            other => {
                return Err(Error::invalid(format!(
                    "there is no command .{}",
                    other.to_ascii_lowercase()
                ))
                .advise(".help tells those that there are")
                .into());
            }
        };
        self.out.text.extend_from_slice(text.as_bytes());
        Ok(Next::Line)
    }
}

/// What is said where someone sits before it.
fn tell_kind(held: &Held<'_>) {
    let kind = match held {
        Held::Database { database, .. } => {
            format!("the database {}", database.directory().display())
        }
        Held::Files { path, .. } => format!("the files of {}, read only", path.display()),
    };
    tell(format_args!("{kind}; .help tells what can be typed"));
}

/// The words of a line that is a command of the shell's own: one that begins with a dot, or with a word of `cqlsh`. The first
/// one is in capitals, without its dot.
fn command_of(line: &str) -> Option<Vec<String>> {
    const WORDS: [&str; 6] = ["DESCRIBE", "DESC", "EXPAND", "EXIT", "QUIT", "HELP"];
    let line = line.trim().trim_end_matches(';');
    let mut words = line.split_whitespace().map(str::to_owned);
    let first = words.next()?;
    let name = match first.strip_prefix('.') {
        Some(name) => name.to_ascii_uppercase(),
        None => {
            let upper = first.to_ascii_uppercase();
            WORDS.contains(&upper.as_str()).then_some(upper)?
        }
    };
    Some(std::iter::once(name).chain(words).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_statements() {
        let words = |line: &str| command_of(line).map(|words| words.join(" "));
        assert_eq!(words("  .mode Csv "), Some("MODE Csv".to_owned()));
        assert_eq!(
            words("desc Table ks.\"T\" ;"),
            Some("DESC Table ks.\"T\"".to_owned())
        );
        assert_eq!(words("."), Some(String::new()));
        assert_eq!(words("SELECT * FROM t;"), None);
        assert_eq!(words(" "), None);
    }
}
