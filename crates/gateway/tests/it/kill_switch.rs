//! `keys revoke` and `companies suspend` beside a running gateway, also while the request log cannot be written.

use crate::support::{Caller, Gateway, Site, eventually, text};

/// Runs a command, and returns what it printed.
fn run(site: &Site, arguments: &[&str]) -> String {
    let output = site.command(arguments).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Waits until the key gets that status; the cache of keys is older than it by at most its TTL.
async fn becomes(gateway: &Gateway, key: &str, status: u16) {
    let caller = Caller::new(key);
    eventually("the status of a key", async || {
        (caller.get(gateway, "/projects").await.unwrap().status == status).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_key_and_a_company_are_stopped_while_the_log_cannot_be_written() {
    let site = Site::new().await;
    let (leaked, other) = (site.key("operator"), site.key("viewer"));
    let acme = run(&site, &["companies", "create", "--name", "acme"]);
    let of_acme = site.key_for("viewer", acme.trim());
    let mut command = site.command(&["serve"]);
    command.env("DBT_GATEWAY__API_KEYS__MAX_AGE_MS", "100");
    let gateway = Gateway::start(command);
    becomes(&gateway, &leaked, 200).await;
    // Company 2 has no account.
    becomes(&gateway, &of_acme, 404).await;

    let listed = run(&site, &["keys", "list"]);
    let beginning = &leaked[..12];
    let line = listed.lines().find(|line| line.contains(beginning)).unwrap();
    assert!(line.contains("\toperator\tactive\t"), "{listed}");
    assert!(!listed.contains(&leaked) && !run(&site, &["keys", "list", "--company", acme.trim()]).contains(beginning));

    site.execute("ALTER TABLE request_log RENAME TO unwritable");
    let revoked = run(&site, &["keys", "revoke", beginning]);
    assert!(
        revoked.contains(beginning) && revoked.contains("within 5 seconds"),
        "{revoked}"
    );
    let suspended = run(&site, &["companies", "suspend", acme.trim()]);
    assert!(suspended.contains("suspended"), "{suspended}");
    becomes(&gateway, &leaked, 401).await;
    becomes(&gateway, &of_acme, 403).await;
    let answer = Caller::new(&of_acme).get(&gateway, "/projects").await.unwrap();
    assert!(answer.body.contains("/problems/company-suspended"), "{}", answer.body);
    site.execute("ALTER TABLE unwritable RENAME TO request_log");

    becomes(&gateway, &other, 200).await;
    assert!(run(&site, &["companies", "list"]).contains("\tsuspended\t"));
    run(&site, &["companies", "resume", acme.trim()]);
    becomes(&gateway, &of_acme, 404).await;
    for (arguments, words) in [
        (&["keys", "revoke", "dgw_00000000"][..], "no such key"),
        (&["companies", "suspend", "4711"], "no company 4711"),
    ] {
        let refused = site.command(arguments).output().unwrap();
        assert!(
            !refused.status.success() && text(&refused).contains(words),
            "{}",
            text(&refused)
        );
    }
    let id = listed
        .lines()
        .find(|line| line.contains(&other[..12]))
        .unwrap()
        .split('\t')
        .next()
        .unwrap();
    run(&site, &["keys", "revoke", id]);
    becomes(&gateway, &other, 401).await;
    gateway.stop();
}
