"""Exported lines as a Parquet file: typed columns, written group by group, so that memory does not grow with them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

GROUP = 20_000  # lines a row group, some 20 MB

NUMBERS = frozenset(
    {
        "account_id",
        "certificate_bundle_id_range_start",
        "certificate_bundle_id_range_end",
        "bundle_quantity",
        "issuance_id",
        "face_value",
        "registry_configuration",
        "device_capacity",
        "device_sequence",
    }
)
MOMENTS = frozenset(
    {
        "device_production_start_date",
        "production_starting_interval",
        "production_ending_interval",
        "issuance_datestamp",
        "expiry_datestamp",
    }
)
FLAGS = frozenset({"issuance_post_energy_carrier_conversion", "is_storage"})


class Table:
    """Writes lines of JSON, all with the same keys."""

    def write(self, path: Path, chunks: Iterator[bytes]) -> None:
        writer: Any = None
        waiting: list[dict[str, Any]] = []
        try:
            for chunk in chunks:
                waiting += [json.loads(line) for line in chunk.splitlines()]
                if len(waiting) >= GROUP:
                    writer = self._group(writer, path, waiting)
                    waiting = []
            if waiting or writer is None:
                writer = self._group(writer, path, waiting)
        finally:
            if writer is not None:
                writer.close()

    def _group(self, writer: Any, path: Path, lines: list[dict[str, Any]]) -> Any:
        names = list(lines[0]) if lines else ["number"]
        schema = writer.schema if writer is not None else pyarrow.schema([(name, _kind(name)) for name in names])
        columns = {name: [_value(name, line[name]) for line in lines] for name in schema.names}
        if writer is None:
            writer = parquet.ParquetWriter(path, schema, compression="zstd")
        writer.write_table(pyarrow.table(columns, schema=schema))
        return writer


def _kind(name: str) -> Any:
    if name in NUMBERS:
        return pyarrow.uint64()
    if name in MOMENTS:
        return pyarrow.timestamp("s", tz="UTC")
    return pyarrow.bool_() if name in FLAGS else pyarrow.string()


def _value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in NUMBERS:
        return int(value)
    if name in MOMENTS:
        return datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return value
