//! A service, tested against a broker that goes away: docs/testing.md shows what follows.

use std::error::Error;

use rocketry::{Client, Message, SendError, Start, Topic};
use rocketry_conformance::embedded::{ClusterConfig, EmbeddedCluster};

/// The service under test.
async fn place(client: &Client, topic: &Topic, order: u32) -> Result<(), SendError> {
    let producer = client.producer("shop").expect("a valid name");
    let order = Message::new(topic.clone(), format!("order {order}"));
    producer.send(order).await.map(drop)
}

#[tokio::test]
async fn no_order_is_lost_with_a_broker() -> Result<(), Box<dyn Error>> {
    let cluster = EmbeddedCluster::start_with(ClusterConfig::default().brokers(2))?;
    cluster.create_topic("orders", 4);
    let topic = Topic::new("orders")?;
    let client = rocketry::tokio::connect(cluster.namesrv())?;

    for order in 0..100 {
        if order == 50 {
            cluster.broker(0).kill(); // and routes go on naming it
        }
        place(&client, &topic, order).await?;
    }
    assert_eq!(cluster.stored("orders").len(), 100);

    // It comes back with the messages that it has, and each is consumed.
    cluster.broker(0).restart()?;
    let consumer = client.consumer("billing")?.topic("orders", "*");
    let mut consumer = consumer.start_at(Start::First).start()?;
    for _ in 0..100 {
        let order = consumer.next().await.expect("there are 100")?;
        order.ack();
    }
    client.shutdown().await?;
    assert_eq!(cluster.unsettled("billing", "orders"), 0);
    Ok(())
}
