//! Text of internet addresses as Java prints them, and back.
//!
//! Authority: `java.net.InetAddress`, `o.a.c.serializers.InetAddressSerializer`.

use super::decimal::write_i64;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The first 12 bytes of an IPv4 address in the form of an IPv6 one, which Java takes for the IPv4 address.
const MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/// Appends the address. `false`, and nothing is appended, unless it has 4 or 16 bytes.
pub(super) fn write(address: &[u8], out: &mut Vec<u8>) -> bool {
    match address.strip_prefix(&MAPPED).unwrap_or(address) {
        four if four.len() == 4 => {
            for (i, b) in four.iter().enumerate() {
                if i > 0 {
                    out.push(b'.');
                }
                write_i64(*b as i64, out);
            }
        }
        // All eight groups, without leading zeros.
        sixteen if sixteen.len() == 16 => {
            for (i, b) in sixteen.chunks_exact(2).enumerate() {
                if i > 0 {
                    out.push(b':');
                }
                let group = (b[0] as u16) << 8 | b[1] as u16;
                out.extend_from_slice(format!("{group:x}").as_bytes());
            }
        }
        _ => return false,
    }
    true
}

/// The bytes of an address in digits; host names are not looked up.
pub(super) fn parse(text: &str) -> Option<Vec<u8>> {
    let bracketed = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    if let Some(four) = bracketed.is_none().then(|| parse_four(text)).flatten() {
        return Some(four.octets().to_vec());
    }
    let address: Ipv6Addr = bracketed.unwrap_or(text).parse().ok()?;
    Some(match address.to_ipv4_mapped() {
        Some(four) => four.octets().to_vec(),
        None => address.octets().to_vec(),
    })
}

/// One to four decimal numbers, of which the last one fills the bytes that are left.
fn parse_four(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<&str> = text.split('.').collect();
    let (last, first) = parts.split_last()?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<u64>().ok()).flatten()
    };
    if first.len() > 3 {
        return None;
    }
    let mut address = 0;
    for part in first {
        address = address << 8 | number(part).filter(|n| *n < 256)?;
    }
    let bits = 8 * (4 - first.len());
    let last = number(last).filter(|n| *n < 1 << bits)?;
    Some(Ipv4Addr::from((address << bits | last) as u32))
}
