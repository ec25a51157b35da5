//! Bad weather on real sockets: wrong addresses, brokers that go and come back, connections cut
//! anywhere, ends in every order. On every runtime alike, against the embedded broker.

mod address;
mod appender;
mod callers;
mod children;
mod connections;
mod cuts;
mod denials;
mod draining;
mod driving;
mod ending;
mod filters;
mod gathering;
mod handlers;
mod handles;
mod hooks;
mod leaks;
mod mixing;
mod options;
mod owners;
mod polling;
mod reentry;
mod restart;
mod scale;
mod shares;
mod sharing;
mod sieges;
mod starting;
mod stores;
mod topics;
mod transactions;
#[path = "../../../runtime-std/src/base/trial.rs"]
mod trial;
mod unreadable;
mod workers;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rocketry::Config;
use rocketry::proto::name::Endpoint;
use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::rig;
use rocketry_conformance::serve::Served;
use socket2::{Domain, Socket, Type};

/// The topic of these tests, with eight queues.
const TOPIC: &str = "weather";

/// A served cluster of one broker that has [`TOPIC`].
fn served() -> Served {
    Served::start(ClusterConfig::default().topic(TOPIC, 8)).expect("a served cluster")
}

/// An address that swallows who connects, for as long as the sockets live.
fn black_hole() -> (SocketAddr, Socket, Vec<TcpStream>) {
    trial::black_hole().expect("sockets")
}

/// A port of 127.0.0.1 where nobody listens, and that no other test is given meanwhile.
struct Closed(Socket);

impl Closed {
    fn port() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a port");
        Self(socket)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().ok().and_then(|address| address.as_socket()).expect("an address")
    }
}

/// A peer that takes connections and reads nothing. Dropping it closes them.
struct Deaf {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<TcpStream>>>,
}

impl Deaf {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let taken = Arc::<Mutex<Vec<TcpStream>>>::default();
        let kept = Arc::downgrade(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Some(kept) = kept.upgrade() else { return };
                kept.lock().expect("no panic").extend(stream);
            }
        });
        Self { address, taken }
    }

    /// Closes every connection.
    fn hang_up(&self) {
        self.taken.lock().expect("no panic").clear();
    }
}

/// Settings of a client that takes the only broker of a cluster to be at `address`, and tries once.
fn broker_at(address: SocketAddr, served: &Served) -> Config {
    let mut config = Config::new(served.namesrv()).expect("settings that work");
    let broker = served.broker(0).expect("it listens").to_string();
    let endpoint = Endpoint::parse(&address.to_string()).expect("an address");
    config.rewrite_addresses = vec![(broker, endpoint)];
    config.send_attempts = 1;
    config
}

/// Makes it the one logger of this process, for records of every level.
fn install<L: log::Log>(logger: L) -> &'static L {
    let logger: &'static L = Box::leak(Box::new(logger));
    log::set_logger(logger).expect("the only logger");
    log::set_max_level(log::LevelFilter::Trace);
    logger
}

/// Makes a test for each runtime of a function that takes one.
macro_rules! on_all {
    ($($name:ident),* $(,)?) => { $(
        mod $name {
            #[test]
            fn on_tokio() {
                super::$name($crate::rig::On::Tokio);
            }

            #[test]
            fn on_smol() {
                super::$name($crate::rig::On::Smol);
            }

            #[test]
            fn on_async_std() {
                super::$name($crate::rig::On::AsyncStd);
            }

            #[test]
            fn on_threads() {
                super::$name($crate::rig::On::Threads);
            }
        }
    )* };
}
use on_all;
