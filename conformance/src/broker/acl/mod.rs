//! Access keys: who may do what, and whether a request is signed by who it says.
//!
//! Brokers before 5.3 answer as ACL 1.0 does (`PlainPermissionManager`), by code 1 with the name of
//! its exception; later ones as ACL 2.0 does (`AuthenticationPipeline`, `AuthorizationPipeline`),
//! by code 16. Nameservers look at no signature, as Apache's do not; what comes to them unsigned
//! is counted all the same.

mod rights;

use std::net::SocketAddr;

use bytes::Bytes;
use rocketry_core::auth::{self, ACCESS_KEY, Credentials, SIGNATURE};
use rocketry_core::config::Secret;
use rocketry_core::frame::{Pairs, Request, RequestCode, ResponseCode, version};

use super::ListenerId;
use super::answer::{Answer, Caller};
use super::cluster::Cluster;
use rights::{Resource, Right, rights};

/// Requests that were denied or unsigned, of which the latest are kept.
const KEPT: usize = 1000;

/// What an account may do with a topic or a group: publish, subscribe, both or nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Perm {
    /// `PUB`.
    pub publish: bool,
    /// `SUB`, which groups need.
    pub subscribe: bool,
}

impl Perm {
    /// `DENY`.
    pub const DENY: Self = Self { publish: false, subscribe: false };
    /// `PUB`.
    pub const PUB: Self = Self { publish: true, subscribe: false };
    /// `SUB`.
    pub const SUB: Self = Self { publish: false, subscribe: true };
    /// `PUB|SUB`.
    pub const PUB_SUB: Self = Self { publish: true, subscribe: true };

    /// Reads `PUB`, `SUB`, `PUB|SUB` or `DENY`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            "DENY" => Some(Self::DENY),
            "PUB" => Some(Self::PUB),
            "SUB" => Some(Self::SUB),
            "PUB|SUB" | "SUB|PUB" => Some(Self::PUB_SUB),
            _ => None,
        }
    }

    const fn allows(self, right: Right) -> bool {
        match right {
            Right::Publish => self.publish,
            Right::Subscribe => self.subscribe,
            Right::Either => self.publish || self.subscribe,
        }
    }
}

/// One account of [`Acl`], with the names of `plain_acl.yml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The key's name.
    pub access_key: String,
    /// The secret that requests are signed with.
    pub secret_key: Secret,
    /// May do everything, administration included.
    pub admin: bool,
    /// Requests from this address need no signature: an IP address, one that ends in `*`, or `*`.
    pub white_remote_address: Option<String>,
    /// What it may do with topics that are not listed.
    pub default_topic: Perm,
    /// What it may do with groups that are not listed.
    pub default_group: Perm,
    /// Topics by name.
    pub topics: Vec<(String, Perm)>,
    /// Groups by name.
    pub groups: Vec<(String, Perm)>,
}

impl Account {
    /// One that may do nothing yet.
    pub fn new(access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self {
            access_key: access_key.into(),
            secret_key: Secret::new(secret_key.into()),
            admin: false,
            white_remote_address: None,
            default_topic: Perm::DENY,
            default_group: Perm::DENY,
            topics: Vec::new(),
            groups: Vec::new(),
        }
    }

    /// The same, which may do everything.
    #[must_use]
    pub fn admin(mut self) -> Self {
        self.admin = true;
        self
    }

    /// The same, with this right on a topic.
    #[must_use]
    pub fn topic(mut self, name: impl Into<String>, perm: Perm) -> Self {
        self.topics.push((name.into(), perm));
        self
    }

    /// The same, with this right on a group.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>, perm: Perm) -> Self {
        self.groups.push((name.into(), perm));
        self
    }

    fn is_white(&self, peer: SocketAddr) -> bool {
        let peer = peer.ip().to_string();
        self.white_remote_address.as_deref().is_some_and(|white| match white.strip_suffix('*') {
            Some(prefix) => peer.starts_with(prefix),
            None => peer == white,
        })
    }

    fn may(&self, resource: &Resource, right: Right) -> bool {
        let (list, other) = match resource {
            Resource::Topic(_) => (&self.topics, self.default_topic),
            Resource::Group(_) => (&self.groups, self.default_group),
            Resource::Cluster => return self.admin,
        };
        let listed = list.iter().find(|(name, _)| name == resource.name());
        self.admin || listed.map_or(other, |(_, perm)| *perm).allows(right)
    }
}

/// Who may do what with a cluster's brokers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acl {
    /// The accounts.
    pub accounts: Vec<Account>,
}

impl Acl {
    /// With one account that may do everything.
    pub fn admin(access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self { accounts: vec![Account::new(access_key, secret_key).admin()] }
    }

    /// The same with one more account.
    #[must_use]
    pub fn account(mut self, account: Account) -> Self {
        self.accounts.push(account);
        self
    }

    /// Who signed the request.
    fn authenticate(&self, asked: &Asked<'_>, peer: SocketAddr) -> Result<&Account, Denial> {
        let key = asked.field(ACCESS_KEY).ok_or(Denial::NoKey)?;
        let same = |account: &&Account| account.access_key == key;
        let unknown = || Denial::UnknownKey(key.to_owned());
        let account = self.accounts.iter().find(same).ok_or_else(unknown)?;
        if !account.is_white(peer) && !asked.is_signed_by(account) {
            return Err(Denial::Signature(key.to_owned()));
        }
        Ok(account)
    }
}

/// Why a request is denied.
#[derive(Debug)]
enum Denial {
    NoKey,
    UnknownKey(String),
    Signature(String),
    Admin(String),
    Right(String, Resource),
}

impl Denial {
    fn answer(&self, caller: &Caller) -> Answer {
        if caller.server < version::V5_3_0 {
            let said = self.of_1(caller.code);
            let thrower = "org.apache.rocketmq.acl.plain.PlainPermissionManager.validate\
                           (PlainPermissionManager.java:683)";
            let remark = format!("org.apache.rocketmq.acl.common.AclException: {said}, {thrower}");
            return Answer::error(ResponseCode::SYSTEM_ERROR, remark);
        }
        Answer::error(ResponseCode::NO_PERMISSION, self.of_2(caller))
    }

    /// As ACL 1.0 says it.
    fn of_1(&self, code: RequestCode) -> String {
        match self {
            Self::NoKey => "No accessKey is configured".to_owned(),
            Self::UnknownKey(key) => format!("No acl config for {key}"),
            Self::Signature(key) => format!("Check signature failed for accessKey={key}"),
            Self::Admin(key) => {
                let code = code.0;
                format!("Need admin permission for request code={code}, but accessKey={key} is not")
            }
            Self::Right(_, resource) => {
                let kind = resource.kind().to_ascii_lowercase();
                format!("No default permission for {kind}:{}", resource.name())
            }
        }
    }

    /// As ACL 2.0 says it.
    fn of_2(&self, caller: &Caller) -> String {
        let refused = |key: &str, resource: &Resource| {
            let (kind, name, from) = (resource.kind(), resource.name(), caller.peer.ip());
            format!(
                "User:{key} has no permission to access {kind}:{name} from {from}, no matched \
                 policies."
            )
        };
        match self {
            Self::NoKey => "username cannot be null.".to_owned(),
            Self::UnknownKey(key) => format!("User:{key} is not found."),
            Self::Signature(_) => "check signature failed.".to_owned(),
            Self::Admin(key) => refused(key, &Resource::Cluster),
            Self::Right(key, resource) => refused(key, resource),
        }
    }
}

/// A request as it came.
struct Asked<'a> {
    code: RequestCode,
    fields: &'a Pairs,
    body: &'a Bytes,
    /// The versions of who asks and of who is asked.
    versions: (i32, i32),
}

impl Asked<'_> {
    /// The last of several counts, as in Java's map.
    fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().rev().find(|(known, _)| **known == *name);
        found.map(|(_, value)| &**value)
    }

    fn is_signed_by(&self, account: &Account) -> bool {
        let key = Credentials::new(&*account.access_key, account.secret_key.clone());
        let (from, server) = self.versions;
        let counts = |at: usize, name: &str| {
            let last = self.fields.iter().skip(at + 1).all(|(later, _)| **later != *name);
            last && auth::is_signed(self.code, name, from, server)
        };
        let fields = self.fields.iter().enumerate();
        let fields = fields.filter(|(at, (name, _))| counts(*at, name));
        let fields = fields.map(|(_, (name, value))| (&**name, &**value));
        self.field(SIGNATURE) == Some(&*key.sign(fields, self.body))
    }
}

impl Cluster {
    /// The requests that were unsigned, or signed wrongly, whether they were refused for it or not:
    /// the latest thousand.
    pub fn unsigned(&self) -> &[RequestCode] {
        &self.unsigned
    }

    /// Changes who may do what.
    pub fn set_acl(&mut self, acl: Option<Acl>) {
        self.config.acl = acl;
    }

    /// What a request is refused with, for want of a key or of a right.
    pub(super) fn denial(
        &mut self,
        caller: &Caller,
        request: Option<&Request>,
        (fields, body): (&Pairs, &Bytes),
    ) -> Option<Answer> {
        let acl = self.config.acl.as_ref()?;
        let versions = (caller.version, caller.server);
        let asked = Asked { code: caller.code, fields, body, versions };
        let account = match acl.authenticate(&asked, caller.peer) {
            Ok(account) => account,
            Err(denial) => {
                if self.unsigned.len() == KEPT {
                    self.unsigned.remove(0);
                }
                self.unsigned.push(caller.code);
                let broker = matches!(caller.listener, ListenerId::Broker(_));
                return broker.then(|| denial.answer(caller));
            }
        };
        if !matches!(caller.listener, ListenerId::Broker(_)) {
            return None;
        }
        let key = || account.access_key.clone();
        let refused = |(resource, right): &(Resource, Right)| !account.may(resource, *right);
        let denied = rights(request?, body).into_iter().find(refused)?;
        let denial = match denied {
            (Resource::Cluster, _) => Denial::Admin(key()),
            (resource, _) => Denial::Right(key(), resource),
        };
        Some(denial.answer(caller))
    }
}
