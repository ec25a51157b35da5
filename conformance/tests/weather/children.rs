//! Bodies that need a process of their own: this test binary again, told by the environment which
//! of them it is to run.

use std::env;
use std::process::Command;

use crate::rig::On;
use crate::{appender, driving, hooks, leaks, starting, topics, unreadable, workers};

type Body = fn(On);

const BODIES: [(&str, Body); 11] = [
    ("appending", appender::appending),
    ("panicking", hooks::panicking),
    ("waiting in an appender", driving::waiting_in_an_appender),
    ("waiting for another", driving::waiting_for_another),
    ("working", starting::working),
    ("without descriptors", starting::without_descriptors),
    ("dropped", leaks::dropped),
    ("lost connections", leaks::lost_connections),
    ("ten thousand topics", topics::ten_thousand),
    ("unread", unreadable::unread),
    ("a bad appender", workers::a_bad_appender),
];
/// These take a number.
const COUNTED: (&str, fn(On, usize)) = ("cycles", leaks::cycles);

const BODY: &str = "WEATHER_BODY";
const ON: &str = "WEATHER_ON";
const COUNT: &str = "WEATHER_COUNT";

/// Tells a command that starts this program what to run, and on which runtime.
pub(crate) fn tell(command: &mut Command, body: &str, on: On) {
    command.args(["--exact", "children::each_body_has_a_name_of_its_own", "--nocapture"]);
    command.env(BODY, body).env(ON, on.name());
}

/// Such a process.
pub(crate) fn child(body: &str, on: On) -> Command {
    let mut command = Command::new(env::current_exe().expect("this program"));
    tell(&mut command, body, on);
    command
}

/// A process of the body that takes a number.
pub(crate) fn counted(on: On, count: usize) -> Command {
    let mut command = child(COUNTED.0, on);
    command.env(COUNT, count.to_string());
    command
}

/// In a child, that body.
#[test]
fn each_body_has_a_name_of_its_own() {
    if let Ok(name) = env::var(BODY) {
        let on = env::var(ON).ok().and_then(|name| On::named(&name)).expect("a runtime");
        if name == COUNTED.0 {
            let count = env::var(COUNT).ok().and_then(|count| count.parse().ok());
            return COUNTED.1(on, count.expect("a number"));
        }
        let (_, body) = BODIES.iter().find(|(own, _)| *own == name).expect("a body");
        return body(on);
    }
    let names = BODIES.iter().map(|(name, _)| *name).chain([COUNTED.0]);
    let all: std::collections::BTreeSet<&str> = names.collect();
    assert_eq!(all.len(), BODIES.len() + 1);
}
