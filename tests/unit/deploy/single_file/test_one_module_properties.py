"""Packages made by chance, of few names that meet often, give the same as one module."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, reject, settings
from hypothesis import strategies as st

from connector_lib.errors import ConfigurationError
from tests.unit.deploy.single_file.packages import NAME, results

NAMES = ("a", "b", "_c", "list")
IMPORTS = (
    "from .{module} import {name}",
    "from .{module} import {name} as {alias}",
    "from . import {module}",
    "from . import {module} as {alias}",
    "import {package}.{module} as {alias}",
    "import {package}.{module}",
)
"""How a name of another module comes, and below by what it is called then."""
CALLED = ("{name}", "{alias}", "{module}.{name}", "{alias}.{name}", "{alias}.{name}", "{package}.{module}.{name}")
FUNCTIONS = (
    "def {own}(x):\n    return [{where!r}, '{called}', x and {called}(x - 1)]",
    "def {own}(x, {local}=7):\n    return [{where!r}, {local}, x and {called}(x - 1), f'{{x}} {{{local}!r:>3}}']",
    "def {own}(x):\n    return [{where!r}, [{local} for {local} in range(2)], x and {called}(x - 1)]",
    "def {own}(x):\n    {late}\n    return [{where!r}, x and {called}(x - 1)]",
    """
class {own}_kind:
    {local} = 5
    def read(self, x): return [{where!r}, self.{local}, x and {called}(x - 1)]
def {own}(x): return {own}_kind().read(x)
""",
)


@st.composite
def modules(draw: st.DrawFn) -> dict[str, str]:
    files: dict[str, str] = {}
    defined: dict[str, list[str]] = {}
    for number in range(draw(st.integers(1, 4))):
        module = f"m{number}"
        others = list(defined)
        lines: list[str] = []
        owned: list[str] = []
        for own in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)):
            form = draw(st.sampled_from(FUNCTIONS))
            local = draw(st.sampled_from(NAMES))
            called, late = "repr", "pass"
            if bool(others) and draw(st.booleans()):
                other = draw(st.sampled_from(others))
                way = draw(st.integers(0, len(IMPORTS) - 1))
                words = {
                    "module": other,
                    "name": draw(st.sampled_from(defined[other])),
                    "alias": draw(st.sampled_from(NAMES)),
                    "package": NAME,
                }
                late = IMPORTS[way].format(**words)
                called = CALLED[way].format(**words)
                if "{late}" not in form:
                    lines.append(late)
            elif owned:
                called = draw(st.sampled_from(owned))
            lines.append(form.format(own=own, where=f"{module}.{own}", called=called, local=local, late=late))
            owned.append(own)
        defined[module] = owned
        files[f"{module}.py"] = "\n".join(lines)
    calls = [f"tried({NAME}.{module}.{own})" for module, owned in defined.items() for own in owned]
    files["main.py"] = "\n".join(
        [
            *(f"import {NAME}.{module}" for module in defined),
            "def tried(function):",
            "    try:",
            "        return function(2)",
            "    except Exception as error:",
            "        return type(error).__name__",
            f"def result(): return [{', '.join(calls)}]",
        ]
    )
    return files


@settings(max_examples=100, deadline=None)
@given(modules())
def test_chance_packages_give_the_same_as_one_module(files: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            expected, merged = results(Path(folder), files)
        except ConfigurationError as refused:
            # A name that is a module and something else.
            if "bound in two ways" not in refused.message:
                raise
            reject()
    assert merged == expected
