import numpy as np
import pytest
from mmengine.dataset import pseudo_collate
from mmpose.datasets import CombinedDataset as TheirCombinedDataset
from mmpose.registry import DATASETS
from torch.utils.data import DataLoader

from posestructs.datasets import BadImageError, CombinedDataset, metainfo_file

LSP = dict(from_file=metainfo_file('lsp'))
LOAD = [dict(type='LoadVerifiedImage')]


def combined(folder, parts=2, pipeline=LOAD, metainfo=LSP, sample_ratio_factor=None, test_mode=False, **kwargs):
    part = dict(type='LSPDataset', data_root=str(folder), id_file='ids.txt', pipeline=[], **kwargs)
    config = dict(type='CombinedDataset', metainfo=metainfo, datasets=[part] * parts, pipeline=pipeline)
    return DATASETS.build(dict(config, sample_ratio_factor=sample_ratio_factor, test_mode=test_mode))


def spoil(folder, *numbers):
    for number in numbers:
        path = folder / 'images' / f'im{number:05d}.jpg'
        path.write_bytes(path.read_bytes()[:-2000])


def test_mmposes_name_gives_ours():
    assert DATASETS.get('CombinedDataset') is CombinedDataset and issubclass(CombinedDataset, TheirCombinedDataset)


@pytest.mark.parametrize('load', ['LoadVerifiedImage', 'LoadImage'])
def test_a_bad_image_is_skipped_and_told_to_its_data_set(lspe_folder, log_lines, load):
    folder = lspe_folder(8)
    spoil(folder, 3)
    both = combined(folder, max_bad_images=0.2, pipeline=[dict(type=load)])
    ids = [both[i]['id'] for i in (*range(8, 16), *range(8, 16))]  # another sample of any part stands in
    assert len(ids) == 16 and 3 not in ids
    assert both.datasets[1].num_skipped == 1
    assert both.prepare_data(2) is None and both.prepare_data(-14) is None
    assert [part.num_skipped for part in both.datasets] == [1, 1]
    assert len(log_lines) == 2 and all('im00003.jpg' in line and 'skipped' in line for line in log_lines)


def test_the_right_sample_is_marked_where_samples_are_drawn(lspe_folder):
    folder = lspe_folder(6)
    spoil(folder, 1, 2, 3, 4, 5, 6)
    both = combined(folder, max_bad_images=1.0, sample_ratio_factor=[0.5, 2])
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    assert both.prepare_data(0) is None
    assert [part.num_skipped for part in both.datasets] == [1, 0]
    ours = np.random.rand()
    np.random.seed(0)
    assert (np.random.get_state()[1] == state).all()
    TheirCombinedDataset._get_subset_index(both, 0)
    assert np.random.rand() == ours, 'not one random number more than mmpose draws'
    for i in range(3, 15):
        assert both.prepare_data(i) is None
    assert both.datasets[0].num_skipped == 1 and 3 <= both.datasets[1].num_skipped <= 6


@pytest.mark.parametrize('args', [dict(strict=True), dict(max_bad_images=0.1), dict(test_mode=True)])
def test_what_its_data_set_does_not_allow_is_an_error(lspe_folder, args):
    folder = lspe_folder(8)
    spoil(folder, 3)
    both = combined(folder, **{'max_bad_images': 1.0, **args})
    assert both[1]['id'] == 2
    with pytest.raises(BadImageError, match='images/im00003.jpg'):
        both[2]


def test_a_data_set_of_mmposes_keeps_its_error(lspe_folder):
    class Plain:
        """Counts nothing."""

        def __init__(self, part):
            self.part = part

        def __len__(self):
            return len(self.part)

        def __getitem__(self, i):
            return self.part[i]

    folder = lspe_folder(4)
    spoil(folder, 3)
    both = combined(folder, max_bad_images=1.0)
    both.datasets[1] = Plain(both.datasets[1])
    assert both.prepare_data(2) is None
    with pytest.raises(BadImageError, match='images/im00003.jpg'):
        both[4 + 2]


def test_workers_share_the_count(lspe_folder):
    folder = lspe_folder(6)
    spoil(folder, 2)
    both = combined(folder, max_bad_images=0.5)
    batches = list(DataLoader(both, batch_size=4, num_workers=2, collate_fn=pseudo_collate))
    assert 2 not in [i for batch in batches for i in batch['id']]
    assert [part.num_skipped for part in both.datasets] == [1, 1]


def test_metainfo_keeps_our_keys_and_takes_mmposes_files(lspe_folder):
    folder = lspe_folder(2)
    meta = combined(folder).metainfo
    assert meta['torso_pair'] == ('left_shoulder', 'right_hip')
    assert len(meta['sticks']) == 10 and 'wrist' in meta['joint_groups']
    assert meta['num_keypoints'] == 14 and 'from_file' not in meta
    convert = dict(type='KeypointConverter', num_keypoints=17, mapping=[(2, 1), (1, 2), (0, 3)])
    part = dict(type='LSPDataset', data_root=str(folder), id_file='ids.txt', pipeline=[convert])
    h36m = dict(type='CombinedDataset', metainfo=dict(from_file='h36m.py'), datasets=[part])
    theirs = DATASETS.build(h36m).metainfo  # its file has no sigmas
    assert theirs['dataset_name'] == 'h36m' and 'sticks' not in theirs
    wrong = dict(DATASETS.get('LSPDataset').METAINFO)
    with pytest.raises(FileNotFoundError, match='nowhere.py'):
        combined(folder, metainfo=dict(wrong, from_file='nowhere.py'))
