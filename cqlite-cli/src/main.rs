//! The binary `cqlite`.

fn main() {}
