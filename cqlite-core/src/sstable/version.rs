//! What each SSTable version holds, as named capabilities. Nothing else compares versions.
//!
//! Authority: `o.a.c.io.sstable.format.Version`, `BigFormat.BigVersion`, `BtiFormat.BtiVersion`.

use crate::{Error, Result};
use std::fmt;

/// How an SSTable is indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// `big`: Index.db and Summary.db.
    Big,
    /// `bti`: the tries Partitions.db and Rows.db.
    Bti,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Big => "big",
            Format::Bti => "bti",
        })
    }
}

/// A version that this library reads: `ma` to `me`, `na`, `nb`, `oa` of BIG and `da` of BTI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version {
    format: Format,
    letters: [u8; 2],
}

const READABLE: [(&str, Format); 9] = [
    ("ma", Format::Big),
    ("mb", Format::Big),
    ("mc", Format::Big),
    ("md", Format::Big),
    ("me", Format::Big),
    ("na", Format::Big),
    ("nb", Format::Big),
    ("oa", Format::Big),
    ("da", Format::Bti),
];

impl Version {
    /// The version that a file name tells with its `letters` (`oa`) and `format` (`big`).
    ///
    /// # Errors
    /// `Unsupported`, naming the version, when it is not one that this library reads.
    pub fn parse(letters: &str, format: &str) -> Result<Self> {
        let known = READABLE
            .iter()
            .find(|(l, f)| *l == letters && f.to_string() == format);
        match (known, letters.as_bytes()) {
            (Some(&(_, format)), &[a, b]) => Ok(Version {
                format,
                letters: [a, b],
            }),
            _ => Err(unsupported(letters, format)),
        }
    }

    /// BIG or BTI.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Whether this library writes it: `nb`, `oa` and `da`.
    pub fn is_writable(&self) -> bool {
        matches!(&self.letters, b"nb" | b"oa" | b"da")
    }

    /// What Cassandra calls a transaction log of the version: `oa`, and with the format where that is not BIG.
    pub(super) fn log_prefix(&self) -> String {
        match self.format {
            Format::Big => self.to_string(),
            Format::Bti => format!("{}-{self}", self.format),
        }
    }

    /// Whether it is the newest of its format.
    pub fn is_latest(&self) -> bool {
        let of_format = READABLE.iter().filter(|(_, format)| *format == self.format);
        of_format.map(|(l, _)| l.as_bytes()).max() == Some(&self.letters)
    }

    fn since(&self, letters: &[u8; 2]) -> bool {
        self.format == Format::Bti || self.letters >= *letters
    }

    /// Statistics hold the lower bound of the commit log positions.
    pub fn has_commit_log_lower_bound(&self) -> bool {
        self.since(b"mb")
    }

    /// Statistics hold the intervals of commit log positions.
    pub fn has_commit_log_intervals(&self) -> bool {
        self.since(b"mc")
    }

    /// Statistics hold lists of the smallest and largest clustering values rather than a covered slice.
    pub fn has_legacy_min_max(&self) -> bool {
        !self.since(b"oa")
    }

    /// The lists of smallest and largest clustering values may be trusted (CASSANDRA-14861).
    pub fn has_accurate_min_max(&self) -> bool {
        self.since(b"md")
    }

    /// The histogram of times at which data dies counts each once, and only what dies.
    pub fn has_accurate_drop_times(&self) -> bool {
        self.since(b"md")
    }

    /// Statistics hold the id of the host that wrote the SSTable.
    pub fn has_originating_host_id(&self) -> bool {
        self.since(b"nb") || self.letters == *b"me"
    }

    /// CompressionInfo holds the length from which chunks are stored raw.
    pub fn has_max_compressed_length(&self) -> bool {
        self.since(b"na")
    }

    /// Statistics hold a pending repair and whether the SSTable is transient.
    pub fn has_pending_repair(&self) -> bool {
        self.since(b"na")
    }

    /// The header may name a frozen user type like one that is not (CASSANDRA-15035): 3.0 had no other.
    pub fn has_bare_user_types(&self) -> bool {
        !self.since(b"na")
    }

    /// Statistics carry checksums.
    pub fn has_metadata_checksum(&self) -> bool {
        self.since(b"na")
    }

    /// The words of Filter.db are big-endian.
    pub fn has_old_bloom_filter(&self) -> bool {
        !self.since(b"na")
    }

    /// Statistics tell whether there are partition deletions.
    pub fn has_partition_deletions_marker(&self) -> bool {
        self.since(b"oa")
    }

    /// Statistics hold the first and last key.
    pub fn has_key_range(&self) -> bool {
        self.since(b"oa")
    }

    /// Deletion times are unsigned and the live one is a single byte.
    pub fn has_uint_deletion_time(&self) -> bool {
        self.since(b"oa")
    }

    /// Statistics hold the share of the token space that is covered.
    pub fn has_token_space_coverage(&self) -> bool {
        self.since(b"oa")
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.letters).unwrap_or("??"))
    }
}

/// Says by whom a version that cannot be read was written, as far as is known.
fn unsupported(letters: &str, format: &str) -> Error {
    let first = letters.bytes().next().unwrap_or(0);
    let writer = match (first, format) {
        _ if letters == "ms" => "ScyllaDB (its own variant of the format)",
        (b'a'..=b'i', "") => "Cassandra 2.0 or older",
        (b'j', _) => "Cassandra 2.0",
        (b'k', _) => "Cassandra 2.1",
        (b'l', _) => "Cassandra 2.2",
        (b'm' | b'n' | b'o', "big") | (b'd', "bti") => {
            "a release this library does not know, or another product"
        }
        (b'p', "big") | (b'e', "bti") => "Cassandra 6",
        _ => "an unknown release or another product",
    };
    let advice = match first {
        b'a'..=b'l' if format != "bti" => {
            "upgrade it step by step with sstableupgrade of Cassandra 2.2 and 3.11"
        }
        _ => "versions ma, mb, mc, md, me, na, nb, oa (big) and da (bti) can be read",
    };
    let format = if format.is_empty() {
        String::new()
    } else {
        format!(" of format `{format}`")
    };
    Error::unsupported(format!(
        "SSTable version `{letters}`{format} cannot be read; it is written by {writer}"
    ))
    .advise(advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn v(letters: &str) -> Version {
        let format = if letters == "da" { "bti" } else { "big" };
        Version::parse(letters, format).unwrap()
    }

    #[test]
    fn capabilities_by_version() {
        type Has = fn(&Version) -> bool;
        let table: [(Has, &str); 12] = [
            (
                Version::has_commit_log_lower_bound,
                "mb mc md me na nb oa da",
            ),
            (Version::has_commit_log_intervals, "mc md me na nb oa da"),
            (Version::has_legacy_min_max, "ma mb mc md me na nb"),
            (Version::has_accurate_min_max, "md me na nb oa da"),
            (Version::has_originating_host_id, "me nb oa da"),
            (Version::has_max_compressed_length, "na nb oa da"),
            (Version::has_pending_repair, "na nb oa da"),
            (Version::has_metadata_checksum, "na nb oa da"),
            (Version::has_old_bloom_filter, "ma mb mc md me"),
            (Version::has_key_range, "oa da"),
            (Version::has_uint_deletion_time, "oa da"),
            (Version::has_token_space_coverage, "oa da"),
        ];
        for (has, expected) in table {
            let got: Vec<_> = READABLE
                .iter()
                .map(|(letters, _)| *letters)
                .filter(|letters| has(&v(letters)))
                .collect();
            assert_eq!(got.join(" "), expected);
        }
    }

    #[test]
    fn others_are_refused_by_name() {
        for (letters, format, says) in [
            ("jb", "", "Cassandra 2.0"),
            ("ka", "", "Cassandra 2.1"),
            ("la", "big", "Cassandra 2.2"),
            ("nc", "big", "does not know"),
            ("pa", "big", "Cassandra 6"),
            ("ea", "bti", "Cassandra 6"),
            ("ms", "big", "ScyllaDB"),
            ("oa", "bti", "`oa` of format `bti`"),
        ] {
            let e = Version::parse(letters, format).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::Unsupported);
            assert!(e.to_string().contains(says), "{e}");
            assert!(e.to_string().contains(letters), "{e}");
        }
    }
}
