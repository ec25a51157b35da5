//! Faults drawn at random for a while, then calm.

use std::time::Duration;

use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::rng::Rng;
use rocketry_core::time::Instant;

use super::link::{Door, LinkId, Way};
use super::world::World;

/// A time of faults.
#[derive(Clone, Debug)]
pub struct Storm {
    rng: Rng,
    end: Instant,
    /// Mean time between two faults.
    pub mean: Duration,
    /// How many there were.
    pub gusts: u64,
}

/// Requests that are answered late or with an error, and the errors.
const ERRORS: [(RequestCode, &[ResponseCode]); 8] = [
    (
        RequestCode::SEND_MESSAGE_V2,
        &[
            ResponseCode::SYSTEM_BUSY,
            ResponseCode::SYSTEM_ERROR,
            ResponseCode::SERVICE_NOT_AVAILABLE,
            ResponseCode::FLUSH_DISK_TIMEOUT,
            ResponseCode::MESSAGE_ILLEGAL,
        ],
    ),
    (
        RequestCode::PULL_MESSAGE,
        &[
            ResponseCode::SYSTEM_ERROR,
            ResponseCode::SYSTEM_BUSY,
            ResponseCode::FLOW_CONTROL,
            ResponseCode::SUBSCRIPTION_NOT_EXIST,
            ResponseCode::SUBSCRIPTION_NOT_LATEST,
        ],
    ),
    (RequestCode::HEART_BEAT, &[ResponseCode::SYSTEM_BUSY]),
    (RequestCode::QUERY_CONSUMER_OFFSET, &[ResponseCode::SYSTEM_ERROR]),
    (RequestCode::UPDATE_CONSUMER_OFFSET, &[ResponseCode::SYSTEM_ERROR]),
    (RequestCode::GET_CONSUMER_LIST_BY_GROUP, &[ResponseCode::SYSTEM_ERROR]),
    (RequestCode::GET_ROUTEINFO_BY_TOPIC, &[ResponseCode::SYSTEM_ERROR]),
    (RequestCode::GET_MIN_OFFSET, &[ResponseCode::SYSTEM_ERROR]),
];

impl World {
    /// Lets faults come for `length`, on average one each `mean`; then everything is well again.
    pub fn storm(&mut self, length: Duration, mean: Duration) {
        let rng = Rng::new(self.rng.next_u64());
        let storm = Storm { rng, end: self.now + length, mean, gusts: 0 };
        self.blow(storm);
    }

    fn blow(&mut self, mut storm: Storm) {
        if self.now >= storm.end {
            self.trace.line(self.now, format_args!("calm after {} faults", storm.gusts));
            return self.calm();
        }
        storm.gusts += 1;
        self.gust(&mut storm.rng);
        let pause = Duration::from_nanos(storm.rng.below(2 * storm.mean.as_nanos() as u64));
        let pause = pause.min(storm.end.since(self.now));
        self.later(pause, move |world| world.blow(storm));
    }

    /// Ends every fault: doors are open, brokers up, nothing is stalled, late or about to be cut.
    pub fn calm(&mut self) {
        self.network.doors.clear();
        for broker in 0..self.cluster().config().brokers.len() {
            self.bring_up(broker);
        }
        for (code, _) in ERRORS {
            self.with_cluster(|cluster| cluster.set_delay(code, Duration::ZERO));
        }
        for link in self.network.links.values_mut() {
            (link.up.cut_in, link.down.cut_in) = (None, None);
        }
        self.unstall_all();
        self.pump();
    }

    fn gust(&mut self, rng: &mut Rng) {
        let way = if rng.below(2) == 0 { Way::Up } else { Way::Down };
        let mut lasts = |most: u64| Duration::from_millis(rng.below(most));
        let (short, long, endless) = (lasts(2000), lasts(5000), lasts(15_000));
        match rng.below(8) {
            0 => self.some_link(rng, |world, link| world.cut(link)),
            1 => {
                let bytes = rng.below(2000);
                self.some_link(rng, |world, link| world.cut_link_after(link, way, bytes));
            }
            2 => self.shut(rng, Door::Refuse, short),
            3 => self.shut(rng, Door::BlackHole, long),
            4 => self.some_link(rng, |world, link| {
                world.trace.line(world.now, format_args!("{link:?} stalls {way:?}"));
                world.stall_link(link, way);
                world.later(endless, move |world| world.unstall_link(link));
            }),
            5 => {
                let broker = rng.below(self.cluster().config().brokers.len() as u64) as usize;
                self.take_down(broker);
                self.later(short, move |world| world.bring_up(broker));
            }
            6 => {
                let (code, errors) = ERRORS[rng.below(ERRORS.len() as u64) as usize];
                let error = errors[rng.below(errors.len() as u64) as usize];
                self.trace.line(self.now, format_args!("next {code} gets {error}"));
                self.with_cluster(|cluster| cluster.push_error(code, [error]));
            }
            _ => {
                let (code, _) = ERRORS[rng.below(ERRORS.len() as u64) as usize];
                self.trace.line(self.now, format_args!("{code} is late by {long:?}"));
                self.with_cluster(|cluster| cluster.set_delay(code, long));
                self.later(short, move |world| {
                    world.with_cluster(|cluster| cluster.set_delay(code, Duration::ZERO));
                });
            }
        }
    }

    fn some_link(&mut self, rng: &mut Rng, act: impl FnOnce(&mut Self, LinkId)) {
        let open = self.network.links.iter().filter(|(_, link)| link.open && !link.broken);
        let links: Vec<LinkId> = open.map(|(id, _)| *id).collect();
        if let Some(link) = links.get(rng.below(links.len() as u64) as usize) {
            act(self, *link);
        }
    }

    fn shut(&mut self, rng: &mut Rng, door: Door, time: Duration) {
        let hosts: Vec<String> = self.network.hosts.keys().cloned().collect();
        let Some(host) = hosts.get(rng.below(hosts.len() as u64) as usize).cloned() else { return };
        self.trace.line(self.now, format_args!("{host} is {door:?}"));
        self.door(&host, door);
        // A connection is tried only when there is none.
        self.cut_all(&host);
        self.later(time, move |world| world.door(&host, Door::Open));
    }
}
