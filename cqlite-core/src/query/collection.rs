//! The bytes of collections and tuples as one value.
//!
//! Authority: `o.a.c.serializers.CollectionSerializer`, `o.a.c.db.marshal.TupleType`.

use crate::bytes::Cursor;

/// The elements of a list or set, null where one is. Ends early where the bytes make no sense.
#[derive(Debug, Clone)]
pub(super) struct Elements<'a> {
    cursor: Cursor<'a>,
    left: usize,
}

impl<'a> Elements<'a> {
    /// Of the bytes of a list or set.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self::with(bytes, 1)
    }

    fn with(bytes: &'a [u8], values: usize) -> Self {
        let mut cursor = Cursor::new(bytes);
        let count = cursor.i32().map_or(0, |n| usize::try_from(n).unwrap_or(0));
        Elements {
            cursor,
            left: count.saturating_mul(values),
        }
    }

    /// The fields of a tuple or user type, which may be fewer than the type has.
    pub fn of_tuple(bytes: &'a [u8]) -> Self {
        Elements {
            cursor: Cursor::new(bytes),
            left: usize::MAX,
        }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let len = self.cursor.i32().ok()?;
        match usize::try_from(len) {
            Ok(len) => self.cursor.take(len).ok().map(Some),
            Err(_) => Some(None),
        }
    }
}

/// The entries of a map.
#[derive(Debug, Clone)]
pub(super) struct Entries<'a>(Elements<'a>);

impl<'a> Entries<'a> {
    /// Of the bytes of a map.
    pub fn of(bytes: &'a [u8]) -> Self {
        Entries(Elements::with(bytes, 2))
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()??, self.0.next()??))
    }
}

/// Appends an element, or a field, with its length.
pub(super) fn push_element(out: &mut Vec<u8>, element: Option<&[u8]>) {
    match element {
        // Values are shorter than rows, whose length is below 2^31.
        Some(bytes) => {
            out.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
            out.extend_from_slice(bytes);
        }
        None => out.extend_from_slice(&(-1i32).to_be_bytes()),
    }
}

/// Appends a collection whose elements `fill` appends; it returns how many these are.
pub(super) fn push_collection(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>) -> usize) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    let count = fill(out) as i32;
    out[start..start + 4].copy_from_slice(&count.to_be_bytes());
}

/// The bytes of a list of values.
pub(super) fn list<'v>(values: impl IntoIterator<Item = Option<&'v [u8]>>) -> Vec<u8> {
    let mut out = Vec::new();
    push_collection(&mut out, |out| {
        let mut count = 0;
        for value in values {
            push_element(out, value);
            count += 1;
        }
        count
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collections_are_read_as_written() {
        let bytes = list([Some(&b"a"[..]), None, Some(b"")]);
        let read: Vec<_> = Elements::of(&bytes).collect();
        assert_eq!(read, [Some(&b"a"[..]), None, Some(b"")]);
        let pairs = list([Some(&b"k"[..]), Some(b"v")]);
        let mut map = pairs.clone();
        map[3] = 1;
        assert_eq!(
            Entries::of(&map).collect::<Vec<_>>(),
            [(&b"k"[..], &b"v"[..])]
        );
        assert_eq!(Elements::of_tuple(&pairs[4..]).count(), 2);
    }

    #[test]
    fn senseless_bytes_end_the_elements() {
        let bytes = list([Some(&b"abc"[..])]);
        for end in 0..bytes.len() {
            assert_eq!(Elements::of(&bytes[..end]).count(), 0, "{end}");
        }
        assert_eq!(Elements::of(&[0x7f, 0xff, 0xff, 0xff]).count(), 0);
        assert_eq!(Elements::of(&[0xff; 4]).count(), 0);
    }
}
