from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

# The tests are not a package: what they share is loaded by its path, under the name that imports give it.
_SHARED = "tests.unit.testing.records_sample"
if _SHARED not in sys.modules:
    path = Path(__file__).parents[2] / "unit" / "testing" / "records_sample.py"
    spec = importlib.util.spec_from_file_location(_SHARED, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[_SHARED] = module
    spec.loader.exec_module(module)
