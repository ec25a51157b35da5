//! The jars of one RocketMQ version: found in a folder, or fetched through Maven once.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};

use super::LiveError;
use super::error::While;

/// A folder with `VERSION/` subfolders of jars that somebody else filled; only read.
const READY_MADE: &str = "ROCKETRY_JARS";
/// The folder for everything we fetch; `~/.cache/rocketry` without it.
const CACHE: &str = "ROCKETRY_CACHE";

/// The folder that holds the jars of `version`, filled on first use.
pub(super) fn folder(version: &str) -> Result<PathBuf, LiveError> {
    check(version)?;
    if let Some(found) = present(version) {
        return Ok(found);
    }
    let goal = cached(version);
    fetch(&goal, version)?;
    Ok(goal)
}

/// Whether the jars are there, or there is a Maven to fetch them.
pub(super) fn within_reach(version: &str) -> bool {
    present(version).is_some() || super::java::on_path("mvn")
}

fn present(version: &str) -> Option<PathBuf> {
    let ready_made =
        env::var_os(READY_MADE).map(|root| absolute(PathBuf::from(root).join(version)));
    let mut folders = ready_made.into_iter().chain([cached(version)]);
    folders.find(|folder| complete(folder, version))
}

/// Absolute, since JVMs start in folders of their own.
fn cached(version: &str) -> PathBuf {
    absolute(cache().join("rocketmq").join(version))
}

fn absolute(folder: PathBuf) -> PathBuf {
    std::path::absolute(&folder).unwrap_or(folder)
}

/// A version names a folder and goes into XML, so nothing but a plain one may pass.
pub(super) fn check(version: &str) -> Result<(), LiveError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    let starts = version.starts_with(|c: char| c.is_ascii_digit());
    if starts && version.len() < 32 && version.contains('.') && version.chars().all(plain) {
        Ok(())
    } else {
        Err(LiveError::Version(version.to_owned()))
    }
}

fn complete(folder: &Path, version: &str) -> bool {
    ["namesrv", "broker"]
        .iter()
        .all(|part| folder.join(format!("rocketmq-{part}-{version}.jar")).is_file())
}

fn cache() -> PathBuf {
    if let Some(folder) = env::var_os(CACHE).filter(|folder| !folder.is_empty()) {
        return PathBuf::from(folder);
    }
    match env::var_os("HOME") {
        Some(home) => PathBuf::from(home).join(".cache").join("rocketry"),
        None => env::temp_dir().join("rocketry-cache"),
    }
}

/// Fetches beside the goal and renames, so that a fetch cut short or run twice leaves no half.
fn fetch(goal: &Path, version: &str) -> Result<(), LiveError> {
    let partial = goal.with_file_name(format!(".{version}.{}", process::id()));
    fs::create_dir_all(&partial).during(|| format!("creating {}", partial.display()))?;
    let fetched = maven(&partial, version).and_then(|()| match fs::rename(&partial, goal) {
        Err(_) if complete(goal, version) => Ok(()),
        moved => moved.during(|| format!("creating {}", goal.display())),
    });
    let _ = fs::remove_dir_all(&partial);
    fetched
}

fn maven(folder: &Path, version: &str) -> Result<(), LiveError> {
    let pom = folder.join("pom.xml");
    fs::write(&pom, project(version)).during(|| format!("writing {}", pom.display()))?;
    let asked = Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(&pom)
        .arg("dependency:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", folder.display()))
        .stdin(Stdio::null())
        .output();
    let answer = match asked {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(LiveError::MavenMissing { version: version.to_owned() });
        }
        other => other.during(|| "starting mvn".to_owned())?,
    };
    if answer.status.success() && complete(folder, version) {
        return Ok(());
    }
    let printed = [answer.stdout, answer.stderr].concat();
    let said = complaint(&String::from_utf8_lossy(&printed));
    Err(LiveError::Fetch { version: version.to_owned(), said })
}

/// Maven says what is wrong first, and where to read about Maven last.
fn complaint(printed: &str) -> String {
    let first = printed.lines().find_map(|line| line.split_once("[ERROR] "));
    first.map_or_else(|| super::files::tail(printed, 3), |(_, said)| said.trim().to_owned())
}

fn project(version: &str) -> String {
    let dependency = |part: &str| {
        format!(
            "<dependency><groupId>org.apache.rocketmq</groupId>\
             <artifactId>rocketmq-{part}</artifactId><version>{version}</version></dependency>"
        )
    };
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\n\
         <groupId>rocketry</groupId><artifactId>live</artifactId><version>1</version>\n\
         <dependencies>\n{}\n{}\n</dependencies></project>\n",
        dependency("namesrv"),
        dependency("broker")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_versions_pass() {
        for good in ["4.8.0", "5.3.3", "5.5.0-rc1"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", "latest", "..", "5.3.3/../..", "5.3<", "5", "-5.3.3"] {
            assert!(matches!(check(bad), Err(LiveError::Version(_))), "{bad}");
        }
    }

    #[test]
    fn maven_is_quoted_with_its_first_complaint() {
        let printed = "noise\n[ERROR] No artifact 5.9.9\n[ERROR] see http://maven\n";
        assert_eq!(complaint(printed), "No artifact 5.9.9");
        assert_eq!(complaint("killed\n"), "killed");
    }

    #[test]
    fn the_project_names_both_programs_at_the_version() {
        let pom = project("5.3.3");
        assert!(pom.contains("rocketmq-namesrv</artifactId><version>5.3.3<"));
        assert!(pom.contains("rocketmq-broker</artifactId><version>5.3.3<"));
    }
}
