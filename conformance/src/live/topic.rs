//! Topics on real brokers, made and seen with frames written by hand.

use std::thread;
use std::time::{Duration, Instant};

use super::LiveError;
use super::error::While;
use super::registry::{self, Route};
use super::wire;

/// `RequestCode.UPDATE_AND_CREATE_TOPIC`.
const CREATE_TOPIC: i32 = 17;
/// `RequestCode.GET_BROKER_CONFIG`.
const CONFIG: i32 = 26;
/// The topic whose settings new topics copy (`TopicValidator.AUTO_CREATE_TOPIC_KEY_TOPIC`).
const TEMPLATE: &str = "TBW102";

/// How long a new topic may take to show in the route; brokers register it at once.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(100);

/// Creates or updates a topic with `queues` queues to read and write on each of the brokers, and
/// returns when each nameserver that answers hands out the route.
///
/// `namesrv` and `broker` are a `HOST:PORT`, or several with `;` between. Brokers are masters.
/// Waits at most 20 s for the route.
///
/// # Errors
///
/// [`LiveError::Io`] when a broker or every nameserver can't be reached, [`LiveError::Refused`]
/// when a broker says no or the route does not show the queues in time.
pub fn create_topic(
    namesrv: &str,
    broker: &str,
    topic: &str,
    queues: u32,
) -> Result<(), LiveError> {
    for broker in listed(broker) {
        create_on(broker, topic, queues)?;
    }
    let start = Instant::now();
    loop {
        let routes = routes(namesrv, topic)?;
        let shows = |route: &Option<Route>| {
            let route = route.as_ref();
            route.is_some_and(|route| listed(broker).all(|broker| route.has(broker, queues)))
        };
        if routes.iter().all(shows) {
            return Ok(());
        }
        if start.elapsed() >= PATIENCE {
            let what = format!("the route of topic {topic} never showed {queues} queues");
            let seen = routes.iter().map(|route| route.as_ref().map(Route::queues));
            let said = format!("the nameservers show {:?}", seen.collect::<Vec<_>>());
            return Err(LiveError::Refused { what, said });
        }
        thread::sleep(LOOK);
    }
}

fn create_on(broker: &str, topic: &str, queues: u32) -> Result<(), LiveError> {
    let count = queues.to_string();
    let fields = [
        ("topic", topic),
        ("defaultTopic", TEMPLATE),
        ("readQueueNums", &count),
        ("writeQueueNums", &count),
        ("perm", "6"),
        ("topicFilterType", "SINGLE_TAG"),
        ("topicSysFlag", "0"),
        ("order", "false"),
    ];
    let answer = wire::call(broker, CREATE_TOPIC, &fields)
        .during(|| format!("creating topic {topic} on {broker}"))?;
    if answer.code == 0 {
        return Ok(());
    }
    let what = format!("broker {broker} did not create topic {topic}");
    Err(LiveError::Refused { what, said: answer.said() })
}

/// How many queues can be written in a topic, over all its brokers, as its route says; `None` for
/// a topic that the nameserver does not know. Of several nameservers, with `;` between, the first
/// that can be reached is asked.
///
/// # Errors
///
/// [`LiveError::Io`] when no nameserver can be reached, [`LiveError::Refused`] when it answers
/// with an error of another kind.
pub fn route_queues(namesrv: &str, topic: &str) -> Result<Option<u32>, LiveError> {
    let mut routes = routes(namesrv, topic)?;
    Ok(routes.swap_remove(0).map(|route| route.queues()))
}

/// The version of RocketMQ that a broker or nameserver tells in its answers, such as `5.3.3`.
///
/// # Errors
///
/// [`LiveError::Io`] when it can't be reached.
pub fn version_at(address: &str) -> Result<String, LiveError> {
    let answer =
        wire::call(address, CONFIG, &[]).during(|| format!("asking {address} what it is"))?;
    Ok(answer.version.map_or_else(|| "unknown".to_owned(), version_of))
}

/// From 4.8.0 (373) on each version has two ordinals of `MQVersion.Version`, its snapshot's and its
/// own, and each minor version ten of them.
pub(crate) fn version_of(ordinal: i64) -> String {
    let number = 480 + (ordinal - 373) / 2;
    format!("{}.{}.{}", number / 100, number / 10 % 10, number % 10)
}

/// The ordinal of a version such as `5.3.3`.
pub(crate) fn ordinal_of(version: &str) -> Option<i32> {
    // The first one is what a broker of that version says, 479 of 5.3.3.
    (373..1000).find(|ordinal| version_of(i64::from(*ordinal)) == version)
}

fn listed(addresses: &str) -> impl Iterator<Item = &str> {
    addresses.split(';').map(str::trim).filter(|address| !address.is_empty())
}

/// What each nameserver says that can be reached; at least one.
fn routes(namesrvs: &str, topic: &str) -> Result<Vec<Option<Route>>, LiveError> {
    let mut found = Vec::new();
    let mut failed = LiveError::NoCluster {
        asked: "no nameserver was named".to_owned(),
        there: "write HOST:PORT".to_owned(),
    };
    for namesrv in listed(namesrvs) {
        match registry::route(namesrv, topic) {
            Err(error @ LiveError::Io { .. }) => failed = error,
            answer => found.push(answer?),
        }
    }
    if found.is_empty() { Err(failed) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_listed_with_semicolons() {
        let all: Vec<&str> = listed("a:1;b:2; c:3 ;").collect();
        assert_eq!(all, ["a:1", "b:2", "c:3"]);
    }

    #[test]
    fn versions_are_read_from_their_ordinals() {
        let known = [373, 401, 407, 413, 473, 479, 493, 513].map(version_of);
        let names = ["4.8.0", "4.9.4", "4.9.7", "5.0.0", "5.3.0", "5.3.3", "5.4.0", "5.5.0"];
        assert_eq!(known, names);
        assert_eq!(ordinal_of("5.3.3"), Some(479));
        assert_eq!(ordinal_of("5"), None);
    }

    #[test]
    fn nobody_to_ask_is_an_error() {
        assert!(route_queues("", "orders").is_err());
    }
}
