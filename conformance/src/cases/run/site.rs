//! What a run is against: the embedded broker, a cluster that is started for it, or one that is
//! there.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rocketry::proto::error::{PeerKind, QueryError};
use rocketry::proto::frame::Request;
use rocketry::proto::frame::request::PlainRequest;
use rocketry::proto::name::Endpoint;
use rocketry::proto::query::Target as Asked;
use rocketry::{Client, Config};

use crate::cases::case::{Case, Proof, Target};
use crate::cases::place::{Addresses, Place, Startable};
use crate::live::{self, Cluster, LiveError, Options};
use crate::rig::{Access, On};

/// What a run is to be against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Against {
    /// The embedded broker: one for each case.
    Embedded,
    /// The cluster of this nameserver.
    Namesrv(String),
    /// Apache RocketMQ of this version, started for the run.
    Apache(String),
}

impl FromStr for Against {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None if text == "embedded" => Ok(Self::Embedded),
            Some(("namesrv", address)) if address.contains(':') => {
                Ok(Self::Namesrv(address.to_owned()))
            }
            Some(("apache", version)) if numbers(version).is_some_and(|all| all.len() == 3) => {
                Ok(Self::Apache(version.to_owned()))
            }
            _ => Err("a target is embedded, namesrv=HOST:PORT or apache=VERSION".to_owned()),
        }
    }
}

impl fmt::Display for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded"),
            Self::Namesrv(address) => write!(f, "namesrv={address}"),
            Self::Apache(version) => write!(f, "apache={version}"),
        }
    }
}

/// The numbers of a version such as `5.3.3`.
fn numbers(version: &str) -> Option<Vec<u32>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}

/// Why there is nothing to run against.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// A cluster could not be started.
    #[error("{0}")]
    Start(#[from] LiveError),
    /// Settings that a client does not take.
    #[error("{0}")]
    Settings(String),
    /// The nameserver or its brokers do not answer.
    #[error("nothing to run against at {namesrv}: {error}")]
    Unreachable {
        /// The address that was given.
        namesrv: String,
        /// What asking came to.
        error: QueryError,
    },
    /// The nameserver knows no master.
    #[error("the nameserver {namesrv} knows no broker")]
    NoBroker {
        /// The address that was given.
        namesrv: String,
    },
}

/// What a run is against, reached and ready.
#[derive(Debug)]
pub struct Site {
    ground: Ground,
    stop: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Ground {
    Embedded,
    /// A cluster of the run, for all cases that do not hurt it.
    Started(Addresses, Mutex<Option<Cluster>>),
    /// A cluster of somebody's, and its broker's settings.
    Given(Addresses, BTreeMap<String, String>, Access),
}

/// The longest that a cluster of a run lives.
const LIFE: Duration = Duration::from_secs(3600);

impl Site {
    /// Reaches or starts it. `stop` ends that early. `access`: what a cluster that is there wants.
    pub fn open(
        against: &Against,
        access: &Access,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, SiteError> {
        let ground = match against {
            Against::Embedded => Ground::Embedded,
            Against::Namesrv(address) => given(address, access)?,
            Against::Apache(version) => {
                let mut options = Options::new(version.clone());
                (options.life, options.stop) = (LIFE, Some(stop.clone()));
                let cluster = Cluster::start_with(options)?;
                let (namesrv, broker) = (cluster.namesrv(), cluster.broker());
                let at = Addresses { namesrv, broker, version: version.clone() };
                Ground::Started(at, Mutex::new(Some(cluster)))
            }
        };
        Ok(Self { ground, stop })
    }

    /// Ends a cluster that was started for the run, whoever still looks at it.
    pub fn close(&self) {
        if let Ground::Started(_, cluster) = &self.ground {
            drop(cluster.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }

    /// The version of RocketMQ, where it is not the embedded broker.
    pub fn version(&self) -> Option<&str> {
        match &self.ground {
            Ground::Embedded => None,
            Ground::Started(at, _) | Ground::Given(at, ..) => Some(&at.version),
        }
    }

    /// Why a case is not run here, as its row says; `None` if it is.
    pub fn skips(&self, case: &Case) -> Option<String> {
        match &case.proof {
            Proof::NotBuilt => return Some("not built yet".to_owned()),
            // `explain` names them.
            Proof::Tests(_) => return Some("shown by tests of this repository".to_owned()),
            Proof::Run(_) => {}
        }
        let Some(version) = self.version() else {
            let lacks = !case.targets.contains(&Target::Embedded);
            return lacks.then(|| "only for live brokers".to_owned());
        };
        if !case.targets.contains(&Target::Live) {
            return Some("not for live brokers".to_owned());
        }
        outside(case, version).or_else(|| match &self.ground {
            Ground::Given(_, settings, access) => {
                closed(case, access).or_else(|| unsuited(case, settings))
            }
            Ground::Embedded | Ground::Started(..) => None,
        })
    }

    /// On which runtimes a case is run: each time on one, but on several at once where it needs a
    /// cluster of its own.
    pub fn rounds(&self, case: &Case, chosen: &[On], each: bool) -> Vec<Vec<On>> {
        use crate::cases::case::Runtimes;
        let started = matches!(self.ground, Ground::Started(..));
        match case.runtimes {
            _ if case.alone && started => vec![chosen.to_vec()],
            Runtimes::One if !each => {
                // Neighbours take turns, so that every runtime has its part of them.
                let number: usize = case.id.bytes().map(usize::from).sum();
                chosen.get(number % chosen.len().max(1)).map(|on| vec![*on]).into_iter().collect()
            }
            Runtimes::One | Runtimes::All => chosen.iter().map(|on| vec![*on]).collect(),
        }
    }

    /// A place for one round of a case.
    pub fn place(&self, case: &Case, runtimes: &[On]) -> Place {
        match &self.ground {
            Ground::Embedded => Place::embedded(case, runtimes),
            Ground::Started(at, _) => {
                Place::shared(case, runtimes, at, Startable::Yes, self.stop.clone())
            }
            Ground::Given(at, _, access) => {
                let place = Place::shared(case, runtimes, at, Startable::No, self.stop.clone());
                place.with_access(access.clone())
            }
        }
    }
}

/// The versions that a row excludes.
fn outside(case: &Case, version: &str) -> Option<String> {
    let here = numbers(version)?;
    let of = |bound: Option<&'static str>| bound.and_then(|text| Some((text, numbers(text)?)));
    if let Some((text, since)) = of(case.since)
        && here < since
    {
        return Some(format!("only from {text} on"));
    }
    let (text, until) = of(case.until)?;
    (here > until).then(|| format!("only up to {text}"))
}

/// What a case needs that somebody's cluster is not for.
fn unsuited(case: &Case, settings: &BTreeMap<String, String>) -> Option<String> {
    if case.alone {
        return Some("it hurts the cluster, and this one is not ours".to_owned());
    }
    let differs =
        |(name, value): &&(&str, &str)| settings.get(*name).is_none_or(|has| has != value);
    let (name, value) = case.settings.iter().find(differs)?;
    Some(format!("needs {name}={value} in the broker's properties"))
}

/// Cases that start clients of others, which are told no key and no authority.
const OTHERS: [&str; 9] = [
    "BCAST-05", "COMP-02", "COMP-03", "COMP-04", "LIFE-09", "LIVE-05", "REB-16", "RPC-07", "TXN-18",
];

/// Why a case is not for a cluster that wants keys or TLS.
fn closed(case: &Case, access: &Access) -> Option<String> {
    if access.is_open() {
        return None;
    }
    let accounts = || case.id.starts_with("ACL-") || case.id.starts_with("TLS-");
    let why = match () {
        () if OTHERS.contains(&case.id) => "it starts clients of others, which get no key here",
        () if accounts() => "it needs accounts or certificates of its own",
        () => return None,
    };
    Some(why.to_owned())
}

/// The version that a broker tells a client which it serves: by hand it would say nothing.
fn version_by(client: &Client, broker: &Endpoint) -> Result<String, QueryError> {
    let request = Request::BrokerRuntime(PlainRequest::default());
    let target = Asked::Peer(PeerKind::Broker, broker.clone());
    let answer = client.admin().call(target, request, Bytes::new()).wait()?.checked()?;
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let ordinal = body["table"]["brokerVersion"].as_str().and_then(|text| text.parse().ok());
    Ok(ordinal.map_or_else(|| "unknown".to_owned(), live::version_of))
}

fn given(namesrv: &str, access: &Access) -> Result<Ground, SiteError> {
    let settings = |error: &dyn fmt::Display| SiteError::Settings(error.to_string());
    let config = Config::new(namesrv).map_err(|error| settings(&error))?;
    let client =
        rocketry::blocking::connect(access.give(config)).map_err(|error| settings(&error))?;
    let unreachable = |error| SiteError::Unreachable { namesrv: namesrv.to_owned(), error };
    let info = client.admin().cluster().wait().map_err(unreachable)?;
    let mut masters = info.brokers.values().filter_map(|broker| broker.addresses.get(&0));
    let none = || SiteError::NoBroker { namesrv: namesrv.to_owned() };
    let broker = masters.next().ok_or_else(none)?.clone();
    let endpoint = Endpoint::parse(&broker).map_err(|_| none())?;
    let settings = client.admin().broker_config(&endpoint).wait().map_err(unreachable)?;
    let version = match access.is_open() {
        true => live::version_at(&broker)?,
        false => version_by(&client, &endpoint).map_err(unreachable)?,
    };
    client.shutdown().wait().expect("an end");
    let at = Addresses { namesrv: namesrv.to_owned(), broker, version };
    Ok(Ground::Given(at, settings, access.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<String> {
        text.parse::<Against>().ok().map(|against| against.to_string())
    }

    #[test]
    fn a_target_is_read_as_it_is_written() {
        for text in ["embedded", "namesrv=localhost:9876", "namesrv=a:1;b:2", "apache=5.3.3"] {
            assert_eq!(parse(text).as_deref(), Some(text));
        }
        for text in ["", "live", "namesrv=", "namesrv=localhost", "apache=", "apache=latest"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_case_is_skipped_where_its_row_says_so() {
        let case = crate::cases::all().find(|case| case.id == "NS-02").expect("a case");
        let bounded = Case { since: Some("4.9.4"), until: Some("5.3.3"), ..*case };
        assert_eq!(outside(&bounded, "4.9.4"), None);
        assert_eq!(outside(&bounded, "5.3.3"), None);
        assert_eq!(outside(&bounded, "4.8.0").as_deref(), Some("only from 4.9.4 on"));
        assert_eq!(outside(&bounded, "5.10.0").as_deref(), Some("only up to 5.3.3"));

        let set = |value: &str| BTreeMap::from([("autoCreateTopicEnable".into(), value.into())]);
        assert_eq!(unsuited(case, &set("false")), None);
        let needs = "needs autoCreateTopicEnable=false in the broker's properties";
        assert_eq!(unsuited(case, &set("true")).as_deref(), Some(needs));
        let hurts = Case { alone: true, ..*case };
        assert!(unsuited(&hurts, &set("false")).is_some());
    }

    #[test]
    fn one_runtime_is_enough_where_it_has_no_say_and_all_get_their_part() {
        let site = Site { ground: Ground::Embedded, stop: Arc::default() };
        let rounds = |case| site.rounds(case, &On::ALL, false);
        let mut taken = Vec::new();
        for case in crate::cases::all() {
            let own = rounds(case);
            match case.runtimes {
                crate::cases::Runtimes::All => assert_eq!(own.len(), 4, "{}", case.id),
                crate::cases::Runtimes::One => taken.extend(own.into_iter().flatten()),
            }
            assert_eq!(site.rounds(case, &On::ALL, true).len(), 4, "{}", case.id);
            assert_eq!(site.rounds(case, &[On::Smol], false), [[On::Smol]], "{}", case.id);
        }
        assert!(On::ALL.iter().all(|on| taken.contains(on)), "{taken:?}");
    }
}
