//! What a failed call can say: one table of codes, with the status each comes with and what it means.
//!
//! Not its job: the words for one failure, which are in [`crate::api::ApiError`].

/// A status, a code, and what the two mean together.
pub type Row = (u16, &'static str, &'static str);

/// Refusals at the door: any call may get them.
pub const DOOR: &[Row] = &[
    (
        401,
        "wrong_token",
        "the token is missing or wrong, and no session is open",
    ),
    (403, "foreign_host", "the Host header names another machine"),
    (
        403,
        "foreign_origin",
        "the call comes from another web page",
    ),
    (413, "too_large", "the body is larger than this call takes"),
    (
        423,
        "locked",
        "the program is locked; only system, status, stop, unlock and logging in are answered",
    ),
];

/// What can go wrong beneath any call.
pub const BENEATH: &[Row] = &[
    (
        500,
        "failed",
        "the program failed inside; what was reported as done is safe",
    ),
    (
        500,
        "store_failed",
        "the store failed; what was reported as done is safe",
    ),
    (503, "stopping", "the program is about to end"),
];

/// Calls with a JSON body.
pub const BODY: &[Row] = &[
    (
        400,
        "bad_request",
        "the body is no JSON, or an input cannot be understood",
    ),
    (
        415,
        "bad_request",
        "the body is not announced as application/json",
    ),
    (422, "bad_request", "the body is JSON of another shape"),
];

/// Calls about one space.
pub const SPACE: &[Row] = &[
    (400, "bad_request", "an input cannot be understood"),
    (
        404,
        "no_such_space",
        "no space here has that name or address",
    ),
    (
        409,
        "ambiguous_name",
        "several spaces have that name: use the address",
    ),
];

/// Calls about one device.
pub const DEVICE: &[Row] = &[
    (400, "bad_request", "an input cannot be understood"),
    (
        404,
        "no_such_device",
        "no device here has that name, address or key",
    ),
    (
        409,
        "ambiguous_name",
        "several devices have that name: use the address",
    ),
];

/// Calls that read what is inside a space.
pub const READ: &[Row] = &[
    (400, "bad_path", "that cannot be a path in a space"),
    (404, "not_found", "nothing is there"),
    (409, "is_a_folder", "a folder is there"),
    (409, "not_a_file", "something that is no file is there"),
    (409, "not_a_folder", "something on the way is no folder"),
    (
        504,
        "not_here",
        "its bytes are not on this machine and no peer that has them answers; nothing is lost",
    ),
];

/// Calls that write into a space.
pub const WRITE: &[Row] = &[
    (
        400,
        "too_large",
        "a name, a path or an attribute is too long to be kept",
    ),
    (403, "read_only", "we may only read this space"),
    (409, "exists", "something is there already"),
    (409, "into_itself", "a folder cannot be moved into itself"),
    (409, "not_empty", "the folder is not empty"),
    (
        409,
        "top_folder",
        "the top folder cannot be removed or moved",
    ),
    (
        507,
        "disk_full",
        "the disk is full; what was reported as done is safe",
    ),
];

/// What single calls name.
pub const SINGLE: &[Row] = &[
    (400, "bad_annotation", "that cannot be noted"),
    (
        403,
        "not_an_admin",
        "we are not an admin of the device; nothing was said to it",
    ),
    (403, "code_needed", "the device shows a code that is needed"),
    (
        403,
        "wrong_code",
        "that is not the code which the device shows",
    ),
    (403, "taken", "the device has an admin already"),
    (
        403,
        "refused",
        "the device refuses, for the reason in the words",
    ),
    (
        404,
        "device_not_seen",
        "no such device announces itself on this network",
    ),
    (404, "no_such_device", "no device runs here"),
    (
        409,
        "ambiguous_name",
        "several devices announce themselves by that name: use the key",
    ),
    (409, "stale", "that announcement is over or was used"),
    (
        502,
        "unreachable",
        "the device announces itself but does not answer",
    ),
    (
        502,
        "interrupted",
        "the connection to the device broke off: repeat the call",
    ),
    (
        502,
        "unproven",
        "the device does not prove to be what it says",
    ),
    (400, "bad_folder", "that cannot be mounted on"),
    (400, "bad_policy", "that cannot be wished for"),
    (400, "empty_message", "the message says nothing"),
    (403, "read_only", "we may only read this space"),
    (
        404,
        "no_such_member",
        "nobody of that name or key is a member of the space",
    ),
    (
        400,
        "bad_invite",
        "the invite code cannot be used: altered, incomplete, or for somebody else",
    ),
    (400, "bad_key", "a key has another length or form"),
    (
        400,
        "own_key",
        "that is our own public key, and we are in this space already",
    ),
    (
        400,
        "bad_paper",
        "words or a QR text that give no key; ask POST /api/keys/check word by word",
    ),
    (
        409,
        "no_drill",
        "the rehearsal could not be held; msg says why, nothing is known to be wrong with the copy",
    ),
    (
        404,
        "no_such_replicator",
        "no replicator of that name or key",
    ),
    (
        409,
        "not_empty_home",
        "somebody else lives here, with spaces or copies; nothing was changed",
    ),
    (400, "bad_name", "that cannot be a name"),
    (400, "bad_request", "an input cannot be understood"),
    (
        400,
        "broken_upload",
        "the upload broke off; nothing was stored",
    ),
    (
        400,
        "local_file",
        "a file or folder of this machine cannot be used",
    ),
    (404, "no_such_version", "there is no such version"),
    (409, "already_here", "this space or replica is here already"),
    (409, "already_mounted", "it is mounted already"),
    (409, "name_taken", "another space here has that name"),
    (409, "no_name", "you have no name yet"),
    (409, "not_mounted", "it is not mounted"),
    (
        409,
        "not_seen",
        "the program does not see that file; send its bytes instead",
    ),
    (409, "stopped", "it was stopped; what is committed stays"),
    (426, "no_socket", "this was no call for a web socket"),
    (
        400,
        "bad_query",
        "the query is not understood; msg says where",
    ),
    (400, "query_too_large", "the query asks for too much"),
    (400, "bad_password", "a password is too short or too long"),
    (401, "wrong_password", "that is not the password"),
    (
        403,
        "not_you",
        "it cannot be seen that the caller is the user as whom the program runs",
    ),
    (
        403,
        "bad_ticket",
        "the ticket was used, is too old or is none",
    ),
    (
        400,
        "wrong_passphrase",
        "the passphrase is another one, or the file was altered",
    ),
    (
        400,
        "bad_export",
        "that is no file of keys that can be used here",
    ),
    (
        409,
        "inhabited",
        "somebody lives in this home already; nobody else can move in",
    ),
    (409, "has_password", "a password is set already"),
    (409, "no_password", "no password is set yet"),
    (
        429,
        "too_many_tries",
        "too many wrong passwords; Retry-After says how long to wait",
    ),
    (
        404,
        "no_such_identity",
        "there is no such identity in this home",
    ),
    (404, "no_such_job", "there is no such job"),
    (404, "no_such_setting", "there is no such setting"),
    (400, "bad_setting", "the setting cannot have that value"),
    (
        409,
        "bad_settings",
        "the file of settings is wrong or cannot be written; msg says where",
    ),
    (429, "too_many_jobs", "too much long work runs already"),
    (416, "bad_range", "the range is outside the file"),
    (500, "mount_failed", "mounting failed"),
    (404, "no_such_space", "no space or replica has that address"),
    (
        507,
        "disk_full",
        "the disk is full; what was reported as done is safe",
    ),
];

/// The rows that a call names in its `x-codes`: a family (`@space`, `@read`, `@write`) or one code.
pub fn rows(name: &str) -> Vec<Row> {
    match name {
        "@space" => SPACE.to_vec(),
        "@device" => DEVICE.to_vec(),
        "@read" => READ.to_vec(),
        "@write" => [READ, WRITE].concat(),
        code => SINGLE.iter().filter(|row| row.1 == code).copied().collect(),
    }
}
