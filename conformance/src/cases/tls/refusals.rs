//! Who is refused, by whom, and what that says.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use rocketry::proto::error::{CloseReason, ErrorKind, Failure, TlsError};
use rocketry::{Config, Message};

use super::{refused, says, says_tls, secured, works};
use crate::broker::ClusterConfig;
use crate::cases::common::named;
use crate::cases::place::Place;
use crate::certificates::{self, CA, CLIENT, CLIENT_KEY, EXPIRED, FUTURE, OTHER_CA, STRANGER};
use crate::rig::Rig;
use crate::serve::{Listen, ServeTls, Served, TlsMode};

pub(crate) fn a_client_without_tls_hears_what_an_enforcing_broker_wants(place: &Place) {
    let error = refused(place, {
        let mut plain = place.config();
        plain.await_topic = true;
        plain
    });
    let unanswered =
        |failure: &Failure| matches!(failure, Failure::Closed(CloseReason::Unanswered));
    assert!(says(&error, unanswered), "{error:?}");
    assert!(error.to_string().contains("set tls"), "{error}");
    works(place, secured(place));
}

pub(crate) fn a_client_with_tls_hears_that_a_broker_has_none(place: &Place) {
    let error = refused(place, secured(place));
    let none = |error: &TlsError| matches!(error, TlsError::HungUp | TlsError::NotTls);
    assert!(says_tls(&error, none), "{error:?}");
    assert!(error.to_string().contains("may not offer TLS"), "{error}");
}

pub(crate) fn an_unknown_authority_is_refused_and_a_known_one_accepted(place: &Place) {
    let mut config = secured(place);
    config.tls_ca = Some(OTHER_CA.into());
    let error = refused(place, config);
    assert!(says_tls(&error, |error| *error == TlsError::UnknownIssuer), "{error:?}");
    assert!(error.to_string().contains("tls_ca"), "{error}");
    assert_eq!((error.kind(), error.is_retriable()), (ErrorKind::Untrusted, false), "{error}");
    works(place, secured(place));
    let mut anybody = secured(place);
    (anybody.tls_ca, anybody.tls_danger_any_certificate) = (None, true);
    works(place, anybody);
}

pub(crate) fn another_name_is_refused_unless_it_is_asked_for(place: &Place) {
    let error = refused(place, secured(place));
    let wrong = |error: &TlsError| match error {
        TlsError::WrongName { presented, .. } => presented.iter().any(|one| one == "other.test"),
        _ => false,
    };
    assert!(says_tls(&error, wrong), "{error:?}");
    assert!(error.to_string().contains("tls_server_name"), "{error}");
    assert!(error.to_string().contains(", but for other.test"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Untrusted, "{error}");
    let mut named = secured(place);
    named.tls_server_name = Some("other.test".to_owned());
    works(place, named);
    let mut any = secured(place);
    any.tls_danger_any_name = true;
    works(place, any);
    // The authority counts all the same.
    let mut stranger = secured(place);
    (stranger.tls_danger_any_name, stranger.tls_ca) = (true, Some(OTHER_CA.into()));
    let error = refused(place, stranger);
    assert!(says_tls(&error, |error| *error == TlsError::UnknownIssuer), "{error:?}");
}

pub(crate) fn a_client_certificate_is_wanted_and_a_strangers_is_not(place: &Place) {
    let with = |certificate: Option<&str>| {
        let mut config = secured(place);
        config.tls_cert = certificate.map(Into::into);
        config.tls_key = certificate.map(|_| CLIENT_KEY.into());
        config
    };
    for bad in [None, Some(STRANGER)] {
        let error = refused(place, with(bad));
        let ours = |error: &TlsError| matches!(error, TlsError::ClientCertificate { .. });
        assert!(says_tls(&error, ours), "{error:?}");
        assert_eq!(error.kind(), ErrorKind::Untrusted, "{error}");
        assert!(error.to_string().contains("tls_cert"), "{error}");
    }
    works(place, with(Some(CLIENT)));
}

/// A nameserver that shows this certificate.
fn showing(certificate: &str) -> Served {
    let server = certificates::server(certificate, false).expect("a certificate of its key");
    let tls = ServeTls { mode: TlsMode::Enforcing, server };
    Served::start_tls(ClusterConfig::default(), &Listen::default(), tls).expect("a cluster")
}

pub(crate) fn a_certificate_out_of_its_time_is_refused(place: &Place) {
    for (certificate, expected) in [(EXPIRED, TlsError::Expired), (FUTURE, TlsError::NotYetValid)] {
        let served = showing(certificate);
        let mut config = Config::new(served.namesrv()).expect("an address");
        (config.tls, config.tls_ca) = (true, Some(CA.into()));
        let error = refused(place, config);
        assert!(says_tls(&error, |error| *error == expected), "{error:?}");
    }
}

pub(crate) fn a_handshake_that_stalls_ends_by_the_connect_timeout(place: &Place) {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut config = Config::new(silent.local_addr().expect("bound").to_string()).expect("fine");
    (config.tls, config.tls_ca) = (true, Some(CA.into()));
    config.connect_timeout = Duration::from_millis(600);
    config.send_timeout = Duration::from_millis(1500);
    let rig = Rig::with(place.on(), config);
    let producer = rig.client.producer("tls").expect("a producer");
    let begun = Instant::now();
    let error = producer.send(Message::new(named("stalled"), "x")).wait().expect_err("no answer");
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(2500), "{took:?}");
    let by_then = |error: &TlsError| match error {
        TlsError::Stalled(after) => (400..=900).contains(&after.as_millis()),
        _ => false,
    };
    assert!(says_tls(&error, by_then), "{error:?}");
    rig.client.shutdown().wait().expect("an end");
}
