"""`snapseek cluster` where Ray is missing, and with arguments that no cluster can use: one sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from snapseek.cli import main

PACKAGES = Path(__file__).resolve().parents[2] / "python"
WITHOUT_RAY = """
import sys
from importlib.machinery import PathFinder

class WithoutInstalledRay:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "ray":
            found = PathFinder.find_spec(name, ["."])
            if found is None:
                raise ModuleNotFoundError(name=name)
            return found

sys.meta_path.insert(0, WithoutInstalledRay())
from snapseek.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("other", ["nothing", "ray/x.txt", "ray/__init__.py", "ray.py"])
def test_a_folder_of_that_name_is_not_ray(tmp_path, other):
    (tmp_path / "pictures").mkdir()
    (tmp_path / other).parent.mkdir(exist_ok=True)
    (tmp_path / other).touch()
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_RAY, "cluster", "index", "pictures", "out"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PACKAGES)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "snapseek: expected Ray, got none",
        'hint: install it with: pip install "snapseek[ray]"',
    ]


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--port", "65536"),
        ("--port", "0"),
        ("--cpus", "nan"),
        ("--cpus", "inf"),
        ("--cpus=-1", ""),
        ("--cpus", "x"),
    ],
)
def test_arguments_that_no_cluster_can_use(flag, value, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["cluster", "serve", "in.json", "out.json", flag, *filter(None, [value])])
    assert caught.value.code == 2
    assert "expected a" in capsys.readouterr().err.splitlines()[-1]


def test_the_folder_of_a_collection_names_its_manifest(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SNAPSEEK_TOKEN", "0123456789abcdef")
    (tmp_path / "collection.json").write_text('{"snapseek_collection": 2}')
    assert main(["cluster", "serve", str(tmp_path), str(tmp_path / "out.json")]) == 1
    assert "expected a collection of format 1" in capsys.readouterr().err
