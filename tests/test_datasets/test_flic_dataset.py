import h5py
import numpy as np
import pytest
from scipy.io import savemat

from posestructs.datasets import AnnotationError, FLICDataset
from posestructs.datasets.flic_dataset import to_body10
from posestructs.structures.metainfo import metainfo_file, raw_metainfo
from tests.helpers import data_root, needs_data

TRAIN, VALID = (str(data_root() / 'flic-annotations' / f'{name}.h5') for name in ('train', 'valid'))


def items(**kwargs):
    return FLICDataset(check_images=False, serialize_data=False, **kwargs).data_list


@needs_data
@pytest.mark.parametrize(('path', 'count'), [(TRAIN, 3987), (VALID, 1016)])
def test_both_joint_sets_of_the_real_files(path, count):
    raw, body = items(ann_file=path, joint_set='raw11'), items(ann_file=path, joint_set='body10')
    assert len(raw) == len(body) == count
    with h5py.File(path) as file:
        part = file['part'][()]
    np.testing.assert_allclose(np.concatenate([x['keypoints'] for x in raw]), part, rtol=1e-6)
    found = np.concatenate([x['keypoints'] for x in body])
    name2id = FLICDataset(lazy_init=True).metainfo['keypoint_name2id']
    h5_order = 'left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist left_hip right_hip . . nose'
    for column, name in enumerate(h5_order.split()):
        if name != '.':
            np.testing.assert_allclose(found[:, name2id[name]], part[:, column], rtol=1e-6)
    np.testing.assert_allclose(found[:, name2id['neck']], (part[:, 0] + part[:, 3]) / 2, rtol=1e-6)
    assert all(x['keypoints_occluded'] is None and x['keypoints_visible'].all() for x in raw + body)
    low, high = part.min(axis=1).clip(0), part.max(axis=1)
    for x in (raw, body):  # the box is the person's, whichever joints are asked for
        np.testing.assert_allclose(
            np.concatenate([i['bbox'] for i in x]), np.concatenate([low, high], axis=1), rtol=1e-6, atol=1e-6
        )


@needs_data
def test_metainfo_follows_the_joint_set_unless_given():
    assert FLICDataset(VALID, check_images=False).metainfo['dataset_name'] == 'flic'
    assert FLICDataset(VALID, check_images=False, joint_set='raw11').metainfo['dataset_name'] == 'flic_11kpt'
    given = dict(raw_metainfo(dict(from_file=metainfo_file('flic_11kpt'))), dataset_name='mine')
    assert FLICDataset(VALID, lazy_init=True, metainfo=given, joint_set='raw11').metainfo['dataset_name'] == 'mine'


def test_metainfo_of_the_other_joint_set_is_refused():
    for lazy in (True, False):
        with pytest.raises(ValueError, match=r"metainfo is of another body .*\['nose', 'neck', .*allowed: \['left_s"):
            FLICDataset('a.mat', joint_set='raw11', metainfo=dict(from_file=metainfo_file('flic')), lazy_init=lazy)


@needs_data
def test_bottom_up_mode_gathers_everyone_of_an_image():
    persons = items(ann_file=VALID)
    images = items(ann_file=VALID, data_mode='bottomup')
    assert len(images) == 926 and sum(len(x['id']) for x in images) == 1016
    by_id = {x['id']: x for x in persons}
    for image in images:
        assert len({by_id[i]['img_path'] for i in image['id']} | {image['img_path']}) == 1
        np.testing.assert_array_equal(image['keypoints'], np.concatenate([by_id[i]['keypoints'] for i in image['id']]))
        assert image['keypoints_occluded'] is None


def test_the_neck_needs_both_shoulders():
    points = np.arange(22.0).reshape(11, 2)
    labelled = np.ones(11, dtype=bool)
    keypoints, visible = to_body10(points, labelled)
    assert keypoints[1].tolist() == [3, 4] and visible.all()  # (0, 1) and (6, 7)
    labelled[3] = False
    assert to_body10(points, labelled)[1].tolist() == [True, False, True, True, True, True, False, True, True, True]
    assert points[0].tolist() == [0, 1]  # the input is not written


# -- the official file -----------------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def official(tmp_path_factory):
    """``examples.mat`` made from the persons of both h5 files, at their rows of the official file."""
    rows = {}
    for path, train in ((TRAIN, 1), (VALID, 0)):
        with h5py.File(path) as file:
            for index, name, part in zip(file['index'][()], file['imgname'][()], file['part'][()], strict=True):
                coords = np.full((2, 29), np.nan)
                coords[:, [0, 1, 2, 3, 4, 5, 6, 9, 12, 13, 16]] = part.T
                rows[int(index)] = (name.decode(), coords, train)
    assert sorted(rows) == list(range(5003))
    fields = ['poselet_hit_idx', 'moviename', 'coords', 'filepath', 'imgdims', 'currframe', 'torsobox']
    fields += ['istrain', 'istest']
    examples = np.empty((1, 5003), dtype=[(field, object) for field in fields])
    for i in range(5003):
        name, coords, train = rows[i]
        box = np.array([[*np.nanmin(coords, 1), *np.nanmax(coords, 1)]])
        dims = np.array([[480.0, 720.0, 3.0]])
        examples[0, i] = ([[1]], name[:5], coords, name, dims, [[i]], box, [[train]], [[1 - train]])
    path = tmp_path_factory.mktemp('flic') / 'examples.mat'
    savemat(path, dict(examples=examples), do_compression=True)
    return str(path)


@needs_data
@pytest.mark.parametrize(('split', 'h5'), [('train', TRAIN), ('test', VALID)])
def test_the_official_file_gives_the_persons_of_the_h5(official, split, h5):
    ours, theirs = items(ann_file=official, split=split), items(ann_file=h5)
    theirs = {x['id']: x for x in theirs}
    assert {x['id'] for x in ours} == set(theirs)
    for item in ours:
        other = theirs[item['id']]
        assert item['img_path'] == other['img_path']
        np.testing.assert_allclose(item['keypoints'], other['keypoints'], rtol=1e-6)
        np.testing.assert_array_equal(item['keypoints_visible'], other['keypoints_visible'])


@needs_data
def test_boxes_ids_and_everyone(official, tmp_path):
    assert len(items(ann_file=official)) == 5003
    (tmp_path / 'ids.txt').write_text('5003\n7')
    chosen = items(ann_file=official, id_file=str(tmp_path / 'ids.txt'))
    assert [x['id'] for x in chosen] == [5003, 7]
    padded = items(ann_file=official, id_file=str(tmp_path / 'ids.txt'), bbox_source='file', bbox_padding=1.5)
    for a, b in zip(chosen, padded, strict=True):
        box = a['file_box'][0]
        centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) * 0.75
        expected = np.clip([centre - half, centre + half], 0, [720, 480]).ravel()
        np.testing.assert_allclose(b['bbox'][0], expected, rtol=1e-5)
    (tmp_path / 'ids.txt').write_text('5004')
    with pytest.raises(AnnotationError, match=r'ids.txt: id 5004 is out of range, allowed: 1 to 5003'):
        items(ann_file=official, id_file=str(tmp_path / 'ids.txt'))


@needs_data
def test_the_square_of_the_h5_as_box():
    item = items(ann_file=VALID, bbox_source='file', indices=1)[0]
    np.testing.assert_allclose(item['bbox'], [[329.77716 - 220, 20, 329.77716 + 220, 460]], rtol=1e-6)


@pytest.fixture
def one_person(tmp_path, matlab_struct):
    def make(coords=None, train=1):
        if coords is None:
            coords = np.full((2, 29), np.nan)
            coords[:, [0, 3, 16]] = [[50, 20, 35], [60, 60, 30]]
        row = dict(coords=coords, filepath='a.jpg', torsobox=[[1, 2, 3, 4]], imgdims=[[480, 720, 3]])
        row.update(istrain=[[train]], istest=[[0]], isbad=[[1 - train]])
        savemat(tmp_path / 'examples.mat', dict(examples=matlab_struct([row])))
        return str(tmp_path / 'examples.mat')

    return make


def test_unlabelled_joints_infinite_joints_and_empty_splits(one_person):
    item = items(ann_file=one_person())[0]
    assert item['keypoints_visible'][0].tolist() == [1, 1, 1, 0, 0, 0, 1, 0, 0, 0]
    assert item['bbox'].tolist() == [[20, 30, 50, 60]]
    with pytest.raises(AnnotationError, match="split='test' is empty: no person has istest set"):
        items(ann_file=one_person(), split='test')
    with pytest.raises(AnnotationError, match='examples.mat: FLICDataset finds no usable person'):
        items(ann_file=one_person(train=0))
    coords = np.full((2, 29), np.nan)
    coords[:, 4] = [np.inf, 3]
    with pytest.raises(
        AnnotationError, match=r'examples.mat: person 1 \(a.jpg\): joint 4 \(right_elbow\) is at \[inf, 3'
    ):
        items(ann_file=one_person(coords))


@needs_data
def test_an_h5_is_one_split():
    with pytest.raises(AnnotationError, match="train.h5: split='train' is asked of an h5"):
        items(ann_file=TRAIN, split='train')


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (dict(split='val'), "split='val', allowed: 'all', 'train', 'test'"),
        (dict(joint_set='body14'), "joint_set='body14', allowed: 'raw11', 'body10'"),
        (dict(bbox_source='torso'), "bbox_source='torso', allowed: 'joints', 'file'"),
        (dict(split='test', id_file='a'), 'split or id_file, not both'),
    ],
)
def test_arguments_that_cannot_be(args, message):
    with pytest.raises(ValueError, match=message):
        FLICDataset('examples.mat', **args)
