from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

# The tests are not a package: what they share is loaded by its path, under the name that imports give it.
_TESTS = Path(__file__).parents[2]
for path in ("auto_cdc_model", "unit/simulation/story", "unit/simulation/clinics"):
    name = f"tests.{path.replace('/', '.')}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, _TESTS / f"{path}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
