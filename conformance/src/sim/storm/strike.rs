//! One fault: what it does, and when it is over.

use std::time::Duration;

use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::rng::Rng;

use super::{ERRORS, Gust, Weather};
use crate::broker::{Fault, ListenerId};
use crate::sim::link::{Door, LinkId, Way};
use crate::sim::world::World;

/// By then clients that began with the world are known to their brokers.
const KNOWN: Duration = Duration::from_secs(3);

/// What gets lost by [`Gust::Lost`].
const LOST: [RequestCode; 6] = [
    RequestCode::CONSUMER_SEND_MSG_BACK,
    RequestCode::CONSUMER_SEND_MSG_BACK,
    RequestCode::UPDATE_CONSUMER_OFFSET,
    RequestCode::QUERY_CONSUMER_OFFSET,
    RequestCode::GET_CONSUMER_LIST_BY_GROUP,
    RequestCode::PULL_MESSAGE,
];

/// How long faults last, drawn anew for each.
struct Lengths {
    short: Duration,
    long: Duration,
    endless: Duration,
}

impl World {
    /// Lets one fault strike. False if there was nothing for it to befall.
    pub(super) fn strike(
        &mut self,
        gust: Gust,
        weather: &Weather,
        left: Duration,
        rng: &mut Rng,
    ) -> bool {
        let way = if rng.below(2) == 0 { Way::Up } else { Way::Down };
        let mut lasts = |most: u64| Duration::from_millis(rng.below(most));
        let lengths =
            Lengths { short: lasts(2000), long: lasts(5000), endless: lasts(15_000).min(left) };
        let Lengths { short, long, endless } = lengths;
        if let Some(done) = self.strike_broker(gust, weather, &lengths, left, rng) {
            return done;
        }
        match gust {
            Gust::Cut => self.some_link(rng, |world, link| world.cut(link)),
            Gust::CutLater => {
                let bytes = rng.below(2000);
                self.some_link(rng, |world, link| world.cut_link_after(link, way, bytes))
            }
            Gust::Refuse => self.shut(rng, Door::Refuse, short),
            Gust::BlackHole => self.shut(rng, Door::BlackHole, long),
            Gust::Stall => self.some_link(rng, |world, link| {
                world.trace.line(world.now, format_args!("{link:?} stalls {way:?}"));
                world.stall_link(link, way);
                world.later(endless, move |world| world.unstall_link(link));
            }),
            Gust::Restart => {
                let broker = self.some_broker(rng);
                self.take_down(broker);
                self.later(short, move |world| world.bring_up(broker));
                true
            }
            Gust::Error => self.err(rng),
            Gust::Late => self.delay(rng, long, short),
            Gust::Lost => self.lose(rng),
            Gust::BackRefused => {
                let code = RequestCode::CONSUMER_SEND_MSG_BACK;
                let error = ResponseCode::SYSTEM_ERROR;
                self.with_cluster(|cluster| cluster.push_error(code, [error]));
                true
            }
            _ => false,
        }
    }

    /// The same for what befalls brokers and their topics; `None` for all else.
    fn strike_broker(
        &mut self,
        gust: Gust,
        weather: &Weather,
        lengths: &Lengths,
        left: Duration,
        rng: &mut Rng,
    ) -> Option<bool> {
        let Lengths { short, long, endless } = *lengths;
        let broker = self.some_broker(rng);
        Some(match gust {
            Gust::Move => {
                self.move_broker(broker, short.min(left));
                true
            }
            Gust::GoAway => {
                self.go_away(broker, endless);
                true
            }
            Gust::MasterAway => self.master_away(rng, endless),
            Gust::Deaf => self.deafen(rng, 3 * endless),
            Gust::QueuesCut => self.cut_queues(&weather.topic, long.min(left)),
            Gust::TopicAnew => self.make_anew(&weather.topic, long.min(left)),
            // Whom no broker has ever heard of has no way on.
            Gust::Heartbeats if self.elapsed() < KNOWN || self.cluster().faults_left() > 0 => false,
            Gust::Heartbeats => {
                let refusals = vec![ResponseCode::SYSTEM_ERROR; 1 + rng.below(20) as usize];
                let code = RequestCode::HEART_BEAT;
                self.trace.line(self.now, format_args!("{} {code}s are refused", refusals.len()));
                self.with_cluster(|cluster| cluster.push_error(code, refusals));
                true
            }
            Gust::Older | Gust::Beyond => {
                // Counted when it has befallen an answer.
                self.plan_damage(gust);
                false
            }
            Gust::HoldsNone => {
                self.with_cluster(|cluster| cluster.set_holding(broker, false));
                self.later(endless, move |world| {
                    world.with_cluster(|cluster| cluster.set_holding(broker, true));
                });
                true
            }
            Gust::Suggests => self.suggest(broker, rng.below(4), endless),
            Gust::Unknown => self.forget_topic(rng, &weather.topic, endless),
            Gust::Silent => self.silence(rng, endless),
            Gust::Forgetful => {
                self.crash(broker);
                self.later(short, move |world| world.bring_up(broker));
                true
            }
            Gust::Cut
            | Gust::CutLater
            | Gust::Refuse
            | Gust::BlackHole
            | Gust::Stall
            | Gust::Restart
            | Gust::Error
            | Gust::Late
            | Gust::Lost
            | Gust::BackRefused => return None,
        })
    }

    /// The next request of some kind that consumers make is lost, or its answer is.
    fn lose(&mut self, rng: &mut Rng) -> bool {
        let code = LOST[rng.below(LOST.len() as u64) as usize];
        let faults = [Fault::Lose, Fault::Mute, Fault::Close, Fault::LoseAndClose];
        let fault = faults[rng.below(faults.len() as u64) as usize];
        self.trace.line(self.now, format_args!("next {code}: {fault:?}"));
        self.with_cluster(|cluster| cluster.push_faults(code, [fault]));
        true
    }

    /// The next request of some kind gets an error.
    fn err(&mut self, rng: &mut Rng) -> bool {
        let (code, errors) = ERRORS[rng.below(ERRORS.len() as u64) as usize];
        let error = errors[rng.below(errors.len() as u64) as usize];
        self.trace.line(self.now, format_args!("next {code} gets {error}"));
        self.with_cluster(|cluster| cluster.push_error(code, [error]));
        true
    }

    /// Requests of some kind are answered late for a while.
    fn delay(&mut self, rng: &mut Rng, by: Duration, time: Duration) -> bool {
        let (code, _) = ERRORS[rng.below(ERRORS.len() as u64) as usize];
        self.trace.line(self.now, format_args!("{code} is late by {by:?}"));
        self.with_cluster(|cluster| cluster.set_delay(code, by));
        self.later(time, move |world| {
            world.with_cluster(|cluster| cluster.set_delay(code, Duration::ZERO));
        });
        true
    }

    /// A broker suggests that one to read at for a while, where there are slaves at all.
    fn suggest(&mut self, broker: usize, id: u64, time: Duration) -> bool {
        if !self.cluster().config().slave_reads {
            return false;
        }
        self.trace.line(self.now, format_args!("broker {broker} suggests {id}"));
        self.with_cluster(|cluster| cluster.set_suggested(broker, id));
        self.later(time, move |world| {
            world.with_cluster(|cluster| cluster.set_suggested(broker, 0));
        });
        true
    }

    pub(super) fn some_broker(&self, rng: &mut Rng) -> usize {
        rng.below(self.cluster().config().brokers.len() as u64) as usize
    }

    fn some_link(&mut self, rng: &mut Rng, act: impl FnOnce(&mut Self, LinkId)) -> bool {
        let open = self.network.links.iter().filter(|(_, link)| link.open && !link.broken);
        let links: Vec<LinkId> = open.map(|(id, _)| *id).collect();
        let link = links.get(rng.below(links.len() as u64) as usize).copied();
        link.map(|link| act(self, link)).is_some()
    }

    fn some_host(&self, rng: &mut Rng) -> Option<String> {
        let hosts: Vec<&String> = self.network.hosts.keys().collect();
        hosts.get(rng.below(hosts.len() as u64) as usize).copied().cloned()
    }

    fn shut(&mut self, rng: &mut Rng, door: Door, time: Duration) -> bool {
        let Some(host) = self.some_host(rng) else { return false };
        self.trace.line(self.now, format_args!("{host} is {door:?}"));
        self.door(&host, door);
        // A connection is tried only when there is none.
        self.cut_all(&host);
        self.later(time, move |world| world.door(&host, Door::Open));
        true
    }

    /// A server reads nothing any more on the connections that are open.
    fn deafen(&mut self, rng: &mut Rng, time: Duration) -> bool {
        let Some(host) = self.some_host(rng) else { return false };
        let links = self.links_to(&host);
        self.trace.line(self.now, format_args!("{host} reads nothing"));
        for link in &links {
            self.stall_link(*link, Way::Up);
        }
        let any = !links.is_empty();
        self.later(time, move |world| links.into_iter().for_each(|link| world.unstall_link(link)));
        any
    }

    /// The clients of a broker are told to go, and in the end it restarts.
    fn go_away(&mut self, broker: usize, time: Duration) {
        self.trace.line(self.now, format_args!("broker {broker} says go away"));
        let at = ListenerId::Broker(broker);
        self.with_cluster(|cluster| cluster.set_leaving(at, true));
        self.later(time, move |world| {
            world.with_cluster(|cluster| cluster.set_leaving(at, false));
            world.take_down(broker);
            world.bring_up(broker);
        });
    }
}
