//! Components that are verified beside good ones.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cqlite_fuzz::verified(input));
