//! Who gets in: by the token, by a password and a session, over TLS, through a Unix socket. And who does not.

mod common;

use common::http::split;
use common::{Node, PATIENCE, until};
use rcgen::generate_simple_self_signed;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

const JSON: &str = "Content-Type: application/json\r\n";

struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Answer {
    fn code(&self) -> &str {
        self.body["errors"][0]["code"].as_str().unwrap_or_default()
    }

    /// The session that it opens, as a header.
    fn cookie(&self) -> String {
        let set = self
            .head
            .lines()
            .find_map(|line| line.strip_prefix("set-cookie: "));
        format!("Cookie: {}\r\n", set.unwrap().split(';').next().unwrap())
    }
}

fn ask(node: &Node, call: (&str, &str), headers: &str, body: &Value) -> Answer {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let (status, head, body) =
        node.whole_call(call.0, call.1, &format!("{JSON}{headers}"), body.as_bytes());
    Answer {
        status,
        head,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    }
}

fn log_in(node: &Node, password: &str) -> Answer {
    ask(
        node,
        ("POST", "/auth"),
        "",
        &json!({ "password": password }),
    )
}

#[test]
fn a_password_is_set_once_with_the_token_and_then_opens_sessions() {
    let node = Node::named("Alice");
    let password = json!({ "password": "correct horse" });
    assert_eq!(log_in(&node, "correct horse").code(), "no_password");
    // Whoever may not call yet learns what to ask for.
    let is_set = || {
        let system = ask(&node, ("GET", "/system"), "", &Value::Null);
        system.body["password"].clone()
    };
    assert_eq!(is_set(), false);
    let stranger = ask(&node, ("POST", "/register"), "", &password);
    assert_eq!(
        (stranger.status, stranger.code()),
        (401, "wrong_token"),
        "nobody else chooses the password"
    );
    let short = ask(
        &node,
        ("POST", "/register"),
        &node.bearer(),
        &json!({ "password": "short" }),
    );
    assert_eq!((short.status, short.code()), (400, "bad_password"));
    let set = ask(&node, ("POST", "/register"), &node.bearer(), &password);
    assert_eq!(set.status, 201);
    assert_eq!(is_set(), true);
    let again = ask(&node, ("POST", "/register"), &node.bearer(), &password);
    assert_eq!((again.status, again.code()), (409, "has_password"));
    let file = node.home().join("identity");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let bytes = fs::read(&file).unwrap();
    assert!(!bytes.windows(5).any(|part| part == b"horse"));

    assert_eq!(log_in(&node, "wrong horse").code(), "wrong_password");
    let session = log_in(&node, "correct horse");
    assert_eq!(session.status, 204);
    for guard in ["httponly", "samesite=strict", "path=/api", "max-age="] {
        assert!(session.head.contains(guard), "{guard}: {}", session.head);
    }
    let cookie = session.cookie();
    assert_eq!(
        ask(&node, ("GET", "/auth"), &cookie, &Value::Null).status,
        204
    );
    assert_eq!(
        ask(
            &node,
            ("POST", "/spaces"),
            &cookie,
            &json!({ "name": "box" })
        )
        .status,
        201
    );
    assert_eq!(ask(&node, ("GET", "/auth"), "", &Value::Null).status, 401);
    assert_eq!(
        ask(&node, ("DELETE", "/auth"), &cookie, &Value::Null).status,
        204
    );
    assert_eq!(
        ask(&node, ("GET", "/auth"), &cookie, &Value::Null).status,
        401,
        "logged out"
    );
    assert_eq!(
        ask(&node, ("GET", "/auth"), &set.cookie(), &Value::Null).status,
        204,
        "another session stays"
    );
    assert!(!node.log().contains("horse"));
}

#[test]
fn pages_of_this_machine_cannot_ride_on_a_session() {
    let node = Node::named("Alice");
    let set = ask(
        &node,
        ("POST", "/register"),
        &node.bearer(),
        &json!({ "password": "correct horse" }),
    );
    let from = |site: &str| {
        let headers = format!("{}Sec-Fetch-Site: {site}\r\n", set.cookie());
        ask(&node, ("GET", "/spaces"), &headers, &Value::Null).status
    };
    assert_eq!(
        [
            from("same-origin"),
            from("none"),
            from("same-site"),
            from("cross-site")
        ],
        [200, 200, 403, 403]
    );
    let origin = format!("{}Origin: http://localhost:1\r\n", set.cookie());
    assert_eq!(
        ask(&node, ("GET", "/spaces"), &origin, &Value::Null).status,
        403
    );
}

#[test]
fn a_new_password_logs_out_everywhere() {
    let mut node = Node::named("Alice");
    let set = |password: &str| {
        let said = node.bytes(&["password"], format!("{password}\n").as_bytes());
        assert!(String::from_utf8(said).unwrap().contains("is set"));
    };
    set("first password");
    let (one, two) = (
        log_in(&node, "first password").cookie(),
        log_in(&node, "first password").cookie(),
    );
    let change = |cookie: &str, old: Value| {
        let body = json!({ "password": "second password", "old": old });
        ask(&node, ("PUT", "/auth/password"), cookie, &body)
    };
    assert_eq!(
        change(&one, Value::Null).code(),
        "wrong_password",
        "a session is not enough"
    );
    let changed = change(&one, json!("first password"));
    assert_eq!(changed.status, 204);
    let is_in = |cookie: &str| ask(&node, ("GET", "/auth"), cookie, &Value::Null).status == 204;
    assert_eq!(
        [is_in(&one), is_in(&two), is_in(&changed.cookie())],
        [false, false, true]
    );
    assert_eq!(log_in(&node, "first password").code(), "wrong_password");
    assert_eq!(log_in(&node, "second password").status, 204);
    set("third password");
    assert!(!is_in(&changed.cookie()), "the command does the same");
    let last = log_in(&node, "third password").cookie();
    assert_eq!(
        ask(&node, ("DELETE", "/auth/sessions"), &last, &Value::Null).status,
        204
    );
    assert!(!is_in(&last));
    node.stop();
    node.start();
    assert_eq!(node.ready()["locked"], true, "it locks the home, too");
    assert_eq!(log_in(&node, "third password").status, 204, "it is kept");
}

#[test]
fn guessing_gets_slower_and_the_token_still_works() {
    let node = Node::named("Alice");
    node.bytes(&["password"], b"correct horse\n");
    let refused = until("guessing is slowed down", || {
        match log_in(&node, "a guess") {
            answer if answer.status == 429 => Ok(answer),
            answer => Err(answer.code().to_owned()),
        }
    });
    assert_eq!(refused.code(), "too_many_tries");
    let wait: u64 = refused
        .head
        .lines()
        .find_map(|line| line.strip_prefix("retry-after: "))
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=61).contains(&wait), "{wait}");
    assert_eq!(
        log_in(&node, "correct horse").status,
        429,
        "also the right one waits, so that nothing is learnt"
    );
    assert_eq!(node.call("GET", "/spaces", None).0, 200);
    until("the right one is taken after the wait", || {
        match log_in(&node, "correct horse").status {
            204 => Ok(()),
            other => Err(other.to_string()),
        }
    });
}

#[test]
fn other_machines_get_in_over_tls_only() {
    let node = Node::new();
    let (certificate, key) = (node.scratch("cert.pem"), node.scratch("key.pem"));
    let made = generate_simple_self_signed(["box.example".to_owned()]).unwrap();
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let up = |more: &[&str]| {
        node.run(
            &[
                &["up", "--port", "0", "--no-lan", "--bind", "127.0.0.1:0"][..],
                more,
            ]
            .concat(),
        )
    };
    let clear = up(&["--listen", "127.0.0.1:0"]);
    let said = String::from_utf8_lossy(&clear.stderr).into_owned();
    assert!(
        !clear.status.success() && said.contains("without TLS") && said.contains("--tls-cert"),
        "{said}"
    );
    let half = up(&[
        "--listen",
        "127.0.0.1:0",
        "--tls-cert",
        certificate.to_str().unwrap(),
    ]);
    assert!(!half.status.success());
    let paths = [
        certificate.to_str().unwrap().to_owned(),
        key.to_str().unwrap().to_owned(),
    ];
    let wrong = up(&[
        "--listen",
        "127.0.0.1:0",
        "--tls-cert",
        &paths[1],
        "--tls-key",
        &paths[0],
    ]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("nothing was opened"));

    let [certificate, key] = paths.each_ref().map(String::as_str);
    let mut node = node.with_flags([
        "--listen",
        "127.0.0.1:0",
        "--host",
        "box.example",
        "--tls-cert",
        certificate,
        "--tls-key",
        key,
    ]);
    node.start();
    assert!(
        node.log()
            .contains("warning: the API answers at https://127.0.0.1:"),
        "{}",
        node.log()
    );
    let port: u16 = node.also()[0].rsplit(':').next().unwrap().parse().unwrap();
    node.bytes(&["password"], b"correct horse\n");
    let tls = |call: &str, headers: &str, body: &str| {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from(made.cert.der().to_vec()))
            .unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("box.example").unwrap();
        let stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut stream = StreamOwned::new(
            ClientConnection::new(Arc::new(config), name).unwrap(),
            stream,
        );
        let request = format!(
            "{call} HTTP/1.1\r\n{headers}{JSON}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer); // the end may come without a goodbye
        split(&answer)
    };
    let host = format!("Host: box.example:{port}\r\n");
    let (status, head, _) = tls("POST /api/auth", &host, r#"{"password":"correct horse"}"#);
    assert_eq!(status, 204);
    assert!(head.contains("; secure"), "{head}");
    assert_eq!(tls("GET /api/status", &host, "").0, 401);
    assert_eq!(
        tls("GET /api/status", &format!("{host}{}", node.bearer()), "").0,
        200
    );
    assert_eq!(
        tls(
            "GET /api/status",
            &format!("Host: evil.example:{port}\r\n{}", node.bearer()),
            ""
        )
        .0,
        403
    );
    assert_eq!(
        tls("GET /dav/00/box", &format!("{host}{}", node.bearer()), "").0,
        404,
        "WebDAV is for this machine"
    );
    // In the clear nothing is answered there.
    let mut plain = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    plain
        .write_all(format!("GET /api/system HTTP/1.1\r\n{host}\r\n").as_bytes())
        .unwrap();
    let mut heard = Vec::new();
    let _ = plain.read_to_end(&mut heard);
    assert!(!heard.starts_with(b"HTTP"), "{}", heard.escape_ascii());
    node.stop();
}

#[test]
fn a_unix_socket_is_for_its_owner_and_wants_the_token_too() {
    let node = Node::new();
    let path = node.scratch("api.sock");
    let mut node = node.with_flags(["--socket", path.to_str().unwrap()]);
    node.start();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let ask = |headers: &str| {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "GET /api/status HTTP/1.1\r\n{headers}Connection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        split(&answer).0
    };
    assert_eq!(ask(&format!("Host: localhost\r\n{}", node.bearer())), 200);
    assert_eq!(ask("Host: localhost\r\n"), 401);
    assert_eq!(
        ask(&format!("Host: evil.example\r\n{}", node.bearer())),
        403
    );
    node.stop();
    assert!(!path.exists());
}
