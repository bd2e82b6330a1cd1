//! The writes that match the reads of [`Cursor`](super::Cursor): big-endian values appended to a buffer.
//!
//! Authority: `o.a.c.io.util.DataOutputPlus`.

use super::vint;
use crate::{Error, Result};

/// Takes bytes, and values in the byte order of Cassandra's files.
pub trait Sink {
    /// Appends bytes.
    fn put(&mut self, bytes: &[u8]);

    /// Appends one byte.
    #[inline(always)]
    fn put_u8(&mut self, v: u8) {
        self.put(&[v]);
    }

    /// Appends a boolean as a byte of 0 or 1.
    #[inline(always)]
    fn put_bool(&mut self, v: bool) {
        self.put_u8(v.into());
    }

    /// Appends two bytes, unsigned.
    #[inline(always)]
    fn put_u16(&mut self, v: u16) {
        self.put(&v.to_be_bytes());
    }

    /// Appends two bytes, signed.
    #[inline(always)]
    fn put_i16(&mut self, v: i16) {
        self.put(&v.to_be_bytes());
    }

    /// Appends four bytes, unsigned.
    #[inline(always)]
    fn put_u32(&mut self, v: u32) {
        self.put(&v.to_be_bytes());
    }

    /// Appends four bytes, signed.
    #[inline(always)]
    fn put_i32(&mut self, v: i32) {
        self.put(&v.to_be_bytes());
    }

    /// Appends eight bytes, unsigned.
    #[inline(always)]
    fn put_u64(&mut self, v: u64) {
        self.put(&v.to_be_bytes());
    }

    /// Appends eight bytes, signed.
    #[inline(always)]
    fn put_i64(&mut self, v: i64) {
        self.put(&v.to_be_bytes());
    }

    /// Appends eight bytes, an IEEE double.
    #[inline(always)]
    fn put_f64(&mut self, v: f64) {
        self.put(&v.to_be_bytes());
    }

    /// Appends an unsigned vint.
    #[inline(always)]
    fn put_uvint(&mut self, v: u64) {
        let (bytes, len) = vint::encode_unsigned(v);
        self.put(&bytes[..len]);
    }

    /// Appends an unsigned vint of 32 bits as `writeUnsignedVInt32` does: extended by its sign, so that a negative one
    /// takes nine bytes.
    #[inline(always)]
    fn put_uvint32(&mut self, v: i32) {
        self.put_uvint(i64::from(v) as u64);
    }

    /// Appends a zigzag vint.
    #[inline(always)]
    fn put_svint(&mut self, v: i64) {
        self.put_uvint(vint::zigzag(v));
    }

    /// Appends bytes behind their length as an unsigned vint.
    #[inline]
    fn put_vint_bytes(&mut self, bytes: &[u8]) {
        self.put_uvint(bytes.len() as u64);
        self.put(bytes);
    }

    /// Appends bytes behind their length as a u16.
    ///
    /// # Errors
    /// `InvalidInput`, and nothing is appended, for more than 65,535 bytes.
    fn put_short_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.put_u16(u16::try_from(bytes.len()).map_err(|_| too_long(bytes.len(), "65,535"))?);
        self.put(bytes);
        Ok(())
    }

    /// Appends bytes behind their length as an i32.
    ///
    /// # Errors
    /// `InvalidInput`, and nothing is appended, for more than 2,147,483,647 bytes.
    fn put_int_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        let len = i32::try_from(bytes.len()).map_err(|_| too_long(bytes.len(), "2,147,483,647"))?;
        self.put_i32(len);
        self.put(bytes);
        Ok(())
    }

    /// Appends a string of Java's `writeUTF`: u16 byte length and modified UTF-8.
    ///
    /// # Errors
    /// `InvalidInput`, and nothing is appended, if it takes more than 65,535 bytes.
    fn put_java_utf(&mut self, text: &str) -> Result<()> {
        let mut bytes = Vec::with_capacity(text.len());
        for unit in text.encode_utf16() {
            match unit {
                0x01..=0x7f => bytes.push(unit as u8),
                0 | 0x80..=0x7ff => {
                    bytes.extend([0xc0 | (unit >> 6) as u8, 0x80 | (unit & 0x3f) as u8]);
                }
                _ => bytes.extend([
                    0xe0 | (unit >> 12) as u8,
                    0x80 | (unit >> 6 & 0x3f) as u8,
                    0x80 | (unit & 0x3f) as u8,
                ]),
            }
        }
        self.put_short_bytes(&bytes)
    }
}

#[cold]
fn too_long(len: usize, most: &str) -> Error {
    Error::invalid(format!("{len} bytes where at most {most} can be stored"))
}

impl Sink for Vec<u8> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    #[inline(always)]
    fn put_u8(&mut self, v: u8) {
        self.push(v);
    }

    #[inline(always)]
    fn put_uvint(&mut self, v: u64) {
        vint::write_unsigned(self, v);
    }
}

impl<S: Sink + ?Sized> Sink for &mut S {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        (**self).put(bytes);
    }

    #[inline(always)]
    fn put_u8(&mut self, v: u8) {
        (**self).put_u8(v);
    }

    #[inline(always)]
    fn put_uvint(&mut self, v: u64) {
        (**self).put_uvint(v);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::Cursor;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_put_is_read(
            a: u16, b: i16, c: u32, d: i32, e: i64, f: f64, g: bool, shift in 0u32..64,
            bytes in proptest::collection::vec(any::<u8>(), 0..300), text: String,
        ) {
            let mut out = Vec::new();
            out.put_u16(a);
            out.put_i16(b);
            out.put_u32(c);
            out.put_i32(d);
            out.put_i64(e);
            out.put_u64(e as u64);
            out.put_f64(f);
            out.put_bool(g);
            out.put_uvint(e as u64 >> shift);
            out.put_uvint32(d);
            out.put_svint(e);
            out.put_vint_bytes(&bytes);
            out.put_short_bytes(&bytes).unwrap();
            out.put_int_bytes(&bytes).unwrap();
            out.put_java_utf(&text).unwrap();
            let mut c2 = Cursor::new(&out);
            prop_assert_eq!(c2.u16(), Ok(a));
            prop_assert_eq!(c2.i16(), Ok(b));
            prop_assert_eq!(c2.u32(), Ok(c));
            prop_assert_eq!(c2.i32(), Ok(d));
            prop_assert_eq!(c2.i64(), Ok(e));
            prop_assert_eq!(c2.i64(), Ok(e));
            prop_assert_eq!(c2.f64().map(f64::to_bits), Ok(f.to_bits()));
            prop_assert_eq!(c2.bool(), Ok(g));
            prop_assert_eq!(c2.uvint(), Ok(e as u64 >> shift));
            prop_assert_eq!(c2.uvint32(), Ok(d));
            prop_assert_eq!(c2.svint(), Ok(e));
            prop_assert_eq!(c2.vint_bytes(), Ok(&bytes[..]));
            prop_assert_eq!(c2.short_bytes(), Ok(&bytes[..]));
            prop_assert_eq!(c2.int_bytes(), Ok(&bytes[..]));
            prop_assert_eq!(c2.java_utf(), Ok(text));
            prop_assert!(c2.is_empty());
        }
    }

    #[test]
    fn java_strings_hide_nul_and_part_surrogates() {
        let mut out = Vec::new();
        out.put_java_utf("a\0\u{1f600}").unwrap();
        assert_eq!(
            out,
            [0, 9, b'a', 0xc0, 0x80, 0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]
        );
    }

    #[test]
    fn what_is_too_long_leaves_nothing() {
        let mut out = Vec::new();
        assert!(out.put_short_bytes(&[0; 65_536]).is_err());
        assert!(out.put_java_utf(&"\u{7ff}".repeat(32_768)).is_err());
        assert!(out.is_empty());
        out.put_short_bytes(&[7; 65_535]).unwrap();
        assert_eq!((out.len(), &out[..3]), (65_537, &[0xff, 0xff, 7][..]));
    }

    #[test]
    fn negative_ints_take_nine_bytes() {
        let mut out = Vec::new();
        out.put_uvint32(-2);
        assert_eq!(out, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]);
    }
}
