//! Tests that run themselves as a process that is killed: only a process at its end leaves its files as they were at one
//! moment.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const DIRECTORY: &str = "CQLITE_TEST_KILLED";

/// Where this process is to write until it is killed, if it is such a one.
pub fn killed_in() -> Option<PathBuf> {
    std::env::var_os(DIRECTORY).map(PathBuf::from)
}

/// The test of this name (`database::...`) as a process of its own, which finds `directory` by [`killed_in`]. What it prints
/// can be read; the first line may stand behind something else.
pub fn start(name: &str, directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", name])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}
