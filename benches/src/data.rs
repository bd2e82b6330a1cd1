//! The rows that everything here measures, computed from their numbers: every program that follows the same arithmetic
//! has the same rows, in any language, without a file in between.
//!
//! All randomness is splitmix64 over a stream and a row's number, so rows can be made in any order.

use std::sync::LazyLock;

/// `CREATE TABLE` of the many small partitions.
pub const KV_SCHEMA: &str = "CREATE TABLE bench.kv (k text PRIMARY KEY, v text, n bigint) \
    WITH ID = 00000000-0000-0000-0000-000000000001 \
    AND compression = {'class': 'LZ4Compressor', 'chunk_length_in_kb': 16};";

/// `CREATE TABLE` of the wide partitions.
pub const WIDE_SCHEMA: &str = "CREATE TABLE bench.wide (p int, c bigint, a int, b text, d double, PRIMARY KEY (p, c)) \
    WITH ID = 00000000-0000-0000-0000-000000000002 \
    AND compression = {'class': 'LZ4Compressor', 'chunk_length_in_kb': 16};";

/// Write timestamp of the first row, in microseconds.
pub const TIMESTAMP: i64 = 1_700_000_000_000_000;

/// Step between the clustering values of neighbours in a wide partition.
pub const CLUSTERING_STEP: i64 = 10;

const WORD_COUNT: u64 = 1024;
const WORD_STREAM: u64 = 0x57;
const WIDE_STREAM: u64 = 0x77;
const QUERY_STREAM: u64 = 0x51;

static WORDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let word = |w| {
        let b = base(WORD_STREAM, w);
        let letters = 1..=3 + draw(b, 0) % 8;
        letters.map(|j| b'a' + (draw(b, j) % 26) as u8).collect()
    };
    (0..WORD_COUNT).map(word).collect()
});

/// splitmix64 of one state.
fn mix(x: u64) -> u64 {
    let z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What all values of row `i` of a stream derive from.
fn base(stream: u64, i: u64) -> u64 {
    mix((stream << 56) ^ i)
}

/// The `j`th value that derives from a base.
fn draw(base: u64, j: u64) -> u64 {
    mix(base.wrapping_add(j))
}

/// The `i`th number below `n` of the sequence that queries are chosen by.
pub fn query(i: u64, n: u64) -> u64 {
    base(QUERY_STREAM, i) % n
}

fn push_hex(out: &mut Vec<u8>, x: u64) {
    out.extend((0..16).map(|i| b"0123456789abcdef"[(x >> (60 - 4 * i)) as usize & 15]));
}

/// A partition key of `kv`: four letters and twelve digits. Keys of rows start with `user`; no row's key starts with
/// `miss`.
pub fn kv_key(prefix: &[u8; 4], i: u64) -> [u8; 16] {
    let mut key = *b"----000000000000";
    key[..4].copy_from_slice(prefix);
    let mut rest = i;
    for digit in key[4..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

/// Write timestamp of row `i` of `kv` as written for the `version`th time, in microseconds.
pub fn kv_timestamp(version: u64, i: u64) -> i64 {
    TIMESTAMP + version as i64 * 10_000_000 + i as i64
}

/// The cells of a row of `kv`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KvRow {
    /// 100 bytes of text.
    pub v: Vec<u8>,
    /// Any number of 44 bits and a sign.
    pub n: i64,
    /// Write timestamp in microseconds.
    pub timestamp: i64,
}

impl KvRow {
    /// Makes it row `i` as written for the `version`th time, keeping its memory.
    pub fn set(&mut self, version: u64, i: u64) {
        let b = base(1 + version, i);
        self.v.clear();
        push_hex(&mut self.v, b);
        let mut j = 0;
        while self.v.len() < 100 {
            j += 1;
            self.v.push(b' ');
            let word = &WORDS[(draw(b, j) % WORD_COUNT) as usize];
            let room = 100 - self.v.len();
            self.v.extend(word.iter().take(room));
        }
        self.n = draw(b, 0) as i64 >> 20;
        self.timestamp = kv_timestamp(version, i);
    }
}

/// The cells of a row of `wide`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WideRow {
    /// Below a million.
    pub a: i32,
    /// Two words and 16 hexadecimal digits.
    pub b: Vec<u8>,
    /// From 0 to below 1.
    pub d: f64,
    /// Write timestamp in microseconds.
    pub timestamp: i64,
}

impl WideRow {
    /// Makes it row `i` of the table, counted over all partitions, keeping its memory.
    pub fn set(&mut self, i: u64) {
        let x = base(WIDE_STREAM, i);
        self.a = (draw(x, 1) % 1_000_000) as i32;
        self.b.clear();
        for j in [2, 3] {
            let word = &WORDS[(draw(x, j) % WORD_COUNT) as usize];
            self.b.extend_from_slice(word);
            self.b.push(b':');
        }
        push_hex(&mut self.b, draw(x, 4));
        self.d = (draw(x, 5) >> 11) as f64 / (1u64 << 53) as f64;
        self.timestamp = TIMESTAMP + i as i64;
    }
}

/// A format that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// BIG, version `oa`.
    Oa,
    /// BTI, version `da`.
    Da,
}

impl Format {
    /// Both.
    pub const ALL: [Format; 2] = [Format::Oa, Format::Da];

    /// Version and name, as in file names with another number between them.
    pub fn parts(self) -> (&'static str, &'static str) {
        match self {
            Format::Oa => ("oa", "big"),
            Format::Da => ("da", "bti"),
        }
    }

    /// The version.
    pub fn version(self) -> &'static str {
        self.parts().0
    }
}

/// The rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// Of `kv`: those numbered `first..first + count`, as written for the `version`th time.
    Kv {
        /// Number of the first row.
        first: u64,
        /// Count of rows.
        count: u64,
        /// How often they were written before.
        version: u64,
    },
    /// Of `wide`.
    Wide {
        /// Count of partitions.
        partitions: u64,
        /// Rows of each.
        rows: u64,
    },
}

impl Rows {
    /// Name of the table.
    pub fn table(&self) -> &'static str {
        match self {
            Rows::Kv { .. } => "kv",
            Rows::Wide { .. } => "wide",
        }
    }

    /// The least of their write timestamps, in microseconds.
    pub fn min_timestamp(&self) -> i64 {
        match *self {
            Rows::Kv { first, version, .. } => kv_timestamp(version, first),
            Rows::Wide { .. } => TIMESTAMP,
        }
    }

    /// Count of rows.
    pub fn count(&self) -> u64 {
        match self {
            Rows::Kv { count, .. } => *count,
            Rows::Wide { partitions, rows } => partitions * rows,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The expected values were computed by a program in Java that follows the same arithmetic.

    #[test]
    fn words_and_keys() {
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(WORDS[0], b"lvq");
        assert_eq!(WORDS[1023], b"zgbtgqjih");
        assert_eq!(&kv_key(b"user", 1_999_999), b"user000001999999");
        assert_eq!(&kv_key(b"miss", 999_999_999_999), b"miss999999999999");
    }

    #[test]
    fn rows_of_kv() {
        let mut row = KvRow::default();
        for (version, i, v, n) in [
            (
                0,
                0,
                "c9ed992411bbb661 keqirw hdq yaf msn twzgewfm giotcwweq vckumng okdkcxem xybnsh osj kcsx jvepyjs zaeg",
                6_162_299_129_194,
            ),
            (
                0,
                2,
                "366ff41156d3645f wpfdgkw apsy gywz lsnngax gzxfv whscjh gen ussckl wpzhoou twzgewfm ypl awrsgmtirn e",
                -6_171_336_921_218,
            ),
            (
                3,
                1_999_999,
                "ce00a98084eb792e znlmswhg lhfqwpjxyi hplh hfc resxmm nitn eijd wvd frm ngvqfc idaidzoft msn zjmdb cy",
                65_049_235_591,
            ),
        ] {
            row.set(version, i);
            assert_eq!(str::from_utf8(&row.v).unwrap(), v);
            assert_eq!(row.n, n);
        }
        assert_eq!(row.timestamp, 1_700_000_031_999_999);
    }

    #[test]
    fn rows_of_wide() {
        let mut row = WideRow::default();
        for (i, a, b, d) in [
            (
                0,
                879_150,
                "pnses:qnfjqt:11c42e0754dc0535",
                0.30188794535986396,
            ),
            (
                1,
                70_157,
                "resxmm:wskko:7db8d69e1ee260d7",
                0.023989805714506263,
            ),
            (
                1_234_567,
                928_895,
                "seosscqt:uifkpae:c0a96195360d236b",
                0.9664990096033808,
            ),
        ] {
            row.set(i);
            assert_eq!((row.a, str::from_utf8(&row.b).unwrap(), row.d), (a, b, d));
        }
        assert_eq!(row.timestamp, 1_700_000_001_234_567);
    }
}
