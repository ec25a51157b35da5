//! Every work on every runtime against the embedded broker, and how the figures look.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use std::time::{Duration, Instant};

use rocketry::Topic;
use rocketry_core::frame::RequestCode;

use super::{BenchError, Plan, Progress, Report, Runtime, Work, run};
use crate::broker::ClusterConfig;
use crate::serve::Served;

const TOPIC: &str = "bench";
const WARM: usize = 10;
/// No multiple of [`PARALLEL`]: nobody's share is forgotten.
const COUNT: usize = 300;
const PARALLEL: usize = 16;
const RUNTIMES: [Runtime; 4] = [Runtime::Tokio, Runtime::Smol, Runtime::AsyncStd, Runtime::Std];

fn served() -> Served {
    Served::start(ClusterConfig::default().topic(TOPIC, 4)).unwrap()
}

fn plan(work: Work, served: &Served) -> Plan {
    Plan {
        work,
        namesrv: served.namesrv(),
        topic: Topic::new(TOPIC).unwrap(),
        warm: WARM,
        count: COUNT,
        body: 100,
        parallel: PARALLEL,
        tls: false,
        signed: false,
    }
}

/// Runs a work and looks at its figures.
fn measured(work: Work, runtime: Runtime, served: &Served) -> Report {
    let progress = Progress::default();
    let report = run(&plan(work, served), runtime, &progress).unwrap();
    assert_eq!(report.peer, runtime);
    assert_eq!(report.count, COUNT);
    assert_eq!(progress.seen(), WARM + COUNT, "{runtime}: the progress ends where the work does");
    assert!(report.rate > 0.0 && report.cpu_us > 0.0, "{report}");
    let ordered = report.p50_us <= report.p99_us && report.p99_us <= report.p999_us;
    assert!(ordered, "{report}");
    let takes = matches!(work, Work::Consume | Work::ConsumeOrderly | Work::ConsumePull);
    let calls = !takes && work != Work::Handlers;
    assert_eq!(report.p50_us > 0, calls, "{report}");
    report
}

/// Runs a sending work on each runtime; what it has counted is stored.
fn stores_what_it_counts(work: Work, name: &str, code: RequestCode, requests: u64) {
    for runtime in RUNTIMES {
        let served = served();
        let report = measured(work, runtime, &served);
        assert_eq!(report.work, name);
        let deadline = Instant::now() + Duration::from_secs(10);
        let all = (WARM + COUNT) as u64;
        // What was sent oneway may still be on its way.
        while served.with(|cluster| cluster.stored(TOPIC)) < all && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(served.with(|cluster| cluster.stored(TOPIC)), all, "{runtime}");
        assert_eq!(served.with(|cluster| cluster.requests(code)), requests, "{runtime}");
    }
}

#[test]
fn callers_that_wait_store_what_they_count() {
    let all = (WARM + COUNT) as u64;
    stores_what_it_counts(Work::Sync, "sync16", RequestCode::SEND_MESSAGE_V2, all);
}

#[test]
fn transactions_commit_what_they_count() {
    let all = (WARM + COUNT) as u64;
    stores_what_it_counts(Work::Transaction, "transaction16", RequestCode::SEND_MESSAGE_V2, all);
}

#[test]
fn a_window_of_sends_stores_what_it_counts() {
    let all = (WARM + COUNT) as u64;
    stores_what_it_counts(Work::Async, "async16", RequestCode::SEND_MESSAGE_V2, all);
}

#[test]
fn batches_store_what_they_count_the_last_one_smaller() {
    let batches = COUNT.div_ceil(PARALLEL) as u64;
    stores_what_it_counts(Work::Batch, "batch16", RequestCode::SEND_BATCH_MESSAGE, batches);
}

#[test]
fn oneway_sends_are_stored_as_counted_by_a_broker_with_time() {
    let all = (WARM + COUNT) as u64;
    stores_what_it_counts(Work::Oneway, "oneway", RequestCode::SEND_MESSAGE_V2, all);
}

#[test]
fn a_burst_tells_what_became_of_each_send_and_of_the_next_one() {
    for runtime in RUNTIMES {
        let served = served();
        let report = measured(Work::Burst, runtime, &served);
        let burst = report.burst.unwrap();
        assert_eq!((burst.ok, burst.no, burst.unknown, burst.yes), (COUNT, 0, 0, 0), "{runtime}");
        assert!(burst.next_ok && burst.next > Duration::ZERO, "{burst}");
        assert!(report.to_string().ends_with(&burst.to_string()), "{report}");
        assert_eq!(served.with(|cluster| cluster.stored(TOPIC)), (WARM + COUNT + 1) as u64);
    }
}

#[test]
fn consuming_counts_what_others_have_sent() {
    let served = served();
    measured(Work::Async, Runtime::Std, &served);
    for runtime in RUNTIMES {
        assert_eq!(measured(Work::Consume, runtime, &served).work, "consume");
        let orderly = measured(Work::ConsumeOrderly, runtime, &served);
        assert_eq!(orderly.work, "consume-orderly");
        assert_eq!(measured(Work::ConsumePull, runtime, &served).work, "consume-pull");
        assert_eq!(measured(Work::Handlers, runtime, &served).work, "handlers16");
    }
}

#[test]
fn a_send_that_fails_ends_the_run_on_every_runtime() {
    let config = ClusterConfig { auto_create_topics: false, ..ClusterConfig::default() };
    let served = Served::start(config).unwrap();
    for work in [Work::Sync, Work::Async, Work::Batch, Work::Oneway] {
        for runtime in RUNTIMES {
            let plan = Plan { warm: 0, ..plan(work, &served) };
            let ended = run(&plan, runtime, &Progress::default());
            assert!(matches!(ended, Err(BenchError::Send(_))), "{runtime}: {ended:?}");
        }
    }
}

fn report() -> Report {
    Report {
        peer: Runtime::AsyncStd,
        work: "batch32".to_owned(),
        count: 400_000,
        rate: 1_234_567.4,
        cpu_us: 0.456,
        rss_kb: 12_345,
        p50_us: 120,
        p99_us: 1_500,
        p999_us: 20_000,
        burst: None,
        locks: None,
    }
}

#[test]
fn a_line_has_the_fields_of_other_clients_programs() {
    let line = "peer=rocketry-async-std work=batch32 n=400000 rate=1234567 cpu_us=0.46 \
                rss_kb=12345 p50_us=120 p99_us=1500 p999_us=20000";
    assert_eq!(report().to_string(), line);
}

#[test]
fn a_table_has_a_column_for_each_field() {
    let lines = [
        "client              work     messages  messages/s  CPU µs/message  peak MiB  \
         p50 µs  p99 µs  p99.9 µs",
        "rocketry-async-std  batch32   400,000   1,234,567            0.46      12.1  \
         \x20  120   1,500    20,000",
    ];
    assert_eq!(report().table(), lines.join("\n"));
    let consumed =
        Report { work: "consume".to_owned(), p50_us: 0, p99_us: 0, p999_us: 0, ..report() };
    assert!(consumed.table().ends_with("     -       -         -"), "{}", consumed.table());
}

#[test]
fn one_message_in_flight_is_timed_from_its_send_to_its_delivery() {
    for runtime in RUNTIMES {
        let served = served();
        let report = measured(Work::Latency, runtime, &served);
        assert_eq!(report.work, "latency");
        assert_eq!(served.with(|cluster| cluster.stored(TOPIC)), (WARM + COUNT) as u64);
    }
}
