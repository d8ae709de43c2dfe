"""Data sets of a config: found, changed and built, or refused with a reason."""

import pytest
from mmengine.config import Config

from posestructs.utils.dataset_configs import build_dataset, map_pipelines, pack_transformed, step_name
from posestructs.utils.usage import UsageError


def test_name_of_a_step():
    assert step_name(dict(type='mmpose.Last')) == 'Last' and step_name(dict(type=dict)) == 'dict'


def test_pipelines_inside_wrappers_are_found():
    def mark(pipeline):
        return [*pipeline, 'x']

    plain = dict(pipeline=['a'])
    map_pipelines(plain, mark)
    assert plain == dict(pipeline=['a', 'x'])
    repeated = dict(type='RepeatDataset', dataset=dict(pipeline=['a']))
    map_pipelines(repeated, mark)
    assert repeated['dataset']['pipeline'] == ['a', 'x'] and 'pipeline' not in repeated
    joined = dict(type='ConcatDataset', datasets=[dict(pipeline=['a']), dict()])
    map_pipelines(joined, mark)
    assert joined['datasets'] == [dict(pipeline=['a', 'x']), dict(pipeline=['x'])]
    combined = dict(type='CombinedDataset', datasets=[dict(pipeline=['a'])], pipeline=['b'])
    map_pipelines(combined, mark)
    assert combined == dict(type='CombinedDataset', datasets=[dict(pipeline=['a'])], pipeline=['b', 'x'])


def test_the_last_step_packs_the_joints_of_the_crop():
    steps = ['a', dict(type='mmpose.PackPoseInputs', meta_keys=())]
    assert pack_transformed(steps) == ['a', dict(steps[1], pack_transformed=True)]
    for pipeline, last in (([], 'nothing'), ([dict(type='LoadImage')], 'LoadImage')):
        with pytest.raises(UsageError, match=f'ends in {last}, allowed: PackPoseInputs'):
            pack_transformed(pipeline)


def test_a_data_set_is_built_or_the_reason_is_given():
    figures = dict(type='StickFigureDataset', num_samples=2, image_size=32)
    cfg = Config(dict(train_dataloader=dict(dataset=figures), val_dataloader=dict(dataset=dict(figures, sides=3))))
    assert len(build_dataset(cfg, 'train')) == 2
    with pytest.raises(UsageError, match='val_dataloader.dataset cannot be built: .*sides'):
        build_dataset(cfg, 'val')
    with pytest.raises(UsageError, match=r"no test_dataloader.dataset; it has one for: \['train', 'val'\]"):
        build_dataset(cfg, 'test')
