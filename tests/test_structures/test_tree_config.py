import pytest
from mmengine import Config

from posestructs.structures import KinematicTree, build_tree
from posestructs.utils.paths import config_root

ROWS = dict(
    joints=['a', 'c'],
    parts=[
        dict(name='a', parent=None),
        dict(name='b', parent='a', of=dict(a=0.5, c=0.5)),
        dict(name='c', parent='b'),
    ],
)
LISTS = dict(names=['a', 'b', 'c'], parents=[-1, 0, 1], joints=['a', 'c'], weights={'b': {'a': 0.5, 'c': 0.5}})


def test_every_form_of_config():
    tree = build_tree(LISTS)
    assert isinstance(tree, KinematicTree) and build_tree(tree) is tree
    assert build_tree(ROWS) == build_tree(Config(dict(tree=ROWS)).tree) == tree
    assert build_tree(dict(ROWS, mirror=[('a', 'c')])).mirror == (2, 1, 0)
    coco = build_tree(dict(metainfo=dict(from_file='coco.py'), root='left_eye'))
    assert coco.names[coco.root] == 'left_eye'
    assert build_tree(dict(metainfo=dict(from_file='coco.py'))).names[0] == 'nose'


def test_a_file_in_reach_comes_before_a_shipped_one(tmp_path, monkeypatch):
    shipped = build_tree(dict(from_file='lsp-26.py'))
    assert shipped.num_parts == 26
    assert build_tree(dict(from_file=str(config_root() / '_base_' / 'trees' / 'lsp-26.py'))) == shipped
    # as a config of a checkout writes it, read from elsewhere
    monkeypatch.chdir(tmp_path)
    assert build_tree(dict(from_file='configs/_base_/trees/lsp-26.py')) == shipped
    (tmp_path / 'lsp-26.py').write_text(f'tree = {ROWS!r}')
    assert build_tree(dict(from_file='lsp-26.py')) == build_tree(ROWS)


def test_as_a_base_of_a_config(tmp_path):
    base = config_root() / '_base_' / 'trees' / 'flic-18.py'
    (tmp_path / 'mine.py').write_text(f'_base_ = [{str(base)!r}]\nneck = dict(tree=_base_.tree)\n')
    config = Config.fromfile(str(tmp_path / 'mine.py'))
    assert build_tree(config.neck.tree) == build_tree(dict(from_file='flic-18.py'))
    # what mmengine dumps into the work directory reads the same
    config.dump(str(tmp_path / 'dumped.py'))
    assert build_tree(Config.fromfile(str(tmp_path / 'dumped.py')).neck.tree) == build_tree(
        dict(from_file='flic-18.py')
    )


@pytest.mark.parametrize(
    ('cfg', 'error', 'message'),
    [
        ('lsp-26.py', TypeError, "tree='lsp-26.py', allowed: a dict or a KinematicTree"),
        (
            {},
            KeyError,
            r'tree: keys \[\], allowed: from_file, or metainfo, or joints and parts, or names and parents',
        ),
        (
            dict(LISTS, root='a'),
            KeyError,
            r"tree: unknown keys \['root'\], allowed: \['names', 'parents'\] and \['joints', 'mirror', 'weights'\]",
        ),
        (dict(from_file='lsp-26.py', root='neck'), KeyError, r"unknown keys \['root'\], allowed: \['from_file'\]"),
        (
            dict(from_file='dog.py'),
            FileNotFoundError,
            r"tree from_file='dog.py'.*'coco-17.py', 'flic-18.py', .*'lsp-26.py'",
        ),
        (dict(from_file='/nowhere/lsp-26.py'), FileNotFoundError, '/nowhere/lsp-26.py'),
        (dict(from_file=3), TypeError, 'tree from_file=3, allowed: the path of a file'),
        (dict(ROWS, parts=[dict(name='a')]), ValueError, r'parts\[0\]=.*, allowed: a dict of name, parent and'),
        (dict(ROWS, parts=['a']), ValueError, r"parts\[0\]='a', allowed: a dict"),
        (dict(ROWS, parts=ROWS['parts'][:2]), ValueError, "'c' is not a part"),
    ],
)
def test_errors(cfg, error, message):
    with pytest.raises(error, match=message):
        build_tree(cfg)


def test_errors_name_the_file(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text('model = 1')
    with pytest.raises(ValueError, match='mine.py: key tree is missing'):
        build_tree(dict(from_file=str(path)))
    path.write_text(f'tree = {dict(LISTS, parents=[-1, 0, 5])!r}')
    with pytest.raises(ValueError, match="mine.py: parents: the parent of 'c' is 5, allowed: -1 to 2"):
        build_tree(dict(from_file=str(path)))
