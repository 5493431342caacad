//! Long work.

use super::files::NameBytes;
use super::program::ErrorJson;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What to import.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ImportJson {
    /// local paths on the machine of the program
    pub paths: Vec<NameBytes>,
    /// folder in the space
    pub to: NameBytes,
}

/// What to export.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExportJson {
    /// path in the space
    pub path: NameBytes,
    /// local folder on the machine of the program
    pub dir: NameBytes,
    /// RFC 3339; now if missing
    #[serde(default)]
    pub at: Option<String>,
}

/// One line of a long job's answer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum JobLine {
    /// on the way
    Progress(JobProgress),
    /// the end
    Done(JobDone),
    /// the end, not reached
    Error(ErrorJson),
}

/// How far a job is.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobProgress {
    /// entries done
    pub entries: u64,
    /// bytes done
    pub bytes: u64,
    /// entries expected
    pub total_entries: u64,
    /// bytes expected
    pub total_bytes: u64,
}

/// What a job did.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct JobDone {
    /// files and folders
    pub entries: u64,
    /// bytes of files
    pub bytes: u64,
    /// what could not be done
    pub problems: Vec<ProblemJson>,
}

/// One thing a job could not do.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProblemJson {
    /// which file
    pub path: NameBytes,
    /// why
    pub reason: String,
}

/// A piece of long work, running or ended.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobJson {
    /// names it until the program ends
    pub id: String,
    /// `import`, `export` or `drill`
    pub kind: String,
    /// address of the space
    pub address: String,
    /// `running`, `stopping`, `done`, `stopped` or `failed`
    pub state: String,
    /// RFC 3339
    pub started_at: String,
    /// RFC 3339
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// how far
    pub progress: JobProgress,
    /// what it did, once it is done
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<JobDone>,
    /// why it was not done
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorJson>,
}
