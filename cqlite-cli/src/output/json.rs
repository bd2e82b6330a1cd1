//! Strings of JSON.
//!
//! Authority: Jackson's `CharTypes`: only quotes, backslashes and what is below U+0020 are escaped.

/// Appends a string with its quotes.
pub fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    push_escaped(out, text);
    out.push(b'"');
}

/// Appends a string without quotes.
pub fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let start = out.len();
    out.extend_from_slice(text.as_bytes());
    escape_from(out, start);
}

/// Escapes what stands from `start` on.
#[inline]
pub fn escape_from(out: &mut Vec<u8>, start: usize) {
    // Without a branch for each byte, so that many are looked at at once.
    let any = |any, &b: &u8| any | must_escape(b);
    if out[start..].iter().fold(false, any) {
        let text = out.split_off(start);
        push_slowly(out, &text);
    }
}

#[inline(always)]
fn must_escape(b: u8) -> bool {
    b < 0x20 || b == b'"' || b == b'\\'
}

#[cold]
fn push_slowly(out: &mut Vec<u8>, text: &[u8]) {
    for &b in text {
        match b {
            b'"' => out.extend_from_slice(br#"\""#),
            b'\\' => out.extend_from_slice(br"\\"),
            0x08 => out.extend_from_slice(br"\b"),
            b'\t' => out.extend_from_slice(br"\t"),
            b'\n' => out.extend_from_slice(br"\n"),
            0x0c => out.extend_from_slice(br"\f"),
            b'\r' => out.extend_from_slice(br"\r"),
            0..0x20 => {
                let digits = b"0123456789ABCDEF";
                out.extend_from_slice(br"\u00");
                out.extend([digits[(b >> 4) as usize], digits[(b & 15) as usize]]);
            }
            _ => out.push(b),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_must_be_is_escaped() {
        let mut out = Vec::new();
        push_string(&mut out, "a\"\\\u{8}\t\n\u{c}\r\u{1f}\u{7f}/é");
        let expected = "\"a\\\"\\\\\\b\\t\\n\\f\\r\\u001F\u{7f}/é\"";
        assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
    }
}
