//! The provider and the module under the real terraform: whole runs in a sealed folder, visibly skipped where terraform is absent.
//!
//! What Terraform trips providers up with, and the test that holds each (here, where no file is named):
//!
//! | pitfall | test |
//! |---|---|
//! | go-plugin's client certificate is an authority on P-521, and "optional" lets everybody in | `src/protocol/server/tests.rs`: `whoever_has_another_certificate_or_none_is_refused`; every run here |
//! | an attribute with a type and a nested type | `src/protocol/schema.rs`: `an_attribute_has_a_type_or_a_nested_one` |
//! | a diagnostic inside of an attribute loses its line | `src/meaning.rs`: `of_what_is_inside_of_an_attribute_the_words_say_where`; `words` |
//! | errors point into the module; `validate` knows literals only | `words`: `what_is_wrong_is_said_at_the_users_own_line`; `validations`: `what_is_wrong_is_said_of_a_variable_that_is_written` |
//! | a default is judged in the place of what is written further down | `validations`: `a_block_that_is_fine_is_never_refused`; `words`: `what_others_make_right_is_not_refused` |
//! | validations that look at each other are a cycle | `xtask/src/module.rs`: `a_validation_looks_only_at_variables_before_its_own` |
//! | a default hides that nothing was written | `words`: `modules_and_examples_are_written_as_terraform_writes` |
//! | what was promised comes back as it was | `src/protocol/server/tests.rs`: `what_was_promised_comes_back_and_what_is_write_only_does_not`; the end of every world |
//! | another name of a setting is a change | `machine`: `another_name_is_no_change` |
//! | a socket that others reach | `cloud`: `a_provider_that_is_killed_in_a_create_is_gone_on_with` |
//! | a password in plan, state or log | `machine`; `cloud`: `no_password_is_written_anywhere`; `words`: `a_password_that_is_written_out_stands_in_a_saved_plan_and_nowhere_else` |
//! | init needs a registry; a lock file is of one platform | `install` |
//! | a block in one line holds one argument | `words`: `what_documents_show_is_terraforms_language` |
//! | a provider that is killed in a create | `cloud`: `a_provider_that_is_killed_in_a_create_is_gone_on_with`; `machine`: `a_create_that_is_cut_short_is_gone_on_with` |
//! | versions that a target does not have | `blocks`: `every_block_lives_on_aws` (of the 18 blocks one line is exchanged there: no RDS makes PostgreSQL 11); `pgherd-core/src/checks/version_offered.rs` |
//! | a provider outlives a Terraform that is killed | `cloud`: `a_terraform_that_is_killed_leaves_no_provider` |
//! | what `ignore_changes` names is hidden from the plan and handed to the apply | `cloud`: `a_time_that_is_too_short_is_named_and_what_was_begun_goes_on` |
//! | an update is planned before a destroy | `cloud`: `a_database_from_plan_to_destroy` |
//! | older ones keep what is write-only | `words`; `cloud`: `a_time_that_is_too_short_is_named_and_what_was_begun_goes_on`; `src/protocol/server/tests.rs`: `what_is_write_only_is_refused_from_who_would_keep_it` |

// By name, as they are run, one for each core at a time: of those with databases on this machine only one is at work, so the longest begins first and the
// tutorial is last; in between whoever waits for them would be one of those.
mod blocks;
mod cloud;
mod examples;
mod install;
mod machine;
mod validations;
mod words;
mod world;
mod zero;
