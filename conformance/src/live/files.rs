//! The files that a nameserver and a broker want to find, and the last words they left.

use std::fs;
use std::path::{Path, PathBuf};

use super::LiveError;
use super::controller;
use super::error::While;
use super::plan::{Member, Role};
use crate::certificates;

/// What 4.x brokers read under `aclEnable=true`: one account that may do everything, and one that
/// may do little.
///
/// A slave of 4.x does not sign and is refused: it copies messages, which go another way, but no
/// topics or offsets. Apache's advice is to trust its address, but on the loopback that is
/// everybody's.
const ACCOUNTS: &str = "accounts:\n  \
                        - accessKey: rocketmq2\n    \
                          secretKey: \"12345678\"\n    \
                          admin: true\n  \
                        - accessKey: rocketry-limited\n    \
                          secretKey: \"limited-12345678\"\n    \
                          admin: false\n    \
                          defaultTopicPerm: DENY\n    \
                          defaultGroupPerm: DENY\n    \
                          topicPerms: [key_write=PUB, key_read=SUB, key_deny=DENY]\n    \
                          groupPerms: [key_readers=SUB]\n";
/// The key that may do everything, and its secret, where brokers check them.
pub const KEYS: (&str, &str) = ("rocketmq2", "12345678");
/// One that may do little: brokers of 5.3 and later have to be told of it.
pub const LIMITED: (&str, &str) = ("rocketry-limited", "limited-12345678");
/// What brokers of 5.3 and later need beside `authenticationEnabled=true`, and without it is as
/// good as not there: the same account that may do everything, which they use themselves too.
const PROVIDERS: &str = "\
    authenticationProvider=\
    org.apache.rocketmq.auth.authentication.provider.DefaultAuthenticationProvider\n\
    authenticationMetadataProvider=\
    org.apache.rocketmq.auth.authentication.provider.LocalAuthenticationMetadataProvider\n\
    authorizationProvider=\
    org.apache.rocketmq.auth.authorization.provider.DefaultAuthorizationProvider\n\
    authorizationMetadataProvider=\
    org.apache.rocketmq.auth.authorization.provider.LocalAuthorizationMetadataProvider\n\
    initAuthenticationUser={\"username\":\"rocketmq2\",\"password\":\"12345678\"}\n\
    innerClientAuthenticationCredentials=\
    {\"accessKey\":\"rocketmq2\",\"secretKey\":\"12345678\"}\n";

/// The folder of one member: `conf/`, `logs/`, `store/`, `tmp/` and what it printed, `out`.
pub(super) fn home(cluster: &Path, member: &Member) -> PathBuf {
    cluster.join(&member.name)
}

/// The file that `-c` names.
pub(super) fn properties(home: &Path) -> PathBuf {
    home.join("conf").join("properties")
}

/// Whether a further line of the brokers' properties can be written into them.
pub(super) fn check(line: &str) -> Result<(), LiveError> {
    let key = line.split_once('=').map(|(key, _)| key.trim());
    if key.is_some_and(|key| !key.is_empty()) && !line.contains(['\n', '\r']) {
        Ok(())
    } else {
        Err(LiveError::Conf(line.to_owned()))
    }
}

/// Makes a member's folder. `namesrvs` lists the addresses of all nameservers, `slaves` tells
/// whether masters have them, `extra` holds further lines of the brokers' properties.
pub(super) fn write(
    home: &Path,
    member: &Member,
    namesrvs: &str,
    slaves: bool,
    extra: &[String],
) -> Result<(), LiveError> {
    let doing = || format!("writing {}", home.display());
    let put = |name: &str, text: String| fs::write(home.join("conf").join(name), text);
    for folder in ["conf", "tmp"] {
        fs::create_dir_all(home.join(folder)).during(doing)?;
    }
    // 4.x refuses to start without its logback files; 5.x takes the ones in its jars.
    for part in ["broker", "namesrv"] {
        let quiet = "<configuration><root level=\"OFF\"/></configuration>\n";
        put(&format!("logback_{part}.xml"), quiet.to_owned()).during(doing)?;
    }
    put("plain_acl.yml", ACCOUNTS.to_owned()).during(doing)?;
    for (file, pem) in
        certificates::FILES.iter().filter(|_| extra.iter().any(|line| own(line).is_some()))
    {
        put(file, (*pem).to_owned()).during(doing)?;
    }
    let text = match member.role {
        Role::Nameserver => nameserver(member, namesrvs, extra),
        Role::Master | Role::Slave => broker(home, member, namesrvs, slaves, extra),
    };
    put("properties", text).during(doing)
}

/// The key and the file of a line that names one of our certificates.
pub(super) fn own(line: &str) -> Option<(&str, &str)> {
    let (key, file) = line.split_once('=')?;
    let known = certificates::FILES.iter().any(|(name, _)| *name == file);
    (key.starts_with("tls.") && known).then_some((key, file))
}

fn nameserver(member: &Member, namesrvs: &str, extra: &[String]) -> String {
    let mut conf = format!("listenPort={}\nbindAddress=127.0.0.1\n", member.port);
    if extra.iter().any(|line| line == "enableSlaveActingMaster=true") {
        conf.push_str("supportActingMaster=true\n");
    }
    if controller::is_wanted(extra) {
        conf.push_str(&controller::of_nameserver(&member.address(), namesrvs));
    }
    conf
}

/// Small files and short checks: the broker is for tests, and its start should take seconds.
///
/// In a properties file the last line of a key wins: first ours that may be changed, then the
/// further ones, then what makes the broker this one. 4.x does not know `bindAddress` and listens
/// on every address of the machine, as do the replication ports of all versions.
fn broker(home: &Path, member: &Member, namesrvs: &str, slaves: bool, extra: &[String]) -> String {
    let store = home.join("store");
    let mut conf = String::from(
        "brokerClusterName=DefaultCluster\n\
         brokerIP1=127.0.0.1\n\
         brokerIP2=127.0.0.1\n\
         bindAddress=127.0.0.1\n\
         registerNameServerPeriod=10000\n\
         mappedFileSizeCommitLog=134217728\n\
         autoCreateTopicEnable=true\n\
         enablePropertyFilter=true\n\
         transactionCheckInterval=10000\n\
         traceTopicEnable=true\n",
    );
    if slaves {
        conf.push_str("brokerRole=ASYNC_MASTER\n");
    }
    if extra.iter().any(|line| line == "authenticationEnabled=true") {
        conf.push_str(PROVIDERS);
    }
    for line in extra {
        conf.push_str(line);
        conf.push('\n');
    }
    let controlled = controller::is_wanted(extra);
    if controlled {
        conf.push_str(&controller::of_broker(namesrvs));
    } else if member.role == Role::Slave {
        conf.push_str("brokerRole=SLAVE\n");
    }
    let id = if controlled { "-1".to_owned() } else { member.broker_id().to_string() };
    conf.push_str(&format!(
        "brokerName={}\n\
         brokerId={id}\n\
         listenPort={}\n\
         namesrvAddr={namesrvs}\n\
         storePathRootDir={}\n\
         storePathCommitLog={}\n",
        member.broker_name().unwrap_or_default(),
        member.port,
        store.display(),
        store.join("commitlog").display(),
    ));
    conf
}

/// The last `count` lines that say something, on one line.
pub(super) fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(count)..];
    if last.is_empty() { "nothing".to_owned() } else { last.join(" | ") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::plan::Shape;
    use super::*;

    /// A broker's properties as Java reads them: the last line of a key wins.
    fn read(name: &str, extra: &[&str]) -> BTreeMap<String, String> {
        let shape = Shape { nameservers: 2, brokers: 2, slaves: true, controllers: false };
        let members = shape.members(20_001);
        let member = members.iter().find(|member| member.name == name).expect("a member");
        let extra: Vec<String> = extra.iter().map(|&line| line.to_owned()).collect();
        let namesrvs = "127.0.0.1:20001;127.0.0.1:20002";
        let text = broker(Path::new("data"), member, namesrvs, shape.slaves, &extra);
        let lines = text.lines().filter_map(|line| line.split_once('='));
        lines.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn further_lines_win_but_a_broker_stays_itself() {
        let extra = ["autoCreateTopicEnable=false", "brokerName=x", "brokerRole=SYNC_MASTER"];
        let master = read("broker-b", &extra);
        assert_eq!(master["autoCreateTopicEnable"], "false");
        assert_eq!((&*master["brokerName"], &*master["brokerId"]), ("broker-b", "0"));
        assert_eq!(master["brokerRole"], "SYNC_MASTER");
        let slave = read("broker-b-slave", &extra);
        assert_eq!((&*slave["brokerName"], &*slave["brokerId"]), ("broker-b", "1"));
        assert_eq!(slave["brokerRole"], "SLAVE");
        assert_ne!(master["listenPort"], slave["listenPort"]);
    }

    #[test]
    fn a_broker_that_checks_keys_knows_who_and_where_and_others_are_told_nothing() {
        let checks = read("broker-a", &["authenticationEnabled=true"]);
        assert!(checks["initAuthenticationUser"].contains(KEYS.1));
        assert!(checks["authorizationProvider"].ends_with("DefaultAuthorizationProvider"));
        assert_eq!(checks["authenticationEnabled"], "true");
        assert!(!read("broker-a", &["aclEnable=true"]).contains_key("authenticationProvider"));
    }

    #[test]
    fn a_broker_registers_at_every_nameserver() {
        let conf = read("broker-a", &[]);
        assert_eq!(conf["namesrvAddr"], "127.0.0.1:20001;127.0.0.1:20002");
        assert_eq!(conf["brokerRole"], "ASYNC_MASTER");
        assert_eq!(conf["listenPort"], "20005");
    }

    #[test]
    fn a_nameserver_hears_of_acting_masters_where_brokers_do() {
        let members = Shape { nameservers: 1, brokers: 1, slaves: true, controllers: false };
        let members = members.members(20_001);
        let conf = |line: &str| nameserver(&members[0], "127.0.0.1:20001", &[line.to_owned()]);
        assert!(conf("enableSlaveActingMaster=true").contains("supportActingMaster=true"));
        assert!(!conf("enableSlaveActingMaster=false").contains("supportActingMaster"));
    }

    #[test]
    fn brokers_of_a_controller_have_no_role_of_their_own() {
        for name in ["broker-a", "broker-a-slave"] {
            let conf = read(name, &["enableControllerMode=true", "brokerRole=SYNC_MASTER"]);
            assert_eq!((&*conf["brokerName"], &*conf["brokerId"]), ("broker-a", "-1"));
            assert_eq!(conf["brokerRole"], "SLAVE");
            assert_eq!(conf["controllerAddr"], "127.0.0.1:20002;127.0.0.1:20003");
        }
        assert!(!read("broker-a", &[]).contains_key("controllerAddr"));
    }

    #[test]
    fn a_line_that_is_no_property_is_refused() {
        for good in ["a=b", "a=", "a=b=c", "tls.server.mode=enforcing"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "=b", " =b", "a=b\nc=d"] {
            assert!(matches!(check(bad), Err(LiveError::Conf(_))), "{bad}");
        }
    }

    #[test]
    fn the_accounts_are_indented_as_yaml_wants_it() {
        let columns = ACCOUNTS.lines().map(|line| line.len() - line.trim_start().len());
        assert_eq!(columns.collect::<Vec<_>>(), [0, 2, 4, 4, 2, 4, 4, 4, 4, 4, 4]);
        for (key, secret) in [KEYS, LIMITED] {
            assert!(ACCOUNTS.contains(key) && ACCOUNTS.contains(&format!("\"{secret}\"")));
        }
    }

    #[test]
    fn the_last_words_are_on_one_line() {
        assert_eq!(tail("a\n\nb\n c \n", 2), "b | c");
        assert_eq!(tail("\n", 2), "nothing");
    }
}
