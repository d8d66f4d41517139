from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

# The tests are not a package: what they share is loaded by its path, under the name that imports give it.
_HERE = Path(__file__).parent
for name, path in (
    ("tests.auto_cdc_model", _HERE.parents[1] / "auto_cdc_model.py"),
    *((f"tests.unit.simulation.{name}", _HERE / f"{name}.py") for name in ("story", "clinics", "streaming_query")),
):
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
