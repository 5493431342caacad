//! Running other programs, with the command shown and failures named.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

/// Root folder of the project.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(PathBuf::from)
        .unwrap_or_default()
}

/// A command in the project's root, with the environment of whoever called us: what cargo told this package about
/// itself would have build scripts run anew, and half of the dependencies built again, after each call by hand.
pub fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs to the end; a failure is an error that names the command.
pub fn run(command: &mut Command) -> Result<(), String> {
    eprintln!("$ {}", shown(command));
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|e| format!("{}: {e}", shown(command)))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{} failed ({status})", shown(command)))
    }
}

/// Is there a program of this name?
pub fn installed(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    })
}

/// Installs Debian packages for those of `wanted` (program, package) that are missing.
pub fn ensure(wanted: &[(&str, &str)]) -> Result<(), String> {
    let missing: Vec<&str> = wanted
        .iter()
        .filter(|(program, _)| !installed(program))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    run(&mut command("apt-get", &["update", "-q"]))?;
    let mut install = command("apt-get", &["install", "-qy", "--no-install-recommends"]);
    run(install
        .args(&missing)
        .env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Installs what a folder's lock file names from npm, unless that was done since the file last changed.
pub fn install_npm(folder: &str) -> Result<(), String> {
    let folder = root().join(folder);
    let installed = folder.join("node_modules/.package-lock.json");
    let lock = folder.join("package-lock.json");
    if installed.exists() && modified(&installed) >= modified(&lock) {
        return Ok(());
    }
    run(command("npm", &["ci", "--no-audit", "--no-fund"]).current_dir(folder))
}

/// Installs what a folder's `requirements.txt` names from PyPI into a virtual environment of its own under `target`,
/// unless that was done since the file last changed.
pub fn install_python(folder: &str) -> Result<(), String> {
    let wanted = root().join(folder).join("requirements.txt");
    let name = Path::new(folder).file_name().unwrap_or_default();
    let place = root().join("target/python").join(name);
    let done = place.join("installed");
    if done.exists() && modified(&done) >= modified(&wanted) {
        return Ok(());
    }
    let has_venv = command("python3", &["-c", "import ensurepip"]).output();
    if !has_venv.is_ok_and(|output| output.status.success()) {
        ensure(&[("", "python3-venv")])?;
    }
    run(command("python3", &["-m", "venv"]).arg(&place))?;
    let mut install = Command::new(place.join("bin/pip"));
    run(install.args(["install", "-q", "-r"]).arg(&wanted))?;
    std::fs::write(&done, "").map_err(|e| format!("{}: {e}", done.display()))
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|data| data.modified()).ok()
}

/// As it would be typed.
pub fn shown(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    text
}
