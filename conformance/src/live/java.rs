//! Finds a Java that can run every broker version, and the flags that make old ones start on it.

use std::env;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::LiveError;
use super::error::While;

/// The oldest Java the flags below and the 5.x jars are known to work with.
const OLDEST: u32 = 17;

/// The doors that 4.x brokers and their Netty knock at and that Java keeps shut since version 16.
pub(super) const OPEN: [&str; 5] = [
    "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-exports=java.base/sun.security.action=ALL-UNNAMED",
];

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
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(LiveError::JavaMissing),
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
        assert!(matches!(error, LiveError::JavaMissing));
        assert!(error.to_string().contains("version 17 or newer"));
    }
}
