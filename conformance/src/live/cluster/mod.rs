//! A cluster of real nameservers and brokers: started, waited for, hurt on purpose, cleaned up.

mod member;
mod options;

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::live::clusters;
use crate::live::error::While;
use crate::live::group::{self, Group};
use crate::live::keeper::Keeper;
use crate::live::plan::{Member, Role};
use crate::live::state::{self, Condition, State};
use crate::live::{LiveError, controller, files, jars, java, port, registry, topic};

pub use options::Options;

/// How often we look whether a process is ready.
const LOOK: Duration = Duration::from_millis(100);
/// The longest wait for a process to become ready, unless the options say otherwise.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often a start is tried again because somebody took a port between look and use.
const TRIES: usize = 3;

/// Real nameservers and brokers on loopback. Dropping it kills them and deletes their data, unless
/// it was [attached](Cluster::attach) to.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    state: State,
    patience: Duration,
    stop: Option<Arc<AtomicBool>>,
    /// The processes that we started ourselves and must wait for.
    children: BTreeMap<String, Child>,
    keeper: Option<Keeper>,
    /// Whether `Drop` leaves everything as it is.
    released: bool,
}

impl Cluster {
    /// Starts `version` with the usual [`Options`] and returns once its broker is registered.
    /// Takes about 5 s, and about a minute more when Maven must fetch the jars first.
    ///
    /// # Errors
    ///
    /// As [`Cluster::start_with`].
    pub fn start(version: &str) -> Result<Cluster, LiveError> {
        Cluster::start_with(Options::new(version))
    }

    /// Starts a cluster and returns once every broker is registered at every nameserver.
    ///
    /// # Errors
    ///
    /// Those of [`LiveError::is_missing`] say what to install; [`LiveError::Shape`] and
    /// [`LiveError::Conf`] refuse options; [`LiveError::Ended`] and [`LiveError::NotReady`] carry
    /// the last words of a process; [`LiveError::Interrupted`] when [`Options::stop`] was raised.
    /// What was started by then is cleaned up.
    pub fn start_with(options: Options) -> Result<Cluster, LiveError> {
        options.shape().check()?;
        options.conf.iter().try_for_each(|line| files::check(line))?;
        jars::check(&options.version)?;
        let java = java::find().map_err(|error| match error {
            LiveError::JavaMissing { .. } if !jars::within_reach(&options.version) => {
                LiveError::BothMissing { version: options.version.clone() }
            }
            other => other,
        })?;
        clusters::sweep()?;
        let jars = jars::folder(&options.version)?;
        let mut tries = 1;
        loop {
            let mut cluster = Cluster::prepare(&options, java.clone(), jars.clone())?;
            match cluster.launch() {
                Ok(()) => return Ok(cluster),
                Err(error) if tries < TRIES && is_port_taken(&error) => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes hold of a running cluster by its [name](Cluster::name), whoever started it, to hurt
    /// and mend its members; without a name, of the only one that `live up` started. Dropping
    /// what this returns changes nothing.
    ///
    /// # Errors
    ///
    /// [`LiveError::NoCluster`] when there is none, or several without a name;
    /// [`LiveError::Io`] or [`LiveError::State`] when the state folder can't be read.
    pub fn attach(name: Option<&str>) -> Result<Cluster, LiveError> {
        let (folder, state) = clusters::find(name)?;
        Ok(Cluster {
            folder,
            state,
            patience: PATIENCE,
            stop: None,
            children: BTreeMap::new(),
            keeper: None,
            released: true,
        })
    }

    fn prepare(options: &Options, java: PathBuf, jars: PathBuf) -> Result<Cluster, LiveError> {
        let shape = options.shape();
        let members = shape.members(port::free(shape.ports())?);
        let folder = clusters::create(&options.version)?;
        let keeper = Keeper::start(&folder);
        let state = State {
            version: options.version.clone(),
            java,
            jars,
            until: state::unix_seconds().saturating_add(options.life.as_secs().max(1)),
            conf: options.conf.clone(),
            members,
            owner: state::us(),
        };
        let cluster = Cluster {
            folder,
            state,
            patience: options.patience,
            stop: options.stop.clone(),
            children: BTreeMap::new(),
            keeper,
            released: false,
        };
        let namesrvs = cluster.namesrv();
        for member in &cluster.state.members {
            let home = files::home(&cluster.folder, member);
            files::write(&home, member, &namesrvs, shape.slaves, &options.conf)?;
        }
        state::save(&cluster.folder, &cluster.state)?;
        Ok(cluster)
    }

    /// All of a role at once: most of a start is waiting.
    fn launch(&mut self) -> Result<(), LiveError> {
        for role in Role::IN_ORDER {
            let members = self.state.members.iter().filter(|member| member.role == role);
            let members: Vec<Member> = members.cloned().collect();
            for member in &members {
                self.spawn(member)?;
            }
            for member in &members {
                self.wait(member)?;
            }
        }
        Ok(())
    }

    fn spawn(&mut self, member: &Member) -> Result<(), LiveError> {
        let State { java, jars, conf, .. } = &self.state;
        let left = self.state.left().ok_or_else(|| LiveError::Over(self.name()))?;
        let home = files::home(&self.folder, member);
        let args = java::args(member.role, self.state.brokers(), jars, &home, conf);
        let (child, group) = group::spawn(java, &args, &home, &self.out(member), left)
            .during(|| format!("starting {}", member.name))?;
        self.children.insert(member.name.clone(), child);
        state::set_group(&self.folder, &member.name, Some(group))
    }

    fn wait(&mut self, member: &Member) -> Result<(), LiveError> {
        let start = Instant::now();
        while !self.ready(member) {
            let (name, version) = (member.name.clone(), self.state.version.clone());
            let last_words = || files::tail(&self.said(member), 3);
            if !self.alive(member) {
                return Err(LiveError::Ended { member: name, version, said: last_words() });
            }
            if self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                return Err(LiveError::Interrupted);
            }
            let after = start.elapsed();
            if after >= self.patience {
                let said = last_words();
                return Err(LiveError::NotReady { member: name, version, after, said });
            }
            thread::sleep(LOOK);
            if let Some(child) = self.children.get_mut(&member.name) {
                // Where there is no /proc, a process that has ended shows only so.
                let _ = child.try_wait();
            }
        }
        Ok(())
    }

    fn alive(&self, member: &Member) -> bool {
        state::group_of(&self.folder, &member.name).is_some_and(Group::alive)
    }

    /// A nameserver answers; a broker says that it has booted, takes connections, and is known to
    /// every nameserver that runs.
    fn ready(&self, member: &Member) -> bool {
        let Some(name) = member.broker_name() else {
            return registry::has_broker(&member.address(), "none", 0).is_ok();
        };
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, member.port));
        if !self.said(member).contains("boot success")
            || TcpStream::connect_timeout(&loopback, Duration::from_secs(1)).is_err()
        {
            return false;
        }
        // Each master has a topic of its own name, whether or not it creates others.
        let topics = |namesrv: &str| {
            member.role == Role::Slave
                || topic::route_queues(namesrv, name).is_ok_and(|queues| queues.is_some())
        };
        let all = self.state.members.iter().filter(|other| other.role == Role::Nameserver);
        let mut running =
            all.filter(|other| state::condition(&self.folder, &other.name) == Condition::Runs);
        running.all(|namesrv| {
            let address = namesrv.address();
            // Ids are the controllers' where there are any.
            let listed = match controller::is_wanted(&self.state.conf) {
                true => registry::has_address(&address, name, &member.address()),
                false => registry::has_broker(&address, name, member.broker_id()),
            };
            listed.unwrap_or(false) && topics(&address)
        })
    }

    fn out(&self, member: &Member) -> PathBuf {
        files::home(&self.folder, member).join("out")
    }

    fn said(&self, member: &Member) -> String {
        let bytes = fs::read(self.out(member)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The name by which other processes find this cluster; it is that of its folder.
    pub fn name(&self) -> String {
        clusters::name_of(&self.folder)
    }

    /// The RocketMQ version that runs.
    pub fn version(&self) -> &str {
        &self.state.version
    }

    /// Each nameserver's `HOST:PORT`, with `;` between them, as clients want it.
    pub fn namesrv(&self) -> String {
        self.state.addresses(Role::Nameserver)
    }

    /// The first master's `HOST:PORT`.
    pub fn broker(&self) -> String {
        self.state.broker()
    }

    /// Every member, nameservers first and slaves last, whether it runs or not.
    pub fn members(&self) -> &[Member] {
        &self.state.members
    }

    /// The folder with one folder for each member, named as it: `conf/properties`, `store/`,
    /// `logs/`, and `out`, what it printed since its last start.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Creates or updates a topic with `queues` queues on each master; see
    /// [`create_topic`](super::create_topic).
    ///
    /// # Errors
    ///
    /// As [`create_topic`](super::create_topic).
    pub fn create_topic(&self, name: &str, queues: u32) -> Result<(), LiveError> {
        topic::create_topic(&self.namesrv(), &self.state.addresses(Role::Master), name, queues)
    }

    /// Lets go: the JVMs outlive this value and this process until [`down`](super::down) or
    /// the end of [`Options::life`].
    ///
    /// # Errors
    ///
    /// [`LiveError::Io`] when the state can't be written; the cluster is cleaned up then.
    pub fn release(mut self) -> Result<(), LiveError> {
        self.state.owner = None;
        state::save(&self.folder, &self.state)?;
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
        for group in self.state.groups(&self.folder) {
            group.signal(Signal::KILL);
        }
        for child in self.children.values_mut() {
            let _ = child.wait();
        }
        // A folder that can't be deleted now is the keeper's, and then the next sweep's.
        let deleted = clusters::wipe(&self.folder, &self.state).is_ok();
        if let Some(keeper) = self.keeper.take().filter(|_| deleted) {
            keeper.dismiss();
        }
    }
}

fn is_port_taken(error: &LiveError) -> bool {
    matches!(error, LiveError::Ended { said, .. } if said.contains("already in use"))
}
