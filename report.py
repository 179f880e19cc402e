"""Evaluate and report predictions: the same as ``brainage report``. ``python report.py --help`` describes it."""

import sys

from brainage.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["report", *sys.argv[1:]]))
