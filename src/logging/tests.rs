use std::sync::Arc;

use log::Level;
use log::kv::Value;
use serde_json::json;

use super::*;

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What becomes of a warning with key-values, and of a record at level debug.
fn logged(what: Logging, plain: bool) -> String {
    let page = Page::default();
    let logger = Logger::new(what, plain, Box::new(page.clone()));
    let pairs = [
        ("broker", Value::from("broker-a \"1\"\n")),
        ("queue", Value::from(-1)),
        ("opaque", Value::from(u64::MAX)),
        ("load", Value::from(0.5)),
        ("message", Value::from(true)),
    ];
    for level in [Level::Warn, Level::Debug] {
        let mut record = Record::builder();
        record.level(level).target("rocketry").key_values(&pairs);
        logger.log(&record.args(format_args!("no \u{1b}[1manswer")).build());
    }
    let bytes = page.0.lock().expect("no panic").clone();
    String::from_utf8(bytes).expect("text")
}

#[test]
fn json_lines_are_valid_and_have_the_key_values() {
    let lines = logged(Logging::new().form(Form::Json), false);
    assert_eq!(lines.lines().count(), 1, "{lines}");
    let line: serde_json::Value = serde_json::from_str(&lines).expect("valid JSON");
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["target"], "rocketry");
    assert_eq!(line["message"], "no \u{1b}[1manswer");
    assert!(line["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
    let fields = json!({
        "broker": "broker-a \"1\"\n", "queue": -1, "opaque": u64::MAX, "load": 0.5, "message": true,
    });
    assert_eq!(line["fields"], fields);
}

#[test]
fn text_has_the_key_values_and_nothing_that_a_terminal_obeys() {
    for text in [logged(Logging::new(), false), logged(Logging::new().form(Form::Color), true)] {
        let (time, rest) = text.split_once(' ').expect("words");
        assert!(time.starts_with("[20") && time.ends_with('Z'), "{text:?}");
        assert_eq!(
            rest,
            "WARN  rocketry] no \\u{1b}[1manswer broker=broker-a \"1\"\n     \
             queue=-1 opaque=18446744073709551615 load=0.5 message=true\n"
        );
    }
}

#[test]
fn colour_is_given_where_it_is_asked_for_and_only_ours() {
    let text = logged(Logging::new().form(Form::Color), false);
    assert!(text.contains("\u{1b}[33mWARN \u{1b}[0m"), "{text:?}");
    assert!(text.contains("no \\u{1b}[1manswer"), "{text:?}");
}

#[test]
fn level_and_target_say_what_is_logged() {
    let at = |level| logged(Logging::new().level(level), false);
    assert!(!at(LevelFilter::Info).contains("DEBUG"));
    assert!(at(LevelFilter::Debug).contains("DEBUG"));
    assert_eq!(at(LevelFilter::Error), "");
    assert_eq!(at(LevelFilter::Off), "");
    assert_eq!(logged(Logging::new().target("hyper"), false), "");
    assert_ne!(logged(Logging::new().target("rocketry"), false), "");
}

#[test]
fn a_form_goes_by_its_name() {
    for form in Form::ALL {
        assert_eq!(form.to_string().parse(), Ok(form));
    }
    let error = "xml".parse::<Form>().expect_err("no such form").to_string();
    assert_eq!(error, "a form is text, json or color");
}

#[test]
fn a_file_that_can_not_be_written_is_named() {
    let error = Logging::new().file("/nowhere/at/all").start().expect_err("no such folder");
    assert!(error.to_string().starts_with("can't write the log /nowhere/at/all: "), "{error}");
}

#[test]
fn a_process_has_one_logger_and_its_file_is_appended_to() {
    let path = env::temp_dir().join(format!("rocketry-logging-{}", std::process::id()));
    std::fs::write(&path, "before\n").expect("a file");
    Logging::new().file(&path).target("rocketry").start().expect("the first one");
    log::warn!(target: "rocketry", code = 2; "busy");
    log::warn!(target: "elsewhere", "busy too");
    log::debug!(target: "rocketry", "idle");
    let error = Logging::new().start().expect_err("there is one");
    let log = std::fs::read_to_string(&path).expect("a log");
    std::fs::remove_file(&path).expect("the log goes away");
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert_eq!(lines[0], "before");
    assert!(lines[1].ends_with("WARN  rocketry] busy code=2"), "{log}");
    assert_eq!(error.to_string(), "this process has a logger already");
}
