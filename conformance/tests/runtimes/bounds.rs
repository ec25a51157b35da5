//! RT-05, checked by the compiler: what may be shared, what may move, and what a task may hold.

use rocketry::client::{Admin, EndError, Ended, Next, Pending};
use rocketry::proto::message::Message;
use rocketry::{Client, Consumer, Delivery, Producer, QueryError, SendError, SendReceipt};

const fn shared<T: Send + Sync + Clone + 'static>() {}
const fn moves<T: Send + Unpin + 'static>() {}
const fn sends<T: Send>() {}
const fn spawns<F: Future + Send + 'static>(_: &F) {}

const _: () = {
    shared::<Client>();
    shared::<Producer>();
    shared::<Admin>();
    moves::<Consumer>();
    moves::<Delivery>();
    moves::<Pending<Result<SendReceipt, SendError>>>();
    moves::<Pending<Result<i64, QueryError>>>();
    moves::<Pending<Result<Ended, EndError>>>();
    sends::<Next<'_>>();
};

/// A task that produces, consumes and asks, as users write it.
async fn work(client: Client, producer: Producer, mut consumer: Consumer, message: Message) {
    let topic = message.topic().expect("a topic").clone();
    let sent = producer.send(message).await;
    let queues = client.queues(&topic).await;
    if let Ok(Ok(delivery)) = consumer.next().await {
        delivery.ack();
    }
    consumer.close().await.expect("an end");
    client.shutdown().await.expect("an end");
    drop((sent, queues));
}

#[test]
fn rt_05_a_task_that_uses_every_handle_may_be_spawned() {
    let begin = |client, producer, consumer, message| {
        let task = work(client, producer, consumer, message);
        spawns(&task);
        task
    };
    // Compiling was the test: no such task can be made without a client.
    let _: fn(Client, Producer, Consumer, Message) -> _ = begin;
}
