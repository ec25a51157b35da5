//! Engines and an embedded broker in one thread under virtual time: the same seed gives the same
//! run, byte for byte.
//!
//! A [`World`] holds one broker [`Session`](crate::broker::Session), any number of engine
//! [`Session`](rocketry_core::engine::Session)s, and a network between them that delays, splits,
//! refuses, swallows, stalls and cuts. Time jumps from one thing that happens to the next, so an
//! hour takes milliseconds. [`Engine::check`](rocketry_core::engine::Engine::check) runs after
//! every call into an engine, and after every drain its next timeout must lie in the future.
//!
//! | file | what it is |
//! |---|---|
//! | `world` | the clock, and what happens next |
//! | `happening` | what is due at some moment |
//! | `network` | connections, and bytes on their way |
//! | `arrival` | what reaches either end |
//! | `fault` | what a test does to the network and the brokers |
//! | `app` | the application: what it has, and the events it gets |
//! | `verbs` | what it asks for |
//! | `handing` | messages it is handed, and how it is done with them |
//! | `ordered` | messages that are handled in their order, and what must hold of that |
//! | `fates` | what became of the messages of groups, and that offsets pass none |
//! | `logs` | what brokers have stored |
//! | `disk` | files of offsets, torn, lost, slow or full |
//! | `share` | shares that are computed for engines |
//! | `answer` | what questions were answered with |
//! | `ledger` | what the applications can look up |
//! | `storm` | faults drawn at random, then calm |
//! | `explore` | every order of what happens, in small worlds |
//! | `rates` | how many requests of each kind came in the busiest second |
//! | `groups` | one storm upon groups of consumers |
//! | `broadcast` | one storm upon a group that broadcasts |
//! | `deals` | one storm upon transactions |
//! | `course` | one storm from its seed to what it came to |
//! | `transacting` | transactions, and what brokers ask of them |
//! | `trace` | every command, event and frame as a line of text |

mod answer;
mod app;
mod arrival;
mod broadcast;
mod course;
mod deals;
mod disk;
mod explore;
mod fates;
mod fault;
mod groups;
mod handing;
mod happening;
mod ledger;
mod link;
mod logs;
mod network;
mod ordered;
mod polling;
mod polls;
mod rates;
mod requests;
mod share;
mod storm;
mod trace;
mod transacting;
mod verbs;
mod world;

pub use answer::Answer;
pub use app::{Change, ClientId, Delivered, Ended, Pace, Sent};
pub use broadcast::{BroadcastCourse, BroadcastScene, broadcast};
pub use course::{Course, STORM, Scene, course};
pub use deals::{DealCourse, DealScene, deals};
pub use disk::{DiskFaults, OffsetFiles};
pub use explore::Choices;
pub use fates::{Kind, Reads, Repeated};
pub use groups::{GroupCourse, GroupScene, groups};
pub use link::{Door, Host, Way};
pub use network::{Page, Split};
pub use polls::{PollCourse, PollScene, polls};
pub use rates::Rate;
pub use storm::{Gust, Weather};
pub use trace::{Trace, bytes_of};
pub use world::World;
