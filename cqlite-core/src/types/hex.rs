//! Bytes as hexadecimal digits. Authority: `o.a.c.utils.Hex`.

/// The bytes that the digits of `text`, of any case, stand for; `None` for an odd count or anything else in it.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| (b as char).to_digit(16).map(|d| d as u8);
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|&[hi, lo]| Some(digit(hi)? << 4 | digit(lo)?))
        .collect()
}

/// Appends the bytes as lower-case digits.
pub(crate) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(2 * bytes.len());
    for b in bytes {
        out.extend([DIGITS[(b >> 4) as usize], DIGITS[(b & 15) as usize]]);
    }
}
