"""Effects of the flags on a config."""

import argparse
import logging
import os

import pytest
from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.logging import MMLogger

from posestructs.utils import cli, config_edits
from posestructs.utils.usage import UsageError


def names(cfg):
    return [hook['type'] for hook in cfg.custom_hooks]


def test_a_config_without_hooks_gets_ours():
    cfg = Config(dict())
    cli.add_project_hooks(cfg)
    ours = ['FiniteLossHook', 'SafeCheckpointHook', 'ThroughputHook', 'SkippedSamplesHook', 'ProgressHook']
    assert names(cfg) == [*ours, 'SampleSeedHook', 'StepSeedHook']
    assert cfg.default_hooks.checkpoint == dict(type='AtomicCheckpointHook', interval=1)


def test_a_config_keeps_what_it_sets():
    hooks = [dict(type='EMAHook'), dict(type='mmpose.SafeCheckpointHook'), dict(type='ProgressHook', refresh_seconds=9)]
    checkpoint = dict(type='CheckpointHook', interval=7, save_best='PCK')
    cfg = Config(dict(custom_hooks=hooks, default_hooks=dict(timer=dict(type='IterTimerHook'), checkpoint=checkpoint)))
    cli.add_project_hooks(cfg)
    cli.add_project_hooks(cfg)  # twice is once
    added = ['FiniteLossHook', 'ThroughputHook', 'SkippedSamplesHook', 'SampleSeedHook', 'StepSeedHook']
    assert names(cfg) == ['EMAHook', 'mmpose.SafeCheckpointHook', 'ProgressHook', *added]
    assert cfg.custom_hooks[2].refresh_seconds == 9
    assert cfg.default_hooks.checkpoint == dict(type='AtomicCheckpointHook', interval=7, save_best='PCK')
    assert cfg.default_hooks.timer == dict(type='IterTimerHook')


def test_curves_go_to_the_work_dir():
    pcp, kept = dict(type='StrictPCP'), dict(type='PDJ', prefix='kept', out_dir='mine')
    off = dict(type='PDJ', out_dir=None)
    split = dict(type='OcclusionSplitPCK', base=dict(type='mmpose.PDJ', thr=(0.1,)))
    shared = dict(type='PDJ')
    cfg = Config(dict(work_dir='w', val_evaluator=[pcp, shared, kept, off, split], test_evaluator=shared))
    cfg.badcase = cfg.test_evaluator  # must not write a curve for each image
    cli.keep_curves(cfg)
    curve = dict(type='PDJ', out_dir='w')
    inner = dict(type='mmpose.PDJ', thr=(0.1,), out_dir='w')
    assert cfg.val_evaluator == [pcp, curve, kept, off, dict(type='OcclusionSplitPCK', base=inner)]
    assert cfg.test_evaluator == curve and cfg.badcase == shared
    before = cfg.pretty_text
    cli.keep_curves(cfg)  # twice is once
    assert cfg.pretty_text == before


def test_curves_of_other_evaluators():
    several = dict(type='MultiDatasetEvaluator', metrics=[dict(type='PDJ'), dict(type='EPE')], datasets=['a', 'b'])
    cfg = Config(dict(work_dir='w', val_evaluator=None, test_evaluator=several))
    cli.keep_curves(cfg)
    assert cfg.val_evaluator is None
    assert cfg.test_evaluator.metrics == [dict(type='PDJ', out_dir='w'), dict(type='EPE')]
    bare = Config(dict(work_dir='w', val_evaluator=[]))
    cli.keep_curves(bare)
    assert bare.val_evaluator == [] and 'test_evaluator' not in bare


@pytest.mark.parametrize('own', [None, dict(type='MyCheckpointHook'), CheckpointHook(interval=3)])
def test_another_checkpoint_hook_stays(own):
    cfg = Config(dict(default_hooks=dict(checkpoint=own)))
    cli.add_project_hooks(cfg)
    assert cfg.default_hooks.checkpoint == own


def test_amp_of_one_network(monkeypatch):
    monkeypatch.setattr(config_edits, 'has_accelerator', lambda: True)
    cfg = Config(dict(optim_wrapper=dict(optimizer=dict(type='Adam', lr=1), clip_grad=dict(max_norm=1))))
    cli.use_amp(cfg.optim_wrapper)
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper' and cfg.optim_wrapper.loss_scale == 'dynamic'
    assert cfg.optim_wrapper.optimizer == dict(type='Adam', lr=1)


def test_amp_of_several_networks(monkeypatch):
    monkeypatch.setattr(config_edits, 'has_accelerator', lambda: True)
    member = dict(optimizer=dict(type='Adam', lr=1))
    wrappers = dict(constructor='C', generator=member, pose=dict(type='AmpOptimWrapper', loss_scale=512.0, **member))
    cfg = Config(dict(optim_wrapper=wrappers))
    cli.use_amp(cfg.optim_wrapper)
    assert cfg.optim_wrapper.generator == dict(type='AmpOptimWrapper', loss_scale='dynamic', **member)
    assert cfg.optim_wrapper.pose.loss_scale == 512.0
    assert set(cfg.optim_wrapper) == {'constructor', 'generator', 'pose'}


def test_amp_refuses_a_custom_wrapper(monkeypatch):
    monkeypatch.setattr(config_edits, 'has_accelerator', lambda: True)
    wrappers = dict(constructor='C', pose=dict(type='ApexOptimWrapper', optimizer=dict(type='Adam')))
    with pytest.raises(UsageError, match='optim_wrapper.pose.type=ApexOptimWrapper'):
        cli.use_amp(wrappers)


def test_amp_on_a_cpu(monkeypatch):
    monkeypatch.setattr(config_edits, 'has_accelerator', lambda: False)
    member = dict(optimizer=dict(type='Adam', lr=1))
    cfg = Config(dict(optim_wrapper=dict(constructor='C', generator=member, pose=dict(dtype='bfloat16', **member))))
    cli.use_amp(cfg.optim_wrapper)
    assert cfg.optim_wrapper.generator == cfg.optim_wrapper.pose == dict(type='CPUAmpOptimWrapper', **member)
    with pytest.raises(UsageError, match='optim_wrapper.dtype=float16, allowed on a CPU: bfloat16'):
        cli.use_amp(dict(dtype='float16', **member))


def test_tensorboard_is_added_once():
    cfg = Config(dict(visualizer=dict(type='PoseLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')])))
    cli.use_tensorboard(cfg)
    cli.use_tensorboard(cfg)
    assert [b.type for b in cfg.visualizer.vis_backends] == ['LocalVisBackend', 'TensorboardVisBackend']
    with pytest.raises(UsageError, match='needs a visualizer'):
        cli.use_tensorboard(Config(dict()))


def parsed(*words):
    parser = argparse.ArgumentParser()
    cli.add_common_arguments(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize(
    'flags, own, expected',
    [
        (['--work-dir', 'flag'], 'config', 'flag'),
        ([], 'config', 'config'),
        ([], None, 'work_dirs/name.v2'),
    ],
)
def test_work_dir(flags, own, expected, monkeypatch, tmp_path):
    monkeypatch.setenv('LOCAL_RANK', 'restored afterwards')
    monkeypatch.delenv('LOCAL_RANK')
    (tmp_path / 'name.v2.py').write_text(f'work_dir = {own!r}')
    cfg = cli.load_config(str(tmp_path / 'name.v2.py'))
    cli.merge_common(cfg, parsed(*flags, '--local_rank', '3'))
    assert cfg.work_dir == expected
    assert os.environ['LOCAL_RANK'] == '3'


@pytest.mark.parametrize('flag', ['--local_rank', '--local-rank'])
def test_local_rank_has_two_spellings(flag):
    assert parsed(flag, '2').local_rank == 2


@pytest.mark.parametrize('text', ['-1', '4294967296', '1.5', 'x'])
def test_seed_is_one_that_numpy_takes(text):
    assert cli.seed('4294967295') == 4294967295
    with pytest.raises(argparse.ArgumentTypeError, match='0 to 2'):
        cli.seed(text)


def test_options_are_checked(capsys):
    assert parsed('--cfg-options', 'a.b=[1,2]', 'c=d=e').cfg_options == {'a.b': [1, 2], 'c': 'd=e'}
    with pytest.raises(SystemExit):
        parsed('--cfg-options', 'a.b=1', 'c')
    assert 'c is not KEY=VALUE' in capsys.readouterr().err
    cfg = Config(dict(batch=[dict(size=2)], lr=3))
    cli.merge_options(cfg, {'batch.0.size': 5})
    assert cfg.batch == [dict(size=5)]
    for wrong in ({'batch.1.size': 5}, {'lr.b': 1}):
        with pytest.raises(UsageError, match='--cfg-options: .*(Index 1|lr)'):
            cli.merge_options(cfg, wrong)
    for value in (3, None):
        with pytest.raises(UsageError, match=f'--cfg-options: batch.0={value}, allowed: a dict, or the whole list'):
            cli.merge_options(cfg, {'batch.0': value})
    cli.merge_options(cfg, {'batch.0': dict(size=6)})
    assert cfg.batch == [dict(size=6)]


def test_a_key_that_is_new_may_be_a_slip(tmp_path):
    handler = logging.FileHandler(tmp_path / 'log')
    MMLogger.get_current_instance().addHandler(handler)
    cfg = Config(dict(train_cfg=dict(max_epochs=3), hooks=[dict(type='A')]))
    cli.merge_options(cfg, {'train_cfg.max_epoch': 1, 'hooks.0.every': 2, 'seed': 1, 'train_cfg.max_epochs': 4})
    MMLogger.get_current_instance().removeHandler(handler)
    assert (tmp_path / 'log').read_text().splitlines() == [
        '--cfg-options: train_cfg.max_epoch is added: the config had no max_epoch there (it has max_epochs)',
        '--cfg-options: hooks.0.every is added: the config had no every there',
        '--cfg-options: seed is added: the config had no seed there',
    ]
    assert cfg.train_cfg == dict(max_epochs=4, max_epoch=1) and cfg.seed == 1


def test_a_variable_that_was_copied_is_told_of(tmp_path):
    (tmp_path / 'config.py').write_text('codec = dict(sigma=2)\nmodel = dict(head=dict(decoder=codec))\n')
    cfg = Config.fromfile(tmp_path / 'config.py')
    handler = logging.FileHandler(tmp_path / 'log')
    MMLogger.get_current_instance().addHandler(handler)
    cli.merge_options(cfg, {'codec.sigma': 3})
    cli.merge_options(cfg, {'model.head.decoder.sigma': 4, 'randomness.seed': 1})
    MMLogger.get_current_instance().removeHandler(handler)
    first, second = (tmp_path / 'log').read_text().splitlines()
    assert first.startswith('--cfg-options: codec is a variable of the config files') and 'as they were' in first
    assert 'randomness.seed is added' in second and cfg.model.head.decoder.sigma == 4


def test_data_root_moves_all_that_lies_below_it(tmp_path, caplog):
    (tmp_path / 'config.py').write_text(
        "data_root = 'data/mpii/'\n"
        "train_dataloader = dict(dataset=dict(data_root=data_root, ann_file='a.json', pipeline=[dict(type='A')]))\n"
        "val_evaluator = [dict(ann_file=f'{data_root}labels/v.json', other='data/mpii2/x', parts=('data/mpii', 3))]\n"
    )
    cfg = Config.fromfile(tmp_path / 'config.py')
    cli.merge_options(cfg, {'data_root': '/mine'})
    assert cfg.data_root == cfg.train_dataloader.dataset.data_root == '/mine/'
    assert cfg.train_dataloader.dataset.ann_file == 'a.json'
    assert cfg.val_evaluator == [dict(ann_file='/mine/labels/v.json', other='data/mpii2/x', parts=('/mine/', 3))]


@pytest.mark.parametrize('interval', ['0', '-1', 'x'])
def test_interval_is_positive(interval, capsys):
    with pytest.raises(SystemExit):
        parsed('--interval', interval)
    assert '--interval' in capsys.readouterr().err


def test_drawing_hooks_come_where_a_config_has_none():
    cfg = Config(dict())
    cli.draw_predictions(cfg, parsed('--show', '--wait-time', '2.5', '--interval', '4'))
    hook = dict(type='StructureVisualizationHook', enable=True, show=True, interval=4, wait_time=2.5)
    assert cfg.default_hooks.visualization == hook


def test_mmposes_drawing_hook_becomes_ours_and_a_users_own_stays():
    for given, drawn in (('PoseVisualizationHook', 'StructureVisualizationHook'), ('MyHook', 'MyHook')):
        cfg = Config(dict(default_hooks=dict(visualization=dict(type=given, enable=False, kpt_thr=0.1))))
        cli.draw_predictions(cfg, parsed('--show-dir', 'x'))
        assert cfg.default_hooks.visualization == dict(type=drawn, enable=True, kpt_thr=0.1, show=False, interval=1)


def test_config_of_a_package_and_preprocess_cfg(tmp_path):
    cfg = cli.load_config('mmpose::_base_/default_runtime.py')
    assert cfg.default_scope == 'mmpose'
    (tmp_path / 'a.py').write_text("preprocess_cfg = dict(type='P')\nmodel = dict(type='M')\n")
    assert cli.load_config(str(tmp_path / 'a.py')).model.data_preprocessor.type == 'P'


def test_our_runtime_names_our_hooks():
    """A config that starts from it gives the same checkpoints under mmpose's own tools."""
    from tests.helpers import repo_root

    cfg = cli.load_config(str(repo_root() / 'configs' / '_base_' / 'default_runtime.py'))
    before = cfg.pretty_text
    cli.add_project_hooks(cfg)
    # the tools alone add it: in the config it would change the fingerprints of committed results
    assert cfg.custom_hooks[-2:] == [dict(type='SampleSeedHook'), dict(type='StepSeedHook')]
    del cfg.custom_hooks[-2:]
    assert cfg.pretty_text == before
    assert cfg.default_hooks.checkpoint.type == 'AtomicCheckpointHook' and cfg.default_hooks.checkpoint.interval == 10


def test_a_renamed_flag_has_its_former_name_outside_the_help():
    parser = argparse.ArgumentParser()
    cli.add_renamed(parser, '--max-persons', '--max-people', type=int, default=7, help='number of persons')
    for words, value in (([], 7), (['--max-persons', '2'], 2), (['--max-people', '3'], 3)):
        assert vars(parser.parse_args(words)) == dict(max_persons=value)
    assert '--max-persons' in parser.format_help() and 'people' not in parser.format_help()
