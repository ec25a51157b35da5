//! The table of settings, and every way to set them.

use std::net::Ipv4Addr;

use super::table::DEFAULTS;
use super::value::Value;
use super::*;

fn config() -> Config {
    Config::new("a:1").unwrap()
}

fn vars(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::from_vars([("NAMESRV_ADDR", "a:1")].iter().chain(pairs).copied())
}

fn refused(pairs: &[(&str, &str)]) -> String {
    vars(pairs).unwrap_err().to_string()
}

fn read(json: &str) -> Result<Config, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

fn setting(name: &str) -> &'static Setting {
    SETTINGS.iter().find(|setting| setting.name == name).unwrap()
}

/// Whether connections can be encrypted in this build.
const TLS: bool = cfg!(feature = "tls");

#[test]
fn tls_is_checked_before_there_is_a_client() {
    let says = |pairs: &[(&str, &str)]| vars(pairs).map_err(|error| error.to_string());
    let on = says(&[("ROCKETRY_TLS", "true")]);
    assert_eq!(on.is_ok(), TLS, "{on:?}");
    let (key, tls) = (("ROCKETRY_TLS_KEY", "/k.pem"), ("ROCKETRY_TLS", "true"));
    let rule = if TLS { "tls_cert" } else { "features" };
    // One that only means something with TLS is enough.
    for settings in [&[key][..], &[tls, key]] {
        let alone = says(settings).unwrap_err();
        assert!(alone.contains(rule), "{alone}");
    }
    assert_eq!(says(&[("ROCKETRY_TLS_CA", "/ca.pem")]).is_ok(), TLS);
}

/// What is only taken together with others, or in some builds.
fn is_alone(setting: &Setting) -> bool {
    match setting.name {
        "tls_cert" | "tls_key" => false,
        name => TLS || !name.starts_with("tls"),
    }
}

/// A value within its range that is not the default.
fn another(setting: &Setting) -> &'static str {
    match setting.name {
        "name_servers" => "b:9876;[::1]:9876",
        "compression" => "off",
        "strategy" => "circle",
        "identity" => "192.0.2.7@12#00000000000000ff",
        "instance_name" => "billing-1",
        "unit_name" => "south",
        "access_key" => "key",
        "namespace_v2" => "south",
        "address_server" => "http://ns:8080/rocketmq/nsaddr",
        "rewrite_addresses" => "10.0.0.1:10911=localhost:10911;c:1=[::1]:2",
        "local_address" => "::1",
        "pull_timeout" => "1m",
        "max_opened_body" => "16MiB",
        "max_frame" => "24MiB",
        "reconnect_min" => "200ms",
        "reconnect_max" => "1500ms",
        _ => match setting.unit {
            "duration" => "2s",
            "bytes" => "64KiB",
            "true or false" if setting.show(&Config::default()) == "true" => "false",
            "true or false" => "true",
            _ => "7",
        },
    }
}

#[test]
fn a_list_of_nameservers_is_read_and_a_typo_is_named() {
    let config = Config::new("a:9876; b:9876,[::1]:9876").unwrap();
    let read: Vec<_> = config.name_servers.iter().map(Endpoint::as_str).collect();
    assert_eq!(read, ["a:9876", "b:9876", "[::1]:9876"]);
    assert_eq!(Config::new(" ;"), Err(ConfigError::NoNameServer));
    let wrong = Config::new("localhost").unwrap_err().to_string();
    assert!(wrong.contains("\"localhost\"") && wrong.contains("host:port"), "{wrong}");
}

#[test]
fn every_default_is_what_the_table_says() {
    assert_eq!(SETTINGS.len(), DEFAULTS.len());
    for (setting, says) in SETTINGS.iter().zip(DEFAULTS) {
        let mut config = Config::default();
        let text = if matches!(*says, "none" | "empty") { "" } else { says };
        if *says != "unknown" {
            (setting.read)(&mut config, &Value::Text(text.to_owned())).unwrap();
        }
        assert_eq!(config, Config::default(), "{}", setting.name);
    }
}

#[test]
fn every_setting_has_a_variable_and_reads_back_what_it_shows() {
    for setting in SETTINGS.iter().filter(|one| !is_of_key(one) && is_alone(one)) {
        let text = another(setting);
        let config = vars(&[(&setting.variable(), text)]).unwrap();
        assert_ne!(setting.show(&config), setting.show(&vars(&[]).unwrap()), "{}", setting.name);
        assert_eq!(setting.show(&config), text, "{}", setting.name);
    }
}

/// What is said of a key is read together, and hides.
fn is_of_key(setting: &Setting) -> bool {
    ["access_key", "secret_key", "security_token"].contains(&setting.name)
}

#[cfg(feature = "acl")]
#[test]
fn a_key_is_read_whole_and_its_secret_shows_nowhere() {
    let key = ("ROCKETRY_ACCESS_KEY", "billing");
    let secret = ("ROCKETRY_SECRET_KEY", "12345678");
    let token = ("ROCKETRY_SECURITY_TOKEN", "hidden");
    let config = vars(&[key, secret, token]).unwrap();
    assert_eq!(config.access_key.as_deref(), Some("billing"));
    assert_eq!(config.secret_key.as_ref().map(Secret::reveal), Some("12345678"));
    assert_eq!(config.security_token.as_ref().map(Secret::reveal), Some("hidden"));
    let shown = ["secret_key", "security_token"].map(|name| setting(name).show(&config));
    assert_eq!(shown, ["", ""]);
    for half in [&[key][..], &[secret], &[token], &[token, secret]] {
        let error = refused(half);
        assert!(error.contains("secret_key") && !error.contains("12345678"), "{error}");
    }
    let number = read(r#"{"name_servers":"a:1","access_key":"a","secret_key":12345678}"#);
    assert_eq!(number.unwrap().secret_key, config.secret_key, "digits alone are a text too");
    let error = read(r#"{"secret_key":["hidden"]}"#).unwrap_err();
    assert!(error.contains("secret_key") && !error.contains("[\"hidden"), "{error}");
}

#[test]
fn durations_are_read_in_any_unit() {
    for (text, millis) in [
        ("500ms", 500),
        ("3s", 3000),
        (" 3 s ", 3000),
        ("2m", 120_000),
        ("1h", 3_600_000),
        ("250", 250),
        ("5000us", 5),
        ("7000000ns", 7),
    ] {
        let read = vars(&[("ROCKETRY_SEND_TIMEOUT", text)]).unwrap().send_timeout;
        assert_eq!(read, Duration::from_millis(millis), "{text}");
    }
    for text in ["3 seconds", "-1s", "1.5s", "s", "3S", "99999999999999999999999999999999999999h"] {
        let error = refused(&[("ROCKETRY_SEND_TIMEOUT", text)]);
        assert!(error.starts_with("ROCKETRY_SEND_TIMEOUT is \""), "{error}");
        assert!(error.contains(text) && error.contains("500ms, 3s or 2m"), "{error}");
    }
}

#[test]
fn sizes_are_read_in_any_unit() {
    for (text, bytes) in [
        ("4MiB", 4 << 20),
        ("64KiB", 64 << 10),
        ("1GiB", 1 << 30),
        ("4096", 4096),
        ("17B", 17),
        ("4 mib", 4 << 20),
    ] {
        let read = vars(&[("ROCKETRY_MAX_BODY", text)]).unwrap().max_body;
        assert_eq!(read, bytes, "{text}");
    }
    for text in ["4MB", "4M", "-1", "many", "99999999999GiB"] {
        let error = refused(&[("ROCKETRY_MAX_BODY", text)]);
        assert!(error.contains("64KiB or 4MiB"), "{error}");
    }
}

#[test]
fn flags_numbers_and_addresses_are_read() {
    for (text, flag) in [("true", true), ("ON", true), ("0", false), ("no", false)] {
        assert_eq!(vars(&[("ROCKETRY_TCP_NODELAY", text)]).unwrap().tcp_nodelay, flag);
    }
    assert!(refused(&[("ROCKETRY_TCP_NODELAY", "maybe")]).ends_with("give true or false"));
    assert_eq!(vars(&[("ROCKETRY_SEND_ATTEMPTS", "5")]).unwrap().send_attempts, 5);
    let error = refused(&[("ROCKETRY_SEND_ATTEMPTS", "4294967296")]);
    assert!(error.contains("a whole number of at most 32 bits"), "{error}");
    let local = vars(&[("ROCKETRY_LOCAL_ADDRESS", "127.0.0.2")]).unwrap().local_address;
    assert_eq!(local, Some(Ipv4Addr::new(127, 0, 0, 2).into()));
    for text in ["a:1", "a:1=", "a=b:1", "a:1=b:1=c:1"] {
        let error = refused(&[("ROCKETRY_REWRITE_ADDRESSES", text)]);
        assert!(error.contains("told:port=used:port"), "{error}");
    }
    let error = refused(&[("ROCKETRY_LOCAL_ADDRESS", "eth0")]);
    assert!(error.contains("an IP address such as") && error.ends_with("or none"), "{error}");
}

#[test]
fn an_identity_is_an_address_or_all_of_it() {
    let identity = |text| vars(&[("ROCKETRY_IDENTITY", text)]).map(|config| config.identity);
    let address = [192, 0, 2, 7];
    assert_eq!(identity("192.0.2.7").unwrap(), Identity { address, process: 0, salt: 0 });
    let whole = Identity { address, process: 12, salt: 0xff };
    assert_eq!(identity("192.0.2.7@12#ff").unwrap(), whole);
    for text in ["here", "192.0.2.7@", "192.0.2.7@a#1", "192.0.2.7@1#z", "::1"] {
        assert!(identity(text).is_err(), "{text}");
    }
}

#[test]
fn nameservers_come_from_javas_variable_unless_our_own_is_there() {
    let read = |pairs: &[(&str, &str)]| {
        let config = Config::from_vars(pairs.iter().copied())?;
        Ok::<_, ConfigError>(setting("name_servers").show(&config))
    };
    let (java, own) = (("NAMESRV_ADDR", "a:9876;b:9876"), ("ROCKETRY_NAME_SERVERS", "[::1]:9876"));
    assert_eq!(read(&[java]).unwrap(), "a:9876;b:9876");
    assert_eq!(read(&[java, own]).unwrap(), "[::1]:9876");
    assert_eq!(read(&[own, java]).unwrap(), "[::1]:9876");
    assert_eq!(read(&[]), Err(ConfigError::NoNameServer));
    assert_eq!(read(&[("NAMESRV_ADDR", " ")]), Err(ConfigError::NoNameServer));
    let error = read(&[("NAMESRV_ADDR", "mq")]).unwrap_err().to_string();
    assert!(error.starts_with("NAMESRV_ADDR is \"mq\": give addresses"), "{error}");
}

#[test]
fn a_page_given_as_nameservers_is_the_address_server() {
    let page = "http://ns:8080/rocketmq/nsaddr";
    let shown = |config: Config| (setting("address_server").show(&config), config.name_servers);
    let expected = (page.to_owned(), Vec::new());
    assert_eq!(shown(Config::new(page).unwrap()), expected);
    assert_eq!(shown(Config::from_vars([("NAMESRV_ADDR", page)]).unwrap()), expected);
    assert_eq!(shown(Config::from_vars([("ROCKETRY_NAME_SERVERS", page)]).unwrap()), expected);
    assert_eq!(shown(read(&format!("{{\"name_servers\": \"{page}\"}}")).unwrap()), expected);
    let own = Config::from_vars([("ROCKETRY_ADDRESS_SERVER", page)]).unwrap();
    assert_eq!(shown(own.clone()), expected);
    // Both at once: the given ones serve until the list is there.
    let both = Config::from_vars([("ROCKETRY_ADDRESS_SERVER", page), ("NAMESRV_ADDR", "a:1")]);
    assert_eq!(both.map(|config| config.name_servers.len()), Ok(1));
    let unit = Config { unit_name: Some("blue".to_owned()), ..own };
    assert!(unit.address_page().is_some_and(|url| url.as_str().ends_with("-blue?nofix=1")));
    for tls in [Config::new("https://ns/nsaddr"), vars(&[("ROCKETRY_ADDRESS_SERVER", "https://n")])]
    {
        let error = tls.unwrap_err().to_string();
        assert!(error.contains("https is not built") && error.contains("http://host"), "{error}");
    }
}

#[test]
fn a_scheme_before_a_nameservers_address_is_to_be_left_out() {
    for given in
        ["http://ns:9876", "http://a:9876;http://b:9876", "a:1, http://b:1", " http://a:1/"]
    {
        let made = [Config::new(given), vars(&[("NAMESRV_ADDR", given)])];
        let file = read(&format!("{{\"name_servers\": [{given:?}]}}"));
        let errors = made.map(|made| made.unwrap_err().to_string());
        for error in errors.into_iter().chain([file.unwrap_err()]) {
            assert!(error.contains("leave http:// out of a nameserver's address"), "{error}");
        }
    }
    let secure = Config::new("https://ns:9876").unwrap_err().to_string();
    assert!(secure.contains("leave https:// out"), "{secure}");
}

#[test]
fn an_empty_variable_is_not_set_and_none_takes_an_option_away() {
    assert_eq!(vars(&[("ROCKETRY_COMMIT_INTERVAL", "")]), vars(&[]));
    let kept = Config { tcp_keepalive: Some(Duration::from_secs(9)), ..config() };
    let var = |value| [("ROCKETRY_TCP_KEEPALIVE", value)];
    assert_eq!(kept.clone().with_vars(var("")).unwrap().tcp_keepalive, kept.tcp_keepalive);
    assert_eq!(kept.with_vars(var("none")).unwrap().tcp_keepalive, None);
}

#[test]
fn a_variable_that_is_none_of_ours_is_left_alone() {
    let others = [
        ("PATH", "x"),
        ("ROCKETRYX", "x"),
        ("rocketry_commit", "x"),
        ("ROCKETRY_CLUSTER", "c"),
        ("ROCKETRY_HOME", "/opt"),
        ("ROCKETRY_TOPIC", "orders"),
        ("ROCKETRY_LOG", "debug"),
        ("ROCKETRY_", "x"),
        ("ROCKETRY_DATABASE_URL", "postgres://user:hunter2@db"),
        ("ROCKETRY_CACHE", "x"),
        ("ROCKETRY_SERVICE_HOST", "10.0.0.1"),
        ("ROCKETRY_PORT_9876_TCP", "tcp://10.0.0.1:9876"),
    ];
    assert_eq!(vars(&others), vars(&[]));
}

#[test]
fn a_typo_in_a_variable_names_the_nearest_one() {
    for (typo, nearest) in [
        ("ROCKETRY_SEND_TIMEOUTS", "ROCKETRY_SEND_TIMEOUT"),
        ("ROCKETRY_send_timeout", "ROCKETRY_SEND_TIMEOUT"),
        ("ROCKETRY_NAMESERVERS", "ROCKETRY_NAME_SERVERS"),
        ("ROCKETRY_RECIEVE_BUFFER", "ROCKETRY_RECEIVE_BUFFER"),
        ("ROCKETRY_SEND_TIMEOUT_MS", "ROCKETRY_SEND_TIMEOUT"),
        ("ROCKETRY_COMIT_INTERVAL", "ROCKETRY_COMMIT_INTERVAL"),
        ("ROCKETRY_NAMESRV_ADDR", "ROCKETRY_NAME_SERVERS"),
        ("ROCKETRY_SENDMSGTIMEOUT", "ROCKETRY_SEND_TIMEOUT"),
    ] {
        let error = vars(&[(typo, "secret")]).unwrap_err();
        let (name, nearest) = (typo.to_owned(), nearest.to_owned());
        assert_eq!(error, ConfigError::Unknown { name, nearest });
    }
}

#[test]
fn what_is_said_to_each_consumer_is_refused_with_the_method_that_says_it() {
    for other in PER_CONSUMER {
        for word in [other.java.to_owned(), other.java.to_ascii_uppercase()] {
            let name = format!("ROCKETRY_{word}");
            let error = vars(&[(&name, "20")]).unwrap_err();
            assert_eq!(error, ConfigError::PerConsumer { name, how: other.how });
        }
        let error = read(&format!("{{\"{}\": 20}}", other.java)).unwrap_err();
        assert!(error.contains(other.how), "{error}");
    }
    let error = vars(&[("ROCKETRY_CONSUME_FROM_WHERE", "first")]).unwrap_err();
    let said = "ROCKETRY_CONSUME_FROM_WHERE is said to each consumer, not to the client: \
                ConsumerBuilder::start_at";
    assert_eq!(error.to_string(), said);
}

#[test]
fn java_s_number_of_reconsume_times_is_refused_with_what_it_is_here() {
    let error = vars(&[("ROCKETRY_MAX_RECONSUME_TIMES", "-1")]).unwrap_err().to_string();
    assert!(error.ends_with("32 bits, 16 for what -1 is in Java"), "{error}");
    let error = vars(&[("ROCKETRY_MAX_RECONSUME_TIMES", "-2")]).unwrap_err().to_string();
    assert!(!error.contains("Java"), "{error}");
}

#[test]
fn nameservers_are_taken_as_any_text() {
    let text = String::from("a:9876;b:9876");
    assert_eq!(Config::new(&text), Config::new("a:9876;b:9876"));
    assert_eq!(Config::production(text.clone()), Config::production(&*text));
}

#[test]
fn what_is_not_built_says_so_and_shows_no_value() {
    for other in NOT_BUILT {
        let variable = format!("ROCKETRY_{}", other.name.to_ascii_uppercase());
        let error = vars(&[(&variable, "hunter2")]).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("is not built") && shown.contains(other.why), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
        for name in other.names() {
            for word in [name.to_owned(), name.to_ascii_uppercase()] {
                let error = vars(&[(&format!("ROCKETRY_{word}"), "hunter2")]).unwrap_err();
                let shown = format!("{error} {error:?}");
                assert!(shown.contains(other.why) && !shown.contains("hunter2"), "{shown}");
            }
            let error = read(&format!("{{\"{name}\": \"hunter2\"}}")).unwrap_err();
            assert!(error.contains(other.why) && !error.contains("hunter2"), "{error}");
        }
        assert!(SETTINGS.iter().all(|setting| setting.name != other.name), "{}", other.name);
        assert!(other.why.ends_with('.'), "{}", other.why);
    }
}

#[test]
fn a_file_is_read_with_what_it_leaves_out_at_its_default() {
    let json = r#"{"name_servers": ["a:9876", "[::1]:9876"], "send_timeout": "2m",
        "commit_interval": 250, "max_body": "64KiB", "queue_bytes": 4096, "pull_batch": 7,
        "tcp_nodelay": false, "tcp_keepalive": null, "instance_name": "billing"}"#;
    let mut expected = Config::new("a:9876;[::1]:9876").unwrap();
    expected.send_timeout = Duration::from_secs(120);
    expected.commit_interval = Duration::from_millis(250);
    (expected.max_body, expected.queue_bytes, expected.pull_batch) = (64 << 10, 4096, 7);
    expected.tcp_nodelay = false;
    expected.instance_name = Some("billing".to_owned());
    assert_eq!(read(json), Ok(expected));
    assert_eq!(read("{}"), Ok(Config::default()));
    assert_eq!(read(r#"{"name_servers": "a:1"}"#), Ok(config()));
}

#[test]
fn a_file_with_a_wrong_name_or_value_is_refused_by_name() {
    for (json, says) in [
        (r#"{"comit_interval": 1}"#, "is no setting: the nearest is commit_interval"),
        (r#"{"sendMsgTimeout": 1}"#, "sendMsgTimeout is no setting: the nearest is send_timeout"),
        (r#"{"commit_interval": 1, "commit_interval": 2}"#, "duplicate field `commit_interval`"),
        (r#"{"commit_interval": "soon"}"#, "commit_interval is \"soon\": give a duration"),
        (r#"{"commit_interval": -1}"#, "commit_interval is \"-1\": give a duration"),
        (r#"{"commit_interval": true}"#, "commit_interval is \"true\": give a duration"),
        (r#"{"pull_batch": 1.5}"#, "pull_batch is \"1.5\": give a whole number"),
        (r#"{"name_servers": ["a"]}"#, "name_servers is \"a\": give addresses"),
        (r#"{"commit_interval": {}}"#, "invalid type: map"),
        ("[]", "invalid length 0"),
        ("3", "the settings of a client"),
    ] {
        let error = read(json).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn settings_survive_a_file() {
    let mut all = Config::default();
    for setting in SETTINGS.iter().filter(|setting| !is_of_key(setting)) {
        (setting.read)(&mut all, &Value::Text(another(setting).to_owned())).unwrap();
    }
    assert_eq!(all.check().is_ok(), TLS, "{:?}", all.check());
    let odd =
        Config { commit_interval: Duration::new(1, 1), pull_suspend: Duration::ZERO, ..config() };
    let far = Config { pull_timeout: Duration::MAX, max_body: usize::MAX, ..config() };
    for config in [Config::default(), config(), all, odd, far] {
        let json = serde_json::to_string_pretty(&config).unwrap();
        assert_eq!(read(&json).unwrap(), config, "{json}");
    }
    let json = serde_json::to_value(config()).unwrap();
    assert_eq!((&json["send_timeout"], &json["max_body"]), (&"3s".into(), &"4MiB".into()));
    assert_eq!((&json["pull_batch"], &json["tcp_nodelay"]), (&32.into(), &true.into()));
    assert!(json["tcp_keepalive"].is_null() && json["name_servers"][0] == "a:1");
}

#[test]
fn every_preset_passes_its_check_and_differs_from_the_default() {
    for preset in PRESETS {
        let made = (preset.make)("a:1;b:2").unwrap();
        assert_eq!(made.check(), Ok(()), "{}", preset.name);
        assert_ne!(made, Config::new("a:1;b:2").unwrap(), "{}", preset.name);
        assert_eq!((preset.make)(""), Err(ConfigError::NoNameServer));
    }
    let names: Vec<_> = PRESETS.iter().map(|preset| preset.name).collect();
    let known = ["development", "production", "high_throughput", "low_latency", "testing"];
    assert_eq!(names, known);
    assert_eq!(Config::production("a:1").unwrap().send_attempts, 3);
    let set =
        Config::testing("a:1").unwrap().with_vars([("ROCKETRY_COMMIT_INTERVAL", "9s")]).unwrap();
    assert_eq!(
        (set.commit_interval, set.rebalance_interval),
        (Duration::from_secs(9), Duration::from_secs(1))
    );
}

#[test]
fn a_field_out_of_range_is_named_with_what_it_must_be() {
    for setting in SETTINGS.iter().filter(|setting| !setting.range().is_empty()) {
        let (field, problem) = (setting.name, setting.range());
        for beyond in [setting.range.least.checked_sub(1), setting.range.most.checked_add(1)] {
            let Some(beyond) = beyond else { continue };
            let mut config = config();
            let unit = if setting.unit == "duration" { "ns" } else { "" };
            let given = Value::Text(format!("{beyond}{unit}"));
            (setting.read)(&mut config, &given).unwrap();
            assert_eq!(config.check(), Err(ConfigError::Field { field, problem }), "{beyond}");
        }
    }
    assert_eq!(setting("pull_batch").range(), "must be 1 to 1024");
}

#[test]
fn fields_that_do_not_fit_together_are_named() {
    let wrong = |change: fn(&mut Config)| {
        let mut config = config();
        change(&mut config);
        config.check().unwrap_err().to_string()
    };
    let late = wrong(|c| c.pull_timeout = c.pull_suspend);
    assert_eq!(late, "pull_timeout must be longer than pull_suspend");
    let backwards = wrong(|c| c.reconnect_max = Duration::from_millis(99));
    assert_eq!(backwards, "reconnect_max must not be below reconnect_min");
    let impatient = wrong(|c| c.reconnect_idle_max = Duration::from_millis(999));
    assert_eq!(impatient, "reconnect_idle_max must not be below reconnect_max");
    let fraction = wrong(|c| c.tcp_keepalive = Some(Duration::from_millis(1500)));
    assert_eq!(fraction, "tcp_keepalive must be whole seconds");
    for name in ["", "two words", "tab\t", "é", &"x".repeat(256)] {
        let instance = Config { instance_name: Some(name.to_owned()), ..config() };
        let unit = Config { unit_name: Some(name.to_owned()), ..config() };
        for (config, field) in [(instance, "instance_name"), (unit, "unit_name")] {
            let error = config.check().unwrap_err().to_string();
            assert_eq!(error, format!("{field} must be 1 to 255 visible ASCII characters"));
        }
    }
}

#[test]
fn what_may_be_sent_may_be_read() {
    let limits = |max_body, max_opened_body, max_frame| {
        let config = Config { max_body, max_opened_body, max_frame, ..config() };
        (config.opened_max() as usize, config.frame_max())
    };
    assert_eq!(limits(4 << 20, 32 << 20, 32 << 20), (32 << 20, 32 << 20));
    assert_eq!(limits(4 << 20, 1 << 20, 1 << 20), (4 << 20, (4 << 20) + (128 << 10)));
    assert_eq!(limits(1 << 30, 32 << 20, 32 << 20), (1 << 30, (1 << 30) + (128 << 10)));
    assert_eq!(limits(usize::MAX, 1, 65_536), (u32::MAX as usize, i32::MAX as usize));
}

#[test]
fn two_clients_of_one_process_have_different_ids() {
    let mut config = Config::default();
    let first = config.client_id();
    config.identity.salt = 1;
    assert_ne!(first, config.client_id());
}

#[test]
fn conn_13_a_client_id_is_built_as_javas() {
    let identity = Identity { address: [192, 0, 2, 7], process: 12, salt: 0xff };
    let id = |instance: Option<&str>, unit: Option<&str>| {
        let (instance_name, unit_name) = (instance.map(str::to_owned), unit.map(str::to_owned));
        Config { identity: identity.clone(), instance_name, unit_name, ..config() }.client_id()
    };
    assert_eq!(&*id(None, None), "192.0.2.7@12#00000000000000ff");
    assert_eq!(id(Some("DEFAULT"), None), id(None, None));
    assert_eq!(&*id(Some("billing"), None), "192.0.2.7@billing");
    assert_eq!(&*id(Some("billing"), Some("south")), "192.0.2.7@billing@south");
    assert_eq!(&*id(None, Some("south")), "192.0.2.7@12#00000000000000ff@south");
}

#[test]
fn a_codec_that_is_not_built_is_refused_when_settings_are_read() {
    for codec in [Compression::Lz4, Compression::Zstd] {
        let read = vars(&[("ROCKETRY_COMPRESSION", codec.name())]);
        if codec.is_built() {
            assert_eq!(read.unwrap().compression, Some(codec));
        } else {
            let problem = "must be a codec of this build: lz4 and zstd are features";
            assert_eq!(read, Err(ConfigError::Field { field: "compression", problem }));
        }
    }
    assert_eq!(vars(&[("ROCKETRY_COMPRESSION", "OFF")]).unwrap().compression, None);
    let error = vars(&[("ROCKETRY_COMPRESSION", "gzip")]).unwrap_err().to_string();
    assert!(error.ends_with("give zlib, lz4, zstd or off"), "{error}");
}

#[test]
fn offsets_are_kept_under_a_name_that_stays_from_run_to_run() {
    let kept = |salt, instance: Option<&str>, unit: Option<&str>| {
        let identity = Identity { address: [10, 0, 0, 1], process: 7, salt };
        let [instance_name, unit_name] = [instance, unit].map(|name| name.map(str::to_owned));
        Config { identity, instance_name, unit_name, ..config() }.offset_client()
    };
    assert_eq!(
        (&*kept(1, None, None), &*kept(2, None, None)),
        ("10.0.0.1@DEFAULT", "10.0.0.1@DEFAULT")
    );
    assert_eq!(&*kept(1, Some("DEFAULT"), None), "10.0.0.1@DEFAULT");
    assert_eq!(&*kept(1, Some("one"), Some("u")), "10.0.0.1@one@u");
}
