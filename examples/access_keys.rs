//! Access keys: every request is signed, a key is replaced while the client runs, and a wrong one
//! fails once, clearly.
//!
//! `cargo run --release --example access_keys -- 10000`, with `NAMESRV_ADDR`,
//! `ROCKETRY_ACCESS_KEY` and `ROCKETRY_SECRET_KEY` set for a cluster of yours that checks keys;
//! there no key is replaced.

mod common;

use std::env;
use std::process::ExitCode;

use common::{Outcome, on_ctrl_c, send_all};
use rocketry::{
    Client, Config, Credentials, ErrorKind, RotatingCredentials, Secret, Start, blocking,
};
use rocketry_conformance::broker::{Acl, ClusterConfig};
use rocketry_conformance::serve::Served;

fn main() -> ExitCode {
    common::main(env::args().skip(1), job)
}

fn job(run: &common::Run) -> Outcome {
    if env::var("NAMESRV_ADDR").is_ok_and(|given| !given.trim().is_empty()) {
        // Nothing else is to be said where the environment knows the key.
        return through(run, &blocking::connect(blocking::config_from_env()?)?, || {});
    }
    // A broker that knows one key at a time.
    let first = Acl::admin("first-key", "first-secret");
    let guarded =
        Served::start(ClusterConfig::default().topic(run.topic().as_str(), 8).acl(first))?;

    let keys = RotatingCredentials::new(Credentials::new("first-key", "first-secret"));
    let mut config = Config::new(guarded.namesrv())?;
    config.credentials = Some(keys.provider());
    let client = blocking::connect(config)?;
    through(run, &client, || {
        keys.replace(Credentials::new("second-key", "second-secret"));
        guarded.with(|cluster| {
            cluster.set_acl(Some(Acl::admin("second-key", "second-secret")));
        });
        println!("the key was replaced, and the connections go on");
    })?;
    wrong_key(run, &guarded)
}

/// Sends all messages, lets `between` happen, and consumes them.
fn through(run: &common::Run, client: &Client, between: impl FnOnce()) -> Outcome {
    let to_stop = client.clone();
    on_ctrl_c(move || drop(to_stop.shutdown()))?;
    send_all(run, client, |index| vec![run.message(index)])?;
    between();
    let builder = client.consumer(run.group())?.topic(run.topic(), run.tag());
    let mut consumer = builder.start_at(Start::First).start()?;
    while !run.tally().is_complete() && !common::is_stopped() {
        let message = consumer.recv_timeout(run.patience())?;
        let message = message.map_err(|unreadable| unreadable.to_string())?;
        run.received(message.body());
        message.ack();
    }
    consumer.close().wait()?;
    client.shutdown().wait()?;
    Ok(())
}

/// What a client is told whose secret is wrong: at once, since no other try would help.
fn wrong_key(run: &common::Run, guarded: &Served) -> Outcome {
    let mut config = Config::new(guarded.namesrv())?;
    config.access_key = Some("second-key".to_owned());
    config.secret_key = Some(Secret::from("not-the-secret"));
    let client = blocking::connect(config)?;
    let Err(error) = client.producer(run.group())?.send(run.message(0)).wait() else {
        return Err("a wrong key was taken".into());
    };
    match error.kind() {
        ErrorKind::Denied => println!("a wrong key: {error}"),
        _ => return Err(error.into()),
    }
    client.shutdown().wait()?;
    Ok(())
}
