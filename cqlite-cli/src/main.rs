//! `cqlite`: shows what is in Cassandra's files, and writes them anew.

mod args;
mod cmd;
mod failure;
mod output;

use std::process::ExitCode;

fn main() -> ExitCode {
    let verb = args::parse();
    allow_many_files();
    ExitCode::from(cmd::run(verb))
}

/// Every open SSTable holds a file, and a table may have thousands: more than shells allow unless asked.
fn allow_many_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        // Where it may not be raised, the files that are too many will tell.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}
