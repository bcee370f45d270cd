//! What the program is careful about with real databases: that no data goes unasked, and that what it says is so.

use crate::live::{block, live};
use crate::terminal::Terminal;

#[test]
fn a_saved_destruction_asks_for_the_name_as_destroy_does() {
    let Some(live) = live("a_saved_destruction_asks_for_the_name_as_destroy_does") else { return };
    live.0.write("database.hcl", block("orders", ""));
    let _ = live.run("up").with_code(0);
    let _ = live.run("plan --destroy -o end").with_code(0);
    let refused = live.run("apply end --yes").with_code(4);
    assert!(refused.stderr.contains("add --confirm orders to agree"), "{}", refused.transcript());
    assert_eq!(live.sql("select 1"), "1\n");
    let _ = live.run("apply end --confirm orders").with_code(0);
    let _ = live.run("status").with_code(5);
}

#[test]
fn up_starts_what_is_stopped_or_about_to_be() {
    let Some(live) = live("up_starts_what_is_stopped_or_about_to_be") else { return };
    live.0.write("database.hcl", block("orders", ""));
    let _ = live.run("up").with_code(0);
    let _ = live.run("down --no-wait").with_code(3);
    let _ = live.run("up").with_code(0);
    assert_eq!(live.sql("select 1"), "1\n");

    let _ = live.run("down").with_code(0);
    assert!(live.run("plan").with_code(0).stdout.contains("it is stopped; up starts it"));
    let dry = live.run("up --dry-run").with_code(0);
    assert!(dry.stderr.contains("would start orders"), "{}", dry.transcript());
    assert!(live.run("status").with_code(0).stdout.contains("stopped"));
    let _ = live.run("up --no-wait").with_code(3);
    let _ = live.run("up").with_code(0);
    assert_eq!(live.sql("select 1"), "1\n");
}

#[test]
fn whoever_asks_for_what_is_being_made_joins_in() {
    let Some(live) = live("whoever_asks_for_what_is_being_made_joins_in") else { return };
    live.0.write("database.hcl", block("orders", ""));
    let _ = live.run("up --no-wait").with_code(3);
    // The keeper says what it is busy with until it has settled down, so a look never finds the making half done.
    let status = live.run("status").with_code(0).stdout;
    assert!(!status.contains("half-made"), "{status}");
    let _ = live.run("up").with_code(0);
    assert_eq!(live.sql("select 1"), "1\n");
}

#[test]
fn a_setting_changes_from_what_is_in_force_and_back_to_its_default() {
    let Some(live) = live("a_setting_changes_from_what_is_in_force_and_back_to_its_default") else { return };
    live.0.write("database.hcl", block("orders", ""));
    let _ = live.run("up").with_code(0);
    let own = live.sql("show max_connections").trim().to_owned();
    live.0.write("database.hcl", block("orders", r#"{ name = "max_connections", value = "150" }"#));
    let plan = live.run("plan").with_code(0).stdout;
    assert!(plan.contains(&format!("parameters.max_connections  {own} -> 150")), "{plan}");
    let _ = live.run("apply --yes").with_code(3);
    let waiting = live.run("plan").with_code(0).stdout;
    assert!(waiting.contains("parameters.max_connections was accepted and waits for a restart"), "{waiting}");
    let _ = live.run("apply --yes --now").with_code(0);

    live.0.write("database.hcl", block("orders", ""));
    let plan = live.run("plan").with_code(0).stdout;
    assert!(plan.contains("parameters.max_connections  150 -> (default)"), "{plan}");
    let _ = live.run("apply --yes --now").with_code(0);
    assert_eq!(live.sql("show max_connections").trim(), own);
    assert!(live.run("plan").with_code(0).stdout.contains("nothing to do"));
}

#[test]
fn a_plan_names_the_server_that_runs_and_output_has_a_line_for_each_setting() {
    let Some(live) = live("a_plan_names_the_server_that_runs_and_output_has_a_line_for_each_setting") else { return };
    live.0.write("database.hcl", block("orders", ""));
    let before = live.run("plan").with_code(0).stdout;
    let _ = live.run("up").with_code(0);
    let runs = live.sql("select split_part(current_setting('server_version'), ' ', 1)");
    let heading = format!("orders  local  PostgreSQL {runs}");
    assert!(before.starts_with(&heading), "{before}");
    let after = live.run("plan").with_code(0).stdout;
    assert!(after.starts_with(&heading), "{after}");
    let effective = live.run("output effective").with_code(0).stdout;
    assert!(effective.starts_with("effective = {\n") && effective.contains("\n  allocated_storage = "), "{effective}");
}

#[test]
fn ctrl_d_in_a_question_is_a_no_on_a_line_of_its_own() {
    let Some(live) = live("ctrl_d_in_a_question_is_a_no_on_a_line_of_its_own") else { return };
    live.0.write("database.hcl", block("orders", ""));
    let mut terminal = Terminal::start(&live.0, &["apply"]);
    terminal.expect("[y/N]: ").type_keys("\u{4}");
    let screen = terminal.end();
    assert!(screen.ends_with("[y/N]: \nerror: not confirmed, nothing was done\n-- exit 4\n"), "{screen}");
}
