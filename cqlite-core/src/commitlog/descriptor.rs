//! What a segment is: its name, and the descriptor that it begins with.
//!
//! Authority: `o.a.c.db.commitlog.CommitLogDescriptor`.
//!
//! ```text
//! i32 version, i64 id, u16 length, parameters as JSON, u32 crc
//! ```

use crate::bytes::{Cursor, DecodeError, Sink};
use crate::sstable::component::compression_info::Compressor;
use crate::{Error, Result};

/// Version of a segment's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogVersion {
    /// Of Cassandra 3.0 and 3.11.
    V6,
    /// Of Cassandra 4.0 and 4.1, and of 5.0 as long as it is compatible with them.
    V7,
    /// Of Cassandra 5.0.
    V8,
}

impl LogVersion {
    /// The version of a number.
    ///
    /// # Errors
    /// `Unsupported` for any other, by its number.
    pub fn of_number(number: i32) -> Result<Self> {
        Ok(match number {
            6 => LogVersion::V6,
            7 => LogVersion::V7,
            8 => LogVersion::V8,
            _ => {
                return Err(Error::unsupported(format!(
                    "commit log version {number} cannot be read"
                ))
                .advise(match number {
                    9.. => "it is of a Cassandra after 5.0, which must replay it: versions 6 (3.0) to 8 (5.0) can",
                    _ => "versions 6 (3.0) to 8 (5.0) can",
                }));
            }
        })
    }

    /// Its number.
    pub fn number(self) -> i32 {
        match self {
            LogVersion::V6 => 6,
            LogVersion::V7 => 7,
            LogVersion::V8 => 8,
        }
    }

    /// Whether local deletion times reach beyond 2038: unsigned numbers, since Cassandra 5.0.
    pub fn has_uint_deletion_time(self) -> bool {
        self >= LogVersion::V8
    }
}

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// Version of its format.
    pub version: LogVersion,
    /// Its id: later segments have higher ones.
    pub id: i64,
    /// What its sections are compressed by.
    pub compression: Option<Compressor>,
}

impl Descriptor {
    /// Version and id of a segment of this name, `CommitLog-<version>-<id>.log`; `None` if it is no segment's.
    pub fn parse_name(name: &str) -> Option<(i32, i64)> {
        let middle = name.strip_prefix("CommitLog-")?.strip_suffix(".log")?;
        let (version, id) = middle.split_once('-')?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(version) || !digits(id) {
            return None;
        }
        Some((version.parse().ok()?, id.parse().ok()?))
    }

    /// Name of the segment's file.
    pub fn file_name(&self) -> String {
        format!("CommitLog-{}-{}.log", self.version.number(), self.id)
    }

    /// Decodes the descriptor that a segment begins with; returns its length, too.
    ///
    /// # Errors
    /// `Corrupt` where the bytes end early or do not fit their checksum; `Unsupported` for another version, an unknown
    /// compressor, and encryption.
    pub fn decode(bytes: &[u8]) -> Result<(Self, usize)> {
        let mut c = Cursor::new(bytes);
        let number = c.i32()?;
        let id = c.i64()?;
        let parameters = c.short_bytes()?;
        if c.u32()? != checksum(number, id, parameters) {
            return Err(Error::corrupt("the descriptor does not fit its checksum"));
        }
        let descriptor = Descriptor {
            version: LogVersion::of_number(number)?,
            id,
            compression: compression(parameters)?,
        };
        Ok((descriptor, c.position()))
    }

    /// The bytes that a segment begins with.
    pub fn encode(&self) -> Vec<u8> {
        let parameters = match self.compression {
            None => "{}".to_owned(),
            Some(compressor) => format!(
                r#"{{"compressionClass":"{}","compressionParameters":null}}"#,
                compressor.class_name()
            ),
        };
        let number = self.version.number();
        let mut out = Vec::with_capacity(18 + parameters.len());
        out.put_i32(number);
        out.put_i64(self.id);
        out.put_u16(parameters.len() as u16);
        out.put(parameters.as_bytes());
        out.put_u32(checksum(number, self.id, parameters.as_bytes()));
        out
    }
}

fn checksum(version: i32, id: i64, parameters: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&version.to_be_bytes());
    crc.update(&(id as u32).to_be_bytes());
    crc.update(&((id >> 32) as u32).to_be_bytes());
    crc.update(&(parameters.len() as u32).to_be_bytes());
    crc.update(parameters);
    crc.finalize()
}

/// The compressor that the parameters name.
fn compression(parameters: &[u8]) -> Result<Option<Compressor>> {
    const NOT_JSON: DecodeError = DecodeError::Invalid("the parameters are no object of JSON");
    if parameters.is_empty() {
        return Ok(None);
    }
    let parsed: serde_json::Value =
        serde_json::from_slice(parameters).map_err(|_| Error::from(NOT_JSON))?;
    let parsed = parsed.as_object().ok_or_else(|| Error::from(NOT_JSON))?;
    if parsed.contains_key("encCipher") {
        return Err(Error::unsupported("an encrypted commit log cannot be read")
            .advise("let Cassandra replay it: the key is in its keystore"));
    }
    match parsed.get("compressionClass") {
        None | Some(serde_json::Value::Null) => Ok(None),
        Some(serde_json::Value::String(class)) => Compressor::parse(class).map(Some),
        Some(_) => Err(Error::corrupt("the name of a compressor is no text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn names() {
        let parse = Descriptor::parse_name;
        assert_eq!(
            parse("CommitLog-8-1763748000123.log"),
            Some((8, 1763748000123))
        );
        assert_eq!(parse("CommitLog-9-7.log"), Some((9, 7)));
        for other in [
            "CommitLog-7.log",
            "CommitLog-8-1_cdc.idx",
            "CommitLog-8--1.log",
            "CommitLog-8-99999999999999999999.log",
            "commitlog-8-1.log",
            "CommitLog-8-1.log.tmp",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn written_as_read() {
        for compression in [None, Some(Compressor::Lz4), Some(Compressor::Zstd)] {
            let descriptor = Descriptor {
                version: LogVersion::V8,
                id: 0x1_8000_0000_0007,
                compression,
            };
            let mut bytes = descriptor.encode();
            let len = bytes.len();
            bytes.extend([1, 2, 3]);
            assert_eq!(Descriptor::decode(&bytes).unwrap(), (descriptor, len));
            for cut in 0..len {
                let e = Descriptor::decode(&bytes[..cut]).unwrap_err();
                assert_eq!(e.kind(), ErrorKind::Corrupt, "{cut}");
            }
            for at in 0..len {
                bytes[at] ^= 0x20;
                assert!(Descriptor::decode(&bytes).is_err(), "{at}");
                bytes[at] ^= 0x20;
            }
        }
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        let with = |version: i32, parameters: &str| {
            let mut out = Vec::new();
            out.put_i32(version);
            out.put_i64(5);
            out.put_u16(parameters.len() as u16);
            out.put(parameters.as_bytes());
            out.put_u32(checksum(version, 5, parameters.as_bytes()));
            Descriptor::decode(&out).map(|(d, _)| d)
        };
        assert_eq!(with(6, "{}").unwrap().version, LogVersion::V6);
        let lz4 = r#"{"compressionClass":"org.apache.cassandra.io.compress.LZ4Compressor"}"#;
        assert_eq!(with(7, lz4).unwrap().compression, Some(Compressor::Lz4));
        for (version, parameters, said) in [
            (9, "{}", "version 9"),
            (5, "{}", "version 5"),
            (8, r#"{"encCipher":"AES/CBC/PKCS5Padding"}"#, "encrypted"),
            (8, r#"{"compressionClass":"Brotli"}"#, "Brotli"),
        ] {
            let e = with(version, parameters).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::Unsupported);
            assert!(e.to_string().contains(said), "{e}");
        }
        for parameters in ["[]", "{", r#"{"compressionClass":7}"#] {
            let e = with(8, parameters).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::Corrupt);
        }
    }
}
