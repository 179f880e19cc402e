"""The old name of ``brainage simulate``; it works for this version."""

import sys

from brainage.commands.simulate import main

if __name__ == "__main__":
    sys.exit(main())
