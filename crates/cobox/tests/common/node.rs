//! One CoBox of a test: a home folder, and the real program running on it.

use crate::common::{mounts, patience, until};
use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A home folder with its program. Whatever still runs is killed when the test ends.
pub struct Node {
    dir: TempDir,
    home: PathBuf,
    child: Option<Child>,
    /// What `up` said when it was ready.
    ready: Value,
    bind: SocketAddr,
    /// How it is started.
    words: Vec<String>,
    /// The network namespace it lives in, if not ours.
    namespace: Option<String>,
    flags: Vec<String>,
}

impl Node {
    /// A new home, not started.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("home");
        Self {
            dir,
            home,
            child: None,
            ready: Value::Null,
            bind: "127.0.0.1:0".parse().unwrap(),
            words: ["up", "--port", "0", "--no-lan"].map(String::from).into(),
            namespace: None,
            flags: Vec::new(),
        }
    }

    /// More flags for `up`.
    pub fn with_flags<S: Into<String>>(mut self, flags: impl IntoIterator<Item = S>) -> Self {
        self.flags.extend(flags.into_iter().map(Into::into));
        self
    }

    /// A new home, started.
    pub fn started() -> Self {
        let mut node = Self::new();
        node.start();
        node
    }

    /// A new home, started, of a person.
    pub fn named(name: &str) -> Self {
        let node = Self::started();
        node.json(&["name", name]);
        node
    }

    /// Another way of starting it, such as `hub`.
    pub fn with(mut self, words: &[&str]) -> Self {
        self.words = words.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// The next start, and every command from now on, is in another network namespace.
    pub fn move_to(&mut self, namespace: &str) {
        self.namespace = Some(namespace.to_owned());
        self.bind = "0.0.0.0:0".parse().unwrap();
    }

    /// Starts the program and waits until it answers.
    pub fn start(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_path())
            .unwrap();
        let mut up = self.command(&["--json"]);
        up.args(&self.words)
            .arg("--bind")
            .arg(self.bind.to_string())
            .args(&self.flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = up.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        self.child = Some(child);
        self.ready = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("`up` said {line:?} and\n{}", self.log()));
        // Later starts use the same port, so that hints given before stay good.
        match self.bind.ip().is_unspecified() {
            true => self.bind.set_port(self.peer_address().port()),
            false => self.bind = self.peer_address(),
        }
    }

    /// Starts without waiting for the end of an earlier process.
    pub fn start_beside(&mut self) {
        let earlier = self.child.take();
        self.start();
        earlier.map(|mut child| child.wait().unwrap());
    }

    /// Stops in an orderly way, as a person would.
    pub fn stop(&mut self) {
        self.json(&["stop"]);
        let status = self.child.take().map(|mut child| child.wait().unwrap());
        assert!(
            status.is_some_and(|status| status.success()),
            "the program did not end well: {}",
            self.log()
        );
    }

    /// Ctrl-C.
    pub fn interrupt(&mut self) {
        let mut child = self.child.take().expect("it runs");
        let pid = child.id().to_string();
        let told = Command::new("kill").args(["-INT", &pid]).status();
        assert!(told.unwrap().success());
        assert!(wait(&mut child, "up").success(), "{}", self.log());
    }

    /// The power goes.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// How it ended by itself, if it did.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child
            .as_mut()
            .and_then(|child| child.try_wait().unwrap())
    }

    /// Most memory that it ever held, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let pid = self.child.as_ref().expect("it runs").id();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .and_then(|rest| rest.trim().strip_suffix(" kB"));
        peak.unwrap().parse::<u64>().unwrap() << 10
    }

    /// Bytes that its home takes on the disk.
    pub fn disk(&self) -> u64 {
        let mut open = vec![self.home.clone()];
        let mut bytes = 0;
        while let Some(path) = open.pop() {
            let Ok(data) = fs::symlink_metadata(&path) else {
                continue; // gone meanwhile
            };
            bytes += data.blocks() * 512;
            let below = fs::read_dir(&path).into_iter().flatten().flatten();
            open.extend(below.map(|entry| entry.path()));
        }
        bytes
    }

    /// Its home folder.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Another home, on another disk perhaps.
    pub fn at_home(mut self, home: PathBuf) -> Self {
        self.home = home;
        self
    }

    /// A folder for what the test wants to keep beside the home.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// How peers reach it.
    pub fn hint(&self) -> String {
        self.text("hint")
    }

    /// The person's public key.
    pub fn public_key(&self) -> String {
        self.text("publicKey")
    }

    /// Where it listens for peers.
    pub fn peer_address(&self) -> SocketAddr {
        let hint = self.hint();
        let first = hint
            .split_once('@')
            .and_then(|(_, addresses)| addresses.split(',').next());
        first
            .and_then(|address| address.parse().ok())
            .unwrap_or_else(|| panic!("no address in the hint {hint:?}"))
    }

    /// Port of the API.
    pub fn port(&self) -> u16 {
        self.ready["port"]
            .as_u64()
            .and_then(|port| port.try_into().ok())
            .expect("`up` names its port")
    }

    /// The API's token.
    pub fn token(&self) -> String {
        fs::read_to_string(self.home.join("token")).unwrap()
    }

    /// What it said when it was ready.
    pub fn ready(&self) -> &Value {
        &self.ready
    }

    /// Where else the API answers.
    pub fn also(&self) -> Vec<String> {
        serde_json::from_value(self.ready["also"].clone()).unwrap()
    }

    fn text(&self, field: &str) -> String {
        self.ready[field]
            .as_str()
            .unwrap_or_else(|| panic!("`up` said no {field}: {}", self.ready))
            .to_owned()
    }

    /// What the program said on standard error in all its runs.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// A command on this home, ready to be given more.
    pub fn command<S: AsRef<OsStr>>(&self, words: &[S]) -> Command {
        let mut command = match &self.namespace {
            None => Command::new(program()),
            Some(name) => {
                let mut inside = Command::new("ip");
                inside.args(["netns", "exec", name]).arg(program());
                inside
            }
        };
        command
            .arg("--home")
            .arg(&self.home)
            .args(words)
            .env_remove("COBOX_HOME")
            // Where spaces are mounted unless told otherwise.
            .env("HOME", self.dir.path())
            .env("TZ", "UTC");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub fn run<S: AsRef<OsStr>>(&self, words: &[S]) -> Output {
        finish(self.command(words), b"")
    }

    /// Runs a command that must succeed; what it printed.
    pub fn ok<S: AsRef<OsStr>>(&self, words: &[S]) -> String {
        String::from_utf8_lossy(&self.bytes(words, b"")).into_owned()
    }

    /// The same with bytes in and out.
    pub fn bytes<S: AsRef<OsStr>>(&self, words: &[S], input: &[u8]) -> Vec<u8> {
        let output = finish(self.command(words), input);
        assert!(
            output.status.success(),
            "{}\nlog: {}",
            told(words, &output),
            self.log()
        );
        output.stdout
    }

    /// Runs a command with `--json` that must succeed.
    pub fn json<S: AsRef<OsStr>>(&self, words: &[S]) -> Value {
        let all: Vec<_> = [OsStr::new("--json")]
            .into_iter()
            .chain(words.iter().map(AsRef::as_ref))
            .collect();
        let text = self.ok(&all);
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
    }

    /// Runs a command that must fail with exit status 1; what it said about it.
    pub fn fails<S: AsRef<OsStr>>(&self, words: &[S]) -> String {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(1), "{}", told(words, &output));
        assert!(
            output.stdout.is_empty(),
            "an error belongs on standard error: {}",
            told(words, &output)
        );
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.starts_with("cobox: ") && said.trim_end().lines().count() == 1,
            "{said}"
        );
        assert!(!said.contains("panicked"), "{said}");
        said
    }

    /// Everything known about a space.
    pub fn space(&self, space: &str) -> Value {
        self.get(&format!("/spaces/{space}"))
    }

    /// Waits until everything that is known of a space is here, and its totals are these.
    pub fn wait_for_totals(&self, space: &str, totals: &Value) {
        until("the space is here as a whole", || {
            let now = self.space(space);
            let far = &now["progress"];
            let whole = far["held"] == far["known"] && far["known"] != 0;
            let equal = ["size", "files", "folders"]
                .iter()
                .all(|field| now[field] == totals[field]);
            if whole && equal {
                Ok(())
            } else {
                Err(now.to_string())
            }
        });
    }

    /// Waits until this and the other show the same, and both hold everything.
    pub fn converge(&self, other: &Node, space: &str) {
        until("both show the same", || {
            let (ours, theirs) = (self.listing(space), other.listing(space));
            let different = ours.iter().zip(&theirs).find(|(a, b)| a != b);
            if ours == theirs {
                Ok(())
            } else {
                Err(format!(
                    "{} and {} entries: {different:?}",
                    ours.len(),
                    theirs.len()
                ))
            }
        });
        self.wait_for_totals(space, &other.space(space));
        other.wait_for_totals(space, &self.space(space));
    }
}

/// The program under test: the one built with the tests, or the one that `COBOX` names.
fn program() -> OsString {
    std::env::var_os("COBOX").unwrap_or_else(|| env!("CARGO_BIN_EXE_cobox").into())
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("log of {}:\n{}", self.home.display(), self.log());
        }
        self.kill9();
        mounts::release(self.dir.path());
    }
}

/// Runs a command to its end, or fails when patience ends.
pub fn finish(mut command: Command, input: &[u8]) -> Output {
    let words = format!("{command:?}");
    if !input.is_empty() {
        command.stdin(Stdio::piped());
    }
    let mut child = command.spawn().unwrap();
    let (stdin, input) = (child.stdin.take(), input.to_vec());
    let feeding = std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&input)));
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let status = wait(&mut child, &words);
    // A command that fails early does not read what it is given.
    let _ = feeding.join();
    Output {
        status,
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
    }
}

fn drain(from: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.map(|mut from| from.read_to_end(&mut bytes));
        bytes
    })
}

/// Waits for a program to end; kills it when patience ends.
pub fn wait(child: &mut Child, words: &str) -> std::process::ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if started.elapsed() > 2 * patience() {
            let _ = child.kill();
            panic!("still running: {words}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn told<S: AsRef<OsStr>>(words: &[S], output: &Output) -> String {
    let words: Vec<_> = words.iter().map(AsRef::as_ref).collect();
    let text = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(4000)]).into_owned();
    format!(
        "{words:?} ended with {}\n{}\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    )
}

/// Any bytes as they may stand in a URL.
pub fn url_bytes(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}
