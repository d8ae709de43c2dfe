"""The toy model."""

import pytest

from tests.helpers import adversarial_toy


@pytest.fixture(scope='session')
def toy():
    return adversarial_toy
