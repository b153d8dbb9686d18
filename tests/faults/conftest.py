"""One line for the tests of this folder: it is what takes long to start. Each test uses cases of its own; time only goes forward."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from referral.local.config import StackConfig
from tests.faults.line import Line, running


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of the shared line to one process, and put those last that leave a thousand entries in its log: others verify the
    whole of it."""
    for item in items:
        if "shared" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("shared line"))
    items.sort(key=lambda item: item.path.stem in ("test_stopped", "test_kills"))


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Line]:
    """Two instances of each service and a drill clock."""
    async with running(StackConfig(data=tmp_path_factory.mktemp("line"), instances=2, drill=True)) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def line(shared: Line) -> AsyncIterator[Line]:
    """The line, with everything running again, before and after."""
    await shared.ready()
    yield shared
    await shared.ready()
