//! TLS: who is let in, who is believed, and what it is told when neither.

pub(crate) mod refusals;
pub(crate) mod works;

use std::time::Duration;

use rocketry::proto::error::{CloseReason, ConnectError, Failure, TlsError};
use rocketry::{Config, Message, SendError, Start};

use super::common::named;
use super::place::{Place, Setting};
use crate::certificates::{self, CA};
use crate::rig::Rig;
use crate::serve::{ServeTls, TlsMode};

/// What brokers of these cases are to have besides a mode; the files are those of
/// [`certificates`].
macro_rules! with {
    ($mode:literal, $certificate:literal $(, $($more:expr),+)?) => {
        &[
            ("tls.server.mode", $mode),
            ("tls.test.mode.enable", "false"),
            ("tls.server.certPath", $certificate),
            ("tls.server.keyPath", "server-key.pem"),
            $($($more),+)?
        ]
    };
}

/// Clients come with TLS or without.
pub(super) const PERMISSIVE: &[Setting] = with!("permissive", "server.pem");
/// Clients without TLS are cut off.
pub(super) const ENFORCING: &[Setting] = with!("enforcing", "server.pem");
/// Clients with TLS are cut off.
pub(super) const DISABLED: &[Setting] = with!("disabled", "server.pem");
/// The certificate has another name.
pub(super) const OTHER_NAME: &[Setting] = with!("enforcing", "other-name.pem");
/// Clients have to have a certificate.
pub(super) const ASKING: &[Setting] = with!(
    "enforcing",
    "server.pem",
    ("tls.server.need.client.auth", "require"),
    ("tls.server.authClient", "true"),
    ("tls.server.trustCertPath", "ca.pem"),
    ("tls.client.certPath", "client.pem"),
    ("tls.client.keyPath", "client-key.pem")
);
/// Clients without TLS are cut off, and what is not signed is refused, as by ACL 1.0 and 2.0.
pub(super) const WITH_KEYS: &[Setting] = with!(
    "enforcing",
    "server.pem",
    ("aclEnable", "true"),
    ("authenticationEnabled", "true"),
    ("authorizationEnabled", "true")
);
/// Brokers send messages from their files, past the filter of TLS if they err.
pub(super) const BY_FILE: &[Setting] =
    with!("enforcing", "server.pem", ("transferMsgByHeap", "false"));

/// What the embedded broker makes of these settings.
pub(super) fn served(settings: &[Setting]) -> Option<ServeTls> {
    let value = |wanted: &str| settings.iter().find(|(name, _)| *name == wanted).map(|one| one.1);
    let mode = match value("tls.server.mode")? {
        "disabled" => TlsMode::Disabled,
        "permissive" => TlsMode::Permissive,
        "enforcing" => TlsMode::Enforcing,
        other => panic!("there is no mode {other}"),
    };
    let certificate = match value("tls.server.certPath") {
        Some("other-name.pem") => certificates::OTHER_NAME,
        _ => certificates::SERVER,
    };
    let asks = value("tls.server.need.client.auth") == Some("require");
    let server = certificates::server(certificate, asks).expect("certificates that go together");
    Some(ServeTls { mode, server })
}

/// Settings of a client that trusts the authority of the brokers here.
fn secured(place: &Place) -> Config {
    let mut config = place.config();
    config.tls = true;
    config.tls_ca = Some(CA.into());
    config.await_topic = true;
    config.send_timeout = Duration::from_secs(20);
    config
}

/// Sends a message to a topic that the broker makes, and has it back.
fn works(place: &Place, config: Config) {
    carries(place, config, &[b"x".to_vec()]);
}

/// Sends these bodies to a topic that the broker makes, and has them back, each once. Enforcing
/// brokers let nobody else make it.
fn carries(place: &Place, config: Config, bodies: &[Vec<u8>]) {
    let (topic, group, rig) = (place.name(), place.name(), place.rig_with(config));
    let producer = rig.client.producer("tls").expect("a producer");
    for body in bodies {
        producer.send(Message::new(named(&topic), body.clone())).wait().expect("sent");
    }
    let builder = rig.client.consumer(&*group).expect("a group").topic(&*topic, "*");
    let mut consumer = builder.start_at(Start::First).start().expect("a consumer");
    let mut missing: Vec<&Vec<u8>> = bodies.iter().collect();
    while !missing.is_empty() {
        let message = consumer.recv_timeout(Duration::from_secs(60)).expect("a message in time");
        let message = message.expect("a message that can be read");
        let at = missing.iter().position(|body| body[..] == message.body()[..]);
        missing.swap_remove(at.expect("a body that was sent, once"));
        message.ack();
    }
    rig.client.shutdown().wait().expect("an end");
}

/// Sends one message, which comes to nothing, within its deadline of a few seconds.
fn refused(place: &Place, mut config: Config) -> SendError {
    config.send_timeout = Duration::from_secs(4);
    let rig: Rig = place.rig_with(config);
    let producer = rig.client.producer("tls").expect("a producer");
    let begun = std::time::Instant::now();
    let error = producer.send(Message::new(named(&place.name()), "x")).wait();
    let error = error.expect_err("nobody is to take it");
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    error
}

/// Whether one of the tries failed so.
fn says(error: &SendError, is: impl Fn(&Failure) -> bool) -> bool {
    let attempts = error.attempts().into_iter().flat_map(|all| all.iter());
    attempts.map(|attempt| &attempt.failure).any(is)
}

/// Whether one of the tries failed by this of TLS.
fn says_tls(error: &SendError, is: impl Fn(&TlsError) -> bool) -> bool {
    says(error, |failure| match failure {
        Failure::Connect(ConnectError::Tls(error)) => is(error),
        Failure::Connect(ConnectError::Lost(reason)) => {
            matches!(&**reason, CloseReason::Tls(error) if is(error))
        }
        Failure::Closed(CloseReason::Tls(error)) | Failure::Cut(CloseReason::Tls(error)) => {
            is(error)
        }
        _ => false,
    })
}
