//! Calls about the settings of this home, as `cobox config` has them. What is changed counts from the next start.
//!
//! Not its job: which settings there are and what they may be, which is [`crate::settings`]'s.

use crate::api::types::{SetSettingJson, SettingJson};
use crate::api::{Api, ApiError, Body, blocking};
use crate::config::Home;
use crate::settings::{self, Setting, SettingsError};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use std::sync::{Arc, Mutex, PoisonError};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Held while the file is read, changed and written: two changes at once are both in it afterwards.
static CHANGING: Mutex<()> = Mutex::new(());

/// The calls of this file.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(change))
}

/// All settings, in the order of the file
#[utoipa::path(get, path = "/settings", tag = "program", operation_id = "getSettings",
    responses((status = 200, description = "each as it is now", body = Vec<SettingJson>)),
    extensions(("x-codes" = json!(["bad_settings"]))))]
async fn list(State(api): State<Arc<Api>>) -> Result<Json<Vec<SettingJson>>, ApiError> {
    let all = blocking(move || Ok::<_, ApiError>(settings::list(&home(&api)?)?));
    Ok(Json(all.await?.into_iter().map(shape).collect()))
}

/// Change one, from the next start on
#[utoipa::path(put, path = "/settings/{key}", tag = "program", operation_id = "putSetting",
    params(("key" = String, Path, description = "its name")),
    request_body = SetSettingJson,
    responses((status = 200, description = "as it is now", body = SettingJson)),
    extensions(("x-codes" = json!(["no_such_setting", "bad_setting", "bad_settings"]))))]
async fn change(
    State(api): State<Arc<Api>>,
    Path(key): Path<String>,
    Body(wanted): Body<SetSettingJson>,
) -> Result<Json<SettingJson>, ApiError> {
    let set = blocking(move || {
        let home = home(&api)?;
        // It guards nothing that a panic could leave half done: the file is written whole or not at all.
        let _one = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
        settings::write_first(&home)?;
        Ok::<_, ApiError>(settings::set(&home, &key, wanted.value.as_deref())?)
    });
    Ok(Json(shape(set.await?)))
}

fn home(api: &Api) -> Result<Home, ApiError> {
    Home::resolve(Some(api.home.clone().into())).map_err(|error| ApiError::inside(&error))
}

fn shape(setting: Setting) -> SettingJson {
    SettingJson {
        key: setting.key.into(),
        value: setting.value,
        from: setting.from.into(),
    }
}

impl From<SettingsError> for ApiError {
    fn from(error: SettingsError) -> Self {
        let (status, code) = match &error {
            SettingsError::NoSuchKey(..) => (StatusCode::NOT_FOUND, "no_such_setting"),
            SettingsError::Value(..) => (StatusCode::BAD_REQUEST, "bad_setting"),
            SettingsError::Wrong { .. }
            | SettingsError::Environment(..)
            | SettingsError::File(..) => (StatusCode::CONFLICT, "bad_settings"),
        };
        Self::new(status, code, error.to_string())
    }
}
