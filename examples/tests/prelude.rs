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
    let config = Config::new(&cluster.namesrv())?;
    smol::block_on(async { once(rocketry::smol::connect(config.clone())?).await })?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let client = rocketry::tokio::connect(config)?;
        tokio::spawn(once(client)).await?
    })?;
    assert_eq!(cluster.stored("orders").len(), 2);
    Ok(())
}
