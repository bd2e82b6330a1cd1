//! Statements that are run on golden SSTables.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cqlite_fuzz::query(input));
