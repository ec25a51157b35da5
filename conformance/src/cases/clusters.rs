//! The cluster itself does what it promises to tests.

use std::net::TcpStream;

use super::place::Place;
use crate::live;

pub(crate) fn a_new_topic_shows_in_the_route_with_its_queues(place: &Place) {
    let topic = place.topic(6);
    assert_eq!(place.queues_of(&topic), Some(6));
    assert_eq!(place.queues_of("live_none"), None);
}

pub(crate) fn a_killed_broker_leaves_the_route_and_returns_with_its_topics(place: &Place) {
    let mut cluster = place.cluster(|_| ());
    cluster.create_topic("kept", 3).expect("the topic is created");
    let (namesrv, broker, folder) =
        (cluster.namesrv(), cluster.broker(), cluster.folder().to_owned());

    cluster.kill("broker-a").expect("killed");
    assert!(TcpStream::connect(&broker).is_err(), "the port is closed");
    cluster.restart("broker-a").expect("it starts again");
    assert_eq!(cluster.broker(), broker);
    assert_eq!(live::route_queues(&namesrv, "kept").expect("a route"), Some(3));

    drop(cluster);
    assert!(TcpStream::connect(&namesrv).is_err(), "the nameserver is gone");
    assert!(!folder.exists(), "the data is gone");
}

pub(crate) fn a_frozen_broker_is_silent_and_goes_on(place: &Place) {
    let cluster = place.cluster(|_| ());
    cluster.stop("broker-a").expect("frozen");
    TcpStream::connect(cluster.broker()).expect("the system still takes connections");
    let refused = live::create_topic(&cluster.namesrv(), &cluster.broker(), "late", 1);
    assert!(refused.is_err(), "a frozen broker answers nothing");
    cluster.cont("broker-a").expect("thawed");
    cluster.create_topic("late", 1).expect("it goes on");
}
