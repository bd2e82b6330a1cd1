//! Every case of `test-data/bad` gives just what its `expected` says: the first lines of standard output, standard error,
//! exit status; and in time. See the README there.

use crate::support::{Ran, cqlite, ran};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const TIME: Duration = Duration::from_secs(20);
const STDOUT_CHARS: usize = 160;

/// Lines of what `verify` says that are kept: its faults are on standard output.
const VERIFY_LINES: usize = 6;
const VERIFY_CHARS: usize = 400;

fn bad() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-data/bad")
}

/// The words of a command, with what stands in double quotes as one.
fn words(command: &str) -> Vec<String> {
    let parts = command.split('"').enumerate();
    parts
        .flat_map(|(i, part)| match i % 2 {
            1 => vec![part.to_owned()],
            _ => part.split_whitespace().map(str::to_owned).collect(),
        })
        .collect()
}

/// What comes of a command, as `expected` tells it.
fn outcome(case: &Path, command: &str) -> String {
    let words = words(command);
    assert_eq!(words[0], "cqlite", "{case:?}: {command}");
    let start = Instant::now();
    let Ran { out, err, status } = ran(cqlite()
        .current_dir(case)
        .args(&words[1..])
        .output()
        .unwrap());
    let time = start.elapsed();
    assert!(time < TIME, "{case:?}: {command}: it took {time:?}");
    let mut text = format!("$ {command}\n");
    // Metadata tells an absolute path, of which the case's directory is left out.
    let directory = case.canonicalize().unwrap();
    let out = out.replace(&format!("{}/", directory.display()), "./");
    let (lines, chars) = match words[1].as_str() {
        "verify" => (VERIFY_LINES, VERIFY_CHARS),
        _ => (1, STDOUT_CHARS),
    };
    for line in out.lines().take(lines) {
        let line: String = line.chars().take(chars).collect();
        let _ = writeln!(text, "stdout: {line}");
    }
    for line in err.lines() {
        let _ = writeln!(text, "stderr: {line}");
    }
    let _ = writeln!(text, "status: {status}");
    text
}

#[test]
fn bad_files_are_told_exactly() {
    let write = std::env::var_os("CQLITE_EXPECT").is_some();
    let mut cases: Vec<_> = std::fs::read_dir(bad())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    assert!(cases.len() > 90, "cases are missing");
    let mut wrong = Vec::new();
    for case in cases {
        let file = case.join("expected");
        let expected = match std::fs::read_to_string(&file) {
            Ok(expected) => expected,
            Err(_) if write => "$ cqlite dump -l --now 0 .\n".to_owned(),
            Err(e) => {
                wrong.push(format!("{}: {e}", file.display()));
                continue;
            }
        };
        let commands = expected.lines().filter_map(|line| line.strip_prefix("$ "));
        let found: Vec<String> = commands.map(|command| outcome(&case, command)).collect();
        assert!(!found.is_empty(), "{file:?} holds no command");
        let found = found.join("\n");
        if write {
            std::fs::write(&file, found).unwrap();
        } else if found != expected {
            wrong.push(format!(
                "{}: expected\n{expected}found\n{found}",
                file.display()
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} cases differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
