//! The JSON form of a header, read and written by hand: no tree, and no allocation without need.

mod cursor;
mod escape;
mod found;
mod read;
mod write;

pub use escape::escape_into;
pub(crate) use escape::escape_room;
pub(super) use found::Found;
pub use read::read_head;
pub(super) use read::visit_fields;
pub use write::JsonFields;
pub(super) use write::{Trailer, close_head, open_head, push_int};
