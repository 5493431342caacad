//! The folder a space is mounted on: which one, whether it may be, making it and taking it away again.

use super::MountsError;
use cobox_keys::access::Address;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Folder in a person's home folder that spaces are mounted in.
const PARENT: &str = "cobox";
/// Most bytes of a file name.
const MAX_NAME: usize = 255;

/// A folder that can be mounted on.
#[derive(Debug)]
pub(super) struct Folder {
    pub at: PathBuf,
    /// It was not there before.
    pub made: bool,
}

/// `~/cobox/<space name>`
pub(super) fn usual(name: &str, address: &Address) -> Result<PathBuf, MountsError> {
    let person = directories::BaseDirs::new().ok_or(MountsError::NoUsualPlace)?;
    Ok(person
        .home_dir()
        .join(PARENT)
        .join(file_name(name, address)))
}

/// A space's name as a file name. Names agreed by others may hold anything.
pub(super) fn file_name(name: &str, address: &Address) -> String {
    let safe = |c: char| if c == '/' || c.is_control() { '_' } else { c };
    let mut safe: String = name.trim().chars().map(safe).collect();
    while safe.len() > MAX_NAME {
        safe.pop();
    }
    match safe.as_str() {
        "" | "." | ".." => address.to_string(),
        _ => safe,
    }
}

/// Makes the folder if need be, and refuses one that would hide what is in it.
pub(super) fn prepare(at: &Path) -> Result<Folder, MountsError> {
    if !at.is_absolute() {
        return Err(MountsError::Relative(at.to_owned()));
    }
    // A program that was killed leaves a folder that nobody can look into.
    cobox_mount::clear_stale(at)?;
    let made = make(at).map_err(|source| failed("cannot make the folder", at, source))?;
    let at = fs::canonicalize(at).map_err(|source| failed("cannot look at", at, source))?;
    match check(&at) {
        Ok(()) => Ok(Folder { at, made }),
        Err(error) => {
            tidy(&at, made);
            Err(error)
        }
    }
}

/// True if it was not there.
fn make(at: &Path) -> io::Result<bool> {
    if at.exists() {
        return Ok(false);
    }
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    if let Some(parent) = at.parent() {
        builder.recursive(true).create(parent)?;
    }
    builder.recursive(false).create(at)?;
    Ok(true)
}

fn check(at: &Path) -> Result<(), MountsError> {
    let look = |source| failed("cannot look into", at, source);
    let data = fs::metadata(at).map_err(look)?;
    if !data.is_dir() {
        return Err(MountsError::NotAFolder(at.to_owned()));
    }
    if fs::read_dir(at).map_err(look)?.next().is_some() {
        return Err(MountsError::NotEmpty(at.to_owned()));
    }
    let above = at.parent().map(fs::metadata).transpose().map_err(look)?;
    match above.is_some_and(|above| above.dev() == data.dev()) {
        true => Ok(()),
        false => Err(MountsError::Taken(at.to_owned())),
    }
}

/// Takes a folder away that the program made; one that holds something by now stays.
pub(super) fn tidy(at: &Path, made: bool) {
    if made && let Err(error) = fs::remove_dir(at) {
        tracing::debug!("{} stays: {error}", at.display());
    }
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> MountsError {
    MountsError::Folder {
        action,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: Address = Address([7; 32]);

    #[test]
    fn any_name_becomes_one_file_name() {
        assert_eq!(file_name("Our garden", &ADDRESS), "Our garden");
        assert_eq!(file_name("a/b\n", &ADDRESS), "a_b");
        for none in ["", " ", ".", ".."] {
            assert_eq!(file_name(none, &ADDRESS), "07".repeat(32));
        }
        let long = file_name(&"ü".repeat(200), &ADDRESS);
        assert_eq!(long, "ü".repeat(127));
    }

    #[test]
    fn a_folder_is_made_with_those_above_and_only_it_is_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().join("cobox/photos");
        let folder = prepare(&at).unwrap();
        assert!(folder.made && at.is_dir());
        assert!(!prepare(&at).unwrap().made);
        tidy(&folder.at, true);
        assert!(!at.exists() && dir.path().join("cobox").is_dir());
    }

    #[test]
    fn what_would_hide_something_is_refused_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(matches!(prepare(dir.path()), Err(MountsError::NotEmpty(_))));
        assert!(matches!(prepare(&file), Err(MountsError::NotAFolder(_))));
        assert!(matches!(
            prepare(&file.join("below")),
            Err(MountsError::Folder { .. })
        ));
        assert!(matches!(
            prepare(Path::new("here")),
            Err(MountsError::Relative(_))
        ));
        tidy(dir.path(), true);
        assert!(file.exists());
    }
}
