"""Numbers with which training makes no sense are refused, at the key where they stand."""

import pytest
from mmengine.config import Config

from posestructs.utils.cli import load_config
from posestructs.utils.config_numbers import check_numbers
from posestructs.utils.usage import UsageError
from tests.helpers import repo_root

SGD = dict(type='SGD', lr=0.1, momentum=0.9)


@pytest.mark.parametrize(
    'part, message',
    [
        (dict(optim_wrapper=dict(optimizer=SGD | dict(lr=-1))), r'optim_wrapper.optimizer.lr=-1, allowed: .* above 0'),
        (dict(optim_wrapper=dict(optimizer=SGD | dict(lr=float('nan')))), 'optim_wrapper.optimizer.lr=nan'),
        (dict(optim_wrapper=dict(optimizer=SGD | dict(lr=0))), 'optim_wrapper.optimizer.lr=0'),
        (dict(optim_wrapper=dict(optimizer=SGD | dict(momentum=1.5))), 'optimizer.momentum=1.5'),
        (dict(optim_wrapper=dict(optimizer=SGD | dict(weight_decay=-1e-4))), 'optimizer.weight_decay=-0.0001'),
        (dict(optim_wrapper=dict(optimizer=dict(betas=(0.9, 1)))), r'optimizer.betas\[1\]=1'),
        (dict(optim_wrapper=dict(pose=dict(optimizer=dict(lr='x')))), "optim_wrapper.pose.optimizer.lr='x'"),
        (dict(optim_wrapper=dict(optimizer=SGD, clip_grad=dict(max_norm=0))), 'clip_grad.max_norm=0'),
        (dict(optim_wrapper=dict(optimizer=SGD, accumulative_counts=0)), 'accumulative_counts=0'),
        (
            dict(optim_wrapper=dict(optimizer=SGD, paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=-1))))),
            r"custom_keys\['head'\].lr_mult=-1",
        ),
        (dict(param_scheduler=[dict(type='A'), dict(type='B', gamma=-1)]), r'param_scheduler\[1\].gamma=-1'),
        (
            dict(param_scheduler=dict(pose=[dict(type='A', begin=5, end=5)])),
            r'scheduler.pose\[0\].end=5.*least 6',
        ),
        (dict(param_scheduler=dict(type='A', milestones=[10, 2.5])), r'param_scheduler.milestones\[1\]=2.5'),
        (dict(train_cfg=dict(val_interval=0)), 'train_cfg.val_interval=0'),
        (dict(train_cfg=dict(by_epoch='x')), "train_cfg.by_epoch='x', allowed: True"),
        (dict(log_processor=dict(window_size='x')), "log_processor.window_size='x'"),
        (dict(train_dataloader=dict(sampler=dict(shuffle='no'))), "train_dataloader.sampler.shuffle='no'"),
        (
            dict(val_dataloader=dict(num_workers=0.5)),
            'val_dataloader.num_workers=0.5, allowed: an integer of at least 0',
        ),
        (dict(val_dataloader=dict(drop_last=7)), 'val_dataloader.drop_last=7'),
        (dict(train_dataloader=dict(dataset=dict(pipeline=[]))), r'dataset.pipeline=\[\], allowed: a list of at least'),
        (dict(train_dataloader=dict(dataset=dict(pipeline=None))), 'dataset.pipeline=None, allowed: a list'),
        (dict(model=dict(test_cfg=dict(flip_test=2))), 'model.test_cfg.flip_test=2, allowed: True, False'),
        (dict(model=dict(data_preprocessor=dict(bgr_to_rgb='no'))), "model.data_preprocessor.bgr_to_rgb='no'"),
        (dict(model=dict(data_preprocessor=dict(std=[1, 0, 1]))), r'data_preprocessor.std\[1\]=0'),
        (dict(val_evaluator=[dict(type='EPE'), dict(type='PCKAccuracy', thr=-1)]), r'val_evaluator\[1\].thr=-1'),
        (dict(test_evaluator=dict(type='AUC', num_thrs=0)), 'test_evaluator.num_thrs=0'),
        (
            dict(val_evaluator=[dict(type='EPE'), dict(type='mmpose.EPE')]),
            r"val_evaluator\[1\]='EPE' gives .* as val_eval",
        ),
        (dict(compile=dict(backend='nonsense')), "compile.backend='nonsense', allowed: .*'inductor'"),
        (dict(default_hooks=dict(logger=dict(interval='x'))), "default_hooks.logger.interval='x'"),
        (dict(custom_hooks=[dict(type='EMAHook', momentum=2)]), r'custom_hooks\[0\].momentum=2'),
    ],
)
def test_refused(part, message):
    with pytest.raises(UsageError, match=message):
        check_numbers(Config(part))


@pytest.mark.parametrize('path', ['adversarial_posenet', 'structured_feature', 'hybrid', 'baseline'])
def test_shipped_configs_pass(path):
    for file in sorted((repo_root() / 'configs' / path).glob('*.py'))[::6]:
        check_numbers(load_config(str(file)))
