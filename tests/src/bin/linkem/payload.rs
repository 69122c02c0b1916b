//! Where headers end.

/// Where the data that TCP or UDP carries begins in an IP packet, or the packet's end if it
/// carries none (RFC 791, RFC 8200, RFC 9293, RFC 768).
pub(crate) fn payload_start(packet: &[u8]) -> usize {
    let byte = |i: usize| packet.get(i).copied().map_or(0, usize::from);
    let (transport, protocol) = match byte(0) >> 4 {
        4 => ((byte(0) & 15) * 4, byte(9)),
        6 => (40, byte(6)),
        _ => return packet.len(),
    };
    match protocol {
        6 => transport + (byte(transport + 12) >> 4) * 4,
        17 => transport + 8,
        _ => packet.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_spared() {
        let mut ipv4_udp = vec![0; 100];
        (ipv4_udp[0], ipv4_udp[9]) = (0x46, 17);
        assert_eq!(payload_start(&ipv4_udp), 24 + 8);
        let mut ipv6_tcp = vec![0; 100];
        (ipv6_tcp[0], ipv6_tcp[6], ipv6_tcp[52]) = (0x60, 6, 0x80);
        assert_eq!(payload_start(&ipv6_tcp), 40 + 32);
        let mut icmp = vec![0; 100];
        (icmp[0], icmp[9]) = (0x45, 1);
        assert_eq!(payload_start(&icmp), 100);
        assert_eq!(payload_start(&[]), 0);
    }
}
