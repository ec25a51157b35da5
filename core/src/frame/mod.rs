//! Bytes to frames and back: what RocketMQ's remoting protocol looks like on the wire.
//!
//! A frame (Java calls it `RemotingCommand`) is `length | form and header length | header | body`.
//! [`Inbound`] cuts and decodes what a peer sends, [`Outbound`] encodes what is sent to it. Names
//! of fields on the wire stand in [`request`] and [`reply`] only, codes in [`code`].
//!
//! Headers come in two forms, JSON and binary; each frame tells its own, and a peer answers in the
//! form it likes. We write JSON: the binary form cannot carry codes above 32,767.

pub mod binary;
pub mod code;
mod content;
mod error;
mod foreign;
pub mod head;
pub mod header;
pub mod inbound;
pub mod json;
pub mod opaque;
mod out_frame;
pub mod outbound;
mod queue;
mod recycled;
pub mod reply;
pub mod request;
mod seal;
pub mod version;

pub use code::{RequestCode, ResponseCode};
pub use content::{Content, Frame, Reply};
pub use error::{FrameError, HeaderError};
pub use foreign::Foreign;
pub use head::{Fields, Head, HeaderForm, Language, Pairs};
pub use header::{FieldSink, Header};
pub use inbound::{Inbound, Limits, Whole};
pub use opaque::{Kind, Opaque};
pub use out_frame::{OutFrame, Payload};
pub use outbound::Outbound;
pub use reply::ReplyFields;
pub use request::Request;

/// The version we show to peers: the ordinal of `V5_3_3` in Java's `MQVersion.Version`. From 401 on
/// a name server writes routes as standard JSON, above 475 a peer may answer `GO_AWAY`.
pub const CLIENT_VERSION: i32 = version::V5_3_3;
