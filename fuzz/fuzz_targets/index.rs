//! Index.db: entries, searches, promoted indexes.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cqlite_fuzz::index(input));
