"""Models and images of the inferencer's tests."""

from tests.test_apis.conftest import apn, images, inferencer, sfl

__all__ = ['apn', 'images', 'inferencer', 'sfl']
