//! The short way from what is at hand to whoever takes it, for most messages: nothing but the
//! checksum is looked at in the body, and the delivery is made where it is taken. What is made
//! deeper inside is moved from frame to frame, which costs as much as settling it.

use super::consumer::Consumer;
use super::delivery::Delivery;

impl Consumer {
    /// The next message, if it is at hand and nothing about it is special: else the long way tells.
    #[inline]
    pub(super) fn plain(&mut self) -> Option<Delivery> {
        let index = self.hand_out_plain()?;
        let run = self.current.as_ref()?;
        Some(Delivery::plain(&run.batch, index))
    }

    /// Hands out the next message at hand: its place in its batch. `None`, and nothing is changed,
    /// unless it comes for the first time, in no order, to no filter of the application's, and with
    /// the body that is stored.
    fn hand_out_plain(&mut self) -> Option<u32> {
        let run = self.current.as_mut()?;
        let (batch, index) = (&*run.batch, run.next);
        let plain = index < run.end
            && run.again == 0
            && self.opening.wanted.is_none()
            && self.gathered.is_empty()
            && !batch.is_orderly()
            && !batch.is_revoked()
            && !self.control.is_suspended()
            && !batch.is_settled(index)
            && batch.wanted(index)
            && batch.records().is_plain(index as usize)
            && batch.hand_out(index);
        if !plain {
            return None;
        }
        batch.belongs_to(self.owner.shared().home());
        run.next += 1;
        self.unwanted = 0;
        Some(index)
    }
}
