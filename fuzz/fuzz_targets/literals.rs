//! Terms of CQL as values of any type.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cqlite_fuzz::literals(input));
