"""The old name of ``brainage bundle``; it works for this version."""

import sys

from brainage.commands.bundle import main

if __name__ == "__main__":
    sys.exit(main())
