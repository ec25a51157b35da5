//! Which members a cluster has: their names, roles and ports.

use std::fmt;
use std::net::Ipv4Addr;

use super::LiveError;

/// One letter per master is what RocketMQ's own examples use, and there are 26.
const MOST_BROKERS: u8 = 26;
const MOST_NAMESERVERS: u8 = 9;
/// A broker listens on its port, two below it for the fast lane (`BrokerController.initialize`),
/// and one above it for its replicas (`haListenPort`, set by `BrokerStartup`).
pub(super) const PORTS_OF_BROKER: u16 = 4;
const SLAVE: &str = "-slave";

/// What a member of a cluster does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Tells clients where brokers are.
    Nameserver,
    /// A broker of id 0, which takes messages.
    Master,
    /// A broker of id 1, which copies its master's messages and can only be read.
    Slave,
}

impl Role {
    /// Each needs those before it: a slave learns its master's address as it registers.
    pub(super) const IN_ORDER: [Role; 3] = [Role::Nameserver, Role::Master, Role::Slave];

    fn from_text(text: &str) -> Option<Role> {
        Role::IN_ORDER.into_iter().find(|role| role.to_string() == text)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Role::Nameserver => "nameserver",
            Role::Master => "master",
            Role::Slave => "slave",
        })
    }
}

/// One nameserver or broker of a cluster, whether it runs or not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// `namesrv-1`, `broker-a`, `broker-a-slave`; the same each time.
    pub name: String,
    /// What it does.
    pub role: Role,
    /// Where it listens on the loopback, also after a restart.
    pub port: u16,
}

impl Member {
    fn new(name: String, role: Role, port: u16) -> Member {
        Member { name, role, port }
    }

    /// Its `HOST:PORT`.
    pub fn address(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// The name that a broker registers under, which a slave shares with its master; `None` for a
    /// nameserver.
    pub fn broker_name(&self) -> Option<&str> {
        match self.role {
            Role::Nameserver => None,
            Role::Master => Some(&self.name),
            Role::Slave => Some(self.name.strip_suffix(SLAVE).unwrap_or(&self.name)),
        }
    }

    /// The `brokerId` of a broker.
    pub(super) fn broker_id(&self) -> u8 {
        u8::from(self.role == Role::Slave)
    }

    /// `NAME ROLE PORT`, as it stands in the state file.
    pub(super) fn to_text(&self) -> String {
        format!("{} {} {}", self.name, self.role, self.port)
    }

    /// Refuses names that could lead out of the cluster's folder.
    pub(super) fn from_text(text: &str) -> Option<Member> {
        let mut words = text.split(' ');
        let (name, role, port) = (words.next()?, words.next()?, words.next()?);
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let role = Role::from_text(role)?;
        (!name.is_empty() && name.chars().all(plain)).then_some(Member::new(
            name.to_owned(),
            role,
            port.parse().ok()?,
        ))
    }
}

/// How many members of each role a cluster has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) nameservers: u8,
    pub(super) brokers: u8,
    pub(super) slaves: bool,
    /// Each nameserver has one, at the port above its own.
    pub(super) controllers: bool,
}

impl Shape {
    pub(super) fn check(self) -> Result<(), LiveError> {
        let wrong = |what, most, asked| Err(LiveError::Shape { what, most, asked });
        if !(1..=MOST_BROKERS).contains(&self.brokers) {
            return wrong("brokers", MOST_BROKERS, self.brokers);
        }
        if !(1..=MOST_NAMESERVERS).contains(&self.nameservers) {
            return wrong("nameservers", MOST_NAMESERVERS, self.nameservers);
        }
        Ok(())
    }

    /// How many ports in a row the members take.
    pub(super) fn ports(self) -> u16 {
        let brokers = u16::from(self.brokers) * if self.slaves { 2 } else { 1 };
        u16::from(self.nameservers) * self.ports_of_nameserver() + PORTS_OF_BROKER * brokers
    }

    fn ports_of_nameserver(self) -> u16 {
        1 + u16::from(self.controllers)
    }

    /// The members, nameservers first and slaves last, on the ports from `base` on.
    pub(super) fn members(self, base: u16) -> Vec<Member> {
        let mut next = base;
        let mut take = |count: u16| {
            let port = next;
            next += count;
            port
        };
        let (mut members, own) = (Vec::new(), self.ports_of_nameserver());
        for number in 1..=self.nameservers {
            members.push(Member::new(format!("namesrv-{number}"), Role::Nameserver, take(own)));
        }
        let names = (b'a'..).take(self.brokers.into()).map(|c| format!("broker-{}", char::from(c)));
        let masters: Vec<String> = names.collect();
        for name in &masters {
            let port = take(PORTS_OF_BROKER) + 2;
            members.push(Member::new(name.clone(), Role::Master, port));
        }
        for name in masters.iter().filter(|_| self.slaves) {
            let port = take(PORTS_OF_BROKER) + 2;
            members.push(Member::new(format!("{name}{SLAVE}"), Role::Slave, port));
        }
        members
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Shape = Shape { nameservers: 2, brokers: 2, slaves: true, controllers: false };

    #[test]
    fn a_whole_cluster_has_a_slave_for_each_master() {
        let members = WHOLE.members(20_000);
        let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
        let expected =
            ["namesrv-1", "namesrv-2", "broker-a", "broker-b", "broker-a-slave", "broker-b-slave"];
        assert_eq!(names, expected);
        let slave = &members[5];
        assert_eq!((slave.role, slave.broker_id()), (Role::Slave, 1));
        assert_eq!(slave.broker_name(), Some("broker-b"));
        assert_eq!(members[3].broker_name(), Some("broker-b"));
        assert_eq!(members[0].broker_name(), None);
    }

    #[test]
    fn no_port_is_taken_twice() {
        let members = WHOLE.members(20_000);
        let mut taken = Vec::new();
        for member in &members {
            match member.role {
                Role::Nameserver => taken.push(member.port),
                _ => taken.extend([member.port - 2, member.port, member.port + 1]),
            }
        }
        let count = taken.len();
        taken.sort_unstable();
        taken.dedup();
        assert_eq!((count, taken.len()), (14, 14));
        assert!(taken.iter().all(|port| (20_000..20_000 + WHOLE.ports()).contains(port)));
    }

    #[test]
    fn a_nameserver_with_a_controller_takes_two_ports() {
        let members = Shape { controllers: true, ..WHOLE }.members(20_000);
        let ports: Vec<u16> = members.iter().map(|member| member.port).collect();
        assert_eq!(ports[..3], [20_000, 20_002, 20_006]);
    }

    #[test]
    fn a_member_reads_back_as_written_and_stays_in_its_folder() {
        for member in WHOLE.members(20_000) {
            assert_eq!(Member::from_text(&member.to_text()), Some(member));
        }
        for bad in ["", "broker-a", "../x master 5", "broker-a king 5", "broker-a master 99999"] {
            assert_eq!(Member::from_text(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_shape_without_brokers_or_nameservers_is_refused() {
        assert!(WHOLE.check().is_ok());
        for bad in [
            Shape { brokers: 0, ..WHOLE },
            Shape { brokers: 27, ..WHOLE },
            Shape { nameservers: 0, ..WHOLE },
            Shape { nameservers: 10, ..WHOLE },
        ] {
            let error = bad.check().expect_err("refused");
            assert!(error.to_string().contains("from 1 to"), "{error}");
        }
    }
}
