"""The tool on real annotations: the file that it writes is a tree that configs read."""

import numpy as np
import pytest
from mmengine.config import Config

from posestructs.structures import build_tree
from posestructs.structures.metainfo import metainfo_file
from tests.helpers import data_root, needs_data, repo_root

CONFIG = repo_root() / 'configs' / 'hybrid' / 'td-tree_movenet-lightning_lspet-mini-192x192.py'
TOOL = 'analysis/chow_liu.py'


@pytest.fixture(autouse=True)
def data(monkeypatch, tmp_path):
    monkeypatch.setenv('POSESTRUCTS_DATA', str(data_root()))
    monkeypatch.chdir(tmp_path)


@needs_data
def test_the_written_file_is_the_shipped_tree(main, tmp_path, capsys):
    main(TOOL, CONFIG, '--out', tmp_path / 'tree.py')
    found = build_tree(dict(from_file=str(tmp_path / 'tree.py')))
    assert found == build_tree(dict(from_file='lsp-14_chow-liu.py'))
    body = build_tree(dict(metainfo=dict(from_file='lsp.py')))
    assert (found.names, found.joints, found.mirror, found.root) == (body.names, body.joints, body.mirror, body.root)
    out = capsys.readouterr().out
    assert 'neck - head_top: 1.84 nats\n' in out and 'nats  (not in the given tree)' in out


@needs_data
def test_virtual_parts_stay_and_the_body_is_found(main, tmp_path):
    """Midpoints of limbs tell most about their ends, so that the tree of 26 parts is the body's."""
    main(TOOL, CONFIG, '--tree', 'lsp-26.py', '--max-persons', 1500, '--out', tmp_path / 'tree.py')
    found, body = build_tree(dict(from_file=str(tmp_path / 'tree.py'))), build_tree(dict(from_file='lsp-26.py'))
    assert found.names == body.names
    np.testing.assert_array_equal(found.weights, body.weights)
    assert {frozenset(edge) for edge in found.edges} == {frozenset(edge) for edge in body.edges}


@needs_data
def test_without_a_tree_the_parts_are_those_of_the_skeleton(main, tmp_path):
    config = repo_root() / 'configs' / 'baseline' / 'td-hm_res18_lspet-mini-128x128.py'
    main(TOOL, config, '--max-persons', 200, '--out', tmp_path / 'tree.py')
    found, body = (
        build_tree(source) for source in (dict(from_file='tree.py'), dict(metainfo=dict(from_file='lsp.py')))
    )
    assert (found.names, found.joints, found.mirror, found.root) == (body.names, body.joints, body.mirror, body.root)


def test_a_skeleton_in_pieces_is_one_line(main, tmp_path):
    info = Config.fromfile(metainfo_file('lsp')).to_dict()['dataset_info']
    del info['skeleton_info'][0]
    (tmp_path / 'pieces.py').write_text(f'dataset_info = {info!r}\n')
    options = [
        "train_dataloader.dataset.metainfo=dict(from_file='pieces.py')",
        'train_dataloader.dataset.num_samples=9',
    ]
    config = repo_root() / 'configs' / '_base_' / 'dataloaders' / 'stick-figure_64x64.py'
    with pytest.raises(
        SystemExit, match=r'^chow_liu.py: error: train_dataloader.dataset: .*not connected.*; give --tree'
    ):
        main(TOOL, config, '--out', 'tree.py', '--cfg-options', *options)
    assert not (tmp_path / 'tree.py').exists()


@needs_data
@pytest.mark.parametrize(
    'flags,message',
    [
        (['--out', 'tree.json'], 'the name has to end in .py'),
        (['--out', 'tree.py', '--max-persons', 0], '--max-persons 0, allowed: at least 1'),
        (
            ['--out', 'tree.py', '--max-persons', 10],
            'persons, needed: 30; the parts are right_ankle',
        ),
        (['--out', 'tree.py', '--tree', 'coco-17.py'], 'the data set has the joints'),
        (['--out', 'tree.py', '--tree', 'no.py'], 'no.py'),
    ],
)
def test_errors_are_one_line_and_write_nothing(main, tmp_path, flags, message):
    with pytest.raises(SystemExit) as stop:
        main(TOOL, CONFIG, *flags)
    assert str(stop.value).startswith('chow_liu.py: error: ') and message in str(stop.value)
    assert not list(tmp_path.glob('tree*'))
