//! The operation of a request, and the permission that it needs.

use std::fmt;

use http::Method;

use super::provider::Provider;

/// An operation of the S3 protocol, by its official name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    PutObject,
    CreateMultipartUpload,
    UploadPart,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    ListMultipartUploads,
    GetObject,
    HeadObject,
    ListObjectsV2,
    ListObjectVersions,
    GetLifecycleConfiguration,
    DeleteObject,
    DeleteObjectVersion,
}

impl Action {
    /// The operation of a request with this method and query.
    pub(super) fn of(method: &Method, query: &str) -> Self {
        let has = |name: &str| {
            query.split('&').any(|pair| pair.split('=').next().is_some_and(|key| key == name))
        };
        match *method {
            Method::PUT if has("partNumber") => Self::UploadPart,
            Method::PUT => Self::PutObject,
            Method::POST if has("uploads") => Self::CreateMultipartUpload,
            Method::POST => Self::CompleteMultipartUpload,
            Method::DELETE if has("uploadId") => Self::AbortMultipartUpload,
            Method::DELETE if has("versionId") => Self::DeleteObjectVersion,
            Method::DELETE => Self::DeleteObject,
            Method::HEAD => Self::HeadObject,
            _ if has("uploads") => Self::ListMultipartUploads,
            _ if has("versions") => Self::ListObjectVersions,
            _ if has("lifecycle") => Self::GetLifecycleConfiguration,
            _ if has("list-type") => Self::ListObjectsV2,
            _ => Self::GetObject,
        }
    }

    /// Whether it creates an object.
    pub(super) fn creates(self) -> bool {
        matches!(self, Self::PutObject | Self::CreateMultipartUpload)
    }

    /// Whether it handles data encrypted with a customer key.
    pub(super) fn needs_customer_key(self) -> bool {
        self.creates() || matches!(self, Self::UploadPart | Self::GetObject | Self::HeadObject)
    }

    /// Whether its response is small, and must be complete before it counts.
    pub(super) fn answers_at_once(self) -> bool {
        self != Self::GetObject
    }

    /// The permission that the key needs.
    pub(super) fn right(self, provider: Provider) -> &'static str {
        match (provider, self) {
            (Provider::B2, Self::GetObject | Self::HeadObject) => "readFiles",
            (
                Provider::B2,
                Self::ListObjectsV2 | Self::ListObjectVersions | Self::ListMultipartUploads,
            ) => "listFiles",
            (Provider::B2, Self::GetLifecycleConfiguration) => "listBuckets",
            (Provider::B2, Self::DeleteObject | Self::DeleteObjectVersion) => "deleteFiles",
            (Provider::B2, _) => "writeFiles",
            (Provider::S3, Self::GetObject | Self::HeadObject) => "s3:GetObject",
            (Provider::S3, Self::ListObjectsV2) => "s3:ListBucket",
            (Provider::S3, Self::ListObjectVersions) => "s3:ListBucketVersions",
            (Provider::S3, Self::ListMultipartUploads) => "s3:ListBucketMultipartUploads",
            (Provider::S3, Self::GetLifecycleConfiguration) => "s3:GetLifecycleConfiguration",
            (Provider::S3, Self::AbortMultipartUpload) => "s3:AbortMultipartUpload",
            (Provider::S3, Self::DeleteObject) => "s3:DeleteObject",
            (Provider::S3, Self::DeleteObjectVersion) => "s3:DeleteObjectVersion",
            (Provider::S3, _) => "s3:PutObject",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart_by_their_query() {
        for (method, query, action) in [
            (Method::PUT, "", Action::PutObject),
            (Method::PUT, "partNumber=1&uploadId=x", Action::UploadPart),
            (Method::POST, "uploads=", Action::CreateMultipartUpload),
            (Method::POST, "uploadId=x", Action::CompleteMultipartUpload),
            (Method::DELETE, "uploadId=x", Action::AbortMultipartUpload),
            (Method::DELETE, "versionId=x", Action::DeleteObjectVersion),
            (Method::GET, "list-type=2&prefix=versions", Action::ListObjectsV2),
            (Method::GET, "prefix=a&versions=", Action::ListObjectVersions),
            (Method::GET, "uploads=&prefix=a", Action::ListMultipartUploads),
            (Method::GET, "lifecycle=", Action::GetLifecycleConfiguration),
            (Method::GET, "", Action::GetObject),
        ] {
            assert_eq!(Action::of(&method, query), action, "{method} {query}");
        }
    }
}
