//! The list of all commands that work with a configuration.

use super::{
    ApplyRequest, BackupRequest, CertCommand, DeployRequest, DrillRequest, PinRequest,
    ProxyCommand, PruneRequest, RestoreRequest, RunRequest, ServiceCommand, ShowRequest,
    SnapshotsRequest, SyncRequest, UnpinRequest, VerifyRequest, requests,
};
use crate::{doctor::DoctorRequest, status::StatusRequest};

requests! {
    /// Each command that works with a configuration: the list that frontends are made from.
    Command {
        /// Run backup jobs; default: all of them
        Backup(BackupRequest),
        /// List snapshots, newest first, per sink
        Snapshots(SnapshotsRequest),
        /// Show the contents of one snapshot
        Show(ShowRequest),
        /// Read every byte of a snapshot back and check it
        Verify(VerifyRequest),
        /// Restore a snapshot into a temporary place, compare it with its index and remove it again
        Drill(DrillRequest),
        /// Restore a snapshot, or a part of it
        Restore(RestoreRequest),
        /// Apply the retention policy, with a reason for each decision
        Prune(PruneRequest),
        /// Copy snapshots that other sinks of the jobs do not have yet
        Sync(SyncRequest),
        /// Protect a snapshot from prune
        Pin(PinRequest),
        /// Remove a snapshot's protection from prune
        Unpin(UnpinRequest),
        /// Show the status of backups, certificates, sites, services and disks. Exits with 1 if
        /// something is wrong
        Status(StatusRequest),
        /// Run services: render, check, compare, install, start, stop, restart, status
        #[cfg_attr(feature = "clap", command(subcommand))]
        Service(ServiceCommand),
        /// Deploy a new version of a service, or go back to the previous one
        Deploy(DeployRequest),
        /// Certificates: issued, renewed, deployed, and proved to be served
        #[cfg_attr(feature = "clap", command(subcommand))]
        Cert(CertCommand),
        /// Configure the web server: render, check, compare, install, switch pools
        #[cfg_attr(feature = "clap", command(subcommand))]
        Proxy(ProxyCommand),
        /// Bring this machine to the state in the file: web server, certificates, services, timer
        Apply(ApplyRequest),
        /// Do everything that is due now; called by the timer
        Run(RunRequest),
        /// Check whether each part can work here. Everything is really tried, nothing is left
        /// behind; exits with 1 if something does not work
        Doctor(DoctorRequest),
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::Value;

    use super::*;

    /// Exactly the keys of this request type are accepted.
    fn reads<R: DeserializeOwned>(json: &str) -> R {
        let mut more: Value = serde_json::from_str(json).unwrap();
        let read = serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"));
        more["no_such_key"] = Value::Null;
        let error = serde_json::from_value::<R>(more).err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("no_such_key")), "{json}");
        read
    }

    #[test]
    fn what_is_shared_lies_beside_a_requests_own_keys() {
        let whose = r#""identity":["a.key"],"host":"other""#;
        let show = format!(r#"{{"snapshot":"a@1","files":true,"tables":true,{whose}}}"#);
        let show: ShowRequest = reads(&show);
        assert_eq!(show.identities.identity, [std::path::Path::new("a.key")]);
        assert_eq!(show.host.host.as_deref(), Some("other"));
        let some = format!(r#"{{"snapshots":["a"],"sink":"s","sample":0.5,{whose}}}"#);
        assert_eq!(reads::<VerifyRequest>(&some).sample, Some(0.5));
        reads::<DrillRequest>(&format!(r#"{{"snapshots":["a"],"sink":"s",{whose}}}"#));
        let restore = r#"{"snapshot":"a","to":"/x","source":"s","only":["y"],"force":true,"#;
        let restore: RestoreRequest = reads(&format!("{restore}{whose}}}"));
        assert_eq!(restore.to, Some("/x".into()));
        reads::<SnapshotsRequest>(r#"{"jobs":["a"],"host":"other"}"#);
        reads::<PruneRequest>(r#"{"jobs":["a"],"dry_run":true,"host":"other"}"#);
    }

    #[test]
    fn a_group_of_commands_says_which_one_is_meant() {
        let renew = r#"{"command":"renew","names":["a"],"dry_run":true,"skip_checks":true}"#;
        let CertCommand::Renew(renew) = reads(renew) else { panic!("not renew") };
        assert!(renew.options.dry_run && renew.options.skip_checks);
        reads::<CertCommand>(r#"{"command":"list"}"#);
        reads::<CertCommand>(r#"{"command":"check","targets":["a","a.example:443"]}"#);
        reads::<CertCommand>(r#"{"command":"import-certbot","from":"/x","roll_over":true}"#);
        reads::<ProxyCommand>(r#"{"command":"check"}"#);
        reads::<ProxyCommand>(r#"{"command":"switch","site":"a","to":"b"}"#);
        reads::<ServiceCommand>(r#"{"command":"apply","type":"github-actions","folder":"x"}"#);
        reads::<ServiceCommand>(r#"{"command":"deploy","service":"a","from":"x"}"#);
    }

    #[cfg(feature = "schema")]
    #[test]
    fn the_schema_of_a_request_has_its_shared_keys() {
        let schema = schemars::schema_for!(RestoreRequest);
        let keys = schema.as_value()["properties"].as_object().unwrap();
        for key in ["snapshot", "to", "identity", "host", "yes"] {
            assert!(keys.contains_key(key), "{key}: {schema:?}");
        }
    }
}
