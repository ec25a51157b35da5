//! The end: finish what runs, commit, unregister, close.
//!
//! | state | leaves on | to |
//! |---|---|---|
//! | Running | `shutdown` | Draining |
//! | Draining | every call has ended, every consumer has left | Unregistering |
//! | Unregistering | every broker answered | Closing |
//! | any but Running | `shutdown_timeout` | Closing, what still waits ended with an error |
//! | Closing | every connection is closed | Stopped, `Event::Stopped` |

use std::fmt;
use std::time::Duration;

use crate::broker::Brokers;
use crate::consumer::Consumers;
use crate::effects::{Event, TimerKind};
use crate::name::Group;
use crate::nameserver::NameServers;
use crate::producer::Producers;
use crate::remoting::{BrokerAsk, Context};

#[derive(Debug, Default)]
enum State {
    #[default]
    Running,
    Draining,
    Unregistering {
        waiting: usize,
    },
    Closing,
    Stopped,
}

/// How far a client has come in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientPhase {
    /// The client takes calls.
    Running,
    /// The client has been shut down and finishes what was begun.
    Stopping,
    /// Nothing is left of it.
    Stopped,
}

impl fmt::Display for ClientPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        })
    }
}

/// How far the end has come.
#[derive(Debug, Default)]
pub(crate) struct Shutdown(State);

impl Shutdown {
    /// Whether brokers are to know of the client: one that ends is a member of its groups until
    /// what its consumers were given is settled.
    pub(crate) const fn is_member(&self) -> bool {
        matches!(self.0, State::Running | State::Draining)
    }

    pub(crate) const fn is_running(&self) -> bool {
        matches!(self.0, State::Running)
    }

    pub(crate) const fn is_stopped(&self) -> bool {
        matches!(self.0, State::Stopped)
    }

    pub(crate) const fn phase(&self) -> ClientPhase {
        match self.0 {
            State::Running => ClientPhase::Running,
            State::Draining | State::Unregistering { .. } | State::Closing => ClientPhase::Stopping,
            State::Stopped => ClientPhase::Stopped,
        }
    }

    /// Begins the end, unless it has begun. Gives for how long consumers may drain: the last
    /// quarter is for their commits and goodbyes.
    pub(crate) fn begin(&mut self, ctx: &mut Context) -> Option<Duration> {
        if !self.is_running() {
            return None;
        }
        self.0 = State::Draining;
        let within = ctx.fx.config.shutdown_timeout;
        ctx.fx.after(within, TimerKind::Leave);
        Some(within * 3 / 4)
    }

    /// Goes on with the end, as far as it can go now.
    pub(crate) fn advance(
        &mut self,
        ctx: &mut Context,
        names: &mut NameServers,
        producers: &Producers,
        consumers: &mut Consumers,
    ) {
        let ended = ctx.fx.ops.is_empty() && consumers.is_empty();
        if matches!(self.0, State::Draining) && ended {
            // Java's clients tell each broker for each group (`MQClientInstance.unregisterClient`).
            let groups: Vec<Group> = producers.groups.iter().cloned().collect();
            let ask = BrokerAsk::Unregister(None);
            let waiting = Brokers::unregister_producers(ctx, &groups, ask);
            self.0 = State::Unregistering { waiting };
        }
        if matches!(self.0, State::Unregistering { waiting: 0 }) {
            self.close(ctx);
        }
        if matches!(self.0, State::Closing) && ctx.remoting.peers.sockets() == 0 {
            self.stop(ctx, names, consumers);
        }
    }

    /// A broker answered a farewell of the producers, or can't.
    pub(crate) const fn unregistered(&mut self) {
        if let State::Unregistering { waiting } = &mut self.0 {
            *waiting = waiting.saturating_sub(1);
        }
    }

    /// Connections close; nothing else is waited for.
    pub(crate) fn close(&mut self, ctx: &mut Context) {
        self.0 = State::Closing;
        let (peers, fx) = ctx.peers();
        peers.stop(fx);
    }

    /// Nothing is waited for any more. Tables are emptied and not replaced: keys into them may be
    /// kept elsewhere, and must name nothing that is set later.
    fn stop(&mut self, ctx: &mut Context, names: &mut NameServers, consumers: &mut Consumers) {
        self.0 = State::Stopped;
        if let Some(source) = names.source_mut() {
            source.stop();
        }
        // Requests to peers that were not connected have nobody left to wait for them.
        ctx.remoting.calls.clear();
        let (peers, fx) = ctx.peers();
        peers.drop_frames(fx);
        ctx.fx.timers.clear();
        consumers.stop();
        ctx.fx.throttle.end();
        ctx.fx.event(Event::Stopped);
    }
}
