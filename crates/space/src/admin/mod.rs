//! The admin space of a device: commands by its admins, answers by the device, all as messages.
//!
//! `types` has the messages, `machine` decides what is to be done (pure), `book` reads both from a log, `device`
//! is what an admin's program shows and says. Not its job: doing it (`hub`).

mod book;
mod device;
mod machine;
mod report;
mod types;

pub use book::read as read_book;
pub use device::{Device, Known};
pub use machine::{Admission, Book, Fate, Given, Opening, Picture, Ruled, Verdict, Wanted, judge};
pub use report::{MAX_ROWS, Report, ReportRow};
pub use types::{
    Answer, Command, CommandId, Deed, DeviceAbout, How, MAX_MINUTES, MAX_WORDS, Outcome, Token,
};
