"""These tests are collected where what they need is installed: `make test-extras` does it."""

import importlib.util

NEEDED = {
    "test_lightning.py": "lightning",
    "test_tensorboard.py": "lightning",
    "test_onnx.py": "onnxruntime",
}
collect_ignore = [name for name, needed in NEEDED.items() if not importlib.util.find_spec(needed)]
