//! Names of Cassandra's type classes.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cqlite_fuzz::marshal(input));
