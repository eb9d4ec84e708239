"""The `snapseek` command: parse, call, print; nothing else.

`main` parses the arguments and turns errors into messages and exit codes. `commands` lists every command.
Each one is a file of its own that is imported only when it is run: `add_arguments` declares its arguments,
`run` runs it. It imports the library inside `run`, so that `--help` needs argparse alone. `options` holds the
arguments that several commands share, `console` what is printed on stderr.
"""

try:
    from snapseek.cli.loading import interrupt_kept

    with interrupt_kept():
        from snapseek.cli.main import main
except KeyboardInterrupt:  # before the signal was kept
    raise SystemExit(130) from None

__all__ = ["main"]
