//! Every cap on a length or count that a file may claim, beside the bound by the file's own size.

/// Longest partition key, in bytes: its length is a u16 on disk.
pub const PARTITION_KEY_BYTES_MAX: usize = 65_535;

/// Deepest nesting of a type (`list<frozen<list<...>>>`) that is parsed; deeper ones are refused.
pub const TYPE_DEPTH_MAX: usize = 64;

/// Most columns in a serialization header: Cassandra counts them in 32 bits, but a row of 65,536 cannot be used.
pub const COLUMNS_MAX: usize = 65_536;

/// Largest chunk of a compressed Data.db, in bytes; Cassandra's own tools never make one above 2 MiB by default,
/// and a power of two above this is a corrupt length.
pub const CHUNK_LENGTH_BYTES_MAX: u32 = 1 << 28;

/// Longest row, in bytes, that is held in memory: spans inside a row are 32 bits wide.
pub const ROW_BYTES_MAX: u64 = (1 << 31) - 1;

/// Longest value, in bytes, that is written: Cassandra refuses to read longer ones (its `max_value_size`).
pub const VALUE_BYTES_MAX: usize = 256 << 20;

/// Deepest nesting of a CQL expression, counting the operators of a chain; deeper ones are refused.
pub const CQL_DEPTH_MAX: usize = 64;

/// Longest CQL text, in bytes: a schema of ten thousand tables is shorter.
pub const CQL_TEXT_BYTES_MAX: usize = 1 << 26;

/// Most branches above a node of an on-disk trie: more than two per byte of the longest partition key.
pub const TRIE_DEPTH_MAX: usize = 1 << 18;
