//! Consumers whose key is denied, on every runtime: what their handles tell, and that they go on.

#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::time::{Duration, Instant};

use rocketry::client::RecvTimeoutError;
use rocketry::{Message, Start};
use rocketry_conformance::broker::{Account, Acl, ClusterConfig, Perm};
use rocketry_conformance::rig::{On, Rig, eventually, patient};
use rocketry_conformance::serve::Served;

const SOON: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(300);

fn reader(perm: Perm) -> Acl {
    Acl::default().account(Account::new("reader", "a-secret").topic("t", perm).group("g", perm))
}

#[test]
fn a_denied_consumer_says_so_and_goes_on_when_it_is_served() {
    for on in On::ALL {
        let config = ClusterConfig::default().topic("t", 1).acl(reader(Perm::PUB));
        let served = Served::start(config).unwrap();
        let mut config = patient(&served.namesrv());
        config.access_key = Some("reader".to_owned());
        config.secret_key = Some("a-secret".into());
        let rig = Rig::with(on, config);
        let builder = rig.client.consumer("g").unwrap().topic("t", "*").start_at(Start::First);
        let mut consumer = builder.start().unwrap();
        let control = consumer.control();
        assert!(eventually(SOON, || control.denied().is_some()), "{on:?}");

        let begun = Instant::now();
        let told = consumer.recv_timeout(LOOK).unwrap_err();
        assert!(begun.elapsed() >= LOOK, "{on:?}: it waits for all of its time");
        let RecvTimeoutError::Denied(denied) = &told else { panic!("{on:?}: {told}") };
        assert_eq!(control.denied().as_ref(), Some(denied), "{on:?}");
        let text = told.to_string();
        assert!(text.starts_with("no message came in time: broker "), "{on:?}: {text}");
        assert!(text.contains("access_key") && !text.contains("a-secret"), "{on:?}: {text}");
        // A poll gives nothing, and its consumer shows why.
        let mut polled = rig.client.pull_consumer("g2").unwrap().topic("t", "*").start().unwrap();
        assert!(eventually(SOON, || polled.denied().is_some()), "{on:?}");
        assert!(polled.poll(LOOK).unwrap().is_empty(), "{on:?}");
        polled.close().wait().unwrap();

        served.with(|cluster| cluster.set_acl(Some(reader(Perm::PUB_SUB))));
        let producer = rig.client.producer("p").unwrap();
        producer.send(Message::new("t", "x")).wait().unwrap();
        let mut given = None;
        let came = eventually(SOON, || {
            given = consumer.recv_timeout(LOOK).ok();
            given.is_some()
        });
        assert!(came && control.denied().is_none(), "{on:?}: {:?}", control.denied());
        given.unwrap().unwrap().ack();
        rig.client.shutdown().wait().unwrap();
    }
}
