// SPDX-License-Identifier: GPL-3.0-or-later
//! Where a provider's endpoints are, as its discovery document tells (OpenID Connect Discovery, RFC 8414).

use serde::Deserialize;

use super::http::Http;
use super::{Network, TokenError};
use crate::source::{HttpsUrl, SourceFields};
use crate::task::Invalid;

/// Where the document is, seen from the issuer (OpenID Connect Discovery, 4).
const DOCUMENT: &str = "/.well-known/openid-configuration";

#[derive(Deserialize)]
struct Document {
    issuer: String,
    token_endpoint: String,
    #[serde(default)]
    authorization_endpoint: Option<String>,
    #[serde(default)]
    device_authorization_endpoint: Option<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// Fills in the endpoints of a source that names an issuer instead of them.
///
/// # Errors
/// What is wrong with the issuer, or that it cannot be asked.
pub fn complete(fields: &mut SourceFields, network: &Network) -> Result<(), DiscoveryError> {
    let given = |field: &Option<String>| field.as_deref().is_some_and(|text| !text.trim().is_empty());
    if !given(&fields.issuer) || given(&fields.token_endpoint) {
        return Ok(());
    }
    // People copy the address of the document itself.
    let issuer = fields.issuer.as_deref().unwrap_or_default().trim();
    let issuer = issuer.strip_suffix(DOCUMENT).unwrap_or(issuer).to_owned();
    let issuer = issuer.as_str();
    let base = HttpsUrl::parse(issuer).map_err(DiscoveryError::Issuer)?;
    let url = base
        .join(DOCUMENT.trim_start_matches('/'))
        .map_err(DiscoveryError::Issuer)?;
    let authorities = fields.authority_certificates.as_deref().unwrap_or_default();
    let http = Http::new(&url, authorities.trim(), network).map_err(DiscoveryError::Provider)?;
    let answer = http.get(&url).map_err(DiscoveryError::Provider)?;
    let document: Document = answer
        .json()
        .ok_or_else(|| DiscoveryError::Provider(answer.nonsense(url.host())))?;
    // OpenID Connect Discovery, 4.3: or anybody's document could stand for anybody else's.
    if document.issuer.trim_end_matches('/') != issuer.trim_end_matches('/') {
        return Err(DiscoveryError::Issuer(Invalid(
            "the document there is about another issuer; give the address that it names itself".into(),
        )));
    }
    let methods = document.token_endpoint_auth_methods_supported;
    let posts = methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_post"));
    if !posts && !given(&fields.client_authentication) {
        fields.client_authentication = Some("basic".to_owned());
    }
    fields.token_endpoint = Some(document.token_endpoint);
    fields.issuer = Some(issuer.to_owned());
    if !given(&fields.authorization_endpoint) {
        fields.authorization_endpoint = document.authorization_endpoint;
    }
    if !given(&fields.device_endpoint) {
        fields.device_endpoint = document.device_authorization_endpoint;
    }
    Ok(())
}

/// Why a provider's endpoints are not known.
#[derive(Debug)]
pub enum DiscoveryError {
    /// The issuer is none.
    Issuer(Invalid),
    /// It cannot be asked.
    Provider(TokenError),
}
