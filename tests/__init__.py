"""Tests; none of them sees the own configs and keys of the user who runs them."""

import atexit
import os
import shutil
import tempfile

os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp(prefix="brainage-tests-")
atexit.register(shutil.rmtree, os.environ["XDG_CONFIG_HOME"], ignore_errors=True)
