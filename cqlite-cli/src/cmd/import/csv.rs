//! Records of CSV by RFC 4180, each with the number of its line; a field with quotes is told from one without.

use cqlite_core::{Error, ErrorKind, Result};
use std::io::BufRead;

/// Longest record, in bytes: a quote that is never closed would take the rest of the file for one.
const RECORD_BYTES_MAX: usize = 512 << 20;

/// A record.
#[derive(Debug, Default)]
pub struct Record {
    /// The number of its first line, from 1.
    pub line: u64,
    /// As written, with the end of its line.
    pub raw: Vec<u8>,
    text: Vec<u8>,
    /// Where each field ends in the text, and whether it had quotes.
    ends: Vec<(usize, bool)>,
}

impl Record {
    /// Count of fields.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The `i`th field and whether it had quotes.
    pub fn field(&self, i: usize) -> (&[u8], bool) {
        let start = i.checked_sub(1).map_or(0, |before| self.ends[before].0);
        let (end, quoted) = self.ends[i];
        (&self.text[start..end], quoted)
    }
}

/// Reads records.
pub struct Reader<R> {
    input: R,
    line: u64,
}

impl<R: BufRead> Reader<R> {
    pub fn new(input: R) -> Self {
        Reader { input, line: 0 }
    }

    /// Reads the next record; `false` at the end. Empty lines are passed over, a byte order mark at the start too. After an
    /// `InvalidInput` the next record can be read.
    pub fn next(&mut self, record: &mut Record) -> Result<bool> {
        loop {
            record.raw.clear();
            if !self.more(record)? {
                return Ok(false);
            }
            record.line = self.line;
            if self.line == 1 && record.raw.starts_with(b"\xef\xbb\xbf") {
                record.raw.drain(..3);
            }
            if !matches!(&*record.raw, b"\n" | b"\r\n") {
                self.fields(record)?;
                return Ok(true);
            }
        }
    }

    fn more(&mut self, record: &mut Record) -> Result<bool> {
        let read = self.input.read_until(b'\n', &mut record.raw);
        let n = read.map_err(|e| Error::new(ErrorKind::Io, e.to_string()))?;
        if record.raw.len() > RECORD_BYTES_MAX {
            return Err(Error::invalid("a quote that is never closed"));
        }
        self.line += u64::from(n > 0);
        Ok(n > 0)
    }

    fn fields(&mut self, record: &mut Record) -> Result<()> {
        record.text.clear();
        record.ends.clear();
        let mut at = 0;
        loop {
            if record.raw.get(at) == Some(&b'"') {
                at = self.quoted(record, at + 1)?;
                record.ends.push((record.text.len(), true));
            } else {
                let rest = &record.raw[at..];
                let end = rest.iter().position(|b| matches!(b, b',' | b'\r' | b'\n'));
                let field = &rest[..end.unwrap_or(rest.len())];
                if field.contains(&b'"') {
                    return Err(Error::invalid(
                        "a quote inside a field that does not begin with one",
                    )
                    .advise("put the field in quotes, and double those inside"));
                }
                at += field.len();
                record.text.extend_from_slice(field);
                record.ends.push((record.text.len(), false));
            }
            match &record.raw[at..] {
                [] | b"\n" | b"\r\n" | b"\r" => return Ok(()),
                [b',', ..] => at += 1,
                _ => {
                    return Err(Error::invalid("text behind the closing quote of a field")
                        .advise("double the quotes inside of it"));
                }
            }
        }
    }

    /// Takes a field from behind its opening quote, and says where it ends.
    fn quoted(&mut self, record: &mut Record, mut at: usize) -> Result<usize> {
        loop {
            let rest = &record.raw[at..];
            let Some(n) = rest.iter().position(|b| *b == b'"') else {
                record.text.extend_from_slice(rest);
                at = record.raw.len();
                if !self.more(record)? {
                    return Err(Error::invalid("a quote that is never closed"));
                }
                continue;
            };
            record.text.extend_from_slice(&rest[..n]);
            at += n + 1;
            if record.raw.get(at) != Some(&b'"') {
                return Ok(at);
            }
            record.text.push(b'"');
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fields = Vec<(String, bool)>;

    fn records(text: &str) -> Vec<Result<(u64, Fields), String>> {
        let mut reader = Reader::new(text.as_bytes());
        let mut record = Record::default();
        let mut seen = Vec::new();
        loop {
            match reader.next(&mut record) {
                Ok(false) => return seen,
                Ok(true) => {
                    let fields = (0..record.len()).map(|i| {
                        let (text, quoted) = record.field(i);
                        (String::from_utf8(text.to_vec()).unwrap(), quoted)
                    });
                    seen.push(Ok((record.line, fields.collect())));
                }
                Err(e) => seen.push(Err(e.message().to_owned())),
            }
        }
    }

    #[test]
    fn fields_with_and_without_quotes() {
        let text = "\u{feff}a,\"b\"\r\n\r\n,\"\"\n\"x\n\"\"y\",z\n,";
        let field = |text: &str, quoted| (text.to_owned(), quoted);
        let expected = [
            Ok((1, vec![field("a", false), field("b", true)])),
            Ok((3, vec![field("", false), field("", true)])),
            Ok((4, vec![field("x\n\"y", true), field("z", false)])),
            Ok((6, vec![field("", false), field("", false)])),
        ];
        assert_eq!(records(text), expected);
    }

    #[test]
    fn wrong_quotes_are_told_and_the_next_record_is_read() {
        let seen = records("a\"b,c\n\"a\"b\n1\n\"open\nline\n");
        assert_eq!(seen.len(), 4);
        assert!(seen[0].as_ref().unwrap_err().contains("inside"));
        assert!(seen[1].as_ref().unwrap_err().contains("behind"));
        assert_eq!(seen[2], Ok((3, vec![("1".to_owned(), false)])));
        assert!(seen[3].as_ref().unwrap_err().contains("never closed"));
    }
}
