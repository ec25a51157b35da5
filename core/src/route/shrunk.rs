//! Topics that have lost queues to read: a broker that went may be back within seconds, and nobody
//! tells that to a client that only consumes. Such a topic is looked up more often for a while.

use std::time::Duration;

use super::Routes;
use crate::effects::TimerKind;
use crate::name::Topic;
use crate::remoting::Context;
use crate::time::Instant;

/// How far apart the look-ups are at first, and at last, up to a quarter more.
const APART: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(15));
/// For how long after queues went.
const LONG: Duration = Duration::from_secs(600);

/// How many queues of a topic could be read before some went.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shrunk {
    most: usize,
    /// When some went that are not back.
    since: Option<Instant>,
    /// The timer of the next look-up is set.
    armed: bool,
}

impl Shrunk {
    /// The topic has so many queues to read, where it had `before`.
    pub(super) fn counts(&mut self, now: Instant, before: usize, queues: usize) {
        if queues < before {
            (self.most, self.since) = (self.most.max(before), Some(now));
        } else if queues >= self.most {
            (self.most, self.since) = (queues, None);
        }
    }

    /// The pause before the next look-up, while there is one: an eighth of the time so far.
    fn pause(&self, now: Instant) -> Option<Duration> {
        let gone = now.since(self.since?);
        (gone < LONG).then(|| (gone / 8).clamp(APART.0, APART.1))
    }
}

impl Routes {
    /// Sets the timer of a topic whose queues have become fewer.
    pub(super) fn await_queues(&mut self, ctx: &mut Context, topic: &Topic) {
        let Some(entry) = self.topics.get_mut(topic) else { return };
        if let Some(pause) = entry.shrunk.pause(ctx.fx.now).filter(|_| !entry.shrunk.armed) {
            entry.shrunk.armed = true;
            let late = Duration::from_nanos(ctx.fx.rng.below(pause.as_nanos() as u64 / 4));
            ctx.fx.after(pause + late, TimerKind::RouteShrunk(topic.clone()));
        }
    }

    /// Its time has come. Says whether the topic is to be looked up.
    pub(crate) fn shrunk_due(&mut self, ctx: &mut Context, topic: &Topic) -> bool {
        let Some(entry) = self.topics.get_mut(topic) else { return false };
        entry.shrunk.armed = false;
        let lasts = entry.shrunk.pause(ctx.fx.now).is_some();
        self.await_queues(ctx, topic);
        lasts
    }
}
