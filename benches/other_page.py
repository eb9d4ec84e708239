"""`snapseek` with another built page, to compare: `python -m benches.other_page ARGUMENTS --page=FOLDER`."""

import sys
from pathlib import Path

from snapseek.cli.main import main
from snapseek.server.page import Page

if __name__ == "__main__":
    (folder,) = (argument for argument in sys.argv if argument.startswith("--page="))
    sys.argv.remove(folder)
    Page.__init__.__defaults__ = (Path(folder.partition("=")[2]),)
    sys.exit(main())
