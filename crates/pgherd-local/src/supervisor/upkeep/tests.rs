use super::*;

fn now() -> Timestamp {
    "2026-11-21T22:00:00Z".parse().expect("a time")
}

/// An instance that serves; the window is closed.
fn view(servers: Servers) -> View {
    View {
        now: now(),
        servers,
        data_missing: false,
        learned: true,
        start_failed: false,
        restart_pending: false,
        renew_tls_at: None,
        window: Window::parse_weekly("sun:04:00-sun:05:00").expect("a window"),
        used_bytes: None,
        max_gib: None,
    }
}

fn serving() -> Memory {
    Memory { prepared: true, made: true, configured: true, proven: true, settled: true, ..Memory::new(20) }
}

#[track_caller]
fn check(view: &View, memory: &Memory, expected: Option<Step>) -> Memory {
    let (next, step, _) = decide(view, memory);
    assert_eq!(step, expected);
    next
}

#[test]
fn a_new_instance_is_made_step_by_step() {
    let mut memory = Memory::new(20);
    let mut seen = view(Servers::Down);
    assert!(!memory.serves(), "no server is started before it is chosen");
    for (step, servers) in [
        (Step::Prepare, Servers::Down),
        (Step::Configure, Servers::Serve),
        // It learns as it goes.
        (Step::Settle, Servers::Serve),
    ] {
        seen.learned = false;
        memory = done(step, &check(&seen, &memory, Some(step)));
        seen = view(servers);
    }
    assert_eq!(check(&seen, &memory, None), Memory { proven: false, ..serving() });
}

#[test]
fn nothing_is_done_to_an_instance_that_serves() {
    assert_eq!(check(&view(Servers::Serve), &serving(), None), serving());
}

#[test]
fn a_restart_that_waits_is_not_forgotten_while_nothing_is_known_of_the_server() {
    let waits =
        Memory { restart: Restart::InWindow, settled: false, retry_after: Some(now() + RETRY_EVERY), ..serving() };
    let known = View { learned: false, ..view(Servers::Serve) };
    assert_eq!(decide(&known, &waits).0.restart, Restart::InWindow);
    assert_eq!(decide(&view(Servers::Serve), &waits).0.restart, Restart::No);
}

#[test]
fn a_clock_set_back_makes_nothing_wait() {
    let memory = Memory { settled: false, retry_after: Some(now() + LOOK_EVERY * 60 * 24), ..serving() };
    check(&view(Servers::Serve), &memory, Some(Step::Settle));
}

#[test]
fn a_pending_restart_waits_for_the_window() {
    let memory = Memory { restart: Restart::InWindow, ..serving() };
    let pending = View { restart_pending: true, ..view(Servers::Serve) };
    assert!(!window_open(&pending, &check(&pending, &memory, None)));
    let open: Timestamp = "2026-11-22T04:00:00Z".parse().expect("a time");
    let soon = View { now: open - SignedDuration::from_secs(30), ..pending.clone() };
    assert_eq!(next_look(&soon, &memory), open);
    let open = View { now: open, ..pending };
    assert!(window_open(&open, &check(&open, &memory, None)));
    assert_eq!(ask(&open, &memory), None);
}

#[test]
fn with_nothing_pending_no_restart_is_remembered() {
    for restart in [Restart::InWindow, Restart::IfPending] {
        let next = check(&view(Servers::Serve), &Memory { restart, ..serving() }, None);
        assert_eq!(next.restart, Restart::No);
    }
}

#[test]
fn a_restart_is_asked_for_when_all_it_is_for_is_in_the_files() {
    let pending = View { restart_pending: true, ..view(Servers::Serve) };
    let memory = Memory { restart: Restart::IfPending, ..serving() };
    assert_eq!(ask(&pending, &memory), Some(ha::Ask::Restart { only_pending: true }));
    assert_eq!(ask(&pending, &Memory { configured: false, ..memory.clone() }), None);
    assert_eq!(ask(&view(Servers::Serve), &memory), None);
    let now = Memory { restart: Restart::Now, ..serving() };
    assert_eq!(ask(&view(Servers::Serve), &now), Some(ha::Ask::Restart { only_pending: false }));
    assert_eq!(ask(&view(Servers::Wait), &now), None);
}

#[test]
fn a_configuration_that_does_not_start_is_taken_back() {
    let memory = Memory { proven: false, ..serving() };
    let failed = View { start_failed: true, ..view(Servers::Down) };
    let next = done(Step::FallBack, &check(&failed, &memory, Some(Step::FallBack)));
    let next = done(Step::Configure, &check(&failed, &next, Some(Step::Configure)));
    check(&failed, &next, None);
    // Also while another server still serves with the one before.
    check(&View { start_failed: true, ..view(Servers::Serve) }, &memory, Some(Step::FallBack));
}

#[test]
fn a_crash_of_what_was_proven_is_no_reason_to_go_back() {
    check(&View { start_failed: true, ..view(Servers::Down) }, &serving(), None);
}

#[test]
fn what_fails_before_the_first_use_is_left_to_the_user() {
    let seen = view(Servers::Down);
    let mut next = failed(&check(&seen, &Memory::new(20), Some(Step::Prepare)), now());
    check(&seen, &next, None);
    next.wake();
    check(&seen, &next, Some(Step::Prepare));
    let young = Memory { made: false, proven: false, ..serving() };
    let next = check(&View { start_failed: true, ..view(Servers::Down) }, &young, None);
    assert!(!next.serves(), "no second start");
}

#[test]
fn a_full_disk_keeps_no_good_configuration_from_starting() {
    let memory = Memory { configured: false, ..serving() };
    let next = failed(&check(&view(Servers::Down), &memory, Some(Step::Configure)), now());
    assert!(check(&view(Servers::Down), &next, None).serves());
}

#[test]
fn a_certificate_is_renewed_when_it_is_due() {
    check(&View { renew_tls_at: Some(now()), ..view(Servers::Serve) }, &serving(), Some(Step::RenewTls));
    let soon = View { renew_tls_at: Some(now() + SignedDuration::from_secs(9)), ..view(Servers::Serve) };
    assert_eq!(next_look(&soon, &serving()), now() + SignedDuration::from_secs(9));
}

#[test]
fn nothing_is_removed_before_the_last_backup() {
    let goal = Goal::Gone { backup: Some("last".to_owned()), asked_at: now(), taken: false };
    let memory = Memory { goal, ..serving() };
    assert!(check(&view(Servers::Down), &memory, None).serves(), "it is started for its backup");
    let next = check(&view(Servers::Serve), &memory, Some(Step::Backup));
    let stays = failed(&next, now());
    assert_eq!(stays.goal, Goal::Serve);
    let later = View { now: now() + RETRY_EVERY, ..view(Servers::Serve) };
    check(&later, &stays, Some(Step::Configure));
    let next = check(&view(Servers::Serve), &done(Step::Backup, &next), None);
    assert!(!next.serves());
    check(&view(Servers::Wait), &next, None);
    check(&view(Servers::Down), &next, Some(Step::Remove));
}

#[test]
fn data_that_is_not_there_is_not_forgotten_without_its_last_backup() {
    let goal = Goal::Gone { backup: Some("last".to_owned()), asked_at: now(), taken: false };
    let seen = View { data_missing: true, ..view(Servers::Down) };
    check(&seen, &Memory { goal, ..serving() }, Some(Step::Backup));
}

#[track_caller]
fn check_storage(used_gib_tenths: u64, max_gib: Option<u64>, expected: (u64, bool)) {
    let seen = View { used_bytes: Some(used_gib_tenths * GIB / 10), max_gib, ..view(Servers::Serve) };
    let (next, ..) = decide(&seen, &serving());
    assert_eq!((next.allocated_gib, next.over_allocated), expected);
}

#[test]
fn storage_grows_when_a_tenth_is_left_up_to_its_limit() {
    check_storage(179, Some(100), (20, false));
    check_storage(181, Some(100), (22, false));
    check_storage(500, Some(100), (56, false));
    check_storage(1200, Some(100), (100, true));
    check_storage(181, None, (20, false));
    check_storage(201, None, (20, true));
}

#[test]
fn a_healthy_instance_is_looked_at_once_a_minute() {
    assert_eq!(next_look(&view(Servers::Serve), &serving()), now() + LOOK_EVERY);
}

#[test]
fn other_data_takes_its_place_once_no_server_runs() {
    let exchanging = Memory { exchanging: true, restart: Restart::Now, ..serving() };
    assert!(!exchanging.serves());
    assert_eq!(ask(&view(Servers::Serve), &exchanging), None, "what is about to stop is not restarted");
    check(&view(Servers::Serve), &exchanging, None);
    check(&view(Servers::Wait), &exchanging, None);
    let memory = check(&view(Servers::Down), &exchanging, Some(Step::Exchange));
    check(&view(Servers::Down), &failed(&memory, now()), None);
    // It is another cluster: all that was written and set is written and set again.
    let exchanged = done(Step::Exchange, &memory);
    assert!(exchanged.serves());
    check(&view(Servers::Down), &exchanged, Some(Step::Configure));
}
