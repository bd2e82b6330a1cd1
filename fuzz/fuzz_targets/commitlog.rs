//! Segments of a commit log, and mutations.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cqlite_fuzz::commitlog(input));
