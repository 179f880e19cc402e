"""The old name of ``brainage study``; it works for this version."""

import sys

from brainage.commands.study import main

if __name__ == "__main__":
    sys.exit(main())
