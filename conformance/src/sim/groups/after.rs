//! After the calm, without faults: what changes hands comes no second time, offsets that brokers
//! lose are given again, and a reset holds.

use std::time::Duration;

use rocketry_core::frame::RequestCode;

use super::holds::ROUND;
use super::{GROUPS, Run, SECOND, TOPIC, ms};
use crate::sim::app::Pace;
use crate::sim::fates::Kind;

impl Run {
    pub(super) fn after_calm(&mut self) {
        for member in self.members.clone() {
            self.world.set_pace(member.client, member.sub, self.at_once(member.group));
        }
        self.live_for(2 * SECOND);
        self.assert_handed_over();
        self.assert_drained();
        self.assert_given_again();
        self.assert_reset();
    }

    const fn at_once(&self, group: usize) -> Pace {
        if self.is_orderly(group) {
            Pace::InOrder(Duration::ZERO)
        } else {
            Pace::Judging(Duration::ZERO)
        }
    }

    /// Sends so many, one each 40 ms.
    fn send_some(&mut self, kind: Kind, count: u64) {
        (0..count).for_each(|i| self.send_later(ms(40 * i), kind, TOPIC, i));
    }

    /// One joins the first group: whoever loses queues commits before they are read elsewhere.
    fn assert_handed_over(&mut self) {
        let before = self.world.repeated(GROUPS[0]).handled;
        self.send_some(Kind::Good, 40);
        self.live_for(SECOND);
        let member = self.join(0, None);
        self.world.set_pace(member.client, member.sub, self.at_once(0));
        self.live_for(6 * SECOND);
        let repeated = self.world.repeated(GROUPS[0]).handled - before;
        assert_eq!(repeated, 0, "messages came again when {member:?} joined");
    }

    /// It finishes, with messages on their way back: those are waited for.
    fn assert_drained(&mut self) {
        self.assert_ends("before one finishes");
        let code = RequestCode::CONSUMER_SEND_MSG_BACK;
        self.world.with_cluster(|cluster| cluster.set_delay(code, ms(500)));
        let before = self.world.repeated(GROUPS[0]).sent_back;
        self.send_some(Kind::Hopeless, 40);
        self.live_for(SECOND);
        let Some(member) = self.staying(0).last().copied() else { return };
        let drained = self.world.drain(member.client, member.sub, 5 * SECOND);
        assert!(drained.is_ok(), "{member:?} could not finish");
        let same =
            |other: &&mut super::Member| other.client == member.client && other.sub == member.sub;
        self.members.iter_mut().filter(same).for_each(|other| other.stays = false);
        self.live_for(8 * SECOND);
        let repeated = self.world.repeated(GROUPS[0]).sent_back - before;
        assert_eq!(repeated, 0, "messages came again when {member:?} finished");
        self.world.with_cluster(|cluster| cluster.set_delay(code, Duration::ZERO));
    }

    /// Brokers lose the offsets of the last seconds: they are given again once they are there.
    fn assert_given_again(&mut self) {
        self.send_some(Kind::Good, 20);
        self.live_for(SECOND);
        self.assert_ends("before brokers die");
        for (broker, _) in self.world.masters() {
            self.world.crash(broker);
        }
        self.live_for(SECOND);
        for (broker, _) in self.world.masters() {
            self.world.bring_up(broker);
        }
        self.assert_ends("after brokers died");
    }

    /// The group of one begins anew, with messages done and not stored so.
    fn assert_reset(&mut self) {
        let group = GROUPS[2];
        self.send_some(Kind::Good, 16);
        self.live_for(2 * SECOND);
        if !self.world.reset_to_first(group, TOPIC) {
            return;
        }
        let stored = self.live_until(ROUND, |world| world.resets_left(group, TOPIC) == 0);
        assert!(stored.is_some(), "a reset of {group} was not stored");
        self.assert_ends("after a reset");
    }
}
