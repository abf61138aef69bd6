//! Buckets as sinks: from the file's words, secrets and the environment to [`S3Options`].

use std::path::PathBuf;

use seaworthy_backup::{
    config::{
        AddressStyle, B2Key, B2SinkConfig, LimitConfig, ObjectLockConfig, RateConfig, S3Keys,
        S3SinkConfig, ServerEncryptionConfig, SinkConfig,
    },
    sinks::{
        ObjectKey,
        s3::{
            BucketIn, MachineRole, ObjectLock, S3Credentials, S3Options, S3Proxy, ServerEncryption,
        },
    },
};
use seaworthy_core::{ByteRate, ByteSize, Context, Error, ErrorKind, Name, Result, Secret, Span};

use crate::{Seaworthy, profile};

/// Who opens an append-only sink, and with whose keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    /// Runs, and whatever only reads.
    Use,
    /// What deletes.
    Prune,
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
        }
    };
}

impl Seaworthy {
    /// What `config` says of the bucket behind the sink `name`, with the limits of a job.
    pub(crate) async fn s3_options(
        &self,
        name: &Name,
        config: &S3SinkConfig,
        intent: Intent,
        limit: &LimitConfig,
        cx: &Context,
    ) -> Result<S3Options> {
        let keys = match (&config.prune, intent, config.append_only) {
            (_, Intent::Use, _) | (_, _, false) => config.keys(),
            (Some(keys), ..) => keys.clone(),
            (None, ..) => return Err(no_prune_keys(name)),
        };
        let (credentials, region) = self.s3_credentials(name, &keys, cx).await?;
        let mut options = S3Options::s3(&config.bucket, credentials);
        if let Some(region) = config.region.clone().or(region) {
            options.region = region;
        }
        options.bucket_in = config.style.map(|style| match style {
            AddressStyle::Virtual => BucketIn::Host,
            _ => BucketIn::Path,
        });
        options.storage_class = config.storage_class.clone();
        options.append_only = config.append_only && intent == Intent::Use;
        self.fill(&mut options, common!(config), limit, cx).await?;
        Ok(options)
    }

    /// The same for Backblaze B2.
    pub(crate) async fn b2_options(
        &self,
        name: &Name,
        config: &B2SinkConfig,
        intent: Intent,
        limit: &LimitConfig,
        cx: &Context,
    ) -> Result<S3Options> {
        let B2Key { key_id, application_key, .. } =
            match (&config.prune, intent, config.append_only) {
                (_, Intent::Use, _) | (_, _, false) => config.key(),
                (Some(key), ..) => key.clone(),
                (None, ..) => return Err(no_prune_keys(name)),
            };
        let id = self.secret(&key_id, cx).await?;
        let key = self.secret(&application_key, cx).await?;
        let credentials = S3Credentials::key(id.expose(), key);
        let mut options = S3Options::b2(&config.bucket, &config.region, credentials);
        options.append_only = config.append_only && intent == Intent::Use;
        self.fill(&mut options, common!(config), limit, cx).await?;
        Ok(options)
    }

    async fn fill(
        &self,
        options: &mut S3Options,
        common: Common<'_>,
        limit: &LimitConfig,
        cx: &Context,
    ) -> Result<()> {
        common.place(options);
        options.proxy = self.proxy(options.endpoint.as_deref());
        if let Some(path) = common.roots {
            let pem = std::fs::read(path).map_err(|e| {
                let message = format!("cannot read the authorities in {}", path.display());
                Error::io("sink.open", message, e)
            })?;
            options.roots = Some(pem);
        }
        options.encryption = match common.encryption {
            None => None,
            Some(ServerEncryptionConfig::Aes256(_)) => Some(ServerEncryption::Store),
            Some(ServerEncryptionConfig::Kms(kms)) => Some(ServerEncryption::Kms(kms.key.clone())),
            Some(ServerEncryptionConfig::Customer(customer)) => {
                Some(ServerEncryption::Customer(self.secret(&customer.key, cx).await?))
            }
            Some(_) => {
                let message = "this version does not know this server-side encryption";
                return Err(Error::new(ErrorKind::Unsupported, "sink.open", message));
            }
        };
        options.object_lock = common.lock.map(|lock| ObjectLock::new(lock.mode, lock.retain));
        if let Some(timeout) = common.timeout {
            options.timeout = timeout.as_duration();
        }
        options.retries = common.retries.map_or(options.retries, u32::from);
        options.upload_limit = lower(common.limit.upload, limit.upload);
        options.download_limit = lower(common.limit.download, limit.download);
        Ok(())
    }

    /// Who the sink is, and the region that a profile names.
    async fn s3_credentials(
        &self,
        sink: &Name,
        keys: &S3Keys,
        cx: &Context,
    ) -> Result<(S3Credentials, Option<String>)> {
        if let (Some(id), Some(secret)) = (&keys.access_key_id, &keys.secret_access_key) {
            let id = self.secret(id, cx).await?;
            let secret = self.secret(secret, cx).await?;
            let session_token = match &keys.session_token {
                Some(token) => Some(self.secret(token, cx).await?),
                None => None,
            };
            return Ok((with_token(id.expose(), secret, session_token), None));
        }
        if let Some(profile) = &keys.profile {
            let file = keys.profile_file.clone().or_else(|| self.usual_profiles());
            let file = file.ok_or_else(|| {
                let message = format!("the sink {sink} names a profile, but there is no home");
                Error::new(ErrorKind::Config, "sink.open", message)
                    .remedy_is("say where it is: profile_file = \"/root/.aws/credentials\"")
            })?;
            let found = profile::read(&file, profile)?;
            return Ok((found.credentials, found.region));
        }
        let region = || self.variable("AWS_REGION").or_else(|| self.variable("AWS_DEFAULT_REGION"));
        if let (Some(id), Some(secret)) =
            (self.variable("AWS_ACCESS_KEY_ID"), self.variable("AWS_SECRET_ACCESS_KEY"))
        {
            let token = self.variable("AWS_SESSION_TOKEN").map(Secret::new);
            return Ok((with_token(&id, Secret::new(secret), token), region()));
        }
        let named = self.variable("AWS_PROFILE");
        let file = self.usual_profiles().filter(|file| named.is_some() || file.exists());
        if let Some(file) = file {
            let found = profile::read(&file, named.as_deref().unwrap_or("default"))?;
            return Ok((found.credentials, found.region.or_else(region)));
        }
        Ok((S3Credentials::Machine(self.machine_role()), region()))
    }

    /// The proxy that the environment names for the store at `endpoint`. The names in small letters
    /// are as old as those in capitals.
    fn proxy(&self, endpoint: Option<&str>) -> Option<S3Proxy> {
        let is_plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
        let own = if is_plain { "HTTP_PROXY" } else { "HTTPS_PROXY" };
        let either =
            |name: &str| self.variable(name).or_else(|| self.variable(&name.to_ascii_lowercase()));
        let mut proxy = S3Proxy::new(Secret::new(either(own).or_else(|| either("ALL_PROXY"))?));
        proxy.except = either("NO_PROXY").unwrap_or_default();
        Some(proxy)
    }

    fn machine_role(&self) -> MachineRole {
        let mut role = MachineRole::default();
        role.web_identity_token_file =
            self.variable("AWS_WEB_IDENTITY_TOKEN_FILE").map(PathBuf::from);
        role.role_arn = self.variable("AWS_ROLE_ARN");
        role.role_session_name = self.variable("AWS_ROLE_SESSION_NAME");
        role.sts_endpoint = self.variable("AWS_ENDPOINT_URL_STS");
        role.container_relative_uri = self.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        role.container_full_uri = self
            .variable("AWS_CONTAINER_CREDENTIALS_FULL_URI")
            .zip(self.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").map(PathBuf::from));
        role.metadata_endpoint = self.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
        role
    }

    /// The file with the user's own profiles.
    fn usual_profiles(&self) -> Option<PathBuf> {
        self.variable("AWS_SHARED_CREDENTIALS_FILE")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(self.variable("HOME")?).join(".aws/credentials")))
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.environment.variables().text(name).map(str::to_owned)
    }
}

/// What both kinds of buckets say alike.
struct Common<'c> {
    prefix: &'c ObjectKey,
    endpoint: &'c Option<String>,
    allow_http: bool,
    part_size: Option<ByteSize>,
    roots: &'c Option<PathBuf>,
    encryption: &'c Option<ServerEncryptionConfig>,
    lock: Option<ObjectLockConfig>,
    limit: RateConfig,
    timeout: Option<Span>,
    retries: Option<u8>,
}

impl Common<'_> {
    /// Says where the objects lie, and how large their parts are.
    fn place(&self, options: &mut S3Options) {
        options.prefix = self.prefix.clone();
        options.endpoint = self.endpoint.clone();
        options.allow_http = self.allow_http;
        options.part_size = self.part_size;
    }
}

/// The sink as far as it can be checked without any secret.
pub(crate) fn without_secrets(config: &SinkConfig) -> Option<S3Options> {
    let nobody = S3Credentials::Machine(MachineRole::default());
    match config {
        SinkConfig::S3(s3) => {
            let mut options = S3Options::s3(&s3.bucket, nobody);
            options.region = s3.region.clone().unwrap_or(options.region);
            common!(s3).place(&mut options);
            Some(options)
        }
        SinkConfig::B2(b2) => {
            let mut options = S3Options::b2(&b2.bucket, &b2.region, nobody);
            common!(b2).place(&mut options);
            Some(options)
        }
        _ => None,
    }
}

fn with_token(id: &str, secret: Secret, session_token: Option<Secret>) -> S3Credentials {
    S3Credentials::Key { id: id.to_owned(), secret, session_token }
}

fn lower(a: Option<ByteRate>, b: Option<ByteRate>) -> Option<ByteRate> {
    a.into_iter().chain(b).min()
}

fn no_prune_keys(name: &Name) -> Error {
    let message = format!("the sink {name} is append-only, and nothing here may delete from it");
    Error::new(ErrorKind::Config, "sink.open", message).remedy_is(format!(
        "prune where the other keys are: on a machine whose file has [sink.{name}.prune]"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    fn open(text: &str, variables: &[(&str, &str)]) -> (Seaworthy, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::from_text(text, &folder.path().join("seaworthy.toml")).unwrap();
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        let seaworthy = Seaworthy::new(config, &folder.path().join("state")).unwrap();
        (seaworthy.with_variables(variables.collect()), folder)
    }

    async fn options_of(
        text: &str,
        variables: &[(&str, &str)],
        intent: Intent,
    ) -> Result<S3Options> {
        let (seaworthy, _folder) = open(text, variables);
        let (name, cx) = (Name::new("x").unwrap(), Context::new());
        let limit = LimitConfig::default();
        match seaworthy.config.sink.get("x").unwrap() {
            seaworthy_backup::config::SinkConfig::S3(s3) => {
                seaworthy.s3_options(&name, s3, intent, &limit, &cx).await
            }
            seaworthy_backup::config::SinkConfig::B2(b2) => {
                seaworthy.b2_options(&name, b2, intent, &limit, &cx).await
            }
            other => panic!("{other:?}"),
        }
    }

    fn key_of(options: &S3Options) -> &str {
        match &options.credentials {
            S3Credentials::Key { id, .. } => id,
            _ => "machine",
        }
    }

    const S3: &str = "[sink.x]\ntype = \"s3\"\nbucket = \"b\"\n";

    #[tokio::test]
    async fn keys_come_from_the_first_place_that_has_some() {
        let profiles = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            profiles.path(),
            "[default]\naws_access_key_id=profile\naws_secret_access_key=s\nregion=eu-west-3\n",
        )
        .unwrap();
        let file = profiles.path().to_str().unwrap();
        let environment = [("AWS_ACCESS_KEY_ID", "environment"), ("AWS_SECRET_ACCESS_KEY", "s")];
        let own = [("ID", "own"), ("SECRET", "s"), environment[0], environment[1]];
        let with_keys = format!(
            "{S3}access_key_id = {{ env = \"ID\" }}\nsecret_access_key = {{ env = \"SECRET\" }}\n"
        );
        let options = options_of(&with_keys, &own, Intent::Use).await.unwrap();
        assert_eq!(key_of(&options), "own");
        let with_profile = format!("{S3}profile = \"default\"\nprofile_file = {file:?}\n");
        let options = options_of(&with_profile, &environment, Intent::Use).await.unwrap();
        assert_eq!((key_of(&options), options.region.as_str()), ("profile", "eu-west-3"));
        let options = options_of(S3, &environment, Intent::Use).await.unwrap();
        assert_eq!(key_of(&options), "environment");
        let usual = [("AWS_SHARED_CREDENTIALS_FILE", file)];
        assert_eq!(key_of(&options_of(S3, &usual, Intent::Use).await.unwrap()), "profile");
        let options = options_of(S3, &[("HOME", "/nonexistent")], Intent::Use).await.unwrap();
        assert_eq!(key_of(&options), "machine");
    }

    #[tokio::test]
    async fn the_proxy_is_the_one_that_the_environment_names_for_the_address() {
        let proxy = async |more: &str, variables: &[(&str, &str)]| {
            let home = [("HOME", "/nonexistent")];
            let variables = [variables, &home].concat();
            let options = options_of(&format!("{S3}{more}"), &variables, Intent::Use).await;
            options.unwrap().proxy.map(|p| (p.address.expose().to_owned(), p.except))
        };
        let named = |address: &str, except: &str| Some((address.to_owned(), except.to_owned()));
        assert_eq!(proxy("", &[]).await, None);
        let both = [("https_proxy", "a"), ("ALL_PROXY", "b"), ("no_proxy", "c,d")];
        assert_eq!(proxy("", &both).await, named("a", "c,d"));
        assert_eq!(proxy("", &[("HTTPS_PROXY", ""), ("all_proxy", "b")]).await, named("b", ""));
        let plain = "endpoint = \"http://minio\"\nallow_http = true\n";
        assert_eq!(proxy(plain, &[("HTTPS_PROXY", "a")]).await, None);
        assert_eq!(proxy(plain, &[("HTTP_PROXY", "h")]).await, named("h", ""));
    }

    #[tokio::test]
    async fn an_append_only_sink_is_pruned_with_other_keys_or_not_at_all() {
        let b2 = "[sink.x]\ntype = \"b2\"\nbucket = \"b\"\nregion = \"r\"\nappend_only = true\n\
                  key_id = { env = \"WRITE\" }\napplication_key = { env = \"WRITE\" }\n";
        let variables = [("WRITE", "write"), ("DELETE", "delete")];
        let used = options_of(b2, &variables, Intent::Use).await.unwrap();
        assert_eq!((key_of(&used), used.append_only), ("write", true));
        let refused = options_of(b2, &variables, Intent::Prune).await.unwrap_err();
        assert!(refused.remedy().unwrap().contains("[sink.x.prune]"), "{refused:?}");
        let with_key = format!(
            "{b2}[sink.x.prune]\nkey_id = {{ env = \"DELETE\" }}\napplication_key = {{ env = \"DELETE\" }}\n"
        );
        let pruned = options_of(&with_key, &variables, Intent::Prune).await.unwrap();
        assert_eq!((key_of(&pruned), pruned.append_only), ("delete", false));
    }

    #[tokio::test]
    async fn of_two_limits_the_lower_one_holds() {
        let text = format!("{S3}limit = {{ upload = \"5MiB/s\" }}\n");
        let (seaworthy, _folder) = open(&text, &[("HOME", "/nonexistent")]);
        let mut limit = LimitConfig::default();
        limit.upload = Some(ByteRate::new(1 << 20));
        limit.download = Some(ByteRate::new(7));
        let seaworthy_backup::config::SinkConfig::S3(s3) = seaworthy.config.sink.get("x").unwrap()
        else {
            panic!("no bucket")
        };
        let (name, cx) = (Name::new("x").unwrap(), Context::new());
        let options = seaworthy.s3_options(&name, s3, Intent::Use, &limit, &cx).await.unwrap();
        assert_eq!(options.upload_limit, Some(ByteRate::new(1 << 20)));
        assert_eq!(options.download_limit, Some(ByteRate::new(7)));
    }
}
