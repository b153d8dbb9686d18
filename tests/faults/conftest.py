"""One line for the tests of this folder: it is what takes long to start. Each test uses cases of its own; time only goes forward."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from referral.local.config import Wish
from tests.faults.line import Line, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put those last that leave a thousand entries in the log of the shared line: others verify the whole of it."""
    items.sort(key=lambda item: item.path.stem in ("test_stopped", "test_kills"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Line]:
    """Two instances of each service and a drill clock."""
    async with running(Wish(data=tmp_path_factory.mktemp("line"), instances=2, drill=True)) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def line(shared: Line) -> AsyncIterator[Line]:
    """The line, with everything running again, before and after."""
    await shared.ready()
    yield shared
    await shared.ready()
