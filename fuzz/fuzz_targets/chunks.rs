//! Data.db as chunks: compressed ones with their CompressionInfo.db, plain ones with their CRC.db.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cqlite_fuzz::chunks(input));
