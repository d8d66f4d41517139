"""Several modules as one: every name means what it meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector_lib.errors import ConfigurationError
from tests.unit.deploy.single_file.packages import assembled, results

SAME = {
    "helpers with one name in two modules": {
        "one.py": """
            def _name(): return "one"
            def told(): return _name()
            """,
        "main.py": """
            from .one import told
            def _name(): return "main"
            def result(): return [told(), _name()]
            """,
    },
    "a module under another name": {
        "deep/__init__.py": "",
        "deep/tool.py": "LIMIT = 3\ndef double(x): return 2 * x",
        "main.py": """
            import pack.deep.tool as t
            def result(): return [t.double(t.LIMIT), (lambda t: t)(5)]
            """,
    },
    "a module by its full name": {
        "deep/__init__.py": "",
        "deep/tool.py": "def double(x): return 2 * x",
        "main.py": """
            import pack.deep.tool
            def result(): return pack.deep.tool.double(4)
            """,
    },
    "a module from its package, under another name": {
        "tool.py": "class Maker:\n    kind = 'tool'\n",
        "main.py": """
            from . import tool as y
            class Maker(y.Maker):
                own = y.Maker.kind
            def result(): return [Maker.kind, Maker.own, Maker.__mro__[1].kind]
            """,
    },
    "relative imports from above": {
        "base.py": "def helper(): return 'base'",
        "inner/__init__.py": "from ..base import helper as given",
        "inner/leaf.py": """
            from ..base import helper
            from . import given
            def helper_of_leaf(): return [helper(), given()]
            """,
        "main.py": """
            from pack.inner.leaf import helper_of_leaf as told
            def helper(): return 'main'
            def result(): return [told(), helper()]
            """,
    },
    "an alias that a parameter, a variable and a comprehension hide": {
        "one.py": "def helper(x): return ('helper', x)",
        "main.py": """
            from .one import helper as h
            def by_parameter(helper): return h(helper)
            def by_variable():
                helper = 'local'
                return [h(helper) for helper in (helper, 'inner')]
            def hidden(h): return h
            def in_comprehension(): return [h for h in (1, 2)], {h: h for h in (1,)}, {h for h in (3,)}
            def in_lambda(): return (lambda helper: h(helper))(7)
            def in_except():
                try:
                    raise ValueError('x')
                except ValueError as helper:
                    return h(str(helper))
            def result():
                return [by_parameter(1), by_variable(), hidden(2), in_comprehension(), in_lambda(), in_except()]
            """,
    },
    "names in text, in keys, in keywords and behind a dot": {
        "one.py": "def _value(): return 1",
        "main.py": '''
            """_value stays here."""
            from . import one
            def _value(_value="_value"):
                "_value is a word here."
                return {"_value": _value}
            class Holder:
                def __init__(self): self._value = "held"
            def result():
                return [one._value(), _value(_value="given"), Holder()._value, _value.__doc__, "_value()", b"_value"]
            ''',
    },
    "names in f-strings": {
        "one.py": "_width = 3\ndef _shown(x): return f'<{x:{_width}}>'\ndef told(): return _shown(1)",
        "main.py": '''
            from .one import told
            _width = 5
            def _shown(x): return f"{x!r:>{_width}} {_width=} '{_width}' \\"{{_width}}\\""
            def result():
                several = (f"{_shown('a')}"
                           " _shown " f"{ _width + 1 }")
                block = f"""
                {_shown(
                    'b')}
                _width
                """
                return [told(), several, block, f"{__name__.rpartition('.')[2]}"]
            ''',
    },
    "global variables": {
        "one.py": "_count = 10\ndef count(): return _count",
        "main.py": """
            from .one import count
            _count = 0
            def step():
                global _count
                _count += 1
            def outer():
                seen = 0
                def inner():
                    nonlocal seen
                    global _made
                    seen, _made = seen + 1, 'made'
                inner()
                return seen
            def result():
                step(); step()
                return [count(), _count, outer(), _made]
            """,
    },
    "class bodies, decorators, bases and defaults": {
        "one.py": """
            def _mark(kind): kind.marked = 'one'; return kind
            class _Base: name = 'one base'
            @_mark
            class One(_Base):
                size = 1
                def bigger(self, size=size): return size + self.size
            """,
        "main.py": """
            from .one import One as Other
            size = 100
            def _mark(kind): kind.marked = 'main'; return kind
            class _Base: name = 'main base'
            @_mark
            class One(_Base, Other):
                def by_module(self): return size
                class Inner(_Base):
                    also = size
            def result():
                one = One()
                read = [one.name, one.marked, Other.marked, one.bigger(), one.by_module()]
                return [*read, One.Inner.also, One.Inner.name]
            """,
    },
    "a name of Python that another module redefines": {
        "one.py": "def open(path): return 'ours'\ndef len(x): return -1\ndef opened(): return [open('x'), len('abc')]",
        "main.py": """
            from .one import opened
            def result(): return [opened(), len('abc'), callable(open), open.__name__]
            """,
    },
    "imports of others that have one name": {
        "one.py": "import datetime\nimport json as form\ndef day(): return datetime.date(2026, 1, 2), form.dumps([1])",
        "two.py": """
            from datetime import datetime
            import os.path
            def now(): return datetime(2026, 1, 2), os.path.join('a')
            """,
        "three.py": "import time\ntime_zone = time.gmtime(0).tm_year\nos = 'system'\ndef told(): return time_zone, os",
        "main.py": """
            from time import gmtime as json
            from . import one, two, three
            def form(): return json(0).tm_year
            def result(): return [one.day(), two.now(), three.told(), form()]
            """,
    },
    "imports in functions": {
        "one.py": "def helper(x): from .main import SCALE as scale; return x * scale",
        "main.py": """
            SCALE = 3
            def result():
                if SCALE:
                    # Only when it is needed.
                    from .one import helper
                import json
                def inner():
                    return helper(2)
                return [helper(1), inner(), json.dumps({'a': 1})]
            """,
    },
    "one of two imports": {
        "slow.py": "def work(): return 'slow'",
        "main.py": """
            try:
                from pack_fast_and_missing import work
            except ImportError:
                from .slow import work
            try:
                import no_such_module_anywhere as extra
            except ModuleNotFoundError:
                extra = None
            def result(): return [work(), extra]
            """,
    },
    "types that are imported for types only, in a circle": {
        "one.py": """
            from __future__ import annotations
            from typing import TYPE_CHECKING
            if TYPE_CHECKING:
                from decimal import Decimal
                from .main import Owner
            class Thing:
                def owner(self, given: Owner, price: Decimal) -> list[Owner]: return [given]
            """,
        "main.py": """
            from __future__ import annotations
            from .one import Thing
            class Owner:
                def thing(self) -> Thing: return Thing()
            def result(): return [type(Thing().owner(Owner(), 1)[0]).__name__, type(Owner().thing()).__name__]
            """,
    },
    "annotations that are looked up at run time": {
        "one.py": """
            from __future__ import annotations
            from dataclasses import dataclass
            from pydantic import BaseModel
            Size = int
            @dataclass(frozen=True, slots=True)
            class Item:
                size: Size
                def grown(self) -> Item: return Item(self.size + 1)
            class Model(BaseModel):
                size: Size
                inner: Inner | None = None
            class Inner(BaseModel):
                sizes: list[Size]
            """,
        "main.py": """
            from __future__ import annotations
            from typing import Annotated, Literal, get_type_hints
            from pydantic import BaseModel, Field
            from . import one
            Size = float
            class Item(BaseModel):
                size: Size
                other: Annotated[one.Size, Field(gt=0)]
                words: "list[Size]"
                kind: Literal["Size", "Item"] = "Size"
            def typed(a: "Size", b: "one.Size", c: "dict[str, one.Item]") -> "Literal['Size']": ...
            def result():
                item = Item(size="1.5", other="2", words=["3"])
                model = one.Model.model_validate({"size": "4", "inner": {"sizes": ["5"]}})
                hints = get_type_hints(typed)
                return [item.size, item.other, item.words, item.kind, repr(one.Item(1).grown()), model.inner.sizes,
                        hints["a"].__name__, hints["b"].__name__, hints["c"].__args__[1].__name__, str(hints["return"])]
            """,
    },
    "a field that is called as its type": {
        "one.py": "from datetime import date\ndef day(): return date(2026, 1, 2).isoformat()",
        "main.py": """
            from datetime import date
            from typing import NamedTuple
            from .one import day
            class Row(NamedTuple):
                date: date
                other: int = 1
            class Later:
                date = date(2026, 1, 3)
            def result(): return [day(), Row(date(2026, 1, 4)).date.isoformat(), Later.date.isoformat()]
            """,
    },
    "patterns and assignments in expressions": {
        "one.py": "class Point:\n    __match_args__ = ('x',)\n    def __init__(self, x): self.x = x\n",
        "main.py": """
            from .one import Point as P
            x = 'module'
            def kind(value):
                match value:
                    case P(x) if x < 2: return ['point', x]
                    case [first, *rest]: return [first, rest]
                    case {'k': x, **others}: return [x, others]
                    case P() as found: return found
            def result():
                longest = max((y := len(word)) for word in ('a', 'bb'))
                return [kind(P(1)), kind(P(5)).x, kind([1, 2, 3]), kind({'k': 1, 'm': 2}), longest, y, x]
            """,
    },
    "a package that hands on, and one that does something": {
        "__init__.py": "from pack.registered import names\nfrom pack.unused import unused\nVERSION = '1'\n",
        "unused.py": "def unused(): return 'of no use'",
        "registered.py": "names = []",
        "doing/__init__.py": """
            from ..registered import names
            names.append('doing')
            _LABEL = 'l'
            LABEL = _LABEL + '!'
            """,
        "doing/leaf.py": "from . import LABEL\ndef leaf(): return LABEL",
        "main.py": """
            from pack import registered
            from pack.doing.leaf import leaf
            def result(): return [list(registered.names), leaf()]
            """,
    },
    "what runs only as a program": {
        "main.py": """
            import logging
            LOG = logging.getLogger(__name__)
            __all__ = ["result"]
            __all__ += ["LOG"]
            def result(): return LOG.name
            if __name__ == "__main__":
                raise SystemExit(result())
            """,
    },
    "data files": {
        "data/__init__.py": "",
        "data/words.json": '["ä", "b"]',
        "data/more/deep.txt": "deep",
        "main.py": """
            import json
            from importlib import resources
            from importlib.resources import files
            def result():
                found = files("pack.data")
                deep = (resources.files("pack") / "data" / "more" / "deep.txt").read_bytes()
                return [json.loads(found.joinpath("words.json").read_text(encoding="utf-8")), deep,
                        sorted(one.name for one in found.iterdir() if one.name.endswith(".json"))]
            """,
    },
}


@pytest.mark.parametrize("case", SAME)
def test_one_module_gives_what_several_gave(case: str, tmp_path: Path) -> None:
    expected, merged = results(tmp_path, SAME[case])
    assert merged == expected


def test_what_a_package_hands_on_is_taken_only_where_it_is_asked_for(tmp_path: Path) -> None:
    text = assembled(tmp_path, SAME["a package that hands on, and one that does something"]).text
    assert "of no use" not in text
    assert "VERSION" not in text
    assert "names.append('doing')" in text


def test_packages_are_read_and_not_run(tmp_path: Path) -> None:
    files = {"__init__.py": "raise RuntimeError('run')", "main.py": "def result(): return 1"}
    assert "def result(): return 1" in assembled(tmp_path, files).text


def test_comments_layout_and_docstrings_stay(tmp_path: Path) -> None:
    text = assembled(
        tmp_path,
        {
            "one.py": '"""About one."""\n\ndef _x(a,   b):  # why\n    """What it gives."""\n    return a\n',
            "main.py": "from .one import _x as y\n\n_x = 1  # another\n\n\ndef result():\n    return y( 1,2 )\n",
        },
    ).text
    assert 'def _x(a,   b):  # why\n    """What it gives."""\n' in text
    assert '"""About one."""' in text
    assert "_x_of_main = 1  # another" in text
    assert "return _x( 1,2 )" in text


def test_the_same_package_gives_the_same_text(tmp_path: Path) -> None:
    files = SAME["imports of others that have one name"]
    assert assembled(tmp_path, files).text == assembled(tmp_path, files).text


REFUSED = {
    "a star import": ({"one.py": "x = 1", "main.py": "\nfrom .one import *\ndef result(): return x"}, "main.py:2", "*"),
    "a module by a name in text": (
        {"one.py": "", "main.py": "import importlib\ndef result():\n    return importlib.import_module('pack.one')"},
        "main.py:3",
        "imported by a name in text",
    ),
    "a module by a computed name": (
        {"main.py": "from importlib import import_module as load\ndef result(name='x'):\n    return load(name)"},
        "main.py:3",
        "imported by a name in text",
    ),
    "a module as a value": (
        {"one.py": "x = 1", "main.py": "from . import one\ndef result():\n    return vars(one)"},
        "main.py:3",
        "used as a value",
    ),
    "a module that is changed from outside": (
        {"one.py": "x = 1", "main.py": "from . import one\ndef result():\n    one.x = 2"},
        "main.py:3",
        "changed from outside",
    ),
    "modules in a circle": (
        {"one.py": "from .main import y\nx = 1", "main.py": "y = 1\nfrom .one import x\ndef result(): return x"},
        "main.py:1",
        "pack.main -> pack.one -> pack.main",
    ),
    "a name that is not there": (
        {"one.py": "x = 1", "main.py": "\n\nfrom .one import y\ndef result(): return y"},
        "main.py:3",
        "has no 'y'",
    ),
    "a module that is not there": (
        {"main.py": "import pack.none\ndef result(): return pack.none.x"},
        "main.py:2",
        "none",
    ),
    "an import out of the package": ({"main.py": "from ...x import y\ndef result(): return y"}, "main.py:1", "out of"),
    "its own file": ({"main.py": "def result(): return __file__"}, "main.py:1", "__file__"),
    "its own names": ({"main.py": "def result():\n    return globals()"}, "main.py:2", "globals()"),
    "itself": (
        {"main.py": "import sys\ndef result():\n    return sys.modules[__name__]"},
        "main.py:3",
        "asks for itself",
    ),
    "files of a package that the text does not name": (
        {"main.py": "from importlib.resources import files\ndef result(name='pack'): return files(name)"},
        "main.py:2",
        "does not name",
    ),
    "a name of its own for what it is asked": (
        {"one.py": "x = 1", "main.py": "from .one import x as y\nclass A:\n    y = y\ndef result(): return A.y"},
        "main.py:3",
        "name 'y' of its own",
    ),
    "a module's __getattr__": (
        {
            "one.py": "x = 1\ndef __getattr__(name): return name",
            "main.py": "from .one import x\ndef result(): return x",
        },
        "one.py:2",
        "__getattr__",
    ),
    "no Python": (
        {"one.py": "x = = 1", "main.py": "from .one import x\ndef result(): return x"},
        "one.py:1",
        "no Python",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_one_module_cannot_be_is_refused_with_file_and_line(case: str, tmp_path: Path) -> None:
    files, place, said = REFUSED[case]
    with pytest.raises(ConfigurationError) as refused:
        assembled(tmp_path, files)
    assert refused.value.message.startswith(f"pack/{place}: ")
    assert said in refused.value.message
    assert refused.value.hint
