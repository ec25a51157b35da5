//! A consumer at work: acknowledges all it gets and keeps what it saw.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::{Consumer, Delivery, Start, Unreadable};

use super::Rig;

/// What a consumer saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// How often each message came, by its unique id.
    pub ids: HashMap<String, u32>,
    /// When each queue gave its last message.
    pub queues: HashMap<u32, Instant>,
}

impl Seen {
    /// Deliveries beyond the first of a message.
    pub fn duplicates(&self) -> u32 {
        self.ids.values().map(|count| count - 1).sum()
    }

    /// The queues that gave something since `from`.
    pub fn queues_since(&self, from: Instant) -> BTreeSet<u32> {
        let since = self.queues.iter().filter(|(_, at)| **at >= from);
        since.map(|(queue, _)| *queue).collect()
    }
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    seen: Mutex<Seen>,
}

enum Worker {
    Thread(thread::JoinHandle<Consumer>),
    Task(tokio::task::JoinHandle<Consumer>, tokio::runtime::Handle),
}

/// One consumer with a thread or task that reads from it.
pub struct Collector {
    shared: Arc<Shared>,
    worker: Option<Worker>,
}

/// How often a worker looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(50);

impl Shared {
    fn keep(&self, delivery: Result<Delivery, Unreadable>) {
        let delivery = delivery.expect("a readable message");
        let id = delivery.message().unique_id().expect("a unique id").to_owned();
        let queue = delivery.queue().queue;
        let mut seen = self.seen.lock().expect("no worker panicked");
        *seen.ids.entry(id).or_default() += 1;
        seen.queues.insert(queue, Instant::now());
        drop(seen);
        // A queue given up meanwhile gives the message to somebody else.
        delivery.ack();
    }

    fn stops(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Collector {
    /// A consumer of `group` from the first message of `topic` on.
    pub fn start(rig: &Rig, group: &str, topic: &str) -> Self {
        let builder = rig.client.consumer(group).expect("a group").topic(topic, "*");
        let consumer = builder.start_at(Start::First).start().expect("a consumer");
        Self::with(rig, consumer)
    }

    pub fn with(rig: &Rig, mut consumer: Consumer) -> Self {
        let shared = Arc::<Shared>::default();
        let own = shared.clone();
        let worker = match rig.handle() {
            None => Worker::Thread(thread::spawn(move || {
                while !own.stops() {
                    if let Ok(delivery) = consumer.recv_timeout(LOOK) {
                        own.keep(delivery);
                    }
                }
                consumer
            })),
            Some(handle) => {
                let task = handle.spawn(async move {
                    while !own.stops() {
                        if let Ok(next) = tokio::time::timeout(LOOK, consumer.next()).await {
                            let Ok(delivery) = next else { break };
                            own.keep(delivery);
                        }
                    }
                    consumer
                });
                Worker::Task(task, handle)
            }
        };
        Self { shared, worker: Some(worker) }
    }

    /// Looks at what came so far.
    pub fn look<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.shared.seen.lock().expect("no worker panicked"))
    }

    /// Takes the consumer back.
    pub fn stop(&mut self) -> Option<Consumer> {
        self.shared.stop.store(true, Ordering::Relaxed);
        match self.worker.take()? {
            Worker::Thread(thread) => Some(thread.join().expect("no panic")),
            Worker::Task(task, handle) => Some(handle.block_on(task).expect("no panic")),
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}
