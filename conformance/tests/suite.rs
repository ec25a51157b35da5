//! The program `run` as its users meet it: exit codes, last lines, reports, Ctrl-C.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::certificates;
use rocketry_conformance::embedded::Acl;
use rocketry_conformance::serve::{Listen, ServeTls, Served, TlsMode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

fn program(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rocketry-conformance"));
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Exit code, standard output and standard error.
fn ended(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code().expect("no signal"), text(output.stdout), text(output.stderr))
}

fn run(words: &[&str]) -> (i32, String, String) {
    ended(program(words).output().expect("the program"))
}

/// A folder for this test's reports.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = format!("rocketry-suite-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn report(&self, form: &str) -> String {
        format!("{form}={}", self.0.join(form).display())
    }

    fn read(&self, form: &str) -> String {
        fs::read_to_string(self.0.join(form)).expect("a report")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_run_that_holds_ends_with_0_its_totals_and_its_reports() {
    let folder = Folder::new("holds");
    let reports = ["junit", "json", "md"].map(|form| folder.report(form)).join(",");
    let words = ["run", "SEND-04", "NS-01", "--runtime", "std", "--report", &reports];
    let (code, out, progress) = run(&words);
    assert_eq!(code, 0, "{out}{progress}");
    assert_eq!(out.lines().last(), Some("1 passed, 0 failed, 1 skipped"));
    assert!(out.contains("skipped, only for live brokers: NS-01"), "{out}");
    assert!(progress.contains("ok ") && progress.contains("SEND-04 on std"), "{progress}");
    assert!(folder.read("junit").contains("<testcase name=\"SEND-04 on std\""));
    assert!(folder.read("md").contains("**1 passed, 0 failed, 1 skipped**"));
    let json: Value = serde_json::from_str(&folder.read("json")).expect("JSON");
    assert_eq!((&json["complete"], &json["totals"]["passed"]), (&true.into(), &1.into()));
}

#[test]
fn a_cluster_of_ones_own_is_a_target_and_is_not_hurt() {
    let served = Served::start(ClusterConfig::default()).expect("a served cluster");
    let target = format!("namesrv={}", served.namesrv());
    let words = ["run", "NS-0", "FAULT", "LIVE", "--target", &target, "--runtime", "tokio"];
    let (code, out, progress) = run(&words);
    assert!(code == 0, "{out}{progress}");
    assert!(out.contains("it hurts the cluster, and this one is not ours: FAULT-01"), "{out}");
    assert!(out.contains("autoCreateTopicEnable=false in the broker's properties: NS-02"), "{out}");
    assert!(progress.contains("NS-03 on tokio"), "{progress}");
}

#[test]
fn a_cluster_that_wants_a_key_and_tls_is_a_target_as_clients_have_it() {
    let config = ClusterConfig::default().acl(Acl::admin("the-key", "the-secret"));
    let server = certificates::server(certificates::SERVER, false).expect("a certificate");
    let tls = ServeTls { mode: TlsMode::Enforcing, server };
    let served = Served::start_tls(config, &Listen::default(), tls).expect("a served cluster");
    let folder = Folder::new("keys");
    let ca = folder.0.join("ca.pem");
    fs::write(&ca, certificates::CA).expect("a file");
    let (target, ca) = (format!("namesrv={}", served.namesrv()), ca.display().to_string());

    // A new topic, one that nobody creates, a member in another process, and what is skipped.
    let cases = ["run", "SEND-04", "NS-03", "REB-07", "ACL-03", "COMP-02", "--target", &target];
    let by_options = ["--runtime", "std", "--access-key", "the-key", "--tls-ca", &ca];
    let mut command = program(&[&cases[..], &by_options[..]].concat());
    command.env("ROCKETRY_SECRET_KEY", "the-secret");
    let (code, out, progress) = ended(command.output().expect("the program"));
    assert!(
        code == 0 && progress.contains("ok ") && !progress.contains("FAILED"),
        "{out}{progress}"
    );
    assert_eq!(out.lines().last(), Some("3 passed, 0 failed, 2 skipped"), "{out}{progress}");
    assert!(!out.contains("the-secret") && !progress.contains("the-secret"), "{out}{progress}");

    let by_environment = |secret: &str| {
        let mut command = program(&["run", "SEND-04", "--target", &target, "--runtime", "tokio"]);
        command.env("ROCKETRY_ACCESS_KEY", "the-key").env("ROCKETRY_SECRET_KEY", secret);
        ended(command.env("ROCKETRY_TLS_CA", &ca).output().expect("the program"))
    };
    let (code, out, progress) = by_environment("the-secret");
    assert_eq!(code, 0, "{out}{progress}");
    // It can't be reached with a wrong key, and with half of one nothing is tried.
    let (code, _, errors) = by_environment("a-wrong-secret");
    assert!(code == 3 && errors.contains("NO_PERMISSION"), "{code} {errors}");
    let (code, _, errors) = by_environment("");
    assert!(code == 2 && errors.contains("secret_key"), "{code} {errors}");
}

#[test]
fn a_bench_does_its_work_signed_and_encrypted_beside_the_plain_one() {
    let server = certificates::server(certificates::SERVER, false).expect("a certificate");
    let tls = ServeTls { mode: TlsMode::Permissive, server };
    let served = Served::start_tls(ClusterConfig::default(), &Listen::default(), tls);
    let served = served.expect("a served cluster");
    let namesrv = served.namesrv();
    let work = ["bench", "sync", &*namesrv, "t", "20", "100", "1", "--warm", "5", "--rounds", "2"];
    let (code, out, errors) = run(&[&work[..], &["--beside", "signed,tls,both"]].concat());
    assert_eq!(code, 0, "{out}{errors}");
    let ways: Vec<&str> = out.lines().filter_map(|line| line.split("way=").nth(1)).collect();
    let round = ["plain", "signed", "tls", "both"];
    assert_eq!(ways[..8], [round, round].concat(), "{out}");
    for (line, way) in ways[8..].iter().zip(["signed cpu=", "tls cpu=", "both cpu="]) {
        assert!(line.starts_with(way) && line.contains("more_cpu_us="), "{out}");
    }
    assert_eq!(ways.len(), 11, "{out}");
}

#[test]
fn what_does_not_hold_ends_with_1_and_says_what_was_required() {
    let config = ClusterConfig { body_limit: 1000, ..ClusterConfig::default() };
    let served = Served::start(config).expect("a served cluster");
    let target = format!("namesrv={}", served.namesrv());
    let (code, out, _) = run(&["run", "COMP-01", "--target", &target, "--runtime", "std"]);
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("COMP-01 on std (must): A body of up to 4096 bytes"), "{out}");
    assert_eq!(out.lines().last(), Some("0 passed, 1 failed, 0 skipped"));
}

#[test]
fn what_makes_no_sense_is_not_there_or_cannot_be_written_has_its_code() {
    assert_eq!(run(&["run", "--target", "nowhere"]).0, 2);
    assert_eq!(run(&["run", "--report", "xml=a"]).0, 2);
    let (code, _, errors) = run(&["run", "SEND-04", "--target", "namesrv=127.0.0.1:1"]);
    assert_eq!(code, 3, "{errors}");
    assert!(errors.contains("127.0.0.1:1"), "{errors}");
    let words = ["run", "SEND-16", "--runtime", "std", "--report", "json=no/such/folder/a"];
    let (code, out, errors) = run(&words);
    assert_eq!(code, 4, "{errors}");
    assert_eq!(out.lines().last(), Some("1 passed, 0 failed, 0 skipped"));
    assert_eq!(run(&["run", "NOTHING"]).0, 5);
    assert_eq!(run(&["explain", "NOTHING-1"]).0, 5);
}

#[test]
fn ctrl_c_ends_a_run_at_once_with_a_report_of_what_there_is() {
    let folder = Folder::new("early");
    let report = folder.report("json");
    let words = ["run", "REB-07", "REB-20", "--jobs", "1", "--report", &report];
    let child = program(&words).spawn().expect("the program");
    thread::sleep(Duration::from_millis(1500));
    let asked = Instant::now();
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("an id");
    kill_process(id, Signal::INT).expect("it runs");
    let (code, out, progress) = ended(child.wait_with_output().expect("it ends"));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert_eq!(code, 130, "{out}{progress}");
    assert!(out.contains("ended early: ") && out.contains("rounds were not run"), "{out}");
    let json: Value = serde_json::from_str(&folder.read("json")).expect("JSON");
    assert_eq!(json["complete"], false);
    let unfinished = json["unfinished"].as_u64().expect("a number");
    let ran = json["cases"].as_array().expect("cases").len() as u64;
    assert!(unfinished > 0 && unfinished + ran == 8, "{json}");
}

#[test]
fn cases_are_listed_and_explained() {
    let (code, out, _) = run(&["list", "BATCH"]);
    assert_eq!(code, 0);
    let first = out.lines().next().expect("a line");
    assert!(first.starts_with("BATCH-01") && first.contains("embedded,live"), "{out}");
    let (_, out, _) = run(&["list", "--json", "BATCH-02"]);
    let row: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&row["group"], &row["proof"]), (&"BATCH".into(), &"run".into()));
    let (code, out, _) = run(&["explain", "ns-17"]);
    assert_eq!(code, 0);
    for part in ["NS-17 (must)", "registerNameServerPeriod=60000", "of its own", "run NS-17"] {
        assert!(out.contains(part), "{part} in {out}");
    }
}
