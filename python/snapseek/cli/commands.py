"""The table of all commands. The file of a command is imported only when the command is used."""

import argparse
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast


class CommandModule(Protocol):
    """The file of one command."""

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declare the arguments of the command."""

    @staticmethod
    def run(options: argparse.Namespace) -> int | None:
        """Run the command. Return its exit code, or None for 0; raise SnapseekError if it fails."""


@dataclass(frozen=True)
class Command:
    """A command and its help texts."""

    name: str
    summary: str
    """Its line in the list of commands."""
    details: str = ""
    """Further sentences of its own help."""
    module: str = ""
    """The name of its file; by default the name of the command."""

    @property
    def description(self) -> str:
        """The first lines of the command's own help."""
        return f"{self.summary[0].upper()}{self.summary[1:]}. {self.details}".strip()

    def load(self) -> CommandModule:
        """Import the file of this command."""
        return cast("CommandModule", import_module(f"snapseek.cli.{self.module or self.name}"))


COMMANDS = (
    Command("demo", "index the pictures that come with snapseek, serve and open the page"),
    Command("open", "index a folder, serve and open the page"),
    Command("index", "make a folder of pictures searchable"),
    Command(
        "sync",
        "update a library: find what was added, changed, moved or removed",
        "Only new and changed pictures are embedded. Pictures of a folder that is missing are kept.",
    ),
    Command("add", "add folders or single pictures to a library"),
    Command(
        "remove",
        "remove pictures from a library",
        "Their files stay, and sync ignores them until they change.",
    ),
    Command("import", "import existing vectors and make their pictures searchable", module="import_vectors"),
    Command("previews", "make the previews that imported vectors lack"),
    Command("serve", "serve the page of a library"),
    Command("search", "print the pictures that match a query best"),
    Command("info", "print what a library holds"),
    Command(
        "collection",
        "search several libraries as one: create, add, remove, verify, info",
        "Every command that reads a library reads the manifest of a collection. Its partitions are ordinary "
        "libraries, here or on other machines.",
    ),
    Command(
        "cluster",
        "index and serve on many machines with Ray: index, serve",
        "Needs snapseek[ray]. An interrupted run continues where it stopped.",
    ),
    Command("libraries", "list the libraries that were opened here, most recent first"),
    Command(
        "teach",
        "teach a library a word by pictures that show it",
        "Then the word counts in searches, and is:NAME selects it. Further calls add marks.",
    ),
    Command("concepts", "list, rename, delete or export the words that a library was taught"),
    Command(
        "duplicates",
        "list pictures that a library has more than once, the best of each group first",
        "Copies in other sizes and formats, crops and edited versions count. Nothing is deleted.",
    ),
    Command(
        "watch",
        "sync a library whenever its folders change",
        "Needs snapseek[watch]. A server of the same library shows each change within a second.",
    ),
    Command("export", "write all records as csv, json or parquet, or the vectors as npy"),
    Command("verify", "read a whole library and list its damage"),
    Command(
        "repair",
        "remove damaged parts and keep all else",
        "The next sync restores the removed pictures under the same ids.",
    ),
    Command("compact", "merge the shards of a library, without reading pictures"),
    Command(
        "upgrade",
        "embed all pictures of a library with another model",
        "It says what that costs and asks before. Searches use the present model until one commit switches; "
        "an interrupted upgrade goes on where it stopped.",
    ),
    Command("models", "list the models that can be downloaded; download or check one"),
    Command("distil", "train a small text tower that replaces a large one"),
)
"""In the order of `snapseek --help`."""

COMMAND_NAMES = tuple(command.name for command in COMMANDS)
