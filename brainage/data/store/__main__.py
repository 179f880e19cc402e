"""The old name of ``brainage store``; it works for this version."""

import sys

from brainage.commands.store import main

if __name__ == "__main__":
    sys.exit(main())
