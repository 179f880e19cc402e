"""The old name of ``brainage simulate``; it works for this version."""

import sys

from brainage.data.cohorts.simulated_files import main

if __name__ == "__main__":
    sys.exit(main())
