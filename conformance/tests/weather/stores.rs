//! Offsets that no broker keeps: stores of the application's that call the client, take their time
//! and panic, and files that two clients want.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rocketry::{
    Client, Config, Consumer, ConsumerBuilder, Message, MessageModel, OffsetOwner, OffsetStore,
    Offsets, Refused, Start, StoreFailure, StoredOffsets, SubscribeError, Topic,
};

use crate::rig::{On, Rig, eventually};
use crate::{TOPIC, on_all, served};

on_all!(
    a_store_may_call_the_client_take_its_time_and_panic,
    a_store_that_is_refused_may_call_the_client_when_it_is_freed,
    a_file_is_read_by_the_next_client_once_the_first_has_left,
);

const SOON: Duration = Duration::from_secs(20);

/// Calls the client in all that it does, and panics when it saves for the first time.
struct Hostile {
    client: Client,
    kept: Arc<Mutex<Offsets>>,
    panicked: AtomicBool,
    freed: Arc<AtomicUsize>,
}

impl OffsetStore for Hostile {
    fn load(&self, _: &OffsetOwner) -> Result<StoredOffsets, StoreFailure> {
        let _ = self.client.stats();
        thread::sleep(Duration::from_millis(100));
        Ok(self.kept.lock().map_err(|_| "poisoned")?.clone().into())
    }

    fn save(&self, _: &OffsetOwner, offsets: &Offsets) -> Result<(), StoreFailure> {
        let _ = self.client.stats();
        assert!(self.panicked.swap(true, Ordering::SeqCst), "as it should");
        self.kept.lock().map_err(|_| "poisoned")?.extend(offsets.clone());
        Ok(())
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        let _ = self.client.stats();
        self.freed.fetch_add(1, Ordering::SeqCst);
    }
}

fn config(namesrv: &str) -> Config {
    let mut config = Config::new(namesrv).expect("settings that work");
    config.commit_interval = Duration::from_millis(100);
    config
}

fn builder(rig: &Rig) -> ConsumerBuilder {
    let builder = rig.client.consumer("stores").expect("a group").topic(TOPIC, "*");
    builder.model(MessageModel::Broadcasting).start_at(Start::First)
}

fn send(rig: &Rig, count: usize) {
    let producer = rig.client.producer("stores").expect("a producer");
    let message = |at: usize| Message::new(Topic::new(TOPIC).expect("a topic"), at.to_string());
    let sent: Vec<_> = (0..count).map(|at| producer.send(message(at))).collect();
    sent.into_iter().for_each(|call| drop(call.wait().expect("stored")));
}

fn take(consumer: &mut Consumer, count: usize) {
    for _ in 0..count {
        let delivery = consumer.recv_timeout(SOON).expect("a message").expect("a readable one");
        assert!(delivery.ack().is_taken());
    }
}

fn sum(offsets: &Mutex<Offsets>) -> i64 {
    offsets.lock().expect("no panic within").values().sum()
}

fn hostile(rig: &Rig) -> (Arc<Hostile>, Arc<Mutex<Offsets>>, Arc<AtomicUsize>) {
    let (kept, freed) = (Arc::<Mutex<Offsets>>::default(), Arc::<AtomicUsize>::default());
    let (client, panicked) = (rig.client.clone(), AtomicBool::new(false));
    (Arc::new(Hostile { client, kept: kept.clone(), panicked, freed: freed.clone() }), kept, freed)
}

fn a_store_may_call_the_client_take_its_time_and_panic(on: On) {
    let served = served();
    let rig = Rig::with(on, config(&served.namesrv()));
    let (store, kept, freed) = hostile(&rig);
    let mut consumer = builder(&rig).offset_store(store).start().expect("a consumer");
    send(&rig, 40);
    take(&mut consumer, 40);
    assert!(eventually(SOON, || sum(&kept) == 40), "{:?}", kept);
    consumer.close().wait().expect("an end");
    assert!(eventually(SOON, || freed.load(Ordering::SeqCst) == 1), "{freed:?}");
    rig.client.shutdown().wait().expect("an end");
}

fn a_store_that_is_refused_may_call_the_client_when_it_is_freed(on: On) {
    let served = served();
    let rig = Rig::with(on, config(&served.namesrv()));
    let (store, _, first) = hostile(&rig);
    let (other, _, second) = hostile(&rig);
    let consumer = builder(&rig).offset_store(store).start().expect("a consumer");
    let refused = builder(&rig).offset_store(other).start();
    let refused = refused.err();
    assert!(
        matches!(refused, Some(SubscribeError::Refused(Refused::DuplicateGroup(_)))),
        "{refused:?}"
    );
    assert_eq!((first.load(Ordering::SeqCst), second.load(Ordering::SeqCst)), (0, 1));
    consumer.close().wait().expect("an end");
    assert!(eventually(SOON, || first.load(Ordering::SeqCst) == 1), "{first:?}");
}

/// A folder of its own, which goes with it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn a_file_is_read_by_the_next_client_once_the_first_has_left(on: On) {
    let served = served();
    let name = format!("rocketry-stores-{}-{}", std::process::id(), on.name());
    let folder = Folder(std::env::temp_dir().join(name));
    let mut config = config(&served.namesrv());
    config.offset_store_path = folder.0.to_str().map(str::to_owned);
    config.instance_name = Some("one".to_owned());
    let first = Rig::with(on, config.clone());
    let mut consumer = builder(&first).start().expect("a consumer");
    send(&first, 20);
    take(&mut consumer, 20);

    let second = Rig::with(on, config);
    let mut waits = builder(&second).start().expect("a consumer");
    assert!(waits.recv_timeout(Duration::from_millis(1500)).is_err(), "it has no offsets");
    let states = second.client.stats().consumers.remove(0).queues;
    assert!(states.iter().all(|queue| queue.state == "loading offset"), "{states:?}");
    consumer.close().wait().expect("an end");
    send(&first, 20);
    take(&mut waits, 20);
    waits.close().wait().expect("an end");
}
