//! `CONFIG.md` says what the table of settings says.
//!
//! After a change of the table, `CONFIG_MD=write cargo test -p rocketry-conformance --test config`
//! writes the page anew.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use rocketry::{Message, Start, Topic};
use rocketry_conformance::broker::ClusterConfig;
use rocketry_conformance::serve::Served;
use rocketry_core::config::{Config, NOT_BUILT, PER_CONSUMER, PRESETS, SETTINGS, Setting};

const HEAD: &str = "\
# Settings

<!-- Written from the table in core/src/config by conformance/tests/config.rs: change it there. -->

A client takes a list of nameservers, with the defaults for the rest, or a `Config`:

- in code, `Config::new(\"a:9876;b:9876\")?` or a [preset](#presets), then assign to its fields;
- from the environment, `rocketry::blocking::config_from_env()?` (in `tokio`, `smol` and `async_std`
  too): `NAMESRV_ADDR` as for Java, and `ROCKETRY_` with a setting's name in capitals, such as
  `ROCKETRY_SEND_TIMEOUT=5s`;
- from a file, in any format that serde reads: `Config` is `Deserialize` and `Serialize`, and
  `with_vars` puts variables over what the file or a preset says.

Durations are `500ms`, `3s`, `2m`, or plain milliseconds; sizes are `64KiB`, `4MiB`, or plain bytes;
an optional setting is taken away with `none`. An empty variable counts as not set. A name that is
not known in a file is an error that names the nearest one, as is a slip in a name, or Java's or
pyrocketmq's name, behind the prefix in the environment; other variables with the prefix may be an
application's own: they are logged (`info`) and left alone. A value out of range is an error that
says what it must be. The range of several settings together:
`reconnect_max` is not below `reconnect_min` nor `reconnect_idle_max` below `reconnect_max`, and
`pull_timeout` is longer than `pull_suspend`.
Left alone without a word are `ROCKETRY_CACHE`, `ROCKETRY_CLUSTER`, `ROCKETRY_JARS` and
`ROCKETRY_STATE`, which are the project's tools', and `ROCKETRY_SERVICE_*` and `ROCKETRY_PORT*`,
which Kubernetes sets for a service that is called rocketry.

## Every setting
";

const PRESETS_HEAD: &str = "
## Presets

Sets to begin with, taking nameservers as `Config::new` does. They are choices, not measurements:
measure your own load.

";

const NOT_BUILT_HEAD: &str = "
## Not built

What other clients can be told and this one can't. To set one is an error that says the same, by any
of its names, in a file or behind `ROCKETRY_` in the environment, however its words are set apart
(`socksProxyConfig`, `ROCKETRY_SOCKS_PROXY`).
";

const PER_CONSUMER_HEAD: &str = "
## Said to each consumer

What Java's client and pyrocketmq have as settings, and what is code here. To set one is an error
that names the method, as above.
";

/// Words that may break a row are kept from it.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{text}`") }
}

fn value(setting: &Setting, config: &Config) -> String {
    let shown = setting.show(config);
    if shown.is_empty() { "none".to_owned() } else { shown }
}

fn settings(page: &mut String, plain: &Config) {
    *page += "\n| setting | counted in | default | range | what it does | Java | pyrocketmq |\n";
    *page += "|---|---|---|---|---|---|---|\n";
    for setting in SETTINGS {
        let default = match setting.name {
            "name_servers" => String::new(),
            "identity" => "found out".to_owned(),
            _ => code(&value(setting, plain)),
        };
        let range = setting.range().trim_start_matches("must ").replacen("be ", "", 1);
        let variable = setting.variable();
        let (name, unit, about) = (setting.name, setting.unit, cell(setting.about));
        let (java, python) = (code(setting.java), code(setting.python));
        let _ = write!(page, "| `{name}`<br>`{variable}` | {unit} | {default} | {range} ");
        let _ = writeln!(page, "| {about} | {java} | {python} |");
    }
}

fn presets(page: &mut String, plain: &Config) {
    *page += PRESETS_HEAD;
    let made: Vec<Config> =
        PRESETS.iter().map(|preset| (preset.make)("a:1").expect("nameservers")).collect();
    for preset in PRESETS {
        let _ = writeln!(page, "- `Config::{}`: {}", preset.name, cell(preset.about));
    }
    let names = PRESETS.iter().map(|preset| format!(" `{}` |", preset.name));
    let _ = writeln!(page, "\n| setting | default |{}", names.collect::<String>());
    let _ = writeln!(page, "|---|---|{}", "---|".repeat(PRESETS.len()));
    for setting in SETTINGS {
        let default = value(setting, plain);
        let all: Vec<String> = made.iter().map(|config| value(setting, config)).collect();
        if all.iter().any(|own| *own != default) {
            let own = |own: &String| if *own == default { String::new() } else { code(own) };
            let cells = all.iter().map(|one| format!(" {} |", own(one))).collect::<String>();
            let _ = writeln!(page, "| `{}` | {} |{cells}", setting.name, code(&default));
        }
    }
}

fn not_built(page: &mut String) {
    *page += NOT_BUILT_HEAD;
    *page += "\n| setting | what holds instead | Java | pyrocketmq |\n|---|---|---|---|\n";
    for other in NOT_BUILT {
        let (java, python) = (code(other.java), code(other.python));
        let _ = writeln!(page, "| `{}` | {} | {java} | {python} |", other.name, cell(other.why));
    }
}

fn per_consumer(page: &mut String) {
    *page += PER_CONSUMER_HEAD;
    *page += "\n| Java | here |\n|---|---|\n";
    for other in PER_CONSUMER {
        let _ = writeln!(page, "| {} | {} |", code(other.java), cell(other.how));
    }
}

fn page() -> String {
    let plain = Config::new("a:1").expect("a nameserver");
    let mut page = HEAD.to_owned();
    settings(&mut page, &plain);
    presets(&mut page, &plain);
    not_built(&mut page);
    per_consumer(&mut page);
    page
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../CONFIG.md")
}

#[test]
fn the_page_of_settings_is_the_table_of_settings() {
    let wanted = page();
    if env::var("CONFIG_MD").is_ok_and(|value| value == "write") {
        fs::write(path(), &wanted).expect("a page that may be written");
    }
    let found = fs::read_to_string(path()).unwrap_or_default();
    let (old, new): (Vec<&str>, Vec<&str>) = (found.lines().collect(), wanted.lines().collect());
    let gone = old.iter().filter(|line| !new.contains(line)).map(|line| format!("- {line}"));
    let come = new.iter().filter(|line| !old.contains(line)).map(|line| format!("+ {line}"));
    let diff = gone.chain(come).collect::<Vec<_>>().join("\n");
    assert!(
        found == wanted,
        "CONFIG.md is not what the table says:\n{diff}\nwrite it with CONFIG_MD=write"
    );
}

#[test]
fn every_setting_is_on_the_page_once() {
    let page = page();
    let rows = |name: &str| page.matches(&format!("\n| `{name}` | ")).count();
    let all = page.split("\n## Presets").next().unwrap_or_default();
    for setting in SETTINGS {
        assert_eq!(all.matches(&format!("\n| `{}`<br>", setting.name)).count(), 1);
        assert!(setting.about.ends_with('.'), "{}", setting.about);
    }
    assert!(NOT_BUILT.iter().all(|other| rows(other.name) == 1));
    assert!(PRESETS.iter().all(|preset| page.contains(&format!("- `Config::{}`", preset.name))));
}

#[test]
fn conn_13_a_client_of_every_preset_works_under_the_name_it_was_given() {
    let served = Served::start(ClusterConfig::default().topic("orders", 2)).expect("a cluster");
    for preset in PRESETS {
        let name = preset.name;
        let vars = [("ROCKETRY_INSTANCE_NAME", name), ("ROCKETRY_LOCAL_ADDRESS", "127.0.0.1")];
        let config = (preset.make)(&served.namesrv()).and_then(|config| config.with_vars(vars));
        let client = rocketry::blocking::connect(config.expect("settings")).expect("a client");
        assert!(client.id().ends_with(&format!("@{name}")), "{}", client.id());

        let order = Message::new(Topic::new("orders").expect("a topic"), name);
        client.producer("shop").expect("a producer").send(order).wait().expect("a receipt");
        let consumer = client.consumer(name).expect("a consumer").topic("orders", "*");
        let mut consumer = consumer.start_at(Start::First).start().expect("a consumer");
        loop {
            let message = consumer.recv_timeout(Duration::from_secs(20)).expect("a message");
            let message = message.expect("a message that can be read");
            let ours = message.body() == name.as_bytes();
            assert!(message.ack().is_taken(), "an ack");
            if ours {
                break;
            }
        }
        let members = served.with(|cluster| cluster.consumers(0, name));
        assert_eq!(members, [client.id().to_string()]);
        client.shutdown().wait().expect("an end");
    }
}

/// In a child, which is told so: prints what it reads.
#[test]
fn the_environment_of_a_process_is_read() {
    const CHILD: &str = "CONFIG_CHILD";
    if env::var_os(CHILD).is_some() {
        match rocketry::tokio::config_from_env() {
            Ok(config) => println!("{:?} {:?}", config.name_servers, config.send_timeout),
            Err(error) => println!("{error}"),
        }
        return;
    }
    let read = |vars: &[(&str, &str)]| {
        let mut process = Command::new(env::current_exe().expect("this program"));
        process.args(["--exact", "the_environment_of_a_process_is_read", "--nocapture"]);
        process.env(CHILD, "1");
        process.env_remove("NAMESRV_ADDR").envs(vars.iter().copied());
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt;
            process.env("ELSEWHERE", std::ffi::OsStr::from_bytes(b"\xff"));
        }
        let output = process.output().expect("its output");
        String::from_utf8(output.stdout).expect("text")
    };
    let servers = ("NAMESRV_ADDR", "a:9876;b:9876");
    let set = read(&[servers, ("ROCKETRY_SEND_TIMEOUT", "7s")]);
    assert!(set.contains("[a:9876, b:9876] 7s"), "{set}");
    // As `live exec` sets it, and as an application might.
    let others = read(&[servers, ("ROCKETRY_CLUSTER", "c"), ("ROCKETRY_HOME", "/opt/rocketry")]);
    assert!(others.contains("[a:9876, b:9876] 3s"), "{others}");
    let typo = read(&[servers, ("ROCKETRY_SEND_TIMEOT", "7s")]);
    assert!(typo.contains("the nearest is ROCKETRY_SEND_TIMEOUT"), "{typo}");
    let none = read(&[]);
    assert!(none.contains("name_servers is empty"), "{none}");
}
