//! Benchmarks of cqlite: their rows, the tables that hold them, and the operations that are measured.
//!
//! The criterion benches are in `criterion/`, the program that measures one figure at a time is `cqlite-bench`, and what
//! the same figures are measured with on the peer's side is in `peers/`.

pub mod build;
pub mod data;
pub mod engine;
pub mod measure;
pub mod mixed;
pub mod sorted;
pub mod table;
pub mod work;

#[cfg(test)]
mod tests;
