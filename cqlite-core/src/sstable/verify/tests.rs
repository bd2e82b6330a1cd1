//! Golden SSTables are good, and every damage of them is told.
