//! Calls about devices: seen on the local network, ours, and what we say to them. Each calls one verb of `space`.

pub mod shapes;
pub mod types;

use crate::api::{Api, ApiError, Body, Segment, Two, blocking, spaces};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use cobox_keys::access::Address;
use cobox_keys::identity::PublicKey;
use cobox_space::admin::{CommandId, Deed, Device, Fate, MAX_MINUTES, Token};
use cobox_space::hub;
use cobox_space::shelf::{Shelf, SpaceError};
use cobox_space::space::Space;
use shapes::Look;
use std::sync::Arc;
use std::time::Duration;
use types::*;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

type Answer<T> = Result<Json<T>, ApiError>;

/// Longest wait for a device's answer.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// Answers are told by events; if one is missed, it is found by this.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long an announcement lasts unless said otherwise.
const MINUTES: u64 = 10;
/// Peers named to a device along with an address.
const MAX_HINTS: usize = 16;

/// All of them.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(list, setup))
        .routes(routes!(seen))
        .routes(routes!(show, forget))
        .routes(routes!(log, command))
        .routes(routes!(admins, add_admin))
        .routes(routes!(remove_admin))
}

/// The calls of a device itself, in place of those above.
pub fn hub_routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(myself))
}

/// Devices whose admins we are
#[utoipa::path(get, path = "/devices", tag = "devices", operation_id = "listDevices", responses(
    (status = 200, description = "devices whose admins we are", body = Vec<DeviceJson>),
))]
async fn list(State(api): State<Arc<Api>>) -> Answer<Vec<DeviceJson>> {
    let devices = blocking(move || {
        let devices = api.shelf.devices()?.into_iter();
        let short = |device| Ok(Look::at(device)?.short());
        devices.map(short).collect::<Result<_, SpaceError>>()
    });
    devices.await.map(Json)
}

/// Devices that announce themselves on the local network
#[utoipa::path(get, path = "/devices/seen", tag = "devices", operation_id = "listSeenDevices", responses(
    (status = 200, description = "heard within the last seconds", body = Vec<SeenDeviceJson>),
))]
async fn seen(State(api): State<Arc<Api>>) -> Json<Vec<SeenDeviceJson>> {
    Json(hub::seen(&api.shelf).iter().map(shapes::seen).collect())
}

/// Become an admin of a device on the local network
#[utoipa::path(post, path = "/devices", tag = "devices", operation_id = "setupDevice", request_body = SetupJson, responses(
    (status = 201, description = "we are its admin", body = DeviceJson),
),
    extensions(("x-codes" = json!(["bad_name", "no_name", "name_taken", "disk_full", "device_not_seen", "ambiguous_name", "code_needed", "wrong_code", "taken", "stale", "unreachable", "interrupted", "unproven", "refused", "bad_invite"]))))]
async fn setup(
    State(api): State<Arc<Api>>,
    Body(request): Body<SetupJson>,
) -> Result<(StatusCode, Json<DeviceJson>), ApiError> {
    let code = request.code.as_deref();
    let claimed = hub::claim(&api.shelf, &request.public_key, &request.name, code).await?;
    let shown = blocking(move || Ok::<_, SpaceError>(Look::at(claimed)?.short())).await?;
    Ok((StatusCode::CREATED, Json(shown)))
}

/// Everything known about a device
#[utoipa::path(get, path = "/devices/{device}", tag = "devices", operation_id = "getDevice",
    responses(
        (status = 200, description = "as far as is known here", body = DeviceDetailJson),
    ))]
async fn show(State(api): State<Arc<Api>>, Segment(name): Segment) -> Answer<DeviceDetailJson> {
    let shown = look(api, name, |look| Ok(look.detail()));
    shown.await.map(Json)
}

/// Forget a device that is gone for good: its copies count no more, for all members of our spaces, and it is ours no more
///
/// Nothing is said to the device. Should it come back, its copies count again by what it proves then; to command it we need the
/// word of another admin.
#[utoipa::path(delete, path = "/devices/{device}", tag = "devices", operation_id = "forgetDevice",
    responses(
        (status = 200, description = "what is forgotten, and in which spaces its copies count no more", body = ForgottenJson),
    ),
    extensions(("x-codes" = json!(["disk_full"]))))]
async fn forget(State(api): State<Arc<Api>>, Segment(name): Segment) -> Answer<ForgottenJson> {
    let forgotten = blocking(move || {
        let device = api.shelf.device_called(&name)?;
        let of = spaces::short(device.space());
        let told = api.shelf.forget_device(&device)?;
        Ok::<_, SpaceError>(ForgottenJson {
            device: of,
            spaces: told.iter().map(|space| spaces::short(space)).collect(),
        })
    });
    forgotten.await.map(Json)
}

/// Commands to a device and what became of them, oldest first
#[utoipa::path(get, path = "/devices/{device}/commands", tag = "devices", operation_id = "listDeviceCommands",
    responses(
        (status = 200, description = "all of them", body = Vec<CommandJson>),
    ))]
async fn log(State(api): State<Arc<Api>>, Segment(name): Segment) -> Answer<Vec<CommandJson>> {
    let shown = look(api, name, |look| Ok(look.log()));
    shown.await.map(Json)
}

/// Give a device a command
#[utoipa::path(post, path = "/devices/{device}/commands", tag = "devices", operation_id = "commandDevice", request_body = CommandRequest,
    responses(
        (status = 200, description = "the device has answered", body = CommandJson),
        (status = 202, description = "stored; the device does it when it hears of it", body = CommandJson),
    ),
    extensions(("x-codes" = json!(["bad_name", "not_an_admin", "read_only", "disk_full"]))))]
pub(super) async fn command(
    State(api): State<Arc<Api>>,
    Segment(name): Segment,
    Body(request): Body<CommandRequest>,
) -> Result<(StatusCode, Json<CommandJson>), ApiError> {
    let wait = Duration::from_millis(request.wait.unwrap_or(0)).min(MAX_WAIT);
    let token = token(request.token.as_deref())?;
    let deed = deed(&api.shelf, request)?;
    let (of, events) = (api.clone(), api.shelf.subscribe());
    let said = blocking(move || {
        let device = of.shelf.device_called(&name)?;
        let id = device.command(token, deed)?;
        Ok::<_, SpaceError>((device, id))
    });
    let (device, id) = said.await?;
    answered(api, device, id, wait, events).await
}

/// Who may command a device
#[utoipa::path(get, path = "/devices/{device}/admins", tag = "devices", operation_id = "listDeviceAdmins",
    responses(
        (status = 200, description = "its admins", body = Vec<AdminJson>),
    ))]
async fn admins(State(api): State<Arc<Api>>, Segment(name): Segment) -> Answer<Vec<AdminJson>> {
    let shown = look(api, name, |look| Ok(look.admins()));
    shown.await.map(Json)
}

/// Let somebody command a device
#[utoipa::path(post, path = "/devices/{device}/admins", tag = "devices", operation_id = "addDeviceAdmin", request_body = NewAdminJson,
    responses(
        (status = 201, description = "a code that only they can open", body = AdminCodeJson),
    ),
    extensions(("x-codes" = json!(["bad_key", "own_key", "bad_invite", "not_an_admin", "read_only", "disk_full"]))))]
pub(super) async fn add_admin(
    State(api): State<Arc<Api>>,
    Segment(name): Segment,
    Body(request): Body<NewAdminJson>,
) -> Result<(StatusCode, Json<AdminCodeJson>), ApiError> {
    let who = public_key(&request.public_key)?;
    let code = blocking(move || api.shelf.device_called(&name)?.add_admin(&who)).await?;
    Ok((StatusCode::CREATED, Json(AdminCodeJson { code })))
}

/// Let somebody command a device no more
#[utoipa::path(delete, path = "/devices/{device}/admins/{publicKey}", tag = "devices", operation_id = "removeDeviceAdmin",
    responses(
        (status = 202, description = "stored; the device does it when it hears of it", body = CommandJson),
    ),
    extensions(("x-codes" = json!(["not_an_admin", "read_only", "disk_full"]))))]
async fn remove_admin(
    State(api): State<Arc<Api>>,
    Two(name, who): Two,
) -> Result<(StatusCode, Json<CommandJson>), ApiError> {
    let public_key = public_key(&who)?;
    let (of, events) = (api.clone(), api.shelf.subscribe());
    let said = blocking(move || {
        let device = of.shelf.device_called(&name)?;
        let id = device.command(Token::generate(), Deed::RemoveAdmin { public_key })?;
        Ok::<_, SpaceError>((device, id))
    });
    let (device, id) = said.await?;
    answered(api, device, id, Duration::ZERO, events).await
}

/// The device that runs here
#[utoipa::path(get, path = "/device", tag = "devices", operation_id = "getHub", responses(
    (status = 200, description = "how it is", body = HubJson),
),
    extensions(("x-codes" = json!(["no_such_device"]))))]
async fn myself(State(api): State<Arc<Api>>) -> Answer<HubJson> {
    let myself = blocking(move || {
        let missing = || SpaceError::NoDevice(String::new());
        let hub = api.hub.as_ref().ok_or_else(missing)?;
        Ok::<_, SpaceError>(hub_json(&api.shelf, hub))
    });
    myself.await.map(Json)
}

/// The device that runs here, as it shows itself.
pub fn hub_json(shelf: &Shelf, hub: &hub::Hub) -> HubJson {
    let address = hub.address().to_string();
    let shown = hub.shown().borrow().clone();
    let space = shelf.space(&address).ok();
    HubJson {
        name: space.map(|space| space.name()).unwrap_or_default(),
        address,
        public_key: shelf.hint().device.to_string(),
        announced: shown.announced,
        claimed: shown.claimed,
        code: shown.code,
    }
}

/// A device and what was said to it, if the space is a device's admin space.
pub fn look_at(
    space: &Arc<Space>,
) -> Result<Option<(DeviceDetailJson, Vec<CommandJson>)>, SpaceError> {
    let look = Device::of(space)?.map(Look::at).transpose()?;
    Ok(look.map(|look| (look.detail(), look.log())))
}

async fn look<T: Send + 'static>(
    api: Arc<Api>,
    name: String,
    show: impl FnOnce(&Look) -> Result<T, SpaceError> + Send + 'static,
) -> Result<T, ApiError> {
    blocking(move || show(&Look::at(api.shelf.device_called(&name)?)?)).await
}

/// Waits for the device's answer, not longer than `wait`.
async fn answered(
    api: Arc<Api>,
    device: Device,
    id: CommandId,
    wait: Duration,
    mut events: tokio::sync::broadcast::Receiver<cobox_space::shelf::ShelfEvent>,
) -> Result<(StatusCode, Json<CommandJson>), ApiError> {
    let until = tokio::time::Instant::now() + wait;
    let mut stop = api.stop.subscribe();
    loop {
        let (device, now) = (device.clone(), tokio::time::Instant::now());
        let found = blocking(move || {
            let look = Look::at(device.clone())?;
            let (given, fate) = device
                .fate(&id)?
                .ok_or_else(|| SpaceError::NoDevice(id.to_string()))?;
            let waiting = matches!(fate, Fate::Waiting(_));
            Ok::<_, SpaceError>((waiting, look.command(&given, &fate)))
        });
        let (waiting, json) = found.await?;
        if !waiting {
            return Ok((StatusCode::OK, Json(json)));
        }
        if now >= until || *stop.borrow() {
            return Ok((StatusCode::ACCEPTED, Json(json)));
        }
        tokio::select! {
            _ = events.recv() => {}
            _ = stop.wait_for(|stop| *stop) => {}
            () = tokio::time::sleep((until - now).min(LOOK_EVERY)) => {}
        }
    }
}

fn deed(shelf: &Shelf, request: CommandRequest) -> Result<Deed, ApiError> {
    let address = || address(request.address.as_deref().unwrap_or_default());
    Ok(match request.command.as_str() {
        "replicate" => {
            let address = address()?;
            Deed::Replicate {
                address,
                hints: hints(shelf, &address, &request.peers)?,
                name: request.name,
                quota: request.quota,
            }
        }
        "unreplicate" => Deed::Unreplicate {
            address: address()?,
        },
        "quota" => Deed::Quota {
            address: address()?,
            quota: request.quota,
        },
        "announce" => {
            let minutes = request.minutes.unwrap_or(MINUTES);
            if !(1..=MAX_MINUTES).contains(&minutes) {
                let msg = format!("an announcement lasts 1 to {MAX_MINUTES} minutes");
                return Err(ApiError::bad("minutes", msg));
            }
            Deed::Announce { minutes }
        }
        "hide" => Deed::Hide,
        "rename" => match request.name {
            Some(name) => Deed::Rename { name },
            None => return Err(ApiError::bad("name", "give the device a name")),
        },
        "status" => Deed::Status,
        "remove-admin" => Deed::RemoveAdmin {
            public_key: public_key(request.public_key.as_deref().unwrap_or_default())?,
        },
        other => {
            let msg = format!("there is no command {other:?} for devices");
            return Err(ApiError::bad("command", msg));
        }
    })
}

/// Who has the space, as far as is known here: ourselves, if we take part in it, and whom we met there.
fn hints(shelf: &Shelf, address: &Address, more: &[String]) -> Result<Vec<String>, ApiError> {
    let wrong = |_| {
        let msg =
            "that is not a peer hint: use the line that `cobox status` prints on the other machine";
        ApiError::bad("peers", msg)
    };
    let mut hints = Vec::new();
    for hint in more {
        let hint: cobox_swarm::transport::Hint = hint.trim().parse().map_err(wrong)?;
        hints.push(hint.to_string());
    }
    let here = shelf.space(&address.to_string()).is_ok() || shelf.replica(address).is_some();
    let met = shelf.swarm().hints(address);
    let ours = here.then(|| shelf.hint()).into_iter().chain(met);
    hints.extend(ours.map(|hint| hint.to_string()));
    hints.truncate(MAX_HINTS);
    Ok(hints)
}

fn address(text: &str) -> Result<Address, ApiError> {
    let msg = "that is not an address: an address has 64 hex digits";
    let wrong = |_| ApiError::bad("address", msg);
    text.trim().parse().map_err(wrong)
}

fn public_key(text: &str) -> Result<PublicKey, ApiError> {
    let msg = "that is not a public key: it has 64 hex digits; ask the person for the output of: cobox name";
    let wrong = |_| ApiError::bad("publicKey", msg);
    text.trim().parse().map_err(wrong)
}

fn token(text: Option<&str>) -> Result<Token, ApiError> {
    let wrong = |_| ApiError::bad("token", "a token has 32 hex digits");
    match text {
        None => Ok(Token::generate()),
        Some(text) => Ok(Token(text.parse::<CommandId>().map_err(wrong)?.0)),
    }
}
