//! What the tools log: where to, in which form, from which level on. Nothing unless asked for.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use rocketry::logging::{Form, LevelFilter, Logging, LoggingError};

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Log")]
pub(super) struct Args {
    /// Log in this form: lines for people, JSON objects, or lines in colour unless NO_COLOR is set;
    /// to standard error, unless there is a file
    #[arg(long = "log", global = true, value_name = "FORM", value_parser = forms())]
    form: Option<Form>,
    /// Log from this level on: off, error, warn, info (the default of a log), debug or trace
    #[arg(long = "log-level", global = true, value_name = "LEVEL", value_parser = level)]
    level: Option<LevelFilter>,
    /// Append the log to this file
    #[arg(long = "log-file", global = true, value_name = "PATH")]
    file: Option<PathBuf>,
}

fn forms() -> impl TypedValueParser<Value = Form> {
    PossibleValuesParser::new(Form::ALL.map(Form::name)).try_map(|name| name.parse::<Form>())
}

fn level(text: &str) -> Result<LevelFilter, String> {
    text.parse().map_err(|_| "a level is off, error, warn, info, debug or trace".to_owned())
}

impl Args {
    /// Installs the logger, once in a process. Any of the options asks for one.
    pub(super) fn start(&self) -> Result<(), LoggingError> {
        if self.form.is_none() && self.level.is_none() && self.file.is_none() {
            return Ok(());
        }
        self.logging().start()
    }

    fn logging(&self) -> Logging {
        let logging = Logging::new()
            .form(self.form.unwrap_or_default())
            .level(self.level.unwrap_or(LevelFilter::Info));
        match &self.file {
            Some(path) => logging.file(path),
            None => logging,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;
    use crate::cli::Cli;

    fn args(words: &str) -> Args {
        let words = ["rocketry-conformance"].into_iter().chain(words.split(' '));
        Cli::try_parse_from(words).expect("these parse").log
    }

    #[test]
    fn the_options_say_what_is_logged() {
        let plain = Logging::new();
        assert_eq!(args("vectors x --log-file log").logging(), plain.clone().file("log"));
        let debug = plain.clone().level(LevelFilter::Debug);
        assert_eq!(args("vectors x --log-level debug").logging(), debug);
        assert_eq!(args("--log color vectors x").logging(), plain.form(Form::Color));
        for (option, value, known) in
            [("--log-level", "loud", "debug or trace"), ("--log", "xml", "text, json, color")]
        {
            let words = ["rocketry-conformance", "vectors", "x", option, value];
            let error = Cli::try_parse_from(words).expect_err("no such value").to_string();
            assert!(error.contains(known), "{error}");
        }
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
        let path = std::env::temp_dir().join(format!("rocketry-log-{}", std::process::id()));
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
        let error = args("broker --log-file /nowhere/at/all")
            .start()
            .expect_err("no such folder")
            .to_string();
        assert!(error.starts_with("can't write the log /nowhere/at/all: "), "{error}");
    }
}
