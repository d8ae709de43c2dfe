import h5py
import numpy as np
import pytest
from scipy.io import savemat

from posestructs.datasets.errors import AnnotationError
from posestructs.datasets.readers import read_h5, read_ids, read_json, read_lines, read_mat


@pytest.mark.parametrize('read', [read_mat, read_h5, read_json, read_lines])
def test_a_file_that_is_not_there(read, tmp_path):
    with pytest.raises(FileNotFoundError, match="annotation file '.*nowhere' does not exist"):
        read(tmp_path / 'nowhere')
    with pytest.raises(FileNotFoundError, match='does not exist'):
        read(tmp_path)  # a folder


@pytest.mark.parametrize('read', [read_mat, read_h5, read_json])
@pytest.mark.parametrize('content', [b'', b'\x00' * 200, b'hello, this is no annotation file at all' * 20])
def test_a_file_of_something_else(read, content, tmp_path):
    path = tmp_path / 'broken'
    path.write_bytes(content)
    with pytest.raises(AnnotationError, match='broken: .*(cannot be read|damaged)'):
        read(path)


@pytest.mark.parametrize('compress', [True, False])
def test_a_truncated_mat(tmp_path, compress):
    path = tmp_path / 'a.mat'
    savemat(path, dict(joints=np.random.default_rng(0).normal(size=(14, 3, 1000))), do_compression=compress)
    assert read_mat(path, ['joints'])['joints'].shape == (14, 3, 1000)
    whole = path.read_bytes()
    for part in (0.9, 0.5, 0.01):
        path.write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(AnnotationError, match='a.mat'):
            read_mat(path, ['joints'])


def test_a_truncated_h5(tmp_path):
    path = tmp_path / 'a.h5'
    with h5py.File(path, 'w') as file:
        file['part'] = np.zeros((1000, 11, 2))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AnnotationError, match='a.h5: cannot be read as an HDF5 file'):
        read_h5(path, ['part'])


def test_a_mat_of_version_7_3_says_how_to_save_it(tmp_path):
    header = b'MATLAB 7.3 MAT-file, Platform: GLNXA64'.ljust(124) + b'\x00\x02IM'
    (tmp_path / 'a.mat').write_bytes(header.ljust(512, b'\x00'))
    with pytest.raises(AnnotationError, match=r'a.mat: is a Matlab 7.3 file, allowed: .*"-v7"'):
        read_mat(tmp_path / 'a.mat')


def test_a_missing_key_is_named_with_those_there_are(tmp_path):
    savemat(tmp_path / 'a.mat', dict(examples=1, other=2))
    with pytest.raises(AnnotationError, match=r"a.mat: key 'joints' is missing, it has \['examples', 'other'\]"):
        read_mat(tmp_path / 'a.mat', ['joints'])
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
        file['part'] = 1
        file.create_group('visible')
    with pytest.raises(AnnotationError, match=r"a.h5: key 'visible' is missing, it has \['part'\]"):
        read_h5(tmp_path / 'a.h5', ['part', 'visible'])
    assert list(read_mat(tmp_path / 'a.mat')) == ['examples', 'other']


def test_lines_without_comments_and_blanks(tmp_path):
    path = tmp_path / 'ids.txt'
    path.write_text('# persons\n 3 \n\nim00007.jpg # hard\nimages/im0010.png\n')
    assert read_lines(path) == ['3', 'im00007.jpg', 'images/im0010.png']
    assert read_ids(path, 10) == [3, 7, 10]
    path.write_text('# none\n\n')
    with pytest.raises(AnnotationError, match='ids.txt: is empty'):
        read_lines(path)
    path.write_bytes(b'\xff\xfe\x00')
    with pytest.raises(AnnotationError, match='ids.txt: is not text'):
        read_lines(path)


def test_a_byte_order_mark_and_a_hash_in_a_name(tmp_path):
    path = tmp_path / 'names.txt'
    path.write_bytes(b'\xef\xbb\xbfa#b.jpg\n#c.jpg\nd.jpg\t# kept\n')
    assert read_lines(path) == ['a#b.jpg', 'd.jpg']
    (tmp_path / 'a.json').write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(tmp_path / 'a.json') == dict(a=1)


def test_files_that_would_need_more_memory_than_there_is(tmp_path):
    (tmp_path / 'a.json').write_text('[' * 200_000)
    with pytest.raises(AnnotationError, match='a.json: cannot be read as JSON: it is nested too deeply'):
        read_json(tmp_path / 'a.json')
    with h5py.File(tmp_path / 'a.h5', 'w') as file:  # 164 GiB by its header, none of it written
        file.create_dataset('part', shape=(10**9, 11, 2), dtype='f8', chunks=(1000, 11, 2))
    with pytest.raises(AnnotationError, match=r"a.h5: key 'part' of shape \(1000000000, 11, 2\) takes 163.9 GiB"):
        read_h5(tmp_path / 'a.h5', ['part'])


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('1\n0', r'id 0 is out of range, allowed: 1 to 10'),
        ('11', r'id 11 is out of range, allowed: 1 to 10'),
        ('-1', "line '-1', allowed: a number or an image name"),
        ('two', "line 'two'"),
        ('2.5', "line '2.5'"),
        ('3\nim00003.jpg', 'id 3 occurs more than once'),
    ],
)
def test_ids_that_cannot_be(tmp_path, content, message):
    (tmp_path / 'ids.txt').write_text(content)
    with pytest.raises(AnnotationError, match=f'ids.txt: {message}'):
        read_ids(tmp_path / 'ids.txt', 10)
