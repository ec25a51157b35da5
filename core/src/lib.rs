//! The sans-IO state machine of Rocketry, a RocketMQ client.
//!
//! Sans-IO means: nothing here opens a socket, reads a clock, starts a thread or waits. A state
//! machine, the [`Engine`], is told what happened and says what is to be done; a loop outside of it
//! does that. So one machine serves threads, tokio, an event loop of your own, and a test in which
//! an hour takes a millisecond.
//!
//! Most programs want none of this: the crate `rocketry` has the loops for threads, tokio, smol and
//! async-std, and the handles of the module `client`. This page is for those who write a loop.
//! [`Session`] is the engine with its connections' bytes, and the one to begin with.
//!
//! # The loop
//!
//! 1. **Make it.** A [`Config`], with its [`identity`](config::Config::identity) filled in: the
//!    process's id and random bits, by which brokers tell clients apart, and an address of this
//!    host for whoever reads message ids. Two clients of one identity are one to a broker, and give
//!    ids twice. Then [`Config::check`](config::Config::check). Whatever else depends on the
//!    settings is made of them: [`Limits::of`] how large a frame may be that is read,
//!    [`MessageLimits::of`] how large a message, [`UniqueIds::of`] the one generator of message
//!    ids. Then [`Engine::new`], with a seed of its own for each client, and [`Session::new`]. That
//!    is refused where the settings ask for TLS: [`Session::encrypted`] is for a loop that has a
//!    filter of the module `tls` between each socket and the session.
//! 2. **Obey.** Take commands by [`Engine::poll_command`] until it gives `None`, and do each:
//!
//!    | command | what to do | what to say then |
//!    |---|---|---|
//!    | [`Connect`] | look the name up and connect | [`connected`] or [`connect_failed`], once |
//!    | [`Transmit`] | write what [`to_write`] gives, and say so by [`wrote`], until it gives 0 | |
//!    | [`Close`] | close the socket | [`closed`], or [`connect_failed`] where it is not open yet |
//!    | [`Fetch`] | get the page by HTTP | [`fetched`] |
//!    | [`Compute`] | [`run`](engine::Job::run) the job | [`computed`] |
//!    | [`Load`] | [`run`](offsets::LoadJob::run) the job, where it may block | [`loaded`] |
//!    | [`Save`] | [`run`](offsets::SaveJob::run) the job, likewise | [`saved`] |
//!
//!    None of it has to be done at once: a loop that connects in the background says so later, and
//!    the engine says [`Close`] if it took longer than `connect_timeout`. [`dial`] decides for a
//!    name with several addresses. [`Fetch`] comes with the setting `address_server` alone.
//!    [`Compute`] is a consumer's share of the queues, whose cost grows with them and with the
//!    group: `session.computed(now, job.run())` does it in place, and a loop that may not stop for
//!    so long runs it elsewhere.
//! 3. **Listen.** Take events by [`Engine::poll_event`] until it gives `None`: what became of the
//!    application's calls. Here it makes its next calls, the *verbs*: [`send`], [`query`],
//!    [`subscribe`], [`shutdown`]. One that is refused says so at once; every other one ends in one
//!    event. What is sent is a [`Publish`], made of a message and the next one of the ids. What is
//!    consumed comes after [`Event::Deliverable`]: take it with [`Engine::poll_batch`] until that
//!    gives `None`, [settle](consumer::Batch::settle) each message, and tell the engine of the last
//!    one of a batch ([`Engine::batch_ended`]), or of one that is to come again
//!    ([`Engine::settle`]).
//! 4. **Stop** once [`Engine::is_stopped`], after both have given `None`. Nothing comes any more.
//! 5. **Wait** for whatever is first: [`Engine::next_timeout`], bytes to read on any socket, the
//!    end of a connect, a call of the application's; and, on a socket whose last write ended with
//!    `WouldBlock`, that it takes bytes again. Whether all is taken, [`Engine::has_effects`] says.
//!    The standard library can't wait for several sockets: a loop with nothing else sleeps a
//!    millisecond at a time, or has `poll(2)`. It can't connect without blocking either: what
//!    blocks there holds up every timer, and sends then end that much behind their deadlines.
//! 6. **Tell** what happened. Bytes: read them into [`space`], then [`received`]; the end of the
//!    stream, or an error: [`closed`]. A socket that takes bytes again: go on writing as in step 2,
//!    no command says so twice. The time has come: [`timeout`]. Then go on with step 2.
//!
//! # What has to be drained, and in which order
//!
//! Commands come first in, first out, and so do events; between the two there is no order. A verb
//! gives commands, and taking frames to write may give events: before the loop waits it must have
//! seen `None` from both, commands first and once more after the last event that it answered by a
//! verb. Any number of verbs may come before that: a hundred sends give one [`Transmit`]. A command
//! for a connection that the loop has reported as gone may still be among them: it is passed over.
//!
//! [`Transmit`] is said when frames begin to wait for a connection, and not again before all of
//! them are taken. A loop that stops earlier, since the system takes no more, keeps in mind by
//! itself that this socket is to be written. [`Event::Deliverable`] comes with each pull that
//! brings something; one that is answered late loses nothing, and its queue's pulls pause.
//!
//! [`next_timeout`] is read last, since all of the above may change it. It is `None` once the
//! engine has stopped, and never before.
//!
//! # How it ends
//!
//! [`Engine::shutdown`] ends it, within `shutdown_timeout`, as long as the loop goes on: calls end,
//! offsets are committed, brokers are told, and for each connection comes a [`Close`]. Only when
//! each of them has been answered it says [`Event::Stopped`]; memory given back
//! ([`Event::Spent`]) is all that may come after it. A session that is dropped before tells nobody:
//! calls end unseen, what was settled since the last commit is delivered again, and brokers learn
//! of it by the lost connections.
//!
//! # What `now` means
//!
//! [`time::Instant`] counts nanoseconds of a monotonic clock, from any moment: the loop's start,
//! say. All that counts is that one engine is told of one clock. Reading it once a turn will do:
//! deadlines are then noticed a turn late. A `now` before the last one is taken for that one, so
//! several threads may read the clock before they lock the engine.
//!
//! [`timeout`] may come early, late or for nothing. One call handles 256 timers; if more are due,
//! [`next_timeout`] is still past after it, and the next turn goes on.
//!
//! Wall time ([`time::UnixMillis`]) is given at birth, to [`Engine::new`] and to each
//! [`Publish::new`]. If it is set while the program runs, [`Input::ClockSync`] says so: brokers
//! take the later one of two subscriptions for the newer one.
//!
//! # When it panics
//!
//! It does not: not for anything that peers send, for sockets that fail in any order, or for ids
//! that name nothing any more. A bad peer is cut off and reported, a verb that can't be is refused
//! with an error, what is told of a connection that is gone changes nothing, and a count of more
//! bytes than there were is taken for all of them. What is left would be a fault of this crate: let
//! go of the engine then, and count its calls as perhaps done. The handles of `client` do that, and
//! end each call with an error. Two things panic on purpose: [`Engine::check`], which is for tests,
//! and an index out of range, as of a slice.
//!
//! The settings must have passed [`Config::check`](config::Config::check), as those of
//! [`Config::new`](config::Config::new) have: fields that were assigned later are to be checked
//! again.
//!
//! # A whole loop
//!
//! It needs the standard library alone. A test runs it, on real sockets: it sends 1,000 messages
//! and ends by itself.
//!
//! ```no_run
#![doc = include_str!("../manual/own_loop.rs")]
//!
//! println!("{} are stored", send_all("127.0.0.1:9876", "orders", 1000)?);
//! # Ok::<(), Box<dyn Error>>(())
//! ```
//!
//! # A world of your own
//!
//! Without sockets there is no need for a real clock either. Here no name can be looked up, and the
//! three seconds that a send has pass in no time:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use rocketry_core::config::Config;
//! use rocketry_core::engine::{Command, Engine, Event, Input};
//! use rocketry_core::error::{ConnectError, Stored};
//! use rocketry_core::message::{Message, MessageLimits, Publish, UniqueIds};
//! use rocketry_core::name::Group;
//! use rocketry_core::time::{Instant, UnixMillis};
//!
//! let config = Config::new("nowhere:9876")?;
//! let (ids, limits) = (UniqueIds::of(&config), MessageLimits::of(&config));
//! let (mut now, unix) = (Instant::ZERO, UnixMillis(0));
//! let mut engine = Engine::new(Arc::new(config), 7, now, unix);
//!
//! let message = Message::new("orders", "3 apples");
//! let publish = Publish::new(message, &Group::new("shop")?, ids.next(unix), unix, &limits)?;
//! let call = engine.send(now, Arc::new(publish))?;
//! let error = loop {
//!     while let Some(command) = engine.poll_command() {
//!         if let Command::Connect { conn, .. } = command {
//!             let error = ConnectError::Unresolved { detail: "no such host".into() };
//!             engine.handle(now, Input::ConnectFailed { conn, error });
//!         }
//!     }
//!     match engine.poll_event() {
//!         Some(Event::Sent { op, result, .. }) if op == call => break result.unwrap_err(),
//!         Some(_) => {}
//!         None => {
//!             now = engine.next_timeout().expect("it has not stopped");
//!             engine.handle(now, Input::Timeout);
//!         }
//!     }
//! };
//! assert_eq!(now, Instant::ZERO + Duration::from_secs(3));
//! assert_eq!(error.stored(), Stored::No);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The map
//!
//! | module | what is in it |
//! |---|---|
//! | [`engine`] | the machine: [`Engine`] and [`Session`], commands, events, figures |
//! | [`config`] | every setting, its default and range; presets |
//! | [`message`] | what is sent ([`Publish`]), what was stored, ids |
//! | [`producer`] | how one message is sent, and what a send ends with |
//! | [`consumer`] | what a consumer asks for; batches, and settling their messages |
//! | [`query`] | questions: queues, offsets, any request to any peer |
//! | [`error`], [`name`], [`id`] | why something failed; names that are valid; what ids name |
//! | [`time`], [`timer`], [`rng`] | time as a value, timers in order, chance from a seed |
//! | [`frame`], [`body`] | frames, headers and bodies on the wire, without any state |
//! | [`fetch`], [`dial`] | the page that lists nameservers; which address of a name to try when |
//! | [`allocation`], [`trace`] | who reads which queue; traces of messages, as Java writes them |
//! | `auth` (feature `acl`) | signatures for brokers that ask for them |
//! | `client` (feature `client`) | the handles that users hold, around one lock |
//! | `driver` (feature `driver`) | the steps of a loop for the handles, for threads and for tasks |
//!
//! [`Config`]: config::Config
//! [`Engine`]: engine::Engine
//! [`Engine::new`]: engine::Engine::new
//! [`Engine::check`]: engine::Engine::check
//! [`Engine::has_effects`]: engine::Engine::has_effects
//! [`Engine::is_stopped`]: engine::Engine::is_stopped
//! [`Engine::next_timeout`]: engine::Engine::next_timeout
//! [`Engine::batch_ended`]: engine::Engine::batch_ended
//! [`Engine::settle`]: engine::Engine::settle
//! [`Engine::poll_batch`]: engine::Engine::poll_batch
//! [`Engine::poll_command`]: engine::Engine::poll_command
//! [`Engine::poll_event`]: engine::Engine::poll_event
//! [`Engine::shutdown`]: engine::Engine::shutdown
//! [`Event::Deliverable`]: engine::Event::Deliverable
//! [`Event::Spent`]: engine::Event::Spent
//! [`Event::Stopped`]: engine::Event::Stopped
//! [`Input::ClockSync`]: engine::Input::ClockSync
//! [`Limits::of`]: frame::Limits::of
//! [`MessageLimits::of`]: message::MessageLimits::of
//! [`Publish`]: message::Publish
//! [`Publish::new`]: message::Publish::new
//! [`Session`]: engine::Session
//! [`Session::encrypted`]: engine::Session::encrypted
//! [`Session::new`]: engine::Session::new
//! [`UniqueIds::of`]: message::UniqueIds::of
//! [`send`]: engine::Engine::send
//! [`query`]: engine::Engine::query
//! [`subscribe`]: engine::Engine::subscribe
//! [`shutdown`]: engine::Engine::shutdown
//! [`next_timeout`]: engine::Engine::next_timeout
//! [`Connect`]: engine::Command::Connect
//! [`Transmit`]: engine::Command::Transmit
//! [`Close`]: engine::Command::Close
//! [`Fetch`]: engine::Command::Fetch
//! [`Compute`]: engine::Command::Compute
//! [`Load`]: engine::Command::Load
//! [`Save`]: engine::Command::Save
//! [`loaded`]: engine::Session::loaded
//! [`saved`]: engine::Session::saved
//! [`computed`]: engine::Session::computed
//! [`connected`]: engine::Session::connected
//! [`connect_failed`]: engine::Session::connect_failed
//! [`closed`]: engine::Session::closed
//! [`fetched`]: engine::Session::fetched
//! [`timeout`]: engine::Session::timeout
//! [`space`]: engine::Session::space
//! [`received`]: engine::Session::received
//! [`to_write`]: engine::Session::to_write
//! [`wrote`]: engine::Session::wrote
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod allocation;
#[cfg(feature = "acl")]
pub mod auth;
pub mod body;
mod broker;
#[cfg(feature = "client")]
#[cfg_attr(
    not(feature = "driver"),
    allow(
        dead_code,
        unused_imports,
        reason = "what adapters call is called by the driver's steps"
    )
)]
pub mod client;
pub mod config;
pub mod consumer;
mod contain;
pub mod dial;
#[cfg(feature = "driver")]
pub mod driver;
mod effects;
pub mod engine;
pub mod error;
pub mod fetch;
mod fifo;
pub mod frame;
pub mod histogram;
pub mod id;
pub mod message;
pub mod name;
mod nameserver;
pub mod offsets;
pub mod producer;
pub mod query;
mod remoting;
pub mod rng;
mod route;
mod shutdown;
pub mod time;
pub mod timer;
#[cfg(feature = "tls")]
pub mod tls;
pub mod trace;
pub mod transaction;
mod url;
