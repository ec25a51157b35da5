//! Where an example's messages go: an embedded broker, or a cluster of the user's.

use std::time::Duration;
use std::{env, fmt, io};

use rocketry::{Pem, Topic};
use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::certificates;
use rocketry_conformance::serve::{Listen, ServeTls, Served, TlsMode};

/// The cluster of one run.
#[derive(Debug)]
pub(crate) enum Cluster {
    /// A nameserver and a broker of this process: in memory, gone with it.
    Embedded { namesrv: String, _served: Served },
    /// What `NAMESRV_ADDR` names.
    Given(String),
}

impl Cluster {
    /// The cluster at `NAMESRV_ADDR`; else an embedded one with `topic`.
    pub(crate) fn new(topic: &Topic) -> io::Result<Self> {
        match env::var("NAMESRV_ADDR") {
            Ok(namesrv) if !namesrv.trim().is_empty() => Ok(Self::Given(namesrv)),
            _ => {
                let config = ClusterConfig { property_filter: true, ..ClusterConfig::default() };
                // It asks about half messages sooner than brokers do, after 6 s, but not while a
                // slow disk has one wait: what two clients are asked about may come twice.
                let config = config.checks(Duration::from_secs(3), Duration::from_millis(500));
                let config = config.topic(topic.as_str(), 8);
                // For clients that want it.
                let server = certificates::server(certificates::SERVER, false);
                let server = server.map_err(io::Error::other)?;
                let tls = ServeTls { mode: TlsMode::Permissive, server };
                let served = Served::start_tls(config, &Listen::default(), tls)?;
                Ok(Self::Embedded { namesrv: served.namesrv(), _served: served })
            }
        }
    }

    /// The authority of its certificates: what `ROCKETRY_TLS_CA` names, or the embedded broker's.
    pub(crate) fn authority(&self) -> Pem {
        match (self, env::var("ROCKETRY_TLS_CA")) {
            (Self::Given(_), Ok(authority)) => authority.into(),
            _ => certificates::CA.into(),
        }
    }

    /// The nameservers' addresses.
    pub(crate) fn namesrv(&self) -> &str {
        match self {
            Self::Embedded { namesrv, .. } | Self::Given(namesrv) => namesrv,
        }
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded { namesrv, .. } => write!(f, "embedded broker at {namesrv}"),
            Self::Given(namesrv) => write!(f, "cluster at NAMESRV_ADDR={namesrv}"),
        }
    }
}
