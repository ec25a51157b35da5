//! One real nameserver and broker: started, waited for, hurt on purpose, and cleaned up.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::error::While;
use super::group::{self, Group};
use super::keeper::Keeper;
use super::port::{self, Ports};
use super::state::{self, State};
use super::{LiveError, files, jars, java, topic};

/// How often we look whether a process is ready.
const LOOK: Duration = Duration::from_millis(100);
/// How often a start is tried again because somebody took a port between look and use.
const TRIES: usize = 3;

/// How to start a cluster. [`Options::new`] gives the usual values; change the fields you need.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The RocketMQ version, such as `5.3.3`.
    pub version: String,
    /// Further lines of `broker.conf`, as `key=value`; they win over ours.
    pub conf: Vec<String>,
    /// The longest wait for each process to become ready; 90 s at first.
    pub patience: Duration,
    /// The JVMs end by themselves after this long; one hour at first.
    pub life: Duration,
    /// Raised by a Ctrl-C handler to end a start early with [`LiveError::Interrupted`].
    pub stop: Option<Arc<AtomicBool>>,
}

impl Options {
    /// The usual values for a version.
    pub fn new(version: impl Into<String>) -> Options {
        Options {
            version: version.into(),
            conf: Vec::new(),
            patience: Duration::from_secs(90),
            life: Duration::from_secs(3600),
            stop: None,
        }
    }
}

/// A real nameserver and broker on loopback. Dropping it kills both and deletes their data.
#[derive(Debug)]
pub struct Cluster {
    options: Options,
    java: PathBuf,
    jars: PathBuf,
    folder: PathBuf,
    ports: Ports,
    broker: Option<(Child, Group)>,
    namesrv: Option<(Child, Group)>,
    keeper: Option<Keeper>,
    /// Whether `Drop` leaves everything as it is.
    released: bool,
}

impl Cluster {
    /// Starts `version` with the usual [`Options`] and returns once its broker is registered: the
    /// nameserver hands out a route to it. Takes about 5 s, and about a minute more when Maven
    /// must fetch the jars first.
    ///
    /// # Errors
    ///
    /// [`LiveError::JavaMissing`], [`LiveError::JavaTooOld`] and [`LiveError::MavenMissing`] say
    /// what to install; [`LiveError::Ended`] and [`LiveError::NotReady`] carry the last words of
    /// the process. What was started by then is cleaned up.
    pub fn start(version: &str) -> Result<Cluster, LiveError> {
        Cluster::start_with(Options::new(version))
    }

    /// [`Cluster::start`] with other options.
    ///
    /// # Errors
    ///
    /// As [`Cluster::start`], and [`LiveError::Interrupted`] when [`Options::stop`] was raised.
    pub fn start_with(options: Options) -> Result<Cluster, LiveError> {
        let java = java::find()?;
        state::sweep()?;
        let jars = jars::folder(&options.version)?;
        let mut tries = 1;
        loop {
            let mut cluster = Cluster::prepare(options.clone(), java.clone(), jars.clone())?;
            match cluster.launch() {
                Ok(()) => return Ok(cluster),
                Err(error) if tries < TRIES && is_port_taken(&error) => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    fn prepare(options: Options, java: PathBuf, jars: PathBuf) -> Result<Cluster, LiveError> {
        let folder = state::create(&options.version)?;
        let keeper = Keeper::start(&folder);
        let cluster = Cluster {
            ports: port::free()?,
            options,
            java,
            jars,
            folder,
            broker: None,
            namesrv: None,
            keeper,
            released: false,
        };
        files::write(&cluster.folder, cluster.ports, &cluster.options.conf)?;
        Ok(cluster)
    }

    fn launch(&mut self) -> Result<(), LiveError> {
        self.namesrv = Some(self.spawn("nameserver")?);
        self.remember(state::us())?;
        self.wait("nameserver", |cluster| topic::route_queues(&cluster.namesrv(), "none").is_ok())?;
        self.launch_broker()
    }

    fn launch_broker(&mut self) -> Result<(), LiveError> {
        self.broker = Some(self.spawn("broker")?);
        self.remember(state::us())?;
        self.wait("broker", |cluster| {
            let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, cluster.ports.broker));
            cluster.said("broker").contains("boot success")
                && TcpStream::connect_timeout(&loopback, Duration::from_secs(1)).is_ok()
                // Each broker has a topic of its own name, whether or not it creates others.
                && topic::route_queues(&cluster.namesrv(), files::BROKER_NAME)
                    .is_ok_and(|queues| queues.is_some())
        })
    }

    fn spawn(&self, role: &'static str) -> Result<(Child, Group), LiveError> {
        let home = self.folder.display();
        let mut args: Vec<String> = java::OPEN.iter().map(|&flag| flag.to_owned()).collect();
        let (heap, main, conf): (&[&str], _, _) = if role == "broker" {
            let heap = &["-Xms512m", "-Xmx1g", "-XX:MaxDirectMemorySize=512m"];
            (heap, "org.apache.rocketmq.broker.BrokerStartup", "broker.conf")
        } else {
            (&["-Xmx256m"], "org.apache.rocketmq.namesrv.NamesrvStartup", "namesrv.conf")
        };
        args.extend(heap.iter().map(|&flag| flag.to_owned()));
        // Both write logs below their user's home; ours go away with the data.
        args.push(format!("-Duser.home={home}"));
        args.extend(["-cp".to_owned(), format!("{}/*", self.jars.display())]);
        args.extend([main.to_owned(), "-c".to_owned(), format!("{home}/conf/{conf}")]);
        group::spawn(&self.java, &args, &self.folder, &self.out(role), self.options.life)
            .during(|| format!("starting the {role}"))
    }

    /// Tells the state file and the keeper what there is to end.
    fn remember(&mut self, owner: Option<Group>) -> Result<(), LiveError> {
        let groups: Vec<Group> =
            [&self.broker, &self.namesrv].into_iter().flatten().map(|(_, group)| *group).collect();
        if let Some(keeper) = &mut self.keeper {
            keeper.watch(&groups);
        }
        let state = State {
            version: self.options.version.clone(),
            namesrv: self.namesrv(),
            broker: self.broker(),
            groups,
            owner,
        };
        state::save(&self.folder, &state)
    }

    fn wait(
        &mut self,
        role: &'static str,
        ready: impl Fn(&Cluster) -> bool,
    ) -> Result<(), LiveError> {
        let start = Instant::now();
        let version = self.options.version.clone();
        while !ready(self) {
            let slot = if role == "broker" { &mut self.broker } else { &mut self.namesrv };
            let ended =
                slot.as_mut().is_none_or(|(child, _)| !matches!(child.try_wait(), Ok(None)));
            let last_words = || files::tail(&self.said(role), 3);
            if ended {
                return Err(LiveError::Ended { role, version, said: last_words() });
            }
            if self.options.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                return Err(LiveError::Interrupted);
            }
            let after = start.elapsed();
            if after >= self.options.patience {
                return Err(LiveError::NotReady { role, version, after, said: last_words() });
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    fn out(&self, role: &str) -> PathBuf {
        self.folder.join(format!("{role}.out"))
    }

    fn said(&self, role: &str) -> String {
        let bytes = fs::read(self.out(role)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The RocketMQ version that runs.
    pub fn version(&self) -> &str {
        &self.options.version
    }

    /// The nameserver's `HOST:PORT`.
    pub fn namesrv(&self) -> String {
        format!("127.0.0.1:{}", self.ports.namesrv)
    }

    /// The broker's `HOST:PORT`.
    pub fn broker(&self) -> String {
        format!("127.0.0.1:{}", self.ports.broker)
    }

    /// The name that the broker registers under.
    pub fn broker_name(&self) -> &str {
        files::BROKER_NAME
    }

    /// The folder with `broker.out`, `nameserver.out`, `conf/`, `store/` and `logs/`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Creates or updates a topic; see [`create_topic`](super::create_topic).
    ///
    /// # Errors
    ///
    /// As [`create_topic`](super::create_topic).
    pub fn create_topic(&self, name: &str, queues: u32) -> Result<(), LiveError> {
        topic::create_topic(&self.namesrv(), &self.broker(), name, queues)
    }

    /// Kills the broker at once, as `kill -9`; its data stays. Nothing happens without a broker.
    pub fn kill_broker(&mut self) {
        if let Some(broker) = self.broker.take() {
            kill(broker);
        }
    }

    /// Freezes the broker (SIGSTOP): its connections stay open and silent.
    pub fn stop_broker(&self) {
        self.signal_broker(Signal::STOP);
    }

    /// Lets a frozen broker go on (SIGCONT).
    pub fn cont_broker(&self) {
        self.signal_broker(Signal::CONT);
    }

    fn signal_broker(&self, signal: Signal) {
        if let Some((_, group)) = &self.broker {
            group.signal(signal);
        }
    }

    /// Starts the broker again on the same port and data, killing it first if it runs, and
    /// returns once it is registered. A nameserver forgets a killed broker as its connection
    /// closes, so the route seen here is the new broker's.
    ///
    /// # Errors
    ///
    /// [`LiveError::Ended`], [`LiveError::NotReady`] or [`LiveError::Interrupted`], as at the
    /// start; the nameserver keeps running.
    pub fn restart_broker(&mut self) -> Result<(), LiveError> {
        self.kill_broker();
        self.launch_broker()
    }

    /// Lets go: the JVMs outlive this value and this process until [`down`](super::down) or
    /// the end of [`Options::life`].
    ///
    /// # Errors
    ///
    /// [`LiveError::Io`] when the state can't be written; the cluster is cleaned up then.
    pub fn release(mut self) -> Result<(), LiveError> {
        self.remember(None)?;
        if let Some(keeper) = self.keeper.take() {
            keeper.dismiss();
        }
        self.released = true;
        Ok(())
    }
}

impl Drop for Cluster {
    /// Kills without asking: nobody will read the data that a clean end would save.
    fn drop(&mut self) {
        if self.released {
            return;
        }
        for process in [self.broker.take(), self.namesrv.take()].into_iter().flatten() {
            kill(process);
        }
        // A folder that can't be deleted now is the keeper's, and then the next sweep's.
        let deleted = state::delete(&self.folder).is_ok();
        if let Some(keeper) = self.keeper.take().filter(|_| deleted) {
            keeper.dismiss();
        }
    }
}

fn kill((mut child, group): (Child, Group)) {
    group.signal(Signal::KILL);
    // The JVM is a child of its guard: wait for both, or its port may still be taken.
    let _ = child.wait();
    group.gone_within(Duration::from_secs(5));
}

fn is_port_taken(error: &LiveError) -> bool {
    matches!(error, LiveError::Ended { said, .. } if said.contains("already in use"))
}
