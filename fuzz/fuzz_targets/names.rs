//! Names of files, components, directories and ids.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cqlite_fuzz::names(input));
