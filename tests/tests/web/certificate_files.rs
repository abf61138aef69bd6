//! The files of certificates: whose they are, who may read them, and where servers find them.

use std::{fs, os::unix::fs::PermissionsExt};

use seaworthy_tests::Lab;

const OWN: &str = "state = \"state\"\n[tls]\nstore = \"tls\"\n[ca.own]\ntype = \"local\"\n\
                   [certificate.api]\nnames = [\"api.example.com\"]\nca = [\"own\"]\n";

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_store_of_somebody_else_is_said_before_anything_is_begun() {
    let lab = Lab::new().with_config(OWN).unprivileged();
    // As after a first run with sudo.
    let store = lab.path("tls");
    fs::create_dir(&store).unwrap();
    fs::set_permissions(&store, fs::Permissions::from_mode(0o755)).unwrap();
    let run = lab.run(&["cert", "issue"]).expect_code(1);
    assert!(run.stderr.contains("tls/versions/api"), "{}", run.stderr);
    assert!(run.stderr.contains("chown -R"), "{}", run.stderr);
    assert!(!lab.path("state/tls/api/pending-key.pem").exists());
    assert!(!run.stdout.contains("panicked"));

    // With the right to write there it works, and only its owner can read the key.
    std::os::unix::fs::chown(&store, Some(65534), Some(65534)).unwrap();
    lab.ok(&["cert", "issue"]);
    assert_eq!(mode(&lab.path("tls/live/api/privkey.pem")), 0o600);
}

#[test]
fn a_key_that_others_may_read_is_found_with_what_to_do() {
    let lab = Lab::new().with_config(OWN);
    lab.ok(&["cert", "issue"]);
    lab.ok(&["cert", "check"]);
    let key = fs::canonicalize(lab.path("tls/live/api/privkey.pem")).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let found = lab.run(&["cert", "check"]).expect_code(1).stdout;
    assert!(
        found.contains(&format!("other users can read {}: run chmod 600", key.display())),
        "{found}"
    );
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    lab.ok(&["cert", "check"]);
}

/// Somebody else issues; our paths lead to what they wrote, and servers need to know no others.
#[test]
fn what_somebody_else_issues_lies_at_our_paths_too() {
    let issuer = Lab::new().with_config(OWN);
    issuer.ok(&["cert", "issue"]);
    let theirs = |file: &str| fs::read(issuer.path("tls/live/api").join(file)).unwrap();
    let config = "state = \"state\"\n[tls]\nstore = \"tls\"\n[certificate.api]\nnames = [\"api.example.com\"]\n\
                  external = { chain = \"their.pem\", key = \"their.key\" }\n\
                  [site.api]\nhosts = [\"api.example.com\"]\ncertificate = \"api\"\n\
                  routes = [{ path = \"/\", files = { root = \"/srv/api\" } }]\n";
    let lab = Lab::new().with_config(config);
    for _ in 0..2 {
        lab.write("their.pem", theirs("fullchain.pem"));
        // Ours is for its owner alone, however theirs is.
        let key = lab.write("their.key", theirs("privkey.pem"));
        fs::set_permissions(key, fs::Permissions::from_mode(0o644)).unwrap();
        lab.ok(&["cert", "renew"]);
        for file in ["fullchain.pem", "privkey.pem", "cert.pem", "chain.pem"] {
            let ours = lab.path("tls/live/api").join(file);
            assert_eq!(fs::read(&ours).unwrap(), theirs(file), "{file}");
        }
        assert_eq!(mode(&lab.path("tls/live/api/privkey.pem")), 0o600);
        lab.ok(&["cert", "check"]);
        lab.run(&["cert", "renew", "--detailed-exit-code"]).expect_code(4);
        issuer.ok(&["cert", "issue", "--force"]);
    }
    let rendered = lab.run(&["proxy", "render"]).stdout;
    assert!(rendered.contains("tls/live/api/fullchain.pem"), "{rendered}");
    // Half of a new pair takes nothing away.
    let before = fs::read(lab.path("tls/live/api/fullchain.pem")).unwrap();
    lab.write("their.pem", theirs("fullchain.pem"));
    let run = lab.run(&["cert", "renew"]).expect_code(1);
    assert!(run.stderr.contains("another key"), "{}", run.stderr);
    assert_eq!(fs::read(lab.path("tls/live/api/fullchain.pem")).unwrap(), before);
}
