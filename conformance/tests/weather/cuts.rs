//! Connections cut inside a frame, at every kind of place, in both directions.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rocketry::{Message, Topic};
use rocketry_conformance::proxy::{Direction, Proxy};
use rocketry_conformance::serve::Served;

use crate::rig::collector::Collector;
use crate::rig::{On, Rig, eventually};
use crate::{TOPIC, on_all, served};

on_all!(
    fault_05_fault_06_fault_07_a_cut_inside_a_frame_of_the_broker_loses_nothing,
    a_cut_inside_a_route_is_asked_again,
    fault_11_a_broker_that_stalls_ends_calls_by_their_deadline_and_goes_on,
    fault_08_a_reset_and_a_closed_port_lose_nothing,
    a_message_for_a_time_names_a_broker_that_answers_nothing,
);

/// A body that makes every frame longer than the offsets below.
const BODY: usize = 3000;
/// Inside the length, the header's length, the header, and the body of what a client sends.
const UP: [u64; 9] = [0, 1, 3, 4, 6, 9, 150, 700, 2500];
/// The same for what a broker answers: its sends have no body, its pulls do.
const DOWN: [u64; 9] = [0, 1, 3, 4, 6, 9, 60, 120, 2000];

/// A served cluster whose broker is reached by the proxy.
fn behind_proxy() -> (Served, Proxy) {
    let served = served();
    let proxy = Proxy::start(served.broker(0).expect("a broker")).expect("a proxy");
    served.with(|cluster| cluster.set_endpoint(0, &proxy.address().to_string()));
    (served, proxy)
}

fn message() -> Message {
    Message::new(Topic::new(TOPIC).expect("a topic"), vec![b'y'; BODY])
}

fn fault_05_fault_06_fault_07_a_cut_inside_a_frame_of_the_broker_loses_nothing(on: On) {
    let (served, proxy) = behind_proxy();
    let rig = Rig::start(on, &served.namesrv());
    let producer = rig.client.producer("cuts").expect("a producer");
    let collector = Collector::start(&rig, "cuts", TOPIC);
    let mut ids = Vec::new();
    let mut send_some = || {
        let pending: Vec<_> = (0..20).map(|_| producer.send(message())).collect();
        for pending in pending {
            let receipt = pending.wait().expect("one cut costs one try");
            ids.push(receipt.message_id.to_string());
        }
    };
    send_some();
    let cuts = UP.map(|at| (Direction::Up, at)).into_iter();
    let cuts = cuts.chain(DOWN.map(|at| (Direction::Down, at)));
    for (number, (direction, at)) in cuts.enumerate() {
        proxy.cut_after(direction, at);
        send_some();
        let cut = eventually(Duration::from_secs(5), || proxy.cuts() == number as u64 + 1);
        assert!(cut, "{direction:?} {at}: {} cuts", proxy.cuts());
    }
    let missing = || {
        let came = |seen: &crate::rig::collector::Seen| {
            ids.iter().filter(|id| !seen.ids.contains_key(*id)).count()
        };
        collector.look(came)
    };
    assert!(eventually(Duration::from_secs(10), || missing() == 0), "{} never came", missing());
}

fn a_cut_inside_a_route_is_asked_again(on: On) {
    for at in [0, 2, 5, 40, 300] {
        let served = served();
        let nameserver = served.namesrv().parse().expect("an address");
        let proxy = Proxy::start(nameserver).expect("a proxy");
        proxy.cut_after(Direction::Down, at);
        let rig = Rig::start(on, &proxy.address().to_string());
        let producer = rig.client.producer("cuts").expect("a producer");
        producer.send(message()).wait().expect("the route is asked again");
        assert_eq!((proxy.cuts(), proxy.taken()), (1, 2));
    }
}

fn fault_11_a_broker_that_stalls_ends_calls_by_their_deadline_and_goes_on(on: On) {
    let (served, proxy) = behind_proxy();
    let mut config = rocketry::Config::new(served.namesrv()).expect("settings that work");
    config.send_timeout = Duration::from_millis(500);
    let rig = Rig::with(on, config);
    let producer = rig.client.producer("cuts").expect("a producer");
    producer.send(message()).wait().expect("sent");
    for direction in [Direction::Up, Direction::Down] {
        proxy.stall(direction);
        let begun = std::time::Instant::now();
        let error = producer.send(message()).wait().expect_err("no answer");
        assert!(matches!(error, rocketry::SendError::TimedOut { .. }), "{error}");
        assert_eq!(error.stored(), rocketry::Stored::Unknown);
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        proxy.go_on(direction);
        producer.send(message()).wait().expect("it goes on");
    }
    assert_eq!(proxy.taken(), 1, "a stall is no reason to connect anew");
}

fn fault_08_a_reset_and_a_closed_port_lose_nothing(on: On) {
    let (served, proxy) = behind_proxy();
    let rig = Rig::start(on, &served.namesrv());
    let producer = rig.client.producer("cuts").expect("a producer");
    producer.send(message()).wait().expect("sent");
    proxy.reset();
    producer.send(message()).wait().expect("sent again");
    proxy.refuse();
    proxy.reset();
    let waits = producer.send(message());
    std::thread::sleep(Duration::from_millis(600));
    proxy.admit().expect("the port is free");
    waits.wait().expect("sent before the deadline");
    assert!(served.with(|cluster| cluster.stored(TOPIC)) >= 3);
}

/// As one does that wants TLS: such a message waits for its version.
fn a_message_for_a_time_names_a_broker_that_answers_nothing(on: On) {
    let (served, listener) = (served(), TcpListener::bind("127.0.0.1:0").expect("a port"));
    let address = listener.local_addr().expect("an address");
    served.with(|cluster| cluster.set_endpoint(0, &address.to_string()));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while let Ok((mut socket, _)) = listener.accept()
                && !over.load(Ordering::Relaxed)
            {
                // What has come is read, so that the end is no reset.
                let _ = socket.read(&mut [0; 4096]);
            }
        });
        let mut config = rocketry::Config::new(served.namesrv()).expect("settings that work");
        config.send_timeout = Duration::from_secs(1);
        let rig = Rig::with(on, config);
        let producer = rig.client.producer("cuts").expect("a producer");
        let error = producer.send(message().delay(Duration::from_secs(3))).wait();
        let error = error.expect_err("its version is never told").to_string();
        over.store(true, Ordering::Relaxed);
        drop(rig);
        let _ = TcpStream::connect(address);
        assert!(error.contains("set tls"), "{error}");
    });
}
