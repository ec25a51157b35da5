//! What a run is measured by.

use std::fmt;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rocketry::Client;
use rocketry_core::client::LockStats;
use rustix::time::{ClockId, clock_gettime};

use super::burst::Burst;
use super::progress::{Progress, Tally};
use super::{BenchError, Job, Runtime};

/// CPU time of this process so far, of threads that have ended as well.
fn cpu() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec as u64, spent.tv_nsec as u32)
}

/// The most memory this process has held, in KiB; 0 where the system does not tell.
fn peak_rss_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// How long each call took, in microseconds.
#[derive(Debug)]
pub(super) struct Latencies {
    calls: Histogram<u64>,
    tally: Tally,
}

impl Latencies {
    pub(super) fn new(progress: &Progress) -> Result<Self, BenchError> {
        let calls = Histogram::new_with_bounds(1, 60_000_000, 3).map_err(std::io::Error::other)?;
        Ok(Self { calls, tally: progress.tally() })
    }

    /// A call with so many messages has ended.
    pub(super) fn add(&mut self, since: Instant, messages: usize) {
        self.calls.saturating_record((since.elapsed().as_micros() as u64).max(1));
        self.tally.add(messages);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        // Both have the same bounds.
        let _ = self.calls.add(&other.calls);
    }
}

/// The clocks of one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    wall: Instant,
    cpu: Duration,
}

impl Start {
    pub(super) fn now() -> Self {
        Self { wall: Instant::now(), cpu: cpu() }
    }

    /// The figures of `count` messages since the start.
    pub(super) fn end(self, job: &Job, latencies: &Latencies) -> Report {
        let (wall, cpu) = (self.wall.elapsed(), cpu().saturating_sub(self.cpu));
        let (count, calls) = (job.plan.count, &latencies.calls);
        let quantile = |at| if calls.is_empty() { 0 } else { calls.value_at_quantile(at) };
        Report {
            peer: job.peer,
            work: job.plan.name(),
            count,
            rate: count as f64 / wall.as_secs_f64(),
            cpu_us: cpu.as_secs_f64() * 1e6 / count as f64,
            rss_kb: peak_rss_kb(),
            p50_us: quantile(0.5),
            p99_us: quantile(0.99),
            p999_us: quantile(0.999),
            burst: None,
            locks: None,
        }
    }
}

/// The figures of one run; shown as one line.
#[derive(Clone, Debug)]
pub struct Report {
    /// The runtime.
    pub peer: Runtime,
    /// The work and its parallelism.
    pub work: String,
    /// Messages counted.
    pub count: usize,
    /// Messages per second.
    pub rate: f64,
    /// CPU time of this process per message, in microseconds.
    pub cpu_us: f64,
    /// Peak memory, in KiB.
    pub rss_kb: u64,
    /// Half the calls took no longer, in microseconds: from making the message, or a batch's, to
    /// the answer, to the writer of a oneway one, or to the delivery of `Latency`. 0 for consuming,
    /// which has no calls.
    pub p50_us: u64,
    /// 99 of 100 took no longer.
    pub p99_us: u64,
    /// 999 of 1,000 took no longer.
    pub p999_us: u64,
    /// What became of a burst; `None` for all other works.
    pub burst: Option<Burst>,
    /// How long the client's lock was held, the warming up included; `None` unless that is
    /// measured (feature `lock-stats`).
    pub locks: Option<LockStats>,
}

impl Report {
    /// With what is known of the client's lock.
    pub(super) fn watched(self, client: &Client) -> Self {
        Self { locks: client.lock_stats(), ..self }
    }

    /// A line about the client's lock, where it was measured.
    pub fn lock_line(&self) -> Option<String> {
        self.locks.map(|locks| {
            let [mean, p50, p99, max] =
                [locks.mean, locks.p50, locks.p99, locks.max].map(|time| time.as_nanos());
            let holds = locks.holds;
            format!("lock holds={holds} mean_ns={mean} p50_ns={p50} p99_ns={p99} max_ns={max}")
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { peer, work, count, rate, cpu_us, rss_kb, p50_us, p99_us, p999_us, .. } = self;
        write!(f, "peer=rocketry-{peer} work={work} n={count} rate={rate:.0} cpu_us={cpu_us:.2} ")?;
        write!(f, "rss_kb={rss_kb} p50_us={p50_us} p99_us={p99_us} p999_us={p999_us}")?;
        self.burst.map_or(Ok(()), |burst| write!(f, " {burst}"))
    }
}
