//! Expressions in SQL that nobody would write, beside the embedded broker's reading of them: what a
//! broker can't read (46), and which of some messages it brings for the others.

use std::collections::BTreeSet;

use bytes::Bytes;
use rocketry::proto::body::{CheckClientBody, SubscriptionData};
use rocketry::proto::frame::request::{PlainRequest, PullRequest};
use rocketry::proto::frame::{Request, ResponseCode};
use rocketry::proto::message::properties::Properties;
use rocketry::proto::query::Target;
use rocketry::proto::rng::Rng;
use rocketry::{Message, QueueName, SendOptions};

use crate::broker::sql::Sql;
use crate::cases::common::{await_stored, named};
use crate::cases::place::{Place, note};
use crate::cases::reading::{ask, queues};
use crate::rig::Rig;

/// The subscription is in the pull.
const SUBSCRIPTION: i32 = 4;
/// Messages of one queue, as many as one pull brings.
const MESSAGES: usize = 32;
const QUEUES: u32 = 4;
const FEW: usize = 300;
const MANY: usize = 10_000;

const NAMES: [&str; 5] = ["a", "b", "c", "_d$1", "gone"];
const VALUES: [&str; 32] = [
    "0",
    "1",
    "-1",
    "5",
    "+5",
    "05",
    "5.0",
    "5.5",
    "-0.0",
    ".5",
    "5.",
    "1e3",
    "1E-3",
    "2147483647",
    "2147483648",
    "9223372036854775807",
    "9223372036854775808",
    "1.7976931348623157E308",
    "NaN",
    "Infinity",
    "-Infinity",
    "5d",
    "5f",
    "5L",
    " 5",
    "true",
    "TRUE",
    "false",
    "abc",
    "ab'c",
    "x||y",
    "ä字",
];
const NUMBERS: [&str; 20] = [
    "0",
    "1",
    "5",
    "-5",
    "- 5",
    "+5",
    "05",
    "5L",
    "5l",
    "5.0",
    "5.",
    ".5",
    "0.0",
    "5e0",
    "1E3",
    "2147483648",
    "-2147483648",
    "9223372036854775807",
    "9223372036854775808",
    "1e999",
];
const TEXTS: [&str; 9] =
    ["'5'", "''", "'abc'", "'ab''c'", "'b'", "'x||y'", "'true'", "'ä字'", "'a'"];

/// Draws expressions: most can be read, and some of those compare what can't be compared.
struct Drawer {
    rng: Rng,
    searches: bool,
}

impl Drawer {
    fn one(&mut self, of: &[&'static str]) -> &'static str {
        of[self.rng.below(of.len() as u64) as usize]
    }

    fn whole(&mut self) -> String {
        let depth = 1 + self.rng.below(3) as u32;
        let whole = self.truth(depth);
        match self.rng.below(12) {
            0 => self.spoilt(&whole),
            1 => format!("{whole} {}", self.one(&["and", "5", ")", "--", "/* a */", "b", "'"])),
            _ => whole,
        }
    }

    /// With a character gone, or another one in its place.
    fn spoilt(&mut self, whole: &str) -> String {
        let mut chars: Vec<char> = whole.chars().collect();
        let at = self.rng.below(chars.len().max(1) as u64) as usize;
        match self.rng.below(3) {
            0 => drop(chars.remove(at)),
            1 => chars.insert(at, '('),
            _ => chars[at] = ['\'', ')', ' ', '<', '.', '-', '#', 'e'][self.rng.below(8) as usize],
        }
        chars.into_iter().collect()
    }

    fn truth(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.simple();
        }
        let (left, right) = (self.truth(depth - 1), self.truth(depth - 1));
        match self.rng.below(8) {
            0 | 1 => format!("{left} AND {right}"),
            2 | 3 => format!("{left} or {right}"),
            4 => format!("NOT ({left})"),
            5 => format!("NOT {left}"),
            6 => format!("({left}) {} {right}", self.one(&["=", "<>", "AND", "OR"])),
            _ => format!("({left} OR {right}) IS {}NULL", self.one(&["", "NOT "])),
        }
    }

    fn simple(&mut self) -> String {
        let (left, right) = (self.operand(), self.operand());
        let not = if self.rng.below(3) == 0 { "NOT " } else { "" };
        match self.rng.below(if self.searches { 13 } else { 11 }) {
            0..=3 => format!("{left} {} {right}", self.one(&["<", "<=", ">", ">="])),
            4..=6 => format!("{left} {} {right}", self.one(&["=", "<>"])),
            7 => format!("{left} {not}BETWEEN {right} AND {}", self.operand()),
            8 => {
                let (one, other) = (self.one(&TEXTS), self.one(&TEXTS));
                format!("{} {not}IN ({one}, {other})", self.one(&NAMES))
            }
            9 => format!("{left} IS {not}NULL"),
            10 => self.one(&["TRUE", "FALSE", "NULL", "a", "(b)", "NOT c"]).to_owned(),
            _ => {
                let how = self.one(&["CONTAINS", "STARTSWITH", "endswith"]);
                format!("{left} {not}{how} {}", self.one(&TEXTS))
            }
        }
    }

    fn operand(&mut self) -> String {
        match self.rng.below(12) {
            0..=5 => self.one(&NAMES).to_owned(),
            6..=8 => self.one(&NUMBERS).to_owned(),
            9 => self.one(&TEXTS).to_owned(),
            10 => self.one(&["TRUE", "FALSE", "NULL"]).to_owned(),
            _ => format!("-{}", self.one(&NAMES)),
        }
    }

    /// The properties of a message.
    fn properties(&mut self) -> Vec<(&'static str, &'static str)> {
        let known = NAMES.iter().filter(|name| **name != "gone");
        let drawn: Vec<_> = known.filter(|_| self.rng.below(4) > 0).copied().collect();
        drawn.into_iter().map(|name| (name, self.one(&VALUES))).collect()
    }
}

/// One message: its body, and its own properties in their wire form.
type Stored = (String, Vec<u8>);

fn wire(all: &[(&str, &str)]) -> Vec<u8> {
    let entry = |(name, value): &(&str, &str)| format!("{name}\u{1}{value}\u{2}").into_bytes();
    all.iter().flat_map(entry).collect()
}

fn store(rig: &Rig, queue: &QueueName, drawer: &mut Drawer) -> Vec<Stored> {
    let producer = rig.client.producer("expressions").expect("a producer");
    let all = (0..MESSAGES).map(|number| {
        let (body, properties) = (format!("{}-{number}", queue.queue), drawer.properties());
        let message = Message::new(queue.topic.clone(), body.clone());
        let with = |message: Message, (name, value): &(&str, &str)| message.property(name, value);
        let message = properties.iter().fold(message, with);
        producer.send_with(message, SendOptions::to(queue)).wait().expect("stored");
        (body, wire(&properties))
    });
    all.collect()
}

/// Whether a broker can read the expression.
fn reads(rig: &Rig, broker: &str, topic: &str, sql: &str) -> bool {
    let subscription = SubscriptionData {
        class_filter: false,
        codes: BTreeSet::new(),
        expression_type: "SQL92".to_owned(),
        expression: sql.to_owned(),
        version: 1,
        tags: BTreeSet::new(),
        topic: topic.to_owned(),
    };
    let (client_id, group) = ("expressions".to_owned(), "expressions".to_owned());
    let body = CheckClientBody { client_id, group, namespace: None, subscription };
    let request = Request::CheckClient(PlainRequest::default());
    match ask(rig, broker, request, body.to_json()).code {
        ResponseCode::SUCCESS => true,
        ResponseCode::SUBSCRIPTION_PARSE_FAILED => false,
        other => panic!("{sql:?} is answered {other}"),
    }
}

/// The bodies that one pull of the whole queue brings.
fn brought(rig: &Rig, queue: &QueueName, sql: &str) -> Vec<String> {
    let request = PullRequest {
        consumer_group: "expressions".into(),
        topic: queue.topic.wire().clone(),
        queue_id: queue.queue as i32,
        queue_offset: 0,
        max_messages: MESSAGES as i32,
        sys_flag: SUBSCRIPTION,
        subscription: Some(sql.into()),
        expression_type: Some("SQL92".into()),
        broker: Some(queue.broker.clone()),
        ..Default::default()
    };
    let target = Target::Queue(queue.clone());
    let asked = rig.client.admin().call(target, Request::Pull(request), Bytes::new());
    let answer = asked.wait().expect("an answer");
    let none = ResponseCode::PULL_RETRY_IMMEDIATELY;
    assert!(matches!(answer.code, ResponseCode::SUCCESS) || answer.code == none, "{sql:?}");
    let records = answer.records.items().filter_map(|item| item.record());
    let body = |body: Bytes| String::from_utf8_lossy(&body).into_owned();
    records.map(|record| body(record.raw_body())).collect()
}

/// From 5.1.3 on `CONTAINS` and its like are known.
fn searches(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next()) >= (5, 1, 3)
}

pub(crate) fn expressions_bring_what_they_do_on_the_embedded_broker(place: &Place) {
    let (rig, topic, broker) = (place.rig(), place.topic(QUEUES), place.broker());
    let searches = searches(place.version());
    let mut drawer = Drawer { rng: Rng::new(92), searches };
    let queues = queues(&rig, &topic);
    let stored: Vec<(&QueueName, Vec<Stored>)> =
        queues.iter().map(|queue| (queue, store(&rig, queue, &mut drawer))).collect();
    await_stored(&rig, named(&topic).as_str(), (queues.len() * MESSAGES) as i64);
    let count = if place.is_long() { MANY } else { FEW };
    let (mut differ, mut read, mut matched) = (Vec::new(), 0, 0);
    for _ in 0..count {
        let sql = drawer.whole();
        let own = Sql::parse(&sql, searches);
        let reads = reads(&rig, &broker, &topic, &sql);
        if own.is_some() != reads {
            differ.push(format!("{sql:?}: the broker reads it: {reads}"));
            continue;
        }
        // A pull with one that can't be read brings all.
        let Some(own) = own else { continue };
        read += 1;
        for (queue, messages) in &stored {
            let wanted = messages.iter().filter(|(_, wire)| own.matches(Properties::new(wire)));
            let wanted: Vec<&str> = wanted.map(|(body, _)| body.as_str()).collect();
            matched += wanted.len();
            let brought = brought(&rig, queue, &sql);
            if brought != wanted {
                differ.push(format!("{sql:?}: {brought:?} and not {wanted:?}"));
            }
        }
    }
    note!(place, "of {count} expressions {read} can be read, and match {matched} messages");
    differ.iter().take(50).for_each(|line| note!(place, "{line}"));
    assert!(differ.is_empty(), "{} differ: {:#?}", differ.len(), differ.iter().take(20));
    assert!(read > count / 4 && matched > 0);
}
