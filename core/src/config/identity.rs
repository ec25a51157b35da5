//! Who a client is: what only its process can know.

use std::fmt;
use std::net::Ipv4Addr;

/// Who this process is: the parts of a client id and of unique message ids that only the embedder
/// can know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The host's IPv4 address as brokers may show it to operators.
    pub address: [u8; 4],
    /// The process id.
    pub process: u32,
    /// Random bits that no other client of this process or container has: containers share
    /// addresses and process ids (apache/rocketmq #667, #2760).
    pub salt: u64,
}

impl Default for Identity {
    fn default() -> Self {
        Self { address: [127, 0, 0, 1], process: 0, salt: 0 }
    }
}

impl Identity {
    /// Reads `address` or `address@process#salt`; what is left out is as in the default.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, rest) = text.split_once('@').map_or((text, None), |(a, r)| (a, Some(r)));
        let mut identity =
            Self { address: address.parse::<Ipv4Addr>().ok()?.octets(), ..Self::default() };
        if let Some((process, salt)) = rest.map(|rest| rest.split_once('#').unwrap_or((rest, "0")))
        {
            identity.process = process.parse().ok()?;
            identity.salt = u64::from_str_radix(salt, 16).ok()?;
        }
        Some(identity)
    }

    /// What tells this client from the others of its host: `process#salt`.
    pub(super) fn instance(&self) -> String {
        format!("{}#{:016x}", self.process, self.salt)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", Ipv4Addr::from(self.address), self.instance())
    }
}
