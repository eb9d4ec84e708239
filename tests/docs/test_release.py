"""The version, the changelog, the workflows, the container files and the targets of wheels."""

import re
import shutil
import stat
from pathlib import Path

import pytest
import yaml

import snapseek
from release import version
from release.targets import TARGETS

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
GOOD = """# Changelog

## [Unreleased]

The next release, 0.3.0, will contain this.

### Added

- A thing
  in two lines.

### Fixed

#### Server

- A fault.

## [0.2.0] - 2026-02-03

## [0.1.0] - 2026-01-02
"""


def test_every_file_has_the_same_version():
    assert set(version.versions().values()) == {snapseek.__version__}


@pytest.mark.parametrize("file", ["Cargo.toml", "web/package.json", "web/package-lock.json", "CHANGELOG.md"])
def test_a_version_that_differs_is_noticed(tmp_path, file):
    for name in {entry.partition(",")[0] for entry in version.versions()} | {"pyproject.toml"}:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    path = tmp_path / file
    path.write_text(path.read_text("utf-8").replace(snapseek.__version__, "9.8.7", 1), "utf-8")
    assert set(version.versions(tmp_path).values()) == {snapseek.__version__, "9.8.7"}


def test_the_changelog_keeps_its_form():
    assert version.changelog_problems(CHANGELOG) == []


def test_a_good_changelog_has_no_problem():
    assert version.changelog_problems(GOOD) == []
    assert version.changelog_version(GOOD) == "0.3.0"
    assert version.changelog_version(GOOD.replace("[Unreleased]", "[0.3.0] - 2026-03-04")) == "0.3.0"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("### Added", "### New", "'New' is none of Added"),
        ("### Added", "### Security", "not in order"),
        ("### Added", "### Fixed", "not in order, or one is there twice"),
        ("- A fault.", "", "Fixed has no entry"),
        ("- A fault.", "A fault.", "Fixed has no entry"),
        ("- A fault.", "- A fault.\nNo entry.", "no entry of a list"),
        ("[Unreleased]", "Unreleased", "the heading 'Unreleased' is not"),
        ("[0.2.0] - 2026-02-03", "[0.2.0]", "the heading '[0.2.0]' is not"),
        ("[0.2.0] - 2026-02-03", "[Unreleased]", "the heading '[Unreleased]' is not"),
        ("[0.2.0]", "[0.0.9]", "descending"),
        ("- A fault.", "- " + "a" * 120, "the line is too long"),
    ],
)
def test_a_changelog_of_another_form_is_noticed(old, new, problem):
    found = version.changelog_problems(GOOD.replace(old, new, 1))
    assert any(problem in text for text in found), found


def test_a_section_without_a_version_is_an_error():
    with pytest.raises(ValueError, match="no version in the section"):
        version.changelog_version(GOOD.replace("0.3.0", "soon"))


def content(path: Path) -> dict:
    return yaml.safe_load(path.read_text("utf-8"))


def steps(path: Path):
    for job in content(path)["jobs"].values():
        yield from job.get("steps", ())
        if "uses" in job:
            yield job


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_an_action_is_pinned_by_its_commit(path):
    text = path.read_text("utf-8")
    for step in steps(path):
        if "uses" in step and not step["uses"].startswith("./"):
            assert re.search(rf"uses: {re.escape(step['uses'])} # v\d+\.\d+\.\d+$", text, re.MULTILINE)
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step["uses"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_no_more_rights_than_it_needs(path):
    assert content(path)["permissions"] == {}
    for name, job in content(path)["jobs"].items():
        publishes = path.name == "release.yml" and name == "publish"
        assert job["permissions"] == ({"id-token": "write"} if publishes else {"contents": "read"})
        assert publishes == ("environment" in job)
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
        assert "${{" not in step.get("run", ""), "pass the value as an environment variable"


def test_the_workflows_run_targets_that_exist():
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    commands = [step["run"] for path in WORKFLOWS for step in steps(path) if "run" in step]
    called = {word for run in commands if run.startswith("make ") for word in run.split()[1:]}
    assert {"lint", "test", "test-quick", "test-rust", "wheels"} <= called
    assert {word for word in called if re.fullmatch(r"[a-z-]+", word)} - {"licenses", "sources"} <= targets


def test_every_wheel_is_tried_on_its_own_system():
    matrix = content(ROOT / ".github/workflows/wheels.yml")["jobs"]["try"]["strategy"]["matrix"]
    tags = [entry["tag"] for entry in matrix["include"]]
    assert {entry["os"] for entry in matrix["include"]} == set(matrix["os"])
    for target in TARGETS:
        assert [tag for tag in tags if re.fullmatch(target.platform_tag, tag)], target.triple
    assert len(tags) == len(TARGETS)


def test_the_tests_run_on_every_supported_python():
    python = content(ROOT / ".github/workflows/ci.yml")["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert python == ["3.11", "3.12", "3.13", "3.14"]
    assert 'requires-python = ">=3.11"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_the_container_has_no_root_rights_and_a_health_check():
    last = DOCKERFILE.split("\nFROM ")[-1]
    assert re.search(r"^USER [1-9]\d*$", last, re.MULTILINE)
    assert "HEALTHCHECK" in last
    assert '"--host", "0.0.0.0"' in last
    assert "--insecure" not in DOCKERFILE
    assert "SNAPSEEK_TOKEN=" not in last


def test_the_command_of_the_container_is_one_of_snapseek():
    from snapseek.cli.main import make_parser

    (words,) = re.findall(r"^CMD \[(.+)\]$", DOCKERFILE, re.MULTILINE)[-1:]
    options = make_parser().parse_args(re.findall(r'"([^"]+)"', words))
    assert (options.host, options.open) == ("0.0.0.0", False)
    assert [str(path) for path in options.folders] == ["/pictures"]


def test_the_compose_example_needs_a_token_and_is_local():
    service = content(ROOT / "compose.yaml")["services"]["snapseek"]
    assert service["environment"]["SNAPSEEK_TOKEN"].startswith("${SNAPSEEK_TOKEN:?")
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert "${PICTURES:?set the folder with your pictures}:/pictures:ro" in service["volumes"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]


def test_the_compiler_of_the_project_is_no_older_than_the_crate_needs():
    text = (ROOT / "rust-toolchain.toml").read_text("utf-8")
    assert 'channel = "stable"' in text
    assert re.search(r'^rust-version = "1\.\d+"$', (ROOT / "Cargo.toml").read_text("utf-8"), re.MULTILINE)


def test_scripts_that_the_makefile_runs_are_executable():
    scripts = re.findall(r"([\w/]+\.sh)\b", (ROOT / "Makefile").read_text("utf-8"))
    assert scripts
    assert all((ROOT / script).stat().st_mode & stat.S_IXUSR for script in scripts)


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.name
)
def test_an_issue_form_has_unique_fields(path):
    form = content(path)
    if path.name != "config.yml":
        ids = [entry["id"] for entry in form["body"] if entry["type"] != "markdown"]
        assert len(set(ids)) == len(ids) > 1
        assert {"name", "description", "labels", "body"} <= form.keys()
