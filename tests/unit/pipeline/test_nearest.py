import subprocess
import sys

from tracekeeper.pipeline.nearest import did_you_mean, nearest


def test_names_the_closest_candidate() -> None:
    assert nearest("scirpt", ["stage", "script", "services"]) == "script"


def test_ignores_case_and_answers_as_the_candidate_is_written() -> None:
    assert nearest("BUILD-app", ["build-App", "test"]) == "build-App"


def test_says_nothing_where_nothing_is_close() -> None:
    assert nearest("banana", ["script", "stage"]) is None
    assert nearest("script", []) is None


def test_a_hint_for_a_mistyped_word() -> None:
    assert did_you_mean("scirpt", ["stage", "script"]) == "did you mean `script`?"
    assert did_you_mean("banana", ["stage", "script"]) == ""


def test_costs_no_import_until_there_is_a_mistake() -> None:
    code = "import sys, tracekeeper.pipeline.nearest; sys.exit('difflib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
