use serde_json::Value;

use super::*;
use crate::cases;
use crate::rig::On;

fn record(id: &str, verdict: Verdict, notes: &[&str]) -> Record {
    let case = cases::all().find(|case| case.id == id).expect("a case");
    let skipped = matches!(verdict, Verdict::Skipped(_));
    let runtimes = if skipped { Vec::new() } else { vec![On::Smol] };
    let notes = notes.iter().map(|&note| note.to_owned()).collect();
    Record { case, runtimes, verdict, took: Duration::from_millis(1500), notes }
}

fn report(unfinished: usize) -> Report {
    let failed = Verdict::Failed("left: \"<a>\" & 'b'\u{1b}[0m\nright: ```|".to_owned());
    let skipped = Verdict::Skipped("only for live brokers".to_owned());
    let records = vec![
        record("NS-02", Verdict::Passed, &["took 3 < 4"]),
        record("NS-01", skipped, &[]),
        record("SEND-04", failed, &[]),
    ];
    let outcome = Outcome { records, unfinished };
    Report { target: "embedded".to_owned(), version: None, outcome, took: Duration::from_secs(3) }
}

/// The elements of a text, each closed in its order; panics where it is no XML.
fn elements(xml: &str) -> Vec<String> {
    let (mut open, mut found) = (Vec::new(), Vec::new());
    for tag in xml.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').expect("a tag ends");
        assert!(!text.contains(['"', '\u{1b}']), "{text}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{xml}");
        } else if !tag.starts_with('?') {
            let name = tag.split([' ', '/']).next().expect("a name");
            assert!(tag.matches('"').count() % 2 == 0 && !tag.contains(['\n', '<']), "{tag}");
            found.push(tag.to_owned());
            if !tag.ends_with('/') {
                open.push(name);
            }
        }
    }
    assert!(open.is_empty(), "{open:?} is open at the end");
    found
}

#[test]
fn junit_is_well_formed_and_counts() {
    let xml = junit::write(&report(0));
    let all = elements(&xml);
    let counts = "tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\" time=\"3.000\"";
    assert_eq!(all[0], format!("testsuites name=\"rocketry-conformance embedded\" {counts}"));
    let suites: Vec<&String> = all.iter().filter(|tag| tag.starts_with("testsuite ")).collect();
    assert!(suites[0].starts_with("testsuite name=\"NS\" tests=\"2\" failures=\"0\""), "{xml}");
    assert_eq!(suites.len(), 2);
    let case = "testcase name=\"NS-02 on smol\" classname=\"NS\" time=\"1.500\"";
    assert!(all.iter().any(|tag| tag == case), "{xml}");
    assert!(all.iter().any(|tag| tag == "skipped message=\"only for live brokers\"/"), "{xml}");
    let failure = "failure type=\"must\" message=\"left: &quot;&lt;a&gt;&quot; &amp; 'b'[0m\"";
    assert!(all.iter().any(|tag| tag == failure), "{xml}");
    assert!(xml.contains("<system-out>took 3 &lt; 4</system-out>"), "{xml}");

    let early = junit::write(&report(7));
    assert!(elements(&early).iter().any(|tag| tag == "error message=\"ended early: 7 not run\"/"));
}

#[test]
fn json_has_a_schema_and_all_that_is_known() {
    let text = json::write(&report(2)).expect("JSON");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(value["schema"], "rocketry-conformance/1");
    assert_eq!((&value["complete"], &value["unfinished"]), (&Value::Bool(false), &2.into()));
    assert_eq!(value["totals"], serde_json::json!({"passed": 1, "failed": 1, "skipped": 1}));
    assert_eq!(value["groups"]["NS"]["skipped"], 1);
    let cases = value["cases"].as_array().expect("cases");
    assert_eq!((&cases[0]["id"], &cases[0]["verdict"]), (&"NS-02".into(), &"passed".into()));
    assert_eq!(cases[0]["notes"][0], "took 3 < 4");
    assert_eq!(cases[1]["reason"], "only for live brokers");
    assert_eq!((&cases[2]["level"], &cases[2]["runtimes"][0]), (&"must".into(), &"smol".into()));
}

#[test]
fn markdown_shows_totals_failures_and_why_cases_were_skipped() {
    let text = markdown::write(&report(0));
    for part in [
        "# Conformance: embedded\n",
        "**1 passed, 1 failed, 1 skipped** in 3.0 s",
        "| NS | 1 | 0 | 1 |",
        "## SEND-04 on smol failed (must)",
        "right: '''|\n```",
        "| only for live brokers | NS-01 |",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("Ended early"));
    assert!(markdown::write(&report(3)).contains("Ended early: 3 rounds were not run."));
}

#[test]
fn a_report_goes_to_its_file_whole() {
    let wanted: Wanted = "json=out/a=b.json".parse().expect("a report");
    assert_eq!((wanted.form, wanted.file), (Form::Json, PathBuf::from("out/a=b.json")));
    for text in ["json", "json=", "xml=a", "=a"] {
        assert!(text.parse::<Wanted>().is_err(), "{text}");
    }
    let folder = std::env::temp_dir().join(format!("rocketry-report-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    for form in [Form::Junit, Form::Json, Form::Markdown] {
        let wanted = Wanted { form, file: folder.join("report") };
        wanted.write(&report(0)).expect("written");
        assert!(fs::metadata(&wanted.file).expect("a file").len() > 200);
    }
    let files = fs::read_dir(&folder).expect("a folder").count();
    fs::remove_dir_all(&folder).expect("removed");
    assert_eq!(files, 1);
    let nowhere = Wanted { form: Form::Json, file: folder.join("nowhere") };
    assert!(nowhere.write(&report(0)).is_err());
}
