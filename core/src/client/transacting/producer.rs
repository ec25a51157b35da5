//! The handle that begins transactions.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::super::checking::{Checker, Checking};
use super::super::pending::Pending;
use super::super::producing::ProducerOptions;
use super::super::shared::{Owner, Shared};
use super::super::waiting::SendEnd;
use super::half::{Begin, HalfMessage, Undecided};
use super::options::{TransactionOptions, TransactionRunError};
use crate::contain::contained;
use crate::error::{Refused, SendError, Stored};
use crate::message::{Message, MessageError, MessageLimits, Publish, UniqueId};
use crate::name::{Group, Topic};
use crate::producer::SendOptions;
use crate::transaction::{CheckedHalf, HalfOptions, Resolution, TransactionReceipt};

/// Sends messages that are delivered if local work succeeds, and else never. Cheap to clone, and
/// used from any number of threads and tasks at once.
///
/// A transaction [begins](Self::begin) with a half message, which its broker stores and shows to
/// nobody. Then the application does its work, and [commits](HalfMessage::commit) or [rolls
/// back](HalfMessage::roll_back). A broker that is told neither asks, 6 s after the message's birth
/// at the soonest and then every 30 s, up to 15 times (`transactionTimeOut`,
/// `transactionCheckInterval`, `transactionCheckMax`): any client with a transaction producer of
/// the group, whose *checker* says how the work ended. So a checker must know that of all half
/// messages of its group, also of those that other processes began: it looks into the database that
/// the local work has written to. What it does not know it calls [`Resolution::Unknown`].
///
/// The checker is one for a client and group: that of the last producer that was made, or had one
/// [set](Self::set_checker). It is called for one half message after the other; a panic in it is an
/// unknown.
#[derive(Clone, Debug)]
#[doc(alias = "TransactionMQProducer", alias = "NewTransactionProducer")]
pub struct TransactionProducer {
    place: Arc<Place>,
}

/// What all clones of a producer have together, and the half messages that it has begun.
#[derive(Debug)]
pub(super) struct Place {
    owner: Arc<Owner>,
    group: Group,
    options: TransactionOptions,
    limits: MessageLimits,
    checking: Arc<Checking>,
}

impl Place {
    pub(super) fn shared(&self) -> &Arc<Shared> {
        self.owner.shared()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What the map held is dropped after the lock.
        let gone = self.shared().run(|core, now| {
            core.engine.answer_no_more(now, &self.group);
            let (count, _) = core.checkers.get_mut(&self.group)?;
            *count -= 1;
            if *count == 0 { core.checkers.remove(&self.group) } else { None }
        });
        drop(gone);
    }
}

impl TransactionProducer {
    pub(in crate::client) fn new(
        owner: Arc<Owner>,
        group: Group,
        checker: Checker,
        options: TransactionOptions,
    ) -> Self {
        let (limits, fresh) =
            (ProducerOptions::default(), Arc::new(Checking::new(checker.clone())));
        let limits = limits.limits(owner.shared().config());
        let checking = owner.shared().run(|core, now| {
            let checkers = &mut core.checkers;
            let (count, kept) = checkers.entry(group.clone()).or_insert_with(|| (0, fresh.clone()));
            *count += 1;
            let kept = kept.clone();
            core.engine.answer_for(now, &group);
            kept
        });
        let checking = checking.unwrap_or_else(|| fresh.clone());
        if !Arc::ptr_eq(&checking, &fresh) {
            drop(checking.set(checker));
        }
        Self { place: Arc::new(Place { owner, group, options, limits, checking }) }
    }

    /// Its group.
    pub fn group(&self) -> &Group {
        &self.place.group
    }

    /// Puts another checker in the place of the group's, for checks that it has not begun with.
    ///
    /// ```no_run
    /// # use rocketry_core::client::TransactionProducer;
    /// # use rocketry_core::transaction::Resolution;
    /// # fn f(producer: &TransactionProducer, paid: fn(&str) -> Option<bool>) {
    /// producer.set_checker(move |half| match paid(half.transaction_id()) {
    ///     Some(true) => Resolution::Commit,
    ///     Some(false) => Resolution::RollBack,
    ///     None => Resolution::Unknown,
    /// });
    /// # }
    /// ```
    #[doc(alias = "setTransactionListener")]
    pub fn set_checker(&self, check: impl Fn(&CheckedHalf) -> Resolution + Send + Sync + 'static) {
        drop(self.place.checking.set(Checker::Blocking(Arc::new(check))));
    }

    /// The same with a checker that is a task of the runtime.
    pub fn set_checker_async<F>(
        &self,
        check: impl Fn(Arc<CheckedHalf>) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Resolution> + Send + 'static,
    {
        drop(self.place.checking.set(Checker::task(check)));
    }

    /// Has the brokers of a topic able to ask this client, also while it sends nothing there: about
    /// half messages of the group whose producer is gone. Topics that half messages were sent to
    /// are attended anyway. Sends a route request, connects to the masters, and keeps that up.
    pub fn attend(&self, topic: &Topic) {
        self.place.owner.shared().run(|core, now| core.engine.attend(now, topic));
    }

    /// Sends a half message (310 with `TRAN_MSG`): stored, and seen by nobody until it is
    /// [committed](HalfMessage::commit).
    ///
    /// It is given to one broker, once: where its answer is lost, a second copy would have to end
    /// as well. The call is under way when this returns, and ends by `send_timeout`. On an error no
    /// local work is to be done; if the message is stored all the same, it is rolled back. Dropping
    /// the [`Begin`], or the [`HalfMessage`] that comes of it, leaves it to the broker's checks.
    ///
    /// A delay is left out, with a warning in the log: brokers would apply a level to the half
    /// message (`DefaultMQProducerImpl.sendMessageInTransaction`).
    ///
    /// ```no_run
    /// # use rocketry_core::client::TransactionProducer;
    /// # use rocketry_core::message::Message;
    /// # type Failure = Box<dyn std::error::Error>;
    /// # fn f(orders: &TransactionProducer, store: fn(&str) -> bool) -> Result<(), Failure> {
    /// let order = Message::new("orders", "3 apples").transaction_id("order-7");
    /// let half = orders.begin(order).wait()?;
    /// let receipt = match store("order-7") {
    ///     true => half.commit().wait()?,
    ///     false => half.roll_back().wait()?,
    /// };
    /// println!("{:?}", receipt.state);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "sendMessageInTransaction", alias = "SendMessageInTransaction")]
    #[doc(alias = "send_message_in_transaction")]
    pub fn begin(&self, message: Message) -> Begin {
        self.begin_with(message, SendOptions::default())
    }

    /// As [`begin`](Self::begin), to a queue of its own or with a deadline of its own. What
    /// `options` say of attempts and of oneway sends counts for nothing, nor does an order.
    pub fn begin_with(&self, message: Message, options: SendOptions) -> Begin {
        let mut options = options.attempts(1);
        options.timeout = options.timeout.or(self.place.options.timeout);
        (options.oneway, options.ordered) = (false, false);
        let message = self.checked_after(message);
        let mut half = HalfOptions {
            work_limit: self.place.options.work_limit,
            transaction_id: message.own_transaction_id().map(Arc::from),
            delayed: message.delays(),
            check_after: message.own_check_after(),
        };
        let publish = match self.publish(message) {
            Ok(publish) => Arc::new(publish),
            Err(error) => return Begin::failed(error.into()),
        };
        let shared = self.place.owner.shared();
        let (id, ids) = (publish.unique_id(), publish.ids());
        let name = half.transaction_id.get_or_insert_with(|| id.as_str().into()).clone();
        let begun = shared.run(|core, now| {
            let op = core.engine.begin_half(now, publish.clone(), options, half)?;
            core.waiting.insert::<SendEnd>(op);
            Ok::<_, Refused>(op)
        });
        let gone = || {
            let (stored, ids) = (Stored::No, Some(ids.clone()));
            shared.nobody(SendError::RuntimeGone { stored, ids })
        };
        match begun.ok_or_else(gone).and_then(|begun| begun.map_err(SendError::from)) {
            Ok(op) => Begin {
                call: Pending::call::<SendEnd>(shared.clone(), op).of(ids),
                half: Some(self.undecided(id, name)),
            },
            Err(error) => Begin::failed(error),
        }
    }

    fn undecided(&self, id: UniqueId, name: Arc<str>) -> Undecided {
        let (place, decided) = (self.place.clone(), AtomicBool::new(false));
        Undecided { place, id, name, decided }
    }

    fn checked_after(&self, message: Message) -> Message {
        match self.place.options.check_after {
            Some(after) if message.own_check_after().is_none() => message.check_after(after),
            Some(_) | None => message,
        }
    }

    fn publish(&self, message: Message) -> Result<Publish, MessageError> {
        let shared = self.place.owner.shared();
        let born = shared.clock().unix();
        let id = shared.ids().next(born);
        Publish::half(message, &self.place.group, id, born, &self.place.limits)
    }

    /// One transaction from begin to end, on this thread: sends the half message, does the local
    /// work, and tells the broker what that comes to. A panic in the work is an unknown: the
    /// checker says later how far it got.
    ///
    /// ```no_run
    /// # use rocketry_core::client::TransactionProducer;
    /// # use rocketry_core::message::Message;
    /// # use rocketry_core::transaction::Resolution;
    /// # type Failure = Box<dyn std::error::Error>;
    /// # fn f(orders: &TransactionProducer, store: fn(&str) -> bool) -> Result<(), Failure> {
    /// orders.run(Message::new("orders", "3 apples").transaction_id("order-7"), |half| {
    ///     if store(half.transaction_id()) { Resolution::Commit } else { Resolution::RollBack }
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "executeLocalTransaction")]
    pub fn run(
        &self,
        message: Message,
        work: impl FnOnce(&HalfMessage) -> Resolution,
    ) -> Result<TransactionReceipt, TransactionRunError> {
        let half = self.begin(message).wait()?;
        let said = contained(|| work(&half)).unwrap_or(Resolution::Unknown);
        Ok(half.end(said).wait()?)
    }

    /// The same with work that is awaited. Dropping the future before the work is done leaves the
    /// half message to the broker's checks.
    pub async fn run_async<F>(
        &self,
        message: Message,
        work: impl FnOnce(Arc<HalfMessage>) -> F,
    ) -> Result<TransactionReceipt, TransactionRunError>
    where
        F: Future<Output = Resolution>,
    {
        let half = Arc::new(self.begin(message).await?);
        let said = work(half.clone()).await;
        Ok(half.undecided.end(said).await?)
    }
}
