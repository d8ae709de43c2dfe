"""Configs of the hybrids beyond building: what they change, what it costs, which skeletons they have."""

import re
import sys

import pytest
import torch
from mmpose.registry import MODELS

from tests.helpers import repo_root

sys.path.insert(0, str(repo_root()))
from benchmarks.grid.measures import complexity

FOLDER = repo_root() / 'configs' / 'hybrid'
NAMES = sorted(path.stem for path in FOLDER.glob('*.py'))


def count(config):
    """Parameters in millions and GMACs of a generator, as the benchmarks count them."""
    found = complexity(config)
    return round(found['parameters'] / 1e6, 3), round(found['gmacs'], 3)


@pytest.mark.parametrize(
    'name', ['2x56_stick-figure-64x64', '2x56_lspet-mini-128x128', '2x256_mpii-256x256', '4x512_mpii-256x256']
)
def test_messages_are_all_that_is_added(load_config, name):
    hybrid, plain = load_config(f'hybrid/apn-tree_{name}.py'), load_config(f'adversarial_posenet/apn_{name}.py')
    neck = hybrid.model.pop('neck')
    assert (neck.type, neck.in_channels) == ('ResidualMessagePassing', plain.model.backbone.channels)
    # the last stack's features of pose maps
    assert neck.in_index == (-1, 0)
    assert hybrid._cfg_dict == plain._cfg_dict


@pytest.mark.parametrize('data, side', [('stick-figure-64x64', 64), ('lspet-mini-128x128', 128)])
def test_what_messages_cost(load_config, data, side):
    config = load_config(f'hybrid/apn-tree_2x56_{data}.py')
    hybrid = count(config)
    config.model.pop('neck')
    plain = count(config)
    assert (hybrid, plain) == (((0.358, 0.051), (0.293, 0.035)) if side == 64 else ((0.358, 0.205), (0.293, 0.139)))
    text = (FOLDER / 'README.md').read_text()
    assert all(f'{number:.3f}' in text for number in (*hybrid, *plain))


def test_a_hand_has_the_tree_of_its_own_skeleton(load_config):
    with torch.device('meta'):
        config = load_config('hybrid/apn-tree_res50_freihand-224x224.py').model
        config.backbone.init_cfg = None
        tree = MODELS.build(config).neck.tree
    assert tree.num_parts == 21 and tree.names[tree.parents.index(-1)] == 'wrist'
    for finger in ('thumb', 'forefinger', 'middle_finger', 'ring_finger', 'pinky_finger'):
        chain = ['wrist', *(f'{finger}{number}' for number in range(1, 5))]
        for parent, child in zip(chain, chain[1:], strict=False):
            assert tree.names[tree.parents[tree.names.index(child)]] == parent


def test_the_readme_names_every_config():
    text = (FOLDER / 'README.md').read_text()
    assert {name for name in NAMES if f'`{name}.py`' in text} == set(NAMES)
    for link in re.findall(r'\]\((\.\./[^)]+)\)', text):
        assert (FOLDER / link.partition('#')[0]).exists(), link
