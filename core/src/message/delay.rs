//! Messages for later: delays of any length, a time, and who goes first.

use std::time::Duration;

use super::message::Message;
use super::properties::{self, value_range};
use crate::time::UnixMillis;

/// Brokers' delay levels in seconds, unless they are told otherwise (`messageDelayLevel`).
pub(crate) const DELAY_LEVELS: [u64; 18] =
    [1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200];
/// Three hundred years, in milliseconds: no broker takes that much, nor overflows by it.
const MOST: u128 = 300 * 365 * 86_400_000;
/// All that delays a message.
const DELAYS: [&str; 4] = [
    properties::DELAY,
    properties::TIMER_DELAY_SEC,
    properties::TIMER_DELAY_MS,
    properties::TIMER_DELIVER_MS,
];

impl Message {
    /// Delivers the message so much later, by the broker's clock and to the second: up to 3 days,
    /// unless the broker was told otherwise (`timerMaxDelaySec`). Zero: at once.
    ///
    /// A broker from 5.0 on gets a timer message (`TIMER_DELAY_SEC`, or `TIMER_DELAY_MS` for parts
    /// of seconds). An older one knows nothing but [levels](Self::delay_level), and gets the first
    /// one that is not shorter, by the table that brokers have unless they are told otherwise:
    /// 45 s become a minute. Longer than the last level, 2 h, can't be had of it, and the send ends
    /// as [`SendError::Unsupported`](crate::error::SendError::Unsupported). What a broker is, its
    /// answer to a heartbeat tells, which is waited for once a connection.
    ///
    /// A delay that is too long for a broker ends the send as `Rejected` with `MESSAGE_ILLEGAL`
    /// (13); so does, with `SYSTEM_ERROR`, one whose timers are off (`timerWheelEnable`).
    #[must_use]
    #[doc(alias = "setDelayTimeSec", alias = "setDelayTimeMs", alias = "WithDelayTimeLevel")]
    pub fn delay(self, delay: Duration) -> Self {
        // Not earlier than asked for: parts of milliseconds count as whole ones.
        let millis = delay.as_nanos().div_ceil(1_000_000).min(MOST) as u64;
        let message = self.at_once();
        let mut number = itoa::Buffer::new();
        match (millis / 1000, millis % 1000) {
            (0, 0) => message,
            (seconds, 0) => message.set(properties::TIMER_DELAY_SEC, number.format(seconds)),
            _ => message.set(properties::TIMER_DELAY_MS, number.format(millis)),
        }
    }

    /// Delivers the message at that time, by the broker's clock and to the second; at once, where
    /// it is past. As [`delay`](Self::delay) otherwise (`TIMER_DELIVER_MS`); brokers before 5.0 get
    /// the level that is long enough from when the message is made, by this client's clock.
    ///
    /// ```
    /// # use rocketry_core::message::Message;
    /// # use std::time::{Duration, SystemTime};
    /// let tomorrow = SystemTime::now() + Duration::from_secs(86_400);
    /// let reminder = Message::new("reminders", "pay order 1848").deliver_at(tomorrow);
    /// ```
    #[must_use]
    #[doc(alias = "setDeliverTimeMs", alias = "setDeliveryTimestamp")]
    pub fn deliver_at(self, time: impl Into<UnixMillis>) -> Self {
        let mut number = itoa::Buffer::new();
        self.at_once().set(properties::TIMER_DELIVER_MS, number.format(time.into().0))
    }

    /// How soon the message is popped, among those of its topic: the higher, the sooner
    /// (`Message.setPriority`, 5.4). It counts in topics made for it (`message.type` `PRIORITY`)
    /// that are popped from, at brokers from 5.4 on; all others deliver the message as any other.
    #[must_use]
    #[doc(alias = "setPriority")]
    pub fn priority(self, priority: u32) -> Self {
        let priority = priority.min(i32::MAX as u32);
        self.set(properties::PRIORITY, itoa::Buffer::new().format(priority))
    }

    /// Without any delay.
    pub(super) fn at_once(mut self) -> Self {
        if self.delays() {
            DELAYS.iter().for_each(|name| properties::remove(&mut self.properties, name));
        }
        self
    }

    /// Whether it is for later, however that was said: a half message is sent without.
    pub fn delays(&self) -> bool {
        properties::has_any(&self.properties, &DELAYS)
    }

    /// Of a message for a time that is made at `born`, the properties for brokers that know nothing
    /// but levels, if there is one that is long enough.
    pub(super) fn for_older(&self, born: UnixMillis) -> Option<Option<String>> {
        if !self.delays() {
            return None;
        }
        let number = |name| self.properties[value_range(&self.properties, name)?].parse().ok();
        let millis: i64 = number(properties::TIMER_DELAY_SEC)
            .map(|seconds: i64| seconds.saturating_mul(1000))
            .or_else(|| number(properties::TIMER_DELAY_MS))
            .or_else(|| Some(number(properties::TIMER_DELIVER_MS)?.saturating_sub(born.0)))?;
        let message = Self { body: Default::default(), ..self.clone() }.at_once();
        let seconds = u64::try_from(millis).unwrap_or(0).div_ceil(1000);
        if seconds == 0 {
            return Some(Some(message.properties));
        }
        let level = DELAY_LEVELS.iter().position(|level| *level >= seconds);
        Some(level.map(|place| message.delay_level(place as u32 + 1).properties))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message::new("orders", "x").tag("paid")
    }

    fn text(message: &Message) -> String {
        message.properties.replace('\x01', "=").replace('\x02', " ")
    }

    #[test]
    fn the_last_delay_that_is_said_counts() {
        let later = message().delay_level(3).delay(Duration::from_secs(45));
        assert_eq!(text(&later), "TAGS=paid TIMER_DELAY_SEC=45 ");
        let later = later.deliver_at(UnixMillis(7)).delay(Duration::from_micros(1_500_001));
        assert_eq!(text(&later), "TAGS=paid TIMER_DELAY_MS=1501 ");
        let later = later.delay_level(4);
        assert_eq!(text(&later), "TAGS=paid DELAY=4 ");
        assert!(later.delays() && !later.clone().delay(Duration::ZERO).delays());
        assert_eq!(
            text(&later.delay(Duration::ZERO).priority(7)),
            "TAGS=paid _SYS_MSG_PRIORITY_=7 "
        );
        let most = text(&message().delay(Duration::MAX));
        assert_eq!(most, "TAGS=paid TIMER_DELAY_SEC=9460800000 ");
    }

    #[test]
    fn older_brokers_get_the_first_level_that_is_not_shorter() {
        let born = UnixMillis(1_700_000_000_000);
        let older = |later: Message| {
            let older = later.for_older(born).expect("it is for a time");
            older.map(|wire| wire.replace('\x01', "=").replace('\x02', " "))
        };
        let after = |millis| older(message().delay(Duration::from_millis(millis)));
        for (millis, level) in [(1, 1), (1000, 1), (1001, 2), (45_000, 5), (7_200_000, 18)] {
            assert_eq!(after(millis), Some(format!("TAGS=paid DELAY={level} ")), "{millis}");
        }
        assert_eq!(after(7_200_001), None);
        let at = |millis| older(message().deliver_at(UnixMillis(born.0 + millis)));
        assert_eq!(at(600_000), Some("TAGS=paid DELAY=14 ".to_owned()));
        assert_eq!(at(-1), Some("TAGS=paid ".to_owned()));
        assert_eq!(message().delay_level(3).for_older(born), None);
        assert_eq!(message().for_older(born), None);
    }
}
