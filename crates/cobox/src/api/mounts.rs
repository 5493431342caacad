//! Calls about mounts.

use crate::api::files::moment;
use crate::api::types::{MountJson, MountRequest, UnmountedJson};
use crate::api::{Api, ApiError, Body, Segment, blocking, shapes};
use crate::mounts::{MountsError, Wanted, WantedPlace};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The calls of this file.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(mount, unmount))
}

/// Mount a space as a folder or over WebDAV
#[utoipa::path(post, path = "/spaces/{space}/mount", tag = "mounts", operation_id = "mount",
    request_body = MountRequest,
    responses((status = 201, description = "where", body = MountJson)),
    extensions(("x-codes" = json!(["bad_folder", "already_mounted", "not_empty", "mount_failed"]))))]
pub async fn mount(
    State(api): State<Arc<Api>>,
    Segment(name): Segment,
    Body(request): Body<MountRequest>,
) -> Result<(StatusCode, Json<MountJson>), ApiError> {
    let wanted = wanted(request)?;
    let mounted = blocking(move || {
        let space = api.shelf.space(&name)?;
        let shown = api.mounts.mount(&space, wanted)?;
        Ok::<_, MountsError>(shapes::mount(api.port, &shown))
    });
    Ok((StatusCode::CREATED, Json(mounted.await?)))
}

fn wanted(request: MountRequest) -> Result<Wanted, ApiError> {
    let place = match (request.webdav, request.at) {
        (true, Some(_)) => {
            let msg = "a space is mounted on a folder or over WebDAV, not both";
            return Err(ApiError::bad("at", msg));
        }
        (true, None) => WantedPlace::Web,
        (false, Some(at)) => WantedPlace::Folder(at.into()),
        (false, None) => WantedPlace::Usual,
    };
    Ok(Wanted {
        place,
        read_only: request.read_only,
        as_of_ms: request
            .as_of
            .map(|text| moment("asOf", &text))
            .transpose()?,
    })
}

/// Unmount a space; what was written through it is safe in the space
#[utoipa::path(delete, path = "/spaces/{space}/mount", tag = "mounts", operation_id = "unmount",
    responses((status = 200, description = "where it was", body = UnmountedJson)),
    extensions(("x-codes" = json!(["not_mounted", "mount_failed", "disk_full"]))))]
pub async fn unmount(
    State(api): State<Arc<Api>>,
    Segment(name): Segment,
) -> Result<Json<UnmountedJson>, ApiError> {
    let unmounted = blocking(move || {
        let space = api.shelf.space(&name)?;
        let unmounted = api.mounts.unmount(&space)?;
        Ok::<_, MountsError>(UnmountedJson {
            at: shapes::mount(api.port, &unmounted.shown).at,
            busy: unmounted.busy,
        })
    });
    unmounted.await.map(Json)
}
