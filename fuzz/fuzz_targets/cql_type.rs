//! Types as CQL writes them.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cqlite_fuzz::cql_type(input));
