//! Faults drawn at random for a while, then calm.

mod damage;
mod gust;
mod route;
mod strike;

use std::rc::Rc;
use std::time::Duration;

use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::rng::Rng;
use rocketry_core::time::Instant;

pub(super) use damage::Damage;
pub use gust::Gust;

use super::world::World;

/// What a storm is made of.
#[derive(Clone, Debug)]
pub struct Weather {
    /// How long faults come.
    pub length: Duration,
    /// Mean time between two of them.
    pub mean: Duration,
    /// The kinds that are drawn from, evenly.
    pub gusts: Vec<Gust>,
    /// The topic that loses queues or is made anew.
    pub topic: String,
}

impl Weather {
    /// Faults of the network, errors and restarts, on average one each `mean`.
    pub fn new(length: Duration, mean: Duration) -> Self {
        let gusts = Gust::NETWORK.to_vec();
        Self { length, mean, gusts, topic: String::new() }
    }
}

/// A time of faults.
#[derive(Clone, Debug)]
struct Storm {
    rng: Rng,
    end: Instant,
    weather: Rc<Weather>,
    /// How many there were.
    gusts: u64,
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
    /// Lets faults of the network come for `length`, on average one each `mean`; then everything
    /// is well again.
    pub fn storm(&mut self, length: Duration, mean: Duration) {
        self.storm_of(Weather::new(length, mean));
    }

    /// Lets faults of these kinds come, then calm.
    pub fn storm_of(&mut self, weather: Weather) {
        let rng = Rng::new(self.rng.next_u64());
        let end = self.now + weather.length;
        if weather.gusts.iter().any(|gust| matches!(gust, Gust::Older | Gust::Beyond)) {
            self.begin_damage();
        }
        self.blow(Storm { rng, end, weather: Rc::new(weather), gusts: 0 });
    }

    /// How often each kind of fault struck.
    pub const fn struck(&self) -> &std::collections::BTreeMap<Gust, u64> {
        &self.struck
    }

    fn blow(&mut self, mut storm: Storm) {
        if self.now >= storm.end {
            self.trace.line(self.now, format_args!("calm after {} faults", storm.gusts));
            return self.calm(&storm.weather);
        }
        storm.gusts += 1;
        let drawn = storm.rng.below(storm.weather.gusts.len().max(1) as u64) as usize;
        if let Some(gust) = storm.weather.gusts.get(drawn).copied() {
            let left = storm.end.since(self.now);
            if self.strike(gust, &storm.weather.clone(), left, &mut storm.rng) {
                *self.struck.entry(gust).or_default() += 1;
            }
        }
        let pause = Duration::from_nanos(storm.rng.below(2 * storm.weather.mean.as_nanos() as u64));
        let pause = pause.min(storm.end.since(self.now));
        self.later(pause, move |world| world.blow(storm));
    }

    /// Ends every fault: doors are open, brokers up, nothing is stalled, late or about to be cut.
    fn calm(&mut self, weather: &Weather) {
        self.network.doors.clear();
        self.stay();
        self.end_damage();
        for broker in 0..self.cluster().config().brokers.len() {
            self.bring_up(broker);
        }
        self.with_cluster(|cluster| {
            cluster.clear_faults();
            ERRORS.iter().for_each(|(code, _)| cluster.set_delay(*code, Duration::ZERO));
        });
        self.restore_queues(&weather.topic);
        for link in self.network.links.values_mut() {
            (link.up.cut_in, link.down.cut_in) = (None, None);
        }
        self.unstall_all();
        self.pump();
    }
}
