"""Train networks: the same as ``brainage train``. ``python train.py --help`` describes it."""

import sys

from brainage.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
