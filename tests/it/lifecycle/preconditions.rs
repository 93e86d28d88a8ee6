//! What an app has against ending somebody's access by hand: it is asked first, and whoever insists is written down.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use super::{World, disables};
use crate::kit::{Answer, Bridge, Settings, Stub, answer, with_json};
use crate::push::{StubApp, file, publish, user};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async fn terminate(world: &World, number: usize, order: &Value) -> (u16, Value) {
    let id = world.user(number).await["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/users/{id}/terminate");
    let answered = answer(with_json(world.bridge.request(Method::POST, &path), order)).await;
    world.bridge.drain().await;
    answered
}

async fn audited(bridge: &Bridge) -> i64 {
    let trail = "SELECT count(*) FROM audit_entry WHERE action = 'user.terminate'";
    bridge.count(trail).await
}

/// A world in which two apps are asked, and one is not.
async fn world() -> (World, Stub) {
    let mut world = World::new(&json!({ "zone": "Europe/Berlin" })).await;
    world.read().await;
    let vouchers = Stub::start().await;
    for name in ["club", "meals"] {
        let ask = json!({
            "hook_secret": SECRET,
            "termination": { "ask": format!("{}/{name}", vouchers.base_url) },
        });
        world.app(name, &ask).await;
    }
    world.app("mail", &json!({})).await;
    (world, vouchers)
}

fn no(reason: &str) -> Answer {
    Answer::json(200, &json!({ "allow": false, "reason": reason }))
}

fn yes() -> Answer {
    Answer::json(200, &json!({ "allow": true }))
}

/// Every app with a say is asked before anything is done, in a signed call; a veto ends it, with the app and its reason.
#[tokio::test(flavor = "multi_thread")]
async fn prob_33_an_admin_ends_it_at_once_unless_an_app_names_a_reason_against_it() {
    let (world, vouchers) = world().await;
    vouchers.on("POST", "/club", no("a voucher was chosen"));
    vouchers.on("POST", "/meals", yes());
    let order = json!({ "reason": "agreed" });
    let (status, said) = terminate(&world, 3, &order).await;
    assert_eq!(
        (status, &said["objections"]),
        (
            409,
            &json!([{ "app": "club", "vetoed": true, "reason": "a voucher was chosen" }])
        ),
        "{said}"
    );
    let detail = said["detail"].as_str().unwrap();
    assert!(
        detail.contains("app club says no: a voucher was chosen") && detail.contains("force"),
        "{detail}"
    );
    assert!(world.is_active(3).await, "nothing is done");
    for app in ["club", "meals", "mail"] {
        assert!(world.sent(app).is_empty(), "{app}");
    }
    assert_eq!(audited(&world.bridge).await, 0);
    let ended = "SELECT count(*) FROM person WHERE suspended IS NOT NULL";
    assert_eq!(world.bridge.count(ended).await, 0);

    let mut calls = vouchers.take_received();
    calls.sort_by(|a, b| a.path.cmp(&b.path));
    assert_eq!(calls.len(), 2, "the app without [termination] is not asked");
    let call = &calls[0];
    let header = |name: &str| call.header(name).unwrap_or_default().to_owned();
    let signed = format!(
        "{}.{}.{}",
        header("webhook-id"),
        header("webhook-timestamp"),
        String::from_utf8_lossy(&call.body)
    );
    let key = STANDARD.decode(SECRET.trim_start_matches("whsec_")).unwrap();
    let digest = scim_bridge::base::keyed_digest(&key, signed.as_bytes());
    assert_eq!(
        header("webhook-signature"),
        format!("v1,{}", STANDARD.encode(digest))
    );
    assert!(call.header("authorization").is_none(), "the app's token stays");
    let (told, person) = (call.json(), world.user(3).await);
    assert_eq!(
        (&told["type"], &told["data"]["app"], &told["data"]["last_day"]),
        (&json!("account.termination"), &json!("club"), &Value::Null)
    );
    assert_eq!(
        (
            &told["data"]["user"],
            &told["data"]["userName"],
            &told["data"]["remote_id"]
        ),
        (
            &person["id"],
            &json!("p3@x.example"),
            &world.held("club", 3)["id"]
        )
    );
    assert!(
        !told.to_string().contains("agreed"),
        "the admin's reason is not for apps"
    );

    // The voucher is gone: it goes through, in every app.
    vouchers.on("POST", "/club", yes());
    let (status, said) = terminate(&world, 3, &order).await;
    assert_eq!(status, 200, "{said}");
    assert!(!world.is_active(3).await);
    for app in ["club", "meals", "mail"] {
        assert!(disables(&world.sent(app)), "{app}");
    }
    // A day to come is asked about too, and named; calling off and suspending are nobody's to forbid.
    vouchers.take_received();
    vouchers.on("POST", "/club", no("a voucher was chosen"));
    let (status, _) = terminate(&world, 4, &json!({ "on": "2026-12-10" })).await;
    assert_eq!(status, 409);
    let asked = vouchers.take_received();
    assert!(
        asked
            .iter()
            .all(|call| call.json()["data"]["last_day"] == "2026-12-10")
    );
    let id = world.user(4).await["id"].as_str().unwrap().to_owned();
    world
        .bridge
        .post(&format!("/api/v1/users/{id}/suspend"), &json!({}))
        .await;
    let path = format!("/api/v1/users/{id}/terminate");
    assert_eq!(answer(world.bridge.request(Method::DELETE, &path)).await.0, 200);
    assert!(vouchers.received().is_empty());
}

/// No answer is not a yes; whoever insists needs a reason, and what was said against it is kept. No transaction is open
/// while an app is asked.
#[tokio::test(flavor = "multi_thread")]
async fn prob_33_no_answer_is_no_consent_and_whoever_insists_is_written_down() {
    let (world, vouchers) = world().await;
    vouchers.on("POST", "/meals", yes());
    for (strange, said) in [
        (Answer::status(503), "503"),
        (Answer::json(200, &json!({ "ok": true })), "no `allow`"),
        (Answer::text(200, "text/html", "<p>hello</p>"), "no `allow`"),
    ] {
        vouchers.on("POST", "/club", strange);
        let (status, body) = terminate(&world, 3, &json!({})).await;
        assert_eq!(
            (
                status,
                &body["objections"][0]["vetoed"],
                body["objections"].as_array().unwrap().len()
            ),
            (409, &json!(false), 1),
            "{body}"
        );
        let detail = body["detail"].as_str().unwrap();
        assert!(
            detail.contains("app club cannot be asked") && detail.contains(said),
            "{detail}"
        );
    }
    assert!(world.is_active(3).await);

    vouchers.on("POST", "/club", no("a voucher was chosen"));
    let (status, body) = terminate(&world, 3, &json!({ "force": true, "reason": " " })).await;
    assert_eq!(status, 422, "{body}");
    // Slow enough to look into the database meanwhile.
    let mut slow = no("a voucher was chosen");
    slow.after = std::time::Duration::from_millis(1_500);
    vouchers.on("POST", "/club", slow);
    vouchers.take_received();
    let rows = world.bridge.rows().await;
    let open = async {
        while vouchers.received().is_empty() {
            tokio::task::yield_now().await;
        }
        let idle = "SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
        let held: i64 = rows.query_one(idle, &[]).await.unwrap().get(0);
        held
    };
    let order = json!({ "force": true, "reason": "fraud" });
    let ((status, body), open) = tokio::join!(terminate(&world, 3, &order), open);
    assert_eq!((status, open), (200, 0), "{body}");
    assert!(!world.is_active(3).await);
    assert!(disables(&world.sent("club")));
    let kept = "SELECT count(*) FROM audit_entry WHERE action = 'user.terminate' AND detail ->> 'reason' = 'fraud'
                AND detail -> 'overruled' = '[{\"app\": \"club\", \"vetoed\": true, \"reason\": \"a voucher was chosen\"}]'";
    assert_eq!(world.bridge.count(kept).await, 1);
    assert_eq!(audited(&world.bridge).await, 1);

    // From the command line: refused with the reason, and gone through with.
    let id = world.user(4).await["id"].as_str().unwrap().to_owned();
    vouchers.on("POST", "/club", no("a voucher was chosen"));
    let run = async |more: &[&str]| {
        let mut words = vec!["user", "terminate", &id, "--now"];
        words.extend(more);
        let output = crate::push::command_line::run(&world.bridge, &words).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    let (code, said) = run(&[]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("app club says no: a voucher was chosen"), "{said}");
    let (code, said) = run(&["--force"]).await;
    assert_eq!(code, Some(2), "a reason is needed: {said}");
    let (code, said) = run(&["--force", "--reason", "fraud"]).await;
    assert_eq!(code, Some(0), "{said}");
    world.bridge.drain().await;
    assert!(!world.is_active(4).await);
}

/// Neither what is asked before an end nor a step of deprovisioning reaches an address inside the network.
#[tokio::test(flavor = "multi_thread")]
async fn hooks_never_reach_a_private_address() {
    let bridge = Bridge::spawn_with(Settings {
        allow_private_targets: false,
        ..Settings::default()
    })
    .await;
    let inside = Stub::start().await;
    inside.rule(|_| Some(yes()));
    let app = StubApp::start().await;
    let anna = user(&bridge, "anna@x", &json!({})).await;
    let hooks = json!({
        "hook_secret": SECRET,
        "termination": { "ask": format!("{}/may-end", inside.base_url) },
        "deprovision": { "leaver": [{ "do": "hook", "url": format!("{}/cards", inside.base_url) }] },
    });
    publish(&bridge, &file("app", &app.stub.base_url, &hooks)).await;
    bridge.drain().await;
    assert!(app.stub.received().is_empty(), "the app is inside too");
    // As if the app were outside and had made the account.
    bridge
        .rows()
        .await
        .batch_execute(
            "UPDATE app SET matched_at = now(), resume_at = NULL, failures = 0, trouble = NULL;
             UPDATE account SET remote_id = 'a1', state = 'in_sync', reason = '', look = true, due_at = NULL,
                                acknowledged_at = now(), known = '{\"userName\": \"anna@x\", \"active\": true}';
             UPDATE resource SET active = false, body = jsonb_set(body::jsonb, '{active}', 'false')::json WHERE kind = 'User'",
        )
        .await
        .unwrap();
    let path = format!("/api/v1/users/{anna}/terminate");
    let (status, body) = answer(with_json(bridge.request(Method::POST, &path), &json!({}))).await;
    assert_eq!(
        (status, &body["objections"][0]["vetoed"]),
        (409, &json!(false)),
        "{body}"
    );
    let reason = body["objections"][0]["reason"].as_str().unwrap().to_lowercase();
    assert!(reason.contains("private"), "{reason}");
    bridge.drain().await;
    let refused =
        "SELECT count(*) FROM account WHERE reason LIKE 'the hook of step leaver.0 failed%private%'";
    assert_eq!(bridge.count(refused).await, 1);
    assert!(inside.received().is_empty());
}
