"""The `snapseek` command: parse, call, print; nothing else.

`main` parses the arguments and turns errors into messages and exit codes. `commands` lists all commands. Each
command is one file with two functions: `add_arguments` declares its arguments, `run` runs it. The file is
imported only for its own command, and imports the library inside `run`, so that `--help` needs only argparse.
`options` has the arguments that several commands share, `console` prints on stderr.
"""

from snapseek.startup import ExitOnInterrupt

with ExitOnInterrupt():
    from snapseek.cli.main import main

__all__ = ["main"]
