//! `cqlite`: shows what is in Cassandra's files, and writes them anew.

mod args;
mod cmd;
mod failure;
mod output;
mod progress;

use std::process::ExitCode;

fn main() -> ExitCode {
    let verb = args::parse();
    ExitCode::from(cmd::run(verb))
}
