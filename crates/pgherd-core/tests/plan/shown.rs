//! How a plan looks: as text and as a document.

use insta::{assert_json_snapshot, assert_snapshot};
use pgherd_core::diagnostic::{At, Diagnostic};
use pgherd_core::lint::{self, Intent};
use pgherd_core::plan::document::document;
use pgherd_core::plan::{self, Plan, Timing, text};
use pgherd_core::resource::{Id, Observed, Resource};
use pgherd_core::secret::Secret;
use pgherd_core::value::Value;
use pgherd_core::window::Window;

use super::{FAILOVER, KINDS, RESTART, list, live, map, planned, printed, saturday, wanted};

/// Something of everything: a create, changes now and later, a secret, a late value, deletes.
fn rich() -> Plan {
    let settings = wanted("settings", [("parameters", map([("max_connections", "200")]))]);
    let database = Resource {
        needs: vec![settings.id.clone()],
        ..wanted(
            "database",
            [
                ("class", "db.r5.xlarge".into()),
                ("password", Value::Secret(Secret::new("hunter3"))),
                ("storage_gib", 600.into()),
                ("tags", map([("Owner", "data platform"), ("Team", "db")])),
            ],
        )
    };
    let replica = Resource {
        id: Id::new("replica", "dev-1"),
        needs: vec![database.id.clone()],
        ..wanted("replica", [("class", Value::output(database.id.clone(), "class".to_owned()))])
    };
    let observed = [
        live("settings", [("parameters", map([("max_connections", "100")]))]),
        live(
            "database",
            [
                ("class", "db.r5.large".into()),
                ("password", Value::Secret(Secret::new("hunter2"))),
                ("storage_gib", 500.into()),
                ("tags", map([("Owner", ""), ("Team", "db")])),
            ],
        ),
        Observed { id: Id::new("replica", "dev-2"), ..live("replica", []) },
        Observed { id: Id::new("database", "dev-old"), ..live("database", []) },
    ];
    planned(&[settings, database, replica], &observed)
}

#[test]
fn a_rich_plan_as_text() {
    assert_snapshot!(printed(&rich()), @r#"
      ~ settings dev parameters.max_connections  100 -> 200                    Sun 04:00Z   restart ~20 s
      ~ database dev class                       db.r5.large -> db.r5.xlarge   Sun 04:00Z   failover ~60 s
      ~ database dev password                    (secret) -> (secret)          now          new connections
      ~ database dev storage_gib                 500 -> 600                    now          no impact
      ~ database dev tags.Owner                  "" -> "data platform"         now          no impact
      + replica dev-1                            created                       now
      - replica dev-2                            destroyed                     now
      - database dev-old                         destroyed, with its data      now
    error[data-loss]: database dev-old holds data and is no longer wanted by database_dev
      help: put it back into the block to keep it; `pgherd destroy` deletes it with all else of the block
    1 created, 5 changes, 2 destroyed. 6 now, 2 at Sun 2026-11-22 04:00 UTC. Nothing of it can be applied: 1 error.
    "#);
}

#[test]
fn a_rich_plan_as_a_document() {
    assert_json_snapshot!(document("0.1.0", &[rich()]));
}

#[test]
fn what_waits_for_a_restart_as_a_document() {
    let parameters = |value: &str| [("parameters", map([("max_connections", value)]))];
    let plan = planned(&[wanted("group", parameters("200"))], &[live("group", parameters("100"))]);
    let shown = document("0.1.0", &[plan]);
    assert_json_snapshot!((&shown.plans[0].steps[0].changes, &shown.summary), @r#"
    [
      [
        {
          "field": "parameters.max_connections",
          "from": "100",
          "to": "200",
          "impact": {
            "kind": "restart",
            "about_s": 20
          },
          "when": "restart"
        }
      ],
      {
        "created": 0,
        "changes": 1,
        "destroyed": 0,
        "now": 0,
        "in_window": 0,
        "at_restart": 1,
        "window_opens": null,
        "worst_now": null,
        "worst_in_window": null,
        "errors": 0
      }
    ]
    "#);
}

/// One that was saved by a version that knew of no such changes can be read.
#[test]
fn a_sum_without_changes_at_a_restart_has_none() {
    let mut json = serde_json::to_value(lint::summary(&[rich()])).expect("serialises");
    let at_restart = json.as_object_mut().and_then(|fields| fields.remove("at_restart"));
    let read: lint::Summary = serde_json::from_value(json).expect("the field may be missing");
    assert_eq!((at_restart, read), (Some(0.into()), lint::summary(&[rich()])));
}

#[test]
fn one_changed_resource_needs_no_name() {
    let want = wanted("database", [("class", "large".into()), ("storage_gib", 600.into())]);
    let found = live("database", [("class", "small".into()), ("storage_gib", 500.into())]);
    assert_snapshot!(printed(&planned(&[want], &[found])), @r"
      ~ class        small -> large   Sun 04:00Z   failover ~60 s
      ~ storage_gib  500 -> 600       now          no impact
    2 changes, 0 destroyed. 1 now, 1 at Sun 2026-11-22 04:00 UTC.
    ");
}

#[test]
fn long_values_stand_below_each_other() {
    let ranges = ["10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16", "192.168.0.0/24"];
    let want = wanted("network", [("cidrs", list(ranges))]);
    let found = live("network", [("cidrs", list(["10.0.0.0/16", "10.1.0.0/16", "172.16.0.0/12"]))]);
    assert_snapshot!(printed(&planned(&[want], &[found])), @r"
      ~ cidrs  changed   now   no impact
          from [10.0.0.0/16, 10.1.0.0/16, 172.16.0.0/12]
            to [10.0.0.0/16, 10.1.0.0/16, 10.2.0.0/16, 192.168.0.0/24]
    1 change, 0 destroyed. 1 now.
    ");
}

#[test]
fn what_is_created_is_listed_when_asked_for() {
    let tags = map([("Owner", "data platform")]);
    let want = wanted("database", [("class", "small".into()), ("tags", tags), ("policy", map([]))]);
    let plan = planned(&[want], &[]);
    let lines: Vec<_> = text::lines(&plan, true).into_iter().map(|line| line.text).collect();
    assert_snapshot!(lines.join("\n"), @r#"
    + database dev  created   now
        class = small
        policy = {}
        tags.Owner = "data platform"
    "#);
}

#[test]
fn what_nobody_wrote_of_what_is_created_is_shown() {
    let want = wanted("database", [("class", "small".into())]);
    let mut plan = planned(std::slice::from_ref(&want), &[]);
    plan.derived.insert(want.id, vec!["force_ssl = 1".to_owned()]);
    let lines: Vec<_> = text::lines(&plan, false).into_iter().map(|line| line.text).collect();
    assert_eq!(lines, ["  + database dev  created   now", "      force_ssl = 1"]);
}

#[test]
fn several_plans_have_one_sum() {
    let one = wanted("database", [("class", "large".into())]);
    let found = live("database", [("class", "small".into())]);
    let plans = [planned(&[one], &[found]), planned(&[wanted("network", [])], &[]), planned(&[], &[])];
    assert_snapshot!(lint::summary(&plans), @"1 created, 1 change, 0 destroyed. 1 now, 1 at Sun 2026-11-22 04:00 UTC.");
}

/// A change of a class that waits for the window of another day, beside one of another database.
#[test]
fn a_sum_has_the_first_window_and_the_worst_impacts() {
    let change = |field: &str, from: &str, to: &str, timing: &Timing| {
        let (want, found) = (wanted("database", [(field, to.into())]), live("database", [(field, from.into())]));
        plan::plan(&KINDS, "database_dev", &[want], &[found], timing)
    };
    let monday = Timing { window: Window::parse_weekly("mon:04:00-mon:05:00").expect("a window"), ..saturday() };
    let now = Timing { apply_now: true, ..saturday() };
    let plans = [
        change("class", "a", "b", &monday),
        change("version", "15.1", "15.2", &saturday()),
        change("class", "a", "b", &monday),
        change("version", "15.1", "15.2", &now),
        change("password", "a", "b", &now),
    ];
    let sum = lint::summary(&plans);
    assert_eq!((sum.worst_in_window, sum.worst_now), (Some(FAILOVER), Some(RESTART)));
    assert_eq!(sum.window_opens.map(|opens| opens.to_string()).as_deref(), Some("2026-11-22T04:00:00Z"));
    assert_snapshot!(sum, @"5 changes, 0 destroyed. 2 now, 3 at Sun 2026-11-22 04:00 UTC.");
}

#[test]
fn a_sum_counts_errors_and_not_warnings() {
    let told = |diagnostics: Vec<Diagnostic>| lint::summary(&[Plan { diagnostics, ..planned(&[], &[]) }]);
    let (error, warning) = (Diagnostic::error("a", "a"), Diagnostic::warning("b", "b"));
    assert_snapshot!(told(vec![warning.clone()]), @"No changes.");
    assert_snapshot!(told(vec![error.clone(), warning]), @"Nothing can be applied: 1 error.");
    assert_snapshot!(told(vec![error.clone(), error]), @"Nothing can be applied: 2 errors.");
}

/// Leave to lose data is no leave to override protection, and nothing but those two is a refusal.
#[test]
fn what_is_protected_stays_whoever_may_lose_data() {
    let protected = Observed { protected: true, ..live("database", []) };
    let codes = |seen: &Observed, allow_data_loss: bool| {
        let plan = planned(&[], std::slice::from_ref(seen));
        let said = lint::lint(&plan, Intent { allow_data_loss });
        assert!(said.iter().all(lint::is_refusal));
        said.iter().map(|diagnostic| (diagnostic.code, format!("{:?}", diagnostic.at))).collect::<Vec<_>>()
    };
    let at = |path: &str| format!("{:?}", At::Variable { block: "database_dev".to_owned(), path: path.to_owned() });
    let guarded = (lint::PROTECTED, at("enable_deletion_protection"));
    assert_eq!(codes(&protected, false), [(lint::DATA_LOSS, at("")), guarded.clone()]);
    assert_eq!(codes(&protected, true), [guarded]);
    assert_eq!(codes(&live("database", []), true), []);
    assert_eq!(codes(&live("replica", []), false), []);
    assert!(!lint::is_refusal(&Diagnostic::error("stale-plan", "it moved")));
}
