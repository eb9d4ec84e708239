"""`python -m snapseek` is the `snapseek` command."""

import sys

from snapseek.cli import main

sys.exit(main())
