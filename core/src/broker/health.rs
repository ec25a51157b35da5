//! How brokers fare, and which to leave alone for a while (`MQFaultStrategy`,
//! `LatencyFaultToleranceImpl`).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::id::BrokerId;
use crate::time::Instant;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// An answer that took at least the first time has its broker left alone for the second one.
const PAUSES: [(Duration, Duration); 5] = [
    (millis(15_000), millis(30_000)),
    (millis(5_000), millis(10_000)),
    (millis(3_000), millis(6_000)),
    (millis(1_800), millis(5_000)),
    (millis(550), millis(2_000)),
];
/// A failure counts as an answer after so long.
const FAILED: Duration = millis(10_000);

/// How long a broker is left alone after an answer that took `latency`.
pub(crate) fn pause_after(latency: Duration) -> Duration {
    let found = PAUSES.iter().find(|(least, _)| latency >= *least);
    found.map_or(Duration::ZERO, |(_, pause)| *pause)
}

/// What is known of one broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Health {
    /// Tries that were answered.
    pub(crate) answered: u64,
    /// Tries that failed.
    pub(crate) failed: u64,
    /// A moving average over about the last eight answers.
    pub(crate) latency: Duration,
    /// A moving average over about the last eight tries: failures of a million.
    failed_ppm: u32,
    /// Left alone until then.
    pub(crate) until: Option<Instant>,
}

impl Health {
    /// Tries of a million that were answered of late.
    pub(crate) const fn answered_ppm(&self) -> u32 {
        MILLION - self.failed_ppm
    }

    /// The average with one more answer in it.
    fn averaged(&self, latency: Duration) -> Duration {
        (self.latency * 7 + latency) / 8
    }

    /// One more try has ended. The first one counts as the others do: a broker is well until it
    /// shows otherwise.
    const fn tried(&mut self, failed: bool) {
        self.failed_ppm = (self.failed_ppm * 7 + if failed { MILLION } else { 0 }) / 8;
    }
}

const MILLION: u32 = 1_000_000;

/// All brokers that were ever sent to.
#[derive(Debug, Default)]
pub(crate) struct Healths(BTreeMap<BrokerId, Health>);

impl Healths {
    /// A try was answered after `latency`.
    pub(crate) fn answered(&mut self, now: Instant, broker: BrokerId, latency: Duration) {
        let health = self.0.entry(broker).or_default();
        health.latency = match health.answered {
            0 => latency,
            _ => health.averaged(latency),
        };
        health.answered += 1;
        health.tried(false);
        let pause = pause_after(latency);
        health.until = (!pause.is_zero()).then(|| now + pause);
    }

    /// A try was answered `latency` after it had begun, when nobody waited for the answer any more.
    pub(crate) fn answered_late(&mut self, broker: BrokerId, latency: Duration) {
        let health = self.0.entry(broker).or_default();
        health.latency = match health.answered {
            0 => health.latency.max(latency),
            _ => health.averaged(latency),
        };
    }

    /// A try failed.
    pub(crate) fn failed(&mut self, now: Instant, broker: BrokerId) {
        let health = self.0.entry(broker).or_default();
        health.failed += 1;
        health.tried(true);
        health.until = Some(now + pause_after(FAILED));
    }

    /// A probe was answered in time: there is no reason to leave the broker alone.
    pub(crate) fn recovered(&mut self, broker: BrokerId) {
        if let Some(health) = self.0.get_mut(&broker) {
            health.until = None;
        }
    }

    /// Nothing names the broker any more.
    pub(crate) fn forget(&mut self, broker: BrokerId) {
        self.0.remove(&broker);
    }

    /// Whether the broker is to be left alone now.
    pub(crate) fn is_isolated(&self, now: Instant, broker: BrokerId) -> bool {
        let until = self.0.get(&broker).and_then(|health| health.until);
        until.is_some_and(|until| until > now)
    }

    /// The brokers that are left alone now.
    pub(crate) fn isolated(&self, now: Instant) -> Vec<BrokerId> {
        self.0.keys().copied().filter(|broker| self.is_isolated(now, *broker)).collect()
    }

    /// What is known of a broker.
    pub(crate) fn of(&self, broker: BrokerId) -> Health {
        self.0.get(&broker).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn send_15_pauses_are_those_of_javas_table() {
        let table = [
            (0, 0),
            (50, 0),
            (549, 0),
            (550, 2_000),
            (1_799, 2_000),
            (1_800, 5_000),
            (3_000, 6_000),
            (5_000, 10_000),
            (15_000, 30_000),
            (60_000, 30_000),
        ];
        for (latency, pause) in table {
            assert_eq!(pause_after(millis(latency)), millis(pause), "{latency}");
        }
    }

    #[test]
    fn latency_is_averaged_over_about_eight_answers() {
        let (broker, mut healths) = (BrokerId(1), Healths::default());
        for _ in 0..4 {
            healths.answered(Instant::ZERO, broker, millis(8));
        }
        healths.answered(Instant::ZERO, broker, millis(16));
        assert_eq!(healths.of(broker).latency, millis(9));
        for _ in 0..40 {
            healths.answered(Instant::ZERO, broker, millis(80));
        }
        let latency = healths.of(broker).latency;
        assert!(latency > millis(79) && latency < millis(80), "{latency:?}");
    }

    #[test]
    fn a_success_rate_is_of_about_eight_tries_and_whole_until_one_fails() {
        let (broker, mut healths) = (BrokerId(1), Healths::default());
        assert_eq!(healths.of(broker).answered_ppm(), MILLION);
        healths.failed(Instant::ZERO, broker);
        assert_eq!(healths.of(broker).answered_ppm(), 875_000);
        for _ in 0..60 {
            healths.failed(Instant::ZERO, broker);
        }
        assert!(healths.of(broker).answered_ppm() < 1_000);
        for _ in 0..8 {
            healths.answered(Instant::ZERO, broker, millis(1));
        }
        let rate = healths.of(broker).answered_ppm();
        assert!((600_000..700_000).contains(&rate), "{rate}");
    }

    #[test]
    fn a_failed_broker_is_left_alone_for_ten_seconds_unless_it_answers() {
        let (broker, mut healths) = (BrokerId(3), Healths::default());
        let at = |millis| Instant::ZERO + Duration::from_millis(millis);
        healths.failed(at(0), broker);
        assert!(healths.is_isolated(at(9_999), broker) && !healths.is_isolated(at(10_000), broker));
        assert_eq!(healths.isolated(at(1)), [broker]);
        healths.answered(at(1), broker, millis(8));
        assert!(!healths.is_isolated(at(2), broker));
        healths.failed(at(2), broker);
        healths.recovered(broker);
        assert!(!healths.is_isolated(at(3), broker));
        let health = healths.of(broker);
        assert_eq!((health.answered, health.failed, health.latency), (1, 2, millis(8)));
    }
}
