//! Partitions.db: its footer and its trie.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cqlite_fuzz::partitions(input));
