"""Sphinx configuration of the documentation: ``make docs``."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from mmcv.transforms.utils import cache_randomness
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).resolve().parent / '_extensions'))
# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from posestructs import __version__

project = 'posestructs'
author = 'posestructs contributors'
copyright = author
version = release = __version__

extensions = [
    'myst_parser',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'sphinx.ext.viewcode',
    'mathml',
]
exclude_patterns = ['_build']
html_theme = 'furo'
html_title = f'posestructs {version}'
html_math_renderer = 'mathml'

myst_enable_extensions = ['dollarmath', 'colon_fence', 'deflist']
myst_heading_anchors = 4

autodoc_default_options = {'members': True, 'show-inheritance': True}
autodoc_typehints = 'description'
autodoc_member_order = 'bysource'
autodoc_preserve_defaults = True
# a class is documented by its own docstring; what mmpose's and torch's classes bring is theirs
autodoc_inherit_docstrings = False
# fields of a NamedTuple under Attributes are described once, in its docstring
napoleon_use_ivar = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False


# mmcv's decorator breaks where a method is looked up on its class, as autodoc does
_bind = cache_randomness.__get__
cache_randomness.__get__ = lambda self, obj, cls: self if obj is None else _bind(self, obj, cls)


def skip_member(app: Sphinx, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Leave out packages among the members of a package: they have sections of their own."""
    return True if isinstance(member, ModuleType) else None


def setup(app: Sphinx) -> None:
    """Register :func:`skip_member`."""
    app.connect('autodoc-skip-member', skip_member)
