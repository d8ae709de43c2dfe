"""Files of results: their names, and that none is half of one."""

import json
import os
import signal

import cv2
import numpy as np
import pytest

from posestructs.apis.frames import Frame, Source
from posestructs.apis.image_sources import open_source
from posestructs.apis.result_files import ResultFiles
from posestructs.apis.video_file import VideoFile

IMAGE = np.full((16, 32, 3), (200, 100, 0), np.uint8)  # RGB
IMAGES = Source([], 2, 'folder')
VIDEO = Source([], 3, 'walk.avi', fps=5.0)


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file())


def test_files_of_images(tmp_path):
    files = ResultFiles(IMAGES, str(tmp_path / 'v'), str(tmp_path / 'p'))
    assert files.wants_images
    for path in ('x/a.png', 'y/a.png', 'b.gif', 'https://example.org/c.jpg?size=4'):
        files.add(Frame(path, None), [dict(keypoints=[[1, 2]])], IMAGE)
    files.close()
    assert names(tmp_path / 'p') == ['a.json', 'a_1.json', 'b.json', 'c.json']
    assert names(tmp_path / 'v') == ['a.png', 'a_1.png', 'b.jpg', 'c.jpg']  # OpenCV writes no GIF
    assert json.loads((tmp_path / 'p/a.json').read_text()) == [dict(keypoints=[[1, 2]])]
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / 'v/a.png'))[..., ::-1], IMAGE)
    assert sorted(files.written) == sorted(path for path in tmp_path.rglob('*.*'))


def test_files_of_a_video(tmp_path):
    files = ResultFiles(VIDEO, str(tmp_path / 'v'), str(tmp_path / 'p'))
    for size in ((16, 32), (16, 32), (20, 40)):  # one that changes its size
        files.add(Frame('0.jpg', None), [], np.full((*size, 3), (200, 100, 0), np.uint8))
        assert names(tmp_path) == ['v/walk.partial.mkv']
    files.close()
    files.close()  # twice does no harm
    assert names(tmp_path) == ['p/walk.json', 'v/walk.mp4']
    assert json.loads((tmp_path / 'p/walk.json').read_text()) == [dict(frame_id=i, instances=[]) for i in range(3)]
    capture = cv2.VideoCapture(str(tmp_path / 'v/walk.mp4'))
    frames = [capture.read()[1] for _ in range(3)]
    assert capture.get(cv2.CAP_PROP_FPS) == 5
    for frame in frames:
        assert frame.shape == (16, 32, 3) and np.abs(frame.mean(axis=(0, 1)) - (0, 100, 200)).max() < 12


@pytest.fixture
def interrupts():
    """Python's handler of SIGINT, which a shell ignores in commands that it runs in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures('interrupts')
@pytest.mark.parametrize('moment', ['__init__', 'add', 'close'])
def test_a_signal_leaves_as_many_frames_as_rows(tmp_path, monkeypatch, moment):
    """Wherever it comes: before the first frame, before a later one, or while the video is completed."""

    class Stopped(VideoFile):
        pass

    def stopped(self, *args):
        signal.raise_signal(signal.SIGINT)
        return getattr(VideoFile, moment)(self, *args)

    files = ResultFiles(VIDEO, str(tmp_path / 'v'), str(tmp_path / 'p'))
    monkeypatch.setattr('posestructs.apis.result_files.VideoFile', Stopped)
    if moment == '__init__':
        setattr(Stopped, moment, stopped)
    else:
        files.add(Frame('0.jpg', None), [], IMAGE)
        setattr(Stopped, moment, stopped)
    with pytest.raises(KeyboardInterrupt):
        if moment != 'close':
            files.add(Frame('1.jpg', None), [], IMAGE)
        files.close()
    files.close()
    assert names(tmp_path) == ['p/walk.json', 'v/walk.mp4']
    capture = cv2.VideoCapture(str(tmp_path / 'v/walk.mp4'))
    rows = json.loads((tmp_path / 'p/walk.json').read_text())
    assert int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == len(rows) == (2 if moment == 'add' else 1)


@pytest.mark.usefixtures('interrupts')
def test_a_signal_leaves_no_predictions_without_their_image(tmp_path, monkeypatch):
    write = ResultFiles._write_json

    def stopped(*args):
        write(*args)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(ResultFiles, '_write_json', stopped)
    with pytest.raises(KeyboardInterrupt):
        ResultFiles(IMAGES, str(tmp_path / 'v'), str(tmp_path / 'p')).add(Frame('a.png', None), [], IMAGE)
    assert names(tmp_path) == ['p/a.json', 'v/a.png']


def test_nothing_is_written_where_nothing_is_asked(tmp_path):
    files = ResultFiles(IMAGES)
    files.add(Frame('a.png', None), [], None)
    files.close()
    assert not files.wants_images and not files.written


def test_places_that_cannot_be(tmp_path):
    (tmp_path / 'file').write_text('')
    one = Source([], 1, 'a.png', single=True)
    for source, folders, message in (
        (IMAGES, (tmp_path / 'file', ''), 'vis_out_dir=.*file is a file, not a folder'),
        (IMAGES, ('', tmp_path / 'file/inner'), 'pred_out_dir=.*file is a file, not a folder'),
        (IMAGES, (tmp_path / 'one.png', ''), 'allowed for several images'),
        (one, (tmp_path / 'one.xyz', ''), r'ends with one of \.jpg'),
        (VIDEO, (tmp_path / 'one.png', ''), r'ends with one of \.mp4'),
    ):
        with pytest.raises(ValueError, match=message):
            ResultFiles(source, *map(str, folders))
    named = ResultFiles(one, str(tmp_path / 'one.png'))
    named.add(Frame('a.jpg', None), [], IMAGE)
    assert names(tmp_path) == ['file', 'one.png']


def test_folders_are_made_before_the_work(tmp_path):
    ResultFiles(IMAGES, str(tmp_path / 'a/v'), str(tmp_path / 'a/p'))
    ResultFiles(VIDEO, str(tmp_path / 'b/film.mp4'))
    assert sorted(path.name for path in tmp_path.rglob('*')) == ['a', 'b', 'p', 'v']
    long = str(tmp_path / ('x' * 300))
    for folders in ((long, ''), ('', long), (f'{long}/one.png', '')):
        with pytest.raises(ValueError, match=r'out_dir=.*xxx cannot be created: File name too long'):
            ResultFiles(Source([], 1, 'a.png', single=True), *folders)


def test_files_that_cannot_be_written(tmp_path):
    name = 'x' * 250
    for folders in ((tmp_path, ''), ('', tmp_path)):
        with pytest.raises(ValueError, match='xxx.* cannot be written: File name too long'):
            ResultFiles(IMAGES, *map(str, folders)).add(Frame(f'{name}.png', None), [], IMAGE)
        film = ResultFiles(Source([], 3, f'{name}.mp4', fps=5.0), *map(str, folders))
        with pytest.raises(ValueError, match=r'xxx\S+ (cannot be written|OpenCV cannot write)'):
            film.add(Frame('0.jpg', None), [], IMAGE)
            film.close()


@pytest.fixture
def own(tmp_path):
    """A user's images and film; results of a call earlier, and links to an image."""
    for name in ('in/a.png', 'in/b.jpg', 'in/film.mp4', 'earlier/a.png', 'earlier/b.jpg'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / 'links').mkdir()
    (tmp_path / 'links/a.png').symlink_to(tmp_path / 'in/a.png')
    return tmp_path


def test_an_input_is_not_overwritten(own, monkeypatch):
    monkeypatch.chdir(own / 'in')
    video = Source([], 3, 'film.mp4', fps=5.0, files=['film.mp4'])
    for source, target, folder in (
        (open_source(own / 'in'), 'in/a.png', own / 'in'),
        (open_source('a.png'), 'a.png', '.'),
        (open_source('a.png'), 'a.png', own / 'in/a.png'),
        (open_source(['b.jpg', own / 'in/a.png']), 'in/b.jpg', own / 'links/../in'),
        (open_source(own / 'links'), 'in/a.png', own / 'in'),
        (open_source('a.png'), 'links/a.png', own / 'links'),
        (video, 'film.mp4', '.'),
        (video, 'film.mp4', '../in/film.mp4'),
    ):
        with pytest.raises(ValueError, match=f'{target} would be overwritten, but it is one of the inputs'):
            ResultFiles(source, str(folder))
    ResultFiles(open_source(own / 'in'), str(own / 'earlier'), '.')  # results may be made anew, and json is no image
    ResultFiles(open_source(IMAGE), '.').add(Frame('00000000.jpg', IMAGE), [], IMAGE)
    ResultFiles(open_source(IMAGE), '.')  # an array is no file, though its result is called as it


def test_an_input_that_comes_late_is_not_overwritten(own):
    """Of a generator nothing is known beforehand."""
    files = ResultFiles(open_source(iter([own / 'in/b.jpg'])), str(own / 'earlier'))
    files.add(Frame(str(own / 'in/b.jpg'), IMAGE, is_file=True), [], IMAGE)
    files.add(Frame(str(own / 'in/a.png'), IMAGE, is_file=True), [], IMAGE)
    files = ResultFiles(open_source(iter([own / 'in/b.jpg'])), str(own / 'in'))
    with pytest.raises(ValueError, match='in/b.jpg would be overwritten'):
        files.add(Frame(str(own / 'in/b.jpg'), IMAGE, is_file=True), [], IMAGE)
    assert (own / 'in/b.jpg').read_bytes() == b'in/b.jpg' and os.path.getsize(own / 'earlier/a.png') > 50
