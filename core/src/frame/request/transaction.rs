//! How half messages end.

use std::sync::Arc;

use crate::frame::header::header;

header! {
    /// This half message is committed or rolled back (`EndTransactionRequestHeader`).
    EndTransactionRequest {
        /// The topic.
        topic: Option<Arc<str>> = "topic",
        /// The producer's group.
        producer_group: Arc<str> = "producerGroup",
        /// The offset of the half message in its queue.
        queue_offset: i64 = "tranStateTableOffset",
        /// Its place in the commit log, in bytes.
        commit_log_offset: i64 = "commitLogOffset",
        /// 8: commit, 12: roll back, 0: not known (`MessageSysFlag`).
        outcome: i32 = "commitOrRollback",
        /// Whether the broker asked.
        from_check: bool = "fromTransactionCheck" or false,
        /// The unique id of the message.
        message_id: Arc<str> = "msgId",
        /// The id of the transaction.
        transaction_id: Option<Arc<str>> = "transactionId",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}

header! {
    /// From the broker, oneway: how did the half message in the body end?
    /// (`CheckTransactionStateRequestHeader`).
    CheckTransactionRequest {
        /// The topic.
        topic: Option<Arc<str>> = "topic",
        /// The offset of the half message in its queue.
        queue_offset: i64 = "tranStateTableOffset",
        /// Its place in the commit log, in bytes.
        commit_log_offset: i64 = "commitLogOffset",
        /// The unique id of the message.
        message_id: Option<Arc<str>> = "msgId",
        /// The id of the transaction.
        transaction_id: Option<Arc<str>> = "transactionId",
        /// The id that tells the broker and the place in its log.
        offset_message_id: Option<Arc<str>> = "offsetMsgId",
        /// The broker's name.
        broker: Option<Arc<str>> = "bname",
        ..common
    }
}
