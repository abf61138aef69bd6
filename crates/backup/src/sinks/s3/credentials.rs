//! Credentials: configured keys, or the role of the machine.

use std::{path::PathBuf, sync::Arc, time::Duration};

use object_store::{
    ClientOptions, StaticCredentialProvider,
    aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential, AwsCredentialProvider},
    client::{HttpClient, HttpConnector},
};
use seaworthy_core::{Error, ErrorKind, Result, Secret};

/// The credentials of a sink.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum S3Credentials {
    /// A key with its secret.
    Key {
        /// The key's id.
        id: String,
        /// Its secret.
        secret: Secret,
        /// The token of a temporary key.
        session_token: Option<Secret>,
    },
    /// The role of the machine.
    Machine(MachineRole),
}

impl S3Credentials {
    /// A key that does not expire.
    pub fn key(id: impl Into<String>, secret: Secret) -> Self {
        Self::Key { id: id.into(), secret, session_token: None }
    }

    /// The credential provider, for the store that `client` uses.
    pub(super) fn provider(
        &self,
        region: &str,
        client: &reqwest::Client,
    ) -> Result<AwsCredentialProvider> {
        match self {
            Self::Key { id, secret, session_token } => {
                // Such a key would only fail later, in a header.
                let parts = [id.as_str(), secret.expose()];
                if parts.iter().any(|part| !part.bytes().all(|byte| byte.is_ascii_graphic())) {
                    let message = "the key or its secret contains a space or a line break";
                    return Err(Error::new(ErrorKind::InvalidInput, "sink.open", message)
                        .remedy_is("check where they come from: a valid key has none"));
                }
                Ok(Arc::new(StaticCredentialProvider::new(AwsCredential {
                    key_id: id.clone(),
                    secret_key: secret.expose().to_owned(),
                    token: session_token.as_ref().map(|token| token.expose().to_owned()),
                })))
            }
            Self::Machine(role) => role.provider(region, client),
        }
    }
}

/// Where a cloud machine finds its credentials: with a web identity token, from its container, or
/// by default from the instance metadata.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct MachineRole {
    /// The file with a token for `role_arn`.
    pub web_identity_token_file: Option<PathBuf>,
    /// The role of the token; a token without one is an error.
    pub role_arn: Option<String>,
    /// The session name in the store's log.
    pub role_session_name: Option<String>,
    /// The address that exchanges the token for keys, if it is not the default.
    pub sts_endpoint: Option<String>,
    /// The path of a container's credentials.
    pub container_relative_uri: Option<String>,
    /// The full address of a container's credentials, with the file of its token.
    pub container_full_uri: Option<(String, PathBuf)>,
    /// The address of the instance metadata, if it is not the default.
    pub metadata_endpoint: Option<String>,
}

impl MachineRole {
    fn provider(&self, region: &str, client: &reqwest::Client) -> Result<AwsCredentialProvider> {
        // A token is exchanged for keys over the internet, like the store; the rest is local.
        let asks = match (&self.web_identity_token_file, &self.role_arn) {
            (Some(_), Some(_)) => Asks(client.clone()),
            (Some(file), None) => {
                let message = format!("{} does not say for which role it is", file.display());
                return Err(Error::new(ErrorKind::Config, "sink.open", message)
                    .remedy_is("set the role of the token (AWS_ROLE_ARN)"));
            }
            (None, _) => Asks(nearby()?),
        };
        let path = |path: &PathBuf| path.display().to_string();
        let full = self.container_full_uri.as_ref();
        let retry = object_store::RetryConfig { max_retries: 3, ..Default::default() };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name("none")
            .with_region(region)
            .with_retry(retry)
            .with_http_connector(asks);
        for (key, value) in [
            (
                AmazonS3ConfigKey::WebIdentityTokenFile,
                self.web_identity_token_file.as_ref().map(path),
            ),
            (AmazonS3ConfigKey::RoleArn, self.role_arn.clone()),
            (AmazonS3ConfigKey::RoleSessionName, self.role_session_name.clone()),
            (AmazonS3ConfigKey::StsEndpoint, self.sts_endpoint.clone()),
            (
                AmazonS3ConfigKey::ContainerCredentialsRelativeUri,
                self.container_relative_uri.clone(),
            ),
            (AmazonS3ConfigKey::ContainerCredentialsFullUri, full.map(|(uri, _)| uri.clone())),
            (AmazonS3ConfigKey::ContainerAuthorizationTokenFile, full.map(|(_, file)| path(file))),
            (AmazonS3ConfigKey::MetadataEndpoint, self.metadata_endpoint.clone()),
        ] {
            if let Some(value) = value {
                builder = builder.with_config(key, value);
            }
        }
        let store = builder.build().map_err(|source| {
            let message = "the role of this machine cannot be used";
            Error::new(ErrorKind::InvalidInput, "sink.open", message).caused_by(source)
        })?;
        Ok(store.credentials().clone())
    }
}

/// The client for credential requests.
#[derive(Debug)]
struct Asks(reqwest::Client);

impl HttpConnector for Asks {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

/// A client for the machine's own metadata: without a proxy, and with a short timeout.
fn nearby() -> Result<reqwest::Client> {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(1))
        .timeout(Duration::from_secs(30));
    client.build().map_err(|source| {
        Error::new(ErrorKind::InvalidInput, "sink.open", "cannot make an HTTP client")
            .caused_by(source)
    })
}
