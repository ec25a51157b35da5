//! `use rocketry::prelude::*;` gives what a program names, and hides no crate beside it.

use rocketry::prelude::*;
use rocketry_conformance::embedded::EmbeddedCluster;

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

async fn once(client: Client) -> Outcome {
    let producer: Producer = client.producer("shop")?;
    let order = Message::new(Topic::new("orders")?, "3 apples").tag("eu");
    let receipt: SendReceipt = producer.send_with(order, SendOptions::ordered("7")).await?;
    assert_eq!(receipt.status, rocketry::SendStatus::Ok);
    client.shutdown().await?;
    Ok(())
}

#[test]
fn a_program_on_two_runtimes_names_the_crates_and_the_prelude() -> Outcome {
    let cluster = EmbeddedCluster::start()?;
    let config = Config::new(cluster.namesrv())?;
    smol::block_on(async { once(rocketry::smol::connect(config.clone())?).await })?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let client = rocketry::tokio::connect(config)?;
        tokio::spawn(once(client)).await?
    })?;
    assert_eq!(cluster.stored("orders").len(), 2);
    Ok(())
}

#[test]
fn the_root_names_the_errors() {
    fn is_error<E: std::error::Error + Send + Sync + 'static>() {}
    is_error::<rocketry::BodyError>();
    is_error::<rocketry::CloseReason>();
    is_error::<rocketry::ConfigError>();
    is_error::<rocketry::ConnectError>();
    is_error::<rocketry::MessageError>();
    is_error::<rocketry::NameError>();
    is_error::<rocketry::QueryError>();
    is_error::<rocketry::RecordError>();
    is_error::<rocketry::SendError>();
    is_error::<rocketry::SubscribeError>();
}

#[test]
fn the_root_names_what_a_consumer_is_seen_by() -> Outcome {
    use rocketry::{ConsumerStats, OffsetStats, QueueStats, TopicConsumption, UnixMillis};
    let cluster = EmbeddedCluster::start()?;
    cluster.create_topic("orders", 4);
    let client = rocketry::blocking::connect(cluster.namesrv())?;
    let consumer = client.consumer("billing")?.topic("orders", "*").start()?;
    let stats = client.stats();
    let seen: &ConsumerStats = &stats.consumers[0];
    let queues: &[QueueStats] = &seen.queues;
    let offsets: &OffsetStats = &seen.offsets;
    let topics: Vec<&TopicConsumption> = seen.consumption.iter().collect();
    println!("{queues:?} {offsets:?} {topics:?} {consumer:?}");
    // An offset by time: of any clock's, or a number.
    let topic = Topic::new("orders")?;
    let queue = client.queues(&topic).wait()?.swap_remove(0);
    assert_eq!(queue.to_string(), "queue 0 of orders on broker-a");
    let admin = client.admin();
    let now = std::time::SystemTime::now();
    assert_eq!(UnixMillis::from(now), now.into());
    assert_eq!(admin.search_offset(&queue, now).wait()?, 0);
    assert_eq!(admin.search_offset(&queue, 1_750_000_000_000).wait()?, 0);
    client.shutdown().wait()?;
    Ok(())
}

#[test]
fn the_root_names_what_the_admin_takes_and_answers() -> Outcome {
    use rocketry::{
        Admin, Bytes, ClusterInfo, Endpoint, PeerKind, Request, RequestCode, Response,
        ResponseCode, RouteBody, Target, TopicConfig, TopicList,
    };
    let cluster = EmbeddedCluster::start()?;
    let client = rocketry::blocking::connect(cluster.namesrv())?;
    let admin: Admin = client.admin();
    admin.create_topic("DefaultCluster", &TopicConfig::new("orders", 4)).wait()?;
    let topics: TopicList = admin.topics().wait()?;
    assert!(topics.topics.contains("orders"));
    let known: ClusterInfo = admin.cluster().wait()?;
    assert_eq!(known.brokers.len(), 1);
    let route: RouteBody = admin.route(&Topic::new("orders")?).wait()?;
    assert_eq!(route.brokers.len(), 1);
    let nobodys = Request::Unknown { code: RequestCode(9999), fields: Vec::new() };
    let at = cluster.broker(0).address().ok_or("a broker")?;
    let at = Endpoint::parse(&at.to_string())?;
    let to = Target::Peer(PeerKind::Broker, at);
    let answer: Response = admin.call(to, nobodys, Bytes::new()).wait()?;
    assert_eq!(answer.code, ResponseCode::REQUEST_CODE_NOT_SUPPORTED);
    client.shutdown().wait().expect("an end");
    Ok(())
}
