//! Every check's own examples, and the requirements' blocks.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::{CHECKS, Check, check, check_across};
use crate::cloud::Cloud;
use crate::diagnostic::{At, Diagnostic, Severity};
use crate::hcl::{self, Given, Sources};
use crate::inputs::Inputs;
use crate::spec::{Spec, resolve};

const TODAY: Date = jiff::civil::date(2026, 11, 21);

fn read(text: String) -> Vec<Inputs> {
    let document = hcl::read(&Sources::from_bytes("database.hcl", text.into_bytes()), &Given::default());
    let errors: Vec<_> = document.diagnostics.iter().filter(|said| said.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    document.blocks
}

/// What each example begins with: what the target cannot do without.
fn block_of(arguments: &str) -> (Inputs, Spec) {
    let needed = if arguments.contains("\"azure\"") {
        "resource_group_name = \"databases\""
    } else if arguments.contains("\"digitalocean\"") && !arguments.contains("do_region") {
        "do_region = \"fra1\""
    } else if arguments.contains("\"gcp\"") && !arguments.contains("gcp_region") {
        "gcp_region = \"us-central1\""
    } else {
        ""
    };
    let text = format!("module \"db\" {{\n source = \"./modules/database_postgres\"\n {needed}\n{arguments}\n}}\n");
    let inputs = read(text).remove(0);
    let (spec, said) = resolve(&inputs, None);
    // References that nobody can follow are part of some examples.
    let is_mistake = |said: &&Diagnostic| said.severity == Severity::Error && said.code != "unknown-value";
    let mistakes: Vec<_> = said.iter().filter(is_mistake).collect();
    assert!(mistakes.is_empty(), "{arguments}: {mistakes:#?}");
    (inputs, spec.expect("a known target"))
}

fn shown(said: &Diagnostic) -> String {
    let severity = match said.severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    let At::Variable { path, .. } = &said.at else { panic!("{said:?} points at no variable") };
    format!("{severity} {path}: {} [{}]", said.message, said.help)
}

fn says(check: &Check, arguments: &str) -> Vec<String> {
    let (inputs, spec) = block_of(arguments);
    check.run(&inputs, &spec, TODAY).iter().map(shown).collect()
}

#[test]
fn every_check_has_words_and_examples() {
    let codes: BTreeSet<&str> = CHECKS.iter().map(|check| check.code).collect();
    assert_eq!(codes.len(), CHECKS.len(), "a code is there twice");
    for check in CHECKS {
        assert!(
            check.code.split('-').all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase())),
            "{}",
            check.code
        );
        assert!(check.words.ends_with('.') && !check.words.contains("  "), "{}", check.code);
        assert!(!check.fine.is_empty() && !check.wrong.is_empty(), "{} lacks examples", check.code);
    }
}

#[test]
fn a_catalogue_that_has_nothing_left_says_so() {
    let (inputs, spec) = block_of("engine_version = \"18\"");
    let said: Vec<String> = check(&inputs, &spec, jiff::civil::date(2040, 1, 1))
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .map(shown)
        .collect();
    assert_eq!(
        said,
        ["error engine_version: RDS creates no PostgreSQL 18 without paid extended support since 2031-02-28 \
         [get a newer pgherd; this one knows versions as of 2026-11]"]
    );
}

#[test]
fn fine_examples_are_passed_in_silence() {
    for check in CHECKS {
        for arguments in check.fine {
            assert_eq!(says(check, arguments), Vec::<String>::new(), "{}: {arguments}", check.code);
        }
    }
}

#[test]
fn wrong_examples_are_said_in_these_words() {
    let mut differ = String::new();
    for check in CHECKS {
        for wrong in check.wrong {
            let says = says(check, wrong.block);
            if says != wrong.says || says.is_empty() {
                differ += &format!("{}: {:?}\n    says {says:#?}\n", check.code, wrong.block);
            }
        }
    }
    assert!(differ.is_empty(), "{differ}");
}

#[test]
fn messages_begin_in_lower_case_and_have_no_full_stop() {
    for said in CHECKS.iter().flat_map(|check| check.wrong).flat_map(|wrong| wrong.says) {
        let (message, help) = said.strip_suffix(']').and_then(|said| said.rsplit_once(" [")).expect("message and help");
        assert!(!message.ends_with('.') && !help.ends_with('.') && !help.is_empty(), "{said}");
    }
}

#[track_caller]
fn check_between(text: &str, expected: &[&str]) {
    let specs: Vec<Spec> =
        read(text.to_owned()).iter().filter_map(|inputs| resolve(inputs, Some(Cloud::Local)).0).collect();
    let said: Vec<String> = check_across(&specs).iter().map(shown).collect();
    assert_eq!(said, expected);
}

#[test]
fn one_instance_stands_in_one_block() {
    check_between(
        "module \"a\" {\n source = \"./modules/database_postgres\"\n}\nmodule \"b\" {\n source = \"./modules/database_postgres\"\n}\n",
        &[
            "error name: blocks \"a\" and \"b\" are the same instance: \"database\" on local [write another name in block \"b\"]",
        ],
    );
}

#[test]
fn a_port_is_listened_on_once() {
    check_between(
        "module \"a\" {\n source = \"./modules/database_postgres\"\n name = \"a\"\n port = 5433\n}\n\
         module \"b\" {\n source = \"./modules/database_postgres\"\n name = \"b\"\n port = 5433\n}\n\
         module \"c\" {\n source = \"./modules/database_postgres\"\n name = \"c\"\n}\n",
        &[
            "error port: port 5433 is also that of block \"a\" [write another port, or leave port out and a free one is taken and kept]",
        ],
    );
}

#[test]
fn all_checks_run() {
    let (inputs, spec) = block_of("name = \"UPPER\"\nmonitoring_interval = 45");
    let codes: Vec<&str> = check(&inputs, &spec, TODAY).iter().map(|said| said.code).collect();
    assert_eq!(codes, ["instance-name", "monitoring-interval"]);
}

/// A check passes the first of two blocks, which is at its limit, and has something to say about the second, which is beyond it.
#[track_caller]
fn check_limit(code: &str, at_limit: &str, beyond: &str) {
    let check = CHECKS.iter().find(|check| check.code == code).expect("a check of that code");
    assert_eq!(says(check, at_limit), Vec::<String>::new(), "{at_limit}");
    assert!(!says(check, beyond).is_empty(), "{beyond}");
}

#[test]
fn names_may_be_as_long_as_they_may() {
    let named = |variable: &str, length: usize| format!("{variable} = \"{}\"", "a".repeat(length));
    for (code, variable) in
        [("instance-name", "name"), ("database-name", "database_name"), ("master-username", "master_username")]
    {
        check_limit(code, &named(variable, 63), &named(variable, 64));
    }
}

#[test]
fn tags_may_be_as_many_and_as_long_as_they_may() {
    let many = |count: usize| format!("tags = {{ for n in range({count}) : \"t${{n}}\" => \"x\" }}");
    let long = |key: usize, value: usize| format!("tags = {{ {} = \"{}\" }}", "k".repeat(key), "v".repeat(value));
    check_limit("tags", &many(42), &many(43));
    let elsewhere = |count: usize| format!("cloud_provider = \"local\"\n{}", many(count));
    check_limit("tags", &elsewhere(50), &elsewhere(51));
    check_limit("tags", &long(128, 256), &long(129, 256));
    check_limit("tags", &long(128, 256), &long(128, 257));
    check_limit("tags", "tags = { \"AW:x\" = \"y\" }", "tags = { \"AWS:x\" = \"y\" }");
}

#[test]
fn storage_may_be_as_large_and_grow_as_little_as_it_may() {
    check_limit("storage-size", "allocated_storage = 65536", "allocated_storage = 65537");
    let grows = |limit: u32| format!("allocated_storage = 25\nmax_allocated_storage = {limit}");
    check_limit("storage-growth", &grows(28), &grows(27));
}

#[test]
fn connections_may_be_as_many_as_there_are() {
    let most = |count: u32| {
        format!("instance_class = \"db.t3.micro\"\nparameters = [{{ name = \"max_connections\", value = {count} }}]")
    };
    check_limit("max-connections", &most(112), &most(113));
    let rings = |at: u32| format!("alarms = {{ connections = {at} }}\n{}", most(100));
    check_limit("alarms", &rings(99), &rings(100));
    check_limit("parameter-combination", &most(4), &most(3));
}
