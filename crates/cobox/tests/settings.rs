//! Settings: a file with comments, changed line by line; the environment and flags override it; what is wrong is named.

mod common;

use common::Node;
use common::node::finish;
use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Stdio};

#[test]
fn the_first_start_writes_a_file_that_explains_itself() {
    let node = Node::started();
    let text = fs::read_to_string(node.home().join("config.yaml")).unwrap();
    assert!(
        text.contains("# Port of the API") && text.contains("#port: 9112"),
        "{text}"
    );
    let all = node.json(&["config", "list"]);
    assert!(
        all.as_array()
            .unwrap()
            .iter()
            .all(|setting| setting["from"] == "default"),
        "{all}"
    );
}

#[test]
fn settings_are_changed_without_touching_the_rest_and_count_at_the_next_start() {
    let mut node = Node::new();
    node.ok(&["config", "set", "log", "debug"]);
    let path = node.home().join("config.yaml");
    fs::write(
        &path,
        fs::read_to_string(&path).unwrap() + "# my own words\n",
    )
    .unwrap();
    node.ok(&["config", "set", "port", "1"]);
    assert_eq!(node.ok(&["config", "get", "port"]).trim(), "1");
    assert!(
        fs::read_to_string(&path)
            .unwrap()
            .ends_with("# my own words\n")
    );
    node.start(); // with --port 0: a flag overrides the file
    assert_ne!(node.port(), 1);
    assert!(
        node.log().contains("DEBUG"),
        "the file says so: {}",
        node.log()
    );
    let mut command = node.command(&["--json", "config", "get", "port"]);
    command.env("COBOX_PORT", "2");
    let said = String::from_utf8(finish(command, b"").stdout).unwrap();
    assert_eq!(
        said.trim(),
        r#"{"key":"port","value":"2","from":"environment"}"#
    );
    node.ok(&["config", "set", "port"]);
    assert_eq!(node.json(&["config", "get", "port"])["from"], "default");
}

#[test]
fn wrong_settings_name_file_and_line_and_nothing_starts() {
    let node = Node::new();
    node.ok(&["config", "set", "lan", "false"]);
    let path = node.home().join("config.yaml");
    fs::write(&path, "# mine\nport: 9112\nprot: 1\n").unwrap();
    let said = node.fails(&["up"]);
    assert!(
        said.contains("config.yaml, line 3:") && said.contains("prot"),
        "{said}"
    );
    assert!(!node.home().join("run").exists());
    fs::write(&path, "port: many\n").unwrap();
    assert!(
        node.fails(&["config", "list"])
            .contains("config.yaml, line 1:")
    );
    fs::write(&path, "port: 1\n").unwrap();
    assert!(
        node.fails(&["config", "set", "colour", "red"])
            .contains("there is no setting")
    );
    assert!(
        node.fails(&["config", "set", "port", "x"])
            .contains("nothing was changed")
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "port: 1\n");
    let mut command = node.command(&["up"]);
    command.env("COBOX_LAN", "perhaps");
    let said = String::from_utf8(finish(command, b"").stderr).unwrap();
    assert!(said.contains("COBOX_LAN"), "{said}");
}

#[test]
fn the_page_can_change_settings_as_the_command_line_does() {
    let node = Node::started();
    let all = node.get("/settings");
    let port = all
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["key"] == "port");
    assert_eq!(
        port.unwrap(),
        &json!({ "key": "port", "value": "9112", "from": "default" })
    );
    let put = |key: &str, body: Value| node.call("PUT", &format!("/settings/{key}"), Some(&body));
    let (status, set) = put("lan", json!({ "value": "false" }));
    assert_eq!((status, &set["from"]), (200, &json!("file")), "{set}");
    assert_eq!(node.ok(&["config", "get", "lan"]).trim(), "false");
    let path = node.home().join("config.yaml");
    let before = fs::read_to_string(&path).unwrap();
    for (key, value, code) in [
        ("port", "many", "bad_setting"),
        ("lan", "true\nport: 1", "bad_setting"),
        ("prot", "1", "no_such_setting"),
    ] {
        let (status, said) = put(key, json!({ "value": value }));
        assert!((400..500).contains(&status), "{key}: {said}");
        assert_eq!(said["errors"][0]["code"], code, "{said}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    let (status, usual) = put("lan", json!({}));
    assert_eq!(
        (status, &usual["from"]),
        (200, &json!("default")),
        "{usual}"
    );
}

#[test]
fn shells_understand_their_completions() {
    let node = Node::new();
    for (shell, check) in [("bash", Some("bash")), ("zsh", None), ("fish", None)] {
        let script = node.ok(&["completions", shell]);
        assert!(
            script.contains("unreplicate") && script.contains("config"),
            "{shell}"
        );
        if let Some(program) = check {
            let mut command = Command::new(program);
            command
                .arg("-n")
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            let output = finish(command, script.as_bytes());
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
    assert!(!node.home().exists(), "it needs no home");
}

/// Where systemd is installed it reads our units.
#[test]
fn units_are_understood_by_systemd() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/systemd");
    let analyze = Command::new("systemd-analyze").arg("--version").output();
    if !analyze.is_ok_and(|output| output.status.success()) {
        eprintln!("left out: no systemd-analyze here");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for unit in ["cobox.service", "cobox-hub.service"] {
        // Verified is also that the program is there.
        let text = fs::read_to_string(folder.join(unit)).unwrap();
        let ours = text.replace("/usr/bin/cobox", env!("CARGO_BIN_EXE_cobox"));
        assert_ne!(text, ours, "{unit} starts /usr/bin/cobox");
        let path = dir.path().join(unit);
        fs::write(&path, ours).unwrap();
        let mut verify = Command::new("systemd-analyze");
        if unit == "cobox.service" {
            verify.arg("--user").env("XDG_RUNTIME_DIR", dir.path());
        }
        let output = verify
            .args(["verify", "--man=no"])
            .arg(&path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && !said.contains(unit),
            "{unit}: {said}"
        );
    }
}
