//! Who is told which queues a consumer gains and loses: code of the application's, called without
//! the lock and in the order of the changes.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use crate::contain::contained;
use crate::name::{QueueName, Topic};

/// Queues of a consumer that have changed hands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "MessageQueueListener")]
pub struct QueueChange {
    /// Queues that are its own now, and are read from now on: after `handover_pause` where others
    /// may have had them.
    pub gained: Vec<QueueName>,
    /// Queues that are not any more. Their last commits have been sent, messages of them that are
    /// not settled go to other members, and can't be settled here.
    pub lost: Vec<QueueName>,
}

/// The queues of a topic, whoever reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "TopicMessageQueueChangeListener")]
pub struct TopicQueues {
    /// The topic.
    pub topic: Topic,
    /// All its queues that may be read.
    pub queues: Vec<QueueName>,
}

/// What a listener is told of.
#[derive(Debug)]
pub(crate) enum Told {
    /// Queues of its consumer.
    Own(QueueChange),
    /// Those of a topic.
    Topic(TopicQueues),
}

/// Code of the application's.
pub(crate) type OnQueues = Box<dyn FnMut(QueueChange) + Send>;
pub(crate) type OnTopics = Box<dyn FnMut(TopicQueues) + Send>;

/// One listener, and the changes that it has not been told of.
pub(crate) struct Listening {
    waiting: Mutex<VecDeque<Told>>,
    call: Mutex<Calls>,
}

/// The code of the application's that there is.
#[derive(Default)]
struct Calls {
    own: Option<OnQueues>,
    topics: Option<OnTopics>,
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listening")
    }
}

impl Listening {
    pub(super) fn new(call: OnQueues) -> Self {
        Self::of(Some(call), None)
    }

    pub(super) fn of(own: Option<OnQueues>, topics: Option<OnTopics>) -> Self {
        Self { waiting: Mutex::default(), call: Mutex::new(Calls { own, topics }) }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Told>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a change, under the client's lock: their order is that of the engine.
    pub(super) fn keep(&self, gained: Vec<QueueName>, lost: Vec<QueueName>) {
        self.waiting().push_back(Told::Own(QueueChange { gained, lost }));
    }

    /// Keeps the queues of a topic, likewise.
    pub(super) fn keep_topic(&self, topic: Topic, queues: Vec<QueueName>) {
        self.waiting().push_back(Told::Topic(TopicQueues { topic, queues }));
    }

    /// Tells what was kept, without the client's lock. A thread that is telling already, this one
    /// included, tells the rest. A listener that panics is told of the next change all the same.
    pub(super) fn tell(&self) {
        while !self.waiting().is_empty() {
            let mut call = match self.call.try_lock() {
                Ok(call) => call,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            loop {
                let Some(told) = self.waiting().pop_front() else { break };
                contained(|| match (told, &mut *call) {
                    (Told::Own(change), Calls { own: Some(own), .. }) => own(change),
                    (Told::Topic(queues), Calls { topics: Some(topics), .. }) => topics(queues),
                    _ => {}
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, OnceLock};

    use super::*;

    fn queue(queue: u32) -> QueueName {
        QueueName { topic: Topic::new("t").unwrap(), broker: "b".into(), queue }
    }

    #[test]
    fn changes_come_in_order_through_panics_and_calls_from_within() {
        let heard: Arc<Mutex<Vec<u32>>> = Arc::default();
        let (own, seen) = (Arc::new(OnceLock::<Arc<Listening>>::new()), heard.clone());
        let within = own.clone();
        let listening = Arc::new(Listening::new(Box::new(move |change| {
            let at = change.gained[0].queue;
            seen.lock().unwrap().push(at);
            if at == 0 {
                let listening = within.get().unwrap();
                listening.keep(vec![queue(2)], Vec::new());
                listening.tell();
                panic!("a listener's own fault");
            }
        })));
        own.set(listening.clone()).unwrap();
        listening.keep(vec![queue(0)], Vec::new());
        listening.keep(vec![queue(1)], Vec::new());
        listening.tell();
        assert_eq!(*heard.lock().unwrap(), [0, 1, 2]);
    }
}
