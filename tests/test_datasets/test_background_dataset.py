"""Images without persons: through both kinds of combination into the loss, with boxes by hand."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmpose.registry import DATASETS, MODELS

from posestructs.datasets import AnnotationError

CODEC = dict(type='PartScoreMap', input_size=(64, 48), heatmap_size=(16, 12), tree=dict(from_file='lsp-26.py'))


def steps(**changes):
    return [
        dict(type='LoadVerifiedImage'),
        dict(type='GetBBoxCenterScale'),
        dict(type='RandomFlip', prob=0.5),
        dict(type='RandomHalfBody', prob=1.0),
        dict(type='RandomBBoxTransform'),
        dict(type='TopdownAffine', input_size=CODEC['input_size']),
        dict(type='GenerateTarget', encoder=dict(CODEC, **changes)),
        dict(type='PackPoseInputs'),
    ]


@pytest.fixture
def folder(tmp_path):
    """Three images of different sizes and what lists them."""
    (tmp_path / 'images').mkdir()
    for name, size in (('a.png', (30, 80, 3)), ('b.jpg', (50, 40, 3)), ('c.png', (64, 64, 3))):
        image = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
        assert cv2.imwrite(str(tmp_path / 'images' / name), image)
    (tmp_path / 'negatives.txt').write_text('a.png\n# a comment\n\nb.jpg\nc.png\n')
    return tmp_path


def background(folder, **changes):
    return dict(dict(type='BackgroundDataset', ann_file='negatives.txt', data_root=str(folder)), **changes)


def persons(**changes):
    return dict(dict(type='StickFigureDataset', num_samples=3, image_size=64), **changes)


def test_the_box_is_the_image_once_it_is_padded(folder):
    dataset = DATASETS.build(background(folder, pipeline=steps()[:2]))
    for i, (width, height) in enumerate([(80, 30), (40, 50), (64, 64)]):
        sample = dataset[i]
        assert sample['img'].shape == (height, width, 3)
        np.testing.assert_allclose(sample['bbox_center'], [[width / 2, height / 2]])
        np.testing.assert_allclose(sample['bbox_scale'], [[width, height]], rtol=1e-6)
        assert sample['keypoints_visible'].shape == (1, 14) and not sample['keypoints_visible'].any()
    half = DATASETS.build(background(folder, box_side=0.5))
    np.testing.assert_allclose(half.get_data_info(0)['bbox'], [[20, 7.5, 60, 22.5]])


def combined(folder, kind):
    if kind == 'ConcatDataset':
        # each has a codec of its own
        parts = [persons(pipeline=steps()), background(folder, pipeline=steps(unlabelled='background'))]
        return dict(type=kind, datasets=parts, ignore_keys=['dataset_name'])
    return dict(
        type=kind,
        metainfo=dict(from_file='lsp.py'),
        datasets=[persons(), background(folder)],
        pipeline=steps(unlabelled='background'),
    )


@pytest.mark.parametrize('kind', ['ConcatDataset', 'CombinedDataset'])
def test_all_of_the_image_is_background_and_persons_are_as_ever(folder, kind):
    dataset = DATASETS.build(combined(folder, kind))
    assert len(dataset) == 6
    batch = pseudo_collate([dataset[i] for i in range(6)])
    for i, sample in enumerate(batch['data_samples']):
        rates = sample.gt_fields.negative_rates
        if i < 3:
            assert sample.gt_instance_labels.part_shares.sum() > 0 and rates.unique().numel() == 3
        else:
            assert not sample.gt_instance_labels.part_shares.any()
            assert (rates == 0.01).all() and (sample.gt_fields.negative_weights == 0.5).all()
        sample.gt_fields.negative_rates = (rates > 0).float()  # all of them, to leave nothing to chance
    head = MODELS.build(dict(type='PartScoreHead', in_channels=26 * 2, decoder=CODEC, background='plain'))
    head.init_weights()
    feats = torch.randn(6, 52, 12, 16, generator=torch.Generator().manual_seed(0))
    loss = head.loss((feats,), batch['data_samples'])['loss_parts']
    parts = head.loss((feats[3:],), batch['data_samples'][3:])['loss_parts']
    # - sum over cells of 0.5 log p(background)
    expected = -0.5 * head.log_probabilities((feats[3:],))[:, -1].sum() / 3
    torch.testing.assert_close(parts, expected)
    assert loss.isfinite() and loss > parts / 2
    loss.backward()
    assert head.background_logit.weight.grad.abs().sum() > 0


def test_a_bad_image_is_skipped_and_a_missing_one_told_of(folder, log_lines):
    (folder / 'images' / 'b.jpg').write_bytes(b'no image')
    dataset = DATASETS.build(background(folder, pipeline=steps(), max_bad_images=0.5))
    assert [dataset[i]['data_samples'].img_path.rpartition('/')[2] for i in (0, 2)] == ['a.png', 'c.png']
    assert dataset[1] is not None and dataset.num_skipped == 1 and 'b.jpg' in log_lines[0]
    (folder / 'images' / 'b.jpg').unlink()
    with pytest.raises(FileNotFoundError, match='b.jpg does not exist'):
        DATASETS.build(background(folder))


@pytest.mark.parametrize(
    ('changes', 'error', 'message'),
    [
        (dict(test_mode=True), ValueError, 'BackgroundDataset is for training and takes neither test_mode'),
        (dict(data_mode='bottomup'), ValueError, "data_mode='bottomup', allowed: 'topdown'"),
        (dict(box_side=0), ValueError, 'box_side=0, allowed: a finite number above 0'),
        (dict(ann_file='none.txt'), FileNotFoundError, 'none.txt'),
        (dict(ann_file='empty.txt'), AnnotationError, 'empty.txt'),
    ],
)
def test_refusals(folder, changes, error, message):
    (folder / 'empty.txt').write_text('\n')
    with pytest.raises(error, match=message):
        DATASETS.build(background(folder, **changes))
