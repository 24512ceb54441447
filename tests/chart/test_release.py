"""A released chart: each of its images is named by digest."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support.cluster import CHART, find_helm

if TYPE_CHECKING:
    from pathlib import Path

RELEASE = CHART.parent / "release"


def _images(values: object) -> list[str]:
    """Find what stands at every `image`, at any depth."""
    if not isinstance(values, dict):
        return []
    found = [image for value in values.values() for image in _images(value)]
    return [*found, values["image"]] if "image" in values else found


def _release(place: Path, lines: list[str]) -> subprocess.CompletedProcess[str]:
    (place / "digests").write_text("\n".join(lines))
    return subprocess.run(
        [sys.executable, RELEASE, place / "digests", place],
        env={**os.environ, "HELM": find_helm() or ""},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_every_image_is_pinned(tmp_path: Path) -> None:
    """A tag may move; what was tested is what runs."""
    if not find_helm():
        pytest.skip("THE CHART WAS NOT TESTED: no helm here, set HELM")
    images = _images(yaml.safe_load((CHART / "values.yaml").read_text()))
    lines = [f"{image} sha256:{n:064x}" for n, image in enumerate(images)]
    done = _release(tmp_path, lines)
    assert done.returncode == 0, done.stderr
    (package,) = tmp_path.glob("*.tgz")
    with tarfile.open(package) as archive:
        written = archive.extractfile("pilotlight/values.yaml")
        assert written is not None
        released = _images(yaml.safe_load(written.read()))
    assert len(released) >= 4
    assert all(re.search(r":[\w.]+@sha256:[0-9a-f]{64}$", image) for image in released)


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("", "no digest for docker.io/pilotlight/"),
        ("{image} sha256:abc", "no digest: 'sha256:abc'"),
        ("{image} sha256:abc and more", "no digest: 'sha256:abc and more'"),
    ],
)
def test_no_image_is_left_out(tmp_path: Path, first: str, said: str) -> None:
    """Nothing is packaged where one has no digest, or half of one."""
    image, *others = _images(yaml.safe_load((CHART / "values.yaml").read_text()))
    lines = [first.format(image=image), *(f"{other} sha256:{'a' * 64}" for other in others)]
    done = _release(tmp_path, lines)
    assert done.returncode == 1
    assert said in done.stderr
    assert not list(tmp_path.glob("*.tgz"))
