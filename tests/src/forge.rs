//! Snapshots that were never made: for tests of what watches over many of them, over a long time.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use seaworthy_core::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};

/// A snapshot to be forged. Its manifest is right; its payloads hold nothing.
#[derive(Clone, Debug)]
pub struct Forged {
    /// The job.
    pub job: String,
    /// The machine that it claims to be of: 16 hexadecimal digits.
    pub host: String,
    /// What that machine claims to be called.
    pub host_name: Option<String>,
    /// When it began, in seconds since 1970.
    pub began: i64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Its data, in bytes.
    pub plain: u64,
    /// The size of its payload, in bytes: a hole on the disk.
    pub stored: u64,
    /// The rows that it holds.
    pub rows: Option<u64>,
}

impl Forged {
    /// A snapshot of the job `nightly` on `host` that began `hours` before now.
    pub fn before(hours: f64, host: &str) -> Self {
        let now = std::time::SystemTime::now();
        Self {
            job: "nightly".to_owned(),
            host: host.to_owned(),
            host_name: None,
            began: Timestamp::from(now).as_unix() - (hours * 3_600.0) as i64,
            seconds: 12.0,
            plain: 4_000_000,
            stored: 1_000_000,
            rows: None,
        }
    }

    /// Puts it into the folder `sink`, and gives its own folder.
    pub fn put(&self, sink: &Path) -> PathBuf {
        let began = Timestamp::from_unix(self.began);
        let random = &hex(&format!("{self:?}"))[..6];
        let id = format!("{}-{random}", began.compact());
        let folder = sink.join(&self.job).join(&id);
        fs::create_dir_all(&folder).unwrap();
        File::create(folder.join("data.tar.zst")).unwrap().set_len(self.stored).unwrap();
        fs::write(folder.join("index.jsonl.zst"), "none").unwrap();
        let digest = hex("");
        let millis = (self.seconds.fract() * 1_000.0) as u64;
        let ended = Timestamp::from_unix(self.began + self.seconds as i64).to_string();
        let mut manifest = json!({
            "format": 1,
            "job": self.job,
            "id": id,
            "kind": "backup",
            "host": self.host,
            "started": began.to_string(),
            "finished": ended.replace('Z', &format!(".{millis:03}Z")),
            "version": "0.1.0",
            "sources": [{
                "name": "data", "kind": "tar", "object": "data.tar.zst", "codec": "zstd",
                "frames": 1, "plain": self.plain, "stored": self.stored,
                "summary": { "files": self.plain / 10_000, "bytes": self.plain },
            }],
            "index": "index.jsonl.zst",
            "objects": [
                { "name": "data.tar.zst", "size": self.stored, "sha256": digest },
                { "name": "index.jsonl.zst", "size": 4, "sha256": digest },
            ],
        });
        if let Some(name) = &self.host_name {
            manifest["host_name"] = json!(name);
        }
        if let Some(rows) = self.rows {
            manifest["sources"][0]["summary"]["rows"] = json!(rows);
        }
        let text = serde_json::to_string_pretty(&manifest).unwrap();
        let body = format!("{},\n", text.strip_suffix("\n}").unwrap());
        let sealed = format!("{body}  \"sha256\": \"{}\"\n}}\n", hex(&body));
        fs::write(folder.join("manifest.json"), sealed).unwrap();
        folder
    }
}

fn hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
