"""The layers of the product beside those that `lint-imports` holds: no module imports one that leads back to it."""

from __future__ import annotations

import pytest

from tools import source


def circles(tree: dict[str, str]) -> list[list[str]]:
    """Return the circles of the product's modules, imports inside functions and for types alone included."""
    python = {path: text for path, text in tree.items() if path.startswith(source.PRODUCT) and path.endswith(".py")}
    return source.circles(source.imports(source.parsed(python)))


@pytest.fixture(scope="module")
def product() -> dict[str, str]:
    return {f"{top}{path}": text for top in source.PRODUCT for path, text in source.texts(source.ROOT / top).items()}


def test_no_module_leads_back_to_itself(product: dict[str, str]) -> None:
    assert circles(product) == []


def test_an_import_inside_a_function_that_leads_back_is_found(product: dict[str, str]) -> None:
    errors, inside = "referral/errors.py", "\n\ndef late() -> None:\n    from referral.wire import seal\n"
    (found,) = circles(product | {errors: product[errors] + inside})
    assert {"referral.errors", "referral.wire.seal"} <= {*found}
