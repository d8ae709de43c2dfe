"""Small copies of configs, by hand-made values; each config gets one in test_configs/test_small_copies.py."""

import pytest
from mmengine.config import Config

from tests.helpers.shrink import shrink, small_size, types_of, walk_dicts

LAYERS = [dict(channels=4, kernel_size=1), dict(channels=16, kernel_size=3)]


def config():
    codec = dict(type='MSRAHeatmap', input_size=(256, 192), heatmap_size=(64, 48), sigma=2)
    data = dict(type='StickFigureDataset', num_samples=900, pipeline=[dict(type='GenerateTarget', encoder=dict(codec))])
    loader = dict(batch_size=64, num_workers=4, persistent_workers=True, dataset=data)
    return Config(
        dict(
            codec=codec,
            model=dict(
                type='TopdownPoseEstimator',
                backbone=dict(type='ResNet', depth=18, strides=(1, 2, 2, 1)),
                neck=dict(
                    type='TreeMessagePassing',
                    in_channels=512,
                    tree=dict(from_file='lsp-26.py'),
                    part_channels=16,
                    transform=LAYERS,
                    out_joints=True,
                ),
                head=dict(type='HeatmapHead', in_channels=14 * 2 * 16, out_channels=14, decoder=codec),
            ),
            train_dataloader=loader,
            val_dataloader=None,
        )
    )


@pytest.mark.parametrize(
    'old, new',
    [((256, 256), (128, 128)), ((192, 256), (128, 192)), ((336, 336), (112, 112)), ((64, 64), (64, 64))],
)
def test_sizes_can_be_halved_as_often_as_before(old, new):
    assert small_size(old) == new


def test_widths_follow_from_each_other(tmp_path):
    full = config()
    small = shrink(full, tmp_path)
    model = small.model
    assert (model.backbone.base_channels, model.backbone.depth) == (8, 18)
    # four stages double 8 channels three times
    assert model.neck.in_channels == 64 and model.neck.part_channels == 4
    assert [layer.channels for layer in model.neck.transform] == [1, 4]
    assert model.head.in_channels == 14 * 2 * 4 and model.head.out_channels == 14
    # mmpose's default of three deconvolutions
    assert model.head.deconv_out_channels == (8, 8, 8)
    assert model.head.decoder.input_size == (192, 128) and model.head.decoder.heatmap_size == (48, 32)
    (step,) = small.train_dataloader.dataset.pipeline
    assert step.encoder.input_size == (192, 128) and step.encoder.sigma == 2
    assert (small.train_dataloader.batch_size, small.train_dataloader.num_workers) == (2, 0)
    assert small.train_dataloader.dataset.num_samples == 4
    # the one that was given is as it was
    assert full._cfg_dict == config()._cfg_dict


def test_several_codecs_are_refused(tmp_path):
    several = config()
    several.codec = [several.codec, several.codec]
    with pytest.raises(ValueError, match='codec is a list of 2; a small copy can be made of a model with one codec'):
        shrink(several, tmp_path)


def test_types_at_any_depth():
    found = types_of(dict(a=[dict(type='A'), (dict(b=dict(type='B')),)], constructor='C', type='D', name='E'))
    assert found == set('ABCD')
    assert types_of(config()) >= {'ResNet', 'StickFigureDataset', 'MSRAHeatmap'}
    assert [part['n'] for part in walk_dicts([dict(n=1, x=[dict(n=2)]), dict(n=3)])] == [1, 2, 3]
