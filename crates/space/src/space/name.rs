//! Names of people and spaces: what may be one, and which names the spaces on this machine have.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cobox_keys::access::Address;

use crate::error::SpaceError;

/// Most characters of a name.
const MAX_CHARS: usize = 100;
/// A space's name is also a folder's, and no file system takes more bytes.
const MAX_BYTES: usize = 255;

/// The name without blanks around it, if it can be one.
///
/// # Errors
///
/// `BadName`.
pub(crate) fn clean_name(name: &str) -> Result<String, SpaceError> {
    let clean = name.trim();
    match fault(clean) {
        Some(why) => Err(SpaceError::BadName(name.to_owned(), why)),
        None => Ok(clean.to_owned()),
    }
}

fn fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("it is empty")
    } else if name.chars().count() > MAX_CHARS || name.len() > MAX_BYTES {
        Some("it has more than 100 characters or 255 bytes")
    } else if name == "." || name == ".." {
        Some("it means another folder")
    } else if name.contains('/') {
        Some("it contains a slash")
    } else if name.chars().any(char::is_control) {
        Some("it contains a control character")
    } else {
        None
    }
}

/// Which space has which name here. Two have the same only if one was renamed elsewhere.
#[derive(Debug, Default)]
pub(crate) struct NameBook(Mutex<BTreeMap<Address, String>>);

impl NameBook {
    fn names(&self) -> MutexGuard<'_, BTreeMap<Address, String>> {
        // Each change is one insert or remove: a panic elsewhere cannot leave half of one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of a space.
    pub(crate) fn get(&self, address: &Address) -> Option<String> {
        self.names().get(address).cloned()
    }

    /// Gives a space a name that no other has.
    ///
    /// # Errors
    ///
    /// `NameTaken`.
    pub(crate) fn claim(&self, address: Address, name: &str) -> Result<(), SpaceError> {
        let mut names = self.names();
        if names
            .iter()
            .any(|(other, taken)| *other != address && taken == name)
        {
            return Err(SpaceError::NameTaken(name.to_owned()));
        }
        names.insert(address, name.to_owned());
        Ok(())
    }

    /// Notes a name that was agreed elsewhere; true if it is news.
    pub(crate) fn learn(&self, address: Address, name: &str) -> bool {
        self.names().insert(address, name.to_owned()).as_deref() != Some(name)
    }

    /// Forgets a space.
    pub(crate) fn remove(&self, address: &Address) {
        self.names().remove(address);
    }

    /// The one space of this name.
    ///
    /// # Errors
    ///
    /// `NotFound` or `Ambiguous`.
    pub(crate) fn find(&self, name: &str) -> Result<Address, SpaceError> {
        let names = self.names();
        let mut found = names.iter().filter(|(_, taken)| *taken == name);
        match (found.next(), found.next()) {
            (None, _) => Err(SpaceError::NotFound(name.to_owned())),
            (Some((address, _)), None) => Ok(*address),
            (Some(_), Some(_)) => Err(SpaceError::Ambiguous(name.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_no_folder_names_are_refused_and_blanks_trimmed() {
        assert_eq!(clean_name("  Our garden ").unwrap(), "Our garden");
        let hundred = "ü".repeat(100);
        assert_eq!(clean_name(&hundred).unwrap(), hundred);
        let wide = "\u{1F331}".repeat(64);
        for bad in [
            "",
            "  ",
            ".",
            "..",
            "a/b",
            "a\nb",
            "a\0b",
            &"x".repeat(101),
            &wide,
        ] {
            assert!(
                matches!(clean_name(bad), Err(SpaceError::BadName(..))),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_name_taken_from_afar_is_ambiguous_but_never_given_twice_here() {
        let (one, two) = (Address([1; 32]), Address([2; 32]));
        let book = NameBook::default();
        book.claim(one, "garden").unwrap();
        assert!(matches!(
            book.claim(two, "garden"),
            Err(SpaceError::NameTaken(_))
        ));
        book.claim(one, "garden").unwrap();
        book.claim(two, "shed").unwrap();
        assert_eq!(book.find("garden").unwrap(), one);
        assert!(book.learn(two, "garden"));
        assert!(!book.learn(two, "garden"));
        assert!(matches!(book.find("garden"), Err(SpaceError::Ambiguous(_))));
        book.remove(&one);
        assert_eq!(book.find("garden").unwrap(), two);
        assert!(matches!(book.find("shed"), Err(SpaceError::NotFound(_))));
    }
}
