//! The words that cannot be identifiers without quotes, and when a name needs quotes.
//!
//! Authority: `reserved_keywords.txt` of `o.a.c.cql3.ReservedKeywords`, `o.a.c.cql3.ColumnIdentifier.maybeQuote`.

/// Reserved words, in order. All other keywords (`ttl`, `key`, `type`, `count`, `json`...) may name things.
const RESERVED: &[&str] = &[
    "add",
    "allow",
    "alter",
    "and",
    "apply",
    "asc",
    "authorize",
    "batch",
    "begin",
    "by",
    "columnfamily",
    "create",
    "delete",
    "desc",
    "describe",
    "drop",
    "entries",
    "execute",
    "false",
    "from",
    "full",
    "grant",
    "if",
    "in",
    "index",
    "infinity",
    "insert",
    "into",
    "is",
    "keyspace",
    "limit",
    "materialized",
    "modify",
    "nan",
    "norecursive",
    "not",
    "null",
    "of",
    "on",
    "or",
    "order",
    "primary",
    "rename",
    "revoke",
    "schema",
    "select",
    "set",
    "table",
    "to",
    "token",
    "true",
    "truncate",
    "unlogged",
    "update",
    "use",
    "using",
    "view",
    "where",
    "with",
];

const RESERVED_LENGTH_MAX: usize = 12;

/// Whether `word`, in any case, cannot be an identifier without quotes. `true` and `false` are such words too: the
/// grammar knows them only as values.
pub fn is_reserved(word: &str) -> bool {
    word.len() <= RESERVED_LENGTH_MAX
        && RESERVED
            .binary_search(&word.to_ascii_lowercase().as_str())
            .is_ok()
}

/// The name as a statement needs it: as it is when it is of lower case letters, digits and `_`, begins with a letter
/// and is not reserved, else in double quotes.
pub fn quote_name(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !is_reserved(name);
    if plain {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_words_are_sorted_and_bounded() {
        assert!(RESERVED.is_sorted());
        assert_eq!(
            RESERVED.iter().map(|w| w.len()).max(),
            Some(RESERVED_LENGTH_MAX)
        );
        assert!(is_reserved("ToKeN") && is_reserved("materialized"));
        for free in [
            "ttl", "key", "type", "count", "json", "distinct", "text", "values", "static", "unset",
        ] {
            assert!(!is_reserved(free), "{free}");
        }
    }

    #[test]
    fn only_names_that_need_quotes_get_them() {
        assert_eq!(quote_name("a_1"), "a_1");
        assert_eq!(quote_name("ttl"), "ttl");
        assert_eq!(quote_name("table"), "\"table\"");
        assert_eq!(quote_name("Ab"), "\"Ab\"");
        assert_eq!(quote_name("1a"), "\"1a\"");
        assert_eq!(quote_name("_a"), "\"_a\"");
        assert_eq!(quote_name(""), "\"\"");
        assert_eq!(quote_name("a\"b"), "\"a\"\"b\"");
    }
}
