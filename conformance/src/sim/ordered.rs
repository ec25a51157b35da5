//! Consumers that handle the messages of each queue in their order, one after the other, and what
//! must hold of that: first deliveries come in order, and nobody is given a message of a queue that
//! another client has locked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rocketry_core::consumer::{DeliveryId, Handout};
use rocketry_core::id::SubscriptionId;
use rocketry_core::query::QueueName;
use rocketry_core::time::{Instant, UnixMillis};

use super::app::{ClientId, Pace};
use super::fates::place_of;
use super::happening::Happening;
use super::link::{LinkId, Way};
use super::world::World;

/// So long after a broker began anew a client may believe in a lock that the broker has forgotten,
/// where the end of its connection did not reach it.
const BELIEF: Duration = Duration::from_secs(31);

/// What a group was given of one queue.
#[derive(Debug, Default)]
struct Given {
    /// The offsets that came for the first time.
    first: Vec<i64>,
    /// Those that were given back and have not come again.
    back: BTreeSet<i64>,
    /// Those that came to who could not know that the queue was another's. What others give back of
    /// them need not come again: that one may have handled it.
    believed: BTreeSet<(i64, ClientId)>,
}

/// What groups were given of each queue.
#[derive(Debug, Default)]
pub(super) struct Firsts(BTreeMap<(String, String), Given>);

impl Firsts {
    fn of(&mut self, group: &str, queue: &str) -> &mut Given {
        self.0.entry((group.to_owned(), queue.to_owned())).or_default()
    }

    /// Notes a message. The one that should have come after it, or before it.
    fn note(&mut self, group: &str, queue: &str, offset: i64) -> Option<i64> {
        let given = self.of(group, queue);
        given.back.remove(&offset);
        if let Some(back) = given.back.first().filter(|back| **back < offset) {
            return Some(*back);
        }
        match given.first.last() {
            Some(last) if offset <= *last => {
                given.first.binary_search(&offset).is_err().then_some(*last)
            }
            _ => {
                given.first.push(offset);
                None
            }
        }
    }

    /// Notes a message that came to who can't know that its broker gave the lock away: it is not
    /// judged, and whoever has it before or after is judged as if it had come in its order.
    fn pass(&mut self, group: &str, client: ClientId, queue: &str, offset: i64) {
        let given = self.of(group, queue);
        given.back.remove(&offset);
        given.believed.insert((offset, client));
        if let Err(at) = given.first.binary_search(&offset) {
            given.first.insert(at, offset);
        }
    }

    /// A message was given back: it comes again before those after it.
    pub(super) fn give_back(&mut self, group: &str, client: ClientId, queue: &str, offset: i64) {
        let given = self.of(group, queue);
        given.believed.remove(&(offset, client));
        if !given.believed.iter().any(|(of, _)| *of == offset) {
            given.back.insert(offset);
        }
    }

    /// A group begins elsewhere.
    fn forget(&mut self, group: &str) {
        self.0.retain(|(of, _), _| of != group);
    }
}

impl World {
    /// Takes the next run of messages, to hand them out one by one.
    pub fn take_run(&mut self, client: ClientId, sub: SubscriptionId) -> Option<Handout> {
        self.tell(client, |session, now| session.engine_mut().take_batch(now, sub))
    }

    /// Gives back what is left of a run.
    pub fn give_back(&mut self, client: ClientId, rest: &Handout) {
        self.tell(client, |session, now| session.engine_mut().give_back(now, rest));
        self.pump();
    }

    /// Takes what a consumer may have, to hand it out in order.
    pub(super) fn take_in_order(&mut self, client: ClientId, sub: SubscriptionId) {
        while let Some(run) = self.take_run(client, sub) {
            self.next_in_order(client, run);
        }
    }

    /// Hands out the next message of a run, if that may be; what is left goes back otherwise.
    pub(super) fn next_in_order(&mut self, client: ClientId, mut run: Handout) {
        if self.clients[client.0].gone {
            return;
        }
        let sub = run.batch.id().sub;
        let Some(Pace::InOrder(pace)) = self.clients[client.0].app.paces.get(&sub).copied() else {
            return;
        };
        while let Some(index) = run.take_next(self.now) {
            let one = Handout { next: index, end: index + 1, ..run.clone() };
            if !run.batch.wanted(index) {
                self.settle_one(client, &one);
                continue;
            }
            self.assert_ordered(client, &one);
            self.record(client, sub, &one);
            let after = match pace.as_nanos() as u64 {
                0 => Duration::ZERO,
                most => Duration::from_nanos(self.rng.below(most)),
            };
            let (one, rest) = (Box::new(one), Box::new(run));
            return self.schedule(self.now + after, Happening::InOrder { client, one, rest });
        }
        self.tell(client, |session, now| session.engine_mut().give_back(now, &run));
    }

    /// A message is judged, and the next one handed out.
    pub(super) fn judge_in_order(&mut self, client: ClientId, one: &Handout, rest: Handout) {
        self.judge(client, one);
        self.next_in_order(client, rest);
    }

    fn assert_ordered(&mut self, client: ClientId, one: &Handout) {
        let (batch, index) = (&one.batch, one.next);
        let id = DeliveryId { batch: batch.id(), index };
        let Some(group) = self.clients[client.0].app.groups.get(&id.batch.sub).cloned() else {
            return;
        };
        let (topic, name, number) = place_of(batch.queue());
        let place = format!("{topic} {name} {number}");
        let (of, own) = ((group.as_str(), topic.as_str()), self.engine(client).client_id().clone());
        let broker = self.master_named(&name);
        let holder = broker.and_then(|at| self.cluster().lock_holder(at, of, number as i32));
        let other = holder.filter(|holder| **holder != *own).map(str::to_owned);
        if other.is_some() && broker.is_some_and(|broker| self.believes(client, broker)) {
            // Its broker began anew and gave the lock to somebody else, and it can't know.
            if let Some(offset) = batch.offset(index) {
                self.firsts.pass(group.as_str(), client, &place, offset);
            }
            return;
        }
        if let Some(offset) = batch.offset(index)
            && let Some(last) = self.firsts.note(group.as_str(), &place, offset)
        {
            panic!("{client:?} of {group} is given {offset} of {place} out of its order: {last}");
        }
        if let Some(holder) = other {
            panic!("{client:?} of {group} is given {:?} of {place}, locked by {holder}", id.index);
        }
        self.handled_in_order += 1;
    }

    /// Whether a client may believe in locks that the broker has forgotten: it has not heard of the
    /// end of its connection, or has them from a slave that stood in for the master.
    fn believes(&self, client: ClientId, broker: usize) -> bool {
        let Some(since) = self.cluster().locks_since(broker) else { return false };
        let all = self.masters().into_iter().map(|(at, _)| at).filter(|at| *at != broker);
        let others: Vec<_> = all.filter_map(|at| self.cluster().endpoint(at)).collect();
        let mut links = self.network.links.values().filter(|link| link.client == client);
        let old = links.any(|link| {
            let elsewhere = others.contains(&&*link.endpoint) || link.endpoint.starts_with("ns");
            !elsewhere && link.open && !link.client_gone && link.begun < since
        });
        (old || self.cluster().config().acting_masters) && self.now.since(since) < BELIEF
    }

    fn master_named(&self, name: &str) -> Option<usize> {
        let mut masters = self.masters().into_iter();
        masters.find(|(_, master)| *master == *name).map(|(broker, _)| broker)
    }

    /// Whether a queue is a client's by the word of its broker. One that broadcasts needs no lock.
    pub(super) fn is_locked_by(&self, client: ClientId, group: &str, queue: &QueueName) -> bool {
        let (topic, name, number) = place_of(queue);
        let holder = self.master_named(&name).and_then(|broker| {
            self.cluster().lock_holder(broker, (group, topic.as_str()), number as i32)
        });
        holder == Some(&**self.engine(client).client_id())
    }

    /// A group's offsets are moved: what it is given first from now on may be anything.
    pub fn forget_order(&mut self, group: &str) {
        self.firsts.forget(group);
    }

    /// Whose applications are handling a message whose order matters, one entry for each message;
    /// those that stand still are, those that are gone are not.
    pub fn in_hand(&self) -> Vec<ClientId> {
        let busy = self.agenda.values().filter_map(|happening| match happening {
            Happening::InOrder { client, .. } => Some(*client),
            _ => None,
        });
        busy.filter(|client| !self.clients[client.0].gone).collect()
    }

    /// Messages that were given to consumers that handle them in order.
    pub const fn handled_in_order(&self) -> usize {
        self.handled_in_order
    }

    /// Has a client's machine sleep for so long, which only its wall clock shows.
    pub fn jump(&mut self, client: ClientId, time: Duration) {
        self.shift_clock(client, time.as_millis() as i64);
    }

    /// Sets a client's wall clock forward by so many milliseconds, or back.
    pub fn shift_clock(&mut self, client: ClientId, by: i64) {
        self.clients[client.0].ahead += by;
        let unix = UnixMillis(self.unix().0 + self.clients[client.0].ahead);
        self.set_clock(client, unix);
    }

    /// Has a client's process stand still for so long: it does nothing, and its connections stay.
    pub fn freeze(&mut self, client: ClientId, time: Duration) {
        let until = self.now + time;
        self.clients[client.0].frozen = Some(until);
        self.later(time, move |world| world.clients[client.0].frozen = None);
    }

    /// Until when what happens has to wait, since its client stands still.
    pub(super) fn frozen_until(&self, happening: &Happening) -> Option<Instant> {
        let of_link = |id: &LinkId| self.network.links.get(id).map(|link| link.client);
        let client = match happening {
            Happening::Connected(link)
            | Happening::Refused(link)
            | Happening::Closed(link)
            | Happening::Arrived { link, way: Way::Down, .. }
            | Happening::Ended { link, way: Way::Down, .. } => of_link(link),
            Happening::Fetched { client, .. }
            | Happening::Computed { client, .. }
            | Happening::Disk { client, .. }
            | Happening::Settle { client, .. }
            | Happening::Judge { client, .. }
            | Happening::InOrder { client, .. } => Some(*client),
            Happening::Arrived { .. } | Happening::Ended { .. } | Happening::Act(_) => None,
        };
        self.clients[client?.0].frozen
    }
}
