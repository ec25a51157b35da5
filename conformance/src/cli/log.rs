//! What the tools log: where to, in which form, from which level on. Nothing unless asked for.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use clap::ValueEnum;
use env_logger::{Builder, Target, WriteStyle};
use log::kv::{self, Key, Value, VisitSource};
use log::{LevelFilter, Record};
use rocketry_conformance::rig::heard;
use serde_json::{Map, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Lines for people, without colours
    Text,
    /// One JSON object a line
    Json,
    /// Lines for people, coloured, unless NO_COLOR is set
    Color,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Log")]
pub(super) struct Args {
    /// Log in this form; to standard error, unless there is a file
    #[arg(long = "log", global = true, value_name = "FORM")]
    form: Option<Form>,
    /// Log from this level on: off, error, warn, info (the default of a log), debug or trace
    #[arg(long = "log-level", global = true, value_name = "LEVEL", value_parser = level)]
    level: Option<LevelFilter>,
    /// Append the log to this file
    #[arg(long = "log-file", global = true, value_name = "PATH")]
    file: Option<PathBuf>,
}

fn level(text: &str) -> Result<LevelFilter, String> {
    text.parse().map_err(|_| "a level is off, error, warn, info, debug or trace".to_owned())
}

impl Args {
    /// Installs the logger, once in a process. Any of the options asks for one.
    pub(super) fn start(&self) -> Result<(), String> {
        let Some(mut logger) = self.wanted()? else { return Ok(()) };
        logger.try_init().map_err(|error| error.to_string())
    }

    /// Installs one that keeps what clients tell, for cases that look at it, beside the logger
    /// that is asked for.
    pub(super) fn listen(&self) -> Result<(), String> {
        let beside = self.wanted()?.map(|mut logger| {
            let logger = logger.build();
            let level = logger.filter();
            (Box::new(logger) as Box<dyn log::Log>, level)
        });
        heard::listen(beside);
        Ok(())
    }

    fn wanted(&self) -> Result<Option<Builder>, String> {
        if self.form.is_none() && self.level.is_none() && self.file.is_none() {
            return Ok(None);
        }
        let target = match self.open()? {
            Some(file) => Target::Pipe(Box::new(file)),
            None => Target::Stderr,
        };
        let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Ok(Some(self.logger(target, no_color)))
    }

    fn open(&self) -> Result<Option<File>, String> {
        let Some(path) = &self.file else { return Ok(None) };
        let file = OpenOptions::new().create(true).append(true).open(path);
        file.map(Some).map_err(|error| format!("can't write the log {}: {error}", path.display()))
    }

    fn logger(&self, target: Target, no_color: bool) -> Builder {
        let mut logger = Builder::new();
        logger.target(target).filter_level(self.level.unwrap_or(LevelFilter::Info));
        logger.format_timestamp_millis();
        match self.form.unwrap_or(Form::Text) {
            Form::Text => logger.write_style(WriteStyle::Never),
            Form::Color if no_color => logger.write_style(WriteStyle::Never),
            Form::Color => logger.write_style(WriteStyle::Always),
            Form::Json => logger.write_style(WriteStyle::Never).format(|line, record| {
                let time = line.timestamp_millis().to_string();
                write_json(line, &time, record)
            }),
        };
        logger
    }
}

/// One object, and the end of the line. Key-values are in one of their own: their names are free.
fn write_json(out: &mut dyn Write, time: &str, record: &Record<'_>) -> io::Result<()> {
    let mut fields = Fields(Map::new());
    record.key_values().visit(&mut fields).map_err(io::Error::other)?;
    let (level, target) = (record.level(), json!(record.target()));
    let (message, fields) = (json!(record.args().to_string()), json!(fields.0));
    // By hand, so that the time comes first.
    write!(out, r#"{{"time":"{time}","level":"{level}","target":{target},"#)?;
    writeln!(out, r#""message":{message},"fields":{fields}}}"#)
}

/// A record's key-values. Numbers and truths stay what they are, the rest is text.
struct Fields(Map<String, serde_json::Value>);

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
        let value = if let Some(number) = value.to_u64() {
            json!(number)
        } else if let Some(number) = value.to_i64() {
            json!(number)
        } else if let Some(number) = value.to_f64().filter(|number| number.is_finite()) {
            json!(number)
        } else if let Some(flag) = value.to_bool() {
            json!(flag)
        } else {
            json!(value.to_string())
        };
        self.0.insert(key.to_string(), value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use clap::Parser;
    use log::{Level, Log};

    use super::*;
    use crate::cli::Cli;

    fn args(words: &str) -> Args {
        let words = ["rocketry-conformance"].into_iter().chain(words.split(' '));
        Cli::try_parse_from(words).expect("these parse").log
    }

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

    /// What the arguments make of a warning with key-values, and of a record at level debug.
    fn logged(words: &str, no_color: bool) -> String {
        let page = Page::default();
        let logger = args(words).logger(Target::Pipe(Box::new(page.clone())), no_color).build();
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
            logger.log(&record.args(format_args!("no \u{1b}[1manswer\u{1b}[0m")).build());
        }
        let bytes = page.0.lock().expect("no panic").clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn json_lines_are_valid_and_have_the_key_values() {
        let lines = logged("--log json vectors x", false);
        assert_eq!(lines.lines().count(), 1, "{lines}");
        let line: serde_json::Value = serde_json::from_str(&lines).expect("valid JSON");
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["target"], "rocketry");
        assert_eq!(line["message"], "no \u{1b}[1manswer\u{1b}[0m");
        assert!(line["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
        let fields = json!({
            "broker": "broker-a \"1\"\n", "queue": -1, "opaque": u64::MAX, "load": 0.5,
            "message": true,
        });
        assert_eq!(line["fields"], fields);
    }

    #[test]
    fn text_has_the_key_values_and_no_colours() {
        for text in [logged("--log text vectors x", false), logged("--log color vectors x", true)] {
            assert!(text.contains("WARN  rocketry] no answer broker=broker-a"), "{text:?}");
            assert!(text.contains("queue=-1") && text.contains("opaque=1844"), "{text:?}");
            assert!(!text.contains('\u{1b}'), "{text:?}");
        }
    }

    #[test]
    fn colour_is_given_where_it_is_asked_for() {
        let text = logged("--log color vectors x", false);
        assert!(text.contains("\u{1b}[33mWARN"), "{text:?}");
    }

    #[test]
    fn the_level_is_info_unless_told() {
        assert_eq!(
            logged("vectors x --log-file log", false).lines().count(),
            2,
            "one in two lines"
        );
        assert!(logged("vectors x --log-level debug", false).contains("DEBUG"));
        assert_eq!(logged("vectors x --log-level error", false), "");
        assert_eq!(logged("vectors x --log-level off", false), "");
        let words = ["rocketry-conformance", "vectors", "x", "--log-level", "loud"];
        let error = Cli::try_parse_from(words).expect_err("no such level").to_string();
        assert!(error.contains("debug or trace"), "{error}");
    }

    #[test]
    fn every_subcommand_takes_the_options_before_and_after_its_name() {
        for words in [
            "--log json broker",
            "broker --log json -- client --log text",
            "live --log json list",
            "live exec 5.3.3 --log json -- x",
            "bench sync 127.0.0.1:9876 orders 1 1 1 --log json",
            "vectors x --log json",
        ] {
            assert_eq!(args(words).form, Some(Form::Json), "{words}");
        }
    }

    #[test]
    fn a_broker_around_a_command_logs_to_the_file_what_it_does() {
        assert!(args("broker").start().is_ok(), "nothing asked for, nothing installed");
        let path = env::temp_dir().join(format!("rocketry-log-{}", std::process::id()));
        let name = path.to_str().expect("a name that is text");
        let words = ["rocketry-conformance", "broker", "--log", "json", "--log-file", name];
        let cli = Cli::try_parse_from(words.iter().chain(&["--", "false"])).expect("these parse");
        let code = crate::cli::act(cli).expect("the command has run");
        assert_eq!(code, std::process::ExitCode::from(1), "the command's own");
        let log = std::fs::read_to_string(&path).expect("a log");
        std::fs::remove_file(&path).expect("the log goes away");
        let parse = |line| serde_json::from_str(line).expect("valid JSON");
        let lines: Vec<serde_json::Value> = log.lines().map(parse).collect();
        let [serving, runs, ended] = lines.as_slice() else { panic!("{log}") };
        assert!(serving["fields"]["namesrv"].as_str().is_some_and(|at| at.contains(':')), "{log}");
        assert_eq!((&serving["message"], &serving["level"]), (&json!("serving"), &json!("INFO")));
        assert_eq!(runs["fields"]["program"], "false");
        assert_eq!(ended["fields"]["code"], 1);
    }

    #[test]
    fn a_file_that_can_not_be_written_is_named() {
        let error = args("broker --log-file /nowhere/at/all").start().expect_err("no such folder");
        assert!(error.starts_with("can't write the log /nowhere/at/all: "), "{error}");
    }
}
