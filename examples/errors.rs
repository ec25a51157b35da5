//! What can go wrong with a send, and what to do about it.
//!
//! `cargo run --release --example errors`, with `NAMESRV_ADDR` set for a cluster of yours. What
//! only a broker that is unwell does is shown with one embedded in this process.
//!
//! Two questions decide: can the same call succeed later (`is_retriable`), and may the message be
//! stored already (`stored`)? [`deliver`] is all that most programs need.

mod common;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use common::{Failure, Outcome, PAUSE, Run, number, on_ctrl_c};
use rocketry::proto::frame::{RequestCode, ResponseCode};
use rocketry::{
    Client, Config, Message, Producer, SendError, SendOptions, SendStatus, Start, Stored, Topic,
};
use rocketry_conformance::broker::{ClusterConfig, Fault};
use rocketry_conformance::serve::Served;

/// How often a message is sent before it is given up.
const TRIES: u32 = 5;

fn main() -> ExitCode {
    common::main_in_own_words(std::env::args().skip(1), job)
}

fn job(run: &Run) -> Outcome {
    let client = rocketry::blocking::connect(run.config()?)?;
    // Creates no topics, and fails as we ask it to.
    let mut cluster = ClusterConfig::default().topic(run.topic().as_str(), 8);
    cluster.auto_create_topics = false;
    let unwell = Served::start(cluster)?;
    let mut config = Config::new(unwell.namesrv())?;
    (config.max_pending, config.wait_for_room) = (1, false);
    config.retry_not_ok = true;
    let patient = rocketry::blocking::connect(config)?;
    let to_stop = [client.clone(), patient.clone()];
    on_ctrl_c(move || to_stop.iter().for_each(|client| drop(client.shutdown())))?;

    let done = too_large(run, &client).and_then(|()| weather(run, &unwell, &patient));

    client.shutdown().wait()?;
    patient.shutdown().wait()?;
    done
}

/// Sends a message until it is stored, or until sending it again can't help.
fn deliver(producer: &Producer, message: &Message, within: Duration) -> Result<(), SendError> {
    let mut pause = PAUSE;
    for tries_left in (0..TRIES).rev() {
        let call = producer.send_with(message.clone(), SendOptions::default().timeout(within));
        let error = match call.wait() {
            Ok(receipt) => {
                // Stored, though perhaps not as well as asked for.
                if receipt.status != SendStatus::Ok {
                    println!("   stored at offset {}: {:?}", receipt.offset, receipt.status);
                }
                return Ok(());
            }
            Err(error) => error,
        };
        tell(&error);
        // Stored, and where is not known: the answer could not be read.
        if error.stored() == Stored::Yes {
            return Ok(());
        }
        // The message, the topic or the program has to change first.
        if !error.is_retriable() || tries_left == 0 {
            return Err(error);
        }
        // `Stored::No`: sending it again can't store it twice. `Stored::Unknown`: it can, so the
        // consumer has to know a message that it has seen by its key. Where it can't, give up here.
        thread::sleep(pause);
        pause *= 2;
    }
    unreachable!("the last try returns")
}

/// The sentence is for people: it names what was tried and what to look at. The rest is for
/// programs.
fn tell(error: &SendError) {
    println!("   {error}");
    println!("   retriable: {}, stored: {:?}", error.is_retriable(), error.stored());
}

/// An error was to come and did not.
fn expected(what: &str) -> Failure {
    format!("{what} was expected to fail").into()
}

/// Refused before anything leaves. The same message will never do; a shorter one does.
fn too_large(run: &Run, client: &Client) -> Outcome {
    let producer = client.producer(run.group())?;
    let limit = client.config().max_body;
    println!("A message of {} bytes:", limit + 1);
    let message = Message::new(run.topic().clone(), vec![b'x'; limit + 1]).tag(run.tag());
    let Err(error) = producer.send(message).wait() else { return Err(expected("it")) };
    tell(&error);
    let Err(error) = Topic::new("no spaces, please") else { return Err(expected("it")) };
    println!("A topic's name is looked at even before:\n   {error}");
    // Goes to your cluster, if you have named one: what is wrong there is told by this error.
    producer.send(run.message(0)).wait()?;
    println!("A shorter message was stored.");
    Ok(())
}

/// What brokers do at times.
fn weather(run: &Run, unwell: &Served, client: &Client) -> Outcome {
    let producer = client.producer(run.group())?;
    let faults = |faults: &[Fault]| {
        let faults = faults.to_vec();
        unwell.with(|cluster| cluster.push_faults(RequestCode::SEND_MESSAGE_V2, faults));
    };
    let (long, short) = (Duration::from_secs(3), Duration::from_millis(300));

    println!("A topic that does not exist, where brokers create none:");
    let nowhere = Message::new(Topic::new("rocketry-nowhere")?, "hello");
    match deliver(&producer, &nowhere, long) {
        Err(SendError::NoTopic { .. }) => println!("Given up: somebody has to create it."),
        Err(other) => return Err(other.into()),
        Ok(()) => return Err(expected("it")),
    }

    println!("A broker that refuses twice: the client has tried another queue by then:");
    faults(&[Fault::Refuse(ResponseCode::SERVICE_NOT_AVAILABLE); 2]);
    deliver(&producer, &message(run, 1), long)?;
    run.sent(1);

    println!("A broker that stores a message and does not answer:");
    faults(&[Fault::Mute]);
    deliver(&producer, &message(run, 2), short)?;
    run.sent(2);

    println!("A broker that stores a message, but not on disk in time, and then refuses it:");
    let refuse = Fault::Refuse(ResponseCode::NO_PERMISSION);
    faults(&[Fault::Refuse(ResponseCode::FLUSH_DISK_TIMEOUT), refuse]);
    deliver(&producer, &message(run, 3), long)?;
    run.sent(3);

    println!("More under way than `max_pending` allows, which is 1 here:");
    faults(&[Fault::Late(short)]);
    let first = producer.send(message(run, 4));
    let Err(error) = producer.send(message(run, 5)).wait() else {
        return Err(expected("the second"));
    };
    tell(&error);
    // Room comes when a call ends. With `wait_for_room` in the settings the client waits by itself.
    first.wait()?;
    run.sent(4);
    deliver(&producer, &message(run, 5), long)?;
    run.sent(5);
    handle_once(run, client)
}

/// The key says which order it is, whatever number of times it is sent.
fn message(run: &Run, order: usize) -> Message {
    run.message(order).key(&format!("order-{order}"))
}

/// Handles what has come more than once only once.
fn handle_once(run: &Run, client: &Client) -> Outcome {
    let consumer = client.consumer(run.group())?.topic(run.topic(), run.tag());
    let mut consumer = consumer.start_at(Start::First).start()?;
    let (mut handled, mut twins) = (BTreeSet::new(), 0);
    while let Ok(message) = consumer.recv_timeout(run.patience()) {
        let message = match message {
            Ok(message) => message,
            // It hides none of its neighbours, and comes again until it is settled: note it, or
            // keep its bytes elsewhere, and go on.
            Err(unreadable) => {
                println!("   {unreadable}");
                unreadable.ack();
                continue;
            }
        };
        run.received(message.body());
        if !handled.insert(number(message.body())) {
            twins += 1;
        }
        if message.ack().is_moved() {
            println!("   its queue has been given to another consumer, which sees it as well");
        }
    }
    let stored = run.tally().sent();
    println!("stored {stored}, handled {}, came again {twins}", handled.len());
    if handled.len() == stored { Ok(()) } else { Err("a message was lost".into()) }
}
