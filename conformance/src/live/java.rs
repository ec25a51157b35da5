//! Finds a Java that can run every broker version, and the flags that make old ones start on it.

use std::env;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::LiveError;
use super::error::While;
use super::files;
use super::plan::Role;

/// The oldest Java the flags below and the 5.x jars are known to work with.
const OLDEST: u32 = 17;

/// The doors that 4.x brokers and their Netty knock at and that Java keeps shut since version 16.
const OPEN: [&str; 5] = [
    "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-exports=java.base/sun.security.action=ALL-UNNAMED",
];

/// A broker that is alone may be measured, so it gets room and the JVM's own choice of collector.
const ROOMY: [&str; 3] = ["-Xms512m", "-Xmx1g", "-XX:MaxDirectMemorySize=512m"];
/// Of several brokers each is small: the first compiler only, which also halves the time and CPU
/// of a start, one thread that collects, and memory that grows with use.
const SMALL: [&str; 6] = [
    "-Xms64m",
    "-Xmx320m",
    "-XX:MaxDirectMemorySize=192m",
    "-XX:ReservedCodeCacheSize=48m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
];
const SMALLEST: [&str; 4] = ["-Xms32m", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// The arguments that start a member in its folder `home`, one of `brokers` in its cluster.
///
/// RocketMQ looks for what begins with `tls.` in the system's properties instead of the broker's
/// (`TlsSystemConfig`), so those of `conf` are set there. A path without a folder is that of one of
/// the [`certificates`](crate::certificates), and then nameservers have TLS as well, for clients
/// that want it: what looks whether they are ready does not.
pub(super) fn args(
    role: Role,
    brokers: usize,
    jars: &Path,
    home: &Path,
    conf: &[String],
) -> Vec<String> {
    let (memory, main): (&[&str], _) = match role {
        Role::Nameserver => (&SMALLEST, "org.apache.rocketmq.namesrv.NamesrvStartup"),
        _ if brokers == 1 => (&ROOMY, "org.apache.rocketmq.broker.BrokerStartup"),
        _ => (&SMALL, "org.apache.rocketmq.broker.BrokerStartup"),
    };
    // Without the last, a JVM that is killed leaves a file of counters in the system's folder.
    let flags = OPEN.iter().chain(memory).chain(&["-XX:-UsePerfData"]);
    let mut args: Vec<String> = flags.map(|&flag| flag.to_owned()).collect();
    // Logs go below the user's home, certificates for trial into the temporary folder; both go
    // away with the data.
    args.push(format!("-Duser.home={}", home.display()));
    args.push(format!("-Djava.io.tmpdir={}", home.join("tmp").display()));
    let broker = role != Role::Nameserver || conf.iter().any(|line| files::own(line).is_some());
    let not_here = |line: &&String| role == Role::Nameserver && line.contains("server.mode=");
    let tls = conf.iter().filter(|line| broker && line.starts_with("tls.") && !not_here(line));
    args.extend(tls.map(|line| match files::own(line) {
        Some((key, file)) => format!("-D{key}={}", home.join("conf").join(file).display()),
        None => format!("-D{line}"),
    }));
    args.extend(["-cp".to_owned(), format!("{}/*", jars.display()), main.to_owned()]);
    args.extend(["-c".to_owned(), files::properties(home).display().to_string()]);
    args
}

/// A Java program that is to find the classes of a version of RocketMQ, its files below `home`:
/// what it is to run are further arguments.
///
/// # Errors
///
/// Those of [`LiveError::is_missing`], and what fetching the jars comes to.
pub fn java_program(version: &str, home: &Path) -> Result<Command, LiveError> {
    let (java, jars) = (find()?, super::jars::folder(version)?);
    let mut command = Command::new(java);
    command.args(OPEN).args(SMALLEST).arg("-XX:-UsePerfData");
    command.arg(format!("-Duser.home={}", home.display()));
    command.args(["-cp".to_owned(), format!("{}/*", jars.display())]);
    Ok(command)
}

/// The Java program to start: that of `JAVA_HOME`, else the one on the PATH.
pub(super) fn find() -> Result<PathBuf, LiveError> {
    let path = match env::var_os("JAVA_HOME").filter(|home| !home.is_empty()) {
        Some(home) => PathBuf::from(home).join("bin").join("java"),
        None => PathBuf::from("java"),
    };
    check(path)
}

fn check(path: PathBuf) -> Result<PathBuf, LiveError> {
    let asked = Command::new(&path).arg("-version").stdin(Stdio::null()).output();
    let answer = match asked {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let on_path = if path.components().count() == 1 { " on the PATH" } else { "" };
            return Err(LiveError::JavaMissing { path: format!("{}{on_path}", path.display()) });
        }
        other => other.during(|| format!("starting {}", path.display()))?,
    };
    let said = String::from_utf8_lossy(&answer.stderr).into_owned();
    let shown = path.display().to_string();
    match major(&said) {
        Some(found) if found < OLDEST => Err(LiveError::JavaTooOld { found, path: shown }),
        Some(_) => Ok(path),
        None => {
            let said = said.lines().next().unwrap_or_default().to_owned();
            Err(LiveError::JavaUnknown { path: shown, said })
        }
    }
}

/// The major version in the text of `java -version`: 17 of `"17.0.15"`, 8 of `"1.8.0_402"`.
fn major(said: &str) -> Option<u32> {
    let quoted = said.split('"').nth(1)?;
    let mut numbers = quoted.split(|c: char| !c.is_ascii_digit());
    let first: u32 = numbers.next()?.parse().ok()?;
    if first == 1 { numbers.next()?.parse().ok() } else { Some(first) }
}

/// Whether a program of that name can be started from the PATH.
pub(super) fn on_path(program: &str) -> bool {
    let path: OsString = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_in_both_numberings() {
        assert_eq!(major("openjdk version \"17.0.15\" 2025-04-15\n"), Some(17));
        assert_eq!(major("java version \"1.8.0_402\"\n"), Some(8));
        assert_eq!(major("openjdk version \"26-ea\" 2026-03-17\n"), Some(26));
        assert_eq!(major("The operation couldn't be completed.\n"), None);
    }

    #[test]
    fn a_missing_java_is_named_in_one_sentence() {
        let error = check(PathBuf::from("no-such-folder/java")).expect_err("there is none");
        assert!(error.is_missing());
        let text = error.to_string();
        assert!(text.starts_with("Java is missing") && text.contains("version 17"), "{text}");
        assert!(text.contains("no-such-folder/java") && !text.contains('\n'), "{text}");
    }

    #[test]
    fn of_several_brokers_each_is_small() {
        let line = |role, brokers, conf: &[String]| {
            args(role, brokers, Path::new("jars"), Path::new("home"), conf).join(" ")
        };
        assert!(line(Role::Master, 1, &[]).contains("-Xmx1g"));
        assert!(line(Role::Master, 2, &[]).contains("-Xmx320m"));
        assert!(line(Role::Nameserver, 1, &[]).contains("-Xmx128m"));
        let tls = ["tls.server.mode=enforcing".to_owned(), "aclEnable=true".to_owned()];
        let slave = line(Role::Slave, 2, &tls);
        assert!(slave.contains(" -Dtls.server.mode=enforcing -cp jars/* "), "{slave}");
        assert!(!slave.contains("aclEnable"), "{slave}");
        assert!(!line(Role::Nameserver, 2, &tls).contains("tls"));
        let own = [tls[0].clone(), "tls.server.certPath=server.pem".to_owned()];
        let nameserver = line(Role::Nameserver, 2, &own);
        assert!(
            nameserver.contains(" -Dtls.server.certPath=home/conf/server.pem "),
            "{nameserver}"
        );
        assert!(!nameserver.contains("enforcing"), "{nameserver}");
    }
}
