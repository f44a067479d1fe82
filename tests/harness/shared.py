"""The folder of shared data beside the repository: records, third-party vectors. Tests skip where it is missing."""

import os
from hashlib import sha256
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def shared_folder(*parts: str) -> Path:
    """`shared/...`, by WATTEST_SHARED or from above the repository; skips the calling test where there is none."""
    named = os.environ.get("WATTEST_SHARED")
    candidates = [Path(named)] if named else [above / "shared" for above in REPOSITORY.parents]
    for candidate in candidates:
        folder = candidate.joinpath(*parts)
        if folder.exists():
            return folder
    pytest.skip(f"no folder shared/{'/'.join(parts)} beside the repository (or named by WATTEST_SHARED)")


def checked_bytes(root: Path, name: str) -> bytes:
    """The file `name` under `root`, after its sum in `root/SHA256SUMS` was found right."""
    data = (root / name).read_bytes()
    lines = (line.split(maxsplit=1) for line in (root / "SHA256SUMS").read_text().splitlines())
    sums = {path: digest for digest, path in lines}
    assert sums[f"./{name}"] == sha256(data).hexdigest(), f"{name} is not the file that the sums were made of"
    return data
