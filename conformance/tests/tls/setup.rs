//! What a client says of its settings.

use rocketry::{ClientError, Config};
use rocketry_conformance::certificates::{CA, CLIENT, CLIENT_KEY, SERVER_KEY};
use rocketry_core::error::TlsSetupError;

fn config(set: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::new("127.0.0.1:1").expect("an address");
    (config.tls, config.tls_ca) = (true, Some(CA.into()));
    set(&mut config);
    config
}

fn refusal(set: impl FnOnce(&mut Config)) -> String {
    match rocketry::blocking::connect(config(set)) {
        Err(error @ (ClientError::Tls(_) | ClientError::Config(_))) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn files_that_are_missing_or_hold_something_else_are_named() {
    let text = refusal(|config| config.tls_ca = Some("/nowhere/ca.pem".into()));
    assert!(text.contains("tls_ca: can't read /nowhere/ca.pem: No such file"), "{text}");
    let text = refusal(|config| config.tls_ca = Some(CLIENT_KEY.into()));
    assert!(text.contains("tls_ca: there is no certificate in it"), "{text}");
    let text = refusal(|config| {
        (config.tls_cert, config.tls_key) = (Some(CLIENT.into()), Some(CA.into()));
    });
    assert!(text.contains("tls_key: there is no private key in it"), "{text}");
    let text = refusal(|config| {
        (config.tls_cert, config.tls_key) = (Some(CLIENT.into()), Some(SERVER_KEY.into()));
    });
    assert!(text.contains("no TLS: "), "{text}");
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIH=\n-----END ENCRYPTED PRIVATE KEY-----";
    let text = refusal(|config| {
        (config.tls_cert, config.tls_key) = (Some(CLIENT.into()), Some(encrypted.into()));
    });
    assert!(text.contains("openssl pkey"), "{text}");
    // What is no PEM may be a key all the same.
    let secret = CLIENT_KEY.lines().nth(1).expect("a line of it");
    let one_line = CLIENT_KEY.replace('\n', " ");
    for bad in [&*format!("{secret}\n"), secret, &one_line] {
        for text in [
            refusal(|config| config.tls_ca = Some(bad.into())),
            refusal(|config| {
                (config.tls_cert, config.tls_key) = (Some(CLIENT.into()), Some(bad.into()));
            }),
        ] {
            assert!(text.len() < 200 && !text.contains(secret), "{text}");
        }
    }
    let text = refusal(|config| config.tls_server_name = Some("no name".to_owned()));
    assert!(text.contains("tls_server_name") && text.contains("no name"), "{text}");
}

#[test]
fn a_certificate_without_its_key_is_refused() {
    let text = refusal(|config| config.tls_cert = Some(CLIENT.into()));
    assert!(text.contains("tls_key"), "{text}");
}

#[test]
fn keys_and_certificates_are_read_from_files_and_shown_nowhere() {
    let folder = std::env::temp_dir().join(format!("rocketry-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let put = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let (ca, own, key) = (put("ca", CA), put("own", CLIENT), put("key", CLIENT_KEY));
    let client = rocketry::blocking::connect(config(|config| {
        config.tls_ca = Some(ca.into());
        (config.tls_cert, config.tls_key) = (Some(own.into()), Some(key.into()));
    }));
    client.expect("a client").shutdown().wait().expect("an end");
    std::fs::remove_dir_all(&folder).expect("removed");
    let inline = config(|config| {
        (config.tls_cert, config.tls_key) = (Some(CLIENT.into()), Some(CLIENT_KEY.into()));
    });
    let shown = format!("{inline:?}");
    let secret = CLIENT_KEY.lines().nth(1).expect("a line of it");
    assert!(!shown.contains(secret) && !shown.contains("BEGIN"), "{shown}");
    let error = TlsSetupError::EncryptedKey;
    assert!(!format!("{error:?} {error}").contains(secret));
}
