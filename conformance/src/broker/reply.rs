//! Replies to messages that ask (324, 325), pushed to the client that asked (326):
//! `ReplyMessageProcessor`.

use std::sync::Arc;

use bytes::Bytes;
use rocketry_core::frame::reply::SendReply;
use rocketry_core::frame::request::{PushReplyRequest, SendRequest};
use rocketry_core::frame::{Request, ResponseCode};
use rocketry_core::message::properties;

use super::answer::{Answer, Caller, Turn};
use super::node::Node;
use super::relay::Purpose;
use super::send::{kept, marked};
use super::store::{Editable, Incoming};

/// A reply that its requester was pushed, to be stored once that has taken it.
#[derive(Debug)]
pub(super) struct Pushed {
    pub(super) caller: Caller,
    client: Arc<str>,
    request: SendRequest,
    queue: i32,
    body: Bytes,
}

impl Node {
    /// Pushes a reply to whoever asked, if a producer of that client id is connected.
    pub(super) fn push_reply(
        &mut self,
        turn: &mut Turn<'_>,
        caller: Caller,
        request: SendRequest,
        body: &Bytes,
    ) {
        let queue = match self.check(turn, &caller, &request) {
            Ok(queue) => queue,
            Err(refused) => return turn.reply(&caller, marked(refused)),
        };
        let given = request.properties.as_deref().unwrap_or_default();
        let mut said = Editable::read(given.as_bytes());
        let refuse = |remark: String| marked(Answer::error(ResponseCode::SYSTEM_ERROR, remark));
        let Some(client) = said.get(properties::REPLY_TO_CLIENT).map(Arc::<str>::from) else {
            let name = properties::REPLY_TO_CLIENT;
            let refused = refuse(format!("reply message properties[{name}] is null"));
            return turn.reply(&caller, refused);
        };
        let Some(conn) = self.groups.producer_of(&client) else {
            let remark = format!("push reply message fail, channel of <{client}> not found.");
            return turn.reply(&caller, refuse(remark));
        };
        said.set("PUSH_REPLY_TIME", turn.unix.0.to_string());
        let push = Request::PushReply(PushReplyRequest {
            producer_group: request.producer_group.clone(),
            topic: request.topic.clone(),
            default_topic: request.default_topic.clone(),
            default_topic_queues: request.default_topic_queues,
            queue_id: request.queue_id,
            sys_flag: request.sys_flag,
            born_timestamp: request.born_timestamp,
            flag: request.flag,
            properties: Some(Arc::from(said.wire())),
            reconsume_times: request.reconsume_times,
            unit_mode: request.unit_mode.unwrap_or(false),
            born_host: Arc::from(caller.peer.to_string()),
            store_host: Arc::from(self.store_host.to_string()),
            store_timestamp: turn.unix.0,
            ..Default::default()
        });
        let pushed = Pushed { caller, client, request, queue, body: body.clone() };
        self.ask(turn, conn, push, body.clone(), Purpose::Reply(Box::new(pushed)));
    }

    /// The requester has taken its reply: it is stored (`storeReplyMessageEnable`).
    pub(super) fn reply_taken(&mut self, turn: &mut Turn<'_>, pushed: Pushed) {
        let Pushed { caller, request, queue, body, .. } = pushed;
        let message = Incoming {
            topic: &request.topic,
            queue,
            flag: request.flag,
            sys_flag: request.sys_flag,
            born_timestamp: request.born_timestamp,
            born_host: caller.peer,
            reconsume_times: request.reconsume_times.unwrap_or(0),
            body: &body,
            properties: request.properties.as_deref().unwrap_or_default().as_bytes(),
            tag: 0,
            delay: 0,
            prepared: 0,
        };
        match self.append(turn, &message) {
            Ok((id, queue_offset)) => {
                let msg_id = Arc::from(id.to_string());
                let reply =
                    SendReply { msg_id, queue_id: queue, queue_offset, ..Default::default() };
                turn.reply(&caller, kept(&caller, reply));
                self.wake(turn, &request.topic, queue, 0);
            }
            Err(refused) => turn.reply(&caller, marked(refused)),
        }
    }

    /// The requester has not taken its reply.
    pub(super) fn reply_refused(turn: &mut Turn<'_>, pushed: &Pushed) {
        let remark = format!("push reply message to {}fail.", pushed.client);
        turn.reply(&pushed.caller, marked(Answer::error(ResponseCode::SYSTEM_ERROR, remark)));
    }
}
