import numpy as np
import pytest
from mmpose.evaluation.metrics import CocoMetric
from scipy.io import loadmat, savemat

from posestructs.datasets import AnnotationError, LSPDataset
from posestructs.datasets.observer_centric import to_observer_centric
from tests.helpers import data_root, needs_data

MINI, LSP, RAW = (data_root() / name for name in ('lspet-mini', 'lsp-annotations', 'lspet-raw-sample'))


@needs_data
@pytest.mark.parametrize(('id_file', 'count'), [('train.txt', 5000), ('val.txt', 1000)])
def test_lspet_mini_holds_what_its_files_say(id_file, count):
    dataset = LSPDataset(data_root=str(MINI), id_file=id_file, test_mode=True)
    assert len(dataset) == count
    joints = loadmat(MINI / 'joints.mat')['joints']
    ids = [int(line) for line in (MINI / id_file).read_text().split()]
    for i in range(0, count, 7):
        item, target = dataset[i], joints[:, :, ids[i] - 1]
        labelled = target[:, 2] == 1
        assert item['img_path'] == str(MINI / 'images' / f'im{ids[i]:05d}.jpg')
        assert item['id'] == item['img_id'] == ids[i]
        assert item['keypoints_visible'].tolist() == [target[:, 2].tolist()]
        assert item['keypoints_occluded'] is None
        np.testing.assert_allclose(item['keypoints'][0, labelled], target[labelled, :2], rtol=1e-6)
        assert not item['keypoints'][0, ~labelled].any()
        low, high = target[labelled, :2].min(0).clip(0), target[labelled, :2].max(0)
        np.testing.assert_allclose(item['bbox'], [[*low, *high]], rtol=1e-6)
        assert item['num_keypoints'] == labelled.sum() >= 11


@needs_data
def test_official_lsp_its_splits_and_its_occlusion_labels():
    args = dict(ann_file=str(LSP / 'joints.mat'), check_images=False, test_mode=True, serialize_data=False)
    whole, train, test = (LSPDataset(split=split, **args) for split in ('all', 'train', 'test'))
    assert (len(whole), len(train), len(test)) == (2000, 1000, 1000)
    assert (train[0]['id'], train[-1]['id'], test[0]['id'], test[-1]['id']) == (1, 1000, 1001, 2000)
    assert test[0]['img_path'] == 'images/im1001.jpg'
    target = loadmat(LSP / 'joints.mat')['joints']
    items = whole.data_list
    np.testing.assert_array_equal(np.concatenate([x['keypoints_occluded'] for x in items]), target[2].T)
    assert 100 * np.mean([x['keypoints_occluded'] for x in items]) == pytest.approx(7.3, abs=0.05)
    assert all((x['keypoints_visible'] == 1).all() for x in items)
    np.testing.assert_allclose(
        np.concatenate([x['keypoints'] for x in items]), target[:2].transpose(2, 1, 0), rtol=1e-6
    )


@needs_data
def test_observer_centric_from_the_file_and_by_the_rule_agree():
    args = dict(check_images=False, centric='observer', serialize_data=False)
    from_file = LSPDataset(str(LSP / 'joints_pc_oc.mat'), **args)
    by_rule = LSPDataset(str(LSP / 'joints.mat'), **args)
    person = LSPDataset(str(LSP / 'joints_pc_oc.mat'), check_images=False, serialize_data=False)
    observer = loadmat(LSP / 'joints_pc_oc.mat')['oc_joints']
    differ = 0
    for i in range(2000):
        a, b = from_file.data_list[i], by_rule.data_list[i]
        for key in ('keypoints', 'keypoints_occluded', 'bbox'):
            np.testing.assert_array_equal(a[key], b[key])
        np.testing.assert_allclose(a['keypoints'][0], observer[:2, :, i].T, rtol=1e-6)
        np.testing.assert_array_equal(a['keypoints_occluded'][0], observer[2, :, i])
        differ += not np.array_equal(a['keypoints'], person.data_list[i]['keypoints'])
    assert differ > 500


@needs_data
def test_observer_centric_lspe_leaves_the_undecided_and_says_so(log_lines):
    observer = LSPDataset(data_root=str(MINI), id_file='train.txt', centric='observer')
    person = LSPDataset(data_root=str(MINI), id_file='train.txt')
    changed = [
        i
        for i in range(0, 5000, 10)
        if not np.array_equal(observer.get_data_info(i)['keypoints'], person.get_data_info(i)['keypoints'])
    ]
    assert 100 < len(changed) < 400
    assert sum('lack labelled shoulders or hips' in line for line in log_lines) == 1


def test_the_observer_centric_warning_counts_the_chosen_persons_only(lspe_folder, log_lines):
    def edit(joints):
        joints[:, 2, 6:10] = 1
        joints[:, :2, 6:10] = joints[:, :2, :4]
        joints[8, 2, 3] = joints[8, 2, 5] = 0  # the right shoulder of persons 4 and 6

    folder = lspe_folder(10, edit=edit)
    (folder / 'ids.txt').write_text('2\n4\n5')
    observer = LSPDataset(data_root=str(folder), id_file='ids.txt', centric='observer')
    person = LSPDataset(data_root=str(folder), id_file='ids.txt')
    [line] = log_lines
    assert '1 of 3 persons lack labelled shoulders or hips' in line and 'the first: 4;' in line
    raw = loadmat(folder / 'joints.mat')['joints'].transpose(2, 0, 1)[[1, 3, 4]]
    expected, _ = to_observer_centric(raw, raw[..., 2] > 0)
    for i in range(3):
        found = observer.get_data_info(i)
        assert found['id'] == person.get_data_info(i)['id'] == [2, 4, 5][i]
        labelled = expected[i, :, 2] > 0
        np.testing.assert_allclose(found['keypoints'][0, labelled], expected[i, labelled, :2], rtol=1e-6)


@needs_data
def test_the_complete_official_lspe_file_with_24_of_its_images(tmp_path):
    (tmp_path / 'ids.txt').write_text('\n'.join(path.name for path in sorted((RAW / 'images').iterdir())))
    dataset = LSPDataset(
        data_root=str(RAW), id_file=str(tmp_path / 'ids.txt'), test_mode=True, pipeline=[dict(type='LoadImage')]
    )
    assert len(dataset) == 24
    assert [dataset[i]['id'] for i in range(24)] == list(range(1, 25))
    assert all(dataset[i]['img'].ndim == 3 for i in range(24))
    whole = LSPDataset(str(RAW / 'joints.mat'), check_images=False, test_mode=True, serialize_data=False)
    assert len(whole) == 10000
    assert sum(int(person['keypoints_visible'].sum()) for person in whole.data_list) == 123213


@needs_data
def test_coco_metric_scores_it_without_an_annotation_file():
    dataset = LSPDataset(data_root=str(MINI), id_file='val.txt', indices=60, test_mode=True)
    metric = CocoMetric(score_mode='bbox')
    metric.dataset_meta = dataset.metainfo
    samples = []
    for i in range(60):
        item = dataset[i]
        target = dict(bboxes=item['bbox'], bbox_scores=item['bbox_score'], bbox_scales=item['bbox'][:, 2:])
        predicted = item['keypoints'] + (1000 if i % 2 else 0)  # every second person far off
        samples.append(
            dict(
                {k: item[k] for k in ('id', 'img_id', 'category_id', 'raw_ann_info')},
                ori_shape=(256, 256),
                gt_instances=target,
                pred_instances=dict(keypoints=predicted, keypoint_scores=item['keypoints_visible']),
            )
        )
    metric.process([], samples)
    assert metric.evaluate(60)['coco/AR'] == pytest.approx(0.5, abs=0.01)


# -- by hand ---------------------------------------------------------------------------------------------------------


def lsp(tmp_path, edit=None, key='joints'):
    joints = np.random.default_rng(0).uniform(10, 90, (3, 14, 2000))
    joints[2] = joints[2] > 80
    if edit:
        edit(joints)
    savemat(tmp_path / 'joints.mat', {key: joints})
    return dict(ann_file=str(tmp_path / 'joints.mat'), check_images=False)


def test_unlabelled_nan_is_zero_labelled_nan_is_an_error(tmp_path, lspe_folder):
    def edit(joints):
        joints[3, :2, 1] = np.nan
        joints[3, 2, 1] = 0

    folder = lspe_folder(edit=edit)
    item = LSPDataset(data_root=str(folder), id_file='ids.txt').get_data_info(1)
    assert item['keypoints'][0, 3].tolist() == [0, 0] and item['keypoints_visible'][0].sum() == 13

    for value in (np.nan, np.inf):

        def edit(joints, value=value):
            joints[5, 1, 2] = value

        folder = lspe_folder(edit=edit)
        with pytest.raises(AnnotationError, match=rf'joints.mat: person 3: joint 5 \(left_ankle\) is at .*{value}'):
            LSPDataset(data_root=str(folder), id_file='ids.txt')


@pytest.mark.parametrize('value', [2.0, -1.0, np.nan])
def test_a_flag_is_0_or_1(tmp_path, value):
    def edit(joints):
        joints[2, 4, 7] = value

    with pytest.raises(AnnotationError, match=rf"joints.mat: key 'joints', person 8, joint 4: flag {value}"):
        LSPDataset(**lsp(tmp_path, edit))


@pytest.mark.parametrize('shape', [(14, 3, 2000), (3, 14, 10000), (3, 14), (2000, 14, 3), (16, 3, 10000)])
def test_another_shape(tmp_path, shape):
    savemat(tmp_path / 'joints.mat', dict(joints=np.zeros(shape)))
    with pytest.raises(AnnotationError, match=r"joints.mat: key 'joints' has shape .*\(3, 14, 2000\) of LSP or"):
        LSPDataset(str(tmp_path / 'joints.mat'))
    savemat(tmp_path / 'joints.mat', dict(joints=['a', 'b']))
    with pytest.raises(AnnotationError, match=r"joints.mat: key 'joints' is of type <U1"):
        LSPDataset(str(tmp_path / 'joints.mat'))


@needs_data
@pytest.mark.parametrize(
    ('path', 'message'),
    [
        ('mpii-val/mpii_gt_val.mat', r"mpii_gt_val.mat: key 'joints' is missing, it has \['dataset_joints', .*LSP"),
        ('flic-annotations/train.h5', 'train.h5: cannot be read as a .mat file'),
        ('mpii-val/mpii_val.json', 'mpii_val.json: cannot be read as a .mat file'),
    ],
)
def test_the_annotation_file_of_another_data_set(path, message):
    with pytest.raises(AnnotationError, match=message):
        LSPDataset(str(data_root() / path))


def test_the_annotation_file_of_flic(tmp_path, matlab_struct):
    savemat(tmp_path / 'examples.mat', dict(examples=matlab_struct([dict(coords=np.zeros((2, 29)))])))
    with pytest.raises(AnnotationError, match=r"examples.mat: key 'joints' is missing, it has \['examples'\]"):
        LSPDataset(str(tmp_path / 'examples.mat'))


def test_the_observer_file_has_no_person_centric_labels(tmp_path):
    args = lsp(tmp_path, key='oc_joints')
    with pytest.raises(AnnotationError, match="key 'joints' is missing"):
        LSPDataset(**args)
    assert len(LSPDataset(centric='observer', **args)) == 2000


def test_lspe_has_no_official_split(lspe_folder):
    with pytest.raises(AnnotationError, match="split='test' is asked of LSPE"):
        LSPDataset(data_root=str(lspe_folder()), split='test')


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (dict(split='val'), "split='val', allowed: 'all', 'train', 'test'"),
        (dict(centric='camera'), "centric='camera', allowed: 'person', 'observer'"),
        (dict(split='test', id_file='a.txt'), "split or id_file, not both: split='test', id_file='a.txt'"),
        (dict(bbox_padding=0), 'bbox_padding=0, allowed: a finite number above 0'),
        (dict(bbox_padding='a'), "bbox_padding='a', allowed: a finite number above 0"),
        (dict(max_bad_images='a'), "max_bad_images='a', allowed: a number from 0 to 1"),
        (dict(filename_tmpl='im.jpg'), "filename_tmpl='im.jpg' gives every person the same image, allowed: a format"),
        (dict(filename_tmpl='{:s}.jpg'), "filename_tmpl='{:s}.jpg', allowed: a format with one number"),
        (dict(filename_tmpl='{}{}.jpg'), "filename_tmpl='{}{}.jpg', allowed: a format with one number"),
        (
            dict(metainfo=dict(from_file='mpii.py')),
            r"metainfo is of another body .*'pelvis', .*allowed: \['right_ankle'",
        ),
        (
            dict(indices=0),
            'indices=0 leaves none .*, allowed: how many of the first, from 1, or a list of .* 0 to 1999',
        ),
        (dict(bbox_file='a.json', test_mode=True), "bbox_file='a.json', allowed: None"),
        (dict(max_bad_images=2), 'max_bad_images=2, allowed: a number from 0 to 1'),
        (dict(data_mode='sideways'), 'data_mode'),
    ],
)
def test_arguments_that_cannot_be(tmp_path, args, message):
    with pytest.raises(ValueError, match=message):
        LSPDataset(**lsp(tmp_path), **args)


def test_id_files_that_cannot_be(lspe_folder):
    folder = lspe_folder(2)
    (folder / 'ids.txt').write_text('10001')
    with pytest.raises(AnnotationError, match=r'ids.txt: id 10001 is out of range, allowed: 1 to 10000'):
        LSPDataset(data_root=str(folder), id_file='ids.txt')
    with pytest.raises(FileNotFoundError, match="id_file='/.*/other.txt' does not exist"):
        LSPDataset(data_root=str(folder), id_file='other.txt')
    (folder / 'ids.txt').write_text('')
    with pytest.raises(AnnotationError, match='ids.txt: is empty'):
        LSPDataset(data_root=str(folder), id_file='ids.txt')


def test_padding_template_and_interval(tmp_path):
    args = lsp(tmp_path)
    tight, wide = LSPDataset(**args).get_data_info(0)['bbox'][0], LSPDataset(bbox_padding=1.2, **args).get_data_info(0)
    np.testing.assert_allclose(wide['bbox'][0, 2:] - wide['bbox'][0, :2], 1.2 * (tight[2:] - tight[:2]), rtol=1e-5)
    dataset = LSPDataset(filename_tmpl='{:d}.png', data_prefix=dict(img='pics'), sample_interval=500, **args)
    assert [dataset[i]['img_path'] for i in range(len(dataset))] == [f'pics/{i}.png' for i in (500, 1000, 1500, 2000)]


def test_bottom_up_mode(lspe_folder, tmp_path):
    item = LSPDataset(data_root=str(lspe_folder(3)), id_file='ids.txt', data_mode='bottomup')[2]
    assert item['keypoints'].shape == (1, 14, 2) and item['id'] == [3] and item['keypoints_occluded'] is None
    item = LSPDataset(data_mode='bottomup', **lsp(tmp_path))[2]
    assert item['keypoints_occluded'].shape == (1, 14)
