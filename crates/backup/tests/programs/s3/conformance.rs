//! The suite that every sink passes.

use seaworthy_backup::testing::conformance;

use super::support;

/// A server that checks signatures. All cases but `unusual_names`: it keeps what it knows of an
/// object in a file whose name is half as long again as the key, which disks refuse for long keys.
mod signatures {
    seaworthy_backup::sink_conformance!(
        @each crate::s3::support::files(),
        round_trip many_parts invisible_before_commit dropped_upload aborted_upload
        commit_replaces if_absent_refuses if_absent_large if_absent_one_wins ranges
        absent_objects deletes histories discards lists_all lists_whole_names put_again
    );
}

/// What B2 does otherwise.
mod b2 {
    seaworthy_backup::sink_conformance!(crate::s3::support::b2());
}

/// A bucket that keeps versions.
#[tokio::test]
async fn a_bucket_with_versions_conforms() {
    let (sink, _server) = support::moto(false);
    for (case, ended) in conformance::run_all(&sink).await {
        if let Err(error) = ended {
            panic!("{case}: {}", error.chain());
        }
    }
}

/// A sink that must not delete.
mod append_only {
    seaworthy_backup::sink_conformance!({
        let (sink, server) = crate::s3::support::b2();
        (sink.append_only(), server)
    });
}
