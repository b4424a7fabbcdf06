"""These tests are collected where Lightning is installed: `make test-extras` does it."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("lightning") else ["test_*.py"]
