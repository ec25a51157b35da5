//! Free loopback ports for the members of a cluster.

use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use super::LiveError;

/// Ports that are tried lie below the ranges from which systems give ports to clients (32768 and
/// up on Linux, 49152 and up elsewhere), so that no connection takes one between look and use.
const LOW: u32 = 20_000;
const SPAN: u32 = 12_000;
const TRIES: u32 = 400;

/// The first of `count` ports in a row that nobody listens on now.
pub(super) fn free(count: u16) -> Result<u16, LiveError> {
    let nanos =
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    let start = (nanos / 1_000) ^ process::id().wrapping_mul(2_654_435_761);
    for step in 0..TRIES {
        let base = LOW + start.wrapping_add(step.wrapping_mul(u32::from(count))) % SPAN;
        let Ok(base) = u16::try_from(base) else { continue };
        if (base..base + count).all(is_free) {
            return Ok(base);
        }
    }
    Err(LiveError::NoPorts)
}

/// Bound on all addresses, as Java does: a listener of another address would be in its way too.
fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_not_free() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        assert!(!is_free(taken.local_addr().expect("an address").port()));
    }

    #[test]
    fn ports_in_a_row_lie_below_those_of_clients() {
        let base = free(26).expect("free ports");
        assert!((20_000..32_768 - 26).contains(&base));
    }
}
