//! The JSON that goes over the API, used by both ends. Field names are the original API's.

mod access;
mod files;
mod jobs;
mod keys;
mod mounts;
mod people;
mod program;
mod spaces;

pub use crate::api::annotations::{AnnotateJson, AnnotatedJson, AnnotationJson};
pub use crate::api::health::{CopyJson, HealthJson, PolicyJson};
pub use crate::api::members::{MemberDeviceJson, MemberJson};
pub use crate::api::messages::{MessageJson, NewMessageJson};

pub use access::*;
pub use files::*;
pub use jobs::*;
pub use keys::*;
pub use mounts::*;
pub use people::*;
pub use program::*;
pub use spaces::*;
