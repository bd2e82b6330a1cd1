//! The fixed parts of sstabledump's JSON, indented and on one line.
//!
//! Authority: `o.a.c.tools.JsonTransformer` and the pretty printers of Jackson that it sets up.

/// Length of `text` without the white space that JSON does not need.
const fn compact_len(text: &[u8]) -> usize {
    let (mut n, mut i) = (0, 0);
    while i < text.len() {
        n += is_needed(text, i) as usize;
        i += 1;
    }
    n
}

const fn compact<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    let (mut n, mut i) = (0, 0);
    while i < text.len() {
        if is_needed(text, i) {
            out[n] = text[i];
            n += 1;
        }
        i += 1;
    }
    out
}

/// All but white space, and a space between two words, which is inside a string.
const fn is_needed(text: &[u8], i: usize) -> bool {
    match text[i] {
        b'\n' => false,
        b' ' => {
            i > 0
                && i + 1 < text.len()
                && text[i - 1].is_ascii_alphabetic()
                && text[i + 1].is_ascii_alphabetic()
        }
        _ => true,
    }
}

macro_rules! parts {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// The fixed parts of the output.
        pub trait Layout {
            $($(#[$doc])* const $name: &'static [u8];)*
        }

        /// Indented.
        pub struct Indented;
        impl Layout for Indented {
            $(const $name: &'static [u8] = $text.as_bytes();)*
        }

        /// One line a partition, without spaces.
        pub struct Lines;
        impl Layout for Lines {
            $(const $name: &'static [u8] = {
                const COMPACT: [u8; compact_len($text.as_bytes())] = compact($text.as_bytes());
                &COMPACT
            };)*
        }
    };
}

// A part that may follow another of its kind starts with the comma, which the first one leaves out.
parts! {
    TABLE_KIND = "{\n    \"table kind\" : \"";
    KEY = "\",\n    \"partition\" : {\n      \"key\" : [";
    KEY_FIRST = " ";
    KEY_NEXT = ", ";
    KEY_END = " ],\n      \"position\" : ";
    PARTITION_DELETION = ",\n      \"deletion_info\" : { \"marked_deleted\" : \"";
    ROWS = "\n    },\n    \"rows\" : [";
    NO_ROWS_END = " ]\n  }";
    ROWS_END = "\n    ]\n  }";
    ROW = ",\n      {\n        \"type\" : \"row\",\n        \"position\" : ";
    STATIC_ROW = ",\n      {\n        \"type\" : \"static_block\",\n        \"position\" : ";
    CLUSTERING = ",\n        \"clustering\" : [ ";
    CLUSTERING_NEXT = ", ";
    CLUSTERING_END = " ]";
    LIVENESS = ",\n        \"liveness_info\" : { \"tstamp\" : \"";
    TTL = "\", \"ttl\" : ";
    EXPIRES_AT = ", \"expires_at\" : \"";
    EXPIRED = "\", \"expired\" : ";
    OBJECT_END = " }";
    STRING_OBJECT_END = "\" }";
    DELETION = ",\n        \"deletion_info\" : { \"marked_deleted\" : \"";
    LOCAL_DELETE_TIME = "\", \"local_delete_time\" : \"";
    CELLS = ",\n        \"cells\" : [";
    NO_CELLS_END = " ]\n      }";
    CELLS_END = "\n        ]\n      }";
    CELL = ",\n          { \"name\" : ";
    CELL_DELETION = ", \"deletion_info\" : { \"marked_deleted\" : \"";
    CELL_DELETION_END = "\" } }";
    PATH = ", \"path\" : [ ";
    PATH_END = " ]";
    VALUE = ", \"value\" : ";
    CELL_TOMBSTONE = ", \"deletion_info\" : { \"local_delete_time\" : \"";
    TIMESTAMP = ", \"tstamp\" : \"";
    CELL_TTL = ", \"ttl\" : ";
    /// sstabledump forgets that it is inside a cell once it has written a tombstone's time.
    AFTER_TOMBSTONE_TIMESTAMP = ",\n            \"tstamp\" : \"";
    AFTER_TOMBSTONE_END = "\n          }";
    BOUND_MARKER = ",\n      {\n        \"type\" : \"range_tombstone_bound\"";
    BOUNDARY_MARKER = ",\n      {\n        \"type\" : \"range_tombstone_boundary\"";
    START_BOUND = ",\n        \"start\" : {\n          \"type\" : \"";
    END_BOUND = ",\n        \"end\" : {\n          \"type\" : \"";
    BOUND_CLUSTERING = ",\n          \"clustering\" : [ ";
    BOUND_DELETION = ",\n          \"deletion_info\" : { \"marked_deleted\" : \"";
    BOUND_END = "\" }\n        }";
    MARKER_END = "\n      }";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_lose_all_white_space_outside_of_strings() {
        assert_eq!(Lines::TABLE_KIND, br#"{"table kind":""#);
        assert_eq!(Lines::EXPIRED, br#"","expired":"#);
        assert_eq!(Lines::ROW, br#",{"type":"row","position":"#);
    }
}
