//! Runs the real binary, and finds the golden tables.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Text of standard output and error, and the exit status.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    pub out: String,
    pub err: String,
    pub status: i32,
}

pub fn cqlite() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cqlite"));
    command.env("TZ", "UTC").stdin(Stdio::null());
    command
}

/// Runs the binary in the folder of the golden tables.
pub fn run(args: &[&str]) -> Ran {
    ran(cqlite().current_dir(golden()).args(args).output().unwrap())
}

pub fn ran(output: Output) -> Ran {
    Ran {
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
        status: output.status.code().expect("no signal ends it"),
    }
}

pub fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-data/golden")
}

/// Directories `<version>/<table>` of the golden tables that have a folder `of`, relative to `golden()`.
pub fn tables_with(of: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for version in children(&golden()) {
        for table in children(&version) {
            if table.join(of).is_dir() {
                found.push(table.strip_prefix(golden()).unwrap().to_owned());
            }
        }
    }
    assert!(found.len() > 100, "the golden tables are incomplete");
    found
}

/// What a directory holds, sorted.
pub fn children(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The path's last part.
pub fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// Copies the files of a directory, not what is in its subdirectories.
pub fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for path in children(from).into_iter().filter(|p| p.is_file()) {
        std::fs::copy(&path, to.join(name(&path))).unwrap();
    }
}

/// Where two texts differ first, for a message of a failed test.
pub fn difference(got: &[u8], expected: &[u8]) -> Option<String> {
    if got == expected {
        return None;
    }
    let (got, expected) = (
        String::from_utf8_lossy(got),
        String::from_utf8_lossy(expected),
    );
    let mut lines = got.lines().zip(expected.lines()).enumerate();
    Some(match lines.find(|(_, (a, b))| a != b) {
        Some((i, (a, b))) => format!("line {}:\n  is {a}\n  not {b}", i + 1),
        None => format!("{} bytes rather than {}", got.len(), expected.len()),
    })
}
