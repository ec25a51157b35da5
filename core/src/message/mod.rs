//! Messages: what a user sends, what a broker stores, and the ids and properties of both.

mod asking;
mod batch;
mod batch_publish;
mod checksum;
mod compression;
mod delay;
mod ids;
mod inner_batch;
mod java_hash;
// The module's main type has its own file, which bears its name.
#[expect(clippy::module_inception)]
mod message;
mod message_ids;
pub mod properties;
mod publish;
mod recall_handle;
mod record;
mod record_list;
mod retry;
mod signed;
mod stored;
pub mod sys_flag;

pub use asking::NoRequest;
pub(crate) use asking::opened;
pub use batch::{BatchBody, BatchError, Batched};
pub(crate) use delay::DELAY_LEVELS;
pub use ids::{IdError, OffsetMessageId, UniqueId, UniqueIds};
pub use java_hash::java_string_hash;
pub use message::{Message, MessageError};
pub(crate) use message::{is_tag, trimmed};
pub use message_ids::MessageIds;
pub use properties::Properties;
pub use publish::{MessageLimits, Publish};
pub use recall_handle::RecallHandle;
pub use record::{Record, RecordError};
pub use record_list::{Item, RecordList, Undecodable};
pub(crate) use retry::Retry;
#[cfg(feature = "acl")]
pub(crate) use signed::Values;
pub use stored::StoredRecord;
pub use sys_flag::Compression;
