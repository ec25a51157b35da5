//! Free loopback ports for a nameserver and a broker.

use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use super::LiveError;

/// Ports that are tried lie below the ranges from which systems give ports to clients (32768 and
/// up on Linux, 49152 and up elsewhere), so that no connection takes one between look and use.
const LOW: u32 = 20_000;
const SPAN: u32 = 12_000;
const TRIES: u32 = 400;

/// The ports of one cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) namesrv: u16,
    pub(super) broker: u16,
}

/// Ports nobody listens on now. A broker takes three: its own, two below it for the fast lane
/// (`BrokerController.initialize`), and one above it for its replicas (`haListenPort`).
pub(super) fn free() -> Result<Ports, LiveError> {
    let nanos =
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    let start = (nanos / 1_000) ^ process::id().wrapping_mul(2_654_435_761);
    for step in 0..TRIES {
        let Ok(base) = u16::try_from(LOW + start.wrapping_add(step * 4) % SPAN) else { continue };
        if (base..base + 4).all(is_free) {
            return Ok(Ports { namesrv: base + 1, broker: base + 2 });
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
    fn the_ports_of_a_cluster_do_not_touch() {
        let ports = free().expect("free ports");
        let taken = [ports.broker - 2, ports.broker, ports.broker + 1];
        assert!(!taken.contains(&ports.namesrv));
        assert!(ports.broker < 32_768);
    }
}
