//! What operators ask of a cluster: routes, topics, offsets, and any request to any peer.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::offsets;
use super::pending::{Pending, ask};
use super::question::Question;
use super::shared::Owner;
use crate::body::{BodyError, ClusterInfo, RouteBody, TopicConfig, TopicList};
use crate::error::{Failure, PeerKind, QueryError, Refused};
use crate::frame::request::{
    CreateTopicRequest, DeleteTopicInNameServerRequest, DeleteTopicRequest, PlainRequest,
    PullRequest, RouteRequest,
};
use crate::frame::{ReplyFields, Request, ResponseCode};
use crate::message::RecordList;
use crate::name::{Endpoint, Namespace, Topic};
use crate::query::{Call, QueueName, Response, Target};
use crate::time::UnixMillis;

/// The sys flag of a plain pull: with a subscription, without waiting or committing.
const PLAIN_PULL: i32 = 4;

/// Questions and orders of operators. Cheap to clone.
///
/// Each call sends the requests it names and resolves within `request_timeout` for each of them.
/// Dropping the [`Pending`] lets a request go on unseen; of several, those that have not begun are
/// not sent.
#[derive(Clone, Debug)]
#[doc(alias = "DefaultMQAdminExt", alias = "MQAdminExt", alias = "mqadmin")]
pub struct Admin {
    owner: Arc<Owner>,
}

/// What a plain pull found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Pulled {
    /// The messages; empty when there are none at that offset.
    pub records: RecordList,
    /// The offset to go on with.
    pub next_offset: i64,
    /// The queue's first offset.
    pub min_offset: i64,
    /// The offset after the queue's last message.
    pub max_offset: i64,
    /// `SUCCESS`, `PULL_NOT_FOUND` at the end of the queue, `PULL_RETRY_IMMEDIATELY` when none of
    /// the messages looked at matched, or `PULL_OFFSET_MOVED` where the offset is not there.
    pub code: ResponseCode,
}

type Answered<T> = Pending<Result<T, QueryError>>;

impl Admin {
    pub(super) const fn new(owner: Arc<Owner>) -> Self {
        Self { owner }
    }

    /// Any request to a nameserver or broker of your choice, and its answer, whatever its code.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Admin;
    /// # use rocketry_core::frame::Request;
    /// # use rocketry_core::frame::request::PlainRequest;
    /// # use rocketry_core::query::Target;
    /// # use bytes::Bytes;
    /// # fn f(admin: &Admin) -> Result<(), Box<dyn std::error::Error>> {
    /// let request = Request::TopicList(PlainRequest::default());
    /// let answer = admin.call(Target::NameServer, request, Bytes::new()).wait()?;
    /// println!("{:?}, {} bytes", answer.code, answer.body.len());
    /// # Ok(())
    /// # }
    /// ```
    pub fn call(&self, target: Target, request: Request, body: Bytes) -> Answered<Response> {
        let question = Question::call(Call { target, request, body });
        ask(self.owner.shared(), question)
    }

    /// The topic in the client's namespace.
    fn named(&self, topic: &Topic) -> Result<Topic, QueryError> {
        let named = Namespace::of(self.owner.shared().config()).checked_topic(topic.clone());
        named.map_err(|error| Refused::Name(error.into()).into())
    }

    /// A request that must succeed.
    fn ask<T: Send + 'static>(
        &self,
        target: Target,
        request: Request,
        read: impl FnOnce(Response) -> Result<T, QueryError> + Send + 'static,
    ) -> Answered<T> {
        let answer = self.call(target, request, Bytes::new());
        answer.and_then(self.owner.shared(), move |answer| {
            Pending::ready(answer.checked().and_then(read))
        })
    }

    /// The route of a topic, as a nameserver tells it (`GET_ROUTEINFO_BY_TOPIC`, 105).
    ///
    /// ```no_run
    /// # use rocketry_core::client::Admin;
    /// # use rocketry_core::name::Topic;
    /// # fn f(admin: &Admin) -> Result<(), Box<dyn std::error::Error>> {
    /// for broker in admin.route(&Topic::new("orders")?).wait()?.brokers {
    ///     println!("{}: {:?}", broker.broker_name, broker.addresses);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn route(&self, topic: &Topic) -> Answered<RouteBody> {
        let topic = match self.named(topic) {
            Ok(topic) => topic,
            Err(error) => return Pending::ready(Err(error)),
        };
        let request = RouteRequest { topic: topic.wire().clone(), ..Default::default() };
        self.ask(Target::NameServer, Request::Route(request), |r| read(&r, RouteBody::parse))
    }

    /// The clusters and the brokers in them (`GET_BROKER_CLUSTER_INFO`, 106).
    ///
    /// ```no_run
    /// # use rocketry_core::client::Admin;
    /// # fn f(admin: &Admin) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("{:?}", admin.cluster().wait()?.clusters);
    /// # Ok(())
    /// # }
    /// ```
    pub fn cluster(&self) -> Answered<ClusterInfo> {
        let request = Request::ClusterInfo(PlainRequest::default());
        self.ask(Target::NameServer, request, |r| read(&r, ClusterInfo::parse))
    }

    /// The settings of one broker, by Java's names (`GET_BROKER_CONFIG`, 26), such as
    /// `brokerRole`. There is nothing here that changes them: whoever may write them runs commands
    /// on the broker's machine (CVE-2023-33246).
    ///
    /// ```no_run
    /// # use rocketry_core::client::Admin;
    /// # use rocketry_core::name::Endpoint;
    /// # fn f(admin: &Admin) -> Result<(), Box<dyn std::error::Error>> {
    /// let config = admin.broker_config(&Endpoint::parse("10.0.0.7:10911")?).wait()?;
    /// println!("{:?}", config.get("brokerRole"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn broker_config(&self, broker: &Endpoint) -> Answered<BTreeMap<String, String>> {
        let target = Target::Peer(PeerKind::Broker, broker.clone());
        let request = Request::BrokerConfig(PlainRequest::default());
        self.ask(target, request, |response| {
            settings(&response.body).map_err(|problem| response.failed(Failure::Body(problem)))
        })
    }

    /// Every topic, those of the system too (`GET_ALL_TOPIC_LIST_FROM_NAMESERVER`, 206).
    ///
    /// ```no_run
    /// # use rocketry_core::client::Admin;
    /// # fn f(admin: &Admin) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("{:?}", admin.topics().wait()?.topics);
    /// # Ok(())
    /// # }
    /// ```
    pub fn topics(&self) -> Answered<TopicList> {
        let request = Request::TopicList(PlainRequest::default());
        self.ask(Target::NameServer, request, |r| read(&r, TopicList::parse))
    }

    /// Creates a topic, or changes it, on every master of a cluster (`UPDATE_AND_CREATE_TOPIC`,
    /// 17), one after the other; the first failure ends it. Nameservers hear of it from the brokers
    /// at once.
    ///
    /// ```no_run
    /// # use rocketry_core::client::Admin;
    /// # use rocketry_core::body::TopicConfig;
    /// # fn f(admin: &Admin) -> Result<(), Box<dyn std::error::Error>> {
    /// admin.create_topic("DefaultCluster", &TopicConfig::new("orders", 8)).wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn create_topic(&self, cluster: &str, topic: &TopicConfig) -> Answered<()> {
        // A name that is none is the broker's to refuse.
        let name = match Topic::new(&topic.topic_name).map(|name| self.named(&name)) {
            Ok(Ok(name)) => name.wire().clone(),
            Ok(Err(error)) => return Pending::ready(Err(error)),
            Err(_) => topic.topic_name.as_str().into(),
        };
        let request = Request::CreateTopic(CreateTopicRequest {
            topic: name,
            default_topic: "TBW102".into(),
            read_queues: topic.read_queues,
            write_queues: topic.write_queues,
            perm: topic.perm,
            filter_type: topic.filter_type.as_str().into(),
            topic_sys_flag: Some(topic.topic_sys_flag),
            order: topic.order,
            attributes: attributes(topic),
            ..Default::default()
        });
        let (own, cluster) = (self.clone(), cluster.to_owned());
        let each = move |info| own.each(masters(&info, &cluster), request);
        self.cluster().and_then(self.owner.shared(), each)
    }

    /// Deletes a topic and its messages on every master of a cluster (`DELETE_TOPIC_IN_BROKER`,
    /// 215), then at every nameserver (`DELETE_TOPIC_IN_NAMESRV`, 216).
    ///
    /// ```no_run
    /// # use rocketry_core::client::Admin;
    /// # use rocketry_core::name::Topic;
    /// # fn f(admin: &Admin) -> Result<(), Box<dyn std::error::Error>> {
    /// admin.delete_topic("DefaultCluster", &Topic::new("orders")?).wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn delete_topic(&self, cluster: &str, topic: &Topic) -> Answered<()> {
        let name = match self.named(topic) {
            Ok(topic) => topic.wire().clone(),
            Err(error) => return Pending::ready(Err(error)),
        };
        let on_brokers =
            Request::DeleteTopic(DeleteTopicRequest { topic: name.clone(), ..Default::default() });
        let on_servers = Request::DeleteTopicInNameServer(DeleteTopicInNameServerRequest {
            topic: name,
            ..Default::default()
        });
        let (own, cluster) = (self.clone(), cluster.to_owned());
        self.cluster().and_then(self.owner.shared(), move |info| {
            let shared = own.owner.shared().clone();
            let servers = shared.config().name_servers.iter().cloned();
            let servers = servers.map(|server| Target::Peer(PeerKind::NameServer, server));
            let servers = servers.collect();
            let deleted = own.each(masters(&info, &cluster), on_brokers);
            deleted.and_then(&shared, move |()| own.each(servers, on_servers))
        })
    }

    /// The same request to each of them, one after the other, until one fails.
    fn each(&self, mut targets: VecDeque<Target>, request: Request) -> Answered<()> {
        let Some(target) = targets.pop_front() else { return Pending::ready(Ok(())) };
        let own = self.clone();
        let done = self.ask(target, request.clone(), |_| Ok(()));
        done.and_then(self.owner.shared(), move |()| own.each(targets, request))
    }

    /// The offset of a queue's first message stored at that time or later by the broker's clock: a
    /// `SystemTime`, or milliseconds since 1970 (`SEARCH_OFFSET_BY_TIMESTAMP`, 29).
    ///
    /// ```no_run
    /// # use rocketry_core::client::Admin;
    /// # use rocketry_core::query::QueueName;
    /// # fn f(admin: &Admin, queue: &QueueName) -> Result<(), Box<dyn std::error::Error>> {
    /// let offset = admin.search_offset(queue, 1_750_000_000_000).wait()?;
    /// for message in admin.pull(queue, offset, 10).wait()?.records.items() {
    ///     println!("{message:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "searchOffset")]
    pub fn search_offset(&self, queue: &QueueName, time: impl Into<UnixMillis>) -> Answered<i64> {
        offsets::search(self.owner.shared(), queue, time.into())
    }

    /// At most `count` messages of a queue from `offset` on, as they lie there: no group, no
    /// waiting, nothing committed (`PULL_MESSAGE`, 11). For tools and tests.
    ///
    /// See the example of [`search_offset`](Self::search_offset).
    pub fn pull(&self, queue: &QueueName, offset: i64, count: u32) -> Answered<Pulled> {
        let queue = &Namespace::of(self.owner.shared().config()).queue(queue);
        let request = Request::Pull(PullRequest {
            consumer_group: "TOOLS_CONSUMER".into(),
            topic: queue.topic.wire().clone(),
            queue_id: queue.queue as i32,
            queue_offset: offset,
            max_messages: count.min(1 << 20) as i32,
            sys_flag: PLAIN_PULL,
            subscription: Some("*".into()),
            expression_type: Some("TAG".into()),
            broker: Some(queue.broker.clone()),
            ..Default::default()
        });
        let answer = self.call(Target::Queue(queue.clone()), request, Bytes::new());
        answer.and_then(self.owner.shared(), |answer| Pending::ready(pulled(answer)))
    }
}

fn pulled(response: Response) -> Result<Pulled, QueryError> {
    match &response.fields {
        Ok(ReplyFields::Pull(fields)) => Ok(Pulled {
            next_offset: fields.next_begin_offset,
            min_offset: fields.min_offset,
            max_offset: fields.max_offset,
            code: response.code,
            records: response.records,
        }),
        Err(error) => Err(response.failed(Failure::Unreadable(error.clone()))),
        Ok(_) => Err(match response.checked() {
            Ok(response) => response.failed(Failure::Body("no offsets".into())),
            Err(error) => error,
        }),
    }
}

/// Lines of `name=value` (`MixAll.properties2String`).
fn settings(text: &[u8]) -> Result<BTreeMap<String, String>, Arc<str>> {
    let text = std::str::from_utf8(text).map_err(|_| Arc::from("the settings are not UTF-8"))?;
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    Ok(pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect())
}

fn read<T>(
    response: &Response,
    parse: impl FnOnce(&[u8]) -> Result<T, BodyError>,
) -> Result<T, QueryError> {
    parse(&response.body).map_err(|error| response.failed(Failure::Body(error.to_string().into())))
}

/// As brokers from 5.0 on read them: each to be set.
fn attributes(topic: &TopicConfig) -> Option<Arc<str>> {
    let set = |(name, value): (&String, &String)| {
        format!("+{}={value}", name.strip_prefix('+').unwrap_or(name))
    };
    let all: Vec<_> = topic.attributes.iter().map(set).collect();
    (!all.is_empty()).then(|| all.join(",").into())
}

fn masters(info: &ClusterInfo, cluster: &str) -> VecDeque<Target> {
    let names = info.clusters.get(cluster).into_iter().flatten();
    let brokers = names.filter_map(|name| info.brokers.get(name));
    let masters = brokers.filter_map(|broker| Endpoint::parse(broker.addresses.get(&0)?).ok());
    masters.map(|master| Target::Peer(PeerKind::Broker, master)).collect()
}
