"""Explain a trained network: the same as ``brainage explain``. ``python explain.py --help`` describes it."""

import sys

from brainage.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["explain", *sys.argv[1:]]))
