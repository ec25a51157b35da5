//! Topics on a real broker, made and seen with frames written by hand.

use std::thread;
use std::time::{Duration, Instant};

use super::LiveError;
use super::error::While;
use super::wire::{self, Answer};

/// `RequestCode.UPDATE_AND_CREATE_TOPIC`.
const CREATE_TOPIC: i32 = 17;
/// `RequestCode.GET_ROUTEINFO_BY_TOPIC`.
const ROUTE: i32 = 105;
/// `ResponseCode.TOPIC_NOT_EXIST`.
const TOPIC_NOT_EXIST: i64 = 17;
/// The topic whose settings new topics copy (`TopicValidator.AUTO_CREATE_TOPIC_KEY_TOPIC`).
const TEMPLATE: &str = "TBW102";

/// How long a new topic may take to show in the route; brokers register it at once.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(100);

/// Creates or updates a topic with `queues` queues to read and write on the broker at `broker`,
/// and returns when the nameserver at `namesrv` hands out the route.
///
/// Both addresses are `HOST:PORT`. Waits at most 20 s.
///
/// # Errors
///
/// [`LiveError::Io`] when a peer can't be reached, [`LiveError::Refused`] when the broker says no
/// or the route does not show the queues in time.
pub fn create_topic(
    namesrv: &str,
    broker: &str,
    topic: &str,
    queues: u32,
) -> Result<(), LiveError> {
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
    if answer.code != 0 {
        let what = format!("broker {broker} did not create topic {topic}");
        return Err(LiveError::Refused { what, said: said(&answer) });
    }
    let start = Instant::now();
    loop {
        let seen = route_queues(namesrv, topic)?;
        if seen == Some(queues) {
            return Ok(());
        }
        if start.elapsed() >= PATIENCE {
            let what = format!("the route of topic {topic} never showed {queues} queues");
            return Err(LiveError::Refused { what, said: format!("it shows {seen:?}") });
        }
        thread::sleep(LOOK);
    }
}

/// How many queues can be written in a topic, over all its brokers, as its route says; `None` for
/// a topic that the nameserver does not know.
///
/// # Errors
///
/// [`LiveError::Io`] when the nameserver can't be reached, [`LiveError::Refused`] when it answers
/// with an error of another kind.
pub fn route_queues(namesrv: &str, topic: &str) -> Result<Option<u32>, LiveError> {
    let answer = wire::call(namesrv, ROUTE, &[("topic", topic)])
        .during(|| format!("asking {namesrv} for the route of {topic}"))?;
    match answer.code {
        0 => Ok(Some(write_queues(&String::from_utf8_lossy(&answer.body)))),
        TOPIC_NOT_EXIST => Ok(None),
        _ => Err(LiveError::Refused {
            what: format!("nameserver {namesrv} gave no route of topic {topic}"),
            said: said(&answer),
        }),
    }
}

/// Old nameservers write keys that are not JSON, so this looks for the one name it needs.
fn write_queues(route: &str) -> u32 {
    let mut sum: u32 = 0;
    for rest in route.split("\"writeQueueNums\":").skip(1) {
        let digits = rest.trim_start().split(|c: char| !c.is_ascii_digit()).next();
        let count = digits.and_then(|digits| digits.parse().ok()).unwrap_or(0);
        sum = sum.saturating_add(count);
    }
    sum
}

fn said(answer: &Answer) -> String {
    format!("code {} {}", answer.code, answer.remark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_summed_over_brokers() {
        let route = r#"{"brokerDatas":[{"brokerAddrs":{0:"127.0.0.1:1"}}],"queueDatas":[
            {"brokerName":"a","perm":6,"readQueueNums":4,"writeQueueNums":4},
            {"brokerName":"b","writeQueueNums": 8,"readQueueNums":2}]}"#;
        assert_eq!(write_queues(route), 12);
        assert_eq!(write_queues("{}"), 0);
    }
}
