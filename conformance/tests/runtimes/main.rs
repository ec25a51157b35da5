//! What every runtime promises alike: one script gives one trace, pages of address servers are
//! read, several runtimes live in one process, and none brings what it need not.

mod alike;
mod bounds;
mod handles;
mod pages;
mod place;
mod script;
mod together;
mod trees;
mod world;
