//! One fault: what it does, and when it is over.

use std::time::Duration;

use rocketry_core::frame::{RequestCode, ResponseCode};
use rocketry_core::rng::Rng;

use super::{ERRORS, Weather};
use crate::broker::ListenerId;
use crate::sim::link::{Door, LinkId, Way};
use crate::sim::world::World;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gust {
    /// A connection is cut.
    Cut,
    /// A connection is cut in the midst of a frame.
    CutLater,
    /// An address refuses connections for up to 2 s.
    Refuse,
    /// An address swallows attempts to connect for up to 5 s.
    BlackHole,
    /// A connection carries nothing one way for up to 15 s.
    Stall,
    /// A broker goes down for up to 2 s.
    Restart,
    /// The next request of a kind gets an error.
    Error,
    /// Requests of a kind are answered late for up to 2 s.
    Late,
    /// A broker goes down and comes back at another address.
    Move,
    /// A broker answers `GO_AWAY` for up to 15 s, then restarts.
    GoAway,
    /// A master is away for up to 15 s while its slave is there.
    MasterAway,
    /// A server takes connections and reads nothing on those that are open, for up to 40 s.
    Deaf,
    /// A topic loses half of its write queues for up to 5 s.
    QueuesCut,
    /// A topic is deleted, and made again up to 5 s later.
    TopicAnew,
    /// Up to twenty heartbeats in a row are refused.
    Heartbeats,
    /// A pull is answered with the first messages of its queue, whatever offset it asked for.
    Older,
    /// A pull is answered with a next offset beyond the end of its queue.
    Beyond,
    /// A broker holds no pulls for up to 15 s: it answers at once that there is nothing.
    HoldsNone,
    /// One of two nameservers does not know the topic for up to 15 s.
    Unknown,
    /// One of two nameservers takes connections and says nothing for up to 15 s.
    Silent,
    /// A broker is killed, and with it go the offsets of its last 5 s.
    Forgetful,
}

impl Gust {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Cut,
        Self::CutLater,
        Self::Refuse,
        Self::BlackHole,
        Self::Stall,
        Self::Restart,
        Self::Error,
        Self::Late,
        Self::Move,
        Self::GoAway,
        Self::MasterAway,
        Self::Deaf,
        Self::QueuesCut,
        Self::TopicAnew,
        Self::Heartbeats,
        Self::Older,
        Self::Beyond,
        Self::HoldsNone,
        Self::Forgetful,
        Self::Unknown,
        Self::Silent,
    ];

    /// Those that need not stop anybody: there is always a way on.
    pub const GENTLE: &[Self] = &[
        Self::QueuesCut,
        Self::Heartbeats,
        Self::Older,
        Self::Beyond,
        Self::HoldsNone,
        Self::Unknown,
        Self::Silent,
    ];

    /// What a network does, errors of brokers, and restarts.
    pub const NETWORK: [Self; 8] = [
        Self::Cut,
        Self::CutLater,
        Self::Refuse,
        Self::BlackHole,
        Self::Stall,
        Self::Restart,
        Self::Error,
        Self::Late,
    ];
}

/// By then clients that began with the world are known to their brokers.
const KNOWN: Duration = Duration::from_secs(3);

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
            Gust::Unknown => self.forget_topic(rng, &weather.topic, endless),
            Gust::Silent => self.silence(rng, endless),
            Gust::Forgetful => {
                self.kill(broker, weather);
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
            | Gust::Late => return None,
        })
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
