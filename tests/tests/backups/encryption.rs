//! Encrypted and signed snapshots, against the programs `age`, `minisign` and `ssh-keygen`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use seaworthy_tests::{Lab, noise, tree};

/// Runs a shell command in the lab, which must succeed, and gives its output.
#[track_caller]
fn shell(lab: &Lab, script: &str) -> String {
    let script = format!("set -euo pipefail\n{script}");
    let mut bash = Command::new("bash");
    let run = bash.args(["-c", &script]).current_dir(lab.path(".")).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{script}\n{out}{err}");
    out.trim().to_owned()
}

/// Runs `age`, which asks for the passphrase on a terminal.
fn age_with_passphrase(lab: &Lab, age: &str, answers: &str) {
    let mut script = Command::new("script");
    script.args(["-qec", age, "/dev/null"]).current_dir(lab.path("."));
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), answers.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{age}");
}

/// A lab with files to back up, and the contents of one that no stored byte may show.
fn lab() -> Lab {
    let lab = Lab::new();
    lab.write("data/invoices/march.txt", b"the treasure lies under the oak\n".repeat(10_000));
    lab.write("data/noise", noise(300_000, 1));
    lab.write("data/empty", "");
    lab
}

fn encrypted_for(lab: Lab, recipients: &[&str]) -> Lab {
    lab.with_line(&format!("encryption = {{ recipients = {recipients:?} }}"))
}

/// A new key pair of age: its file and the public half.
fn age_pair(lab: &Lab, file: &str) -> String {
    let public = lab.ok(&["keygen", "age", "--out", file]).stdout;
    assert!(public.starts_with("age1"), "{public}");
    public.trim().to_owned()
}

fn only_snapshot(lab: &Lab) -> PathBuf {
    let snapshots = lab.snapshots();
    assert_eq!(snapshots.len(), 1);
    snapshots.into_iter().next().unwrap()
}

/// What was backed up lies in `restored`, below its absolute path or right there.
#[track_caller]
fn assert_restored(lab: &Lab, restored: &str) {
    let data = lab.path("data");
    let below = lab.path(restored).join(data.strip_prefix("/").unwrap());
    assert_eq!(tree(&below), tree(&data));
}

#[test]
fn stock_age_restores_what_any_recipient_may_read() {
    let lab = lab();
    let ours = age_pair(&lab, "ours.key");
    shell(
        &lab,
        "age-keygen -o theirs.key 2>/dev/null
         ssh-keygen -q -t ed25519 -N '' -C me@example -f ed25519.key
         ssh-keygen -q -t rsa -b 3072 -N '' -C me@example -f rsa.key",
    );
    let theirs = shell(&lab, "age-keygen -y theirs.key");
    let ed25519 = fs::read_to_string(lab.path("ed25519.key.pub")).unwrap();
    let rsa = fs::read_to_string(lab.path("rsa.key.pub")).unwrap();
    let lab = encrypted_for(lab, &[&ours, &theirs, ed25519.trim(), rsa.trim()]);
    lab.ok(&["backup"]);
    let folder = only_snapshot(&lab);
    shell(&lab, &format!("cd {} && sha256sum --quiet -c SHA256SUMS", folder.display()));
    for key in ["ours.key", "theirs.key", "ed25519.key", "rsa.key"] {
        shell(
            &lab,
            &format!(
                "mkdir stock-{key}
                 age -d -i {key} {}/data.tar.zst.age | zstd -dc | tar -xf - -C stock-{key}
                 age -d -i {key} {}/index.jsonl.zst.age | zstd -dc | jq -e . > /dev/null",
                folder.display(),
                folder.display()
            ),
        );
        assert_restored(&lab, &format!("stock-{key}"));
        let out = format!("out-{key}");
        lab.ok(&["restore", "nightly", "--identity", key, "--to", &out]);
        assert_restored(&lab, &out);
        lab.ok(&["verify", "nightly", "--identity", key]);
    }
}

#[test]
fn a_passphrase_works_with_stock_age_too() {
    let lab = lab().with_line("encryption = { passphrase = { file = \"passphrase\" } }");
    lab.write("passphrase", "correct horse\n");
    lab.ok(&["backup"]);
    let folder = only_snapshot(&lab);
    let age = format!("age -d -o plain.zst {}/data.tar.zst.age", folder.display());
    age_with_passphrase(&lab, &age, "correct horse\n");
    shell(&lab, "mkdir stock && zstd -dc plain.zst | tar -xf - -C stock");
    assert_restored(&lab, "stock");
    lab.ok(&["restore", "nightly", "--to", "out"]);
    assert_restored(&lab, "out");
    lab.write("passphrase", "another\n");
    let run = lab.run(&["restore", "nightly", "--to", "out2"]).expect_code(2);
    run.says(&["none of the given identities", "passphrase"]);
    fs::remove_file(lab.path("passphrase")).unwrap();
    lab.run(&["backup"]).expect_code(1).says(&["passphrase"]);
    assert_eq!(lab.stored().len(), 1);
    let run = lab.ok(&["verify", "nightly"]);
    assert!(run.stdout.contains("it is encrypted"), "{}", run.stdout);
}

/// Replaces what stands for the object `name` in the manifest by what it is now, and seals it anew.
fn reseal(folder: &Path, name: &str) {
    let sum = |path: &Path| {
        let sum = Command::new("sha256sum").arg(path).output().unwrap().stdout;
        String::from_utf8(sum).unwrap()[..64].to_owned()
    };
    let path = folder.join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
    let objects = manifest["objects"].as_array().unwrap();
    let object = objects.iter().find(|object| object["name"] == name).unwrap();
    let entry = |size: &str, sha256: &str| {
        format!("\"name\": \"{name}\",\n      \"size\": {size},\n      \"sha256\": \"{sha256}\"")
    };
    let old = entry(&object["size"].to_string(), object["sha256"].as_str().unwrap());
    let size = fs::metadata(folder.join(name)).unwrap().len().to_string();
    let new = entry(&size, &sum(&folder.join(name)));
    assert!(text.contains(&old), "{text}");
    let text = text.replace(&old, &new);
    let body = &text[..text.rfind("  \"sha256\"").unwrap()];
    let staged = folder.join(".body");
    fs::write(&staged, body).unwrap();
    fs::write(&path, format!("{body}  \"sha256\": \"{}\"\n}}\n", sum(&staged))).unwrap();
    fs::remove_file(staged).unwrap();
}

#[test]
fn what_stock_age_encrypts_is_restored() {
    let lab = lab();
    let public = age_pair(&lab, "old.key");
    let other = age_pair(&lab, "new.key");
    shell(&lab, "ssh-keygen -q -t ed25519 -N '' -f ssh.key");
    let lab = encrypted_for(lab, &[&public]);
    lab.ok(&["backup"]);
    let folder = only_snapshot(&lab);
    for name in ["data.tar.zst.age", "index.jsonl.zst.age"] {
        shell(&lab, &format!("age -d -i old.key {}/{name} > {name}.plain", folder.display()));
    }
    let ways = [format!("-r {other}"), "-R ssh.key.pub".into(), "-p".into()];
    for (way, key) in ways.iter().zip(["new.key", "ssh.key", ""]) {
        for name in ["data.tar.zst.age", "index.jsonl.zst.age"] {
            let to = folder.join(name);
            let age = format!("age {way} -o {} {name}.plain", to.display());
            match way.as_str() {
                "-p" => age_with_passphrase(&lab, &age, "correct horse\ncorrect horse\n"),
                _ => drop(shell(&lab, &age)),
            }
            reseal(&folder, name);
        }
        let (lab, out) = (&lab, format!("out{key}"));
        if key.is_empty() {
            lab.write("passphrase", "correct horse");
            let config = fs::read_to_string(lab.path("seaworthy.toml")).unwrap();
            let passphrase = "passphrase = { file = \"passphrase\" }";
            let recipients = format!("recipients = [{public:?}]");
            assert!(config.contains(&recipients));
            lab.write("seaworthy.toml", config.replace(&recipients, passphrase));
            lab.ok(&["restore", "nightly", "--to", &out]);
        } else {
            lab.run(&["restore", "nightly", "--identity", "old.key", "--to", "no"]).expect_code(2);
            lab.ok(&["restore", "nightly", "--identity", key, "--to", &out]);
        }
        assert_restored(lab, &out);
    }
}

#[test]
fn without_an_identity_nothing_shows_and_every_stored_byte_is_still_checked() {
    let lab = lab();
    let public = age_pair(&lab, "age.key");
    let lab = encrypted_for(lab, &[&public]);
    lab.ok(&["backup"]);
    let folder = only_snapshot(&lab);
    for word in ["march", "invoices", "treasure", "data/"] {
        let mut grep = Command::new("grep");
        let found = grep.args(["-rla", word]).arg(&folder).output().unwrap();
        assert!(found.stdout.is_empty(), "{word}: {}", String::from_utf8_lossy(&found.stdout));
    }
    let run = lab.ok(&["verify", "nightly"]);
    assert!(
        run.stdout.contains("every stored byte") && run.stdout.contains("--identity"),
        "{run:?}"
    );
    assert_eq!(
        lab.ok(&["verify", "--json"]).json()["result"]["verified"][0]["report"]["sealed"],
        true
    );
    let inside = lab.ok(&["verify", "nightly", "--identity", "age.key"]);
    assert!(inside.stdout.contains("good, every byte read"), "{inside:?}");
    lab.ok(&["verify", "nightly", "--identity", "age.key", "--sample", "50%"]);
    lab.ok(&["show", "nightly"]);

    age_pair(&lab, "wrong.key");
    for arguments in [
        &["restore", "nightly", "--to", "out"][..],
        &["show", "nightly", "--files"],
        &["verify", "nightly", "--sample", "50%"],
    ] {
        lab.run(arguments).expect_code(2).says(&["no identity was given", &public, "--identity"]);
        let wrong = [arguments, &["--identity", "wrong.key"]].concat();
        lab.run(&wrong).expect_code(2).says(&["none of the given identities", &public]);
    }
    assert!(!lab.path("out").exists());
    lab.run(&["verify", "nightly", "--identity", "wrong.key"]).expect_code(2).says(&[&public]);
    lab.run(&["verify", "nightly", "--identity", "none.key"]).says(&["none.key"]);

    let mut listed = lab.command(&["show", "nightly", "--files"]);
    let listed = listed.env("SEAWORTHY_IDENTITY", lab.path("age.key")).output().unwrap();
    assert!(String::from_utf8(listed.stdout).unwrap().contains("invoices/march.txt"));

    for name in ["data.tar.zst.age", "index.jsonl.zst.age"] {
        let mut bytes = fs::read(folder.join(name)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(folder.join(name), &bytes).unwrap();
        let run = lab.run(&["verify", "nightly"]).expect_code(1);
        assert!(run.stdout.contains(name), "{run:?}");
        let id = folder.file_name().unwrap().to_str().unwrap();
        let id = format!("nightly@{id}");
        lab.run(&["restore", &id, "--identity", "age.key", "--to", "damaged"]).expect_code(1);
        assert!(!lab.path("damaged").exists());
        bytes[middle] ^= 1;
        fs::write(folder.join(name), &bytes).unwrap();
        lab.ok(&["verify", &id]);
    }
    // What was found and kept beside it names no file.
    let mut grep = Command::new("grep");
    assert!(grep.args(["-rla", "march"]).arg(&folder).output().unwrap().stdout.is_empty());
}

#[test]
fn one_file_comes_out_alone_and_a_restore_in_place_needs_the_identity_too() {
    let lab = lab();
    let public = age_pair(&lab, "age.key");
    let lab = encrypted_for(lab, &[&public]);
    lab.ok(&["backup"]);
    let file = lab.path("data/invoices/march.txt");
    let only = file.to_str().unwrap();
    let run = lab.ok(&[
        "restore",
        "nightly",
        "--identity",
        "age.key",
        "--only",
        only,
        "--to",
        "out",
        "--json",
    ]);
    assert_eq!(run.json()["result"]["restored"][0]["files"], 1);
    let restored = lab.path("out").join(file.strip_prefix("/").unwrap());
    assert_eq!(fs::read(restored).unwrap(), fs::read(&file).unwrap());
    let before = tree(&lab.path("data"));
    fs::remove_file(&file).unwrap();
    lab.run(&["restore", "nightly", "--in-place", "--yes"]).expect_code(2);
    lab.ok(&["restore", "nightly", "--in-place", "--yes", "--identity", "age.key"]);
    assert_eq!(tree(&lab.path("data")), before);
}

#[test]
fn a_lost_index_is_made_anew_encrypted_and_signed() {
    let lab = lab();
    let public = age_pair(&lab, "age.key");
    let sign = lab.ok(&["keygen", "sign", "--out", "sign.key"]).stdout;
    let lab = encrypted_for(lab, &[&public]).with_line(&format!(
        "signing = {{ key = {{ file = \"sign.key\" }}, trust = [{:?}] }}",
        sign.trim()
    ));
    lab.ok(&["backup"]);
    let folder = only_snapshot(&lab);
    fs::remove_file(folder.join("index.jsonl.zst.age")).unwrap();
    let id = format!("nightly@{}", folder.file_name().unwrap().to_str().unwrap());
    lab.run(&["verify", &id, "--rebuild-index"]).expect_code(2).says(&["no identity was given"]);
    lab.ok(&["verify", &id, "--rebuild-index", "--identity", "age.key"]);
    lab.ok(&["restore", "nightly", "--identity", "age.key", "--to", "out"]);
    assert_restored(&lab, "out");
    let verify = format!("minisign -Vq -P {} -m {}/manifest.json", sign.trim(), folder.display());
    shell(&lab, &verify);
}

#[test]
fn stock_minisign_believes_us_and_we_believe_it() {
    let lab = lab();
    let ours = lab.ok(&["keygen", "sign", "--out", "ours.key"]).stdout;
    shell(&lab, "minisign -GW -p theirs.pub -s theirs.key > /dev/null");
    let theirs = shell(&lab, "tail -n 1 theirs.pub");
    let trust = format!("trust = [{:?}, {theirs:?}]", ours.trim());
    let lab = lab.with_line(&format!("signing = {{ key = {{ file = \"ours.key\" }}, {trust} }}"));
    lab.ok(&["backup"]);
    let folder = only_snapshot(&lab);
    let manifest = folder.join("manifest.json");
    let shown = shell(&lab, &format!("minisign -VQ -P {} -m {}", ours.trim(), manifest.display()));
    let id = folder.file_name().unwrap().to_str().unwrap();
    assert_eq!(shown, format!("seaworthy nightly/{id}/manifest.json"));
    // Signed anew by the program itself, with its own key.
    fs::remove_file(folder.join("manifest.json.minisig")).unwrap();
    lab.run(&["restore", &format!("nightly@{id}"), "--to", "out"])
        .expect_code(1)
        .says(&["not signed"]);
    shell(&lab, &format!("minisign -S -s theirs.key -t x -m {} > /dev/null", manifest.display()));
    lab.ok(&["restore", "nightly", "--to", "out"]);
    assert_restored(&lab, "out");
    // Keys that we made sign for minisign, and those that minisign made sign for us.
    let again = format!("minisign -S -s ours.key -m {} > /dev/null", manifest.display());
    shell(&lab, &again);
    lab.ok(&["verify", "nightly"]);
    let config = fs::read_to_string(lab.path("seaworthy.toml")).unwrap();
    lab.write("seaworthy.toml", config.replace("ours.key", "theirs.key"));
    lab.ok(&["backup"]);
    let newest = lab.snapshots().pop().unwrap();
    shell(&lab, &format!("minisign -Vq -p theirs.pub -m {}/manifest.json", newest.display()));
    let run = lab.ok(&["snapshots"]);
    assert!(!run.stdout.contains("untrusted"), "{}", run.stdout);
}

#[test]
fn what_somebody_else_wrote_is_listed_and_restored_only_by_force() {
    let lab = lab();
    let public = lab.ok(&["keygen", "sign", "--out", "sign.key"]).stdout;
    let unsigned = fs::read_to_string(lab.path("seaworthy.toml")).unwrap();
    let lab = lab.with_line(&format!(
        "signing = {{ key = {{ file = \"sign.key\" }}, trust = [{:?}] }}\nkeep = {{ last = 1 }}",
        public.trim()
    ));
    lab.ok(&["backup"]);
    let signed = only_snapshot(&lab);
    let signed_id = signed.file_name().unwrap().to_str().unwrap().to_owned();
    // The same machine without the key: as somebody who can only write to the sink.
    let config = fs::read(lab.path("seaworthy.toml")).unwrap();
    lab.write("seaworthy.toml", unsigned);
    lab.write("data/evil", "evil");
    lab.ok(&["backup"]);
    lab.write("seaworthy.toml", config);
    let forged = lab.snapshots().pop().unwrap();
    let forged_id = forged.file_name().unwrap().to_str().unwrap().to_owned();
    assert_ne!(forged_id, signed_id);
    let listed = lab.ok(&["snapshots"]).stdout;
    let line = |id: &str| listed.lines().find(|line| line.contains(id)).unwrap().to_owned();
    assert!(line(&forged_id).contains("untrusted"), "{listed}");
    assert!(line(&signed_id).contains("good"), "{listed}");
    let shown = lab.ok(&["show", "nightly", "--json"]).json();
    assert_eq!(shown["result"]["snapshot"]["id"], signed_id.as_str());
    let forged_name = format!("nightly@{forged_id}");
    for arguments in [
        &["restore", &forged_name, "--to", "out"][..],
        &["verify", &forged_name],
        &["show", &forged_name],
    ] {
        lab.run(arguments).expect_code(1).says(&["cannot be trusted", "not signed", "--force"]);
    }
    assert!(!lab.path("out").exists());
    let run = lab.ok(&["restore", &forged_name, "--to", "out", "--force"]);
    run.says(&["cannot be trusted"]);
    // It is never removed, and does not push the signed one out.
    lab.ok(&["prune"]);
    assert_eq!(lab.snapshots().len(), 2);
    lab.ok(&["backup"]);
    let left = lab.snapshots();
    assert!(left.contains(&forged) && !left.contains(&signed), "{left:?}");
}

#[test]
fn a_key_is_private_and_never_overwritten() {
    use std::os::unix::fs::PermissionsExt;
    let lab = Lab::new();
    for kind in ["age", "sign"] {
        let public = lab.ok(&["keygen", kind, "--out", kind]).stdout;
        let before = fs::read(lab.path(kind)).unwrap();
        assert_eq!(fs::metadata(lab.path(kind)).unwrap().permissions().mode() & 0o777, 0o600);
        lab.run(&["keygen", kind, "--out", kind]).expect_code(1).says(&["already exists", "help:"]);
        assert_eq!(fs::read(lab.path(kind)).unwrap(), before);
        let json = lab.ok(&["keygen", kind, "--json"]).json();
        assert_eq!(json["result"]["kind"], kind);
        assert_ne!(json["result"]["public"], public.trim());
        let text = lab.ok(&["keygen", kind]).stdout;
        lab.write("printed", &text);
        match kind {
            "age" => assert!(text.contains(&shell(&lab, "age-keygen -y printed"))),
            _ => assert!(text.contains("public key: RW")),
        }
    }
    assert_eq!(shell(&lab, "age-keygen -y age"), {
        let text = fs::read_to_string(lab.path("age")).unwrap();
        text.lines().next().unwrap().trim_start_matches("# public key: ").to_owned()
    });
}
