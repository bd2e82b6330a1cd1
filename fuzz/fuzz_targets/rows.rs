//! Partitions, rows and markers of an uncompressed Data.db, with a serialization header of its own.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cqlite_fuzz::rows(input));
