"""The real ClipClient of clip-retrieval against the real server, run by `make clip-client`."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.page_server import as_collection
from tests.support.serve_process import served

PYTHON = os.environ.get("SNAPSEEK_CLIP_CLIENT_PYTHON")
PROBE = Path(__file__).parents[1] / "support" / "clip_client_probe.py"


@pytest.mark.skipif(PYTHON is None, reason="run by make clip-client")
@pytest.mark.parametrize("kind", ["library", "collection"])
def test_text_image_and_embedding_queries_return_pictures(kind, library, tmp_path):
    info = library.info()
    picture = info.folders[0] / "red.jpg"
    path, name, options = info.path, info.name, []
    if kind == "collection":
        shutil.copytree(path, tmp_path / "library")
        path, name = as_collection(tmp_path / "library"), tmp_path.name
        options = [f"--allow-root={root}" for root in (info.model, *info.folders)]
    with served(path, *options) as url:
        command = [str(PYTHON), str(PROBE), url, name, str(picture), str(info.dim)]
        output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    answers = json.loads(output)
    assert set(answers) == {"text", "image", "embedding"}
    for found in answers.values():
        assert len(found) == 3
        assert all({"id", "similarity", "caption", "image"} <= set(entry) for entry in found)
        assert found == sorted(found, key=lambda entry: -entry["similarity"])
    assert answers["text"][0]["name"] == "red.jpg"
    assert answers["image"][0]["name"] == "red.jpg"
    assert answers["image"][0]["similarity"] > 0.99
