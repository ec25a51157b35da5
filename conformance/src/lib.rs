//! What holds the client to its word: cases as rows and what runs them, an embedded broker, a
//! simulator under virtual time, real Apache brokers, a proxy that hurts connections, fuzz targets,
//! Java's own vectors, and a load generator.
//!
//! For the tests of a service there is [`embedded`]: a cluster of the test's own. Without the
//! default features the crate is that alone, with what it stands on: [`broker`], [`serve`] and
//! [`proxy`]. The feature `suite` is what tests the client, `cli` the program.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "suite")]
pub mod bench;
pub mod broker;
#[cfg(feature = "suite")]
pub mod cases;
#[cfg(feature = "tls")]
pub mod certificates;
pub mod embedded;
#[cfg(feature = "suite")]
pub mod fuzz;
#[cfg(feature = "suite")]
pub mod live;
pub mod proxy;
#[cfg(feature = "suite")]
pub mod rig;
pub mod serve;
#[cfg(feature = "suite")]
pub mod siege;
#[cfg(feature = "suite")]
pub mod sim;
#[cfg(feature = "suite")]
pub mod vectors;
