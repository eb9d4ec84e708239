"""The `snapseek` command: parse, call, print; nothing else.

`main` reads the words and turns errors into sentences and exit codes. Each further file holds one command,
or a few that share their arguments: a `Command` is its name, a summary, its arguments and what it runs;
`main` lists them. `options` are arguments that several have, `notes` what is said on stderr.
"""

try:
    from snapseek.cli.loading import interrupt_kept

    with interrupt_kept():
        from snapseek.cli.main import main
except KeyboardInterrupt:  # before the signal was kept
    raise SystemExit(130) from None

__all__ = ["main"]
