//! Who may call by a session, and the one password: it opens the keys of the home, and sessions of browsers. A session is
//! also opened by a ticket, or, while there is no password, by being the same user on the same machine. The token in the home
//! folder goes on to work.
//!
//! Setting the first password needs the token or a session: else whoever comes first to this machine's loopback would
//! choose it. Not its job: what is sealed how (`cobox_space`), and what a locked program answers (`locked`).

mod owner;
mod sessions;
mod throttle;
mod tickets;

use crate::api::guard::Caller;
use crate::api::types::{OldPasswordJson, PasswordJson, TicketJson};
use crate::api::{Api, ApiError, Body, Next, blocking};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use cobox_keys::identity::Identity;
use cobox_keys::password::{LONGEST, SHORTEST, is_acceptable};
use cobox_space::shelf::{HomeLock, SpaceError};
use owner::Owner;
use sessions::Sessions;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use throttle::Throttle;
use tickets::Tickets;
use tokio::sync::Semaphore;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use zeroize::Zeroizing;

/// Name of the cookie.
const COOKIE: &str = "cobox_session";
/// Tries that may wait for their turn; each takes much memory, so one runs at a time.
const WAITING: usize = 4;

/// Password and sessions of this run.
pub struct Access {
    lock: HomeLock,
    sessions: Mutex<Sessions>,
    tickets: Mutex<Tickets>,
    /// Held while a password is tried.
    throttle: tokio::sync::Mutex<Throttle>,
    waiting: Semaphore,
}

impl Access {
    /// Of a home.
    pub fn of(home: &Path) -> Self {
        Self {
            lock: HomeLock::of(home),
            sessions: Mutex::default(),
            tickets: Mutex::default(),
            throttle: tokio::sync::Mutex::default(),
            waiting: Semaphore::new(WAITING),
        }
    }

    /// Does a request come from somebody who is logged in?
    pub fn is_logged_in(&self, headers: &HeaderMap) -> bool {
        cookie(headers).is_some_and(|id| self.sessions().enter(id, Instant::now()))
    }

    /// Every value behind the lock is whole after each statement, so a panic elsewhere spoils none.
    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same holds here.
    fn tickets(&self) -> MutexGuard<'_, Tickets> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries a password, in turn, as fast as is allowed. Answers whom it opens.
    pub async fn check(
        self: &Arc<Self>,
        given: Zeroizing<String>,
    ) -> Result<Arc<Identity>, ApiError> {
        let _turn = self.waiting.try_acquire().map_err(|_| too_many(1))?;
        let mut throttle = self.throttle.lock().await;
        let wait = throttle.ask(Instant::now());
        wait.map_err(|left| too_many(left.as_secs() + 1))?;
        let of = self.clone();
        let opened = blocking(move || Ok::<_, SpaceError>(of.lock.open(&given))).await?;
        match &opened {
            Ok(_) => throttle.right(),
            Err(SpaceError::WrongPassword) => throttle.wrong(Instant::now()),
            Err(_) => {}
        }
        Ok(Arc::new(opened?))
    }

    /// Is there a password?
    pub async fn is_set(self: &Arc<Self>) -> Result<bool, ApiError> {
        let of = self.clone();
        blocking(move || of.lock.is_set()).await
    }

    /// Changes the lock, one at a time, and logs out everywhere.
    async fn alter(
        self: &Arc<Self>,
        change: impl FnOnce(&HomeLock) -> Result<(), SpaceError> + Send + 'static,
    ) -> Result<(), ApiError> {
        let mut throttle = self.throttle.lock().await;
        let of = self.clone();
        blocking(move || change(&of.lock)).await?;
        self.sessions().close_all();
        throttle.right(); // what was guessed at is no more
        Ok(())
    }

    /// Whoever only is logged in must give the password that counts until now; from who holds the token it is checked if
    /// it is given.
    async fn knows_old(
        self: &Arc<Self>,
        caller: Caller,
        old: Option<String>,
    ) -> Result<(), ApiError> {
        match old.map(Zeroizing::new) {
            None if caller.has_token => Ok(()),
            old => self.check(old.unwrap_or_default()).await.map(drop),
        }
    }

    /// An answer that logs in.
    pub fn open(&self, status: StatusCode, secure: bool) -> Result<Response, ApiError> {
        let opened = self.sessions().open(Instant::now());
        let id = opened.map_err(|failed| ApiError::inside(&failed))?;
        let age = sessions::LONGEST.as_secs();
        Ok(with_cookie(status, &id, age, secure))
    }
}

/// The calls of this file.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(check, log_in, log_out))
        .routes(routes!(register))
        .routes(routes!(change))
        .routes(routes!(remove))
        .routes(routes!(log_out_everywhere))
        .routes(routes!(enter))
        .routes(routes!(make_ticket))
        .routes(routes!(take_ticket))
        .routes(routes!(unlock))
        .routes(routes!(lock))
}

/// May I call? Answered only to those who may
#[utoipa::path(get, path = "/auth", tag = "access", operation_id = "checkAccess",
    responses((status = 204, description = "yes")))]
pub async fn check() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Set the first password, and log in
///
/// From now on the keys of this home are sealed on disk, and it is locked after the next start until somebody unlocks it.
/// The password is chosen by whoever may read the home folder, or is logged in without one. Later: `PUT /api/auth/password`.
#[utoipa::path(post, path = "/register", tag = "access", operation_id = "register",
    request_body = PasswordJson,
    responses((status = 201, description = "set, and logged in", headers(("set-cookie" = String, description = "the session")))),
    extensions(("x-codes" = json!(["bad_password", "has_password", "disk_full"]))))]
async fn register(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<PasswordJson>,
) -> Result<Response, ApiError> {
    let password = acceptable(new.password)?;
    let identity = api.shelf.identity().clone();
    if api.access.is_set().await? {
        let msg = "a password is set already; log in with it, or change it: cobox password change";
        return Err(ApiError::new(StatusCode::CONFLICT, "has_password", msg));
    }
    let set = move |lock: &HomeLock| lock.set(&identity, &password);
    api.access.alter(set).await?;
    api.access.open(StatusCode::CREATED, caller.secure)
}

/// Log in; unlocks a locked program
#[utoipa::path(post, path = "/auth", tag = "access", operation_id = "logIn",
    request_body = PasswordJson,
    responses((status = 204, description = "logged in", headers(("set-cookie" = String, description = "the session")))),
    extensions(("x-codes" = json!(["wrong_password", "no_password", "too_many_tries"]))))]
async fn log_in(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Body(given): Body<PasswordJson>,
) -> Result<Response, ApiError> {
    api.access.check(given.password.into()).await?;
    api.access.open(StatusCode::NO_CONTENT, caller.secure)
}

/// Come in without a password: our own page, while none is set, from a program of the same user on this machine
///
/// Where that cannot be seen: `cobox open`.
#[utoipa::path(post, path = "/auth/here", tag = "access", operation_id = "enterHere",
    responses((status = 204, description = "logged in", headers(("set-cookie" = String, description = "the session")))),
    extensions(("x-codes" = json!(["has_password", "not_you"]))))]
async fn enter(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if api.access.is_set().await? {
        let msg = "a password is set: log in with it";
        return Err(ApiError::new(StatusCode::CONFLICT, "has_password", msg));
    }
    // A browser always says so to a call of our own page; a program that was tricked into calling us does not.
    let is_page = headers
        .get("sec-fetch-site")
        .is_some_and(|site| site == "same-origin");
    let port = api.port;
    let look = move || {
        Ok::<_, ApiError>(
            caller
                .remote
                .map_or(Owner::Unknown, |at| owner::of(at, port)),
        )
    };
    if !is_page || blocking(look).await? != Owner::Us {
        return Err(not_you());
    }
    api.access.open(StatusCode::NO_CONTENT, caller.secure)
}

/// Make a ticket that opens one session, within two minutes
#[utoipa::path(post, path = "/auth/tickets", tag = "access", operation_id = "makeTicket",
    responses((status = 201, description = "for the page: /#ticket=...", body = TicketJson)),
    extensions(("x-codes" = json!(["not_you"]))))]
async fn make_ticket(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<(StatusCode, Json<TicketJson>), ApiError> {
    if !caller.has_token {
        return Err(not_you());
    }
    let made = api.access.tickets().make(Instant::now());
    let ticket = made.map_err(|failed| ApiError::inside(&failed))?;
    Ok((
        StatusCode::CREATED,
        Json(TicketJson {
            ticket: ticket.to_string(),
        }),
    ))
}

/// Come in with a ticket
#[utoipa::path(put, path = "/auth/tickets", tag = "access", operation_id = "takeTicket",
    request_body = TicketJson,
    responses((status = 204, description = "logged in", headers(("set-cookie" = String, description = "the session")))),
    extensions(("x-codes" = json!(["bad_ticket", "not_you"]))))]
async fn take_ticket(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Body(given): Body<TicketJson>,
) -> Result<Response, ApiError> {
    // Other users can read in the list of processes with which address a browser was started.
    let port = api.port;
    let look = move || Ok::<_, ApiError>(caller.remote.map(|at| owner::of(at, port)));
    if blocking(look).await? == Some(Owner::Another) {
        return Err(not_you());
    }
    if !api.access.tickets().take(&given.ticket, Instant::now()) {
        let msg = "that ticket was used, is too old or is none; nothing was done. Take a new one with: cobox open";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "bad_ticket", msg));
    }
    api.access.open(StatusCode::NO_CONTENT, caller.secure)
}

fn not_you() -> ApiError {
    let msg = "it cannot be seen from here that it is you who calls; nothing was done. Come in with: cobox open";
    ApiError::new(StatusCode::FORBIDDEN, "not_you", msg)
}

/// Log out
#[utoipa::path(delete, path = "/auth", tag = "access", operation_id = "logOut",
    responses((status = 204, description = "the session is closed")))]
async fn log_out(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Response {
    if let Some(id) = cookie(&headers) {
        api.access.sessions().close(id);
    }
    with_cookie(StatusCode::NO_CONTENT, "", 0, caller.secure)
}

/// Log out everywhere
#[utoipa::path(delete, path = "/auth/sessions", tag = "access", operation_id = "logOutEverywhere",
    responses((status = 204, description = "all sessions are closed")))]
async fn log_out_everywhere(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Response {
    api.access.sessions().close_all();
    with_cookie(StatusCode::NO_CONTENT, "", 0, caller.secure)
}

/// Change the password, and log out everywhere else
///
/// Whoever is logged in gives the old one too; whoever holds the token need not, but if they do it is checked. Only the
/// small file that wraps the identity is written.
#[utoipa::path(put, path = "/auth/password", tag = "access", operation_id = "changePassword",
    request_body = PasswordJson,
    responses((status = 204, description = "changed; this caller is logged in again", headers(("set-cookie" = String, description = "the session")))),
    extensions(("x-codes" = json!(["bad_password", "wrong_password", "no_password", "too_many_tries", "disk_full"]))))]
async fn change(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<PasswordJson>,
) -> Result<Response, ApiError> {
    let password = acceptable(new.password)?;
    api.access.knows_old(caller, new.old).await?;
    let identity = api.shelf.identity().clone();
    let set = move |lock: &HomeLock| lock.set(&identity, &password);
    api.access.alter(set).await?;
    api.access.open(StatusCode::NO_CONTENT, caller.secure)
}

/// Remove the password, and log out everywhere
///
/// From now on whoever reads the disk can read everything. The old one is needed as for a change.
#[utoipa::path(post, path = "/auth/password/remove", tag = "access", operation_id = "removePassword",
    request_body = OldPasswordJson,
    responses((status = 204, description = "removed")),
    extensions(("x-codes" = json!(["wrong_password", "no_password", "too_many_tries", "disk_full"]))))]
async fn remove(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    Body(given): Body<OldPasswordJson>,
) -> Result<StatusCode, ApiError> {
    api.access.knows_old(caller, given.old).await?;
    if !api.access.is_set().await? {
        return Err(SpaceError::NoPassword.into());
    }
    let identity = api.shelf.identity().clone();
    api.access.alter(move |lock| lock.remove(&identity)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Unlock the program; does nothing more than try the password if it is not locked
#[utoipa::path(post, path = "/unlock", tag = "access", operation_id = "unlock",
    request_body = PasswordJson,
    responses((status = 204, description = "it is unlocked, and what was mounted is mounted again")),
    extensions(("x-codes" = json!(["wrong_password", "no_password", "too_many_tries"]))))]
async fn unlock(
    State(api): State<Arc<Api>>,
    Body(given): Body<PasswordJson>,
) -> Result<StatusCode, ApiError> {
    api.access.check(given.password.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lock the program: it unmounts, closes all spaces, forgets all keys and begins anew as a replicator that shows nothing
#[utoipa::path(post, path = "/lock", tag = "access", operation_id = "lock",
    responses((status = 202, description = "it is about to; `GET /api/system` says when it is")),
    extensions(("x-codes" = json!(["no_password"]))))]
async fn lock(State(api): State<Arc<Api>>) -> Result<StatusCode, ApiError> {
    if !api.access.is_set().await? {
        return Err(SpaceError::NoPassword.into());
    }
    api.end(Next::Lock);
    Ok(StatusCode::ACCEPTED)
}

fn acceptable(password: String) -> Result<Zeroizing<String>, ApiError> {
    let password = Zeroizing::new(password);
    if is_acceptable(&password) {
        return Ok(password);
    }
    let msg = format!(
        "a password has at least {SHORTEST} characters, and at most {LONGEST} bytes; nothing was changed"
    );
    Err(ApiError::new(StatusCode::BAD_REQUEST, "bad_password", msg))
}

fn too_many(seconds: u64) -> ApiError {
    let msg = format!("too many wrong passwords: try again in {seconds} s, or use the token");
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tries", msg).after(seconds)
}

/// The session that a request names.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).into_iter();
    let pairs = all
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'));
    let named = pairs.filter_map(|pair| pair.trim().split_once('='));
    named
        .filter(|(name, _)| *name == COOKIE)
        .map(|(_, id)| id)
        .next()
}

/// Scripts cannot read it, other sites cannot make the browser send it.
fn with_cookie(status: StatusCode, id: &str, age: u64, secure: bool) -> Response {
    let secure = if secure { "; Secure" } else { "" };
    let text =
        format!("{COOKIE}={id}; Path=/api; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    let mut response = status.into_response();
    if let Ok(mut value) = HeaderValue::from_str(&text) {
        value.set_sensitive(true);
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_found_among_cookies() {
        let of = |text: &'static str| {
            let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(text))]);
            cookie(&headers).map(str::to_owned)
        };
        assert_eq!(of("a=b; cobox_session=0f; c").as_deref(), Some("0f"));
        assert_eq!(of("xcobox_session=0f; cobox_sessions=1"), None);
        assert_eq!(cookie(&HeaderMap::new()), None);
    }
}
