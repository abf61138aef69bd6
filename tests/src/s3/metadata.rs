//! What a machine in a cloud is told about itself.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Response, StatusCode, body::Incoming, service::service_fn};

use super::{
    KEY_ID, SECRET,
    serve::{Serving, Wrong},
};

/// An instance's metadata, with a role whose keys the stores know; a container's, at `/container`
/// for whom brings `container-token`; and at `/sts` those for whom `web-token` stands for the role
/// `backup`.
#[derive(Debug)]
pub struct InstanceMetadata(Serving);

impl InstanceMetadata {
    /// Starts it.
    pub fn start() -> Self {
        Self(Serving::start(service_fn(answer), None))
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://{}", self.0.address)
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Wrong> {
    const ROLES: &str = "/latest/meta-data/iam/security-credentials";
    let path = request.uri().path().trim_end_matches('/');
    let token = request.headers().get("x-aws-ec2-metadata-token");
    let brought = request.headers().get("authorization");
    let text = match (request.method(), path) {
        (&Method::GET, "/container") if brought.is_some_and(|it| it == "container-token") => keys(),
        (&Method::POST, "/sts") if asks_as_backup(request.uri().query()) => keys_of_a_role(),
        (&Method::PUT, "/latest/api/token") => "the-token".to_owned(),
        _ if token.is_none_or(|token| token != "the-token") => return Ok(refused(401)),
        (_, ROLES) => "backup".to_owned(),
        (_, path) if path == format!("{ROLES}/backup") => keys(),
        _ => return Ok(refused(404)),
    };
    Ok(Response::new(Full::new(text.into())))
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>
fn asks_as_backup(query: Option<&str>) -> bool {
    let said: Vec<_> = query.unwrap_or_default().split('&').collect();
    let must = [
        "Action=AssumeRoleWithWebIdentity",
        "RoleArn=backup",
        "RoleSessionName=nightly",
        "WebIdentityToken=web-token",
    ];
    must.iter().all(|pair| said.contains(pair))
}

fn keys_of_a_role() -> String {
    format!(
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
         <AccessKeyId>{KEY_ID}</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey>\
         <SessionToken>session</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>\
         </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    )
}

fn keys() -> String {
    serde_json::json!({
        "Code": "Success",
        "LastUpdated": "2026-11-22T10:00:00Z",
        "Type": "AWS-HMAC",
        "AccessKeyId": KEY_ID,
        "SecretAccessKey": SECRET,
        "Token": "session",
        "Expiration": "2099-01-01T00:00:00Z",
    })
    .to_string()
}

fn refused(status: u16) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::from_u16(status).unwrap();
    answer
}
