# Run by `terraform test` in the folder above.

run "a_name_in_capitals_is_refused" {
  command = plan

  variables {
    name = "Orders"
  }

  expect_failures = [var.name]
}

run "a_plan_says_where_it_will_be" {
  command = plan

  variables {
    name = "tried"
  }

  assert {
    condition     = output.db_instance_name == "tried"
    error_message = "the database is called like the instance"
  }
}

run "a_database_can_be_reached" {
  variables {
    name = "tried"
  }

  assert {
    condition     = output.db_instance_endpoint != "" && output.db_instance_port > 0
    error_message = "there is no endpoint"
  }
}
