//! What holds the client to its word: an embedded broker, a simulator under virtual time, real
//! Apache brokers, a proxy that hurts connections, fuzz targets, Java's own vectors, and a load
//! generator.

pub mod bench;
pub mod broker;
pub mod cases;
pub mod fuzz;
pub mod live;
pub mod proxy;
pub mod serve;
pub mod siege;
pub mod sim;
pub mod vectors;
