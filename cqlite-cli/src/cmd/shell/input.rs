//! Where lines come from: a terminal, with editing and a history, or a pipe.

use super::completion::Completion;
use crate::failure::Failure;
use cqlite_core::{Error, ErrorKind};
use rustyline::config::Configurer;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, IsTerminal, Stdin, stdin};
use std::path::PathBuf;

/// Lines of the history that are kept.
const HISTORY_MAX: usize = 10_000;

/// A line, or what came in its place.
pub enum Line {
    /// Without the end of the line.
    Text(String),
    /// Ctrl-C.
    Interrupted,
    /// The end of the input, or Ctrl-D.
    End,
}

/// Where lines come from.
pub enum Input {
    /// A terminal.
    Terminal {
        /// Reads the lines.
        editor: Box<Editor<Completion, FileHistory>>,
        /// Where the history is kept, if it can be.
        history: Option<PathBuf>,
    },
    /// Anything else.
    Pipe(BufReader<Stdin>),
}

impl Input {
    /// Standard input.
    pub fn of_process() -> Result<Self, Failure> {
        if !stdin().is_terminal() {
            return Ok(Input::Pipe(BufReader::new(stdin())));
        }
        let config = Config::builder()
            .auto_add_history(false)
            .completion_type(CompletionType::List);
        let mut editor = Editor::with_config(config.build()).map_err(failed)?;
        editor.set_helper(Some(Completion::default()));
        // Without a history that is kept, one is at hand all the same.
        let _ = editor.set_max_history_size(HISTORY_MAX);
        let history = history_file();
        if let Some(path) = &history {
            let _ = editor.load_history(path);
        }
        Ok(Input::Terminal {
            editor: Box::new(editor),
            history,
        })
    }

    /// Whether someone sits before it.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Input::Terminal { .. })
    }

    /// What the tab key goes by, where someone sits before it.
    pub fn completion(&mut self) -> Option<&mut Completion> {
        match self {
            Input::Terminal { editor, .. } => editor.helper_mut(),
            Input::Pipe(_) => None,
        }
    }

    /// The next line.
    pub fn line(&mut self, prompt: &str) -> Result<Line, Failure> {
        match self {
            Input::Terminal { editor, .. } => match editor.readline(prompt) {
                Ok(line) => Ok(Line::Text(line)),
                Err(ReadlineError::Interrupted) => Ok(Line::Interrupted),
                Err(ReadlineError::Eof) => Ok(Line::End),
                Err(e) => Err(failed(e)),
            },
            Input::Pipe(input) => {
                let mut line = Vec::new();
                let read = input.read_until(b'\n', &mut line);
                let read = read.map_err(|e| Error::new(ErrorKind::Io, e.to_string()))?;
                if read == 0 {
                    return Ok(Line::End);
                }
                while matches!(line.last(), Some(b'\n' | b'\r')) {
                    line.pop();
                }
                let line = String::from_utf8(line);
                Ok(Line::Text(line.map_err(|_| {
                    Error::invalid("a line of the input is not UTF-8")
                })?))
            }
        }
    }

    /// Keeps what was typed, for the arrow keys and the next time.
    pub fn remember(&mut self, text: &str) {
        if let Input::Terminal { editor, history } = self {
            let _ = editor.add_history_entry(text);
            if let Some(path) = history {
                let _ = editor.append_history(path);
            }
        }
    }
}

fn failed(e: ReadlineError) -> Failure {
    Error::new(ErrorKind::Io, format!("the terminal: {e}")).into()
}

/// The file of the history: `$CQLITE_HISTORY`, which may be empty for none, else `.cqlite_history` in the home directory.
fn history_file() -> Option<PathBuf> {
    let of = |name: &str| std::env::var_os(name);
    match of("CQLITE_HISTORY") {
        Some(path) => Some(path)
            .filter(|path: &OsString| !path.is_empty())
            .map(PathBuf::from),
        None => {
            Some(PathBuf::from(of("HOME").or_else(|| of("USERPROFILE"))?).join(".cqlite_history"))
        }
    }
}
