from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

# The tests are not a package: what they share is loaded by its path, under the name that imports give it.
for name in ("journals", "records_sample", "conformance_runs", "broken_connectors", "fault_matrix"):
    full_name = f"tests.unit.testing.{name}"
    spec = importlib.util.spec_from_file_location(full_name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[full_name] = module
    spec.loader.exec_module(module)
