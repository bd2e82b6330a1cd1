//! Values of any type: shown, compared, made byte-comparable.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cqlite_fuzz::values(input));
