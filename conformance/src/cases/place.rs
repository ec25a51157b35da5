//! Where a case runs: a runtime, a nameserver to ask, and names that nobody else uses.

use std::fmt;
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use rocketry::Config;
use rocketry::proto::error::{PeerKind, QueryError};
use rocketry::proto::frame::Request;
use rocketry::proto::frame::request::CreateTopicRequest;
use rocketry::proto::name::Endpoint;
use rocketry::proto::query::Target;

use super::case::Case;
use super::{keys, tls};
use crate::broker::ClusterConfig;
use crate::live::{self, Cluster, Options};
use crate::rig::{Access, On, Rig, eventually, patient};
use crate::serve::{Listen, Served};

/// A line of a broker's properties.
pub type Setting = (&'static str, &'static str);

/// The addresses of a cluster, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The nameserver's `HOST:PORT`, or several with `;` between.
    pub namesrv: String,
    /// The first master's.
    pub broker: String,
    /// The version of RocketMQ.
    pub version: String,
}

/// Brokers delete files at once that are full, so that queues lose their first messages.
pub(crate) const OLD_IS_DELETED: &[Setting] = &[
    ("mappedFileSizeCommitLog", "1048576"),
    ("fileReservedTime", "0"),
    ("deleteWhen", "00;01;02;03;04;05;06;07;08;09;10;11;12;13;14;15;16;17;18;19;20;21;22;23"),
    ("cleanResourceInterval", "500"),
    ("deleteCommitLogFilesInterval", "10"),
    ("destroyMapedFileIntervalForcibly", "1000"),
];

enum Ground {
    Embedded(Served),
    /// A cluster that cases share, and whether further ones of its version can be started.
    Shared(Addresses, Startable),
    /// A cluster of this case alone.
    Own {
        at: Addresses,
        _cluster: Cluster,
    },
}

/// Whether clusters can be started for single cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Startable {
    /// They can.
    Yes,
    /// The cluster is somebody else's.
    No,
}

/// A place of one run of one case. What it cannot provide panics, as a case does that fails.
pub struct Place {
    runtimes: Vec<On>,
    settings: &'static [Setting],
    ground: Ground,
    notes: Mutex<Vec<String>>,
    paired: AtomicBool,
    long: bool,
    access: Access,
    stop: Arc<AtomicBool>,
}

/// How long a cluster of one case lives at most.
const LIFE: Duration = Duration::from_secs(900);
/// Up to six JVMs start together, beside whatever else the machine does.
const PATIENCE: Duration = Duration::from_secs(240);

/// What every live cluster has that is started here (`live/files.rs`): no case needs one of its own
/// for it.
const LIVE: &[Setting] = &[("enablePropertyFilter", "true"), ("transactionCheckInterval", "5000")];

impl Place {
    /// A broker of its own in this process.
    pub fn embedded(case: &Case, runtimes: &[On]) -> Self {
        // As live ones, which look each 10 s for half messages of 6 s, but quicker.
        let pause = Duration::from_millis(500);
        let mut config = ClusterConfig::default().checks(pause, pause);
        for (name, value) in case.settings {
            match *name {
                name if name.starts_with("tls.") => {}
                "autoCreateTopicEnable" => config.auto_create_topics = *value == "true",
                // A case that deletes what is old has the embedded broker do so by itself.
                name if OLD_IS_DELETED.iter().any(|(known, _)| *known == name) => {}
                "autoCreateSubscriptionGroup" => config.auto_create_groups = *value == "true",
                // It has each message before it answers, and keeps it when it is killed.
                "flushDiskType" => {}
                "messageDelayLevel" => config.delay_levels = delays(value),
                "enablePropertyFilter" => config.property_filter = *value == "true",
                // A case of suggested slaves has them suggested by itself.
                "accessMessageInMemoryMaxRatio" => {}
                "timerWheelEnable" => config.timers = *value == "true",
                "recallMessageEnable" => config.recalls = *value == "true",
                "aclEnable" | "authenticationEnabled" | "authorizationEnabled" => {
                    config.acl = Some(keys::accounts());
                }
                // A case of acting masters has a cluster of its own.
                "enableSlaveActingMaster" => {}
                "slaveReadEnable" => config.slave_reads = *value == "true",
                "useServerSideResetOffset" => {
                    config.server_side_reset = Some(*value == "true");
                }
                "transactionCheckInterval" => {
                    let millis = value.parse().expect("milliseconds");
                    config.transactions.interval = Duration::from_millis(millis);
                }
                "transactionCheckMax" => {
                    config.transactions.checks = value.parse().expect("a number");
                }
                "rejectTransactionMessage" => config.transactions.rejects = *value == "true",
                _ => panic!("the embedded broker has no setting {name}"),
            }
        }
        let served = match tls::served(case.settings) {
            Some(tls) => Served::start_tls(config, &Listen::default(), tls),
            None => Served::start(config),
        };
        let served = served.expect("a served cluster");
        Self::new(case, runtimes, Ground::Embedded(served), Arc::default())
    }

    /// A cluster that is there already; one of its own where the case needs settings and does not
    /// start one itself. `stop` ends such a start early.
    pub fn shared(
        case: &Case,
        runtimes: &[On],
        at: &Addresses,
        startable: Startable,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let ground = Ground::Shared(at.clone(), startable);
        let mut place = Self::new(case, runtimes, ground, stop);
        let other = case.settings.iter().any(|setting| !LIVE.contains(setting));
        if startable == Startable::Yes && other && !case.alone {
            let cluster = place.cluster(|_| ());
            let (namesrv, broker) = (cluster.namesrv(), cluster.broker());
            let at = Addresses { namesrv, broker, version: at.version.clone() };
            place.ground = Ground::Own { at, _cluster: cluster };
        }
        place
    }

    fn new(case: &Case, runtimes: &[On], ground: Ground, stop: Arc<AtomicBool>) -> Self {
        let (runtimes, notes, paired) = (runtimes.to_vec(), Mutex::default(), false.into());
        let (settings, long, access) = (case.settings, false, Access::default());
        Self { runtimes, settings, ground, notes, paired, long, access, stop }
    }

    /// The same for a run that may take long.
    pub fn long(self, long: bool) -> Self {
        Self { long, ..self }
    }

    /// The same at a cluster that wants this of its clients.
    pub fn with_access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    /// What the cluster wants of its clients.
    pub const fn access(&self) -> &Access {
        &self.access
    }

    /// Whether a case may take long: send more, say.
    pub fn is_long(&self) -> bool {
        self.long
    }

    /// The runtime; the first of them where the case looks at several in one cluster.
    pub fn on(&self) -> On {
        self.runtimes[0]
    }

    /// All runtimes of this run: several only where a case needs a cluster of its own.
    pub fn runtimes(&self) -> &[On] {
        &self.runtimes
    }

    /// A runtime whose callers await and one whose callers wait, of those that were asked for; or
    /// the first one.
    pub fn pair(&self) -> Vec<On> {
        self.paired.store(true, Ordering::Relaxed);
        let pair = |on: &On| matches!(on, On::Tokio | On::Threads);
        let both: Vec<On> = self.runtimes.iter().copied().filter(pair).collect();
        if both.is_empty() { vec![self.on()] } else { both }
    }

    /// The runtimes that the case has looked at.
    pub fn used(&self) -> Vec<On> {
        if self.paired.load(Ordering::Relaxed) { self.pair() } else { self.runtimes.clone() }
    }

    /// The nameserver's `HOST:PORT`, or several with `;` between.
    pub fn namesrv(&self) -> String {
        match &self.ground {
            Ground::Embedded(served) => served.namesrv(),
            Ground::Shared(at, _) | Ground::Own { at, .. } => at.namesrv.clone(),
        }
    }

    /// The first master's `HOST:PORT`.
    pub fn broker(&self) -> String {
        match &self.ground {
            Ground::Embedded(served) => served.broker(0).expect("a broker").to_string(),
            Ground::Shared(at, _) | Ground::Own { at, .. } => at.broker.clone(),
        }
    }

    /// The version of RocketMQ; that of which the embedded broker takes the part.
    pub fn version(&self) -> &str {
        match &self.ground {
            Ground::Embedded(_) => "5.3.3",
            Ground::Shared(at, _) | Ground::Own { at, .. } => &at.version,
        }
    }

    /// The embedded broker, where that is the target.
    pub fn served(&self) -> Option<&Served> {
        match &self.ground {
            Ground::Embedded(served) => Some(served),
            Ground::Shared(..) | Ground::Own { .. } => None,
        }
    }

    /// A name that no other case and no earlier run has used.
    pub fn name(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        format!("case_{:x}_{}_{number}", now.as_secs(), process::id())
    }

    /// A new topic with so many queues.
    pub fn topic(&self, queues: u32) -> String {
        let topic = self.name();
        self.create(&topic, queues);
        topic
    }

    /// A topic of that name with so many queues: made by hand, so that nothing leans on the client
    /// that is tested, but where a cluster wants a key or TLS.
    pub fn create(&self, topic: &str, queues: u32) {
        if self.access.is_open() {
            let created = live::create_topic(&self.namesrv(), &self.broker(), topic, queues);
            return created.expect("the topic is created");
        }
        let request = Request::CreateTopic(CreateTopicRequest {
            topic: topic.into(),
            default_topic: "TBW102".into(),
            read_queues: queues as i32,
            write_queues: queues as i32,
            perm: 6,
            filter_type: "SINGLE_TAG".into(),
            topic_sys_flag: Some(0),
            order: false,
            ..CreateTopicRequest::default()
        });
        let broker = Endpoint::parse(&self.broker()).expect("an address");
        let (admin, target) = (self.access_rig(), Target::Peer(PeerKind::Broker, broker));
        let made = admin.client.admin().call(target, request, Bytes::new()).wait();
        made.and_then(|answer| answer.checked()).expect("the topic is created");
        let shown = eventually(Duration::from_secs(20), || self.queues_of(topic) == Some(queues));
        assert!(shown, "the route of {topic} never showed {queues} queues");
    }

    /// How many queues of a topic can be written, by its route; `None` where the nameserver knows
    /// none.
    pub fn queues_of(&self, topic: &str) -> Option<u32> {
        if self.access.is_open() {
            return live::route_queues(&self.namesrv(), topic).expect("an answer");
        }
        let topic = rocketry::Topic::new(topic).expect("a topic");
        match self.access_rig().client.admin().route(&topic).wait() {
            Ok(route) => Some(route.queues.iter().map(|queues| queues.write_queues).sum()),
            Err(QueryError::Failed(_) | QueryError::NoRoute { .. }) => None,
            Err(error) => panic!("an answer: {error}"),
        }
    }

    fn access_rig(&self) -> Rig {
        Rig::with(On::Threads, self.config())
    }

    /// What a client of a case begins with.
    pub fn config(&self) -> Config {
        self.config_at(&self.namesrv())
    }

    /// The same with other nameservers.
    pub fn config_at(&self, namesrv: &str) -> Config {
        self.access.give(patient(namesrv))
    }

    /// A client.
    pub fn rig(&self) -> Rig {
        self.rig_with(self.config())
    }

    /// A client with these settings.
    pub fn rig_with(&self, config: Config) -> Rig {
        Rig::with(self.on(), config)
    }

    /// Starts a live cluster of this version for the case alone, with its settings and what `set`
    /// changes.
    pub fn cluster(&self, set: impl FnOnce(&mut Options)) -> Cluster {
        let Ground::Shared(at, Startable::Yes) = &self.ground else {
            panic!("a cluster can be started for a version of Apache RocketMQ alone");
        };
        let mut options = Options::new(at.version.clone());
        let line = |(name, value): &Setting| format!("{name}={value}");
        options.conf.extend(self.settings.iter().map(line));
        (options.life, options.patience) = (LIFE, PATIENCE);
        options.stop = Some(self.stop.clone());
        set(&mut options);
        Cluster::start_with(options).expect("a cluster")
    }

    /// Keeps a line for the report: what was measured, mostly.
    pub fn note(&self, line: String) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// The lines that were kept.
    pub fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whole seconds, as `1s 5s`.
fn delays(levels: &str) -> Vec<Duration> {
    let seconds = |level: &str| level.strip_suffix('s').and_then(|number| number.parse().ok());
    let each = levels.split(' ').map(|level| seconds(level).expect("seconds"));
    each.map(Duration::from_secs).collect()
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {}", self.runtimes, self.namesrv())
    }
}

/// Keeps a line for the report of a case, with the arguments of `format!`.
macro_rules! note {
    ($place:expr, $($arg:tt)*) => {
        $place.note(format!($($arg)*))
    };
}
pub(crate) use note;
