"""Decoders of other sizes than the targets and the crops: refused before the first step."""

from types import SimpleNamespace

import pytest
from mmpose.registry import DATASETS, MODELS

from posestructs.engine.hooks import CodecCheckHook
from posestructs.utils.usage import UsageError

CODEC = dict(type='MSRAHeatmap', input_size=(64, 48), heatmap_size=(16, 12), sigma=1)
PIPELINE = [
    dict(type='LoadVerifiedImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='TopdownAffine', input_size=(64, 48)),
    dict(type='GenerateTarget', encoder=CODEC),
    dict(type='PackPoseInputs'),
]


def check(decoder, moment='before_train', pipeline=PIPELINE):
    dataset = DATASETS.build(dict(type='StickFigureDataset', num_samples=1, pipeline=pipeline))
    loop = SimpleNamespace(dataloader=SimpleNamespace(dataset=dataset))
    head = dict(type='HeatmapHead', in_channels=4, out_channels=14, deconv_out_channels=None, decoder=decoder)
    runner = SimpleNamespace(
        model=SimpleNamespace(head=MODELS.build(head)), train_loop=loop, val_loop=None, test_loop=loop
    )
    getattr(CodecCheckHook(), moment)(runner)


def test_equal_sizes_pass():
    check(CODEC)
    check(CODEC | dict(input_size=[64, 48], heatmap_size=[16, 12], sigma=3))
    check(None)


@pytest.mark.parametrize(
    'slip, message',
    [
        (dict(heatmap_size=(16, 16)), r'heatmap_size=\(16, 16\), allowed: \(16, 12\), as in GenerateTarget of train_'),
        (dict(heatmap_size=(16,)), r'heatmap_size=\(16,\), allowed: \(16, 12\)'),
        (dict(input_size=(64, 64)), r'input_size=\(64, 64\), allowed: \(64, 48\), as in TopdownAffine of train_'),
    ],
)
def test_other_sizes_are_refused(slip, message):
    with pytest.raises(UsageError, match=f'^model.head.decoder.{message}'):
        check(CODEC | slip)


def test_crops_of_another_size_than_the_decoder_in_a_test():
    crop = dict(type='TopdownAffine', input_size=(32, 32))
    with pytest.raises(UsageError, match=r'allowed: \(32, 32\), as in TopdownAffine of test_dataloader.dataset'):
        check(CODEC, 'before_test', [*PIPELINE[:2], crop, PIPELINE[4]])


def test_no_decoder_in_a_test():
    with pytest.raises(UsageError, match='model.head.decoder=None, allowed: .* which test_dataloader needs'):
        check(None, 'before_test')
