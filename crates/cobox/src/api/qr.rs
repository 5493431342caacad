//! Keys, addresses and codes as pictures for a phone's camera.

use crate::api::{Api, ApiError, bytes_in_url};
use axum::extract::RawQuery;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use std::sync::Arc;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Longest text, in bytes: a whole invite fits. The largest size of code is beyond it, whose scores overflow in the library.
const MOST: usize = 2800;

/// The call of this file.
pub fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(qr))
}

/// What to show.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "describes the query, which is read from its bytes"
)]
struct Text {
    /// 1 to 2800 bytes; capitals and digits alone make a smaller picture
    text: String,
}

/// A text as QR code
#[utoipa::path(get, path = "/qr", tag = "program", operation_id = "getQr", params(Text),
    responses((status = 200, description = "a picture", content_type = "image/svg+xml", body = String)),
    extensions(("x-codes" = json!(["bad_request", "too_large"]))))]
async fn qr(RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let text = bytes_in_url::parameter(query.as_deref(), "text").unwrap_or_default();
    let mut response = picture(&text)?.into_response();
    let kind = HeaderValue::from_static("image/svg+xml");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

/// Dark on light in every theme: that is what cameras read. The margin of four is the standard's.
fn picture(text: &[u8]) -> Result<String, ApiError> {
    if text.is_empty() {
        return Err(ApiError::bad("text", "there is no text to show"));
    }
    let too_long = || {
        let msg = format!("a text for a QR code has at most {MOST} bytes");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", msg)
    };
    if text.len() > MOST {
        return Err(too_long());
    }
    let code = QrCode::with_error_correction_level(text, EcLevel::L).map_err(|_| too_long())?;
    let mut dots = code.render::<svg::Color<'_>>();
    Ok(dots.min_dimensions(240, 240).quiet_zone(true).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_pictures_within_bounds() {
        let small = picture(b"0f").unwrap();
        assert!(small.contains("<svg") && picture(&[b'F'; MOST]).unwrap().len() > small.len());
        // Small letters need the largest code of all that are made.
        assert!(picture(&[b'f'; MOST]).unwrap().len() > small.len());
        assert!(picture(b"").is_err() && picture(&[b'F'; MOST + 1]).is_err());
        assert!(!picture(b"<script>").unwrap().contains("script"));
    }
}
