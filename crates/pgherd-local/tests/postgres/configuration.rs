//! Settings: checked before use, reloaded or restarted, taken back.

use pgherd_local::postgres::candidate;
use pgherd_local::postgres::conf::quote;
use pgherd_local::postgres::process::Stop;

use crate::world::{DEADLINE, MAJORS, World, server};

#[tokio::test]
async fn a_bad_value_is_refused_while_the_server_serves() {
    for major in MAJORS {
        let Some(server) = server(major) else { continue };
        let mut world = World::new(&server);
        world.create();
        let _running = world.start().await.expect("starts");
        let cases = [
            (
                "work_mem",
                "4 MiB",
                "invalid value for parameter \"work_mem\": \"4 MiB\"; Valid units for this parameter are \"B\", \"kB\", \"MB\", \"GB\", and \"TB\".",
            ),
            ("max_connections", "many", "invalid value for parameter \"max_connections\": \"many\""),
            (
                "max_connections",
                "99999999999",
                "invalid value for parameter \"max_connections\": \"99999999999\"; Value exceeds integer range.",
            ),
            ("max_connectoins", "5", "unrecognized configuration parameter \"max_connectoins\" in file"),
            ("random_page_cost", "-2", "-2 is outside the valid range for parameter \"random_page_cost\""),
            (
                "wal_level",
                "extreme",
                "invalid value for parameter \"wal_level\": \"extreme\"; Available values: minimal, replica, logical.",
            ),
        ];
        for (name, value, expected) in cases {
            let error = world.configure(&[(name, value)]).expect_err(name);
            let said = error.message.strip_prefix("PostgreSQL refuses the settings: ").unwrap_or("?");
            assert!(said.starts_with(expected), "PostgreSQL {major}, {name}: {said}");
        }
        let session = world.session("postgres").await;
        assert_eq!(session.file_errors().await, Ok(vec![]), "the files in force are untouched");
    }
}

#[tokio::test]
async fn what_only_a_start_can_tell_is_told_by_a_rehearsal() {
    for major in MAJORS {
        let Some(server) = server(major) else { continue };
        let mut world = World::new(&server);
        world.create();
        let running = world.start().await.expect("starts");
        let cases = [
            ("shared_preload_libraries", "pg_no_such_thing", "could not access file \"pg_no_such_thing\""),
            ("shared_buffers", "900TB", ""),
            ("max_wal_senders", "0", ""),
        ];
        for (name, value, expected) in cases {
            world
                .configure(&[(name, value), ("wal_level", "replica")])
                .unwrap_or_else(|_| assert_eq!(name, "shared_buffers"));
            let result = candidate::rehearse(&server, &world.run_as, &world.paths.templates(), &world.layout).await;
            match name {
                "max_wal_senders" => assert_eq!(result, Ok(()), "a good value is accepted"),
                _ => assert!(result.expect_err(name).message.contains(expected), "PostgreSQL {major}, {name}"),
            }
        }
        assert!(running.runs(), "the server at work is not disturbed");
        assert!(!world.layout.scratch.join("rehearsal").exists(), "nothing of the rehearsal is left");
    }
}

#[tokio::test]
async fn a_reload_is_enough_for_some_settings_and_the_others_wait_for_a_restart() {
    for major in MAJORS {
        let Some(server) = server(major) else { continue };
        let mut world = World::new(&server);
        world.create();
        let running = world.start().await.expect("starts");
        world.configure(&[("work_mem", "7MB"), ("max_connections", "33")]).expect("good");
        candidate::exchange(&world.layout).expect("exchanged");
        running.reload().expect("told");
        let session = world.session("postgres").await;
        // The postmaster acts on the signal when it gets to it; the settings view tells when.
        let settings = loop {
            let settings = session.settings().await.expect("settings");
            if settings["max_connections"].pending_restart {
                break settings;
            }
        };
        assert_eq!(settings["max_connections"].value, "28");
        assert_eq!(settings["max_connections"].context, "postmaster");
        let fresh = world.session("postgres").await.settings().await.expect("settings");
        assert_eq!(fresh["work_mem"].value, "7MB");
        assert_eq!(fresh["work_mem"].source_file.as_deref(), world.layout.postgresql_conf().to_str());
        running.stop(Stop::Fast, DEADLINE).await.expect("stops");
        world.start().await.expect("starts");
        let fresh = world.session("postgres").await.settings().await.expect("settings");
        assert_eq!((fresh["max_connections"].value.as_str(), fresh["max_connections"].pending_restart), ("33", false));
        candidate::take_back(&world.layout).expect("taken back");
        let kept = std::fs::read_to_string(world.layout.postgresql_conf()).expect("a file");
        assert!(kept.contains("max_connections = '28'"), "the configuration before is in force again");
    }
}

/// The server's own reader, on what is hardest to quote.
#[test]
fn the_server_reads_back_what_was_written() {
    for major in MAJORS {
        let Some(server) = server(major) else { continue };
        let world = World::new(&server);
        let hard =
            ["it's", "a\\b", "two\nlines", "#no comment", "=", "'; drop", "tab\there", "ümlaut ☃", "\\'", "", " "];
        let mut text = String::new();
        for (number, value) in hard.iter().enumerate() {
            text.push_str(&format!("pgherd.v{number} = {}\n", quote(value)));
        }
        let file = world.layout.conf.join("hard.conf");
        std::fs::write(&file, text).expect("written");
        world.run_as.own(&file).expect("owned");
        for (number, value) in hard.iter().enumerate() {
            let mut command = world.run_as.command(&server, "postgres");
            command.arg("-D").arg(&world.layout.conf).arg("-c").arg(format!("config_file={}", file.display()));
            let output = command.arg("-C").arg(format!("pgherd.v{number}")).output().expect("runs");
            assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{value}\n"), "PostgreSQL {major}");
        }
    }
}
