//! Errors as people read them: what happened, what it means for their data, what to do.

use crate::api::types::{ErrorJson, ErrorsJson};
use crate::mounts::MountsError;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cobox_drive::drive::DriveError;
use cobox_feed::store::StoreError;
use cobox_space::error::ClaimError;
use cobox_space::shelf::SpaceError;
use cobox_view::query::QueryError;
use std::io;

/// A failed call: a status and words.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    error: ErrorJson,
    /// seconds after which it may be tried again
    after: Option<u64>,
}

impl ApiError {
    /// A failure of the given kind.
    pub fn new(status: StatusCode, code: &str, msg: impl Into<String>) -> Self {
        Self {
            status,
            error: ErrorJson {
                msg: msg.into(),
                code: code.into(),
                param: None,
            },
            after: None,
        }
    }

    /// It may be tried again after some seconds.
    pub fn after(mut self, seconds: u64) -> Self {
        self.after = Some(seconds);
        self
    }

    /// A request that cannot be understood.
    pub fn bad(param: &str, msg: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::BAD_REQUEST, "bad_request", msg);
        error.error.param = Some(param.into());
        error
    }

    /// Something of ours broke.
    pub fn inside(failed: &dyn std::fmt::Display) -> Self {
        tracing::error!("a call failed inside: {failed}");
        let msg = "the program failed inside; what was reported as done before is safe";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", msg)
    }

    /// The JSON inside, for the last line of a long job.
    pub fn into_json(self) -> ErrorJson {
        self.error
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let errors = vec![self.error];
        let mut response = (self.status, Json(ErrorsJson { errors })).into_response();
        if let Some(seconds) = self.after {
            let value = HeaderValue::from(seconds);
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        response
    }
}

impl From<SpaceError> for ApiError {
    fn from(error: SpaceError) -> Self {
        let (status, code) = match error {
            SpaceError::Drive(drive) => return drive.into(),
            SpaceError::Store(store) => return store.into(),
            SpaceError::Home { ref source, .. } if is_full(source) => {
                return StoreError::DiskFull.into();
            }
            SpaceError::Claim(ref claim) => of_claim(claim),
            SpaceError::NoDevice(_) => (StatusCode::NOT_FOUND, "no_such_device"),
            SpaceError::NotAnAdmin(_) => (StatusCode::FORBIDDEN, "not_an_admin"),
            SpaceError::NotADevice(_) => (StatusCode::CONFLICT, "not_a_device"),
            SpaceError::Query(query) => return query.into(),
            SpaceError::NotFound(_) => (StatusCode::NOT_FOUND, "no_such_space"),
            SpaceError::Ambiguous(_) => (StatusCode::CONFLICT, "ambiguous_name"),
            SpaceError::NameTaken(_) => (StatusCode::CONFLICT, "name_taken"),
            SpaceError::AlreadyHere(_) => (StatusCode::CONFLICT, "already_here"),
            SpaceError::BadName(..) => (StatusCode::BAD_REQUEST, "bad_name"),
            SpaceError::Drill(_) => (StatusCode::CONFLICT, "no_drill"),
            SpaceError::NotEmpty => (StatusCode::CONFLICT, "not_empty_home"),
            SpaceError::NoName => (StatusCode::CONFLICT, "no_name"),
            SpaceError::ReadOnly => (StatusCode::FORBIDDEN, "read_only"),
            SpaceError::Invite(_) => (StatusCode::BAD_REQUEST, "bad_invite"),
            SpaceError::Key(_) => (StatusCode::BAD_REQUEST, "bad_key"),
            SpaceError::EmptyText => (StatusCode::BAD_REQUEST, "empty_message"),
            SpaceError::TextTooLong(..) => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            SpaceError::MessageTooLong(..) => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            SpaceError::BadMessage(_) => (StatusCode::BAD_REQUEST, "bad_message"),
            SpaceError::BadNote(_) => (StatusCode::BAD_REQUEST, "bad_annotation"),
            SpaceError::BadPolicy(_) => (StatusCode::BAD_REQUEST, "bad_policy"),
            SpaceError::NoSuchCopy(_) => (StatusCode::NOT_FOUND, "no_such_replicator"),
            SpaceError::OwnKey => (StatusCode::BAD_REQUEST, "own_key"),
            SpaceError::NoSuchMember(_) => (StatusCode::NOT_FOUND, "no_such_member"),
            SpaceError::AmbiguousMember(_) => (StatusCode::CONFLICT, "ambiguous_name"),
            SpaceError::LockedHome => (StatusCode::LOCKED, "locked"),
            SpaceError::WrongPassword => (StatusCode::UNAUTHORIZED, "wrong_password"),
            SpaceError::NoPassword => (StatusCode::CONFLICT, "no_password"),
            SpaceError::Inhabited => (StatusCode::CONFLICT, "inhabited"),
            SpaceError::NoExport | SpaceError::ExportTooNew => {
                (StatusCode::BAD_REQUEST, "bad_export")
            }
            SpaceError::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "failed"),
        };
        Self::new(status, code, error.to_string())
    }
}

fn of_claim(error: &ClaimError) -> (StatusCode, &'static str) {
    match error {
        ClaimError::NotSeen(_) => (StatusCode::NOT_FOUND, "device_not_seen"),
        ClaimError::Ambiguous(_) => (StatusCode::CONFLICT, "ambiguous_name"),
        ClaimError::CodeNeeded => (StatusCode::FORBIDDEN, "code_needed"),
        ClaimError::WrongCode => (StatusCode::FORBIDDEN, "wrong_code"),
        ClaimError::Taken => (StatusCode::FORBIDDEN, "taken"),
        ClaimError::Stale => (StatusCode::CONFLICT, "stale"),
        ClaimError::Unreachable(_) => (StatusCode::BAD_GATEWAY, "unreachable"),
        ClaimError::Interrupted(_) => (StatusCode::BAD_GATEWAY, "interrupted"),
        ClaimError::Unproven(_) => (StatusCode::BAD_GATEWAY, "unproven"),
        _ => (StatusCode::FORBIDDEN, "refused"),
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        let mut refused = Self::bad("query", error.to_string());
        refused.error.code = match error {
            QueryError::TooMuch(_) => "query_too_large".into(),
            _ => "bad_query".into(),
        };
        refused
    }
}

impl From<MountsError> for ApiError {
    fn from(error: MountsError) -> Self {
        let (status, code) = match error {
            MountsError::Space(space) => return space.into(),
            MountsError::Mount(_) => (StatusCode::INTERNAL_SERVER_ERROR, "mount_failed"),
            MountsError::NoSecret(_) => (StatusCode::INTERNAL_SERVER_ERROR, "mount_failed"),
            MountsError::Already(..) => (StatusCode::CONFLICT, "already_mounted"),
            MountsError::NotMounted(_) => (StatusCode::CONFLICT, "not_mounted"),
            MountsError::NotEmpty(_) => (StatusCode::CONFLICT, "not_empty"),
            MountsError::Taken(_) => (StatusCode::CONFLICT, "already_mounted"),
            _ => (StatusCode::BAD_REQUEST, "bad_folder"),
        };
        Self::new(status, code, error.to_string())
    }
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
}

impl From<DriveError> for ApiError {
    fn from(error: DriveError) -> Self {
        let (status, code) = match &error {
            DriveError::Store(store) => return store.clone().into(),
            DriveError::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            DriveError::NoVersion(_) => (StatusCode::NOT_FOUND, "no_such_version"),
            DriveError::Exists(_) => (StatusCode::CONFLICT, "exists"),
            DriveError::NotAFolder(_) => (StatusCode::CONFLICT, "not_a_folder"),
            DriveError::IsAFolder(_) => (StatusCode::CONFLICT, "is_a_folder"),
            DriveError::NotEmpty(_) => (StatusCode::CONFLICT, "not_empty"),
            DriveError::IntoItself(_) => (StatusCode::CONFLICT, "into_itself"),
            DriveError::Root => (StatusCode::CONFLICT, "top_folder"),
            DriveError::ReadOnly => (StatusCode::FORBIDDEN, "read_only"),
            DriveError::NotHere(_) => (StatusCode::GATEWAY_TIMEOUT, "not_here"),
            DriveError::Local { .. } => (StatusCode::BAD_REQUEST, "local_file"),
            DriveError::Source(_) => (StatusCode::BAD_REQUEST, "broken_upload"),
            DriveError::Path(_) => (StatusCode::BAD_REQUEST, "bad_path"),
            DriveError::Record(_) => (StatusCode::BAD_REQUEST, "too_large"),
            DriveError::NotAFile(_) => (StatusCode::CONFLICT, "not_a_file"),
            DriveError::Cancelled => (StatusCode::CONFLICT, "stopped"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "failed"),
        };
        let advice = match &error {
            DriveError::NotEmpty(_) => "; to remove it with everything inside: cobox rm -r",
            DriveError::NotHere(_) => {
                "; nothing is lost: try again when a peer that has it is online"
            }
            DriveError::ReadOnly => "; ask a member who can write for a new invite",
            _ => "",
        };
        Self::new(status, code, format!("{error}{advice}"))
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let (status, code, advice) = match &error {
            StoreError::DiskFull => (
                StatusCode::INSUFFICIENT_STORAGE,
                "disk_full",
                "; everything reported as done before is safe: free some space and do this again",
            ),
            StoreError::Locked => (StatusCode::CONFLICT, "home_in_use", ""),
            StoreError::Poisoned => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "store_failed",
                "; everything reported as done before is safe",
            ),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "store_failed", ""),
        };
        Self::new(status, code, format!("{error}{advice}"))
    }
}
