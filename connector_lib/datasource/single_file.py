"""The data source of a connector whose whole code is one file, such as ``connector-lib merge`` writes.

Spark sends a data source, its readers and its partitions to other processes, which cannot import a file that is only on
the path of the pipeline. What Spark can do then, to send classes by what they hold, fails for pydantic models
(cloudpickle issue 565). So the text of the file itself is sent: with the data source and with each reader, in a few
kilobytes, and a process that has not seen it makes a module of it. Partitions come after their reader, and have only
their own content.

A file that was merged registers its data source by this. It does nothing in a package that is installed.
"""

from __future__ import annotations

import copyreg
import io
import pickle
import sys
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from pyspark import cloudpickle
from pyspark.sql.datasource import DataSource, DataSourceReader, DataSourceStreamReader, InputPartition
from pyspark.sql.types import StructType

from connector_lib.connector.options import plain_option_name
from connector_lib.datasource.source import LakeflowConnectDataSource
from connector_lib.errors import ConfigurationError, SourceError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["prepare_to_be_sent", "register_single_file", "single_file_data_source"]

_TEXT: Final = "__packed_text__"
"""The attribute of a module that was made of a text that was sent."""
_WHICH_SOURCE: Final = frozenset(map(plain_option_name, ("sourceName", "connectionName")))


def register_single_file(spark: SparkSession, source: str, format_name: str) -> None:
    """Registers the one ``source`` of the file that this stands in as the format ``format_name``.

    Raises ConfigurationError where the file is not imported as a module, but pasted or run.
    """
    data_source = single_file_data_source(source, format_name)
    spark.dataSource.register(data_source)


def single_file_data_source(source: str, format_name: str) -> type[DataSource]:
    """The data source, as it can be sent to a process that has only pyspark and the libraries that the file names.

    The read need not have ``sourceName``. Raises ConfigurationError as :func:`register_single_file`.
    """
    name = LakeflowConnectDataSource.__module__
    packed = _packed_text(name)
    prepare_to_be_sent()
    # Here the module is there already.
    setattr(sys.modules[name], _TEXT, packed)

    class SingleFileDataSource(DataSource):
        # Spark's pickler sends a class of a function by what it holds: the names below, and no more.

        @classmethod
        def name(cls) -> str:
            return format_name

        def schema(self) -> StructType | str:
            return self._data_source().schema()

        def reader(self, schema: StructType) -> DataSourceReader:
            return self._data_source().reader(schema)

        def streamReader(self, schema: StructType) -> DataSourceStreamReader:  # noqa: N802 - Spark's name
            return self._data_source().streamReader(schema)

        def _data_source(self) -> DataSource:
            made: DataSource = module_of_text(name, packed).data_source_of(source, self.options)
            return made

    return SingleFileDataSource


def data_source_of(source: str, options: Mapping[str, str]) -> DataSource:
    """The data source of a read that need not say which source it is about."""
    said = any(plain_option_name(name) in _WHICH_SOURCE for name in options)
    return LakeflowConnectDataSource(dict(options) if said else {"sourceName": source, **options})


def prepare_to_be_sent() -> None:
    """Makes readers and partitions of this module take along what another process needs. Once a process is enough."""
    module = sys.modules[LakeflowConnectDataSource.__module__]
    cloudpickle.register_pickle_by_value(module)
    for kind in _kinds(module.__name__, DataSourceReader, DataSourceStreamReader):
        copyreg.pickle(kind, _reader_sent)
    for kind in _kinds(module.__name__, InputPartition):
        copyreg.pickle(kind, _partition_sent)


def module_of_text(name: str, packed: bytes) -> Any:
    """The module ``name`` of a text, made where it is not there yet."""
    there = sys.modules.get(name)
    if there is not None and vars(there).get(_TEXT) == packed:
        return there
    made = ModuleType(name)
    setattr(made, _TEXT, packed)
    # Before its text runs: classes look for their module.
    sys.modules[name] = made
    try:
        # The text is that of the file which the driver imported, and came the way that all code comes to workers.
        exec(compile(zlib.decompress(packed), f"{name}.py", "exec"), vars(made))  # noqa: S102
        made.prepare_to_be_sent()
    except BaseException:
        del sys.modules[name]
        if there is not None:
            sys.modules[name] = there
        raise
    return made


def _packed_text(name: str) -> bytes:
    """The text of the module ``name``: of its file where it was imported, or as it was sent."""
    module = sys.modules[name]
    file = module.__file__ if name != "__main__" and "__file__" in vars(module) else None
    if file is not None:
        return zlib.compress(Path(file).read_bytes(), 9)
    if _TEXT not in vars(module):
        raise ConfigurationError(
            "a connector in a single file has to be imported",
            hint="put the file beside the pipeline's files, and write: from _generated_..._python_source import "
            "register_lakeflow_source",
        )
    packed: bytes = vars(module)[_TEXT]
    return packed


def _kinds(module: str, *bases: type) -> Iterator[type]:
    """The classes of ``module`` below ``bases``."""
    for base in bases:
        kinds: list[type] = base.__subclasses__()
        for kind in kinds:
            if kind.__module__ == module:
                yield kind
            yield from _kinds(module, kind)


def _reader_sent(reader: Any) -> tuple[Any, ...]:
    name = type(reader).__module__
    return _restored, (name, _packed_text(name), _pickled(reader))


def _partition_sent(partition: Any) -> tuple[Any, ...]:
    return _restored, (type(partition).__module__, None, _pickled(partition))


def _pickled(value: Any) -> bytes:
    """``value`` with its classes by name: the module is there when it is read."""
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = {
        kind: how for kind, how in copyreg.dispatch_table.items() if how not in (_reader_sent, _partition_sent)
    }
    pickler.dump(value)
    return buffer.getvalue()


def _restored(name: str, packed: bytes | None, data: bytes) -> Any:
    if packed is not None:
        module_of_text(name, packed)
    elif name not in sys.modules:
        raise SourceError(f"a partition came to a worker before the reader of the module {name}")
    return pickle.loads(data)  # noqa: S301 - what the driver made
