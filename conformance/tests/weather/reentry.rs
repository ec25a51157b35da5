//! Code of the user's that calls back into the client at the worst moments.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::Stream;
use rocketry::proto::frame::RequestCode;
use rocketry::{Consumer, Message, Pending, Producer, SendError, SendReceipt, Start, Topic};

use crate::rig::{On, Rig, eventually};
use crate::{TOPIC, on_all, served};

on_all!(a_waker_may_send_while_it_is_woken_and_while_it_is_dropped);

type Sent = Pending<Result<SendReceipt, SendError>>;

/// A waker that sends on every wake and when it is dropped.
struct Hostile {
    producer: Producer,
    sent: Arc<Mutex<Vec<Sent>>>,
    woken: Arc<AtomicUsize>,
}

impl Hostile {
    fn send(&self) {
        let pending = self.producer.send(message());
        self.sent.lock().expect("no panic").push(pending);
    }
}

impl Wake for Hostile {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::SeqCst);
        self.send();
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.send();
    }
}

fn message() -> Message {
    Message::new(Topic::new(TOPIC).expect("a topic"), "x")
}

fn a_waker_may_send_while_it_is_woken_and_while_it_is_dropped(on: On) {
    let served = served();
    let rig = Rig::start(on, &served.namesrv());
    let producer = rig.client.producer("hostile").expect("a producer");
    let builder = rig.client.consumer("hostile").expect("a group").topic(TOPIC, "*");
    let mut consumer = builder.start_at(Start::First).start().expect("a consumer");
    let (sent, woken) = (Arc::default(), Arc::<AtomicUsize>::default());
    let waker = || {
        let (producer, sent, woken) = (producer.clone(), Arc::clone(&sent), woken.clone());
        Waker::from(Arc::new(Hostile { producer, sent, woken }))
    };
    let poll = |consumer: &mut Consumer, waker: &Waker| {
        Pin::new(consumer).poll_next(&mut Context::from_waker(waker))
    };
    // Slow enough that no answer comes before the last poll.
    let delay = Duration::from_millis(100);
    served.with(|cluster| cluster.set_delay(RequestCode::SEND_MESSAGE_V2, delay));
    let mut waiting = Vec::new();
    for _ in 0..50 {
        let mut pending = producer.send(message());
        // Each poll replaces the last waker, which drops and sends; the answer wakes the last one.
        for _ in 0..3 {
            let polled = Pin::new(&mut pending).poll(&mut Context::from_waker(&waker()));
            assert!(polled.is_pending());
        }
        waiting.push(pending);
        while let Poll::Ready(Some(delivery)) = poll(&mut consumer, &waker()) {
            assert!(
                delivery.expect("no end").expect("a readable message").ack().is_taken(),
                "ours still"
            );
        }
    }
    let often = eventually(Duration::from_secs(5), || woken.load(Ordering::SeqCst) > 50);
    assert!(often, "woken {} times", woken.load(Ordering::SeqCst));
    served.with(|cluster| cluster.set_delay(RequestCode::SEND_MESSAGE_V2, Duration::ZERO));
    for pending in waiting {
        pending.wait().expect("sent");
    }
    let all = std::mem::take(&mut *sent.lock().expect("no panic"));
    assert!(all.len() > 50);
    for pending in all {
        pending.wait().expect("sent from inside a waker");
    }
    let mut end = rig.client.shutdown();
    let _ = Pin::new(&mut end).poll(&mut Context::from_waker(&waker()));
    end.wait().expect("an end");
}
