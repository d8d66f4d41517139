"""What a killed run leaves in the checkpoints."""

from __future__ import annotations

from pathlib import Path

from connector_lib.local.checkpoints import remove_unfinished

ID = "f72d151c-0561-4e08-9855-d02ff6fd8dc5"


def test_files_that_were_being_written_are_removed_and_all_others_stay(tmp_path: Path) -> None:
    offsets = tmp_path / "pipeline" / "_checkpoints" / "adt" / "offsets"
    offsets.mkdir(parents=True)
    finished = [offsets / name for name in ("0", ".0.crc", "1")]
    for file in (*finished, offsets / f".2.{ID}.tmp", offsets / f"..2.{ID}.tmp.crc"):
        file.touch()
    remove_unfinished(tmp_path)
    assert sorted(offsets.iterdir()) == sorted(finished)


def test_a_warehouse_without_checkpoints_is_in_order(tmp_path: Path) -> None:
    remove_unfinished(tmp_path / "checkpoints")
    assert list(tmp_path.iterdir()) == []
