"""Compare finished runs: the same as ``brainage compare``. ``python compare.py --help`` describes it."""

import sys

from brainage.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["compare", *sys.argv[1:]]))
