//! Callers that send until they are told to stop, and keep what came of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rocketry::{Message, Producer, SendError, SendReceipt, Topic};

use super::{Rig, eventually};

/// What came of the sends so far.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Stored, and when the answer came.
    pub sent: Vec<(SendReceipt, Instant)>,
    /// What the others ended with.
    pub failed: Vec<SendError>,
    /// The longest that any of them took.
    pub slowest: Duration,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    outcome: Mutex<Outcome>,
}

#[derive(Debug)]
enum Caller {
    Thread(thread::JoinHandle<()>),
    Task(tokio::task::JoinHandle<()>),
}

/// Callers at work: threads that wait, or tasks that await.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    callers: Vec<Caller>,
}

impl Shared {
    /// Keeps the result of what was begun then. False when the callers are to stop.
    fn keep(&self, begun: Instant, result: Result<SendReceipt, SendError>) -> bool {
        let now = Instant::now();
        let mut outcome = self.outcome.lock().expect("no caller panicked");
        outcome.slowest = outcome.slowest.max(now - begun);
        match result {
            Ok(receipt) => outcome.sent.push((receipt, now)),
            Err(error) => outcome.failed.push(error),
        }
        !self.stop.load(Ordering::Relaxed)
    }
}

impl Load {
    /// `callers` of them, each with one send at a time and `pause` between two.
    pub fn start(rig: &Rig, topic: &str, callers: usize, pause: Duration) -> Self {
        let producer = rig.client.producer("load").expect("a producer");
        let topic = Topic::new(topic).expect("a topic");
        let shared = Arc::<Shared>::default();
        let spawn = |_| {
            let (own, producer, topic) = (shared.clone(), producer.clone(), topic.clone());
            match &rig.tokio {
                None => {
                    Caller::Thread(thread::spawn(move || on_thread(&own, &producer, &topic, pause)))
                }
                Some(tokio) => Caller::Task(tokio.spawn(async move {
                    while own.keep(Instant::now(), producer.send(message(&topic)).await) {
                        tokio::time::sleep(pause).await;
                    }
                })),
            }
        };
        let callers = (0..callers).map(spawn).collect();
        Self { shared, callers }
    }

    /// Looks at what came so far.
    pub fn look<T>(&self, look: impl FnOnce(&Outcome) -> T) -> T {
        look(&self.shared.outcome.lock().expect("no caller panicked"))
    }

    /// The longest that any send took so far; measured anew from here on.
    pub fn forget_slowest(&self) -> Duration {
        let mut outcome = self.shared.outcome.lock().expect("no caller panicked");
        std::mem::take(&mut outcome.slowest)
    }

    /// When the first message that was answered after `from` was answered; waits for it.
    pub fn first_after(&self, from: Instant, within: Duration) -> Option<Instant> {
        let mut first = None;
        eventually(within, || {
            first = self.look(|outcome| {
                outcome.sent.iter().map(|(_, at)| *at).filter(|at| *at > from).min()
            });
            first.is_some()
        });
        first
    }

    /// Tells the callers to stop.
    pub fn tell(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }

    /// Whether every caller has ended.
    pub fn has_ended(&self) -> bool {
        self.callers.iter().all(|caller| match caller {
            Caller::Thread(thread) => thread.is_finished(),
            Caller::Task(task) => task.is_finished(),
        })
    }

    /// Stops the callers and gives what came of it.
    pub fn stop(self) -> Outcome {
        self.tell();
        assert!(eventually(Duration::from_secs(20), || self.has_ended()), "a send never ended");
        std::mem::take(&mut *self.shared.outcome.lock().expect("no caller panicked"))
    }
}

fn on_thread(shared: &Shared, producer: &Producer, topic: &Topic, pause: Duration) {
    while shared.keep(Instant::now(), producer.send(message(topic)).wait()) {
        thread::sleep(pause);
    }
}

fn message(topic: &Topic) -> Message {
    Message::new(topic.clone(), vec![b'x'; 200])
}
