//! The error of the library: what went wrong, where, and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

/// What the caller can do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The bytes contradict the format: another copy of the file is needed.
    Corrupt,
    /// The bytes may be good, but this library does not know their format or feature.
    Unsupported,
    /// The operating system refused a read or a write.
    Io,
    /// The caller asked for something that makes no sense.
    InvalidInput,
    /// The thing that was asked for (SSTable, table, column) does not exist.
    NotFound,
    /// A defect of this library.
    Internal,
}

/// Where in the files an [`Error`] lies; what is not known is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Location {
    /// Path of the file.
    pub file: Option<PathBuf>,
    /// Component or structure, for example `Data.db` or `Statistics.db STATS`.
    pub component: Option<&'static str>,
    /// Byte offset in the component; for Data.db in its uncompressed stream.
    pub offset: Option<u64>,
    /// Raw partition key, when inside a partition.
    pub partition_key: Option<Vec<u8>>,
}

#[derive(Debug, Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    advice: Option<String>,
    location: Location,
}

/// An error with its [`ErrorKind`], a message, a [`Location`] and advice. One pointer wide.
#[derive(Debug, Clone)]
pub struct Error(Box<Inner>);

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind` that says `message`, at no known place.
    #[cold]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner {
            kind,
            message: message.into(),
            advice: None,
            location: Location::default(),
        }))
    }

    /// Shorthand for [`ErrorKind::Corrupt`].
    #[cold]
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// Shorthand for [`ErrorKind::Unsupported`].
    #[cold]
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// Shorthand for [`ErrorKind::InvalidInput`].
    #[cold]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// Shorthand for [`ErrorKind::NotFound`].
    #[cold]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// The operating system's refusal to do something with `file`. A file that is not there is `NotFound`.
    #[cold]
    pub fn io(file: &Path, error: std::io::Error) -> Self {
        let error = match error.kind() {
            std::io::ErrorKind::NotFound => Self::not_found("there is no such file or directory"),
            _ => Self::new(ErrorKind::Io, error.to_string()),
        };
        error.in_file(file)
    }

    /// Adds what the user can do.
    #[cold]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.0.advice.get_or_insert_with(|| advice.into());
        self
    }

    /// Puts what it is about, and `: `, before the message. The place goes, as it is one inside of that.
    #[cold]
    pub(crate) fn within(mut self, what: impl fmt::Display) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self.0.location = Location::default();
        self
    }

    /// Names the file, unless one is named already.
    #[cold]
    pub fn in_file(mut self, file: &Path) -> Self {
        self.0.location.file.get_or_insert_with(|| file.to_owned());
        self
    }

    /// Names the component, unless one is named already.
    #[cold]
    pub fn in_component(mut self, component: &'static str) -> Self {
        self.0.location.component.get_or_insert(component);
        self
    }

    /// Names the byte offset, unless one is named already.
    #[cold]
    pub fn at(mut self, offset: u64) -> Self {
        self.0.location.offset.get_or_insert(offset);
        self
    }

    /// Names another byte offset: that in the file, where what was named is that in a part of it.
    #[cold]
    pub(crate) fn moved_to(mut self, offset: u64) -> Self {
        self.0.location.offset = Some(offset);
        self
    }

    /// Names the raw partition key, unless one is named already.
    #[cold]
    pub fn in_partition(mut self, key: &[u8]) -> Self {
        self.0
            .location
            .partition_key
            .get_or_insert_with(|| key.to_vec());
        self
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What went wrong, without place and advice.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What the user can do, when there is something.
    pub fn advice(&self) -> Option<&str> {
        self.0.advice.as_deref()
    }

    /// Where it went wrong.
    pub fn location(&self) -> &Location {
        &self.0.location
    }
}

/// `file: component: at offset N, partition 0x..: message (advice)`, leaving out what is not known.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Location {
            file,
            component,
            offset,
            partition_key,
        } = &self.0.location;
        if let Some(file) = file {
            write!(f, "{}: ", file.display())?;
        }
        // A component that only repeats the file's name is not said twice.
        let said = file
            .as_ref()
            .and_then(|f| f.file_name())
            .and_then(|n| n.to_str());
        if let Some(c) = component.filter(|c| !said.is_some_and(|n| n.ends_with(*c))) {
            write!(f, "{c}: ")?;
        }
        if let Some(offset) = offset {
            write!(f, "at offset {offset}")?;
            f.write_str(if partition_key.is_some() { ", " } else { ": " })?;
        }
        if let Some(key) = partition_key {
            f.write_str("partition 0x")?;
            // A key may be 64 KiB long: its beginning names it well enough.
            for b in key.iter().take(64) {
                write!(f, "{b:02x}")?;
            }
            f.write_str(if key.len() > 64 { "...: " } else { ": " })?;
        }
        f.write_str(&self.0.message)?;
        if let Some(advice) = &self.0.advice {
            write!(f, " ({advice})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// A short failure of decoding without I/O: whoever knows the place turns it into an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// The bytes end before the structure does. A reader of a larger file may fetch more and try again.
    Eof,
    /// The bytes contradict the format; the text says how.
    Invalid(&'static str),
}

impl From<DecodeError> for Error {
    #[cold]
    fn from(e: DecodeError) -> Self {
        match e {
            DecodeError::Eof => Error::corrupt("the bytes end in the middle of a structure")
                .advise("the file is truncated, or a length in it is wrong"),
            DecodeError::Invalid(what) => Error::corrupt(what),
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Eof => f.write_str("the bytes end in the middle of a structure"),
            DecodeError::Invalid(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for DecodeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_every_known_place_once() {
        let e = Error::corrupt("bad size")
            .at(7)
            .in_partition(&[1, 2])
            .in_component("Data.db")
            .in_file(Path::new("t/oa-1-big-Data.db"))
            .advise("restore it");
        assert_eq!(
            e.to_string(),
            "t/oa-1-big-Data.db: at offset 7, partition 0x0102: bad size (restore it)"
        );
        let inner_place_wins = e.at(9);
        assert_eq!(inner_place_wins.location().offset, Some(7));
    }
}
