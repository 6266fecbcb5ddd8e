"""The public interface: its names, what importing it costs, the example of its documentation."""

import subprocess
import sys
from pathlib import Path

import pytest

import tracekeeper.engine

PAGE = Path(__file__).parents[3] / "docs" / "engine-api.md"


def test_every_public_name_is_there() -> None:
    for name in tracekeeper.engine.__all__:
        assert getattr(tracekeeper.engine, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        tracekeeper.engine.Nothing  # noqa: B018


def test_importing_it_costs_nothing() -> None:
    look = "import sys, tracekeeper.engine; print({'asyncio', 'ssl', 'h11'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.docker
def test_the_example_of_the_documentation(busybox: str) -> None:
    example = PAGE.read_text().split("```python\n")[1].split("```")[0]
    assert "busybox:latest" in example
    example = example.replace("busybox:latest", busybox)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    assert "\\nHello world!\\n" in done.stdout
    assert done.stdout.endswith("' \n"), "there is no doubt"
