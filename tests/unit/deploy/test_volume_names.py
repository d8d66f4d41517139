"""Names of Volumes as people write them."""

from __future__ import annotations

import pytest

from connector_lib.deploy.volume_files import VolumeName
from connector_lib.errors import UsageError


@pytest.mark.parametrize("text", ["Shared.Libraries.wheels", "/Volumes/shared/libraries/wheels/"])
def test_a_volume_is_named_by_three_names_or_by_its_path(text: str) -> None:
    volume = VolumeName.parse(text)
    assert str(volume) == "shared.libraries.wheels"
    assert volume.path == "/Volumes/shared/libraries/wheels"


@pytest.mark.parametrize(
    "text", ["", "wheels", "a.b", "a.b.c.d", "a..c", "a.b c.d", "/Volumes/a/b", "/Workspace/a/b/c"]
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"not the name of a Volume\n.*shared\.libraries\.python_packages"):
        VolumeName.parse(text)
