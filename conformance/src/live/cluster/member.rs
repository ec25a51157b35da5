//! Breaking and mending one member of a running cluster, by its name.

use std::time::Duration;

use rustix::process::Signal;

use super::Cluster;
use crate::live::group::Group;
use crate::live::plan::{self, Role};
use crate::live::state::{self, Condition};
use crate::live::{LiveError, files, port};

/// How long a killed process may take to go.
const GONE: Duration = Duration::from_secs(5);

impl Cluster {
    /// How a member is now.
    ///
    /// # Errors
    ///
    /// [`LiveError::NoMember`].
    pub fn condition(&self, member: &str) -> Result<Condition, LiveError> {
        let member = self.state.member(member)?;
        Ok(state::condition(&self.folder, &member.name))
    }

    /// Kills a member at once, as `kill -9`, and returns when its port is free; its data stays.
    /// Nothing happens to one that does not run.
    ///
    /// # Errors
    ///
    /// [`LiveError::NoMember`], and [`LiveError::Io`] when its state can't be written.
    pub fn kill(&mut self, member: &str) -> Result<(), LiveError> {
        let name = self.state.member(member)?.name.clone();
        if let Some(group) = state::group_of(&self.folder, &name) {
            group.signal(Signal::KILL);
            // The JVM is a child of its guard: wait for both, or its port may still be taken.
            if let Some(mut child) = self.children.remove(&name) {
                let _ = child.wait();
            }
            group.gone_within(GONE);
        }
        state::set_group(&self.folder, &name, None)
    }

    /// Freezes a member (SIGSTOP): its connections stay open and silent. It still ends with the
    /// cluster's life.
    ///
    /// # Errors
    ///
    /// [`LiveError::NoMember`].
    pub fn stop(&self, member: &str) -> Result<(), LiveError> {
        self.with_group(member, Group::freeze)
    }

    /// Lets a frozen member go on (SIGCONT).
    ///
    /// # Errors
    ///
    /// [`LiveError::NoMember`].
    pub fn cont(&self, member: &str) -> Result<(), LiveError> {
        self.with_group(member, |group| group.signal(Signal::CONT))
    }

    /// Asks a member to end (SIGTERM) and does not wait: a broker with
    /// `enableShutdownGracefully=true` answers with `GO_AWAY` meanwhile. It is killed after 10 s.
    ///
    /// # Errors
    ///
    /// [`LiveError::NoMember`].
    pub fn end(&self, member: &str) -> Result<(), LiveError> {
        self.with_group(member, |group| group.signal(Signal::TERM))
    }

    fn with_group(&self, member: &str, act: impl FnOnce(Group)) -> Result<(), LiveError> {
        let member = self.state.member(member)?;
        if let Some(group) = state::group_of(&self.folder, &member.name) {
            act(group);
        }
        Ok(())
    }

    /// Starts a member again on the same port and data, killing it first if it runs.
    ///
    /// Returns once a broker is registered at every nameserver that runs; a nameserver forgets a
    /// killed broker as its connection closes, so what it says is about the new one. A nameserver
    /// begins with nothing and has been ready when it answers: brokers register at it within 10 s.
    ///
    /// # Errors
    ///
    /// [`LiveError::NoMember`]; [`LiveError::Over`] when the cluster's life has ended; and
    /// [`LiveError::Ended`], [`LiveError::NotReady`] or [`LiveError::Interrupted`], as at the
    /// start. The other members keep running.
    pub fn restart(&mut self, member: &str) -> Result<(), LiveError> {
        let member = self.state.member(member)?.clone();
        self.kill(&member.name)?;
        self.spawn(&member)?;
        self.wait(&member)
    }

    /// As [`restart`](Self::restart), but at another port, as a broker that was moved: its data
    /// comes with it. A nameserver stays where brokers look for it.
    ///
    /// # Errors
    ///
    /// As [`restart`](Self::restart); also [`LiveError::NoPorts`], and [`LiveError::Io`] when its
    /// properties can't be written.
    pub fn move_away(&mut self, member: &str) -> Result<(), LiveError> {
        let name = self.state.member(member)?.name.clone();
        self.kill(&name)?;
        let free = port::free(plan::PORTS_OF_BROKER)? + 2;
        let (slaves, namesrvs) = (self.has_slaves(), self.namesrv());
        let mut members = self.state.members.iter_mut();
        let brokers = members.find(|other| other.name == name && other.role != Role::Nameserver);
        if let Some(broker) = brokers {
            broker.port = free;
            let home = files::home(&self.folder, broker);
            files::write(&home, broker, &namesrvs, slaves, &self.state.conf)?;
            state::save(&self.folder, &self.state)?;
        }
        self.restart(&name)
    }

    fn has_slaves(&self) -> bool {
        self.state.members.iter().any(|member| member.role == Role::Slave)
    }
}
