"""Data that are named by a config and not there."""

from mmengine.config import Config

from posestructs.utils.data_files import describe_missing, missing_data


def test_paths_are_joined_as_mmengine_joins_them(tmp_path, monkeypatch):
    monkeypatch.delenv('POSESTRUCTS_DATA', raising=False)
    (tmp_path / 'images').mkdir()
    (tmp_path / 'a.json').touch()
    here = dict(type='A', data_root=str(tmp_path), ann_file='a.json', data_prefix=dict(img='images/'))
    gone = dict(type='B', data_root='gone', ann_file=str(tmp_path / 'a.json'), data_prefix=dict(img='i/', depth='d/'))
    stored = dict(type='C', data_root='s3://bucket', ann_file='a.json')
    made = dict(type='StickFigureDataset', num_samples=3)
    union = dict(type='CombinedDataset', datasets=[here, gone, stored, made])
    cfg = Config(dict(train_dataloader=dict(dataset=union), val_dataloader=dict(dataset=gone)))
    assert (
        missing_data(cfg, ['test']) == [] == missing_data(Config(dict(train_dataloader=dict(dataset=here))), ['train'])
    )
    missing = missing_data(cfg, ['train', 'val'])
    assert missing == [
        'gone/i/ does not exist (train_dataloader, data_prefix.img)',
        'gone/d/ does not exist (train_dataloader, data_prefix.depth)',
    ]
    assert describe_missing(missing * 2).endswith(
        '; and 1 more; set the environment variable POSESTRUCTS_DATA to the folder with the data'
    )
