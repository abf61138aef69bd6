//! Who signs: keys that somebody gives, or the role of the machine.

use std::{path::PathBuf, sync::Arc, time::Duration};

use object_store::{
    ClientOptions, StaticCredentialProvider,
    aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential, AwsCredentialProvider},
    client::{HttpClient, HttpConnector},
};
use seaworthy_core::{Error, ErrorKind, Result, Secret};

/// Who a sink is towards its store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum S3Credentials {
    /// A key with its secret.
    Key {
        /// The key's public name.
        id: String,
        /// Its secret.
        secret: Secret,
        /// What makes a temporary key valid.
        session_token: Option<Secret>,
    },
    /// What the machine itself is allowed.
    Machine(MachineRole),
}

impl S3Credentials {
    /// A key that does not expire.
    pub fn key(id: impl Into<String>, secret: Secret) -> Self {
        Self::Key { id: id.into(), secret, session_token: None }
    }

    /// What gives the credentials, for the store that `client` speaks to.
    pub(super) fn provider(
        &self,
        region: &str,
        client: &reqwest::Client,
    ) -> Result<AwsCredentialProvider> {
        match self {
            Self::Key { id, secret, session_token } => {
                // Such a key would fail in a header, far away from here.
                let parts = [id.as_str(), secret.expose()];
                if parts.iter().any(|part| !part.bytes().all(|byte| byte.is_ascii_graphic())) {
                    let message = "the key or its secret has a blank or a line break in it";
                    return Err(Error::new(ErrorKind::InvalidInput, "sink.open", message)
                        .remedy_is("look at where they come from: no key has any"));
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

/// Where a machine of a cloud finds what it is allowed: by a token of the platform, by its
/// container, or by the metadata of its instance where nothing else is said.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct MachineRole {
    /// The file with a token that stands for `role_arn`.
    pub web_identity_token_file: Option<PathBuf>,
    /// The role that the token stands for; a token without one is an error.
    pub role_arn: Option<String>,
    /// What the store's log calls whoever uses the token.
    pub role_session_name: Option<String>,
    /// The address where the token is changed for keys, where it is not the usual one.
    pub sts_endpoint: Option<String>,
    /// The path of a container's credentials.
    pub container_relative_uri: Option<String>,
    /// The whole address of a container's credentials, with the file that holds its token.
    pub container_full_uri: Option<(String, PathBuf)>,
    /// The address of the instance's metadata, where it is not the usual one.
    pub metadata_endpoint: Option<String>,
}

impl MachineRole {
    fn provider(&self, region: &str, client: &reqwest::Client) -> Result<AwsCredentialProvider> {
        // A token is changed for keys out there, as far as the store is; the rest is asked nearby.
        let asks = match (&self.web_identity_token_file, &self.role_arn) {
            (Some(_), Some(_)) => Asks(client.clone()),
            (Some(file), None) => {
                let message = format!("{} does not say for which role it is", file.display());
                return Err(Error::new(ErrorKind::Config, "sink.open", message)
                    .remedy_is("name the role that the token stands for (AWS_ROLE_ARN)"));
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

/// Whom credentials are asked for with.
#[derive(Debug)]
struct Asks(reqwest::Client);

impl HttpConnector for Asks {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

/// A client for what this machine is told about itself: no proxy knows that, and what is not there
/// at once is not there.
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
