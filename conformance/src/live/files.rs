//! The files that a nameserver and a broker want to find, and the last words they left.

use std::fs;
use std::path::Path;

use super::LiveError;
use super::error::While;
use super::port::Ports;

/// The name that the broker registers under.
pub(super) const BROKER_NAME: &str = "broker-a";

/// Writes `conf/` below `home`. `extra` holds further lines of `broker.conf`, which win.
pub(super) fn write(home: &Path, ports: Ports, extra: &[String]) -> Result<(), LiveError> {
    let conf = home.join("conf");
    let doing = || format!("writing {}", conf.display());
    fs::create_dir_all(&conf).during(doing)?;
    // 4.x refuses to start without its logback files; 5.x takes the ones in its jars.
    for part in ["broker", "namesrv"] {
        let quiet = "<configuration><root level=\"OFF\"/></configuration>\n";
        fs::write(conf.join(format!("logback_{part}.xml")), quiet).during(doing)?;
    }
    let namesrv = format!("listenPort={}\n", ports.namesrv);
    fs::write(conf.join("namesrv.conf"), namesrv).during(doing)?;
    fs::write(conf.join("broker.conf"), broker(home, ports, extra)).during(doing)
}

/// Small files and short checks: the broker is for tests, and its start should take seconds.
fn broker(home: &Path, ports: Ports, extra: &[String]) -> String {
    let store = home.join("store");
    let Ports { namesrv, broker } = ports;
    let mut conf = format!(
        "brokerClusterName=DefaultCluster\n\
         brokerName={BROKER_NAME}\n\
         brokerId=0\n\
         brokerIP1=127.0.0.1\n\
         listenPort={broker}\n\
         namesrvAddr=127.0.0.1:{namesrv}\n\
         storePathRootDir={}\n\
         storePathCommitLog={}\n\
         mappedFileSizeCommitLog=134217728\n\
         autoCreateTopicEnable=true\n\
         enablePropertyFilter=true\n\
         transactionCheckInterval=10000\n\
         traceTopicEnable=true\n",
        store.display(),
        store.join("commitlog").display(),
    );
    for line in extra {
        conf.push_str(line);
        conf.push('\n');
    }
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
    use super::*;

    #[test]
    fn further_lines_come_last_so_that_they_win() {
        let ports = Ports { namesrv: 20_001, broker: 20_004 };
        let conf = broker(Path::new("data"), ports, &["autoCreateTopicEnable=false".to_owned()]);
        assert!(conf.contains("namesrvAddr=127.0.0.1:20001\n"));
        assert!(conf.contains("listenPort=20004\n"));
        assert!(conf.ends_with("autoCreateTopicEnable=false\n"));
    }

    #[test]
    fn the_last_words_are_on_one_line() {
        assert_eq!(tail("a\n\nb\n c \n", 2), "b | c");
        assert_eq!(tail("\n", 2), "nothing");
    }
}
