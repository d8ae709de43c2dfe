"""Files of mixture types: written, read back, and refused where they are broken or of another tree."""

import json
import re

import numpy as np
import pytest

from posestructs.structures import KinematicTree, build_tree
from posestructs.structures.deformation_file import ARRAYS, read_file, tree_difference, write_file

TREE = KinematicTree.from_parents(
    ['neck', 'hip', 'left', 'right'], [None, 'neck', 'neck', 'neck'], mirror=[('left', 'right')]
)


def write(path, tree=TREE, num_types=2):
    """Any numbers: whether they are types is not the file's business."""
    rng = np.random.default_rng(0)
    arrays = {key: rng.normal(size=(tree.num_parts, num_types, 2)) for key in ARRAYS[:2]}
    arrays['mirror_types'] = rng.integers(0, num_types, (tree.num_parts, num_types))
    arrays['frequencies'] = rng.uniform(size=(tree.num_parts, num_types)) / 3
    write_file(path, tree, arrays, source='four persons', aspect_ratio=0.75)
    return arrays


def test_numbers_come_back_with_six_digits(tmp_path):
    path = tmp_path / 'new' / 'types.json'
    arrays = write(path)
    content = read_file(path)
    for key in ARRAYS:
        np.testing.assert_allclose(content[key], arrays[key], rtol=1e-5)
    assert all(isinstance(t, int) for t in content['mirror_types'][0])
    assert (content['source'], content['aspect_ratio'], content['unit']) == (
        'four persons',
        0.75,
        'longer side of the crop',
    )
    assert content['parts'] == dict(neck=None, hip='neck', left='neck', right='neck')
    assert content['joints'] == list(TREE.joints) and content['tree'] == TREE.fingerprint


def test_a_large_file_is_small_and_readable(tmp_path):
    write(tmp_path / 'types.json', build_tree(dict(from_file='lsp-26.py')), 13)
    assert (tmp_path / 'types.json').stat().st_size < 30_000
    # a line a key
    assert len((tmp_path / 'types.json').read_text().splitlines()) == 11 + 2


def changed(tree=TREE, **changes):
    lists = dict(names=tree.names, parents=tree.parents, mirror=tree.mirror, joints=tree.joints)
    return KinematicTree.from_parents(**(lists | changes))


@pytest.mark.parametrize(
    ('other', 'difference'),
    [
        (build_tree(dict(from_file='lsp-26.py')), 'it has 4 parts, this tree has 26'),
        (changed(names=['neck', 'hip', 'wing', 'right'], joints=None), "its part 2 is 'left', here it is 'wing'"),
        (changed(parents=[-1, 0, 1, 1]), "its 'left' has the parent 'neck', here it has 'hip'"),
        (
            changed(joints=TREE.joints[::-1]),
            r"its joints are \['neck', 'hip', 'left', 'right'\], here they are \['right",
        ),
        (changed(mirror=None), 'its mirror images or the weights of its virtual parts differ'),
    ],
)
def test_what_distinguishes_the_tree(other, difference, tmp_path):
    write(tmp_path / 'types.json')
    assert re.fullmatch(difference + '.*', tree_difference(read_file(tmp_path / 'types.json'), other))


def test_the_same_tree_is_no_difference(tmp_path):
    write(tmp_path / 'types.json')
    assert tree_difference(read_file(tmp_path / 'types.json'), changed()) == ''


def test_broken_files(tmp_path):
    path = tmp_path / 'types.json'
    with pytest.raises(FileNotFoundError, match='types.json.*no such file.*fit_deformation.py makes'):
        read_file(path)
    with pytest.raises(TypeError, match='deformation=3, allowed: the path of a file'):
        read_file(3)
    write(path)
    whole = json.loads(path.read_text())

    def refused(message, content):
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        with pytest.raises(ValueError, match=f'types.json.*{message}'):
            read_file(path)

    refused("format='x', allowed: 'posestructs-deformation-1'", whole | dict(format='x'))
    refused("format='list', allowed", [1])
    for key in ('offsets', 'tree', 'source'):
        refused(f"keys .'{key}'. are missing", {k: v for k, v in whole.items() if k != key})
    refused('is not a JSON file', b'{"format": "posestructs')
    refused('is not a JSON file', b'\x80\x04\x95')  # a pickle


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / 'types.json'
    write(path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_file(path, TREE, {key: np.zeros(1) for key in ARRAYS}, source=object(), aspect_ratio=1.0)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
