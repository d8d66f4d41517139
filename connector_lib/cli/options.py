"""What several commands take alike."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["DEFAULT_WAREHOUSE"]

DEFAULT_WAREHOUSE: Final = Path("local_warehouse")
"""Where a run keeps its tables when ``--warehouse`` is not given."""
