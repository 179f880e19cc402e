"""Predict the age of new participants: the same as ``brainage predict``. ``python predict.py --help`` describes it."""

import sys

from brainage.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["predict", *sys.argv[1:]]))
