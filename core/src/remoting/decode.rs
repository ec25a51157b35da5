//! What arrived, decoded before any lock is taken; and route bodies that arrive again unchanged,
//! which are not parsed again.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use crate::body::{BodyError, LockedBody, Members, RouteBody};
use crate::config::Config;
use crate::frame::{Content, Frame, Kind, Opaque, ResponseCode};
use crate::message::RecordList;
use crate::name::Namespace;
use crate::remoting::PeerRequest;

/// Lists of members that one decoder keeps, and the bytes of the longest one that it does.
const LISTS: (usize, usize) = (4, 512 << 10);
/// Bytes of route bodies that one decoder keeps: enough for some thousand topics of one broker.
const KEPT: usize = 1 << 20;

/// A frame whose body has been read as well, so that nothing of it is left to do under a lock.
#[derive(Debug)]
pub struct InFrame {
    pub(crate) opaque: Opaque,
    pub(crate) content: Content,
    pub(crate) body: Body,
    pub(crate) size: usize,
    /// The peer's, as the frame tells it.
    pub(crate) version: i32,
}

/// A body, read as the kind of its answer tells.
#[derive(Debug)]
pub(crate) enum Body {
    /// Nothing here reads it; dropped after the lock, with the frame.
    None,
    /// The same `Arc` as long as the bytes stay the same.
    Route(Result<Arc<RouteBody>, BodyError>),
    /// With the list as it came, for rules that go by the ids themselves.
    Members(Result<Members, BodyError>, Bytes),
    Records(RecordList),
    Locks(Result<LockedBody, BodyError>),
    /// As it came, for whoever asked.
    Raw(Bytes),
    /// Of a request of the peer's: what it asks for.
    Request(PeerRequest),
}

impl Body {
    /// What a request of the peer's asks for; `None` for all that is none.
    pub(crate) fn into_request(self) -> Option<PeerRequest> {
        match self {
            Self::Request(asked) => Some(asked),
            Self::None
            | Self::Route(_)
            | Self::Members(..)
            | Self::Records(_)
            | Self::Locks(_)
            | Self::Raw(_) => None,
        }
    }
}

impl InFrame {
    /// Bytes the frame took on the wire, its length field included.
    pub const fn size(&self) -> usize {
        self.size
    }
}

/// Reads the frames of one connection.
///
/// A route is asked for every 30 s and seldom changes. The decoder keeps the bodies it has read, up
/// to 1 MiB of them, the least recently used being let go: the same bytes cost one look-up, and the
/// engine sees by the pointer that nothing has changed. So it does with the last few lists of a
/// group's members.
#[derive(Debug)]
pub struct Decoder {
    routes: HashMap<Arc<[u8]>, Kept>,
    /// The same keys by when they were last used.
    ages: BTreeMap<u64, Arc<[u8]>>,
    /// Bytes of the keys.
    bytes: usize,
    /// Counts the look-ups.
    turn: u64,
    parsed: u64,
    /// Bytes that a message's compressed body may open to.
    opened_max: u32,
    /// Where its topics and groups lie.
    namespace: Namespace,
    /// Whose place among a group's members is looked for.
    client_id: Arc<str>,
    /// The lists of members that were read last, the newest first.
    members: VecDeque<(Arc<[u8]>, Members)>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug)]
struct Kept {
    route: Arc<RouteBody>,
    used: u64,
}

impl Decoder {
    /// A decoder that has read nothing, with the defaults of the settings that it knows.
    pub fn new() -> Self {
        Self::of(&Config::default())
    }

    /// A decoder of this client's: a compressed body may open to [`Config::max_opened_body`], and
    /// to [`Config::max_body`] in any case.
    pub fn of(config: &Config) -> Self {
        let (opened_max, client_id) = (config.opened_max(), config.client_id());
        let (routes, ages) = (HashMap::new(), BTreeMap::new());
        let (members, namespace) = (VecDeque::new(), Namespace::of(config));
        Self {
            routes,
            ages,
            bytes: 0,
            turn: 0,
            parsed: 0,
            opened_max,
            namespace,
            client_id,
            members,
        }
    }

    /// Reads the body of a frame as the answer's kind tells, or the request's code: the opaque of a
    /// request is its peer's choice, and tells nothing.
    pub fn read(&mut self, frame: Frame) -> InFrame {
        let Frame { opaque, version, content, body, held, size } = frame;
        if let Content::Request { request, code, .. } = &content {
            let (read, opened_max) = ((body, held), self.opened_max);
            let asked = PeerRequest::read(request, *code, read, opened_max, &self.namespace);
            let body = Body::Request(asked);
            return InFrame { opaque, content, body, size, version };
        }
        let good = matches!(&content, Content::Reply(reply) if reply.code == ResponseCode::SUCCESS);
        let body = match opaque.kind() {
            Some(Kind::Route) if good => Body::Route(self.route(&body)),
            Some(Kind::ConsumerList) if good => Body::Members(self.members(&body), body),
            Some(Kind::Pull) if good => {
                Body::Records(RecordList::cut_within(body, held, self.opened_max))
            }
            Some(Kind::Locks) if good => Body::Locks(LockedBody::parse(&body)),
            Some(Kind::Fields) => Body::Raw(body),
            _ => Body::None,
        };
        InFrame { opaque, content, body, size, version }
    }

    /// Route bodies that had to be parsed, because their bytes were new.
    pub const fn parsed(&self) -> u64 {
        self.parsed
    }

    /// A group asks for its members every 20 s, and they seldom change.
    fn members(&mut self, json: &[u8]) -> Result<Members, BodyError> {
        if let Some((_, members)) = self.members.iter().find(|(kept, _)| **kept == *json) {
            return Ok(*members);
        }
        let members = Members::parse(json, &self.client_id)?;
        if json.len() <= LISTS.1 {
            self.members.truncate(LISTS.0 - 1);
            self.members.push_front((json.into(), members));
        }
        Ok(members)
    }

    fn route(&mut self, json: &[u8]) -> Result<Arc<RouteBody>, BodyError> {
        self.turn += 1;
        if let Some(kept) = self.routes.get_mut(json) {
            let key = self.ages.remove(&kept.used);
            kept.used = self.turn;
            self.ages.extend(key.map(|key| (self.turn, key)));
            return Ok(kept.route.clone());
        }
        self.parsed += 1;
        let route = Arc::new(RouteBody::parse(json)?);
        if json.len() <= KEPT {
            self.make_room(json.len());
            self.bytes += json.len();
            // A copy: a slice would keep the read buffer alive.
            let key: Arc<[u8]> = json.into();
            let kept = Kept { route: route.clone(), used: self.turn };
            self.ages.insert(self.turn, key.clone());
            self.routes.insert(key, kept);
        }
        Ok(route)
    }

    /// Lets go of what was not used for longest until `size` more bytes fit.
    fn make_room(&mut self, size: usize) {
        while self.bytes + size > KEPT {
            let Some((_, oldest)) = self.ages.pop_first() else { return };
            self.routes.remove(&oldest);
            self.bytes -= oldest.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::BrokerData;

    /// A route whose bytes `name` alone decides, padded to about `size` bytes.
    fn body(name: &str, size: usize) -> Vec<u8> {
        let broker = BrokerData {
            cluster: "c".into(),
            broker_name: format!("{name}-{}", "x".repeat(size)).into(),
            addresses: [(0, "h:10911".to_owned())].into(),
        };
        RouteBody { brokers: vec![broker], ..RouteBody::default() }.to_json()
    }

    #[test]
    fn the_same_bytes_give_the_same_route_without_being_parsed_again() {
        let mut decoder = Decoder::new();
        let (a, b) = (body("a", 10), body("b", 10));
        let first = decoder.route(&a).unwrap();
        let other = decoder.route(&b).unwrap();
        for _ in 0..10 {
            assert!(Arc::ptr_eq(&first, &decoder.route(&a.clone()).unwrap()));
            assert!(Arc::ptr_eq(&other, &decoder.route(&b).unwrap()));
        }
        assert_eq!(decoder.parsed(), 2);
        assert!(!Arc::ptr_eq(&first, &other) && *first == RouteBody::parse(&a).unwrap());
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_longest_unused_goes_first() {
        let mut decoder = Decoder::new();
        let often = body("often", 10);
        let kept = decoder.route(&often).unwrap();
        for i in 0..200 {
            decoder.route(&body(&i.to_string(), 20_000)).unwrap();
            assert!(Arc::ptr_eq(&kept, &decoder.route(&often).unwrap()), "{i}");
            let held: usize = decoder.ages.values().map(|json| json.len()).sum();
            assert!(held == decoder.bytes && held <= KEPT, "{held} {}", decoder.bytes);
        }
        assert_eq!(decoder.parsed(), 201);
        assert!(decoder.routes.len() < 60);
        decoder.route(&body("0", 20_000)).unwrap();
        assert_eq!(decoder.parsed(), 202);
    }

    #[test]
    fn what_is_too_large_or_no_route_is_not_kept() {
        let mut decoder = Decoder::new();
        let large = body("large", KEPT);
        let (one, two) = (decoder.route(&large).unwrap(), decoder.route(&large).unwrap());
        assert!(one == two && !Arc::ptr_eq(&one, &two));
        assert!(decoder.route(b"{").is_err() && decoder.route(b"{").is_err());
        assert_eq!((decoder.parsed(), decoder.routes.len()), (4, 0));
    }
}
