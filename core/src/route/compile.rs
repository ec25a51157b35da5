//! A route's body as queues in their order (`MQClientInstance.topicRouteData2TopicPublishInfo`).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::body::{BrokerData, QueueData, RefusedRow, RouteBody};
use crate::error::Lack;
use crate::id::{BrokerId, RouteQueue};

/// Queues of a topic created that way (`DefaultMQProducer.defaultTopicQueueNums`).
const FALLBACK_QUEUES: u32 = 4;
/// Queues of one topic that are taken from a route; the rest is left out.
const QUEUES_MAX: usize = 1 << 16;

const READ: u32 = 4;
const WRITE: u32 = 2;

/// The queues of one topic.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Route {
    /// Queues that take messages, on brokers with a master, by broker name and number; or, of a
    /// topic with `orderTopicConf`, those that it names, in its order, whether or not their brokers
    /// have a master: hashes find the same queue while one is away.
    pub(crate) writable: Vec<RouteQueue>,
    /// Queues that give messages, by broker name and number: a list of its own, since shares of it
    /// are computed without the route.
    pub(crate) readable: Arc<[RouteQueue]>,
    /// The brokers of those that take messages, in the order of their ids.
    pub(crate) writers: Vec<BrokerId>,
    /// The brokers of either, in the order of their ids.
    pub(crate) brokers: Vec<BrokerId>,
    /// The brokers of those that give messages, in the order of their ids.
    pub(crate) readers: Vec<BrokerId>,
    /// The same in the order of their names, which all clients see alike.
    pub(crate) readers_by_name: Vec<BrokerId>,
    /// The topic does not exist yet: this is `TBW102`'s route.
    pub(crate) fallback: bool,
    /// Why nothing can be written to, where that is so.
    pub(crate) lack: Option<Lack>,
    /// Nothing can be read, although it is meant to be: no queue is named, or no address.
    pub(crate) unread: bool,
}

/// A broker that a route names.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Named<'a> {
    /// With its addresses.
    Told(&'a BrokerData),
    /// By its name alone.
    Only(&'a str),
}

/// What is known of a broker that a route names.
#[derive(Clone, Debug)]
pub(crate) struct Learnt {
    pub(crate) broker: BrokerId,
    /// The address of the broker's master is known.
    pub(crate) master: bool,
    /// Some address of it is known.
    pub(crate) reached: bool,
    /// An address of it that can't be read.
    pub(crate) unreadable: Option<Arc<str>>,
}

impl Route {
    /// Reads `body`; `learn` keeps what it says of a broker.
    pub(crate) fn compile(
        body: &RouteBody,
        fallback: bool,
        learn: &mut dyn FnMut(Named<'_>) -> Learnt,
    ) -> Self {
        let mut brokers = BTreeMap::new();
        for broker in &body.brokers {
            let name = broker.broker_name.clone();
            brokers.entry(name).or_insert_with(|| learn(Named::Told(broker)));
        }
        let (mut route, mut readable) = (Self { fallback, ..Self::default() }, Vec::new());
        let mut queues: Vec<&QueueData> = body.queues.iter().collect();
        queues.sort_by(|a, b| a.broker_name.cmp(&b.broker_name));
        queues.dedup_by(|a, b| a.broker_name == b.broker_name);
        let mut lack = match body.refused.first() {
            _ if !queues.is_empty() => Lack::Permission,
            Some(RefusedRow { broker_name, reason }) => {
                Lack::Row { broker: broker_name.clone(), reason: reason.clone() }
            }
            None => Lack::Queues,
        };
        route.unread = queues.is_empty();
        for data in queues {
            let writes = data.perm & WRITE != 0 && data.write_queues > 0;
            let reads = data.perm & READ != 0 && data.read_queues > 0 && !fallback;
            let known = brokers.get(&data.broker_name);
            match known.filter(|known| known.master) {
                Some(known) if writes => {
                    add(&mut route.writable, known.broker, data.write_queues, fallback);
                }
                Some(_) => {}
                // What is wrong with an address is worth more than that there is none.
                None if writes && !matches!(lack, Lack::Address { .. }) => {
                    lack = Lack::of(&data.broker_name, known);
                }
                None => {}
            }
            match known.filter(|known| known.reached) {
                Some(known) if reads => {
                    add(&mut readable, known.broker, data.read_queues, fallback);
                }
                Some(_) => {}
                None => route.unread |= reads,
            }
        }
        route.unread &= readable.is_empty();
        if let Some(order) = body.order_conf.as_deref().and_then(ordered).filter(|_| !fallback) {
            route.writable.clear();
            for (name, count) in order {
                let known = brokers.get(name).map(|known| known.broker);
                let broker = known.unwrap_or_else(|| learn(Named::Only(name)).broker);
                add(&mut route.writable, broker, count, false);
            }
        }
        route.lack = route.writable.is_empty().then_some(lack);
        route.readers_by_name = in_order(&readable);
        route.readers = brokers_of(&readable);
        route.readable = readable.into();
        route.writers = brokers_of(&route.writable);
        route.brokers = [route.writers.clone(), route.readers.clone()].concat();
        route.brokers.sort_unstable();
        route.brokers.dedup();
        route
    }

    /// What a send finds no queue for.
    pub(crate) fn lack(&self) -> Lack {
        self.lack.clone().unwrap_or(Lack::Queues)
    }
}

fn add(list: &mut Vec<RouteQueue>, broker: BrokerId, count: u32, fallback: bool) {
    let count = if fallback { count.min(FALLBACK_QUEUES) } else { count };
    let room = QUEUES_MAX.saturating_sub(list.len()) as u32;
    list.extend((0..count.min(room)).map(|queue| RouteQueue { broker, queue }));
}

/// Each broker of a list of queues, in which those of a broker stand together, as they stand.
fn in_order(queues: &[RouteQueue]) -> Vec<BrokerId> {
    queues.chunk_by(|a, b| a.broker == b.broker).map(|queues| queues[0].broker).collect()
}

/// The same once and in the order of their ids.
fn brokers_of(queues: &[RouteQueue]) -> Vec<BrokerId> {
    let mut brokers = in_order(queues);
    brokers.sort_unstable();
    brokers.dedup();
    brokers
}

impl Lack {
    /// What keeps a broker's queues from being written to, which may be.
    fn of(name: &Arc<str>, known: Option<&Learnt>) -> Self {
        let broker = name.clone();
        match known.and_then(|known| known.unreadable.clone()) {
            Some(address) => Self::Address { broker, address },
            None => Self::Master { broker },
        }
    }
}

/// Reads an `orderTopicConf`, as "broker-a:4;broker-b:2". `None` for one that is empty, and for one
/// that Java's client can't read: it then keeps the route before, we the order of names.
fn ordered(conf: &str) -> Option<Vec<(&str, u32)>> {
    // Java's `split` drops empty parts at the end, and takes what follows a second colon for
    // nothing.
    let parts = conf.trim_end_matches(';').split(';');
    parts
        .map(|part| {
            let mut fields = part.split(':');
            let (name, count) = (fields.next()?, fields.next()?);
            Some((name, u32::try_from(count.parse::<i32>().ok()?).unwrap_or(0)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(rows: &[(&str, u32, u32)], masters: &[&str], order: Option<&str>) -> Route {
        let row = |&(name, perm, count): &(&str, u32, u32)| QueueData {
            broker_name: name.into(),
            perm,
            read_queues: count,
            topic_sys_flag: 0,
            write_queues: count,
        };
        let broker = |name: &&str| BrokerData {
            cluster: "c".into(),
            broker_name: (*name).into(),
            addresses: [(0, format!("{name}:1"))].into(),
        };
        let body = RouteBody {
            queues: rows.iter().map(row).collect(),
            brokers: masters.iter().map(broker).collect(),
            order_conf: order.map(str::to_owned),
            ..RouteBody::default()
        };
        // "b-3" is broker 3.
        Route::compile(&body, false, &mut |named| {
            let (name, told) = match named {
                Named::Told(data) => (&*data.broker_name, true),
                Named::Only(name) => (name, false),
            };
            let number = name.rsplit('-').next().and_then(|number| number.parse().ok());
            let broker = BrokerId(number.unwrap_or(99));
            Learnt { broker, master: told, reached: told, unreadable: None }
        })
    }

    fn places(route: &Route) -> Vec<(u32, u32)> {
        route.writable.iter().map(|queue| (queue.broker.0, queue.queue)).collect()
    }

    const ROWS: [(&str, u32, u32); 2] = [("b-0", 6, 2), ("b-1", 6, 2)];

    #[test]
    fn ns_22_the_order_conf_gives_the_queues_and_their_order() {
        let ordered = compile(&ROWS, &["b-0", "b-1"], Some("b-1:2;b-0:1"));
        assert_eq!(places(&ordered), [(1, 0), (1, 1), (0, 0)]);
        assert_eq!(ordered.readable.len(), 4, "consumers read all there are");
        // A broker that is away keeps its places.
        let away = compile(&ROWS, &["b-0"], Some("b-1:2;b-0:1"));
        assert_eq!(places(&away), [(1, 0), (1, 1), (0, 0)]);
        // As Java reads it: what ends in ';' and what has more fields.
        let loose = compile(&ROWS, &["b-0", "b-1"], Some("b-1:1:7;b-0:2;;"));
        assert_eq!(places(&loose), [(1, 0), (0, 0), (0, 1)]);
    }

    #[test]
    fn ns_22_a_malformed_order_conf_does_no_harm() {
        let plain = [(0, 0), (0, 1), (1, 0), (1, 1)];
        for conf in ["", ";", "b-1", "b-1:", "b-1:x", "b-1:2;;b-0:1", "b-1:99999999999", ":"] {
            let route = compile(&ROWS, &["b-0", "b-1"], Some(conf));
            assert_eq!(places(&route), plain, "{conf:?}");
        }
        let huge = compile(&ROWS, &["b-0", "b-1"], Some("b-1:2147483647;b-0:2147483647"));
        assert_eq!(huge.writable.len(), QUEUES_MAX);
        assert!(compile(&ROWS, &["b-0"], Some("b-1:-1")).writable.is_empty());
    }

    #[test]
    fn what_a_route_lacks_is_named() {
        let lack = |rows: &[(&str, u32, u32)], masters: &[&str]| compile(rows, masters, None).lack;
        assert_eq!(lack(&ROWS, &["b-0", "b-1"]), None);
        assert_eq!(lack(&ROWS, &["b-1"]), None);
        assert_eq!(lack(&[], &["b-0"]), Some(Lack::Queues));
        assert_eq!(lack(&[("b-0", 4, 2)], &["b-0"]), Some(Lack::Permission));
        assert_eq!(lack(&[("b-0", 6, 0)], &["b-0"]), Some(Lack::Permission));
        assert_eq!(lack(&[("b-0", 6, 2)], &[]), Some(Lack::Master { broker: "b-0".into() }));
        assert!(compile(&[], &[], None).unread && compile(&ROWS, &[], None).unread);
        assert!(!compile(&[("b-0", 2, 2)], &["b-0"], None).unread, "nobody is to read it");
    }
}
