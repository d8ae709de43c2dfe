"""A user's file comes before a shipped one of the same name; a file that is nowhere is an error."""

import pytest

from posestructs.structures.shipped_files import find_file
from posestructs.utils.paths import config_root

SHIPPED = config_root() / '_base_' / 'trees' / 'lsp-26.py'


def test_the_users_own_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_file('tree', 'lsp-26.py', 'trees') == SHIPPED
    # as a config of a checkout writes it, read from elsewhere
    assert find_file('tree', 'configs/_base_/trees/lsp-26.py', 'trees') == SHIPPED
    (tmp_path / 'lsp-26.py').touch()
    assert find_file('tree', 'lsp-26.py', 'trees').resolve() == tmp_path / 'lsp-26.py'
    assert find_file('tree', tmp_path / 'lsp-26.py', 'trees') == tmp_path / 'lsp-26.py'


@pytest.mark.parametrize('path', ['dog.py', '/nowhere/lsp-26.py', 'trees', '.'])
def test_what_is_nowhere(path, tmp_path, monkeypatch):
    # an absolute path means that very file, and a folder is none
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'trees').mkdir()
    with pytest.raises(FileNotFoundError) as caught:
        find_file('tree', path, 'trees', '; make one')
    message = str(caught.value)
    assert message.startswith(f'tree={path!r}: no such file, and not one of the shipped [')
    assert {'coco-17.py', 'flic-18.py', 'lsp-26.py', 'mpii-16.py'} <= set(message.split("'"))
    assert message.endswith('; make one')


def test_no_path():
    with pytest.raises(TypeError, match=r'tree=\[1\], allowed: the path of a file'):
        find_file('tree', [1], 'trees')
