//! CompressionInfo.db, and where it says that chunks lie.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cqlite_fuzz::compression_info(input));
