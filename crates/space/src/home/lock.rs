//! The password of a home: it wraps the identity's seed, and everything else in the home hangs on that.
//!
//! One small file, `identity`, is replaced as a whole when a password is set, changed or removed, so after a crash
//! there is the one state or the other. Not its job: how often somebody may guess (the program).

use std::path::Path;

use cobox_keys::cbor::{Fields, Record};
use cobox_keys::error::KeyError;
use cobox_keys::identity::Identity;
use cobox_keys::password::Cost;
use zeroize::Zeroizing;

use super::file::HomeFile;
use super::{FORMAT, SEALED, refused, save};
use crate::error::SpaceError;

/// A seed, sealed.
const MAX_SEALED: usize = 128;

/// Who lives in a home.
pub(crate) enum Lives {
    /// Nobody yet.
    Nobody,
    /// This person; there is no password.
    Open(Identity),
    /// Somebody; the password says who.
    Locked,
}

/// The lock of one home. Methods block; those that take a password are slow on purpose.
#[derive(Clone, Debug)]
pub struct HomeLock {
    file: HomeFile,
}

/// A wrapped seed.
struct Wrapped {
    cost: Cost,
    sealed: Vec<u8>,
}

impl HomeLock {
    /// Of a home folder.
    pub fn of(home: &Path) -> Self {
        Self {
            file: HomeFile::new(home, "identity", b"cbxIDENT"),
        }
    }

    /// Is there a password?
    ///
    /// # Errors
    ///
    /// `Home`, `DamagedHome` or `HomeTooNew`.
    pub fn is_set(&self) -> Result<bool, SpaceError> {
        Ok(self.wrapped()?.is_some())
    }

    /// The person, if this is the password.
    ///
    /// # Errors
    ///
    /// `WrongPassword`, `NoPassword`, or as [`HomeLock::is_set`].
    pub fn open(&self, password: &str) -> Result<Identity, SpaceError> {
        let wrapped = self.wrapped()?.ok_or(SpaceError::NoPassword)?;
        let key = wrapped.cost.key(password);
        let key = key.map_err(|error| refused(&self.file, &error))?;
        let seed = key.open(&wrapped.sealed).map(Zeroizing::new);
        let seed = seed.map_err(|_| SpaceError::WrongPassword)?;
        let seed: &[u8; 32] = seed[..].try_into().map_err(|_| self.file.damaged())?;
        Ok(Identity::from_seed(seed))
    }

    /// From now on this is the password of the home, which is `identity`'s. Only the program that runs on the home
    /// may call it.
    ///
    /// # Errors
    ///
    /// `Home`, if it cannot be written; then everything is as it was.
    pub fn set(&self, identity: &Identity, password: &str) -> Result<(), SpaceError> {
        let cost = Cost::generate();
        let sealed = cost.key(password)?.seal(identity.key_pair().expose_seed());
        let record = Record::new(SEALED)
            .uint(2, cost.memory.into())
            .uint(3, cost.passes.into())
            .bytes(4, &cost.salt)
            .bytes(5, &sealed);
        save(&self.file, record)
    }

    /// From now on there is none: whoever reads the disk can read everything.
    ///
    /// # Errors
    ///
    /// `Home`, if it cannot be written; then everything is as it was.
    pub fn remove(&self, identity: &Identity) -> Result<(), SpaceError> {
        save_open(&self.file, identity)
    }

    fn wrapped(&self) -> Result<Option<Wrapped>, SpaceError> {
        let Some(body) = self.file.read()? else {
            return Ok(None);
        };
        decode(&body)
            .map(Result::ok)
            .map_err(|error| refused(&self.file, &error))
    }
}

pub(super) fn read(file: &HomeFile) -> Result<Lives, SpaceError> {
    let Some(body) = file.read()? else {
        return Ok(Lives::Nobody);
    };
    match decode(&body).map_err(|error| refused(file, &error))? {
        Err(identity) => Ok(Lives::Open(identity)),
        Ok(_) => Ok(Lives::Locked),
    }
}

pub(super) fn save_open(file: &HomeFile, identity: &Identity) -> Result<(), SpaceError> {
    let seed = identity.key_pair().expose_seed();
    let record = Record::with_capacity(FORMAT, 64);
    save(file, record.bytes(1, seed))
}

/// What is wrapped, or (`Err`) who is there in the clear.
fn decode(body: &[u8]) -> Result<Result<Wrapped, Identity>, KeyError> {
    let fields = Fields::read(body, "identity", SEALED)?;
    if fields.has(1) {
        let seed = Zeroizing::new(fields.fixed(1)?);
        return Ok(Err(Identity::from_seed(&seed)));
    }
    let number = |key| {
        let number = fields.uint(key)?;
        u32::try_from(number).map_err(|_| KeyError::Malformed("identity"))
    };
    Ok(Ok(Wrapped {
        cost: Cost {
            memory: number(2)?,
            passes: number(3)?,
            salt: fields.fixed(4)?,
        },
        sealed: fields.bytes(5, MAX_SEALED)?.to_vec(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_the_password_opens_and_the_seed_is_nowhere_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let lock = HomeLock::of(dir.path());
        let identity = Identity::generate();
        save_open(&lock.file, &identity).unwrap();
        let seed = *identity.key_pair().expose_seed();
        let has_seed = || {
            let bytes = fs::read(dir.path().join("identity")).unwrap();
            bytes.windows(32).any(|part| part == seed)
        };
        assert!(!lock.is_set().unwrap() && has_seed());
        assert!(matches!(lock.open("x"), Err(SpaceError::NoPassword)));

        lock.set(&identity, "correct horse").unwrap();
        assert!(lock.is_set().unwrap() && !has_seed());
        let opened = lock.open("correct horse").unwrap();
        assert_eq!(opened.public_key(), identity.public_key());
        for wrong in ["correct horsf", "", "correct horse "] {
            let refused = lock.open(wrong);
            assert!(matches!(refused, Err(SpaceError::WrongPassword)), "{wrong}");
        }
        lock.set(&identity, "battery staple").unwrap();
        assert!(lock.open("correct horse").is_err() && lock.open("battery staple").is_ok());
        lock.remove(&identity).unwrap();
        assert!(!lock.is_set().unwrap() && has_seed());
    }

    #[test]
    fn a_cost_that_nobody_would_write_is_damage_and_takes_no_memory() {
        let dir = tempfile::tempdir().unwrap();
        let lock = HomeLock::of(dir.path());
        for (memory, passes) in [(u64::MAX, 1), (1 << 31, 1), (8, 1 << 31), (0, 0)] {
            let record = Record::new(SEALED)
                .uint(2, memory)
                .uint(3, passes)
                .bytes(4, &[0; 16])
                .bytes(5, &[0; 72]);
            save(&lock.file, record).unwrap();
            let refused = lock.open("x");
            assert!(
                matches!(refused, Err(SpaceError::DamagedHome(_))),
                "{memory}"
            );
        }
    }
}
