//! What expressions are worth. The expected side is the value in HCL spelling, or the error.

use super::*;
use crate::testing::value;
use crate::text::hcl;

/// Names every expression here may use.
fn scope() -> Scope {
    let variables = serde_json::json!({ "env": "prod", "known": ["a", "b"], "mixed": ["a", "?module.x.id"] });
    let Value::Map(mut variables) = value(variables) else { unreachable!("written as an object") };
    variables.insert("unset".to_owned(), Value::Unknown("var.unset".to_owned()));
    variables.insert("password".to_owned(), Value::from("hunter2").concealed());
    let Value::Map(locals) = value(serde_json::json!({ "tags": { "Owner": "dba", "n": 1 }, "nothing": null })) else {
        unreachable!("written as an object")
    };
    Scope { variables, locals }
}

fn evaluate(text: &str) -> (Evaluated, Vec<Diagnostic>) {
    let (scope, fuel) = (scope(), Fuel::new());
    let expression = hcl_edit::parser::parse_expr(text).expect("the expression is HCL");
    let mut evaluator = Evaluator::new(&scope, 0, text, &fuel);
    let value = evaluator.evaluate(&expression);
    (value, evaluator.problems)
}

#[track_caller]
fn check(expression: &str, expected: &str) {
    let (value, problems) = evaluate(expression);
    assert_eq!(problems, [], "{expression}");
    assert_eq!(hcl(&value.expect("no problems")), expected, "{expression}");
}

/// The first error: what it points at, and what it says.
#[track_caller]
fn check_error(expression: &str, at: &str, message: &str) {
    let (value, problems) = evaluate(expression);
    assert!(value.is_err(), "{expression} has a value");
    let crate::diagnostic::At::Source { span, .. } = problems[0].at.clone() else { panic!("it points at nothing") };
    assert_eq!((&expression[span], problems[0].message.as_str()), (at, message));
    assert!(!problems[0].help.is_empty(), "it says what to do");
}

/// A secret holding this text, shown nowhere.
#[track_caller]
fn check_secret(expression: &str, text: &str) {
    let (value, problems) = evaluate(expression);
    assert_eq!(problems, [], "{expression}");
    let Ok(Value::Secret(secret)) = value else { panic!("{expression} is no secret: {value:?}") };
    assert_eq!(secret.reveal(), Some(text), "{expression}");
}

#[test]
fn literals_and_operators() {
    check("1 + 2 * 3", "7");
    check("(1 + 2) * 3", "9");
    check("7 / 2", "3.5");
    check("-7 % 3", "-1");
    check("8 / 2", "4");
    check("\"5\" + 1", "6");
    check("9223372036854775807 + 1", "9223372036854776000");
    check("1 == 1.0", "true");
    check("\"1\" == 1", "false");
    check("[1, 2] == [1, 2]", "true");
    check("null == null", "true");
    check("!false && (1 < 2 || 1 / 0 > 1)", "true");
    check("var.env == \"prod\" ? \"big\" : \"small\"", "\"big\"");
}

#[test]
fn lists_and_maps_are_compared_whole() {
    check("[1, 2] == [1]", "false");
    check("[1, 2] == [1, 3]", "false");
    check("{ a = 1, b = [2] } == { b = [2], a = 1.0 }", "true");
    check("{ a = 1 } == { a = 2 }", "false");
    check("{ a = 1 } == { b = 1 }", "false");
    check("{ a = 1 } == { a = 1, b = 1 }", "false");
    check("{ a = 1 } != { a = \"1\" }", "true");
}

#[test]
fn templates() {
    check("\"a${1 + 1}b$${c}\"", "\"a2b$${c}\"");
    check("\"${[1]}\"", "[1]");
    check("\"%{ if var.env == \"prod\" }P%{ else }D%{ endif }\"", "\"P\"");
    check("\"%{ for x in var.known }<${x}>%{ endfor }\"", "\"<a><b>\"");
    check("\"%{ for i, x in var.known ~}  ${i}${x}  %{~ endfor }\"", "\"0a1b\"");
    check("\"a   ${~ \"b\" ~}   c\"", "\"abc\"");
    check("\"%{ if false }P%{ endif }x\"", "\"x\"");
    check("\"a%{ if var.unset }P%{ endif }\"", "var.unset");
    check("\"a%{ for x in var.unset }P%{ endfor }\"", "var.unset");
    check("\"${module.first.id}%{ for x in var.unset }P%{ endfor }\"", "module.first.id");
    check("<<-EOT\n    one\n      two ${1}\n    EOT", "\"one\\n  two 1\\n\"");
}

/// A name of a `for` is there inside of it and nowhere else; inside of another one it hides the outer one.
#[test]
fn names_of_a_for_end_with_it() {
    check("[for x in [\"outer\"] : [[for x in [\"inner\"] : x], x]]", "[[[\"inner\"], \"outer\"]]");
    check("[for i, x in [\"a\"] : [[for i, y in [\"b\", \"c\"] : i], i, x]]", "[[[0, 1], 0, \"a\"]]");
    check_error("[[for x in [1] : x], x]", "x", "the name `x` means nothing here");
    check_error("\"%{ for x in [1] }${x}%{ endfor }${x}\"", "x", "the name `x` means nothing here");
}

#[test]
fn collections_and_for() {
    check("[for x in var.known : upper(x)]", "[\"A\", \"B\"]");
    check("[for i, x in var.known : \"${i}${x}\" if x != \"a\"]", "[\"1b\"]");
    check("{ for k, v in local.tags : lower(k) => v }", "{ n = 1, owner = \"dba\" }");
    check("{ for x in [\"aa\", \"ab\", \"b\"] : substr(x, 0, 1) => x... }", "{ a = [\"aa\", \"ab\"], b = [\"b\"] }");
    check("{ (var.env) = 1, \"x y\" = 2 }", "{ prod = 1, \"x y\" = 2 }");
    check("var.known[1]", "\"b\"");
    check("local.tags[\"Owner\"]", "\"dba\"");
    check("local.tags.Owner", "\"dba\"");
    check("[{ a = 1 }, { a = 2 }][*].a", "[1, 2]");
    check("[{ a = 1 }, { a = 2 }].*.a", "[1, 2]");
    check("local.nothing[*]", "[]");
    check("var.known.0", "\"a\"");
}

#[test]
fn unknown_values_stay_unknown_and_name_what_was_written() {
    check("module.network.vpc_id", "module.network.vpc_id");
    check("aws_kms_key.database.arn", "aws_kms_key.database.arn");
    check("data.aws_vpc.main.subnets[0].id", "data.aws_vpc.main.subnets[0].id");
    check("path.module", "path.module");
    check("terraform.workspace", "terraform.workspace");
    check("var.unset", "var.unset");
    check("var.unset.deeper[0]", "var.unset.deeper[0]");
    check("var.never_declared", "var.never_declared");
    check("\"a-${var.unset}\"", "var.unset");
    check("var.unset + 1", "var.unset");
    check("var.unset ? 1 : 2", "var.unset");
    check("upper(var.unset)", "var.unset");
    check("[for x in var.unset : x]", "var.unset");
    check("merge(local.tags, var.unset)", "var.unset");
    check("var.unset && false", "false");
    check("coalesce(null, \"a\", var.unset)", "\"a\"");
    check("try(var.unset, 1)", "var.unset");
}

#[test]
fn known_elements_stay_beside_unknown_ones() {
    check("[module.x.cidr, \"10.0.0.0/8\"]", "[module.x.cidr, \"10.0.0.0/8\"]");
    check("concat(var.mixed, [\"c\"])", "[\"a\", module.x.id, \"c\"]");
    check("merge({ a = module.x.id }, { b = 1 })", "{ a = module.x.id, b = 1 }");
    check("length(var.mixed)", "2");
    check("var.mixed[0]", "\"a\"");
    check("join(\",\", var.mixed)", "module.x.id");
}

#[test]
fn secrets_stay_secret() {
    check_secret("var.password", "hunter2");
    check_secret("\"x-${var.password}\"", "x-hunter2");
    check_secret("upper(var.password)", "HUNTER2");
    check_secret("var.password == \"a\" ? \"b\" : \"c\"", "c");
    check_secret("format(\"%s!\", var.password)", "hunter2!");
    check_secret("jsonencode({ p = var.password })", "{\"p\":\"hunter2\"}");
    check_secret("[var.password][0]", "hunter2");
    check_secret("length(var.password)", "7");
    check_secret("sensitive(\"a\")", "a");
    check("nonsensitive(var.password)", "\"hunter2\"");
    check("[var.password, \"a\"]", "[(secret), \"a\"]");
    check("[for x in [\"a\"] : x if var.password != \"\"]", "[(secret)]");
}

#[test]
fn errors_never_show_a_secret() {
    for expression in [
        "var.password + 1",
        "tonumber(var.password)",
        "base64decode(\"${var.password}!\")",
        "-var.password",
        "!var.password",
        "{ (var.password) = 1 }",
    ] {
        let (value, problems) = evaluate(expression);
        assert!(value.is_err(), "{expression}");
        assert!(!format!("{problems:?}").contains("hunter2"), "{problems:?}");
    }
}

#[test]
fn functions_of_numbers() {
    check("[abs(-2), ceil(1.2), floor(-1.2), signum(-3)]", "[2, 2, -2, -1]");
    check("[max(1, 3, 2), min([4, 2]...), pow(2, 10), log(8, 2)]", "[3, 2, 1024, 3]");
    check("[parseint(\"ff\", 16), sum([1, 2.5])]", "[255, 3.5]");
}

#[test]
fn functions_of_text() {
    check(
        "[lower(\"A\"), upper(\"a\"), title(\"hello world\"), strrev(\"abc\"), chomp(\"a\\n\")]",
        "[\"a\", \"A\", \"Hello World\", \"cba\", \"a\"]",
    );
    check(
        "[trim(\"?!a!?\", \"!?\"), trimspace(\" a \"), trimprefix(\"ab\", \"a\"), trimsuffix(\"ab\", \"b\")]",
        "[\"a\", \"a\", \"b\", \"a\"]",
    );
    check(
        "[join(\"-\", [\"a\", 1]), split(\",\", \"a,b\"), replace(\"a-b-c\", \"-\", \"_\")]",
        "[\"a-1\", [\"a\", \"b\"], \"a_b_c\"]",
    );
    check(
        "[substr(\"hello\", 1, 3), substr(\"hello\", -3, -1), indent(2, \"a\\nb\")]",
        "[\"ell\", \"llo\", \"a\\n  b\"]",
    );
    check("[startswith(\"abc\", \"ab\"), endswith(\"abc\", \"b\")]", "[true, false]");
    check(
        "format(\"%s %d %5.1f|%-4s|%04d|%q|%t|%x|%%|%[1]s\", \"a\", 3, 2.25, \"x\", 7, \"q\", true, 255)",
        "\"a 3   2.2|x   |0007|\\\"q\\\"|true|ff|%|a\"",
    );
    check("format(\"%.2s|%.2v|%.2f|%.1e\", \"abc\", \"abc\", 1.005, 1500)", "\"ab|abc|1.00|1.5e3\"");
    check("formatlist(\"%s-%s\", [\"a\", \"b\"], \"c\")", "[\"a-c\", \"b-c\"]");
}

#[test]
fn functions_that_choose() {
    check("[coalesce(\"\", null, \"a\"), coalescelist([], [1]), one([]), one([1])]", "[\"a\", [1], null, 1]");
    check(
        "[alltrue([true, \"true\"]), anytrue([false]), try(local.tags.none, \"x\"), can(local.tags.none)]",
        "[true, false, \"x\", false]",
    );
}

#[test]
fn functions_of_lists_and_maps() {
    check(
        "[compact([\"a\", \"\", null]), distinct([1, 1, \"1\"]), flatten([[1], [[2]], 3])]",
        "[[\"a\"], [1, \"1\"], [1, 2, 3]]",
    );
    check("[contains([1], 1), index([\"a\", \"b\"], \"b\"), element([1, 2], 3), length(\"añb\")]", "[true, 1, 2, 3]");
    check(
        "[keys(local.tags), values(local.tags), lookup(local.tags, \"x\", 0)]",
        "[[\"Owner\", \"n\"], [\"dba\", 1], 0]",
    );
    check(
        "[range(3), range(1, 4), range(5, 0, -2), reverse([1, 2]), slice([1, 2, 3], 1, 3)]",
        "[[0, 1, 2], [1, 2, 3], [5, 3, 1], [2, 1], [2, 3]]",
    );
    check(
        "[sort([\"b\", \"a\"]), zipmap([\"a\"], [1]), merge({ a = 1 }, null, { a = 2 })]",
        "[[\"a\", \"b\"], { a = 1 }, { a = 2 }]",
    );
    check(
        "[toset([\"b\", \"a\", \"b\"]), setunion([1], [2]), setintersection([1, 2], [2]), setsubtract([1, 2], [1])]",
        "[[\"a\", \"b\"], [1, 2], [2], [2]]",
    );
}

#[test]
fn conversions_and_encodings() {
    check(
        "[tostring(1), tonumber(\"1.5\"), tobool(\"true\"), tolist([1]), tomap({ a = 1 })]",
        "[\"1\", 1.5, true, [1], { a = 1 }]",
    );
    check("jsonencode({ a = [1, \"x\", null, true] })", "\"{\\\"a\\\":[1,\\\"x\\\",null,true]}\"");
    check("jsondecode(\"{\\\"a\\\": [1, 2.5, null]}\")", "{ a = [1, 2.5, null] }");
    check("[base64encode(\"hi\"), base64decode(\"aGk=\")]", "[\"aGk=\", \"hi\"]");
}

/// The examples of Terraform's own pages for these functions.
#[test]
fn functions_of_networks() {
    check("cidrsubnet(\"172.16.0.0/12\", 4, 2)", "\"172.18.0.0/16\"");
    check("cidrsubnet(\"fd00:fd12:3456:7890::/56\", 16, 162)", "\"fd00:fd12:3456:7800:a200::/72\"");
    check("cidrhost(\"10.12.112.0/20\", 268)", "\"10.12.113.12\"");
    check("cidrhost(\"fd00:fd12:3456:7890:00a2::/72\", 34)", "\"fd00:fd12:3456:7890::22\"");
    check("cidrhost(\"10.0.0.0/24\", -1)", "\"10.0.0.255\"");
    check("cidrnetmask(\"172.16.0.0/12\")", "\"255.240.0.0\"");
}

#[test]
fn errors_point_at_the_exact_place() {
    check_error("1 + upper(\"a\")", "upper(\"a\")", "a number is wanted here, not the string \"A\"");
    check_error("[1, nope, 2]", "nope", "the name `nope` means nothing here");
    check_error("upper(\"a\", [1])", "upper(\"a\", [1])", "`upper` takes 1 argument, not 2");
    check_error("join(\",\", 5)", "5", "a list is wanted here, not the number 5");
    check_error("var.known[7]", "7", "the list has 2 elements, and the number 7 is not the index of one");
    check_error("local.tags.Ower", ".Ower", "the map has no attribute `Ower`");
    check_error("local.tag", "local.tag", "`local.tag` is declared nowhere");
    check_error("\"a${[1]}\"", "[1]", "only a string, a number or true and false can stand in text, not a list of 1");
    check_error("cidrsubnet(\"10.0.0.0/8\", 30, 1)", "30", "10.0.0.0/8 cannot be made 30 bits longer");
    check_error("format(\"%d\", \"x\")", "\"x\"", "%d wants a whole number, not the string \"x\"");
    check_error("replace(\"a\", \"/a+/\", \"b\")", "\"/a+/\"", "pgherd replaces plain text, not regular expressions");
    check_error("{ for x in [1, 1] : x => x }", "x", "two elements have the key \"1\"");
    check_error("10.0.0.0", "10.0.0.0", "`10.0.0.0` is not a number");
    check_error(
        "file(\"x\")",
        "file",
        "`file` reads the world outside of the configuration and is not available in pgherd",
    );
}

/// What is wrong inside of a directive of a template is the template's fault, and what follows is read all the same.
#[test]
fn a_failing_directive_fails_its_template() {
    let (value, problems) = evaluate("\"%{ for x in [1] }${upper()}%{ endfor }${lower()}\"");
    assert!(value.is_err());
    let said: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(said, ["`upper` takes 1 argument, not 0", "`lower` takes 1 argument, not 0"]);
}

#[test]
fn functions_that_are_not_here_say_why() {
    let help = |text: &str| evaluate(text).1.remove(0).help;
    assert_eq!(
        evaluate("timestamp()").1[0].message,
        "`timestamp` reads the world outside of the configuration and is not available in pgherd"
    );
    assert_ne!(help("timestamp()"), help("file(\"x\")"), "each has its own advice");
    assert_eq!(evaluate("uper(\"a\")").1[0].message, "there is no function `uper`");
    assert_eq!(help("uper(\"a\")"), "did you mean `upper`?");
    assert_eq!(help("zzzzzz()"), "the functions are those of Terraform that need nothing but their arguments");
}

#[test]
fn every_function_is_listed_once_with_its_usage_and_words() {
    let mut names: Vec<&str> = functions::all().map(|function| function.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "no name twice");
    for function in functions::all() {
        assert!(function.usage.starts_with(&format!("{}(", function.name)), "{}", function.usage);
        assert!(function.words.ends_with('.'), "{}", function.words);
    }
}
