//! From the file's words, secrets and the environment to [`S3Options`].

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use seaworthy_core::{
    ByteRate, ByteSize, Context, Environment, Error, ErrorKind, Result, Secret, Span,
};

use super::{
    AddressStyle, B2Key, B2SinkConfig, BucketIn, MachineRole, ObjectLock, ObjectLockConfig,
    RateConfig, S3Credentials, S3Keys, S3Options, S3Proxy, S3SinkConfig, ServerEncryption,
    ServerEncryptionConfig, profile,
};
use crate::{format::ObjectKey, sinks::SinkUse};

/// The smallest part of an upload that stores take.
pub(super) const SMALLEST_PART: ByteSize = ByteSize::new(5 << 20);

/// Who the sink is, and the region that a profile or the environment names.
pub(super) type Identity = (S3Credentials, Option<String>);

/// What both kinds of buckets say alike.
pub(super) struct Common<'c> {
    prefix: &'c ObjectKey,
    endpoint: &'c Option<String>,
    allow_http: bool,
    part_size: Option<ByteSize>,
    roots: &'c Option<PathBuf>,
    encryption: &'c Option<ServerEncryptionConfig>,
    pub(super) lock: Option<ObjectLockConfig>,
    limit: RateConfig,
    timeout: Option<Span>,
    retries: Option<u8>,
    pub(super) append_only: bool,
}

/// The keys that both kinds of buckets have.
macro_rules! common {
    ($config:expr) => {
        Common {
            prefix: &$config.prefix,
            endpoint: &$config.endpoint,
            allow_http: $config.allow_http,
            part_size: $config.part_size,
            roots: &$config.roots,
            encryption: &$config.server_side_encryption,
            lock: $config.object_lock,
            limit: $config.limit,
            timeout: $config.timeout,
            retries: $config.retries,
            append_only: $config.append_only,
        }
    };
}

/// A bucket, as the file describes it.
#[async_trait]
pub(super) trait BucketConfig: Sync {
    /// What both kinds say alike.
    fn common(&self) -> Common<'_>;

    /// Whether there are keys for `prune`.
    fn has_prune_keys(&self) -> bool;

    /// The bucket's own words, without what both kinds say alike.
    fn begin(&self, identity: Identity) -> S3Options;

    /// Who the sink is for `purpose`.
    async fn identity(
        &self,
        purpose: &SinkUse,
        environment: &Environment,
        cx: &Context,
    ) -> Result<Identity>;

    /// Everything that the file says, with secrets and what the environment says.
    async fn options(
        &self,
        purpose: &SinkUse,
        environment: &Environment,
        cx: &Context,
    ) -> Result<S3Options> {
        let mut options = self.begin(self.identity(purpose, environment, cx).await?);
        self.common().fill(&mut options, purpose, environment, cx).await?;
        if purpose.trial {
            options.object_lock = None;
            options.part_size = Some(SMALLEST_PART);
            // A person waits for the answer.
            options.retries = options.retries.min(2);
            options.timeout = options.timeout.min(Duration::from_secs(30));
        }
        Ok(options)
    }

    /// The bucket as far as it can be checked without any secret.
    fn without_secrets(&self) -> S3Options {
        let mut options = self.begin((S3Credentials::Machine(MachineRole::default()), None));
        self.common().place(&mut options);
        options
    }
}

#[async_trait]
impl BucketConfig for S3SinkConfig {
    fn common(&self) -> Common<'_> {
        common!(self)
    }

    fn has_prune_keys(&self) -> bool {
        self.prune.is_some()
    }

    fn begin(&self, (credentials, region): Identity) -> S3Options {
        let mut options = S3Options::s3(&self.bucket, credentials);
        if let Some(region) = self.region.clone().or(region) {
            options.region = region;
        }
        options.bucket_in = self.style.map(|style| match style {
            AddressStyle::Virtual => BucketIn::Host,
            AddressStyle::Path => BucketIn::Path,
        });
        options.storage_class = self.storage_class.clone();
        options
    }

    async fn identity(
        &self,
        purpose: &SinkUse,
        environment: &Environment,
        cx: &Context,
    ) -> Result<Identity> {
        let keys = match (&self.prune, purpose.prune && self.append_only) {
            (_, false) => self.keys(),
            (Some(keys), true) => keys.clone(),
            (None, true) => return Err(no_prune_keys(environment)),
        };
        identity_of(&keys, environment, cx).await
    }
}

#[async_trait]
impl BucketConfig for B2SinkConfig {
    fn common(&self) -> Common<'_> {
        common!(self)
    }

    fn has_prune_keys(&self) -> bool {
        self.prune.is_some()
    }

    fn begin(&self, (credentials, _): Identity) -> S3Options {
        S3Options::b2(&self.bucket, &self.region, credentials)
    }

    async fn identity(
        &self,
        purpose: &SinkUse,
        environment: &Environment,
        cx: &Context,
    ) -> Result<Identity> {
        let B2Key { key_id, application_key } =
            match (&self.prune, purpose.prune && self.append_only) {
                (_, false) => self.key(),
                (Some(key), true) => key.clone(),
                (None, true) => return Err(no_prune_keys(environment)),
            };
        let id = environment.secret(&key_id, cx).await?;
        let key = environment.secret(&application_key, cx).await?;
        Ok((S3Credentials::key(id.expose(), key), None))
    }
}

impl Common<'_> {
    /// Says where the objects lie, and how large their parts are.
    fn place(&self, options: &mut S3Options) {
        options.prefix = self.prefix.clone();
        options.endpoint = self.endpoint.clone();
        options.allow_http = self.allow_http;
        options.part_size = self.part_size;
    }

    async fn fill(
        &self,
        options: &mut S3Options,
        purpose: &SinkUse,
        environment: &Environment,
        cx: &Context,
    ) -> Result<()> {
        self.place(options);
        options.append_only = self.append_only && !purpose.prune;
        options.proxy = proxy(options.endpoint.as_deref(), environment);
        if let Some(path) = self.roots {
            let pem = std::fs::read(path).map_err(|e| {
                let message = format!("cannot read the authorities in {}", path.display());
                Error::io("sink.open", message, e)
            })?;
            options.roots = Some(pem);
        }
        options.encryption = match self.encryption {
            None => None,
            Some(ServerEncryptionConfig::Aes256(_)) => Some(ServerEncryption::Store),
            Some(ServerEncryptionConfig::Kms(kms)) => Some(ServerEncryption::Kms(kms.key.clone())),
            Some(ServerEncryptionConfig::Customer(customer)) => {
                Some(ServerEncryption::Customer(environment.secret(&customer.key, cx).await?))
            }
        };
        options.object_lock = self.lock.map(|lock| ObjectLock::new(lock.mode, lock.retain));
        if let Some(timeout) = self.timeout {
            options.timeout = timeout.as_duration();
        }
        options.retries = self.retries.map_or(options.retries, u32::from);
        options.upload_limit = lower(self.limit.upload, purpose.upload);
        options.download_limit = lower(self.limit.download, purpose.download);
        Ok(())
    }
}

async fn identity_of(keys: &S3Keys, environment: &Environment, cx: &Context) -> Result<Identity> {
    if let (Some(id), Some(secret)) = (&keys.access_key_id, &keys.secret_access_key) {
        let id = environment.secret(id, cx).await?;
        let secret = environment.secret(secret, cx).await?;
        let session_token = match &keys.session_token {
            Some(token) => Some(environment.secret(token, cx).await?),
            None => None,
        };
        return Ok((with_token(id.expose(), secret, session_token), None));
    }
    if let Some(profile) = &keys.profile {
        let file = keys.profile_file.clone().or_else(|| usual_profiles(environment));
        let file = file.ok_or_else(|| {
            let sink = environment.name();
            let message = format!("the sink {sink} names a profile, but there is no home");
            Error::new(ErrorKind::Config, "sink.open", message)
                .remedy_is("say where it is: profile_file = \"/root/.aws/credentials\"")
        })?;
        let found = profile::read(&file, profile)?;
        return Ok((found.credentials, found.region));
    }
    let variable = |name: &str| environment.variables().text(name).map(str::to_owned);
    let region = || variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    if let (Some(id), Some(secret)) =
        (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"))
    {
        let token = variable("AWS_SESSION_TOKEN").map(Secret::new);
        return Ok((with_token(&id, Secret::new(secret), token), region()));
    }
    let named = variable("AWS_PROFILE");
    let file = usual_profiles(environment).filter(|file| named.is_some() || file.exists());
    if let Some(file) = file {
        let found = profile::read(&file, named.as_deref().unwrap_or("default"))?;
        return Ok((found.credentials, found.region.or_else(region)));
    }
    Ok((S3Credentials::Machine(machine_role(environment)), region()))
}

/// The proxy that the environment names for the store at `endpoint`. The names in small letters
/// are as old as those in capitals.
fn proxy(endpoint: Option<&str>, environment: &Environment) -> Option<S3Proxy> {
    let variables = environment.variables();
    let is_plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
    let own = if is_plain { "HTTP_PROXY" } else { "HTTPS_PROXY" };
    let either =
        |name: &str| variables.text(name).or_else(|| variables.text(&name.to_ascii_lowercase()));
    let mut proxy = S3Proxy::new(Secret::new(either(own).or_else(|| either("ALL_PROXY"))?));
    proxy.except = either("NO_PROXY").unwrap_or_default().to_owned();
    Some(proxy)
}

fn machine_role(environment: &Environment) -> MachineRole {
    let variable = |name: &str| environment.variables().text(name).map(str::to_owned);
    MachineRole {
        web_identity_token_file: variable("AWS_WEB_IDENTITY_TOKEN_FILE").map(PathBuf::from),
        role_arn: variable("AWS_ROLE_ARN"),
        role_session_name: variable("AWS_ROLE_SESSION_NAME"),
        sts_endpoint: variable("AWS_ENDPOINT_URL_STS"),
        container_relative_uri: variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
        container_full_uri: variable("AWS_CONTAINER_CREDENTIALS_FULL_URI")
            .zip(variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").map(PathBuf::from)),
        metadata_endpoint: variable("AWS_EC2_METADATA_SERVICE_ENDPOINT"),
    }
}

/// The file with the user's own profiles.
fn usual_profiles(environment: &Environment) -> Option<PathBuf> {
    let variables = environment.variables();
    variables
        .text("AWS_SHARED_CREDENTIALS_FILE")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(variables.text("HOME")?).join(".aws/credentials")))
}

fn with_token(id: &str, secret: Secret, session_token: Option<Secret>) -> S3Credentials {
    S3Credentials::Key { id: id.to_owned(), secret, session_token }
}

fn lower(a: Option<ByteRate>, b: Option<ByteRate>) -> Option<ByteRate> {
    a.into_iter().chain(b).min()
}

fn no_prune_keys(environment: &Environment) -> Error {
    let name = environment.name();
    let message = format!("the sink {name} is append-only, and nothing here may delete from it");
    Error::new(ErrorKind::Config, "sink.open", message).remedy_is(format!(
        "prune where the other keys are: on a machine whose file has [sink.{name}.prune]"
    ))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use seaworthy_core::Name;
    use serde_json::{Value, json};

    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        let variables = variables.collect::<Vec<(OsString, OsString)>>();
        Environment::new("/")
            .with_variables(variables.into_iter().collect())
            .of(&Name::new("x").unwrap())
    }

    /// The options of a bucket at Amazon with `more` keys.
    async fn s3(more: Value, variables: &[(&str, &str)]) -> Result<S3Options> {
        let mut table = json!({ "bucket": "b" });
        table.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let config: S3SinkConfig = serde_json::from_value(table).unwrap();
        config.options(&SinkUse::run(), &environment(variables), &Context::new()).await
    }

    fn key_of(options: &S3Options) -> &str {
        match &options.credentials {
            S3Credentials::Key { id, .. } => id,
            _ => "machine",
        }
    }

    #[tokio::test]
    async fn keys_come_from_the_first_place_that_has_some() {
        let profiles = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            profiles.path(),
            "[default]\naws_access_key_id=profile\naws_secret_access_key=s\nregion=eu-west-3\n",
        )
        .unwrap();
        let file = profiles.path().to_str().unwrap();
        let variables = [("AWS_ACCESS_KEY_ID", "environment"), ("AWS_SECRET_ACCESS_KEY", "s")];
        let own = [("ID", "own"), ("SECRET", "s"), variables[0], variables[1]];
        let with_keys =
            json!({ "access_key_id": { "env": "ID" }, "secret_access_key": { "env": "SECRET" } });
        assert_eq!(key_of(&s3(with_keys, &own).await.unwrap()), "own");
        let with_profile = json!({ "profile": "default", "profile_file": file });
        let options = s3(with_profile, &variables).await.unwrap();
        assert_eq!((key_of(&options), options.region.as_str()), ("profile", "eu-west-3"));
        assert_eq!(key_of(&s3(json!({}), &variables).await.unwrap()), "environment");
        let usual = [("AWS_SHARED_CREDENTIALS_FILE", file)];
        assert_eq!(key_of(&s3(json!({}), &usual).await.unwrap()), "profile");
        let nowhere = [("HOME", "/nonexistent")];
        assert_eq!(key_of(&s3(json!({}), &nowhere).await.unwrap()), "machine");
    }

    #[tokio::test]
    async fn the_proxy_is_the_one_that_the_environment_names_for_the_address() {
        let proxy = async |more: Value, variables: &[(&str, &str)]| {
            let variables = [variables, &[("HOME", "/nonexistent")]].concat();
            let options = s3(more, &variables).await.unwrap();
            options.proxy.map(|p| (p.address.expose().to_owned(), p.except))
        };
        let named = |address: &str, except: &str| Some((address.to_owned(), except.to_owned()));
        assert_eq!(proxy(json!({}), &[]).await, None);
        let both = [("https_proxy", "a"), ("ALL_PROXY", "b"), ("no_proxy", "c,d")];
        assert_eq!(proxy(json!({}), &both).await, named("a", "c,d"));
        let empty = [("HTTPS_PROXY", ""), ("all_proxy", "b")];
        assert_eq!(proxy(json!({}), &empty).await, named("b", ""));
        let plain = json!({ "endpoint": "http://minio", "allow_http": true });
        assert_eq!(proxy(plain.clone(), &[("HTTPS_PROXY", "a")]).await, None);
        assert_eq!(proxy(plain, &[("HTTP_PROXY", "h")]).await, named("h", ""));
    }

    #[tokio::test]
    async fn an_append_only_sink_is_pruned_with_other_keys_or_not_at_all() {
        let key = |name: &str| json!({ "env": name });
        let mut table = json!({
            "bucket": "b", "region": "r", "append_only": true,
            "key_id": key("WRITE"), "application_key": key("WRITE"),
        });
        let environment = environment(&[("WRITE", "write"), ("DELETE", "delete")]);
        let options = async |table: &Value, purpose: SinkUse| {
            let config: B2SinkConfig = serde_json::from_value(table.clone()).unwrap();
            config.options(&purpose, &environment, &Context::new()).await
        };
        let used = options(&table, SinkUse::run()).await.unwrap();
        assert_eq!((key_of(&used), used.append_only), ("write", true));
        let refused = options(&table, SinkUse::prune()).await.unwrap_err();
        assert!(refused.remedy().unwrap().contains("[sink.x.prune]"), "{refused:?}");
        table["prune"] = json!({ "key_id": key("DELETE"), "application_key": key("DELETE") });
        let pruned = options(&table, SinkUse::prune()).await.unwrap();
        assert_eq!((key_of(&pruned), pruned.append_only), ("delete", false));
    }

    #[tokio::test]
    async fn of_two_limits_the_lower_one_holds() {
        let table = json!({ "bucket": "b", "limit": { "upload": "5MiB/s" } });
        let config: S3SinkConfig = serde_json::from_value(table).unwrap();
        let purpose = SinkUse::run().at_most(Some(ByteRate::new(1 << 20)), Some(ByteRate::new(7)));
        let environment = environment(&[("HOME", "/nonexistent")]);
        let options = config.options(&purpose, &environment, &Context::new()).await.unwrap();
        assert_eq!(options.upload_limit, Some(ByteRate::new(1 << 20)));
        assert_eq!(options.download_limit, Some(ByteRate::new(7)));
    }
}
