//! Runs the real binary over the golden tables.

mod bad_files;
mod bad_output;
mod commitlog;
mod exec;
mod golden_dump;
mod golden_metadata;
mod import;
mod ls;
mod query;
mod scrub;
mod shell;
mod support;
mod transcripts;
mod verify;
mod writing;
