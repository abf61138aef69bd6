//! Whether CAA records allow an authority to issue (RFC 8659, RFC 8657).

use seaworthy_core::Result;

use crate::{ChallengeKind, Resolver, resolve::Caa};

/// Who wants to issue.
pub(super) struct Asker<'a> {
    /// What the authority calls itself in CAA records.
    pub(super) identities: &'a [String],
    /// Our account there, once there is one.
    pub(super) account: Option<&'a str>,
    pub(super) kind: ChallengeKind,
}

/// The records that apply to `name`: those of the nearest parent name that has any.
pub(super) async fn climb(resolver: &Resolver, name: &str) -> Result<Option<(String, Vec<Caa>)>> {
    let mut rest = Some(name);
    while let Some(zone) = rest {
        let records = resolver.caa(zone).await?;
        if !records.is_empty() {
            return Ok(Some((zone.to_owned(), records)));
        }
        rest = zone.split_once('.').map(|(_, above)| above);
    }
    Ok(None)
}

/// Why `records` forbid `asker` to issue; `None` if they do not.
pub(super) fn forbids(records: &[Caa], wildcard: bool, asker: &Asker<'_>) -> Option<String> {
    let known = ["issue", "issuewild", "iodef", "contactemail", "contactphone", "issuemail"];
    if let Some(odd) = records.iter().find(|r| r.critical && !known.contains(&r.tag.as_str())) {
        return Some(format!("the critical property {:?} is unknown", odd.tag));
    }
    let with = |tag: &str| -> Vec<&str> {
        records.iter().filter(|r| r.tag == tag).map(|r| r.value.as_str()).collect()
    };
    let wild = with("issuewild");
    let relevant = if wildcard && !wild.is_empty() { wild } else { with("issue") };
    if relevant.is_empty() {
        return None;
    }
    let mut why = format!("only {} may issue", relevant.join(", "));
    for value in relevant {
        let mut parts = value.split(';').map(str::trim);
        let domain = parts.next().unwrap_or_default();
        if !asker.identities.iter().any(|own| own.eq_ignore_ascii_case(domain)) {
            continue;
        }
        match parts.find_map(|part| refused(part, asker)) {
            None => return None,
            Some(refused) => why = refused,
        }
    }
    Some(why)
}

/// Why a parameter such as `validationmethods=dns-01` refuses us.
fn refused(parameter: &str, asker: &Asker<'_>) -> Option<String> {
    let (name, value) = parameter.split_once('=')?;
    let value = value.trim();
    match name.trim().to_ascii_lowercase().as_str() {
        "validationmethods" => {
            let allowed = value.split(',').any(|method| method.trim() == asker.kind.as_str());
            (!allowed).then(|| format!("it requires {value}, not {}", asker.kind))
        }
        // Before there is an account this cannot be known.
        "accounturi" => asker
            .account
            .filter(|account| *account != value)
            .map(|account| format!("it requires the account {value}, not {account}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caa(tag: &str, value: &str) -> Caa {
        Caa { critical: false, tag: tag.into(), value: value.into() }
    }

    fn verdict(records: &[Caa], wildcard: bool) -> Option<String> {
        let identities = ["letsencrypt.org".to_owned()];
        let asker = Asker {
            identities: &identities,
            account: Some("https://ca/acct/1"),
            kind: ChallengeKind::Http01,
        };
        forbids(records, wildcard, &asker)
    }

    #[test]
    fn issue_and_issuewild_decide() {
        assert_eq!(verdict(&[caa("iodef", "mailto:a@b.c")], false), None);
        assert_eq!(verdict(&[caa("issue", "LetsEncrypt.org")], false), None);
        assert_eq!(
            verdict(&[caa("issue", "other.example"), caa("issue", "letsencrypt.org")], true),
            None
        );
        assert!(
            verdict(&[caa("issue", "other.example")], false).unwrap().contains("other.example")
        );
        assert!(verdict(&[caa("issue", ";")], false).is_some());
        let mixed = [caa("issue", "letsencrypt.org"), caa("issuewild", ";")];
        assert_eq!(verdict(&mixed, false), None);
        assert!(verdict(&mixed, true).is_some());
        assert_eq!(verdict(&[caa("issuewild", ";")], false), None);
    }

    #[test]
    fn accounts_methods_and_critical_properties_decide_too() {
        let one = |parameters: &str| {
            verdict(&[caa("issue", &format!("letsencrypt.org; {parameters}"))], false)
        };
        assert_eq!(one("accounturi=https://ca/acct/1"), None);
        assert!(one("accounturi=https://ca/acct/2").unwrap().contains("acct/2"));
        assert_eq!(one("validationmethods=dns-01,http-01"), None);
        assert!(one("validationmethods=dns-01").unwrap().contains("http-01"));
        let odd = Caa { critical: true, tag: "tbs".into(), value: String::new() };
        assert!(verdict(&[odd], false).unwrap().contains("critical"));
    }
}
