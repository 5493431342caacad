//! `jobs`: long work, listed and stopped.

use crate::api::bytes_in_url::encode;
use crate::api::types::*;
use crate::cli::args::Jobs;
use crate::cli::output::{Output, bytes, count, printable, table};
use crate::cli::{CliError, Done};
use crate::client::Client;
use ureq::http::Method;

/// `cobox jobs [...]`
pub fn jobs(client: &Client, what: Option<Jobs>, output: &Output) -> Result<Done, CliError> {
    match what.unwrap_or(Jobs::List) {
        Jobs::List => {
            let jobs: Vec<JobJson> = client.get("/jobs")?;
            output.result(&jobs, |jobs| match jobs.is_empty() {
                true => "No long work has been done since the program started.".into(),
                false => table(&jobs.iter().map(row).collect::<Vec<_>>()),
            });
        }
        Jobs::Stop { id } => {
            let path = format!("/jobs/{}", encode(id.as_bytes()).replace('/', "%2F"));
            let job: JobJson = client.call(Method::DELETE, &path, &())?;
            output.result(&job, |job| match job.ended_at {
                None => "It stops. Files that are done stay, none is left half done.".into(),
                Some(_) => "It had ended; it is forgotten now.".into(),
            });
        }
    }
    Ok(Done::Fully)
}

/// Says that a job goes on by itself.
pub fn begun(job: &JobJson, output: &Output) {
    output.result(job, |job| {
        format!(
            "It goes on as job {0}: cobox jobs, cobox jobs stop {0}",
            job.id
        )
    });
}

fn row(job: &JobJson) -> Vec<String> {
    let why = job.error.as_ref().filter(|_| job.state == "failed");
    let problems = job
        .done
        .as_ref()
        .map_or(0, |done| done.problems.len() as u64);
    let note = match (why, problems) {
        (Some(error), _) => printable(&error.msg),
        (None, 0) => String::new(),
        (None, some) => count(some, "problem", "problems"),
    };
    vec![
        job.id.clone(),
        job.kind.clone(),
        job.state.clone(),
        bytes(job.progress.bytes),
        count(job.progress.entries, "entry", "entries"),
        job.started_at.clone(),
        note,
    ]
}
