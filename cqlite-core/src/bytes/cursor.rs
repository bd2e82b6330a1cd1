//! A position in a slice, with reads that can run out of bytes but never past them.

use super::vint;
use crate::error::DecodeError;

type Result<T> = std::result::Result<T, DecodeError>;

/// Reads big-endian values off the front of a slice.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    /// The end of `bytes` that is left. Kept as a slice, a read is bounded by one comparison.
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of `bytes`.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Cursor { bytes, rest: bytes }
    }

    /// A cursor into `bytes` at `position`; beyond the end every read says `Eof`.
    #[inline]
    pub fn at(bytes: &'a [u8], position: usize) -> Self {
        let rest = bytes.get(position..).unwrap_or_default();
        Cursor { bytes, rest }
    }

    /// Bytes consumed since the start of the slice.
    #[inline]
    pub fn position(&self) -> usize {
        self.bytes.len() - self.rest.len()
    }

    /// All bytes of the slice, consumed ones included.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The bytes that are left.
    #[inline]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// How many bytes are left.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether nothing is left.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes `n` bytes.
    #[inline(always)]
    pub fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(DecodeError::Eof)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Takes as many bytes as a vint just said: a count over what is left, or over usize, is `Eof`.
    #[inline(always)]
    pub fn take_u64(&mut self, n: u64) -> Result<&'a [u8]> {
        self.take(usize::try_from(n).map_err(|_| DecodeError::Eof)?)
    }

    #[inline(always)]
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Eof)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// One byte.
    #[inline(always)]
    pub fn u8(&mut self) -> Result<u8> {
        let (&b, rest) = self.rest.split_first().ok_or(DecodeError::Eof)?;
        self.rest = rest;
        Ok(b)
    }

    /// One byte that must be 0 or 1.
    pub fn bool(&mut self) -> Result<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Invalid("a boolean that is neither 0 nor 1")),
        }
    }

    /// Two bytes, unsigned.
    #[inline]
    pub fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// Two bytes, signed.
    #[inline]
    pub fn i16(&mut self) -> Result<i16> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    /// Four bytes, unsigned.
    #[inline]
    pub fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// Four bytes, signed.
    #[inline]
    pub fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// Eight bytes, signed.
    #[inline]
    pub fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// Eight bytes, an IEEE double.
    #[inline]
    pub fn f64(&mut self) -> Result<f64> {
        Ok(f64::from_be_bytes(self.array()?))
    }

    /// Sixteen bytes, a UUID.
    #[inline]
    pub fn uuid(&mut self) -> Result<[u8; 16]> {
        self.array()
    }

    /// An unsigned vint.
    #[inline(always)]
    pub fn uvint(&mut self) -> Result<u64> {
        let (value, rest) = vint::split_unsigned(self.rest)?;
        self.rest = rest;
        Ok(value)
    }

    /// An unsigned vint that must fit 32 bits as `readUnsignedVInt32` asks: the 64-bit value is the sign extension of
    /// the result.
    #[inline]
    pub fn uvint32(&mut self) -> Result<i32> {
        let v = self.uvint()? as i64;
        i32::try_from(v).map_err(|_| DecodeError::Invalid("a vint that does not fit 32 bits"))
    }

    /// A zigzag vint.
    #[inline]
    pub fn svint(&mut self) -> Result<i64> {
        self.uvint().map(vint::unzigzag)
    }

    /// A count of things of at least `unit_bytes` each: a count that the rest of the bytes cannot hold is `Eof`.
    #[inline]
    pub fn bounded(&self, count: u64, unit_bytes: usize) -> Result<usize> {
        let max = self.remaining() / unit_bytes.max(1);
        usize::try_from(count)
            .ok()
            .filter(|&n| n <= max)
            .ok_or(DecodeError::Eof)
    }

    /// Bytes behind their length as an unsigned vint.
    #[inline(always)]
    pub fn vint_bytes(&mut self) -> Result<&'a [u8]> {
        let n = self.uvint()?;
        self.take_u64(n)
    }

    /// Bytes behind their length as a u16.
    #[inline]
    pub fn short_bytes(&mut self) -> Result<&'a [u8]> {
        let n = self.u16()?;
        self.take(n as usize)
    }

    /// Bytes behind their length as an i32, which must not be negative.
    #[inline]
    pub fn int_bytes(&mut self) -> Result<&'a [u8]> {
        let n = usize::try_from(self.i32()?)
            .map_err(|_| DecodeError::Invalid("a length that is negative"))?;
        self.take(n)
    }

    /// A string of Java's `writeUTF`: u16 byte length and modified UTF-8.
    pub fn java_utf(&mut self) -> Result<String> {
        const BAD: DecodeError = DecodeError::Invalid("a string that is not modified UTF-8");
        let bytes = self.short_bytes()?;
        let mut units = Vec::with_capacity(bytes.len());
        let mut at = bytes.iter().map(|&b| b as u16);
        while let Some(a) = at.next() {
            let mut continuation = || at.next().filter(|b| b & 0xc0 == 0x80).map(|b| b & 0x3f);
            units.push(match a {
                0x00..=0x7f => a,
                0xc0..=0xdf => (a & 0x1f) << 6 | continuation().ok_or(BAD)?,
                0xe0..=0xef => {
                    let b = continuation().ok_or(BAD)?;
                    (a & 0x0f) << 12 | b << 6 | continuation().ok_or(BAD)?
                }
                _ => return Err(BAD),
            });
        }
        String::from_utf16(&units).map_err(|_| BAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_stop_at_the_end() {
        let mut c = Cursor::new(&[0, 2, 7, 8, 9]);
        assert_eq!(c.short_bytes(), Ok(&[7u8, 8][..]));
        assert_eq!(c.u16(), Err(DecodeError::Eof));
        assert_eq!(c.u8(), Ok(9));
        assert_eq!(c.u8(), Err(DecodeError::Eof));
        assert!(Cursor::at(&[1], 5).is_empty());
    }

    #[test]
    fn java_strings_hold_nul_and_surrogate_pairs() {
        let bytes = [0, 9, b'a', 0xc0, 0x80, 0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80];
        assert_eq!(Cursor::new(&bytes).java_utf().unwrap(), "a\0\u{1f600}");
        assert!(Cursor::new(&[0, 1, 0xc0]).java_utf().is_err());
    }

    #[test]
    fn counts_are_bounded_by_the_bytes() {
        let c = Cursor::new(&[0; 10]);
        assert_eq!(c.bounded(5, 2), Ok(5));
        assert_eq!(c.bounded(6, 2), Err(DecodeError::Eof));
        assert_eq!(c.bounded(u64::MAX, 2), Err(DecodeError::Eof));
    }
}
