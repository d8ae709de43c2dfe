"""A user's config on top of ours, by ``posestructs::``, as on top of mmpose's."""

import os

import pytest
from mmengine.config import Config

from posestructs.structures import build_tree
from posestructs.utils import cli
from posestructs.utils.config_bases import lead_to_our_configs
from tests.helpers import repo_root

CONFIG = 'adversarial_posenet/apn_2x56_stick-figure-64x64.py'
MMPOSE = 'mmpose::body_2d_keypoint/topdown_heatmap/mpii/td-hm_res50_8xb64-210e_mpii-256x256.py'


def read(folder, text):
    (folder / 'mine.py').write_text(text)
    return Config.fromfile(str(folder / 'mine.py'))


def test_a_base_of_ours_is_what_the_file_is(tmp_path):
    mine = read(tmp_path, f"_base_ = 'posestructs::{CONFIG}'\nmodel = dict(backbone=dict(depth=2))\n")
    ours = Config.fromfile(str(repo_root() / 'configs' / CONFIG))
    ours.merge_from_dict({'model.backbone.depth': 2})
    assert mine.to_dict() == ours.to_dict()  # no scope of ours in its parts either


def test_it_stands_beside_bases_of_mmpose_and_of_the_project(tmp_path):
    (tmp_path / 'own.py').write_text('own = 3\n')
    bases = [MMPOSE, 'posestructs::_base_/models/simple_baseline_res18.py', './own.py']
    with pytest.raises(KeyError, match='Duplicate key'):  # both set model: mmengine's rule holds for ours too
        read(tmp_path, f'_base_ = {bases}\n')
    mine = read(tmp_path, f'_base_ = {[bases[0], bases[2]]}\nevaluators = _base_.val_evaluator\n')
    assert (mine.own, mine.evaluators.type) == (3, 'MpiiPCKAccuracy')


def test_a_wrong_path_says_what_there_is(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"posestructs::baseline/x\.py.*'td-hm_res18_lspet-mini-128x128\.py'"):
        read(tmp_path, "_base_ = 'posestructs::baseline/x.py'\n")
    with pytest.raises(FileNotFoundError, match=r"posestructs::nowhere/x\.py.*'adversarial_posenet'"):
        read(tmp_path, "_base_ = 'posestructs::nowhere/x.py'\n")


def test_a_renamed_folder_keeps_working_with_a_warning(tmp_path):
    expected = Config.fromfile(str(repo_root() / 'configs/_base_/dataloaders/stick-figure_64x64.py')).to_dict()
    old = 'configs/_base_/data/stick-figure_64x64.py'
    relative = os.path.relpath(repo_root() / old, tmp_path)
    for base in ('posestructs::' + old.removeprefix('configs/'), relative):
        with pytest.warns(DeprecationWarning, match='_base_/data/ is now called _base_/dataloaders/'):
            assert read(tmp_path, f'_base_ = {base!r}\n').to_dict() == expected
    with pytest.warns(DeprecationWarning, match='_base_/dataloaders/'):
        assert cli.load_config(str(repo_root() / old)).to_dict() == expected


def test_it_is_taught_once():
    replaced = Config._get_cfg_path
    lead_to_our_configs()
    assert Config._get_cfg_path is replaced


@pytest.mark.parametrize(
    'text, message',
    [
        ('model = dict(', 'SyntaxError: '),
        ('\0', 'SyntaxError: '),
        ('model = dict(head=absent)', "NameError: name 'absent' is not defined"),
        ("_base_ = 'absent.py'", 'absent.py'),
    ],
)
def test_a_file_that_cannot_be_read_is_named(text, message, tmp_path):
    (tmp_path / 'c.py').write_text(text)
    for read in (lambda path: cli.load_config(str(path)), lambda path: build_tree(dict(from_file=str(path)))):
        with pytest.raises(ValueError, match=f'c.py cannot be read: .*{message}') as error:
            read(tmp_path / 'c.py')
        assert '\n' not in str(error.value)
